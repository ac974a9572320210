"""Calls to WeChat's API: wechatpy's client with our token, time limits, one retry and telling errors."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
import wechatpy
from wechatpy.exceptions import WeChatClientException

from district.wechat.errors import TOKEN_REFUSED, Fatal, MediaTooLarge, Retryable, WeChatError, error_for
from district.wechat.redaction import redact
from district.wechat.text import cut, shorten
from district.wechat.tokens import TokenKeeper

log = logging.getLogger(__name__)

TIMEOUT_S = (3.05, 8.0)
MAX_MEDIA_BYTES = 10 * 1024 * 1024
# A picture that trickles in must not hold a worker: each read has its time limit, this one bounds them all.
DOWNLOAD_S = 60.0
CHUNK_BYTES = 64 * 1024
LONGEST_OPENID = 64
NO_MENU = 46003
# What a template's typed values may hold, in characters; WeChat refuses the whole message otherwise.
VALUE_LENGTHS = {
    "thing": 20,
    "number": 32,
    "letter": 32,
    "symbol": 5,
    "character_string": 32,
    "phone_number": 17,
    "car_number": 8,
    "name": 10,
    "phrase": 5,
    "const": 20,
}


@dataclass(frozen=True)
class Visitor:
    """Who opened a page in WeChat. is_snapshot: only WeChat's preview of it, with an openid that is nobody's."""

    openid: str
    is_snapshot: bool


class WeChatClient(wechatpy.WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """One account's API, for one thread. Every method raises only `district.wechat.errors`."""

    def __init__(self, *, app_id: str, secret: str, base_url: str, tokens: TokenKeeper) -> None:
        super().__init__(app_id, secret, timeout=TIMEOUT_S, auto_retry=False)
        self._login_secret = secret
        self._base_url = base_url
        self.API_BASE_URL = f"{base_url}/cgi-bin/"
        self._tokens = tokens
        # Environment proxies and ~/.netrc have no business between us and WeChat's tokens.
        self._http.trust_env = False

    # wechatpy asks for these; its own would fetch from a fixed address, without lock or time limit.

    @property
    def access_token(self) -> str:
        return self._tokens.get()

    def fetch_access_token(self) -> None:
        raise NotImplementedError("the token keeper fetches")

    # What the district sends

    def send_text(self, openid: str, text: str) -> None:
        """Send a customer-service message; longer than 2048 bytes is cut."""
        self.message.send_text(openid, cut(text))

    def send_template(
        self, openid: str, template_id: str, url: str, data: dict[str, str], client_msg_id: str
    ) -> str:
        """Send a template message and return WeChat's id of it.

        data: keyword (`thing1`, `time2`) to value; values are shortened to what their type allows.
        client_msg_id: ours; WeChat does not send the same one twice within ten minutes.
        """
        body = {
            "touser": openid,
            "template_id": template_id,
            "url": url,
            "client_msg_id": client_msg_id,
            "data": {name: {"value": _fitting(name, value)} for name, value in data.items()},
        }
        return str(self.post("message/template/send", data=body).get("msgid", ""))

    def send_subscription_notice(self, openid: str, template_id: str, page: str, data: dict[str, str]) -> str:
        """Send a subscription notice the resident consented to; raises NoGrant without consent."""
        values = {name: {"value": _fitting(name, value)} for name, value in data.items()}
        sent = self.message.send_subscribe_message(openid, template_id, values, page=page)
        return str(sent.get("msgid", ""))

    # What an operator wants to know

    def try_token(self) -> None:
        """Ask WeChat for the token now, whatever is kept. Raises Fatal (wrong set-up) and Retryable."""
        self._tokens.try_now()

    def api_addresses(self) -> list[str]:
        """The addresses under which WeChat's API answers: what a fire wall must let out."""
        return _texts(self.get("get_api_domain_ip"), "ip_list")

    def callback_addresses(self) -> list[str]:
        """The addresses that WeChat's callbacks come from: what a fire wall must let in."""
        return _texts(self.get("getcallbackip"), "ip_list")

    def quota(self, path: str) -> tuple[int, int]:
        """(calls left today, calls a day) of one call, such as `/cgi-bin/message/custom/send`."""
        found = self.post("openapi/quota/get", data={"cgi_path": path}).get("quota")
        kept = found if isinstance(found, dict) else {}
        left, most = kept.get("remain"), kept.get("daily_limit")
        if not isinstance(left, int) or not isinstance(most, int):
            raise Retryable(None, "no quota in the answer")
        return left, most

    # The menu

    def create_menu(self, buttons: list[dict[str, Any]]) -> None:
        """Replace the account's menu; residents see it within five minutes."""
        self.menu.create({"button": buttons})

    def present_menu(self) -> dict[str, Any] | None:
        """The account's menu as WeChat keeps it; None when there is none."""
        try:
            found: dict[str, Any] = self.get("menu/get")
        except WeChatError as error:
            if error.code == NO_MENU:
                return None
            raise
        menu: dict[str, Any] = found.get("menu", found)
        return menu

    def delete_menu(self) -> None:
        """Take the menu away."""
        self.get("menu/delete")

    def jsapi_ticket(self) -> tuple[str, int]:
        """(ticket, seconds it lasts) for the signatures of pages; ask `district.wechat.ticket_for`, which keeps it."""
        found = self.get("ticket/getticket", params={"type": "jsapi"})
        ticket, expires_in = found.get("ticket"), found.get("expires_in", 7200)
        if not isinstance(ticket, str) or not ticket or not isinstance(expires_in, int):
            raise Retryable(None, "no ticket in the answer")
        return ticket, expires_in

    def visitor(self, code: str) -> Visitor:
        """Who came back from WeChat's login with this code. Raises BadCode for one that is used or too old."""
        params = {
            "appid": self.appid, "secret": self._login_secret, "code": code, "grant_type": "authorization_code"
        }  # fmt: skip
        try:
            with self._http.get(
                f"{self._base_url}/sns/oauth2/access_token", params=params, timeout=TIMEOUT_S, allow_redirects=False
            ) as response:
                # Sent as text without a character set: the bytes are JSON in UTF-8.
                found = json.loads(response.content)
        except requests.RequestException as error:
            raise Retryable(None, type(error).__name__) from None
        except ValueError:
            raise Retryable(None, "the answer is not JSON") from None
        if not isinstance(found, dict):
            raise Retryable(None, "the answer is not JSON")
        if found.get("errcode"):
            raise error_for(int(found["errcode"]), redact(str(found.get("errmsg", "")))[:200])
        openid = found.get("openid")
        if not isinstance(openid, str) or not 0 < len(openid) <= LONGEST_OPENID:
            raise Retryable(None, "no openid in the answer")
        return Visitor(openid, is_snapshot=str(found.get("is_snapshotuser", "0")) == "1")

    def create_scene_code(self, scene: str, *, lasts_s: int | None = None) -> str:
        """The address a parametric QR code holds. lasts_s: up to 30 days; None makes a permanent one."""
        body: dict[str, Any] = {"action_info": {"scene": {"scene_str": scene}}}
        if lasts_s is None:
            body["action_name"] = "QR_LIMIT_STR_SCENE"
        else:
            body |= {"action_name": "QR_STR_SCENE", "expire_seconds": lasts_s}
        return str(self.qrcode.create(body)["url"])

    def download_media(self, media_id: str, max_bytes: int = MAX_MEDIA_BYTES) -> bytes:
        """The photo or sound behind a media id. Raises MediaGone (three days old) and MediaTooLarge."""
        media: bytes = self._with_token(lambda token: self._download(media_id, max_bytes, token))
        return media

    # How

    def _request(self, method: str, url_or_endpoint: str, **kwargs: Any) -> Any:
        """Every call of wechatpy's comes through here."""
        params = dict(kwargs.pop("params", None) or {})
        kwargs["allow_redirects"] = False

        def call(token: str) -> Any:
            try:
                result = super(WeChatClient, self)._request(
                    method, url_or_endpoint, params={**params, "access_token": token}, **kwargs
                )
            except WeChatClientException as error:
                raise _translated(error) from None
            except requests.RequestException as error:
                # Its own words hold the address, and the address holds the token.
                raise Retryable(None, type(error).__name__) from None
            except (TypeError, ValueError):
                raise Retryable(None, "an errcode that is no number") from None
            if not isinstance(result, dict):
                raise Retryable(None, "the answer is not JSON")
            return result

        return self._with_token(call)

    def _with_token(self, call: Callable[[str], Any]) -> Any:
        """Call with the token; when it is refused, once more with a new one. Never a third time."""
        token = self._tokens.get()
        try:
            return call(token)
        except Retryable as error:
            if error.code not in TOKEN_REFUSED:
                raise
            log.warning("access token refused", extra={"code": error.code})
        return call(self._tokens.replace(token))

    def _download(self, media_id: str, max_bytes: int, token: str) -> bytes:
        deadline = time.monotonic() + DOWNLOAD_S
        try:
            with self._http.get(
                f"{self.API_BASE_URL}media/get",
                params={"access_token": token, "media_id": media_id},
                timeout=TIMEOUT_S,
                stream=True,
                allow_redirects=False,
            ) as response:
                if response.status_code != 200:
                    raise Retryable(None, f"HTTP {response.status_code}")
                received = bytearray()
                for chunk in response.iter_content(CHUNK_BYTES):
                    received += chunk
                    if len(received) > max_bytes:
                        raise MediaTooLarge(None, f"more than {max_bytes} bytes")
                    if time.monotonic() > deadline:
                        raise Retryable(None, "the download takes too long")
                kind = response.headers.get("Content-Type", "")
        except requests.RequestException as error:
            raise Retryable(None, type(error).__name__) from None
        _raise_if_error(bytes(received), kind)
        return bytes(received)


def _texts(answer: dict[str, Any], name: str) -> list[str]:
    found = answer.get(name)
    return [str(one) for one in found] if isinstance(found, list) else []


def _fitting(name: str, value: str) -> str:
    kind = re.sub(r"\d+$", "", name)
    return shorten(value, VALUE_LENGTHS.get(kind, 200))


def _translated(error: WeChatClientException) -> WeChatError:
    if error.errcode is None:
        status = getattr(error.response, "status_code", None)
        return Retryable(None, f"HTTP {status}")
    return error_for(int(error.errcode), redact(str(error.errmsg))[:200])


def _raise_if_error(received: bytes, content_type: str) -> None:
    """WeChat reports a failed download as JSON with status 200, sometimes as text/plain."""
    if not received:
        raise Retryable(None, "an empty download")
    if "json" not in content_type and "text" not in content_type and not received.startswith(b"{"):
        return
    try:
        answer = json.loads(received)
    except ValueError:
        raise Retryable(None, "neither media nor JSON") from None
    code = answer.get("errcode") if isinstance(answer, dict) else None
    if code:
        raise error_for(int(code), str(answer.get("errmsg", ""))[:200])
    raise Fatal(None, "a video is a link, not a file")
