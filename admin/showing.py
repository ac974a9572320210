"""How things look in the panel: clocks, times, names, history lines. Reads only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import current_app, request
from markupsafe import Markup

from admin.guard import pages
from district import clock, sealed
from district.categories.models import LimitUnit
from district.frame.http import asset
from district.messages import CHINESE, has, language, t
from district.notifications.models import Delivery, Notification
from district.reference import reference
from district.reports import hand_backs
from district.reports.clocks import Tone, deadline_state
from district.reports.models import Report, ReportEvent
from district.reports.naming import area_name as area_name
from district.reports.naming import category_name as category_name
from district.reports.naming import place_words as place_words
from district.reports.naming import unit_name as unit_name
from district.routing import story
from district.routing.models import RoutingDecision

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# What the outbox writes when no way to the resident was open.
NO_CHANNEL = "no channel"


@dataclass(frozen=True)
class Clock:
    """What a countdown chip shows. tone: calm, soon, pressing, late, paused, done, done_late.

    started, due: between them the clock runs; both None when nothing runs. ticks: it runs day and night, so that the
    chip in the page can count on by itself.
    """

    tone: str
    text: str
    started: datetime | None = None
    due: datetime | None = None
    ticks: bool = False


_TONES = {
    Tone.GREEN: "calm", Tone.YELLOW: "soon", Tone.RED: "pressing", Tone.OVERDUE: "late", Tone.PAUSED: "paused",
    Tone.DONE: "done", Tone.DONE_LATE: "done_late",
}  # fmt: skip


def clock_of(report: Report, now: datetime | None = None) -> Clock | None:
    """The clock that matters for this report now; None when it has none."""
    state = deadline_state(report, now or clock.now())
    if state is None:
        return None
    return Clock(_TONES[state.tone], state.words, state.started, state.due, state.unit is LimitUnit.HOURS)


def span(length: timedelta) -> str:
    """A length of time in one unit: minutes under an hour, hours under two days, then days."""
    if length < _HOUR:
        return t("admin.span.minutes", n=max(1, length // _MINUTE))
    if length < 2 * _DAY:
        return t("admin.span.hours", n=length // _HOUR)
    return t("admin.span.days", n=length // _DAY)


def zone() -> ZoneInfo:
    return ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])


def moment(value: datetime | None, *, seconds: bool = False) -> Markup:
    """A time as staff read it, `11-22 14:30` in the district's zone, with the year when it is another one."""
    if value is None:
        return Markup("")
    local = value.astimezone(zone())
    pattern = "%m-%d %H:%M:%S" if seconds else "%m-%d %H:%M"
    if local.year != clock.now().astimezone(zone()).year:
        pattern = "%Y-" + pattern
    exact = local.isoformat(timespec="seconds")
    return Markup('<time datetime="{}" class="number">{}</time>').format(exact, f"{local:{pattern}}")


def clock_face(value: datetime) -> str:
    """A time inside a sentence, `11-22 14:30` in the district's zone."""
    return f"{value.astimezone(zone()):%m-%d %H:%M}"


def ago(value: datetime | None) -> str:
    """How long ago, in words; a date when it is more than a week."""
    if value is None:
        return ""
    passed = clock.now() - value
    if passed < _MINUTE:
        return t("admin.ago.now")
    if passed < 7 * _DAY:
        return t("admin.ago.span", span=span(passed))
    return f"{value.astimezone(zone()):%Y-%m-%d}"


def local(text: Any) -> str:
    """A text of district.toml in the reader's language; it may also be written in one language only."""
    if isinstance(text, dict):
        return str(text.get(language()) or text.get(CHINESE) or "")
    return str(text or "")


def unit_of_code(code: str | None) -> str:
    unit = reference().units_by_code.get(code or "")
    return unit.name if unit else (code or "")


def sentence(reason: dict[str, Any] | None) -> str:
    """A stored `{key, params}` in the reader's language."""
    if not reason or not has(str(reason.get("key", ""))):
        return ""
    return t(str(reason["key"]), **{str(name): value for name, value in (reason.get("params") or {}).items()})


@dataclass(frozen=True)
class Step:
    """One line of the routing's story. note: what the rule's author wrote beside it."""

    outcome: str
    text: str
    note: str


def routing_steps(decision: RoutingDecision) -> list[Step]:
    """Every rule that was considered, in order, and what became of it."""
    notes = {rule.code: rule.note for rule in reference().rules}
    return [
        Step(entry["outcome"], text, notes.get(entry.get("rule") or "", ""))
        for entry, text in zip(decision.trace, story.tell(decision.trace), strict=True)
    ]


def routing_inputs(decision: RoutingDecision) -> list[tuple[str, str]]:
    """What the router looked at, as (what, value)."""
    found = []
    for name, value in decision.inputs.items():
        words = _input_words(name, value)
        if words:
            key = f"admin.route.input.{name.replace('.', '_')}"
            found.append((t(key) if has(key) else name, words))
    return found


def _input_words(name: str, value: Any) -> str:
    ref = reference()
    if isinstance(value, bool):
        return t("admin.yes" if value else "admin.no")
    if value in (None, "", []):
        return ""
    if name == "candidates":
        return t("admin.between").join(
            f"{category_name(ref.categories_by_code[code])} {round(sure * 100)}%"
            for code, sure in value
            if code in ref.categories_by_code
        )
    if name == "other_units":
        return t("admin.between").join(
            f"{unit_of_code(code)} ({t(f'status.unit_role.{role}')})" for code, role in value
        )
    if name == "category" and value in ref.categories_by_code:
        return f"{category_name(ref.categories_by_code[value])} ({value})"
    if name in ("facility.type", "category.facility_type") and value in ref.facility_types_by_code:
        return f"{category_name(ref.facility_types_by_code[value])} ({value})"
    if name in ("facility.maintainer_unit", "facility.owner_unit", "compound.property"):
        return unit_of_code(value)
    if name == "area":
        return area_name(value) or str(value)
    if name in ("urgency", "category.urgency"):
        return t(f"status.urgency.{value}")
    key = f"admin.route.value.{value}"
    return t(key) if has(key) else str(value)


def failure_words(message: Notification) -> str:
    """Why a message was not delivered, in words where we have some, with WeChat's own number."""
    if message.delivery == Delivery.SENT or not message.last_error or message.last_error == NO_CHANNEL:
        return ""
    code = re.match(r"-?\d+|no answer", message.last_error)
    if code is None:
        return message.last_error
    key = f"admin.wechat.e{code[0].replace('-', 'minus').replace(' ', '_')}"
    return t("admin.wechat.known", why=t(key), code=code[0]) if has(key) else message.last_error


def limit_words(value: int, unit: str) -> str:
    return t(f"admin.limit.{unit}", n=value)


@dataclass(frozen=True)
class Line:
    """One line of a report's history."""

    event: ReportEvent
    what: str
    who: str
    details: tuple[str, ...]


def history(events: Sequence[ReportEvent]) -> list[Line]:
    """A report's history as sentences, newest first."""
    return [line_of(event) for event in reversed(events)]


def line_of(event: ReportEvent) -> Line:
    unit = event.unit.name if event.unit else ""
    if event.staff is not None:
        who = t("admin.history.staff", name=event.staff.name, unit=event.staff.unit.name)
    else:
        who = t(f"admin.history.{event.actor}")
    return Line(event, t(f"status.event.{event.told_as}", unit=unit), who, tuple(_details(event)))


def _details(event: ReportEvent) -> list[str]:
    data = event.data or {}
    found: list[str] = []
    if data.get("rule"):
        found.append(t("admin.history.rule", rule=data["rule"]))
    if data.get("proposed_unit_id"):
        found.append(t("admin.history.proposed", unit=unit_name(data["proposed_unit_id"])))
    if data.get("source"):
        found.append(t(f"status.source.{data['source']}"))
    if data.get("called"):
        found.append(t("admin.call_back.no_answer"))
    if "solved" in data:
        found.append(t("admin.history.solved" if data["solved"] else "admin.history.not_solved"))
    if data.get("stars"):
        found.append(t("admin.history.stars", n=data["stars"]))
    if data.get("category"):
        category = reference().categories_by_code.get(str(data["category"]))
        found.append(t("admin.history.category", category=category_name(category)))
    if data.get("place"):
        found.append(t("admin.history.place", area=area_name(str(data["place"]))))
    if data.get("address"):
        found.append(t("admin.history.address"))
    if "metres" in data:
        found.append(t("reportpage.spot.far" if data.get("far") else "reportpage.spot.at", n=data["metres"]))
    return found + _about_responsibility(data) + clock_details(data) + _about_merging(data) + _about_devices(data)


def _about_merging(data: dict[str, Any]) -> list[str]:
    found = [str(data[name]) for name in ("into", "from", "joined") if isinstance(data.get(name), str)]
    if data.get("how"):
        found.append(t(f"incidents.by_{data['how']}"))
    return found


def _about_devices(data: dict[str, Any]) -> list[str]:
    if not data.get("alarm"):
        return []
    found = [local(data["alarm"])]
    if data.get("cabinet"):
        found.append(t("smart.history.cabinet", cabinet=data["cabinet"]))
    if data.get("devices", 1) > 1:
        found.append(t("smart.history.devices", n=data["devices"]))
    if data.get("came_back"):
        found.append(t("smart.history.came_back"))
    return found


def _about_responsibility(data: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if data.get("reason_code") and hand_backs.reason_words(data["reason_code"]):
        found.append(hand_backs.reason_words(data["reason_code"]))
    if data.get("late"):
        found.append(t("handback.history.late"))
    if data.get("repeated"):
        found.append(t("handback.history.repeated"))
    if data.get("told"):
        found.append(t("handback.history.told", role=t(f"status.role.{data['told']}")))
    if data.get("again"):
        found.append(t("handback.history.again"))
    if data.get("first_taker"):
        found.append(t("handback.history.first_taker"))
    if data.get("open_parts"):
        names = t("admin.between").join(unit_name(unit_id) for unit_id in data["open_parts"])
        found.append(t("handback.history.open_parts", units=names))
    if data.get("refused_unit_id"):
        found.append(t("handback.history.refused_unit", unit=unit_name(data["refused_unit_id"])))
    if "facility" in data:
        code = data["facility"]
        found.append(t("handback.history.facility", code=code) if code else t("handback.history.no_facility"))
    return found


def clock_details(data: dict[str, Any]) -> list[str]:
    """What a line of the history says about a clock: reminders, conditions, deadlines before and after."""
    found: list[str] = []
    if data.get("what"):
        if data.get("clock") == "dispatch":
            found.append(t("deadlines.step.dispatch"))
        found.append(t(f"deadlines.step.{data['what']}"))
        if data.get("passed"):
            passed = t("admin.between").join(t(f"deadlines.stage.{step}") for step in data["passed"])
            found.append(t("deadlines.step.passed", steps=passed))
    if "standard" in data:
        found.append(
            t("deadlines.history.standard", condition=data["standard"]) if data["standard"]
            else t("deadlines.history.general")
        )  # fmt: skip
    limits = [limit_words(*data[name]) for name in ("limit_before", "limit") if data.get(name)]
    if len(limits) == 2 and limits[0] != limits[1]:
        found.append(t("deadlines.history.limit", before=limits[0], after=limits[1]))
    due, before = _face(data.get("due")), _face(data.get("due_before"))
    if due and before and due != before:
        found.append(t("deadlines.history.due", before=before, after=due))
    elif due and not before:
        found.append(t("deadlines.history.new_due", after=due))
    if data.get("more"):
        found.append(t("deadlines.history.more", more=limit_words(*data["more"])))
    if data.get("until"):
        found.append(t("deadlines.history.until", until=_face(data["until"])))
    return found


def _face(stored: str | None) -> str:
    """A stored moment (ISO 8601) as staff read it: `2026-11-22 14:30`."""
    return f"{datetime.fromisoformat(stored).astimezone(zone()):%Y-%m-%d %H:%M}" if stored else ""


def masked_contact(report: Report) -> str:
    return sealed.masked(sealed.open_sealed(report.contact_sealed))


def drawn_icon(name: str, look: str = "") -> Markup:
    """The icon of this name from our own sheet. look: more classes for its style."""
    return _drawn_icon(asset("shared/icons.svg"), name, look)


@lru_cache(maxsize=1024)
def _drawn_icon(sheet: str, name: str, look: str) -> Markup:
    return Markup('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>').format(look, sheet, name)


def other_language() -> str:
    """This page's address in the other language; the inbox for pages that only answer to a form."""
    arguments = request.args.to_dict(flat=False) if request.method == "GET" else {}
    arguments["lang"] = ["en" if language() == CHINESE else CHINESE]
    return f"{request.path}?{urlencode(arguments, doseq=True)}"


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    from admin.guard import can, me

    return {
        "ago": ago,
        "area_name": area_name,
        "can": can,
        "category_name": category_name,
        "clock_face": clock_face,
        "clock_of": clock_of,
        "drawn_icon": drawn_icon,
        "failure_words": failure_words,
        "has": has,
        "hand_back_reason": hand_backs.reason_words,
        "limit_words": limit_words,
        "local": local,
        "masked_contact": masked_contact,
        "me": me,
        "moment": moment,
        "other_language": other_language,
        "place_words": place_words,
        "reference": reference,
        "routing_inputs": routing_inputs,
        "routing_steps": routing_steps,
        "routing_story": lambda decision: story.short(decision.trace, decision.inputs),
        "sentence": sentence,
        "unit_name": unit_name,
        "unit_of_code": unit_of_code,
        "zone": zone,
    }
