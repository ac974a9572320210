"""`/chat`: a window that looks like WeChat on a phone, whose messages are real, signed, encrypted callbacks."""

from __future__ import annotations

import secrets
import time
from typing import Any
from xml.sax.saxutils import escape

import qrcode
import requests
import xmltodict
from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from qrcode.image.svg import SvgPathFillImage
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner
from werkzeug.wrappers import Response as ResponseBase

from bot import menu, world
from bot.chat import memory
from district import links
from district.config import Config
from district.errors import BadInput
from district.facilities import queries as facilities
from district.facilities import service as facility_service
from district.frame.files import map_version
from district.geo.datum import wgs84_to_gcj02
from district.messages import t
from district.reports import photos

pages = Blueprint(
    "chat", __name__, template_folder="../templates", static_folder="../static", static_url_path="/chat/static"
)
MOST_RESIDENTS = 6
ACCOUNT = "gh_bihuan_demo"
LONGEST_TEXT = 2000
# WeChat delivers a message again when no proper answer comes in time.
DELIVERIES = 3


@pages.get("/chat")
def show() -> ResponseBase:
    """The window. Each browser has residents of its own, kept in its cookie, the present one first.

    `new` makes another, `as` takes the one with that number.
    """
    known = _residents()
    if "new" in request.args or not known:
        known = ["oChat" + secrets.token_hex(12)[:23], *known][:MOST_RESIDENTS]
    chosen = request.args.get("as", 0, type=int)
    if 0 < chosen < len(known):
        known = [known[chosen], *known[:chosen], *known[chosen + 1 :]]
    if request.args:
        response: ResponseBase = redirect(url_for("chat.show"))
    else:
        response = current_app.make_response(
            render_template(
                "bot/chat.html",
                buttons=menu.buttons(),
                map_version=map_version(),
                tile_url=current_app.config["TILE_URL"],
                residents=[openid[-4:] for openid in known],
                service=world.service_name(),
            )
        )
    response.set_cookie(memory.COOKIE, ".".join(known), max_age=30 * 86400, samesite="Lax", httponly=True)
    return response


@pages.get("/chat/log")
def log() -> Response:
    """The bubbles after number `after`."""
    return jsonify(entries=memory.entries(_openid(), request.args.get("after", 0, type=int)))


@pages.get("/chat/facilities")
def find_facilities() -> Response:
    """Facilities to scan: `q` holds words of name or address, or a code."""
    page = facilities.search(words=request.args.get("q", ""), limit=12)
    found = [
        {
            "name": one.name,
            "address": one.address,
            "token": (token := facility_service.token_of(one.id) or ""),
            "page": f"/f/{token.lower()}",
            "code": url_for("chat.facility_code", token=token) if token else "",
        }
        for one in page.facilities
    ]
    return jsonify(facilities=[one for one in found if one["token"]])


@pages.get("/chat/codes/<token>.svg")
def facility_code(token: str) -> Response:
    """The facility's printed code, to be scanned from the screen."""
    code = qrcode.QRCode(border=2, error_correction=qrcode.constants.ERROR_CORRECT_M)
    code.add_data(links.printed_facility_code(token[:20]))
    image = code.make_image(image_factory=SvgPathFillImage)
    return Response(image.to_string(), mimetype="image/svg+xml")


@pages.get("/chat/media/<media_id>")
def picture(media_id: str) -> Response:
    """A picture this window sent, for its own bubble."""
    content = memory.media(media_id)
    if content is None:
        return Response(status=404)
    return Response(content, mimetype="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})


@pages.post("/chat/send")
def send() -> tuple[Response, int]:
    """Send one message as WeChat would: `kind` is text, voice, image, location, follow, leave, click, scan, code (a
    parametric one) or agree (to a subscription notice).
    """
    openid = _openid()
    try:
        message, bubble = _message(request.form.get("kind", ""))
    except BadInput as error:
        return jsonify(error=t(error.key)), 422
    if bubble is not None:
        memory.note(openid, {"side": "mine", **bubble})
    event = message.get("Event")
    if event in ("subscribe", "unsubscribe"):
        memory.follow(openid, event == "subscribe")
    elif event is None:
        memory.follow(openid, True)
    if event not in ("unsubscribe", "subscribe_msg_popup_event"):
        memory.open_window(openid, tap=event is not None)
    try:
        text = _deliver(openid, message)
    except (requests.RequestException, ValueError) as error:
        current_app.logger.warning("the callback failed", extra={"reason": type(error).__name__})
        memory.note(openid, {"side": "theirs", "kind": "system", "text": t("chat.no_answer")})
        return jsonify(error=t("chat.no_answer")), 502
    if text:
        memory.note(openid, {"side": "theirs", "kind": "text", "text": text})
    return jsonify(ok=True), 200


def _residents() -> list[str]:
    """The openids of this browser's residents, the present one first."""
    return [one for one in request.cookies.get(memory.COOKIE, "").split(".") if memory.OPENID.fullmatch(one)][
        :MOST_RESIDENTS
    ]


def _openid() -> str:
    known = _residents()
    if not known:
        raise BadInput("chat.reload")
    return known[0]


def _message(kind: str) -> tuple[dict[str, str], dict[str, Any] | None]:
    """(the fields of WeChat's XML, the bubble to show or None). Raises BadInput for what cannot be sent."""
    form = request.form
    if kind == "text":
        text = form.get("text", "").strip()[:LONGEST_TEXT]
        if not text:
            raise BadInput("errors.note_missing")
        return {"MsgType": "text", "Content": text}, {"kind": "text", "text": text}
    if kind == "voice":
        said = form.get("text", "").strip()[:LONGEST_TEXT]
        fields = {"MsgType": "voice", "MediaId": f"chat-voice-{secrets.token_hex(8)}", "Format": "amr"}
        return fields | ({"Recognition": said} if said else {}), {"kind": "voice", "text": said}
    if kind == "image":
        upload = request.files.get("photo")
        if upload is None:
            raise BadInput("errors.photo_unreadable")
        content = photos.prepare(upload.read()).files["page"]
        media_id = f"chat-{secrets.token_hex(16)}"
        memory.keep_media(media_id, content)
        return (
            {"MsgType": "image", "PicUrl": f"{links.base_url()}/chat/media/{media_id}", "MediaId": media_id},
            {"kind": "image", "media": media_id},
        )
    if kind == "location":
        latitude, longitude = form.get("latitude", type=float), form.get("longitude", type=float)
        if latitude is None or longitude is None:
            raise BadInput("chat.place_missing")
        label = form.get("label", "")[:100]
        north, east = wgs84_to_gcj02(latitude, longitude)
        return (
            {"MsgType": "location", "Location_X": f"{north:.6f}", "Location_Y": f"{east:.6f}", "Scale": "16",
             "Label": label},
            {"kind": "location", "text": label, "latitude": latitude, "longitude": longitude},
        )  # fmt: skip
    if kind == "follow":
        return {"MsgType": "event", "Event": "subscribe", "EventKey": ""}, None
    if kind == "leave":
        return {"MsgType": "event", "Event": "unsubscribe", "EventKey": ""}, {
            "kind": "system",
            "text": t("chat.left"),
        }
    if kind == "click":
        return {"MsgType": "event", "Event": "CLICK", "EventKey": form.get("key", "")[:128]}, None
    if kind == "scan":
        token = form.get("token", "")[:20]
        return (
            {"MsgType": "event", "Event": "scancode_waitmsg", "EventKey": form.get("key", "")[:128],
             "ScanType": "qrcode", "ScanResult": links.printed_facility_code(token)},
            {"kind": "system", "text": t("chat.scanned", name=form.get("name", "")[:60])},
        )  # fmt: skip
    if kind == "code":
        return {"MsgType": "event", "Event": "SCAN", "EventKey": f"fac:{form.get('token', '')[:20]}"}, None
    if kind == "agree":
        template_id = form.get("template", "")[:64]
        memory.consent(_openid(), template_id)
        return {"MsgType": "event", "Event": "subscribe_msg_popup_event", "Template": template_id}, None
    raise BadInput("errors.bad_input")


def _xml(openid: str, fields: dict[str, str]) -> str:
    now = int(time.time())
    whole: dict[str, str] = {"ToUserName": ACCOUNT, "FromUserName": openid, "CreateTime": str(now), **fields}
    if fields["MsgType"] != "event":
        whole["MsgId"] = str(time.time_ns() // 1000 * 100 + secrets.randbelow(100))
    scan = {name: whole.pop(name) for name in ("ScanType", "ScanResult") if name in whole}
    template_id = whole.pop("Template", "")
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in whole.items())
    if scan:
        parts = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in scan.items())
        inner += f"<ScanCodeInfo>{parts}</ScanCodeInfo>"
    if template_id:
        agreed = f"<TemplateId>{escape(template_id)}</TemplateId><SubscribeStatusString>accept</SubscribeStatusString>"
        inner += f"<SubscribeMsgPopupEvent><List>{agreed}</List></SubscribeMsgPopupEvent>"
    return f"<xml>{inner}</xml>"


def _deliver(openid: str, fields: dict[str, str]) -> str:
    """Post the callback over HTTP; the words of the passive reply, "" for none."""
    config: Config = current_app.config["BIHUAN"]
    nonce, stamp = secrets.token_hex(8), str(int(time.time()))
    signer = WeChatSigner()
    signer.add_data(config.wechat_token, stamp, nonce)
    query = {"signature": signer.signature, "timestamp": stamp, "nonce": nonce, "openid": openid}
    body = _xml(openid, fields)
    crypto = None
    if config.wechat_mode == "safe":
        crypto = WeChatCrypto(config.wechat_token, config.wechat_encoding_aes_key, config.wechat_app_id)
        body = crypto.encrypt_message(body, nonce, stamp)
        signed = xmltodict.parse(body)["xml"]["MsgSignature"]
        query |= {"encrypt_type": "aes", "msg_signature": signed}
    answer = _post(config, query, body.encode())
    if answer.content in (b"", b"success"):
        return ""
    reply = answer.content.decode()
    if crypto is not None:
        outer = xmltodict.parse(reply)["xml"]
        reply = crypto.decrypt_message(reply, outer["MsgSignature"], outer["TimeStamp"], outer["Nonce"])
        reply = reply.decode() if isinstance(reply, bytes) else reply
    return str(xmltodict.parse(reply)["xml"].get("Content") or "")


def _post(config: Config, query: dict[str, str], body: bytes) -> requests.Response:
    """The delivery itself, up to three times, as WeChat does when it is not answered."""
    host = "127.0.0.1" if config.host in ("0.0.0.0", "::", "") else config.host
    for delivery in range(1, DELIVERIES + 1):
        try:
            answer = requests.post(
                f"http://{host}:{config.port}/wechat", params=query, data=body, timeout=(3, 5),
                headers={"Content-Type": "text/xml"},
            )  # fmt: skip
            answer.raise_for_status()
            return answer
        except requests.RequestException:
            if delivery == DELIVERIES:
                raise
    raise AssertionError("unreachable")
