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
        if unit is LimitUnit.HOURS:
            return start.astimezone(UTC) + timedelta(hours=value)
        local = start.astimezone(self.zone).replace(tzinfo=None)
        if unit is LimitUnit.CALENDAR_DAYS:
            end = local + value * _DAY
        else:
            span = timedelta(hours=1) if unit is LimitUnit.WORKING_HOURS else self.working_day
            end = self._after_working(local, value * span)
        return end.replace(tzinfo=self.zone).astimezone(UTC)

    def after_working(self, start: datetime, length: timedelta) -> datetime:
        """The moment, in UTC, at which `length` of working time has passed since `start` (aware)."""
        local = start.astimezone(self.zone).replace(tzinfo=None)
        return self._after_working(local, length).replace(tzinfo=self.zone).astimezone(UTC)

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


def _since_midnight(text: str) -> timedelta:
    """How long after midnight "HH:MM" is. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(minutes) < 60):
        raise ValueError(f"a time of day is written HH:MM, not {text!r}")
    since = timedelta(hours=int(hours), minutes=int(minutes))
    if since > _DAY:
        raise ValueError(f"a day ends at 24:00, before {text!r}")
    return since
