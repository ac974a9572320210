"""A clock that stops and goes on, by hand and against minutes counted one by one."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from district.categories.models import LimitUnit
from district.deadlines.calendar import WorkingCalendar
from district.deadlines.running import Clock, Extra, Limit, Reminders, Step, Stop, run, steps

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = WorkingCalendar(
    "Asia/Shanghai", hours=(("08:30", "12:00"), ("13:30", "17:30")), weekdays=range(1, 6),
    holidays=[date(2026, 10, day) for day in range(1, 8)], workdays=[date(2026, 10, 10)],
)  # fmt: skip
TWO_DAYS = Limit(2, LimitUnit.WORKING_DAYS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def stop(since: str, until: str | None) -> Stop:
    return Stop(at(since), at(until) if until else None)


@pytest.mark.parametrize(
    "limit, stops, end",
    [
        (TWO_DAYS, [], "2026-09-16T10:00"),
        # Within working time: as long as it took.
        (TWO_DAYS, [("2026-09-14T11:00", "2026-09-14T12:00")], "2026-09-16T11:00"),
        # Over night and over a weekend only working time counts.
        (TWO_DAYS, [("2026-09-14T18:00", "2026-09-15T08:00")], "2026-09-16T10:00"),
        (TWO_DAYS, [("2026-09-14T16:30", "2026-09-15T09:30")], "2026-09-16T12:00"),
        (TWO_DAYS, [("2026-09-15T17:00", "2026-09-21T09:00")], "2026-09-21T11:00"),
        # Resumed in the holiday: it goes on when people work again.
        (TWO_DAYS, [("2026-09-15T16:00", "2026-10-03T10:00")], "2026-10-08T11:30"),
        # Two reasons at once stop it once; one inside the other, and end to end.
        (TWO_DAYS, [("2026-09-14T11:00", "2026-09-15T11:00"), ("2026-09-14T15:00", "2026-09-15T15:00")],
         "2026-09-17T14:00"),
        (TWO_DAYS, [("2026-09-14T11:00", "2026-09-15T15:00"), ("2026-09-14T15:00", "2026-09-14T16:00")],
         "2026-09-17T14:00"),
        # What stopped before the clock began was another clock's.
        (TWO_DAYS, [("2026-09-10T09:00", "2026-09-11T17:00")], "2026-09-16T10:00"),
        (TWO_DAYS, [("2026-09-10T09:00", "2026-09-14T11:00")], "2026-09-16T11:00"),
        # A clock that runs day and night stops day and night.
        (Limit(20, LimitUnit.HOURS), [("2026-09-14T20:00", "2026-09-15T08:00")], "2026-09-15T18:00"),
        # Late already: standing still it does not become later.
        (Limit(1, LimitUnit.HOURS), [("2026-09-14T13:00", "2026-09-14T15:00")], "2026-09-14T13:00"),
    ],
)  # fmt: skip
def test_the_time_that_was_left_is_left_again(limit: Limit, stops: list[tuple[str, str]], end: str) -> None:
    assert run(CALENDAR, limit, at("2026-09-14T10:00"), [stop(*one) for one in stops]) == Clock(at(end), None)


def test_while_it_stands_still_it_says_since_when() -> None:
    stops = [stop("2026-09-14T11:00", "2026-09-14T15:00"), stop("2026-09-14T14:00", None)]
    found = run(CALENDAR, TWO_DAYS, at("2026-09-14T10:00"), stops)
    assert found == Clock(at("2026-09-16T10:00"), at("2026-09-14T11:00"))


@pytest.mark.parametrize(
    "more, until, stops, end",
    [
        (Limit(1, LimitUnit.WORKING_DAYS), None, [], "2026-09-17T10:00"),
        (Limit(3, LimitUnit.CALENDAR_DAYS), None, [], "2026-09-19T10:00"),
        (None, "2026-09-18T17:30", [], "2026-09-18T17:30"),
        # A date that is earlier takes nothing away.
        (None, "2026-09-15T17:30", [], "2026-09-16T10:00"),
        # Granted while it stood still, and before it stood still.
        (Limit(1, LimitUnit.WORKING_DAYS), None, [("2026-09-15T09:00", "2026-09-15T17:30")], "2026-09-18T09:30"),
        (Limit(1, LimitUnit.WORKING_DAYS), None, [("2026-09-16T09:00", "2026-09-16T17:30")], "2026-09-18T09:30"),
    ],
)
def test_more_time_comes_on_top(more: Limit | None, until: str | None, stops: list[tuple[str, str]], end: str) -> None:
    extra = Extra(at("2026-09-15T10:00"), more, at(until) if until else None)
    stopped = [stop(*one) for one in stops]
    assert run(CALENDAR, TWO_DAYS, at("2026-09-14T10:00"), stopped, [extra]).due_at == at(end)


@settings(max_examples=120)
@given(
    st.integers(0, 20 * 24 * 60),
    st.lists(st.tuples(st.integers(0, 15 * 24 * 60), st.integers(1, 4 * 24 * 60)), max_size=4),
    st.integers(1, 20),
)
def test_it_ends_when_as_many_running_working_minutes_have_passed(
    start: int, stops: list[tuple[int, int]], hours: int
) -> None:
    """Counted minute by minute: worked, and no stop lies over it."""
    first = datetime(2026, 9, 1)  # noqa: DTZ001
    minute = timedelta(minutes=1)
    begins = first + start * minute
    spans = [(begins + since * minute, begins + (since + length) * minute) for since, length in stops]
    left, now = hours * 60, begins
    while left:
        day, since = now.date(), timedelta(hours=now.hour, minutes=now.minute)
        worked = CALENDAR.is_worked(day) and any(opens <= since < closes for opens, closes in CALENDAR.spans)
        if worked and not any(a <= now < b for a, b in spans):
            left -= 1
        now += minute
    # What stops a clock that has ended is another rule: it is late, and does not become later.
    before = [Stop(a.replace(tzinfo=ZONE), b.replace(tzinfo=ZONE)) for a, b in spans if a < now]
    found = run(CALENDAR, Limit(hours, LimitUnit.WORKING_HOURS), begins.replace(tzinfo=ZONE), before)
    assert found.due_at == now.replace(tzinfo=ZONE)


def test_steps_come_in_order_and_count_as_the_clock_counts() -> None:
    found = dict(steps(CALENDAR, TWO_DAYS, at("2026-09-16T10:00"), Reminders(head_hours=4, supervision_hours=8)))
    assert list(found) == list(Step)
    assert found == {
        Step.SOON: at("2026-09-15T10:00"),
        Step.PRESSING: at("2026-09-15T16:00"),
        Step.OVERDUE: at("2026-09-16T10:00"),
        Step.HEAD: at("2026-09-16T15:30"),
        Step.SUPERVISION: at("2026-09-17T10:30"),
    }
    night = dict(steps(CALENDAR, Limit(2, LimitUnit.HOURS), at("2026-09-16T01:00"), Reminders()))
    assert (night[Step.SOON], night[Step.HEAD]) == (at("2026-09-16T00:00"), at("2026-09-16T05:00"))
