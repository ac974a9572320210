"""The figures that people read: each defined here once, worked out from the sums.

A figure's name, formula and exclusions in words are in the catalogue under `numbers.figure.<code>`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, and_, func, or_, select, tuple_, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from district.extensions import db
from district.numbers.counting import Measure
from district.numbers.models import NumberCell, NumberFact
from district.numbers.periods import Period
from district.numbers.scale import bucket_of, percentile
from district.reports.hand_backs import least_dispatches
from district.reports.models import Report
from district.reports.sight import Sight


class Shape(StrEnum):
    COUNT = "count"
    SHARE = "share"
    SPAN = "span"  # seconds


# Fewer ratings, deadlines or times than this say more about chance than about the work.
LEAST = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """What one figure is. top, of: the measures whose sums are divided; a count has no `of`.

    at: the share for a percentile. good: whether more is better, None for neither. shown: the measures in its list.
    """

    code: str
    shape: Shape
    top: tuple[Measure, ...]
    of: tuple[Measure, ...] = ()
    at: float = 0.0
    good: bool | None = None

    @property
    def shown(self) -> tuple[Measure, ...]:
        return self.top

    @property
    def least(self) -> int:
        """The smallest number below the line for which a figure is shown; 0 for a count."""
        if self.shape is Shape.COUNT:
            return 0
        # The share of hand-backs has a limit that the district sets (docs/handback.md).
        return least_dispatches() if self.code == "shirk_share" else LEAST


_M = Measure
FIGURES: tuple[Figure, ...] = (
    Figure("received", Shape.COUNT, (_M.RECEIVED,)),
    Figure("assigned", Shape.COUNT, (_M.ASSIGNED,)),
    Figure("closed", Shape.COUNT, (_M.CLOSED,), good=True),
    Figure("on_time_share", Shape.SHARE, (_M.ON_TIME,), (_M.ON_TIME, _M.OVERDUE), good=True),
    Figure("overdue", Shape.COUNT, (_M.OVERDUE,), good=False),
    Figure("reopened", Shape.COUNT, (_M.REOPENED,), good=False),
    Figure("reworked", Shape.COUNT, (_M.REWORKED,), good=False),
    Figure("handed_back", Shape.COUNT, (_M.HANDED_BACK,), good=False),
    Figure("shirk_share", Shape.SHARE, (_M.SHIRKED,), (_M.ASSIGNED,), good=False),
    Figure("response_share", Shape.SHARE, (_M.RESPONDED,), (_M.RESPONDED, _M.UNRESPONDED), good=True),
    Figure("solved_share", Shape.SHARE, (_M.SOLVED,), (_M.RATED,), good=True),
    Figure("satisfied_share", Shape.SHARE, (_M.SATISFIED,), (_M.STARRED,), good=True),
    Figure("median", Shape.SPAN, (_M.HANDLING,), at=0.5, good=False),
    Figure("p90", Shape.SPAN, (_M.HANDLING,), at=0.9, good=False),
)
BY_CODE = {figure.code: figure for figure in FIGURES}


class Dimension(StrEnum):
    UNIT = "unit"
    STREET = "street"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Value:
    """A figure's value. value: None when there is too little (of < least). of: how many it was worked out from."""

    figure: Figure
    value: float | None
    top: int
    of: int


@dataclass(slots=True)
class Row:
    """The sums of one unit, street or category (or the district, key "") in a period."""

    key: str
    amounts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    times: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def value(self, figure: Figure) -> Value:
        top = sum(self.amounts.get(measure, 0) for measure in figure.top)
        if figure.shape is Shape.COUNT:
            return Value(figure, top, top, top)
        if figure.shape is Shape.SPAN:
            return Value(figure, percentile(self.times, figure.at) if top >= figure.least else None, top, top)
        of = sum(self.amounts.get(measure, 0) for measure in figure.of)
        return Value(figure, top / of if of >= max(1, figure.least) else None, top, of)

    def add(self, measure: str, bucket: int, amount: int) -> None:
        self.amounts[measure] += amount
        if measure == Measure.HANDLING:
            self.times[bucket] += amount


@dataclass(slots=True)
class Table:
    """A period beside the one before. rows: of every part that has any sum, by key; before: the same, maybe of others.

    whole: all rows together; district: the whole district, whatever the reader sees.
    """

    rows: dict[str, Row]
    before: dict[str, Row]
    whole: tuple[Row, Row]
    district: tuple[Row, Row]


def table(period: Period, dimension: Dimension, sight: Sight) -> Table:
    """The figures of a period divided by unit, street or category, of as much as somebody of this sight sees.

    Somebody of some units only sees them divided by unit: the sums know no more of a unit.
    """
    parts: tuple[dict[str, Row], dict[str, Row]] = ({}, {})
    district = (Row(""), Row(""))
    from_facts = sight.areas is not None and (dimension is not Dimension.STREET or sight.units is not None)
    for kind, key, is_before, amounts, times in db.session.execute(
        _cells(period, "district" if from_facts else str(dimension), _keys(dimension, sight))
    ):
        row = Row(key)
        row.amounts.update(amounts or {})
        row.times.update((int(bucket), amount) for bucket, amount in (times or {}).items())
        row.amounts[Measure.HANDLING] = sum(row.times.values())
        if kind == "district":
            district = (district[0], row) if is_before else (row, district[1])
        else:
            parts[bool(is_before)][key] = row
    if from_facts:
        _add_facts(parts, period, dimension, sight)
    whole = district if sight.is_whole else (together(parts[0].values()), together(parts[1].values()))
    return Table(*parts, whole, district)


def _keys(dimension: str, sight: Sight) -> list[str] | None:
    if dimension == "unit" and sight.units is not None:
        return sorted(map(str, sight.units))
    if dimension == "street" and sight.areas is not None:
        return sorted(sight.areas)
    return None


def _cells(period: Period, dimension: str, keys: list[str] | None) -> Select[Any]:
    """A line for each part, and one for the district: its sums and its times as objects, now and before.

    In one query, and put together by the database: a part has some dozens of steps of times.
    """
    cell = NumberCell
    is_before = cell.day < period.first
    mine = cell.dimension == dimension
    if keys is not None:
        mine = and_(mine, cell.key.in_(keys))
    sums = (
        select(
            cell.dimension, cell.key, is_before.label("is_before"), cell.measure, cell.bucket,
            func.sum(cell.amount).label("amount"),
        )
        .where(
            cell.grain == period.grain,
            or_(cell.dimension == "district", mine),
            cell.day.between(period.before.first, period.last),
            cell.amount > 0,
        )
        .group_by(cell.dimension, cell.key, is_before, cell.measure, cell.bucket)
        .subquery()
    )  # fmt: skip
    is_time = sums.c.measure == str(Measure.HANDLING)
    return select(
        sums.c.dimension, sums.c.key, sums.c.is_before,
        _object(sums.c.measure, sums.c.amount, ~is_time), _object(sums.c.bucket, sums.c.amount, is_time),
    ).group_by(sums.c.dimension, sums.c.key, sums.c.is_before)  # fmt: skip


def _object(name: Any, value: Any, where: ColumnElement[bool]) -> ColumnElement[Any]:
    make = func.json_group_object if db.engine.dialect.name == "sqlite" else func.json_object_agg
    return type_coerce(make(name, value).filter(where), JSON)


def _add_facts(
    parts: tuple[dict[str, Row], dict[str, Row]], period: Period, dimension: Dimension, sight: Sight
) -> None:
    """The sums of what happened in some streets only, from the facts: there are no sums of a street's units."""
    fact = NumberFact
    columns: dict[Dimension, InstrumentedAttribute[Any]] = {
        Dimension.UNIT: fact.unit_id, Dimension.STREET: fact.area_code, Dimension.CATEGORY: fact.category_id,
    }  # fmt: skip
    key = columns[dimension]
    is_before = fact.day < period.first
    query = (
        select(key, is_before, fact.measure, fact.seconds, func.count())
        .where(fact.day.between(period.before.first, period.last), *_within(sight))
        .group_by(key, is_before, fact.measure, fact.seconds)
    )
    for value, before, measure, seconds, amount in db.session.execute(query):
        name = "" if value is None else str(value)
        row = parts[bool(before)].setdefault(name, Row(name))
        row.add(measure, 0 if seconds is None else bucket_of(seconds), amount)


def _within(sight: Sight) -> Iterator[ColumnElement[bool]]:
    if sight.units is not None:
        yield NumberFact.unit_id.in_(sorted(sight.units))
    if sight.areas is not None:
        yield NumberFact.area_code.in_(sorted(sight.areas))


def together(found: Iterable[Row]) -> Row:
    """Several rows as one: a unit with those below it."""
    whole = Row("")
    for row in found:
        for measure, amount in row.amounts.items():
            whole.amounts[measure] += amount
        for bucket, amount in row.times.items():
            whole.times[bucket] += amount
    return whole


def course(periods: Sequence[Period], sight: Sight, drawn: Collection[Figure]) -> list[Row]:
    """What somebody of this sight sees of periods that follow one another, in one query: only these figures, counts."""
    measures = sorted({str(measure) for figure in drawn for measure in figure.top})
    first, last = periods[0].first, periods[-1].last
    query: Select[date, str, int]
    if sight.areas is not None and sight.units is not None:
        query = (
            select(NumberFact.day, NumberFact.measure, func.count())
            .where(NumberFact.measure.in_(measures), NumberFact.day.between(first, last), *_within(sight))
            .group_by(NumberFact.day, NumberFact.measure)
        )
    else:
        dimension = "street" if sight.areas is not None else "unit" if sight.units is not None else "district"
        keys = _keys(dimension, sight)
        query = (
            select(NumberCell.day, NumberCell.measure, func.sum(NumberCell.amount))
            .where(
                NumberCell.grain == periods[0].grain,
                NumberCell.dimension == dimension,
                NumberCell.day.between(first, last),
                NumberCell.key.in_([""] if keys is None else keys),
                NumberCell.measure.in_(measures),
                NumberCell.amount > 0,
            )
            .group_by(NumberCell.day, NumberCell.measure)
        )
    found = [Row("") for _ in periods]
    for day, measure, amount in db.session.execute(query):
        for row, one in zip(found, periods, strict=True):
            if one.first <= day <= one.last:
                row.add(measure, 0, int(amount))
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact with its report's number and present unit, for the list behind a figure."""

    fact: NumberFact
    number: str
    unit_id: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list behind a number. next_after: what to ask for the next page with, "" at the end."""

    entries: list[Entry]
    next_after: str


def behind(
    figure: Figure,
    period: Period,
    sight: Sight,
    *,
    dimension: Dimension | None = None,
    key: str = "",
    after: str = "",
    limit: int,
) -> Page:
    """What a number is made of, newest first, by keyset, as far as this sight goes. dimension None: of the whole.

    key: as in `Row`. A report that counts twice is there twice.
    """
    query = (
        select(NumberFact, Report.number, Report.unit_id)
        .join(Report, Report.id == NumberFact.report_id)
        .where(NumberFact.measure.in_(figure.shown), NumberFact.day.between(period.first, period.last), *_within(sight))
        .order_by(NumberFact.day.desc(), NumberFact.id.desc())
        .limit(limit + 1)
    )
    if dimension is Dimension.STREET:
        query = query.where(NumberFact.area_code == key)
    elif dimension is not None:
        column = NumberFact.unit_id if dimension is Dimension.UNIT else NumberFact.category_id
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else -1
        query = query.where(column == number if key else column.is_(None))
    last = _read_key(after)
    if last is not None:
        query = query.where(tuple_(NumberFact.day, NumberFact.id) < tuple_(*last))
    found = [Entry(*row) for row in db.session.execute(query)]
    if len(found) <= limit:
        return Page(found, "")
    fact = found[limit - 1].fact
    return Page(found[:limit], f"{fact.day:%Y%m%d}.{fact.id}")


def _read_key(text: str) -> tuple[date, int] | None:
    day, _, number = text.partition(".")
    if not (text.isascii() and day.isdecimal() and len(day) == 8 and number.isdecimal() and len(number) < 19):
        return None
    try:
        return date.fromisoformat(day), int(number)
    except ValueError:
        return None
