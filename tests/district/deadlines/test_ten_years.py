"""Deadline arithmetic beside a slow, obvious reference: every minute of ten years, worked or not, written down once."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from district.categories.models import LimitUnit
from district.deadlines.calendar import WorkingCalendar

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIRST, LAST = date(2026, 1, 1), date(2035, 12, 31)
DAYS = [FIRST + n * DAY for n in range((LAST - FIRST).days + 1)]
OFFICE = (("08:30", "12:00"), ("13:30", "17:30"))
# Clocks go forward and back in Berlin, at hours when nobody works; in Shanghai they have not since 1991.
ZONES = ("Asia/Shanghai", "Europe/Berlin")


def days_off() -> tuple[set[date], set[date]]:
    """A holiday of a week in spring and autumn of every year but two, each paid for with a Saturday."""
    holidays, workdays = set(), set()
    for year in range(FIRST.year, LAST.year + 1):
        if year in (2029, 2030):
            continue  # nobody entered them
        holidays |= {date(year, 1, 1), *(date(year, 10, day) for day in range(1, 8))}
        holidays |= {date(year, 2, 10) + n * DAY for n in range(8)}
        for start in (date(year, 2, 18), date(year, 10, 8)):
            workdays.add(next(start + n * DAY for n in range(14) if (start + n * DAY).isoweekday() == 6))
    return holidays, workdays


@cache
def calendar(zone: str) -> WorkingCalendar:
    holidays, workdays = days_off()
    return WorkingCalendar(zone, hours=OFFICE, weekdays=range(1, 6), holidays=holidays, workdays=workdays)


@cache
def worked_before() -> array[int]:
    """For each minute of the ten years on the wall clock: how many worked minutes lie before it."""
    holidays, workdays = days_off()
    hours = bytearray(24 * 60)
    for begins, ends in ((8 * 60 + 30, 12 * 60), (13 * 60 + 30, 17 * 60 + 30)):
        hours[begins:ends] = b"\x01" * (ends - begins)
    rest = bytes(24 * 60)
    minutes = bytearray()
    for day in DAYS:
        is_worked = day in workdays or (day not in holidays and day.isoweekday() <= 5)
        minutes += hours if is_worked else rest
    return array("I", accumulate(minutes, initial=0))


def minute_of(moment: datetime, zone: str) -> int:
    """How many minutes of the wall clock lie between the beginning and `moment`."""
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local - datetime(FIRST.year, 1, 1)) // MINUTE  # noqa: DTZ001


def moment_at(minute: int, zone: str) -> datetime:
    return (datetime(FIRST.year, 1, 1) + minute * MINUTE).replace(tzinfo=ZoneInfo(zone))  # noqa: DTZ001


def reference_after(start: int, needed: int) -> int:
    """The first minute that has `needed` worked minutes between the start and itself."""
    table = worked_before()
    return bisect_left(table, table[start] + needed)


def reference_between(start: int, end: int) -> int:
    table = worked_before()
    return table[end] - table[start]


# The last of them leaves room for the longest limit.
MINUTES = st.integers(0, (len(DAYS) - 60) * 24 * 60)


@settings(max_examples=700)
@given(MINUTES, st.integers(1, 20), st.sampled_from([LimitUnit.WORKING_HOURS, LimitUnit.WORKING_DAYS]))
@pytest.mark.parametrize("zone", ZONES)
def test_working_time_ends_where_counting_minutes_ends_it(zone: str, start: int, value: int, unit: LimitUnit) -> None:
    needed = value * (60 if unit is LimitUnit.WORKING_HOURS else 450)
    due = calendar(zone).due_at(moment_at(start, zone), value, unit)
    assert due == moment_at(reference_after(start, needed), zone).astimezone(UTC)


@settings(max_examples=500)
@given(MINUTES, st.integers(0, 40 * 24 * 60))
@pytest.mark.parametrize("zone", ZONES)
def test_what_passes_between_two_moments_is_the_minutes_worked(zone: str, start: int, length: int) -> None:
    passed = calendar(zone).between(
        moment_at(start, zone), moment_at(start + length, zone), LimitUnit.WORKING_DAYS
    )  # fmt: skip
    assert passed == reference_between(start, start + length) * MINUTE


@settings(max_examples=500)
@given(MINUTES, st.integers(1, 30 * 450))
@pytest.mark.parametrize("zone", ZONES)
def test_going_back_finds_the_last_moment_from_which_as_much_is_left(zone: str, start: int, needed: int) -> None:
    begins = moment_at(start, zone)
    due = calendar(zone).after(begins, needed * MINUTE, LimitUnit.WORKING_HOURS)
    back = calendar(zone).before(due, needed * MINUTE, LimitUnit.WORKING_HOURS)
    assert begins <= back
    minute = minute_of(back, zone)
    assert reference_between(minute, minute_of(due, zone)) == needed
    assert reference_between(minute + 1, minute_of(due, zone)) == needed - 1


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_around_new_year_and_every_change_of_clocks(zone: str) -> None:
    """Also from the year with holidays into the two without, and out of them."""
    edges = [date(year, 12, 29) for year in range(2026, 2035)]
    edges += [date(year, month, day) for year in (2026, 2031) for month, day in ((3, 25), (10, 22))]
    for edge in edges:
        first = (edge - FIRST).days * 24 * 60
        for start in range(first, first + 6 * 24 * 60, 90):
            for needed in (60, 449, 450, 5 * 450):
                due = calendar(zone).after(moment_at(start, zone), needed * MINUTE, LimitUnit.WORKING_DAYS)
                assert due == moment_at(reference_after(start, needed), zone), (edge, start, needed)


@given(MINUTES, st.integers(1, 30))
def test_days_keep_the_time_of_day_when_clocks_change_and_hours_are_hours(start: int, value: int) -> None:
    zone = "Europe/Berlin"
    begins = moment_at(start, zone)
    assert calendar(zone).due_at(begins, value, LimitUnit.HOURS) - begins.astimezone(UTC) == timedelta(hours=value)
    due = calendar(zone).due_at(begins, value, LimitUnit.CALENDAR_DAYS)
    # An hour that a change of clocks leaves out ends with it.
    assert minute_of(due, zone) - start in (value * 24 * 60, value * 24 * 60 + 60)


@pytest.mark.parametrize("offset", [0, 1, 23, 24])
def test_the_same_moment_is_due_alike_however_its_zone_is_written(offset: int) -> None:
    """A peer counted a deadline from the day in UTC: near midnight it was a day off (Amsterdam/signals 791)."""
    zone = "Asia/Shanghai"
    # 7 o'clock in the morning of Monday is still Sunday evening in UTC.
    monday = datetime(2026, 9, 14, 7, 0, tzinfo=ZoneInfo(zone)) + timedelta(hours=offset)
    there = monday.astimezone(UTC)
    assert there.date() < date(2026, 9, 14) or offset
    for unit in LimitUnit:
        assert calendar(zone).due_at(there, 1, unit) == calendar(zone).due_at(monday, 1, unit)
    assert calendar(zone).due_at(datetime(2026, 9, 13, 23, 0, tzinfo=UTC), 1, LimitUnit.WORKING_DAYS) == datetime(
        2026, 9, 14, 17, 30, tzinfo=ZoneInfo(zone)
    )


def test_a_holiday_on_a_weekday_is_no_working_day() -> None:
    """A peer counts 25 December as one: three working days from Wednesday 23 end on Monday 28 there."""
    berlin = WorkingCalendar(
        "Europe/Berlin", hours=OFFICE, weekdays=range(1, 6), holidays=[date(2026, 12, 25)]
    )  # fmt: skip
    start = datetime(2026, 12, 23, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert berlin.due_at(start, 3, LimitUnit.WORKING_DAYS) == datetime(
        2026, 12, 29, 10, 0, tzinfo=ZoneInfo("Europe/Berlin")
    )


def test_a_missing_year_is_noticed_before_it_begins_and_while_it_lasts() -> None:
    one = calendar("Asia/Shanghai")

    def missing(text: str) -> list[int]:
        return one.missing_years(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")), 30)

    assert missing("2028-11-30T12:00") == []
    assert missing("2028-12-02T00:00") == [2029]
    # In UTC it is still the day before.
    assert missing("2029-01-01T00:30") == [2029]
    assert missing("2029-12-31T23:30") == [2029, 2030]
    assert missing("2031-01-01T00:00") == []
