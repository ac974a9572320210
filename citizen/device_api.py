"""Alarms of devices, with a machine's key: one at a time, or a list from a gateway. Adds its addresses to the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from citizen import clients
from citizen.api import FILING_LIMIT, api, limited_by_key, moment
from citizen.failures import field_texts
from district.api_keys.models import Scope
from district.api_keys.service import Client, KeyRefused
from district.devices import filing
from district.devices import service as devices
from district.devices.service import Message, State, Taken
from district.errors import BadInput, DistrictError
from district.extensions import limiter
from district.messages import t
from district.work import unit_of_work

_WORDS = ("state", "alarm", "id", "message", "device")
_LONGEST = {"id": devices.LONGEST_CODE, "alarm": 40, "message": devices.LONGEST_MESSAGE, "device": devices.LONGEST_CODE}


@api.post("/devices/<device>/alarms")
@limiter.limit(FILING_LIMIT, exempt_when=clients.is_known)
@limited_by_key()
def device_alarms(device: str) -> Response:
    """What one device says: an object, or a list of up to a hundred in the order they happened."""
    client, body = _client(), _body()
    if isinstance(body, list):
        return _list(body, device, client)
    message = _read(body, device)
    with unit_of_work():
        taken = devices.take(message, client=client)
        answer = jsonify(_as_json(taken))
        # 201: a new alarm that is part of a report. 202: a new one that waits, or is only written down.
        answer.status_code = 200 if not taken.is_new else 201 if taken.alarm and taken.alarm.report_id else 202
    return answer


@api.post("/devices/alarms")
@limiter.limit(FILING_LIMIT, exempt_when=clients.is_known)
@limited_by_key()
def gateway_alarms() -> Response:
    """What the devices of a gateway say: a list, each with its `device`."""
    client, body = _client(), _body()
    if not isinstance(body, list):
        raise BadRequest
    return _list(body, "", client)


def _client() -> Client:
    """Raises KeyRefused and ScopeMissing."""
    found = clients.permitted(Scope.DEVICES_ALARM)
    if found is None:
        raise KeyRefused("apikeys.refused.missing")
    return found


def _body() -> dict[str, Any] | list[Any]:
    if not request.is_json:
        raise UnsupportedMediaType
    body = request.get_json(silent=True)
    if isinstance(body, dict) and isinstance(body.get("alarms"), list):
        body = body["alarms"]
    if not isinstance(body, dict | list):
        raise BadRequest
    if isinstance(body, list) and not 0 < len(body) <= devices.MOST_AT_ONCE:
        raise BadInput(fields={"alarms": "smart.error.many"}, most=devices.MOST_AT_ONCE)
    return body


def _list(body: list[Any], device: str, client: Client) -> Response:
    """Each entry by itself: one that is wrong says so in its place and holds up none of the others."""
    read: list[Message | BadInput] = []
    for entry in body:
        try:
            read.append(_read(entry, device))
        except BadInput as error:
            read.append(error)
    with unit_of_work():
        taken = iter(devices.take_all([one for one in read if isinstance(one, Message)], client=client))
        found = [one if isinstance(one, BadInput) else next(taken) for one in read]
        answers = [
            _as_json(one) if isinstance(one, Taken) else _refusal(one, _device_of(entry, device))
            for entry, one in zip(body, found, strict=True)
        ]
    return jsonify(alarms=answers)


def _read(entry: Any, device: str) -> Message:
    """One message, its shape checked. Raises BadInput naming each wrong field."""
    if not isinstance(entry, Mapping):
        raise BadInput(fields={"alarms": "smart.error.entry"})
    wrong: dict[str, str] = {}
    words = {name: _text(entry, name, wrong) for name in _WORDS}
    said = words["state"] or State.RAISED
    if said not in tuple(State):
        wrong["state"] = "smart.error.state"
    elif said != State.ALIVE and not words["alarm"] and "alarm" not in wrong:
        wrong["alarm"] = "smart.error.kind"
    # A device's own address says which it is; a list to it may repeat that, and not name another.
    name = device or words["device"]
    if not name or (words["device"] and words["device"] != name):
        wrong.setdefault("device", "smart.error.which")
    at = _at(entry.get("at"), wrong)
    value = entry.get("value")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | str)):
        wrong["value"] = "smart.error.value"
    if wrong:
        raise BadInput(fields=wrong)
    said_more = " ".join(part for part in (words["message"], "" if value is None else str(value)) if part)
    return Message(
        device=name, state=State(said), kind=words["alarm"], at=at, vendor_id=words["id"],
        words=" ".join(said_more.split())[: devices.LONGEST_MESSAGE],
    )  # fmt: skip


def _text(entry: Mapping[str, Any], name: str, wrong: dict[str, str]) -> str:
    value = entry.get(name)
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        # Platforms count in numbers; ours are words.
        value = str(value)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value or len(value) > _LONGEST.get(name, 40):
        wrong[name] = "smart.error.text"
        return ""
    return value.strip()


def _at(value: Any, wrong: dict[str, str]) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError
    except (TypeError, ValueError):
        wrong["at"] = "smart.error.at"
        return None
    return at


def _as_json(taken: Taken) -> dict[str, Any]:
    alarm = taken.alarm
    head = filing.reported(alarm) if alarm is not None else None
    return {
        "device": taken.message.device,
        "alarm": taken.message.kind or None,
        "state": str(taken.message.state),
        "report": head.number if head is not None else None,
        "joined": alarm is not None and alarm.how in ("joined", "flood"),
        "duplicate": taken.is_duplicate,
        "due_at": moment(alarm.due_at) if alarm is not None else None,
    }


def _refusal(error: DistrictError, device: str) -> dict[str, Any]:
    fields = field_texts(error) if isinstance(error, BadInput) else {}
    words = t(error.key, **error.params)
    return {"device": device, "error": {"code": error.code, "message": words, "fields": fields}}


def _device_of(entry: Any, device: str) -> str:
    named = entry.get("device") if isinstance(entry, Mapping) else None
    return device or (named if isinstance(named, str) else "")
