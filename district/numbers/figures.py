"""The figures that people read: each defined here once, worked out from the sums.

A figure's name, formula and exclusions in words are in the catalogue under `numbers.figure.<code>`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    ColumnElement,
    CompoundSelect,
    Date,
    Float,
    Integer,
    Select,
    Subquery,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from district.extensions import db
from district.numbers.counting import Measure
from district.numbers.models import NumberCell, NumberFact
from district.numbers.periods import Kind, Period
from district.numbers.scale import bucket_of, seconds_of, step_within
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
SHARES = tuple(figure.at for figure in FIGURES if figure.shape is Shape.SPAN)


class Dimension(StrEnum):
    UNIT = "unit"
    STREET = "street"
    CATEGORY = "category"


class Value(NamedTuple):
    """A figure's value. value: None when there is too little (of < least). of: how many it was worked out from."""

    figure: Figure
    value: float | None
    top: int
    of: int


@dataclass(slots=True)
class Row:
    """The sums of one unit, street or category (or the district, key "") in a period.

    spans: within which steps of the scale as much of HANDLING lies as SHARES say; empty where there is none.
    """

    key: str
    amounts: dict[str, int] = field(default_factory=dict)
    spans: Sequence[int] = ()

    def values(self) -> list[Value]:
        """Every figure, in the order of FIGURES."""
        # Four hundred rows are read so for a table by category: one loop, and no call for each.
        found, amount, span = [], self.amounts.get, 0
        for figure in FIGURES:
            top = of = 0
            for measure in figure.top:
                top += amount(measure, 0)
            if figure.shape is Shape.COUNT:
                found.append(Value(figure, top, top, top))
                continue
            if figure.shape is Shape.SPAN:
                enough = top >= max(1, figure.least)
                found.append(Value(figure, seconds_of(self.spans[span]) if enough else None, top, top))
                span += 1
                continue
            for measure in figure.of:
                of += amount(measure, 0)
            found.append(Value(figure, top / of if of >= max(1, figure.least) else None, top, of))
        return found

    def value(self, figure: Figure) -> Value:
        return self.values()[FIGURES.index(figure)]


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
    is_of_facts = sight.areas is not None and (dimension is not Dimension.STREET or sight.units is not None)
    kept = _kept(period, None if is_of_facts else dimension, sight)
    if is_of_facts:
        _add_facts(kept, period, dimension, sight)

    def one(group: str) -> tuple[Row, Row]:
        return kept[group, False].get("", Row("")), kept[group, True].get("", Row(""))

    whole = one("district" if sight.is_whole else "whole")
    return Table(kept["part", False], kept["part", True], whole, one("district"))


# Rows by their keys, of the parts, of all of them as one ("whole") and of the district, now and in the period before.
_Kept = dict[tuple[str, bool], dict[str, Row]]


def _kept(period: Period, dimension: Dimension | None, sight: Sight) -> _Kept:
    """What the sums say: of counts how many, of times the steps that SHARES ask for. dimension None: of the district.

    Both are put together by the database, in a query each: a part has some dozens of steps of times.
    """
    keys = _keys(dimension, sight) if dimension is not None else None
    groups = ("district",) if dimension is None else ("district", "part") if sight.is_whole else _GROUPS
    is_one_row = period.grain != "d" or period.kind is Kind.DAY
    shape = (db.engine.dialect.name, is_one_row, groups, keys is not None)
    given = {
        "grain": period.grain, "before": period.before.first, "first": period.first, "last": period.last,
        "dimension": str(dimension), "keys": keys,
    }  # fmt: skip
    kept: _Kept = defaultdict(dict)
    for group, key, start, amounts in db.session.execute(_together(_counts, *shape), given):
        kept[group, start < period.first][key] = Row(key, amounts)
    for group, key, start, total, *spans in db.session.execute(_together(_spans, *shape), given):
        row = kept[group, start < period.first].setdefault(key, Row(key))
        row.amounts[Measure.HANDLING], row.spans = int(total), spans
    return kept


_GROUPS = ("district", "part", "whole")
_IS_TIME = NumberCell.measure == str(Measure.HANDLING)


@cache
def _together(
    made: Callable[[str, str, Subquery], Select[Any]],
    dialect: str,
    is_one_row: bool,
    groups: tuple[str, ...],
    narrowed: bool,
) -> CompoundSelect[Any]:
    """The statement for these groups, made once: to put it together takes longer than to ask it."""
    only = _IS_TIME if made is _spans else ~_IS_TIME
    return union_all(*(made(dialect, group, _sums(group, is_one_row, narrowed, only)) for group in groups))


def _sums(group: str, is_one_row: bool, narrowed: bool, *only: ColumnElement[bool]) -> Subquery:
    """(key, start, measure, bucket, amount) of a period and the one before. start: the first day of the two."""
    cell = NumberCell
    before, first, last = (bindparam(name, type_=Date()) for name in ("before", "first", "last"))
    where = [cell.grain == bindparam("grain"), cell.day.between(before, last), cell.amount > 0, *only]
    where.append(cell.dimension == ("district" if group == "district" else bindparam("dimension")))
    if narrowed and group != "district":
        where.append(cell.key.in_(bindparam("keys", expanding=True)))
    sums = (
        select(
            (literal("") if group == "whole" else cell.key).label("key"),
            (cell.day if is_one_row else case((cell.day < first, before), else_=first)).label("start"),
            cell.measure, cell.bucket, cell.amount,
        )
        .where(*where)
        .subquery()
    )  # fmt: skip
    if group != "whole" and is_one_row:
        # In the order of their key, which is that in which they are added up.
        return sums
    place = (sums.c.key, sums.c.start, sums.c.measure, sums.c.bucket)
    return select(*place, cast(func.sum(sums.c.amount), Integer).label("amount")).group_by(*place).subquery()


def _counts(dialect: str, group: str, sums: Subquery) -> Select[Any]:
    """(group, key, start, {measure: how many})."""
    one = sums.c
    make = func.json_group_object if dialect == "sqlite" else func.json_object_agg
    amounts = type_coerce(make(one.measure, one.amount), JSON)
    return select(literal(group), one.key, one.start, amounts).group_by(one.start, one.key)


def _spans(_dialect: str, group: str, sums: Subquery) -> Select[Any]:
    """(group, key, start, how many in all, then for each of SHARES the first step within which so many lie)."""
    one = sums.c
    part = (one.start, one.key)
    seen = func.sum(one.amount).over(partition_by=part, order_by=one.bucket, rows=(None, 0))
    total = func.sum(one.amount).over(partition_by=part)
    one = select(*part, one.bucket, seen.label("seen"), total.label("total")).subquery().c
    # With fractions, as `scale.step_within` compares them.
    firsts = (func.min(one.bucket).filter(one.seen >= cast(one.total, Float) * share) for share in SHARES)
    return select(literal(group), one.key, one.start, func.max(one.total), *firsts).group_by(one.start, one.key)


def _keys(dimension: str | None, sight: Sight) -> list[str] | None:
    if dimension == "unit" and sight.units is not None:
        return sorted(map(str, sight.units))
    if dimension == "street" and sight.areas is not None:
        return sorted(sight.areas)
    return None


def _add_facts(kept: _Kept, period: Period, dimension: Dimension, sight: Sight) -> None:
    """What happened in some streets only, from the facts: there are no sums of a street's units."""
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
    counts: dict[tuple[str, bool, str], Counter[str]] = defaultdict(Counter)
    times: dict[tuple[str, bool, str], Counter[int]] = defaultdict(Counter)
    for value, before, measure, seconds, amount in db.session.execute(query):
        name = "" if value is None else str(value)
        for place in (("part", bool(before), name), ("whole", bool(before), "")):
            counts[place][measure] += amount
            if measure == Measure.HANDLING:
                times[place][bucket_of(seconds or 0)] += amount
    for (group, before, name), amounts in counts.items():
        steps = times[group, before, name]
        spans = [step for step in (step_within(steps, share) for share in SHARES) if step is not None]
        kept[group, before][name] = Row(name, dict(amounts), spans)


def _within(sight: Sight) -> Iterator[ColumnElement[bool]]:
    if sight.units is not None:
        yield NumberFact.unit_id.in_(sorted(sight.units))
    if sight.areas is not None:
        yield NumberFact.area_code.in_(sorted(sight.areas))


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
                row.amounts[measure] = row.amounts.get(measure, 0) + int(amount)
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
