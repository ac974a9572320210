"""The figures that people read: each defined here once, worked out from the sums.

A figure's name, formula and exclusions in words are in the catalogue under `numbers.figure.<code>`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import func, select

from district.extensions import db
from district.numbers.counting import Measure
from district.numbers.models import NumberCell, NumberFact
from district.numbers.periods import Period
from district.numbers.scale import percentile
from district.reports.hand_backs import least_dispatches
from district.reports.models import Report


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


def district_row(period: Period) -> Row:
    """The whole district in a period."""
    return _rows(period, "district", None).get("", Row(""))


def rows(period: Period, dimension: Dimension, *, keys: Collection[str] | None = None) -> dict[str, Row]:
    """Everything of a dimension that has any sum in the period, by key. keys: only these, None for all."""
    return _rows(period, str(dimension), keys)


def together(found: Iterable[Row]) -> Row:
    """Several rows as one: a unit with those below it."""
    whole = Row("")
    for row in found:
        for measure, amount in row.amounts.items():
            whole.amounts[measure] += amount
        for bucket, amount in row.times.items():
            whole.times[bucket] += amount
    return whole


def course(periods: Sequence[Period], dimension: str = "district", keys: Collection[str] = ("",)) -> list[Row]:
    """The same row in periods that follow one another, in one query; keys are taken together."""
    first, last = periods[0].first, periods[-1].last
    grain = "m" if periods[0].is_of_months else "d"
    query = (
        select(NumberCell.day, NumberCell.measure, NumberCell.bucket, func.sum(NumberCell.amount))
        .where(
            NumberCell.grain == grain,
            NumberCell.dimension == dimension,
            NumberCell.day.between(first, last),
            NumberCell.key.in_(list(keys)),
            NumberCell.amount > 0,
        )
        .group_by(NumberCell.day, NumberCell.measure, NumberCell.bucket)
    )
    found = [Row("") for _ in periods]
    for day, measure, bucket, amount in db.session.execute(query):
        for row, one in zip(found, periods, strict=True):
            if one.first <= day <= one.last:
                row.add(measure, bucket, int(amount))
    return found


def _rows(period: Period, dimension: str, keys: Collection[str] | None) -> dict[str, Row]:
    query = (
        select(NumberCell.key, NumberCell.measure, NumberCell.bucket, func.sum(NumberCell.amount))
        .where(
            NumberCell.grain == ("m" if period.is_of_months else "d"),
            NumberCell.dimension == dimension,
            NumberCell.day.between(period.first, period.last),
            NumberCell.amount > 0,
        )
        .group_by(NumberCell.key, NumberCell.measure, NumberCell.bucket)
    )
    if keys is not None:
        query = query.where(NumberCell.key.in_(list(keys)))
    found: dict[str, Row] = {}
    for key, measure, bucket, amount in db.session.execute(query):
        found.setdefault(key, Row(key)).add(measure, bucket, int(amount))
    return found


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact with its report, for the list behind a number."""

    fact: NumberFact
    report: Report


def behind(
    figure: Figure,
    period: Period,
    *,
    dimension: Dimension | None = None,
    key: str = "",
    units: Collection[int] | None = None,
    limit: int = 200,
) -> list[Entry]:
    """What a number is made of, newest first. dimension None: of the whole district.

    key: as in `Row`. units: only what counted for these units, None for all. A report that counts twice is there twice.
    """
    query = (
        select(NumberFact, Report)
        .join(Report, Report.id == NumberFact.report_id)
        .where(NumberFact.measure.in_(figure.shown), NumberFact.day.between(period.first, period.last))
        .order_by(NumberFact.day.desc(), NumberFact.id.desc())
        .limit(limit)
    )
    if dimension is Dimension.STREET:
        query = query.where(NumberFact.area_code == key)
    elif dimension is not None:
        column = NumberFact.unit_id if dimension is Dimension.UNIT else NumberFact.category_id
        number = int(key) if key.isascii() and key.isdecimal() and len(key) < 19 else -1
        query = query.where(column == number if key else column.is_(None))
    if units is not None:
        query = query.where(NumberFact.unit_id.in_(list(units)))
    return [Entry(fact, report) for fact, report in db.session.execute(query)]
