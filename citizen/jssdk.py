"""Signatures for WeChat's JS-SDK: only for addresses of our own, or we would sign for strangers."""

from __future__ import annotations

import logging
import secrets
from urllib.parse import urldefrag, urlsplit

from flask import Response, current_app, jsonify, request

from citizen.api import READING_LIMIT, api
from citizen.failures import api_error
from district import clock, links, wechat
from district.config import Config
from district.errors import BadInput
from district.extensions import limiter
from district.messages import t
from district.wechat.errors import WeChatError
from district.wechat.tickets import sign_page

log = logging.getLogger(__name__)

LONGEST_ADDRESS = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}


@api.get("/jssdk")
@limiter.limit(READING_LIMIT)
def jssdk() -> Response:
    """What `wx.config` needs for the page at `?url=`, which is the address as the browser shows it."""
    address, _ = urldefrag(request.args.get("url", ""))
    if not is_ours(address):
        raise BadInput(fields={"url": "wechat.jssdk.foreign"})
    try:
        ticket = wechat.ticket_for(current_app._get_current_object())  # type: ignore[attr-defined]
    except WeChatError as error:
        log.warning("no ticket for a page's signature", extra={"code": error.code})
        return api_error(503, "wechat_away", t("wechat.jssdk.away"))
    config: Config = current_app.config["BIHUAN"]
    nonce, timestamp = secrets.token_hex(8), int(clock.now().timestamp())
    return jsonify(
        appId=config.wechat_app_id,
        timestamp=timestamp,
        nonceStr=nonce,
        signature=sign_page(ticket, address, nonce=nonce, timestamp=timestamp),
    )


def is_ours(address: str) -> bool:
    """Whether this is an address of PUBLIC_BASE_URL's scheme, host and port, spelt plainly."""
    if not 0 < len(address) <= LONGEST_ADDRESS or any(one <= " " or one in "\\\x7f" for one in address):
        return False
    return _origin(address) == _origin(links.base_url()) is not None


def _origin(address: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port
