"""The two clocks of a report: when it must have been dispatched, and when it must have been handled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import current_app

from district.categories.models import LimitUnit, Urgency
from district.deadlines.calendar import WorkingCalendar
from district.deadlines.running import Limit, Reminders
from district.reference import Reference, reference

# Where the district says nothing.
_DISPATCH_MINUTES = {Urgency.CRITICAL: 10, Urgency.URGENT: 30, Urgency.NORMAL: 120}
_DEFAULT_HANDLING = (5, LimitUnit.WORKING_DAYS)
# The State Council usually names the next year's holidays in November.
DEFAULT_WARNING_DAYS = 30
_WEEKDAYS = (1, 2, 3, 4, 5)
_HOURS = (("08:30", "12:00"), ("13:30", "17:30"))
# Danger does not wait for office hours.
_DAY_AND_NIGHT = {
    LimitUnit.WORKING_HOURS: LimitUnit.HOURS,
    LimitUnit.WORKING_DAYS: LimitUnit.CALENDAR_DAYS,
}


def dispatch_due_at(urgency: Urgency, start: datetime) -> datetime:
    """When a report that came in at `start` must have its unit; minutes run day and night."""
    minutes = reference().setting(f"limits.dispatch_minutes.{urgency}", _DISPATCH_MINUTES[urgency])
    return start.astimezone(UTC) + timedelta(minutes=int(minutes))


def handling_due_at(category_id: int | None, urgency: Urgency, start: datetime, standard_code: str = "") -> datetime:
    """When a report assigned at `start` must be fixed, if nothing stops its clock; see `handling_limit`."""
    limit = handling_limit(category_id, urgency, standard_code)
    return working_calendar().due_at(start, limit.value, limit.unit)


def handling_limit(category_id: int | None, urgency: Urgency, standard_code: str = "") -> Limit:
    """How long fixing may take: by the chosen condition, else its category, else the district's default.

    standard_code: a condition in use of this category; any other counts for nothing.
    The limit of a critical report runs day and night, whatever its category says.
    """
    ref = reference()
    category = ref.categories_by_id.get(category_id) if category_id is not None else None
    standard = next((one for one in category.standards if one.code == standard_code), None) if category else None
    if standard is not None:
        value, unit = standard.limit_value, standard.limit_unit
    elif category is not None:
        value, unit = category.limit_value, category.limit_unit
    else:
        value = int(ref.setting("limits.default_handling.value", _DEFAULT_HANDLING[0]))
        unit = LimitUnit(ref.setting("limits.default_handling.unit", _DEFAULT_HANDLING[1]))
    if urgency is Urgency.CRITICAL:
        unit = _DAY_AND_NIGHT.get(unit, unit)
    return Limit(value, unit)


def reminders() -> Reminders:
    """When the district reminds of a clock, by its settings `limits.remind_at` and `limits.escalate_hours`."""
    return reference().once("deadlines.reminders", _make_reminders)


def _make_reminders(ref: Reference) -> Reminders:
    usual = Reminders()
    return Reminders(
        yellow=float(ref.setting("limits.remind_at.yellow", usual.yellow)),
        red=float(ref.setting("limits.remind_at.red", usual.red)),
        head_hours=int(ref.setting("limits.escalate_hours.head", usual.head_hours)),
        supervision_hours=int(ref.setting("limits.escalate_hours.supervision", usual.supervision_hours)),
    )


def missing_years(now: datetime) -> list[int]:
    """Years whose holidays should be known by now and are not (setting `limits.calendar_warning_days`)."""
    days = int(reference().setting("limits.calendar_warning_days", DEFAULT_WARNING_DAYS))
    return working_calendar().missing_years(now, days)


def working_calendar() -> WorkingCalendar:
    """The district's working time, holidays and make-up days."""
    return reference().once("deadlines.calendar", _make_calendar)


def _make_calendar(ref: Reference) -> WorkingCalendar:
    return WorkingCalendar(
        current_app.config["DISTRICT_TIMEZONE"],
        hours=[(start, end) for start, end in ref.setting("hours.work", _HOURS)],
        weekdays=ref.setting("hours.days", _WEEKDAYS),
        holidays=[day for day, kind in ref.calendar if kind == "holiday"],
        workdays=[day for day, kind in ref.calendar if kind == "workday"],
    )
