"""A callback's plain XML, read into one flat, typed record. wechatpy parses; its shapes stay here."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.parsers.expat import ExpatError

import wechatpy
from wechatpy.events import BaseEvent, register_event
from wechatpy.fields import BaseField, StringField
from wechatpy.messages import BaseMessage, register_message

from bot.protocol.xml import check_prolog, clean

KEY_LENGTH = 200
_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


class BadMessage(Exception):
    """Authentic, but not a message anybody can read. It is acknowledged and logged, never answered."""


# What wechatpy 1.8 has no class for and would call unknown.
@register_message("file")
class FileMessage(BaseMessage):  # type: ignore[misc]
    type = "file"
    title = StringField("Title")


@register_event("subscribe_msg_popup_event")
class SubscribePopupEvent(BaseEvent):  # type: ignore[misc]
    event = "subscribe_msg_popup_event"
    answers = BaseField("SubscribeMsgPopupEvent")


@register_event("subscribe_msg_change_event")
class SubscribeChangeEvent(BaseEvent):  # type: ignore[misc]
    event = "subscribe_msg_change_event"
    answers = BaseField("SubscribeMsgChangeEvent")


@register_event("subscribe_msg_sent_event")
class SubscribeSentEvent(BaseEvent):  # type: ignore[misc]
    event = "subscribe_msg_sent_event"
    answers = BaseField("SubscribeMsgSentEvent")


@register_event("user_authorization_revoke")
class AuthorizationRevokeEvent(BaseEvent):  # type: ignore[misc]
    event = "user_authorization_revoke"


@register_event("user_authorization_cancellation")
class AuthorizationCancellationEvent(BaseEvent):  # type: ignore[misc]
    event = "user_authorization_cancellation"


@register_event("user_info_modified")
class UserInfoModifiedEvent(BaseEvent):  # type: ignore[misc]
    event = "user_info_modified"


@dataclass(frozen=True, slots=True)
class NoticeAnswer:
    """One line of a subscription event: what became of a template's consent, or of one notice sent.

    status: `accept`, `reject`, or for a notice `success` and its like. error: WeChat's number of what went wrong.
    """

    template_id: str
    status: str = ""
    message_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message or event. Every text is a str or None, never empty; nothing is trusted but its type.

    kind: WeChat's MsgType in small letters (`text`, `image`, `location`, `event`, ...), whatever it may be.
    key: the same for every delivery of one message, at most 200 characters, without the openid itself.
    latitude, longitude: as received, that is GCJ-02 for `location` and `location_select`; within the globe.
    answers: the lines of a subscription event. about_openid: whom an event is about when it is not its sender.
    event: small letters. event_key: without the `qrscene_` prefix; `scanned` says there was a scene.
    """

    kind: str
    openid: str
    account: str
    key: str
    created_at: datetime | None = None
    text: str | None = None
    media_id: str | None = None
    picture_url: str | None = None
    thumb_media_id: str | None = None
    recognition: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    label: str | None = None
    title: str | None = None
    url: str | None = None
    event: str | None = None
    event_key: str | None = None
    scanned: bool = False
    scan_result: str | None = None
    message_id: str | None = None
    status: str | None = None
    answers: tuple[NoticeAnswer, ...] = ()
    about_openid: str | None = None

    @property
    def point(self) -> tuple[float, float] | None:
        """(latitude, longitude) as received, or None."""
        if self.latitude is None or self.longitude is None:
            return None
        return self.latitude, self.longitude


def read(xml: str) -> Inbound:
    """Read a decrypted callback. Raises BadMessage."""
    try:
        text = clean(xml)
        data: Any = _flat(text)
        if data is None:
            check_prolog(text)
            data = wechatpy.parse_message(text)._data
    except (ExpatError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BadMessage(type(error).__name__) from None
    if not isinstance(data, dict):
        raise BadMessage("no fields")

    texts = _texts(data)
    openid, account = texts.get("FromUserName"), texts.get("ToUserName")
    kind = texts.get("MsgType", "").lower()
    if openid is None or not _OPENID.fullmatch(openid):
        raise BadMessage("no sender")
    if account is None or not _ACCOUNT.fullmatch(account) or not kind:
        raise BadMessage("no account or type")

    scene, event = False, texts.get("Event", "").lower() or None
    if event == "subscribe_scan":  # wechatpy's name for a follow through a code; it has cut the prefix off
        scene, event = True, "subscribe"
    elif event == "scan":
        scene = True
    answers = _answers(data)
    latitude, longitude, label = _place(_texts(data.get("SendLocationInfo")) or texts)
    return Inbound(
        kind=kind[:40],
        openid=openid,
        account=account,
        key=_key(texts, kind, openid, event, answers),
        created_at=_moment(texts.get("CreateTime")),
        text=texts.get("Content"),
        media_id=texts.get("MediaId"),
        picture_url=texts.get("PicUrl"),
        thumb_media_id=texts.get("ThumbMediaId"),
        recognition=texts.get("Recognition"),
        latitude=latitude,
        longitude=longitude,
        label=label,
        title=texts.get("Title"),
        url=texts.get("Url"),
        event=event,
        event_key=texts.get("EventKey"),
        scanned=scene,
        scan_result=_texts(data.get("ScanCodeInfo")).get("ScanResult"),
        message_id=texts.get("MsgId") or texts.get("MsgID"),
        status=texts.get("Status"),
        answers=answers,
        about_openid=about if (about := texts.get("OpenID")) and _OPENID.fullmatch(about) else None,
    )


# One field of a message as WeChat writes nearly every one: a name, and nothing inside but its text.
_FIELD = re.compile(r"\s*<([A-Za-z][A-Za-z0-9_]*)>(?:<!\[CDATA\[(.*?)\]\]>|([^<&]*))</\1>\s*", re.DOTALL)
_BEGIN, _END = "<xml>", "</xml>"


def _flat(text: str) -> dict[str, str] | None:
    """The fields of an ordinary message, as the parser would give them, for a fraction of what it costs.

    None leaves the message to the parser: an event, a field twice, anything nested, escaped or not well-formed.
    """
    whole = text.strip()
    if not (whole.startswith(_BEGIN) and whole.endswith(_END)) or "\r" in whole:
        return None
    fields: dict[str, str] = {}
    at, end = len(_BEGIN), len(whole) - len(_END)
    while at < end:
        found = _FIELD.match(whole, at, end)
        if found is None:
            return None
        name, quoted, bare = found.groups()
        value = bare if quoted is None else quoted
        if name in fields or "]]>" in value:
            return None
        fields[name] = value.strip()
        at = found.end()
    kind = fields.get("MsgType", "").lower()
    return None if not kind or kind == "event" or kind.startswith("device_") else fields


_ANSWERS = ("SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent")
MOST_ANSWERS = 20


def _answers(data: dict[str, Any]) -> tuple[NoticeAnswer, ...]:
    """The `List` elements of a subscription event: none, one or many."""
    found = []
    for name in _ANSWERS:
        box = data.get(name)
        rows = box.get("List") if isinstance(box, dict) else None
        for row in rows if isinstance(rows, list) else [rows]:
            texts = _texts(row)
            template_id = texts.get("TemplateId", "")[:64]
            if template_id:
                status = texts.get("SubscribeStatusString") or texts.get("ErrorStatus") or ""
                error = texts.get("ErrorCode", "")
                message_id = texts.get("MsgID") or texts.get("MsgId") or ""
                found.append(NoticeAnswer(template_id, status.lower()[:80], message_id[:64], error[:20]))
    return tuple(found[:MOST_ANSWERS])


def _texts(box: Any) -> dict[str, str]:
    """The fields that are text, without those that are empty, repeated or something else."""
    if not isinstance(box, dict):
        return {}
    return {name: text for name, value in box.items() if isinstance(value, str) and (text := value.strip())}


def _degrees(value: str | None, limit: float) -> float | None:
    try:
        number = float(value) if value else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= limit else None


def _place(texts: dict[str, str]) -> tuple[float | None, float | None, str | None]:
    """(latitude, longitude, label). WeChat's X is the latitude. Both or neither; 0, 0 is a missing fix."""
    latitude = _degrees(texts.get("Location_X") or texts.get("Latitude"), 90)
    longitude = _degrees(texts.get("Location_Y") or texts.get("Longitude"), 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        latitude = longitude = None
    return latitude, longitude, texts.get("Label") or texts.get("Poiname")


def _moment(created: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(created), UTC) if created else None
    except (ValueError, OverflowError, OSError):
        return None


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:16]


def _digest_of(answers: tuple[NoticeAnswer, ...]) -> str:
    return _digest(*(f"{one.template_id} {one.status} {one.message_id}" for one in answers)) if answers else ""


def _key(texts: dict[str, str], kind: str, openid: str, event: str | None, answers: tuple[NoticeAnswer, ...]) -> str:
    """The same for every delivery of one message.

    Messages have a MsgId. Events have none: sender, second, event and its key together, because two events
    can fall into one second. The sender takes part in both, so nobody is ever answered with another's reply.
    """
    who, created = _digest(openid), texts.get("CreateTime") or ""
    message_id = texts.get("MsgId")
    if kind != "event" and message_id:
        key = f"msg:{message_id}:{who}"
    elif kind == "event":
        detail = texts.get("EventKey") or texts.get("MsgID") or _digest_of(answers)
        key = f"evt:{who}:{created}:{event}:{detail}"
    else:
        content = texts.get("Content") or texts.get("MediaId") or texts.get("Location_X")
        key = f"msg:{who}:{created}:{_digest(kind, content)}"
    return key if len(key) <= KEY_LENGTH else f"{key[:100]}:{_digest(key)}"
