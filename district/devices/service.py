"""What devices say: alarms raised, repeated and cleared. None commits.

All messages of one unit's devices are taken one after the other (`hold`), so that the same alarm delivered twice at
once is one alarm, and a cabinet's flood is counted whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, text

from district import clock, work
from district.api_keys.service import Client
from district.devices import filing
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.devices.queries import has_lasted
from district.errors import BadInput, DistrictError, NotFound
from district.extensions import db
from district.reference import reference

# Clocks of devices are a little wrong; what is further ahead is not a time.
AHEAD = timedelta(minutes=5)
# A gateway that was without a network sends what it kept; what is older is history.
OLDEST = timedelta(days=7)
# An open alarm whose report was turned down, and that was not said for so long, is over although nobody said so.
FORGOTTEN = timedelta(days=1)
DEFAULT_FLAP_MINUTES = 10
DEFAULT_AGAIN_MINUTES = 30
SEEN_EVERY = timedelta(minutes=1)
MOST_AT_ONCE = 100
LONGEST_CODE = 80
LONGEST_MESSAGE = 300
# PostgreSQL: a lock's name has two parts, this and the unit.
_DEVICES_OF = 7_300_420


class State(StrEnum):
    """What a message says of its alarm; `alive` says only that the device is there."""

    RAISED = "raised"
    CLEARED = "cleared"
    ALIVE = "alive"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. kind: empty for `alive`. at: the device's own time, None for now. vendor_id: empty for none."""

    device: str
    state: State
    kind: str = ""
    at: datetime | None = None
    vendor_id: str = ""
    words: str = ""


@dataclass(frozen=True)
class Taken:
    """What became of a message. alarm: the row, None where there is none. is_new: it opened an alarm.

    is_duplicate: it changed nothing that matters: known already, open already, or older than what is known.
    """

    message: Message
    alarm: DeviceAlarm | None = None
    is_new: bool = False
    is_duplicate: bool = False


def take_all(messages: Sequence[Message], *, client: Client) -> list[Taken | DistrictError]:
    """Take messages in their order; what is wrong with one stops none of the others."""
    hold(client.unit_id)
    found: list[Taken | DistrictError] = []
    urgent: list[DeviceAlarm] = []
    for message in messages:
        try:
            taken = _take(message, client)
        except (NotFound, BadInput) as error:
            found.append(error)
            continue
        found.append(taken)
        # What can wait is gathered by the job, a cabinet at a time.
        if taken.alarm is not None and taken.alarm.due_at is not None and taken.alarm.kind.is_critical:
            urgent.append(taken.alarm)
    for parcel in filing.parcels(urgent):
        filing.report(parcel)
    return found


def take(message: Message, *, client: Client) -> Taken:
    """Take one message. Raises NotFound for a device that is not this unit's, BadInput."""
    (found,) = take_all([message], client=client)
    if isinstance(found, DistrictError):
        raise found
    return found


def hold(unit_id: int) -> None:
    """Nobody else takes or reports alarms of this unit's devices until the commit. On SQLite nobody does anyway."""
    if work.connection().dialect.name == "postgresql":
        db.session.execute(
            text("select pg_advisory_xact_lock(:kind, :unit)"), {"kind": _DEVICES_OF, "unit": unit_id}
        )  # fmt: skip


def setting_minutes(name: str, default: int) -> timedelta:
    return timedelta(minutes=int(reference().setting(f"devices.{name}", default)))


def kind_for(code: str, type_code: str) -> DeviceAlarmKind | None:
    """What an alarm is on facilities of this type: the row for the type, else the one for all."""
    rows = db.session.scalars(
        select(DeviceAlarmKind).where(
            DeviceAlarmKind.code == code,
            DeviceAlarmKind.facility_type_code.in_((type_code, "*")),
            DeviceAlarmKind.retired_at.is_(None),
        )
    ).all()
    return max(rows, key=lambda row: row.facility_type_code != "*", default=None)


def _take(message: Message, client: Client) -> Taken:
    now = clock.now()
    device = db.session.scalar(
        select(Device).where(
            Device.unit_id == client.unit_id, Device.code == message.device, Device.retired_at.is_(None)
        )
    )
    if device is None:
        raise NotFound("smart.error.unknown")
    kind = None
    if message.state is not State.ALIVE:
        kind = kind_for(message.kind, device.facility.type.code)
        if kind is None:
            raise BadInput(fields={"alarm": "smart.error.kind"})
    at = _moment(message.at, now)
    if device.last_seen_at is None or now - device.last_seen_at >= SEEN_EVERY:
        device.last_seen_at = now
    if kind is None:
        return Taken(message)
    if message.state is State.CLEARED:
        return _clear(message, device, kind, at, client)
    return _raise(message, device, kind, at, client)


def _moment(at: datetime | None, now: datetime) -> datetime:
    if at is None:
        return now
    if at > now + AHEAD:
        raise BadInput(fields={"at": "smart.error.future"})
    if at < now - OLDEST:
        raise BadInput(fields={"at": "smart.error.old"})
    return min(at, now)


def _raise(message: Message, device: Device, kind: DeviceAlarmKind, at: datetime, client: Client) -> Taken:
    known, latest = _known(message, device, kind), _latest(device, kind)
    if known is not None and (message.at is None or known.cleared_at is None or at <= known.cleared_at):
        if known.cleared_at == known.raised_at and at < known.raised_at:
            # Its clearing came first; now it is known when it began.
            known.raised_at, known.message = at, message.words
        return Taken(message, known, is_duplicate=True)
    if latest is not None and latest.cleared_at is None and _is_left_over(latest, kind, at):
        latest.cleared_at = latest.last_at
        db.session.flush()
    if latest is not None and latest.cleared_at is None:
        if at > latest.last_at:
            latest.repeats += 1
            latest.last_at = at
            latest.message = message.words or latest.message
        return Taken(message, latest, is_duplicate=True)
    if latest is not None and latest.cleared_at is not None:
        if message.at is not None and at <= latest.cleared_at:
            # On its way longer than the news that it is over.
            return Taken(message, latest, is_duplicate=True)
        if at - latest.cleared_at <= setting_minutes("flap_minutes", DEFAULT_FLAP_MINUTES) and not filing.is_over(
            latest
        ):
            return Taken(message, _back(latest, kind, at, message.words))
    alarm = DeviceAlarm(
        device_id=device.id, kind_id=kind.id, client_id=client.id, raised_at=at, last_at=at, message=message.words,
        vendor_id=message.vendor_id if message.vendor_id and known is None else None, repeats=0, again=0, how="",
    )  # fmt: skip
    if kind.category_code:
        alarm.due_at = at + timedelta(seconds=kind.wait_s)
        closed_at = filing.closed_at(latest)
        if closed_at is not None and not kind.is_critical:
            # Just done, and it still stammers: the crew may be standing there.
            alarm.due_at = max(alarm.due_at, closed_at + _again())
    db.session.add(alarm)
    db.session.flush()
    return Taken(message, alarm, is_new=True)


def _is_left_over(alarm: DeviceAlarm, kind: DeviceAlarmKind, at: datetime) -> bool:
    """Whether an open alarm is an old one that nobody has cleared, and what is said now is another.

    Many devices never say that it is over. Once its report is closed, what they go on saying is a new trouble; a
    report that ended otherwise was looked at by somebody, who need not hear of it again while it goes on.
    """
    if not filing.is_over(alarm):
        return False
    closed_at = filing.closed_at(alarm)
    if closed_at is None:
        return at - alarm.last_at > FORGOTTEN
    return at > closed_at + (timedelta() if kind.is_critical else _again())


def _again() -> timedelta:
    return setting_minutes("again_minutes", DEFAULT_AGAIN_MINUTES)


def _back(alarm: DeviceAlarm, kind: DeviceAlarmKind, at: datetime, words: str) -> DeviceAlarm:
    """It was gone for a moment only: the same trouble, and not another one."""
    alarm.cleared_at, alarm.last_at = None, at
    alarm.again += 1
    alarm.message = words or alarm.message
    if alarm.report_id is not None:
        filing.note_back(alarm)
    elif kind.category_code:
        # Counted from the first time: what comes and goes for longer than the wait is a trouble of its own.
        alarm.due_at = max(at, alarm.raised_at + timedelta(seconds=kind.wait_s))
    db.session.flush()
    return alarm


def _clear(message: Message, device: Device, kind: DeviceAlarmKind, at: datetime, client: Client) -> Taken:
    known = _known(message, device, kind)
    alarm = known or _latest(device, kind)
    if message.vendor_id and known is None and (alarm is None or alarm.cleared_at is not None):
        return Taken(message, _cleared_first(message, device, kind, at, client))
    if alarm is None or alarm.cleared_at is not None or at < alarm.raised_at:
        return Taken(message, alarm, is_duplicate=True)
    alarm.cleared_at, alarm.due_at = at, None
    alarm.last_at = max(alarm.last_at, at)
    db.session.flush()
    if alarm.report_id is not None:
        filing.note_cleared(alarm)
    return Taken(message, alarm)


def _cleared_first(
    message: Message, device: Device, kind: DeviceAlarmKind, at: datetime, client: Client
) -> DeviceAlarm:
    """An alarm of which only the end is known yet: when its beginning comes, it is not raised."""
    alarm = DeviceAlarm(
        device_id=device.id, kind_id=kind.id, client_id=client.id, vendor_id=message.vendor_id, raised_at=at,
        cleared_at=at, last_at=at, repeats=0, again=0, how="", message=message.words,
    )  # fmt: skip
    db.session.add(alarm)
    db.session.flush()
    return alarm


def _known(message: Message, device: Device, kind: DeviceAlarmKind) -> DeviceAlarm | None:
    """The alarm that has the platform's number already."""
    if not message.vendor_id:
        return None
    return db.session.scalar(
        select(DeviceAlarm).where(
            DeviceAlarm.device_id == device.id,
            DeviceAlarm.vendor_id == message.vendor_id,
            DeviceAlarm.kind_id == kind.id,
        )
    )


def _latest(device: Device, kind: DeviceAlarmKind) -> DeviceAlarm | None:
    return db.session.scalar(
        select(DeviceAlarm)
        .where(DeviceAlarm.device_id == device.id, DeviceAlarm.kind_id == kind.id, has_lasted())
        .order_by(DeviceAlarm.id.desc())
        .limit(1)
    )
