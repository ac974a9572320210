"""What a report shows to whom: everything to the holder of its key, a careful part to everybody else.

Everybody may see a report's status, unit, category, street and the steps it took. The words, the pictures, the
exact place, the contact and what staff wrote are for the holder of the key alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, current_app

from district import clock
from district.frame.files import map_version
from district.messages import ENGLISH, has, language, t
from district.reference import CategoryRef, UnitRef, reference
from district.reports import similar
from district.reports.guards import KEY_HOLDER, possible
from district.reports.models import EventKind, Photo, Report, ReportEvent
from district.reports.queries import by_numbers, kept_photos, public_events
from district.reports.similar import Similar, Thing
from district.reports.states import PLAIN, WITH_UNIT, Action, PlainStatus, Status
from district.understanding import understand

# Only these are everybody's business; praise, complaints and tips stay between the resident and the district.
PUBLIC_INTENTS = frozenset({"report", "emergency"})
PRIVATE_STATUSES = frozenset({Status.REJECTED, Status.WITHDRAWN})
# Words of these steps are meant for the resident; the others' notes are staff's own.
SPEAKING = frozenset(
    {EventKind.RESOLVED, EventKind.REJECTED, EventKind.COMMENTED, EventKind.REOPENED, EventKind.RATED,
     EventKind.VERIFICATION_REFUSED, EventKind.ASKED, EventKind.ANSWERED, EventKind.ANNOUNCED,
     EventKind.REPLIED}
)  # fmt: skip
FOR_ALL_WHO_REPORTED = frozenset({EventKind.RESOLVED, EventKind.REJECTED, EventKind.ANNOUNCED})
# Cells of about 65 m: a report on the public map is somewhere in its cell.
CELL = (0.0006, 0.0009)
RATING_REASONS = ("slow", "not_fixed", "rework", "attitude", "other")
PINS = {
    PlainStatus.RECEIVED: "open",
    PlainStatus.WITH_UNIT: "working",
    PlainStatus.BEING_HANDLED: "working",
    PlainStatus.SOLVED: "solved",
    PlainStatus.NOT_ACCEPTED: "refused",
}


@dataclass(frozen=True)
class PlainState:
    """A status in the residents' words. place: 0 received, 1 with the unit, 2 being handled, 3 solved."""

    word: PlainStatus
    text: str

    @property
    def place(self) -> int:
        order = [PlainStatus.RECEIVED, PlainStatus.WITH_UNIT, PlainStatus.BEING_HANDLED, PlainStatus.SOLVED]
        return order.index(self.word) if self.word in order else 0

    @property
    def pin(self) -> str:
        return PINS[self.word]


@dataclass(frozen=True)
class Step:
    """One line of the history in plain words. note: empty unless the reader holds the key."""

    at: datetime
    kind: str
    text: str
    unit: UnitRef | None
    note: str
    by: str
    solved: bool | None = None
    stars: int | None = None


def register(app: Flask) -> None:
    """Give templates the words of this module."""
    app.add_template_filter(moment_text, "moment")
    app.add_template_global(district_text, "district_text")
    app.add_template_global(district_setting, "district_setting")
    app.add_template_global(map_version, "map_version")


def joined(report: Report) -> Report:
    """The report itself, or the one it was merged into."""
    for _ in range(5):
        if report.status != Status.MERGED or report.parent is None:
            return report
        report = report.parent
    return report


def plain_state(report: Report) -> PlainState:
    """The status in the five words residents read."""
    shown = joined(report)
    word = PLAIN[Status(shown.status)]
    unit = unit_of(shown)
    return PlainState(word, t(f"status.plain.{word}", unit=unit.name if unit else ""))


def is_public(report: Report) -> bool:
    """Whether anybody without the key may see anything of it."""
    return report.intent in PUBLIC_INTENTS and Status(report.status) not in PRIVATE_STATUSES


def unit_of(report: Report) -> UnitRef | None:
    return reference().units_by_id.get(report.unit_id) if report.unit_id else None


def category_of(report: Report) -> CategoryRef | None:
    return reference().categories_by_id.get(report.category_id) if report.category_id else None


def category_name(category: CategoryRef | None) -> str:
    """The category in the reader's language."""
    if category is None:
        return t("citizen.report.no_category")
    if language() == ENGLISH and category.name_en:
        return category.name_en.replace("_", " ").capitalize()
    return category.name


def type_name_of(type_id: int) -> str:
    """A kind of facility in the reader's language."""
    kind = reference().facility_types_by_id.get(type_id)
    if kind is None:
        return ""
    if language() == ENGLISH and kind.name_en:
        return kind.name_en.replace("_", " ").capitalize()
    return kind.name


def area_name(report: Report) -> str:
    """The street and community a report lies in, the most that everybody may know of its place."""
    areas = reference().areas_by_code
    names = [areas[code].name for code in (report.area_code, report.community_code) if code in areas]
    return " ".join(names)


def reason_text(report: Report) -> str:
    """Why this unit, or why not accepted, in one sentence; empty when there is nothing to say yet."""
    if report.status == Status.REJECTED:
        return report.reject_reason or ""
    key = str((report.reason or {}).get("key", ""))
    return t(key, **report.reason.get("params", {})) if key and has(key) else ""


def steps(report: Report, *, private: bool) -> list[Step]:
    """The history in plain words, oldest first: its own, then what the report it joined went through since."""
    units = reference().units_by_id
    own = public_events(report)
    found = [_step(event, units, private) for event in own]
    shown = joined(report)
    if shown is not report:
        since = max((event.at for event in own if event.kind == EventKind.MERGED), default=report.submitted_at)
        later = [event for event in public_events(shown) if event.at >= since and event.kind != EventKind.SUPPORTED]
        # What its own resident said is not for others to read; what the unit says to all is.
        found += [_step(event, units, private and event.kind in FOR_ALL_WHO_REPORTED) for event in later]
    return found


def _step(event: ReportEvent, units: Mapping[int, UnitRef], private: bool) -> Step:
    unit = units.get(event.unit_id) if event.unit_id else None
    key = f"citizen.event.{event.told_as}"
    return Step(
        at=event.at,
        kind=event.kind,
        text=t(key if has(key) else f"status.event.{event.kind}", unit=unit.name if unit else ""),
        unit=unit,
        note=event.note if private and event.kind in SPEAKING else "",
        by=event.actor,
        solved=event.data.get("solved") if event.kind == EventKind.RATED and private else None,
        stars=event.data.get("stars") if event.kind == EventKind.RATED and private else None,
    )


def pictures_for(report: Report, *purposes: str) -> list[Photo]:
    """What the report's own resident may see: not what followers added for whoever handles it."""
    return [one for one in kept_photos(report, *purposes) if one.resident_id in (None, report.resident_id)]


def similar_to(thing: Thing) -> list[tuple[Similar, Report]]:
    """Open reports that everybody may see, perhaps about the same thing: likeliest first, each with its score."""
    found = similar.find(thing, reference(), now=clock.now())
    by_number = {report.number: report for report in by_numbers([one.number for one in found])}
    pairs = [(one, by_number[one.number]) for one in found if one.number in by_number]
    return [(one, report) for one, report in pairs if is_public(report)]


def reopen_days() -> int:
    return int(reference().setting("limits.reopen_days", 15))


def buttons(report: Report) -> set[str]:
    """What the holder of the key can do now."""
    able = {str(action) for action in possible(KEY_HOLDER, report)}
    if Action.REOPEN in able:
        late = report.closed_at is None or clock.now() - report.closed_at > timedelta(days=reopen_days())
        if late:
            able.discard(Action.REOPEN)
    if report.rated_at is not None:
        able.discard(Action.RATE)
    return able


def is_late(report: Report) -> bool:
    """Whether the unit's time has run out."""
    return (
        Status(report.status) in WITH_UNIT
        and report.handling_due_at is not None
        and report.handling_due_at < clock.now()
        and report.clock_paused_at is None
    )


def rough_place(report: Report) -> tuple[float, float] | None:
    """The place for everybody: the middle of its cell, moved a little so that pins do not hide one another.

    The move depends on the report alone, never on where in the cell it lies: asking often tells nothing more.
    """
    if report.latitude is None or report.longitude is None:
        return None
    digest = hashlib.sha256(f"{current_app.config['SECRET_KEY']}:{report.id}".encode()).digest()
    moved = [(digest[i] / 255 - 0.5) * 0.6 for i in (0, 1)]
    return (
        round((report.latitude // CELL[0] + 0.5 + moved[0]) * CELL[0], 6),
        round((report.longitude // CELL[1] + 0.5 + moved[1]) * CELL[1], 6),
    )


def emergency_line(report: Report) -> tuple[str, str] | None:
    """(name, telephone) of the line to call at once, when the report's words mean danger."""
    danger = understand(report.description, reference()).danger
    return next(((name, phone) for code, name, phone in emergency_lines() if code == danger), None)


def emergency_numbers() -> list[tuple[str, str, str]]:
    """Each name and number once: several dangers may have the same line."""
    return list({(name, phone): (code, name, phone) for code, name, phone in emergency_lines()}.values())


def emergency_lines() -> list[tuple[str, str, str]]:
    """(code, name, telephone) of every line to call when there is danger: national ones, then the units' own."""
    units = reference().units_by_code
    lines = []
    for line in district_setting("emergency") or []:
        unit = units.get(line.get("unit", ""))
        phone = line.get("phone") or ((unit.emergency_phone or unit.phone) if unit else "")
        names = line.get("name", {})
        if phone:
            name = names.get(language()) or next(iter(names.values()), phone)
            lines.append((str(line.get("code", "")), str(name), str(phone)))
    return lines


def moment_text(moment: datetime | None, style: str = "minute") -> str:
    """A moment in the district's zone as people say it; style `day` leaves out the hour."""
    if moment is None:
        return ""
    zone = ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])
    local, now = moment.astimezone(zone), clock.now().astimezone(zone)
    key = "day" if style == "day" else "minute"
    if local.year != now.year:
        key += "_year"
    return t(
        f"citizen.time.{key}",
        year=local.year,
        month=local.month,
        month_name=t(f"citizen.time.month_{local.month}"),
        day=local.day,
        hour=f"{local.hour:02d}",
        minute=f"{local.minute:02d}",
    )


def district_setting(path: str, default: Any = None) -> Any:
    """A value of the district's settings by its dotted path."""
    return reference().setting(path, default)


def district_text(path: str, default_key: str = "") -> str:
    """A text of the district's settings in the reader's language."""
    value = district_setting(path)
    if isinstance(value, Mapping):
        return str(value.get(language()) or next(iter(value.values()), ""))
    return str(value) if value else t(default_key) if default_key else ""
