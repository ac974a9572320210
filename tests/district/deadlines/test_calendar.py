"""Deadline arithmetic, by hand and against a reference that counts every minute."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from district.categories.models import LimitUnit
from district.deadlines.calendar import WorkingCalendar

ZONE = ZoneInfo("Asia/Shanghai")
OFFICE = (("08:30", "12:00"), ("13:30", "17:30"))
# National Day 2026: a week off, the Saturday after it worked (as in the demo district).
HOLIDAYS = frozenset(date(2026, 10, day) for day in range(1, 8))
WORKDAYS = frozenset({date(2026, 10, 10)})


def office() -> WorkingCalendar:
    return WorkingCalendar("Asia/Shanghai", hours=OFFICE, weekdays=range(1, 6), holidays=HOLIDAYS, workdays=WORKDAYS)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("start", "value", "unit", "end"),
    [
        # Day and night.
        ("2026-09-30T23:30", 2, LimitUnit.HOURS, "2026-10-01T01:30"),
        ("2026-09-30T16:00", 1, LimitUnit.CALENDAR_DAYS, "2026-10-01T16:00"),
        ("2026-10-03T16:00", 3, LimitUnit.CALENDAR_DAYS, "2026-10-06T16:00"),
        # Within a day, over lunch, over night.
        ("2026-09-14T09:00", 2, LimitUnit.WORKING_HOURS, "2026-09-14T11:00"),
        ("2026-09-14T11:00", 2, LimitUnit.WORKING_HOURS, "2026-09-14T14:30"),
        ("2026-09-14T16:30", 2, LimitUnit.WORKING_HOURS, "2026-09-15T09:30"),
        # A limit that is used up at closing time ends then, not at the next opening.
        ("2026-09-14T15:30", 2, LimitUnit.WORKING_HOURS, "2026-09-14T17:30"),
        ("2026-09-14T10:00", 2, LimitUnit.WORKING_HOURS, "2026-09-14T12:00"),
        # A start outside working time counts from the next working moment.
        ("2026-09-14T06:00", 1, LimitUnit.WORKING_HOURS, "2026-09-14T09:30"),
        ("2026-09-14T12:30", 1, LimitUnit.WORKING_HOURS, "2026-09-14T14:30"),
        ("2026-09-14T17:30", 1, LimitUnit.WORKING_HOURS, "2026-09-15T09:30"),
        ("2026-09-19T10:00", 1, LimitUnit.WORKING_HOURS, "2026-09-21T09:30"),
        # Working days keep the moment of the day.
        ("2026-09-14T10:00", 1, LimitUnit.WORKING_DAYS, "2026-09-15T10:00"),
        ("2026-09-18T10:00", 1, LimitUnit.WORKING_DAYS, "2026-09-21T10:00"),
        ("2026-09-14T08:30", 1, LimitUnit.WORKING_DAYS, "2026-09-14T17:30"),
        ("2026-09-14T20:00", 1, LimitUnit.WORKING_DAYS, "2026-09-15T17:30"),
        ("2026-09-14T10:00", 5, LimitUnit.WORKING_DAYS, "2026-09-21T10:00"),
        # Over the holiday: Thursday 1 to Wednesday 7 are off, Saturday 10 is worked.
        ("2026-09-30T16:00", 1, LimitUnit.WORKING_DAYS, "2026-10-08T16:00"),
        ("2026-09-30T16:00", 3, LimitUnit.WORKING_DAYS, "2026-10-10T16:00"),
        ("2026-10-01T09:00", 1, LimitUnit.WORKING_HOURS, "2026-10-08T09:30"),
        ("2026-10-10T09:00", 1, LimitUnit.WORKING_HOURS, "2026-10-10T10:00"),
        ("2026-10-09T17:00", 1, LimitUnit.WORKING_HOURS, "2026-10-10T09:00"),
    ],
)
def test_limits_end_when_a_person_would_say_they_do(start: str, value: int, unit: LimitUnit, end: str) -> None:
    assert office().due_at(local(start), value, unit) == local(end)


def test_the_end_is_given_in_utc() -> None:
    assert office().due_at(local("2026-09-14T09:00"), 1, LimitUnit.WORKING_HOURS).tzinfo is UTC


def test_a_start_in_another_zone_is_the_same_moment() -> None:
    start = local("2026-09-14T09:00")
    for zone in (UTC, ZoneInfo("America/New_York")):
        assert office().due_at(start.astimezone(zone), 1, LimitUnit.WORKING_DAYS) == local("2026-09-15T09:00")


def test_seconds_are_kept() -> None:
    start = local("2026-09-14T17:29:50")
    assert office().due_at(start, 1, LimitUnit.WORKING_HOURS) == local("2026-09-15T09:29:50")


def test_a_day_may_be_worked_round_the_clock() -> None:
    always = WorkingCalendar("Asia/Shanghai", hours=(("00:00", "24:00"),), weekdays=range(1, 8))
    start = local("2026-09-19T22:00")
    assert always.due_at(start, 5, LimitUnit.WORKING_HOURS) == start + timedelta(hours=5)
    assert always.due_at(start, 2, LimitUnit.WORKING_DAYS) == start + timedelta(days=2)


def test_a_year_without_holidays_follows_the_weekdays_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    calendar = office()
    with caplog.at_level(logging.WARNING, logger="district.deadlines.calendar"):
        for _ in range(3):
            end = calendar.due_at(local("2027-10-01T10:00"), 1, LimitUnit.WORKING_DAYS)
            assert end == local("2027-10-04T10:00")
        calendar.due_at(local("2026-09-14T10:00"), 1, LimitUnit.WORKING_DAYS)
    assert [record.year for record in caplog.records] == [2027]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("hours", "weekdays"),
    [
        ((), range(1, 6)),
        ((("12:00", "08:30"),), range(1, 6)),
        ((("08:30", "12:00"), ("11:00", "17:00")), range(1, 6)),
        ((("8h30", "12:00"),), range(1, 6)),
        ((("08:30", "25:00"),), range(1, 6)),
        (OFFICE, ()),
        (OFFICE, (0, 1)),
    ],
)
def test_a_calendar_without_sensible_working_time_is_refused(
    hours: tuple[tuple[str, str], ...], weekdays: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError):
        WorkingCalendar("Asia/Shanghai", hours=hours, weekdays=weekdays)


def test_a_naive_start_and_an_empty_limit_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        office().due_at(datetime(2026, 9, 14, 9), 1, LimitUnit.HOURS)  # noqa: DTZ001
    with pytest.raises(ValueError, match="longer"):
        office().due_at(local("2026-09-14T09:00"), 0, LimitUnit.HOURS)


def test_a_holiday_table_without_an_end_is_an_error_and_not_an_endless_loop() -> None:
    day, days = date(2026, 1, 1), set()
    while day.year < 2029:
        days.add(day)
        day += timedelta(days=1)
    calendar = WorkingCalendar("Asia/Shanghai", hours=OFFICE, weekdays=range(1, 6), holidays=days)
    with pytest.raises(ValueError, match="without a working day"):
        calendar.due_at(local("2026-01-05T09:00"), 1, LimitUnit.WORKING_HOURS)


# The reference: walk through the minutes one by one.
MINUTE = timedelta(minutes=1)


def is_worked(calendar: WorkingCalendar, minute: datetime) -> bool:
    day = minute.date()
    worked = day in calendar.workdays or (day.isoweekday() in calendar.weekdays and day not in calendar.holidays)
    since = timedelta(hours=minute.hour, minutes=minute.minute)
    return worked and any(opens <= since < closes for opens, closes in calendar.spans)


def minute_by_minute(calendar: WorkingCalendar, start: datetime, minutes: int) -> datetime:
    """The end of the minute in which the last of the working minutes is worked."""
    now = start.astimezone(calendar.zone).replace(tzinfo=None)
    while True:
        if is_worked(calendar, now):
            minutes -= 1
        now += MINUTE
        if minutes == 0:
            return now.replace(tzinfo=calendar.zone)


@st.composite
def calendars(draw: st.DrawFn) -> WorkingCalendar:
    cuts = sorted(draw(st.sets(st.integers(0, 96), min_size=2, max_size=6)))
    cuts = cuts[: len(cuts) // 2 * 2]
    names = [f"{quarter // 4:02}:{quarter % 4 * 15:02}" for quarter in cuts]
    first = date(2026, 9, 1)
    near = st.integers(0, 60).map(lambda days: first + timedelta(days=days))
    holidays = draw(st.sets(near, max_size=12))
    workdays = draw(st.sets(near, max_size=6)) - holidays
    return WorkingCalendar(
        "Asia/Shanghai",
        hours=list(zip(names[::2], names[1::2], strict=True)),
        weekdays=draw(st.sets(st.integers(1, 7), min_size=1)),
        holidays=holidays,
        workdays=workdays,
    )


@settings(max_examples=60, deadline=None)
@given(
    calendars(),
    st.integers(0, 40 * 24 * 60),
    st.integers(1, 3),
    st.sampled_from([LimitUnit.WORKING_HOURS, LimitUnit.WORKING_DAYS]),
)
def test_working_time_agrees_with_counting_every_minute(
    calendar: WorkingCalendar, after: int, value: int, unit: LimitUnit
) -> None:
    start = datetime(2026, 9, 1, tzinfo=ZONE) + after * MINUTE
    needed = value * (timedelta(hours=1) if unit is LimitUnit.WORKING_HOURS else calendar.working_day)
    assert calendar.due_at(start, value, unit) == minute_by_minute(calendar, start, needed // MINUTE)


@given(calendars(), st.datetimes(datetime(2026, 9, 1), datetime(2026, 11, 1)), st.integers(1, 30))  # noqa: DTZ001
def test_a_longer_limit_never_ends_earlier(calendar: WorkingCalendar, naive: datetime, value: int) -> None:
    start = naive.replace(tzinfo=ZONE)
    for unit in LimitUnit:
        shorter, longer = calendar.due_at(start, value, unit), calendar.due_at(start, value + 1, unit)
        assert start < shorter < longer
