"""When a time limit ends: hours that run day and night, and working time that does not.

Working time is counted on the district's wall clock. Definitions, which tests hold against a slow reference:

- `hours`: that many hours later, day and night.
- `calendar_days`: the same time of day that many days later.
- `working_hours`: the first moment at which that many hours of working time have passed since the start.
- `working_days`: the first moment at which that many times the working time of one full day have passed. From
  Monday 10:00 one working day ends on Tuesday 10:00; from Monday's opening it ends at Monday's closing.

A start outside working time counts from the next working moment. A holiday is not worked, whatever its weekday;
a make-up day (调休) is worked, whatever its weekday; every other day follows its weekday.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from district.categories.models import LimitUnit

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
# No district rests for a year: whoever gets this far has a table that makes no sense.
_LONGEST_REST_DAYS = 366


class WorkingCalendar:
    """The district's working time. Immutable but for what it has already warned about.

    hours: parts of the day as ("08:30", "12:00"), in order; "24:00" ends the day. weekdays: 1 is Monday.
    Raises ValueError when there would be no working time at all.
    """

    def __init__(
        self,
        timezone: str,
        *,
        hours: Sequence[tuple[str, str]],
        weekdays: Collection[int],
        holidays: Collection[date] = (),
        workdays: Collection[date] = (),
    ) -> None:
        self.zone = ZoneInfo(timezone)
        self.spans = tuple((_since_midnight(start), _since_midnight(end)) for start, end in hours)
        ends = [moment for span in self.spans for moment in span]
        if not ends or any(later <= earlier for earlier, later in self.spans) or ends != sorted(ends):
            raise ValueError(f"working hours must be parts of one day, in order: {hours!r}")
        self.weekdays = frozenset(weekdays)
        if not self.weekdays or not self.weekdays <= set(range(1, 8)):
            raise ValueError(f"working days must be some of 1 to 7: {weekdays!r}")
        self.holidays, self.workdays = frozenset(holidays), frozenset(workdays)
        self.working_day = sum((end - start for start, end in self.spans), timedelta())
        self._known_years = {day.year for day in self.holidays | self.workdays}
        self._warned: set[int] = set()

    def due_at(self, start: datetime, value: int, unit: LimitUnit) -> datetime:
        """The moment, in UTC, at which a limit of `value` `unit`s that began at `start` (aware) ends."""
        if start.tzinfo is None:
            raise ValueError("due_at needs an aware start")
        if value <= 0:
            raise ValueError("a limit must be longer than nothing")
        return self.after(start, self.length(value, unit), unit)

    def length(self, value: int, unit: LimitUnit) -> timedelta:
        """How much of its own time a limit lasts; a working day is as long as the district's working day."""
        if unit is LimitUnit.WORKING_DAYS:
            return value * self.working_day
        return value * (_DAY if unit is LimitUnit.CALENDAR_DAYS else timedelta(hours=1))

    def after(self, start: datetime, length: timedelta, unit: LimitUnit) -> datetime:
        """The first moment, in UTC, at which `length` has passed since `start` as limits of this unit count it."""
        if unit is LimitUnit.HOURS or length <= timedelta():
            return start.astimezone(UTC) + max(length, timedelta())
        return _after(self, start, length, unit)

    def before(self, end: datetime, length: timedelta, unit: LimitUnit) -> datetime:
        """The last moment, in UTC, from which `length` passes until `end`: what `after` would lead back from."""
        if unit is LimitUnit.HOURS or length <= timedelta():
            return end.astimezone(UTC) - max(length, timedelta())
        return _before(self, end, length, unit)

    def between(self, start: datetime, end: datetime, unit: LimitUnit) -> timedelta:
        """How much time passes from `start` to `end` as limits of this unit count it; nothing when end is first."""
        if end <= start:
            return timedelta()
        if unit is LimitUnit.HOURS:
            return end - start
        first, last = self._local(start), self._local(end)
        if unit is LimitUnit.CALENDAR_DAYS:
            return max(last - first, timedelta())
        return self._working_between(first, last)

    def has_year(self, year: int) -> bool:
        """Whether any holiday or make-up day of that year is known: else its days count by their weekday alone."""
        return year in self._known_years

    def missing_years(self, now: datetime, days_ahead: int) -> list[int]:
        """Years without holidays: the present one, and the next from `days_ahead` days before it begins."""
        today = self._local(now).date()
        soon = (today + timedelta(days=days_ahead)).year
        return [year for year in range(today.year, soon + 1) if not self.has_year(year)]

    def is_worked(self, day: date) -> bool:
        """Whether people work on this day of the district's calendar."""
        if day in self.holidays:
            return False
        if day in self.workdays:
            return True
        if day.year not in self._known_years and day.year not in self._warned:
            # Deadlines must go on all the same: an unannounced year is an ordinary one until it is loaded.
            self._warned.add(day.year)
            log.warning("no holidays known: days count by their weekday", extra={"year": day.year})
        return day.isoweekday() in self.weekdays

    def _local(self, moment: datetime) -> datetime:
        """On the district's wall clock, naive."""
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def _utc(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self.zone).astimezone(UTC)

    def _after_working(self, start: datetime, needed: timedelta) -> datetime:
        """The local moment at which `needed` working time has passed since the local `start`."""
        day, rested = start.date(), 0
        while True:
            midnight = datetime.combine(day, time())
            if not self.is_worked(day):
                rested += 1
                if rested > _LONGEST_REST_DAYS:
                    raise ValueError("the calendar has a year without a working day")
            elif start <= midnight and needed > self.working_day:
                # A whole day at once.
                needed -= self.working_day
                rested = 0
            else:
                rested = 0
                for opens, closes in self.spans:
                    begins, ends = max(start, midnight + opens), midnight + closes
                    if begins >= ends:
                        continue
                    if needed <= ends - begins:
                        return begins + needed
                    needed -= ends - begins
            day += _DAY

    def _before_working(self, end: datetime, needed: timedelta) -> datetime:
        """The local moment from which `needed` working time passes until the local `end`."""
        day, rested = end.date(), 0
        while True:
            midnight = datetime.combine(day, time())
            if not self.is_worked(day):
                rested += 1
                if rested > _LONGEST_REST_DAYS:
                    raise ValueError("the calendar has a year without a working day")
            else:
                rested = 0
                for opens, closes in reversed(self.spans):
                    begins, ends = midnight + opens, min(end, midnight + closes)
                    if begins >= ends:
                        continue
                    if needed <= ends - begins:
                        return ends - needed
                    needed -= ends - begins
            day -= _DAY

    def _working_between(self, start: datetime, end: datetime) -> timedelta:
        """Working time between two local moments."""
        worked, day = timedelta(), start.date()
        while day <= end.date():
            if self.is_worked(day):
                midnight = datetime.combine(day, time())
                if start <= midnight and midnight + _DAY <= end:
                    worked += self.working_day
                else:
                    for opens, closes in self.spans:
                        worked += max(min(end, midnight + closes) - max(start, midnight + opens), timedelta())
            day += _DAY
        return worked


# What is routed together begins at one moment: most of its deadlines were worked out a moment ago.


@lru_cache(maxsize=1024)
def _after(calendar: WorkingCalendar, start: datetime, length: timedelta, unit: LimitUnit) -> datetime:
    local = calendar._local(start)
    if unit is LimitUnit.CALENDAR_DAYS:
        return calendar._utc(local + length)
    return calendar._utc(calendar._after_working(local, length))


@lru_cache(maxsize=1024)
def _before(calendar: WorkingCalendar, end: datetime, length: timedelta, unit: LimitUnit) -> datetime:
    local = calendar._local(end)
    if unit is LimitUnit.CALENDAR_DAYS:
        return calendar._utc(local - length)
    return calendar._utc(calendar._before_working(local, length))


def _since_midnight(text: str) -> timedelta:
    """How long after midnight "HH:MM" is. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60):
        raise ValueError(f"a time of day is written HH:MM, not {text!r}")
    since = timedelta(hours=int(hours), minutes=int(minutes))
    if since > _DAY:
        raise ValueError(f"a day ends at 24:00, before {text!r}")
    return since
