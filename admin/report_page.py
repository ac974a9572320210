"""One report on one screen: everything that is known, and the forms of what can be done."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import qrcode
from flask import render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from qrcode.image.svg import SvgPathImage

from admin import duplicates
from admin.answering import for_form, standing_of
from admin.clock_card import clock_card
from admin.guard import me, pages
from admin.inbox import choices
from admin.showing import history, line_of
from district import clock, links
from district.errors import NotFound
from district.notifications import service as notifications
from district.people import blocks
from district.reference import UnitRef, reference
from district.reports import guards, looking, precedents, queries, questions, sight
from district.reports import service as reports
from district.reports.models import HandBack, Photo, Report
from district.reports.states import OPEN, Action
from district.routing import choices as choices_of_rules
from district.routing.models import RoutingDecision
from district.routing.queries import latest_decision
from district.routing.rules import LOOKERS_ON
from district.work import unit_of_work

# The order in which buttons are offered: what moves the report on first.
_BUTTONS = (
    Action.UPHOLD_HAND_BACK, Action.REFUSE_HAND_BACK, Action.VERIFY, Action.REFUSE_VERIFICATION, Action.ACCEPT,
    Action.RESOLVE, Action.FINISH_PART, Action.GRANT_EXTENSION, Action.REFUSE_EXTENSION, Action.RESUME, Action.ASSIGN,
    Action.CALL_BACK, Action.REOPEN, Action.REPLY,
    Action.ASK, Action.COMMENT, Action.CHOOSE_STANDARD, Action.ASK_EXTENSION, Action.HAND_BACK, Action.SUSPEND,
    Action.ADD_CO, Action.REMOVE_CO, Action.SPLIT,
    Action.CORRECT, Action.REJECT, Action.WITHDRAW_QUESTION,
)  # fmt: skip
# What brings a report nearer to its end: the first of these stands out.
_FORWARD = frozenset(
    {
        Action.UPHOLD_HAND_BACK, Action.VERIFY, Action.ACCEPT, Action.RESOLVE, Action.ASSIGN, Action.REFUSE_HAND_BACK,
        Action.GRANT_EXTENSION, Action.RESUME, Action.CALL_BACK,
    }
)  # fmt: skip
# These need no words: one tap does them.
ONE_TAP = frozenset({Action.ACCEPT, Action.WITHDRAW_QUESTION})
# Reasons to choose from; the sentences are in the catalogue under `admin.reject`.
REJECT_REASONS = ("not_ours", "nothing_wrong", "unclear", "twice", "legal", "private")
# What a resident who is called back says.
CALL_ANSWERS = ("solved", "not_solved", "no_answer")
DELAY_PHRASES = ("parts", "weather", "approval", "frozen")
ASK_PHRASES = ("where", "photo", "when", "still")


@dataclass(frozen=True)
class Opened:
    """A form laid open on the page, with what was typed and what is wrong with it."""

    action: Action
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    photos: Sequence[Photo] = ()
    problem: str = ""
    is_possible: bool = True


@pages.get("/reports/<number>")
def report(number: str) -> ResponseReturnValue:
    found = visible(number)
    if looking.is_first_look(me(), found) and found.unit_id is not None:
        with unit_of_work():
            looking.note_first_look(found.id, found.unit_id)
        found = visible(number)
    return show(found)


@pages.get("/reports/<number>/do/<action>")
def form(number: str, action: str) -> ResponseReturnValue:
    """The form of an action: alone for the sheet, or on the whole page where there is no script."""
    found = visible(number)
    wanted = asked_action(action)
    opened = Opened(wanted, is_possible=wanted in guards.possible(me(), found))
    if request.headers.get("HX-Request"):
        return render_template("admin/_form.html", **_for_form(found, opened))
    return show(found, opened=opened)


@pages.get("/reports/<number>/print")
def print_report(number: str) -> ResponseReturnValue:
    """The work order (工单) on A4."""
    found = visible(number)
    decision = latest_decision(found.id)
    return render_template(
        "admin/print.html",
        report=found,
        lines=list(reversed(history(found.events))),
        decision=decision,
        may_read_contact=bool(found.contact_sealed) and sight.may_read_contact(me(), found),
        standards=standards_of(found),
        photos=queries.kept_photos(found),
        code=square_code(links.staff_report_page(found.number)),
        printed_at=clock.now(),
    )


def visible(number: str) -> Report:
    """The report with everything its page shows. Raises NotFound also for one this person may not see."""
    found = queries.whole_numbered(number)
    if found is None or not sight.may_see(me(), found):
        raise NotFound("errors.report_unknown")
    return found


def reachable(number: str) -> Report:
    """The report alone, for who does something to it. Raises NotFound also for one this person may not see."""
    found = reports.find(number)
    if not sight.may_see(me(), found):
        raise NotFound("errors.report_unknown")
    return found


def asked_action(name: str) -> Action:
    """The action an address names. Raises NotFound for any other word, and for what no person does."""
    if name not in {str(action) for action in _BUTTONS}:
        raise NotFound()
    return Action(name)


def show(
    found: Report,
    *,
    status: int = 200,
    opened: Opened | None = None,
    changes: Sequence[Any] = (),
    contact: str = "",
    block_trouble: str = "",
    merge_trouble: str = "",
) -> ResponseReturnValue:
    """The whole page, with a form laid open, a contact shown, or what others changed meanwhile.

    block_trouble, merge_trouble: what is wrong with the form that blocks the resident, or that merges the report.
    """
    now = clock.now()
    staff = me()
    seen = sight.sight_of(staff)
    can_do = guards.possible(staff, found)
    # Taking a question back stands beside the question.
    actions = [action for action in _BUTTONS if action in can_do and action is not Action.WITHDRAW_QUESTION]
    decision = latest_decision(found.id)
    hand_back = queries.pending_hand_back(found.id) if found.hand_back_pending else None
    shown: dict[str, Any] = {
        "actions": actions,
        "can_withdraw_question": Action.WITHDRAW_QUESTION in can_do,
        "changes": [line_of(event) for event in changes],
        "clock": clock_card(found),
        "contact": contact,
        "decision": decision,
        "forward": _FORWARD,
        "hand_back": hand_back,
        "lines": history(found.events),
        "may_read_contact": bool(found.contact_sealed) and sight.may_read_contact(staff, found),
        "messages": notifications.for_report(found.id),
        "now": now,
        "one_tap": ONE_TAP,
        "photos": {purpose: queries.kept_photos(found, purpose) for purpose in ("before", "after", "check")},
        "questions": questions.of_report(found.id),
        "record": queries.record_of(found, units=seen.units, areas=seen.areas),
        "held": blocks.held(found.resident_id) if found.resident_id else None,
        "times_blocked": blocks.count_of(found.resident_id) if found.resident_id else 0,
        "block_lengths": blocks.LENGTHS,
        "block_trouble": block_trouble,
        "merge_trouble": merge_trouble,
        "proposal": _proposal(found, decision) if Action.ASSIGN in can_do else None,
        "triage_help": choices_of_rules.help_with(found) if Action.ASSIGN in can_do else None,
        "report": found,
        "seen": found.events[-1].id if found.events else 0,
        "standards": standards_of(found),
        "standing": standing_of(found, staff),
        "urged": _urged(found),
        "waiting_photos": sum(photo.state == "waiting" for photo in found.photos),
    }
    shown |= duplicates.shown_with(found, staff, can_do)
    if opened is not None:
        shown |= _for_form(found, opened, hand_back)
    return render_template("admin/report.html", **shown), status


def _urged(found: Report) -> int:
    """How often residents have asked that it be hurried; 0 once it is done."""
    return sum(event.urges for event in found.events) if found.status in OPEN else 0


def standards_of(found: Report) -> tuple[Any, ...]:
    category = reference().categories_by_id.get(found.category_id) if found.category_id else None
    return category.standards if category else ()


def square_code(address: str) -> Markup:
    """A QR code as an SVG that scales with its box."""
    drawn = io.BytesIO()
    qrcode.make(address, image_factory=SvgPathImage, box_size=10, border=2).save(drawn)
    text = drawn.getvalue().decode()
    start = text.index("<svg")
    # The library's own text: addresses become squares, so nothing of them is in it.
    return Markup(text[start:].replace("<svg", '<svg class="square-code" role="img" aria-hidden="true"', 1))  # noqa: S704


def _for_form(found: Report, opened: Opened, hand_back: HandBack | None = None) -> dict[str, Any]:
    """What the forms' template needs."""
    if hand_back is None and found.hand_back_pending:
        hand_back = queries.pending_hand_back(found.id)
    proposed = _proposal(found, latest_decision(found.id)) if opened.action is Action.ASSIGN else None
    suggested, others = _units_to_choose(found, opened.action, hand_back)
    return for_form(found, opened.action) | {
        "clock": clock_card(found),
        "delay_phrases": DELAY_PHRASES,
        "hand_back": hand_back,
        "ask_phrases": ASK_PHRASES,
        "opened": opened,
        "proposed_id": str(proposed.id) if proposed else "",
        "others": others,
        "call_answers": CALL_ANSWERS,
        "reject_reasons": REJECT_REASONS,
        "majors": choices()["majors"] if opened.action in (Action.CORRECT, Action.SPLIT) else {},
        "report": found,
        "seen": found.events[-1].id if found.events else 0,
        "standards": standards_of(found),
        "suggested": suggested,
    }


def _proposal(found: Report, decision: RoutingDecision | None) -> UnitRef | None:
    """The unit the router proposes for a report that waits for a person."""
    if found.unit_id is not None or decision is None or decision.unit_id is None:
        return None
    unit = reference().units_by_id.get(decision.unit_id)
    return unit if unit is not None and _can_be_given_to(unit) else None


def _units_to_choose(
    found: Report, action: Action, hand_back: HandBack | None
) -> tuple[list[tuple[UnitRef, str]], list[UnitRef]]:
    """Units for the picker: likely ones first, each with why; then all others by code."""
    if action not in (Action.ASSIGN, Action.UPHOLD_HAND_BACK, Action.HAND_BACK, Action.ADD_CO):
        return [], []
    ref = reference()
    first: dict[int, tuple[UnitRef, str]] = {}

    def add(unit: UnitRef | None, why: str) -> None:
        if unit is not None and unit.id != found.unit_id and _can_be_given_to(unit):
            first.setdefault(unit.id, (unit, why))

    if hand_back is not None and hand_back.suggested_unit_id is not None:
        add(ref.units_by_id.get(hand_back.suggested_unit_id), "suggested")
    for match in precedents.like(found):
        add(ref.units_by_id.get(match.precedent.to_unit_id), "precedent")
    decision = latest_decision(found.id)
    if decision is not None:
        if decision.unit_id is not None:
            add(ref.units_by_id.get(decision.unit_id), "proposed")
        for step in decision.trace:
            add(ref.units_by_code.get(step.get("unit") or ""), "considered")
    if found.facility is not None and found.facility.maintainer_unit_id is not None:
        add(ref.units_by_id.get(found.facility.maintainer_unit_id), "maintainer")
    for unit in ref.units_by_id.values():
        if unit.kind in ("street", "township") and found.area_code and found.area_code in unit.area_codes:
            add(unit, "street")
    rest = [
        unit
        for unit in sorted(ref.units_by_id.values(), key=lambda unit: unit.code)
        if unit.id not in first and unit.id != found.unit_id and _can_be_given_to(unit)
    ]
    return list(first.values()), rest


def _can_be_given_to(unit: UnitRef) -> bool:
    return not unit.is_closed and unit.role not in LOOKERS_ON
