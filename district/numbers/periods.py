"""Periods: day, week (from Monday), 旬 (days 1-10, 11-20, 21 to the end of a month), month, year. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Kind(StrEnum):
    DAY = "day"
    WEEK = "week"
    DEKAD = "dekad"  # 旬
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included, in the district's zone."""

    kind: Kind
    first: date
    last: date

    @property
    def grain(self) -> str:
        """The largest sums (`district.numbers.models.NumberCell`) that the period is made of."""
        return {Kind.MONTH: "m", Kind.YEAR: "y"}.get(self.kind, "d")

    @property
    def before(self) -> Period:
        """The period of the same kind that ended the day before."""
        return period(self.kind, self.first - timedelta(days=1))

    @property
    def after(self) -> Period:
        return period(self.kind, self.last + timedelta(days=1))


def period(kind: Kind, day: date) -> Period:
    """The period of this kind that the day lies in."""
    first = last = day
    if kind is Kind.WEEK:
        first = day - timedelta(days=day.weekday())
        last = first + timedelta(days=6)
    elif kind is Kind.DEKAD:
        start = min((day.day - 1) // 10, 2)
        first = day.replace(day=start * 10 + 1)
        last = _end_of_month(day) if start == 2 else day.replace(day=start * 10 + 10)
    elif kind is Kind.MONTH:
        first, last = day.replace(day=1), _end_of_month(day)
    elif kind is Kind.YEAR:
        first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    return Period(kind, first, last)


def row_of(newest: Period, count: int) -> list[Period]:
    """So many periods up to `newest`, oldest first."""
    found = [newest]
    while len(found) < count:
        found.append(found[-1].before)
    return found[::-1]


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
