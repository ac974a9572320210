"""What counts, case by case; the scale of times; the periods."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from district.numbers.counting import Case, Line, Returned, Terms, count
from district.numbers.periods import Kind, period, row_of
from district.numbers.scale import ERROR, bucket_of, seconds_of, step_within

TERMS = Terms(ZoneInfo("Asia/Shanghai"))
# 11:00 on Monday, 2 November, in the district.
T0 = datetime(2026, 11, 2, 3, tzinfo=UTC)
LATER = T0 + timedelta(days=30)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def case(status: str, *lines: Line, due: float | None = None, done: float | None = None, **given: Any) -> Case:
    values: dict[str, Any] = {"unit_id": 7, "area_code": "A", "category_id": 3, "standing_since": None} | given
    return Case(
        status, T0, handling_due_at=at(due) if due is not None else None,
        resolved_at=at(done) if done is not None else None, lines=lines, **values,
    )  # fmt: skip


def line(hours: float, kind: str, unit_id: int | None = None, **given: Any) -> Line:
    return Line(at(hours), kind, unit_id, **given)


GIVEN = line(1, "routed", 7)
DONE = (GIVEN, line(3, "accepted", 7), line(9, "resolved", 7))


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        pytest.param(case("submitted"), "received", id="just received"),
        pytest.param(case("merged", unit_id=None), "received", id="merged still came in"),
        pytest.param(
            case("closed", *DONE, line(12, "verified"), due=10, done=9),
            "received assigned responded on_time handling closed", id="in time",
        ),
        pytest.param(
            case("closed", *DONE, line(12, "verified"), due=8, done=9),
            "received assigned responded overdue handling closed", id="an hour late",
        ),
        pytest.param(case("resolved", *DONE, due=9, done=9), "received assigned responded on_time handling",
                     id="at the very moment"),
        pytest.param(case("in_progress", GIVEN, line(3, "accepted", 7), due=48), "received assigned responded overdue",
                     id="not done at all"),
        pytest.param(case("assigned", GIVEN, due=48), "received assigned unresponded overdue", id="nobody answered"),
        pytest.param(case("in_progress", GIVEN, line(25, "accepted", 7), due=48),
                     "received assigned responded overdue", id="answered in the last minute"),
        pytest.param(case("in_progress", GIVEN, line(25.1, "accepted", 7), due=48),
                     "received assigned unresponded overdue", id="answered too late"),
        pytest.param(case("assigned", GIVEN, line(2, "reassigned", 8), line(3, "accepted", 8), due=48, unit_id=8),
                     "received assigned assigned responded overdue", id="taken away in time says nothing"),
        pytest.param(case("suspended", GIVEN, line(3, "accepted", 7), line(5, "suspended"), due=48,
                          standing_since=at(5)), "received assigned responded", id="put aside has no deadline"),
        pytest.param(case("suspended", GIVEN, line(3, "accepted", 7), line(50, "suspended"), due=48,
                          standing_since=at(50)), "received assigned responded overdue", id="put aside when late"),
        pytest.param(case("withdrawn", GIVEN, line(2, "withdrawn"), unit_id=None), "received assigned", id="withdrawn"),
        pytest.param(
            case("in_progress", *DONE, line(10, "verification_refused", 7), due=48),
            "received assigned responded reworked overdue", id="refused work is not done",
        ),
        pytest.param(
            case("closed", *DONE, line(10, "verification_refused", 7), line(20, "resolved", 7), line(21, "verified"),
                 due=48, done=20),
            "received assigned responded reworked handling closed on_time", id="done the second time",
        ),
        pytest.param(
            case("assigned", *DONE, line(12, "verified"), line(20, "rated", solved=False), line(20, "reopened", 7),
                 due=90),
            "received assigned responded handling closed rated starred reopened unresponded overdue", id="reopened",
        ),
        pytest.param(
            case("closed", *DONE, line(12, "verified"), line(20, "rated", solved=True, stars=4), due=10, done=9),
            "received assigned responded on_time handling closed rated solved starred satisfied", id="content",
        ),
        pytest.param(
            case("closed", *DONE, line(12, "verified"), line(20, "rated", solved=True, stars=3), due=10, done=9),
            "received assigned responded on_time handling closed rated solved starred", id="solved, not content",
        ),
        pytest.param(
            case("closed", *DONE, line(12, "verified"), line(20, "rated", solved=True), due=10, done=9),
            "received assigned responded on_time handling closed rated solved", id="solved without stars",
        ),
        pytest.param(
            case("assigned", GIVEN, line(2, "handed_back", 7), due=900,
                 returned=(Returned(at(2), 7, True), Returned(at(3), 7, False))),
            "received assigned handed_back handed_back shirked", id="handed back",
        ),
    ],
)  # fmt: skip
def test_what_a_report_counts_as(said: Case, counts: str) -> None:
    assert Counter(str(fact.measure) for fact in count(said, LATER, TERMS).facts) == Counter(counts.split())


def test_what_counts_counts_on_its_day_and_for_its_unit() -> None:
    # 23:30 in the district is still that day, whatever UTC says; the new unit has what it did itself.
    late = 12.5
    counted = count(
        case("closed", line(1, "routed", 7), line(2, "reassigned", 8), line(late, "resolved", 8),
             line(late + 1, "verified"), due=90, done=late, unit_id=8),
        LATER, TERMS,
    )  # fmt: skip
    found = {str(fact.measure): fact for fact in counted.facts if fact.measure != "assigned"}
    assert found["handling"].day == date(2026, 11, 2)
    assert found["handling"].unit_id == 8
    assert found["handling"].seconds == 10.5 * 3600
    assert found["closed"].day == date(2026, 11, 3)
    assert found["on_time"].day == date(2026, 11, 6)
    assert [fact.unit_id for fact in counted.facts if fact.measure == "assigned"] == [7, 8]


def test_it_says_when_it_will_count_otherwise() -> None:
    waiting = case("assigned", GIVEN, due=48)
    assert count(waiting, at(2), TERMS).next_at == at(25)
    assert count(waiting, at(25), TERMS).next_at == at(25)
    assert count(waiting, at(26), TERMS).next_at == at(48)
    assert count(waiting, at(49), TERMS).next_at is None
    assert [str(fact.measure) for fact in count(waiting, at(26), TERMS).facts] == [
        "received",
        "assigned",
        "unresponded",
    ]


@given(some.lists(some.integers(0, 400 * 86400), min_size=1, max_size=60), some.sampled_from((0.5, 0.9)))
def test_a_percentile_is_off_by_less_than_it_says(times: list[int], share: float) -> None:
    exact = sorted(times)[-(-int(share * 100) * len(times) // 100) - 1]
    step = step_within(Counter(bucket_of(seconds) for seconds in times), share)
    assert step is not None
    assert abs(seconds_of(step) - exact) <= max(60, exact * (ERROR + 1e-6))


def test_the_scale_rises_without_gaps() -> None:
    world = random.Random(1)
    for seconds in sorted(world.randrange(1, 10**8) for _ in range(300)):
        bucket = bucket_of(seconds)
        assert bucket_of(seconds + 1) >= bucket
        assert abs(seconds_of(bucket) - seconds) <= max(60, seconds * (ERROR + 1e-6))
    assert step_within({}, 0.5) is None


@pytest.mark.parametrize(
    ("kind", "day", "first", "last"),
    [
        (Kind.DAY, "2026-11-26", "2026-11-26", "2026-11-26"),
        (Kind.WEEK, "2026-11-26", "2026-11-23", "2026-11-29"),
        (Kind.DEKAD, "2026-11-10", "2026-11-01", "2026-11-10"),
        (Kind.DEKAD, "2026-11-11", "2026-11-11", "2026-11-20"),
        (Kind.DEKAD, "2026-10-31", "2026-10-21", "2026-10-31"),
        (Kind.MONTH, "2028-02-10", "2028-02-01", "2028-02-29"),
        (Kind.YEAR, "2026-11-26", "2026-01-01", "2026-12-31"),
    ],
)
def test_a_day_lies_in_its_period(kind: Kind, day: str, first: str, last: str) -> None:
    found = period(kind, date.fromisoformat(day))
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize("kind", list(Kind))
def test_periods_follow_one_another_without_gaps(kind: Kind) -> None:
    found = row_of(period(kind, date(2027, 3, 5)), 40)
    for one, following in pairwise(found):
        assert one.after == following
        assert following.first - one.last == timedelta(days=1)
