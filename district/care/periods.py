"""When a plan's periods begin and end. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

# How far back a period that counted is looked for: more than a year of days.
_FAR_BACK = 400


@dataclass(frozen=True, slots=True)
class Window:
    """The period of today, both days included. before, before_last: those of the last one before it that counted."""

    first: date
    last: date
    before: date | None = None
    before_last: date | None = None


def window(starts_on: date, every: int, every_unit: str, months: Collection[int], today: date) -> Window | None:
    """A plan's period of today; None before the plan begins, and in periods that begin outside of its months.

    every_unit: `days`, `weeks` or `months`. months: 1 to 12, empty for all year.
    """
    if today < starts_on:
        return None
    number = _number(starts_on, every, every_unit, today)
    first = _first(starts_on, every, every_unit, number)
    if months and first.month not in months:
        return None
    last = _first(starts_on, every, every_unit, number + 1) - timedelta(days=1)
    for earlier in range(number - 1, max(-1, number - _FAR_BACK), -1):
        begun = _first(starts_on, every, every_unit, earlier)
        if not months or begun.month in months:
            return Window(first, last, begun, _first(starts_on, every, every_unit, earlier + 1) - timedelta(days=1))
    return Window(first, last)


def _number(starts_on: date, every: int, every_unit: str, day: date) -> int:
    """In which period a day lies, counted from 0."""
    if every_unit != "months":
        return (day - starts_on).days // (every * (7 if every_unit == "weeks" else 1))
    number = ((day.year - starts_on.year) * 12 + day.month - starts_on.month) // every
    return number - 1 if _first(starts_on, every, every_unit, number) > day else number


def _first(starts_on: date, every: int, every_unit: str, number: int) -> date:
    if every_unit != "months":
        return starts_on + timedelta(days=number * every * (7 if every_unit == "weeks" else 1))
    month = starts_on.month - 1 + number * every
    year, month = starts_on.year + month // 12, month % 12 + 1
    # A plan from the 31st begins a shorter month's period on its last day.
    end = (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return end.replace(day=min(starts_on.day, end.day))
