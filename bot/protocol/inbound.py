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


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message or event. Every text is a str or None, never empty; nothing is trusted but its type.

    kind: WeChat's MsgType in small letters (`text`, `image`, `location`, `event`, ...), whatever it may be.
    key: the same for every delivery of one message, at most 200 characters, without the openid itself.
    latitude, longitude: as received, that is GCJ-02 for `location` and `location_select`; within the globe.
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
        check_prolog(text)
        message = wechatpy.parse_message(text)
        data: Any = message._data
    except (ExpatError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise BadMessage(type(error).__name__) from None
    if not isinstance(data, dict):
        raise BadMessage("no fields")

    openid, account = _text(data, "FromUserName"), _text(data, "ToUserName")
    kind = (_text(data, "MsgType") or "").lower()
    if openid is None or not _OPENID.fullmatch(openid):
        raise BadMessage("no sender")
    if account is None or not _ACCOUNT.fullmatch(account) or not kind:
        raise BadMessage("no account or type")

    scene, event = False, (_text(data, "Event") or "").lower() or None
    if event == "subscribe_scan":  # wechatpy's name for a follow through a code; it has cut the prefix off
        scene, event = True, "subscribe"
    elif event == "scan":
        scene = True
    latitude, longitude, label = _place(data)
    created = _text(data, "CreateTime")
    return Inbound(
        kind=kind[:40],
        openid=openid,
        account=account,
        key=_key(data, kind, openid, event),
        created_at=_moment(created),
        text=_text(data, "Content"),
        media_id=_text(data, "MediaId"),
        picture_url=_text(data, "PicUrl"),
        recognition=_text(data, "Recognition"),
        latitude=latitude,
        longitude=longitude,
        label=label,
        title=_text(data, "Title"),
        url=_text(data, "Url"),
        event=event,
        event_key=_text(data, "EventKey"),
        scanned=scene,
        scan_result=_inner(data, "ScanCodeInfo", "ScanResult"),
        message_id=_text(data, "MsgId") or _text(data, "MsgID"),
        status=_text(data, "Status"),
    )


def _text(data: Any, name: str) -> str | None:
    """The field as text; None when it is absent, empty, repeated or not text at all."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str):
        return None
    return value.strip() or None


def _inner(data: dict[str, Any], box: str, name: str) -> str | None:
    return _text(data.get(box), name)


def _degrees(value: str | None, limit: float) -> float | None:
    try:
        number = float(value) if value else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= limit else None


def _place(data: dict[str, Any]) -> tuple[float | None, float | None, str | None]:
    """(latitude, longitude, label). WeChat's X is the latitude. Both or neither; 0, 0 is a missing fix."""
    box = data.get("SendLocationInfo")
    source = box if isinstance(box, dict) else data
    latitude = _degrees(_text(source, "Location_X") or _text(source, "Latitude"), 90)
    longitude = _degrees(_text(source, "Location_Y") or _text(source, "Longitude"), 180)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        latitude = longitude = None
    return latitude, longitude, _text(source, "Label") or _text(source, "Poiname")


def _moment(created: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(created), UTC) if created else None
    except (ValueError, OverflowError, OSError):
        return None


def _digest(*parts: str | None) -> str:
    return hashlib.sha256("\0".join(part or "" for part in parts).encode()).hexdigest()[:16]


def _key(data: dict[str, Any], kind: str, openid: str, event: str | None) -> str:
    """The same for every delivery of one message.

    Messages have a MsgId. Events have none: sender, second, event and its key together, because two events
    can fall into one second. The sender takes part in both, so nobody is ever answered with another's reply.
    """
    who, created = _digest(openid), _text(data, "CreateTime") or ""
    message_id = _text(data, "MsgId")
    if kind != "event" and message_id:
        key = f"msg:{message_id}:{who}"
    elif kind == "event":
        detail = _text(data, "EventKey") or _text(data, "MsgID") or ""
        key = f"evt:{who}:{created}:{event}:{detail}"
    else:
        content = _text(data, "Content") or _text(data, "MediaId") or _text(data, "Location_X")
        key = f"msg:{who}:{created}:{_digest(kind, content)}"
    return key if len(key) <= KEY_LENGTH else f"{key[:100]}:{_digest(key)}"
