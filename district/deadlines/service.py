"""The two clocks of a report: when it must have been dispatched, and when it must have been handled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import current_app

from district.categories.models import LimitUnit, Urgency
from district.deadlines.calendar import WorkingCalendar
from district.reference import Reference, reference

# Where the district says nothing.
_DISPATCH_MINUTES = {Urgency.CRITICAL: 10, Urgency.URGENT: 30, Urgency.NORMAL: 120}
_DEFAULT_HANDLING = (5, LimitUnit.WORKING_DAYS)
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


def handling_due_at(category_id: int | None, urgency: Urgency, start: datetime) -> datetime:
    """When a report assigned at `start` must be fixed, by its category's limit or the district's default.

    The limit of a critical report runs day and night, whatever its category says.
    """
    ref = reference()
    category = ref.categories_by_id.get(category_id) if category_id is not None else None
    if category is not None:
        value, unit = category.limit_value, category.limit_unit
    else:
        value = int(ref.setting("limits.default_handling.value", _DEFAULT_HANDLING[0]))
        unit = LimitUnit(ref.setting("limits.default_handling.unit", _DEFAULT_HANDLING[1]))
    if urgency is Urgency.CRITICAL:
        unit = _DAY_AND_NIGHT.get(unit, unit)
    return working_calendar().due_at(start, value, unit)


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
