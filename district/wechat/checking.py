"""Whether we can speak to WeChat and WeChat to us: real calls, and each refusal in words with what to do.

The operator's command and the panel's page both look by these. Nothing here opens or needs a transaction.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from wechatpy.utils import WeChatSigner

from district import clock, links, wechat
from district.config import Config
from district.messages import has, t
from district.wechat.errors import WeChatError

REACH_TIMEOUT_S = (3.05, 5.0)
# A page waits for all of it: what has not been asked by then is not asked any more.
LONGEST_S = 20.0
# The calls whose daily number may run out, by the name of their words.
COUNTED = {"custom": "/cgi-bin/message/custom/send", "template": "/cgi-bin/message/template/send"}
# Less than this part left of a day's calls is worth a word.
SCARCE = 0.1
_REFUSED_ADDRESS = re.compile(r"invalid ip ([0-9a-fA-F.:]+)")


class State(StrEnum):
    WELL = "well"
    DOUBTFUL = "doubtful"  # works, and wants a look
    BAD = "bad"
    SKIPPED = "skipped"  # could not be asked, because of another finding


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. text: in the reader's language, with what to do. code: WeChat's, if it refused."""

    name: str
    state: State
    text: str
    code: int | None = None

    @property
    def is_well(self) -> bool:
        return self.state in (State.WELL, State.DOUBTFUL)


def examine(app: Flask) -> list[Finding]:
    """Look at the settings, then ask WeChat for the token, its addresses, our quotas and the menu, then our own
    public address as WeChat would. What needs a token is not tried without one.
    """
    ends_at = time.monotonic() + LONGEST_S
    config: Config = app.config["BIHUAN"]
    found = [settings(config), token(app)]
    asked: dict[str, Callable[[], Finding]] = {
        "addresses": lambda: addresses(app),
        "quota": lambda: quota(app),
        "menu": lambda: menu(app),
    }
    for name, ask in asked.items():
        if not found[1].is_well:
            found.append(Finding(name, State.SKIPPED, t("wechat.check.needs_token")))
        elif time.monotonic() > ends_at:
            found.append(Finding(name, State.SKIPPED, t("wechat.check.too_slow")))
        else:
            found.append(ask())
    return [*found, callback(config)]


def settings(config: Config) -> Finding:
    """WeChat calls only public addresses over HTTPS, and only ports 80 and 443."""
    parts = urlsplit(config.public_base_url)
    if config.uses_stand_in:
        return Finding("settings", State.WELL, t("wechat.check.stand_in"))
    is_well = parts.scheme == "https" and parts.port in (None, 443)
    key = "wechat.check.settings" if is_well else "wechat.check.no_https"
    words = t(key, address=config.public_base_url, app_id=config.wechat_app_id)
    return Finding("settings", State.WELL if is_well else State.BAD, words)


def token(app: Flask) -> Finding:
    """Ask for it now: one that is kept would hide that the secret was changed a minute ago."""
    try:
        wechat.client_for(app).try_token()
    except WeChatError as error:
        return _refused("token", "wechat.check.token_refused", error)
    return Finding("token", State.WELL, t("wechat.check.token"))


def addresses(app: Flask) -> Finding:
    """WeChat's own addresses: the first real call with the token, and what a fire wall must let through."""
    try:
        client = wechat.client_for(app)
        theirs, calling = client.api_addresses(), client.callback_addresses()
    except WeChatError as error:
        return _refused("addresses", "wechat.check.addresses_refused", error)
    return Finding("addresses", State.WELL, t("wechat.check.addresses", count=len(theirs), calling=len(calling)))


def quota(app: Flask) -> Finding:
    """How many calls of the day are left for what residents are told by."""
    parts, is_scarce = [], False
    for name, path in COUNTED.items():
        try:
            left, most = wechat.client_for(app).quota(path)
        except WeChatError as error:
            return _refused("quota", "wechat.check.quota_refused", error, State.DOUBTFUL)
        is_scarce = is_scarce or left < most * SCARCE
        parts.append(t(f"wechat.check.quota_{name}", left=left, most=most))
    key = "wechat.check.quota_scarce" if is_scarce else "wechat.check.quota"
    words = t(key, calls=t("wechat.check.between").join(parts))
    return Finding("quota", State.DOUBTFUL if is_scarce else State.WELL, words)


def menu(app: Flask) -> Finding:
    """The menu under the chat: there, and each of its taps answered."""
    try:
        present = wechat.client_for(app).present_menu()
    except WeChatError as error:
        return _refused("menu", "wechat.check.menu_refused", error)
    rows = list(rows_of((present or {}).get("button", [])))
    if not rows:
        return Finding("menu", State.BAD, t("wechat.check.no_menu"))
    known = {row.get("key") for row in rows_of(our_menu(app))}
    strange = [str(row["key"]) for row in rows if row.get("key") and row["key"] not in known]
    if strange:
        return Finding("menu", State.BAD, t("wechat.check.strange_key", keys=", ".join(strange)))
    return Finding("menu", State.WELL, t("wechat.check.menu", count=len(rows)))


def callback(config: Config) -> Finding:
    """Ask our own public address as WeChat does when the operator presses Submit in its console."""
    address = links.callback()
    nonce, stamp, echo = secrets.token_hex(8), str(int(clock.now().timestamp())), secrets.token_hex(8)
    signer = WeChatSigner()
    signer.add_data(config.wechat_token, stamp, nonce)
    query = {"signature": signer.signature, "timestamp": stamp, "nonce": nonce, "echostr": echo}
    try:
        answer = requests.get(address, params=query, timeout=REACH_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        reason = type(error).__name__
        words = t("wechat.check.unreached", address=address, why=unanswered(reason), reason=reason)
        return Finding("callback", State.BAD, words)
    if answer.status_code == 200 and answer.text == echo:
        return Finding("callback", State.WELL, t("wechat.check.callback", address=address))
    status = answer.status_code
    key = {403: "wechat.check.callback_403", 404: "wechat.check.callback_404"}.get(status, "wechat.check.callback_odd")
    return Finding("callback", State.BAD, t(key, address=address, status=status))


def our_menu(app: Flask) -> list[dict[str, Any]]:
    """The buttons that the chat answers, as its door made them known; none in an application without the chat."""
    make: Callable[[], list[dict[str, Any]]] | None = app.extensions.get("account_menu")
    return make() if make is not None else []


def rows_of(buttons: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    """Every entry that can be tapped: those below a button, or the button itself."""
    for top in buttons:
        yield from top.get("sub_button") or [top]


def explained(error: WeChatError) -> str:
    """What went wrong and what to do, in the reader's language, with WeChat's own number."""
    if error.code is None:
        return t("wechat.explain.nothing", words=unanswered(error.reason), reason=error.reason)
    key = f"wechat.explain.e{str(error.code).replace('-', 'minus')}"
    found = _REFUSED_ADDRESS.search(error.reason)
    ip = found[1] if found else t("wechat.explain.some_address")
    words = t(key, ip=ip) if has(key) else t("wechat.explain.other")
    return t("wechat.explain.whole", words=words, code=error.code, reason=error.reason)


def unanswered(reason: str) -> str:
    """What it means that no proper answer came. reason: the name of requests' error, or `HTTP 502`."""
    if reason == "SSLError":
        return t("wechat.explain.tls")
    if reason in ("ConnectTimeout", "ReadTimeout", "Timeout"):
        return t("wechat.explain.timeout")
    if reason == "ConnectionError":
        return t("wechat.explain.unreachable")
    return t("wechat.explain.odd_answer")


def _refused(name: str, key: str, error: WeChatError, state: State = State.BAD) -> Finding:
    return Finding(name, state, t(key, why=explained(error)), error.code)
