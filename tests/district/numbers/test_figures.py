"""Figures read from the sums by the database, against the same worked out by hand."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import date, timedelta

import pytest
from flask import Flask

from district import work
from district.numbers import figures, periods, service
from district.numbers.counting import Measure
from district.numbers.figures import SHARES, Dimension, Row
from district.numbers.periods import Kind, Period
from district.numbers.scale import bucket_of, step_within
from district.reports.sight import Sight
from district.work import unit_of_work
from tests.conftest import both_databases

# (measure, day, unit, street, category, seconds), as facts are stored.
Fact = tuple[str, date, int | None, str, int | None, int | None]
ON = date(2026, 11, 26)
UNITS = (1, 2, 12, None)


@pytest.fixture
def facts(app: Flask) -> list[Fact]:
    """Two years of them, added up as the counting does it."""
    world = random.Random(7)
    found: list[Fact] = []
    for _ in range(900):
        day = ON - timedelta(days=round(world.expovariate(1 / 60)) % 700)
        measure = world.choice((Measure.RECEIVED, Measure.CLOSED, Measure.HANDLING, Measure.HANDLING))
        seconds = round(world.lognormvariate(9, 2)) if measure is Measure.HANDLING else None
        place = (world.choice(UNITS), world.choice(("", "A1", "A2")), world.choice((3, 4, None)))
        found.append((str(measure), day, *place, seconds))
    change: Counter[service.Cell] = Counter()
    for fact in found:
        service._add(change, fact, 1)
    with unit_of_work():
        service._add_up(work.connection(), change)
    return found


def by_hand(facts: list[Fact], period: Period, place: int | None, only: frozenset[int] | None = None) -> dict[str, Row]:
    """The rows of a period. place: where in a fact the key stands; None for all together. only: of these units."""
    amounts: dict[str, Counter[str]] = defaultdict(Counter)
    times: dict[str, Counter[int]] = defaultdict(Counter)
    for fact in facts:
        if not period.first <= fact[1] <= period.last or (only is not None and fact[2] not in only):
            continue
        value = "" if place is None else fact[place]
        key = "" if value is None else str(value)
        amounts[key][fact[0]] += 1
        if fact[5] is not None:
            times[key][bucket_of(fact[5])] += 1
    return {key: Row(key, dict(found), [step_within(times[key], share) or 0 for share in SHARES] if times[key] else ())
            for key, found in amounts.items()}  # fmt: skip


def plain(rows: dict[str, Row]) -> dict[str, tuple[dict[str, int], tuple[int, ...]]]:
    return {key: ({str(name): n for name, n in row.amounts.items()}, tuple(row.spans)) for key, row in rows.items()}


@both_databases
@pytest.mark.parametrize("kind", list(Kind))
def test_a_table_says_what_its_facts_say(facts: list[Fact], kind: Kind) -> None:
    period = periods.period(kind, ON)
    for dimension, place in ((Dimension.UNIT, 2), (Dimension.STREET, 3), (Dimension.CATEGORY, 4)):
        read = figures.table(period, dimension, Sight())
        assert plain(read.rows) == plain(by_hand(facts, period, place))
        assert plain(read.before) == plain(by_hand(facts, period.before, place))
        for row, one in zip(read.district, (period, period.before), strict=True):
            assert plain({"": row}) == plain(by_hand(facts, one, None) or {"": Row("")})
        assert read.whole == read.district


@both_databases
@pytest.mark.parametrize("kind", [Kind.DEKAD, Kind.YEAR])
def test_several_units_together_are_not_the_middle_of_their_figures(facts: list[Fact], kind: Kind) -> None:
    """What somebody of some units sees: the times of all of them are put in one row before they are read."""
    period, units = periods.period(kind, ON), frozenset({1, 12})
    read = figures.table(period, Dimension.UNIT, Sight(units=units))
    assert plain(read.rows) == plain(by_hand(facts, period, 2, units))
    for row, one in zip(read.whole, (period, period.before), strict=True):
        assert plain({"": row}) == plain(by_hand(facts, one, None, units) or {"": Row("")})
    assert plain({"": read.district[0]}) == plain(by_hand(facts, period, None))
