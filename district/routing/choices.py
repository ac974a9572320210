"""What a dispatcher can settle with one tap: the likeliest categories with the unit that each would give."""

from __future__ import annotations

from dataclasses import dataclass

from district.errors import BadInput
from district.learning import habits
from district.people.models import Staff
from district.reference import CategoryRef, UnitRef, reference
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import WAITING_FOR_DISPATCH, Status
from district.routing.rules import AUTO, LOOKERS_ON, REPLY_ONLY, Decision
from district.routing.service import if_it_were
from district.understanding import understand


@dataclass(frozen=True, slots=True)
class Choice:
    """A category the report may be about. confidence: 0..1. unit: whom the rules give it to, None for nobody."""

    category: CategoryRef
    confidence: float
    unit: UnitRef | None
    is_present: bool


@dataclass(frozen=True, slots=True)
class Habit:
    """Reports like this one: `times` of the last `last` ended with `unit`."""

    unit: UnitRef
    times: int
    last: int


@dataclass(frozen=True, slots=True)
class Help:
    """What is offered to whoever sends a waiting report on. sure_enough: from which confidence on nobody is asked."""

    choices: tuple[Choice, ...]
    habit: Habit | None
    sure_enough: float


def help_with(report: Report) -> Help | None:
    """The likeliest categories by the model in use, and where reports like this go; None when it is not waiting.

    The habit is told only where the rules mean somebody else.
    """
    if Status(report.status) not in WAITING_FOR_DISPATCH:
        return None
    ref = reference()
    understood = understand(report.description, ref, has_place=True) if report.description else None
    found = []
    for code, sure in understood.candidates if understood else ():
        category = ref.categories_by_code[code]
        unit = _unit_of(if_it_were(report, category))
        found.append(Choice(category, sure, unit, category.id == report.category_id))
    return Help(tuple(found), _habit(report), understood.sure_enough if understood else 0.0)


def settle(report: Report, category_code: str, *, by: Staff) -> Report:
    """The dispatcher says which category it is: it is set right and goes to the unit the rules give for it.

    Where they give none, or leave it to the resident alone, only the category is set. Raises NotAllowed, WrongState,
    BadInput.
    """
    category = reference().categories_by_code.get(category_code)
    if category is None:
        raise BadInput(fields={"category": "errors.category_unknown"})
    decision = if_it_were(report, category)
    unit = _unit_of(decision)
    if category.id != report.category_id:
        reports.correct(report, by=by, category_code=category_code)
    elif unit is None:
        raise BadInput(fields={"unit": "admin.form.choose_unit"})
    if unit is None or report.unit_id == unit.id:
        return report
    units = reference().units_by_code
    others = [(units[code].id, role) for code, role in decision.other_units if code in units]
    # A rule that asks a person to look has no reason of its own: the person is the reason.
    reason = decision.reason.as_json() if decision.mode == AUTO else None
    return reports.assign(report, unit.id, by=by, reason=reason, other_units=others, rule_code=decision.rule)


def _habit(report: Report) -> Habit | None:
    ref = reference()
    row = habits.habit_for(report, ref)
    category = ref.categories_by_id.get(report.category_id) if report.category_id is not None else None
    unit = ref.units_by_id.get(row.unit_id) if row is not None else None
    if row is None or category is None or unit is None or not _can_be_given_to(unit):
        return None
    by_rules = _unit_of(if_it_were(report, category))
    return None if by_rules is not None and by_rules.id == unit.id else Habit(unit, row.times, row.last)


def _unit_of(decision: Decision) -> UnitRef | None:
    """Whom a rule means; None where no rule does, or the resident is only answered."""
    if decision.rule is None or decision.mode == REPLY_ONLY:
        return None
    unit = reference().units_by_code.get(decision.unit or "")
    return unit if unit is not None and _can_be_given_to(unit) else None


def _can_be_given_to(unit: UnitRef) -> bool:
    return not unit.is_closed and unit.role not in LOOKERS_ON
