"""What counts: one report and its history become facts. Pure, and the only place where it is decided.

A fact depends on nothing but the report, its history and the moment it is looked at: so that counting again
comes out the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from district.reports.models import EventKind
from district.reports.states import HAS_UNIT, Status


class Measure(StrEnum):
    RECEIVED = "received"
    ASSIGNED = "assigned"
    RESPONDED = "responded"
    UNRESPONDED = "unresponded"
    ON_TIME = "on_time"
    OVERDUE = "overdue"
    CLOSED = "closed"
    REOPENED = "reopened"
    REWORKED = "reworked"
    HANDED_BACK = "handed_back"
    SHIRKED = "shirked"
    RATED = "rated"
    SOLVED = "solved"
    STARRED = "starred"
    SATISFIED = "satisfied"
    HANDLING = "handling"  # a time: from the dispatch until the unit said it was done


DISPATCHES = frozenset({EventKind.ROUTED, EventKind.ASSIGNED, EventKind.REASSIGNED})
# The kinds of history that the figures look at.
KINDS = DISPATCHES | {
    EventKind.ACCEPTED, EventKind.RESOLVED, EventKind.VERIFIED, EventKind.VERIFICATION_REFUSED, EventKind.REOPENED,
    EventKind.HANDED_BACK, EventKind.SUSPENDED, EventKind.MERGED, EventKind.WITHDRAWN, EventKind.RATED,
}  # fmt: skip
_ANSWERS = frozenset({EventKind.ACCEPTED, EventKind.RESOLVED})
_ENDS = DISPATCHES | {
    EventKind.REOPENED, EventKind.HANDED_BACK, EventKind.SUSPENDED, EventKind.MERGED, EventKind.WITHDRAWN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """What the counting depends on beside the reports. response_hours: around the clock. satisfied_stars: 1 to 5."""

    zone: ZoneInfo
    response_hours: int = 24
    satisfied_stars: int = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the history, as far as it counts. solved, stars: of a rating."""

    at: datetime
    kind: str
    unit_id: int | None = None
    solved: bool | None = None
    stars: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """A hand-back. is_shirked: refused, late, or repeated and not yet ruled on (district.reports.hand_backs)."""

    at: datetime
    unit_id: int
    is_shirked: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A report as the figures see it. lines: of KINDS, oldest first. standing_since: while its clock stands still."""

    status: str
    submitted_at: datetime
    unit_id: int | None
    area_code: str
    category_id: int | None
    handling_due_at: datetime | None
    resolved_at: datetime | None
    standing_since: datetime | None
    lines: Sequence[Line] = ()
    returned: Sequence[Returned] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    measure: Measure
    day: date
    unit_id: int | None
    seconds: int | None = None


@dataclass(slots=True)
class Counted:
    """next_at: when the same report may count otherwise although nothing happens to it."""

    facts: list[Fact] = field(default_factory=list)
    next_at: datetime | None = None

    def add(self, measure: Measure, day: date, unit_id: int | None, seconds: int | None = None) -> None:
        self.facts.append(Fact(measure, day, unit_id, seconds))

    def wait(self, until: datetime) -> None:
        self.next_at = until if self.next_at is None else min(self.next_at, until)


def count(case: Case, now: datetime, terms: Terms) -> Counted:
    """The facts of one report as of `now`."""
    counted = Counted()
    day = _days(terms.zone)
    counted.add(Measure.RECEIVED, day(case.submitted_at), case.unit_id)
    _history(counted, case, terms)
    _responses(counted, case, now, terms)
    _deadline(counted, case, now, terms)
    for back in case.returned:
        counted.add(Measure.HANDED_BACK, day(back.at), back.unit_id)
        if back.is_shirked:
            counted.add(Measure.SHIRKED, day(back.at), back.unit_id)
    return counted


def _history(counted: Counted, case: Case, terms: Terms) -> None:
    """Whatever happened counts on its day, for the unit that had the report then."""
    day = _days(terms.zone)
    unit_id: int | None = None
    since: datetime | None = None
    done: Fact | None = None
    for line in case.lines:
        if line.kind in DISPATCHES or line.kind == EventKind.REOPENED:
            # Of a work that was sent back for more, only the last word that it is done counts.
            _keep(counted, done)
            unit_id, since, done = line.unit_id, line.at, None
        if line.kind in DISPATCHES:
            counted.add(Measure.ASSIGNED, day(line.at), unit_id)
        elif line.kind == EventKind.REOPENED:
            counted.add(Measure.REOPENED, day(line.at), unit_id)
        elif line.kind == EventKind.RESOLVED and since is not None:
            done = Fact(Measure.HANDLING, day(line.at), unit_id, max(0, round((line.at - since).total_seconds())))
        elif line.kind == EventKind.VERIFICATION_REFUSED:
            counted.add(Measure.REWORKED, day(line.at), unit_id)
            done = None
        elif line.kind == EventKind.VERIFIED:
            counted.add(Measure.CLOSED, day(line.at), unit_id)
        elif line.kind == EventKind.RATED:
            _rating(counted, line, day(line.at), unit_id, terms)
    _keep(counted, done)


def _rating(counted: Counted, line: Line, day: date, unit_id: int | None, terms: Terms) -> None:
    counted.add(Measure.RATED, day, unit_id)
    if line.solved:
        counted.add(Measure.SOLVED, day, unit_id)
    # Whoever says "not solved" is not content, whether they gave stars or not.
    if line.stars is not None or not line.solved:
        counted.add(Measure.STARRED, day, unit_id)
        if line.solved and line.stars is not None and line.stars >= terms.satisfied_stars:
            counted.add(Measure.SATISFIED, day, unit_id)


def _responses(counted: Counted, case: Case, now: datetime, terms: Terms) -> None:
    """Each time a unit was given the report: did it take it on in time? Counts on the day it was given."""
    day = _days(terms.zone)
    limit = timedelta(hours=terms.response_hours)
    for place, line in enumerate(case.lines):
        if line.kind not in DISPATCHES and line.kind != EventKind.REOPENED:
            continue
        until = line.at + limit
        first = next((later for later in case.lines[place + 1 :] if later.kind in _ANSWERS | _ENDS), None)
        if first is not None and first.at <= until:
            if first.kind in _ANSWERS:
                counted.add(Measure.RESPONDED, day(line.at), line.unit_id)
            # Else it was taken away, handed back or put aside before the time was over: says nothing.
        elif now > until:
            counted.add(Measure.UNRESPONDED, day(line.at), line.unit_id)
        else:
            counted.wait(until)


def _deadline(counted: Counted, case: Case, now: datetime, terms: Terms) -> None:
    """The present clock, once its deadline has passed; a clock that stands still has no deadline yet."""
    due = case.handling_due_at
    if due is None or case.status not in HAS_UNIT:
        return
    is_done = case.status in (Status.RESOLVED, Status.CLOSED) and case.resolved_at is not None
    if not is_done and case.standing_since is not None and case.standing_since <= due:
        return
    if now <= due:
        counted.wait(due)
        return
    in_time = is_done and case.resolved_at is not None and case.resolved_at <= due
    counted.add(Measure.ON_TIME if in_time else Measure.OVERDUE, _days(terms.zone)(due), case.unit_id)


def _keep(counted: Counted, done: Fact | None) -> None:
    if done is not None:
        counted.facts.append(done)


def _days(zone: ZoneInfo) -> Callable[[datetime], date]:
    """What gives the day of a moment in the district's zone."""
    return lambda moment: moment.astimezone(zone).date()


def cells_of(fact: Fact, area_code: str, category_id: int | None) -> Iterable[tuple[str, str, date, str]]:
    """The sums that a fact belongs to, as (grain, dimension, day, key)."""
    unit = "" if fact.unit_id is None else str(fact.unit_id)
    category = "" if category_id is None else str(category_id)
    month, year = fact.day.replace(day=1), fact.day.replace(month=1, day=1)
    for dimension, key in (("district", ""), ("unit", unit), ("street", area_code), ("category", category)):
        yield "d", dimension, fact.day, key
        yield "m", dimension, month, key
        yield "y", dimension, year, key
