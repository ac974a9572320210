"""A small stand-in for WeChat's API server: just what our own calls need, with its rules for pushed messages."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, redirect, request
from werkzeug.wrappers import Response as ResponseBase

from bot.chat import memory
from district import links
from district.config import STAND_IN_PREFIX, Config

pages = Blueprint("wechat_stand_in", __name__, url_prefix=STAND_IN_PREFIX)
TOKEN_KEY = "bihuan:chat:token"  # noqa: S105
TOKEN_S = 7200
TICKET_S = 2592000
QUOTA = 500_000
MENU_KEY, LOGIN_KEY = "bihuan:chat:menu", "bihuan:chat:login"
LOGIN_S = 300


def _out(**fields: Any) -> Response:
    body = json.dumps({"errcode": 0, "errmsg": "ok", **fields}, ensure_ascii=False)
    return Response(body, content_type="application/json; charset=utf-8")


def _refuse(code: int, words: str) -> Response:
    return _out(errcode=code, errmsg=f"{words} rid: {secrets.token_hex(4)}")


def _given() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else {}


@pages.before_request
def _check_token() -> Response | None:
    if not request.path.startswith(f"{STAND_IN_PREFIX}/cgi-bin/") or request.endpoint == "wechat_stand_in.token":
        return None
    kept = memory.connection().get(TOKEN_KEY)
    if kept is None or kept.decode() != request.args.get("access_token"):  # type: ignore[union-attr]
        return _refuse(40001, "invalid credential, access_token is invalid or not latest")
    return None


@pages.route("/cgi-bin/token", methods=["GET", "POST"])
@pages.route("/cgi-bin/stable_token", methods=["GET", "POST"])
def token() -> Response:
    """The token: the same until it ends, as the stable one is."""
    config: Config = current_app.config["BIHUAN"]
    given = {**request.args.to_dict(), **_given()}
    if given.get("appid") != config.wechat_app_id:
        return _refuse(40013, "invalid appid")
    if given.get("secret") != config.wechat_app_secret:
        return _refuse(40125, "invalid appsecret")
    connection = memory.connection()
    connection.set(TOKEN_KEY, secrets.token_urlsafe(48), ex=TOKEN_S, nx=not given.get("force_refresh"))
    kept: bytes = connection.get(TOKEN_KEY) or b""  # type: ignore[assignment]
    left = int(connection.ttl(TOKEN_KEY))
    return _out(access_token=kept.decode(), expires_in=max(left, 1))


@pages.get("/cgi-bin/media/get")
def media() -> Response:
    content = memory.media(request.args.get("media_id", ""))
    if content is None:
        return _refuse(40007, "invalid media_id")
    return Response(content, mimetype="image/jpeg")


@pages.post("/cgi-bin/message/custom/send")
def custom() -> Response:
    """A customer-service message, if the resident's window is open."""
    given = _given()
    openid = str(given.get("touser", ""))
    refused = memory.use_window(openid)
    if refused is not None:
        return _refuse(refused, "response out of time limit or count limit")
    text = str(given.get("text", {}).get("content", ""))
    memory.note(openid, {"side": "theirs", "kind": "text", "text": text, "pushed": True})
    return _out()


@pages.post("/cgi-bin/message/template/send")
def template() -> Response:
    """A template message, shown as a card."""
    given = _given()
    if not memory.is_follower(str(given.get("touser", ""))):
        return _refuse(43004, "require subscribe")
    fields = given.get("data", {})
    lines = [str(field.get("value", "")) for field in fields.values()] if isinstance(fields, dict) else []
    memory.note(
        str(given.get("touser", "")),
        {"side": "theirs", "kind": "card", "lines": lines, "url": str(given.get("url", "")), "pushed": True},
    )
    return _out(msgid=secrets.randbelow(10**9))


@pages.post("/cgi-bin/message/subscribe/bizsend")
def notice() -> Response:
    """A subscription notice, for each consent one; shown as a card."""
    given = _given()
    openid = str(given.get("touser", ""))
    if not memory.use_consent(openid, str(given.get("template_id", ""))):
        return _refuse(43101, "user refuse to accept the msg")
    fields = given.get("data", {})
    lines = [str(field.get("value", "")) for field in fields.values()] if isinstance(fields, dict) else []
    url = str(given.get("page", ""))
    memory.note(openid, {"side": "theirs", "kind": "card", "lines": lines, "url": url, "pushed": True})
    return _out(msgid=secrets.randbelow(10**9))


@pages.post("/cgi-bin/media/upload")
def upload() -> Response:
    """A temporary picture."""
    file = request.files.get("media")
    if file is None:
        return _refuse(41005, "media data missing")
    media_id = f"chat-{secrets.token_hex(16)}"
    memory.keep_media(media_id, file.read(memory.LARGEST_MEDIA))
    return _out(type=request.args.get("type", "image"), media_id=media_id)


@pages.post("/cgi-bin/menu/create")
def menu() -> Response:
    memory.connection().set(MENU_KEY, json.dumps(_given(), ensure_ascii=False))
    return _out()


@pages.get("/cgi-bin/menu/get")
def present_menu() -> Response:
    kept: bytes | None = memory.connection().get(MENU_KEY)  # type: ignore[assignment]
    return _out(menu=json.loads(kept)) if kept else _refuse(46003, "menu not exist")


@pages.get("/cgi-bin/menu/delete")
def delete_menu() -> Response:
    memory.connection().delete(MENU_KEY)
    return _out()


@pages.post("/cgi-bin/qrcode/create")
def code() -> Response:
    ticket = secrets.token_urlsafe(32)
    return _out(ticket=ticket, expire_seconds=TICKET_S, url=f"http://weixin.qq.com/q/{ticket[:16]}")


@pages.get("/cgi-bin/ticket/getticket")
def ticket() -> Response:
    return _out(ticket=secrets.token_urlsafe(32), expires_in=TOKEN_S)


@pages.get("/cgi-bin/get_api_domain_ip")
@pages.get("/cgi-bin/getcallbackip")
def addresses() -> Response:
    return _out(ip_list=["127.0.0.1"])


@pages.post("/cgi-bin/openapi/quota/get")
def quota() -> Response:
    return _out(quota={"daily_limit": QUOTA, "used": 0, "remain": QUOTA})


@pages.get("/connect/oauth2/authorize")
def authorize() -> ResponseBase:
    """The login in WeChat's browser: the chat window's present resident, sent back with a code for one use."""
    back = request.args.get("redirect_uri", "")
    if not back.startswith(f"{links.base_url()}/"):
        return Response("redirect_uri", status=400, mimetype="text/plain")
    values = {"state": request.args.get("state", "")}
    openid = next((one for one in request.cookies.get(memory.COOKIE, "").split(".") if one), "")
    if memory.OPENID.fullmatch(openid):
        values = {"code": secrets.token_hex(16), **values}
        memory.connection().set(f"{LOGIN_KEY}:{values['code']}", openid, ex=LOGIN_S)
    return redirect(f"{back}{'&' if '?' in back else '?'}{urlencode(values)}")


@pages.get("/sns/oauth2/access_token")
def visitor() -> Response:
    config: Config = current_app.config["BIHUAN"]
    if request.args.get("appid") != config.wechat_app_id:
        return _refuse(40013, "invalid appid")
    if request.args.get("secret") != config.wechat_app_secret:
        return _refuse(40125, "invalid appsecret")
    openid: bytes | None = memory.connection().getdel(f"{LOGIN_KEY}:{request.args.get('code', '')}")  # type: ignore[assignment]
    if openid is None:
        return _refuse(40029, "invalid code")
    return _out(access_token=secrets.token_hex(16), expires_in=TOKEN_S, openid=openid.decode(), scope="snsapi_base")
