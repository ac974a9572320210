"""Which of a batch of waiting reports are about something that others have reported: before they are routed.

Two cases are sure enough to join without asking anybody: the same facility with the same trouble within some hours, and
an incident (`district.reports.incidents`): so many reports of a category within so many metres and minutes. All else is
suggested to the resident and the dispatcher (`district.reports.similar`).

The cost is per batch, not per report: what is going on is one query over a nearly empty index; how many like reports
lie around each new one is one query over the index of open places, which what has joined is not in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from math import cos, radians
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import aliased

from district import clock, work
from district.categories.models import Urgency
from district.extensions import db
from district.geo.measure import METRES_A_DEGREE, metres_between
from district.reference import Reference
from district.reports import incidents, merging
from district.reports.incidents import Rule
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.similar import PUBLIC_INTENTS
from district.reports.states import OPEN, WAITING_FOR_DISPATCH, WITH_UNIT, Status

FACILITY, INCIDENT = "facility", "incident"
# Where the district says nothing: the same trouble of one facility is the same thing for so long.
DEFAULT_SURE_HOURS = 24
# Enough to know that there is an incident; who lies around it besides joins it from then on.
MOST_READ = 50
# PostgreSQL: one batch at a time looks whether an incident has begun, else two would begin it twice.
_ONE_AT_A_TIME = 7_300_410_006
_RUNNING = tuple(str(status) for status in sorted(WAITING_FOR_DISPATCH | WITH_UNIT))
_ROUTED = tuple(status for status in _RUNNING if status != Status.SUBMITTED)
# Written out as the index over open places is: with bound values SQLite cannot see that it applies.
_IS_OPEN = "{0}.status not in ('closed','rejected','merged','withdrawn')"


@dataclass(frozen=True)
class Newcomer:
    """A waiting report, locked, with what the router understood of it. category_code, category_id: None if unknown."""

    report: Report
    category_id: int | None
    category_code: str | None
    urgency: Urgency
    intent: str
    latitude: float | None
    longitude: float | None


@dataclass
class Head:
    """The report that others join, locked. unit_id: the unit that has it. joined: who joins it now, in order.

    own: the report itself where it is one of this batch, whose unit is known only after it was routed.
    """

    id: int
    number: str
    unit_id: int | None
    how: str
    others: int
    own: Report | None = None
    joined: list[Newcomer] = field(default_factory=list)


@dataclass
class Gathered:
    """What the batch falls into. busy: ids that must wait a moment, because somebody holds what they would join."""

    heads: list[Head] = field(default_factory=list)
    busy: frozenset[int] = frozenset()

    def joining(self) -> frozenset[int]:
        """The ids of the reports that join another."""
        return frozenset(one.report.id for head in self.heads for one in head.joined)


@dataclass
class _Target:
    """Something to join, found without a lock. kind of `how`; place and radius for an incident only."""

    id: int
    category_id: int
    how: str
    latitude: float = 0.0
    longitude: float = 0.0
    radius_m: float = 0.0
    members: int = 1
    own: Report | None = None


def gather(newcomers: Sequence[Newcomer], ref: Reference) -> Gathered:
    """Which of these join what. Opens an incident where one has begun. Inside a unit of work, in a `batch`."""
    rule = incidents.rule_of(ref)
    sure_hours = float(ref.setting("similar.sure_hours", DEFAULT_SURE_HOURS))
    able = [one for one in newcomers if one.category_id is not None and one.intent in PUBLIC_INTENTS]
    choices: dict[int, _Target] = {}
    if sure_hours > 0:
        choices |= _at_facilities([one for one in able if one.report.facility_id is not None], sure_hours)
    placed = [
        one
        for one in able
        if rule.is_on
        and one.report.latitude is not None
        and one.report.id not in choices
        and one.category_code not in rule.own_categories
    ]
    if placed:
        choices |= _at_incidents(placed, rule)
    if not choices:
        return Gathered()
    alone = _left_before(choices) | _others({id_ for id_, target in choices.items() if target.how == FACILITY})
    wanted: dict[int, tuple[_Target, list[Newcomer]]] = {}
    for one in able:
        target = choices.get(one.report.id)
        # Whoever took it out of such a thing before knew better.
        if target is not None and target.id != one.report.id and one.report.id not in alone:
            wanted.setdefault(target.id, (target, []))[1].append(one)
    return _take(wanted)


def finish(gathered: Gathered) -> None:
    """After all are written: the incidents have grown."""
    for head in sorted(gathered.heads, key=lambda head: head.id):
        if head.how == INCIDENT and head.joined:
            incidents.grow(head.id, [(one.latitude, one.longitude) for one in head.joined])


# The same trouble of one facility


@cache
def _facility_query() -> Any:
    return (
        select(Report.facility_id, Report.category_id, func.min(Report.id))
        .where(
            Report.facility_id.in_(bindparam("facilities", expanding=True)),
            Report.status.in_(_RUNNING),
            Report.category_id.is_not(None),
            Report.submitted_at >= bindparam("since"),
            Report.intent.in_(PUBLIC_INTENTS),
            Report.id.not_in(bindparam("batch", expanding=True)),
        )
        .group_by(Report.facility_id, Report.category_id)
    )


def _at_facilities(newcomers: Sequence[Newcomer], hours: float) -> dict[int, _Target]:
    if not newcomers:
        return {}
    rows = work.connection().execute(
        _facility_query(),
        {
            "facilities": sorted({int(one.report.facility_id or 0) for one in newcomers}),
            "since": clock.now() - timedelta(hours=hours),
            "batch": [one.report.id for one in newcomers],
        },
    )
    first: dict[tuple[int, int], _Target] = {
        (facility, category): _Target(eldest, category, FACILITY) for facility, category, eldest in rows
    }
    found = {}
    for one in sorted(newcomers, key=lambda one: one.report.id):
        key = (int(one.report.facility_id or 0), int(one.category_id or 0))
        if key in first:
            found[one.report.id] = first[key]
        else:
            first[key] = _Target(one.report.id, key[1], FACILITY, own=one.report)
    return found


# Incidents


def _at_incidents(newcomers: Sequence[Newcomer], rule: Rule) -> dict[int, _Target]:
    targets = _going_on(rule)
    found, rest = _covered(newcomers, targets)
    if not rest:
        return found
    around = _around(rest, rule)
    alike: dict[int, list[Newcomer]] = defaultdict(list)
    for one in rest:
        alike[one.category_id or 0].append(one)
    looked_again = False
    for one in sorted(rest, key=lambda one: one.report.id):
        if one.report.id in found:
            continue
        there, others = around.get(one.report.id, {}).get(one.category_id or 0, 0), alike[one.category_id or 0]
        if len(others) + there < rule.reports:
            continue
        near = [other for other in others if other.report.id not in found and _is_like(one, other, rule)]
        if len(near) + there < rule.reports:
            continue
        if not looked_again:
            looked_again = True
            _wait_for_turn()
            newer = [target for target in _going_on(rule) if target.id not in {known.id for known in targets}]
            targets += newer
            found |= _covered([other for other in rest if other.report.id not in found], newer)[0]
            if one.report.id in found:
                continue
        target = _begin(one, near, rule, {known.id: known for known in targets})
        if target is not None:
            targets.append(target)
            found |= _covered([other for other in rest if other.report.id not in found], [target])[0]
    return found


def _going_on(rule: Rule) -> list[_Target]:
    return [
        _Target(row.report_id, row.category_id, INCIDENT, row.latitude, row.longitude, row.radius_m, row.members)
        for row in incidents.going_on(clock.now(), rule)
    ]


def _covered(newcomers: Iterable[Newcomer], targets: Sequence[_Target]) -> tuple[dict[int, _Target], list[Newcomer]]:
    """Which incident takes each in, the nearest one; and who is left."""
    by_category: dict[int, list[_Target]] = defaultdict(list)
    for target in targets:
        by_category[target.category_id].append(target)
    found: dict[int, _Target] = {}
    rest = []
    for one in newcomers:
        near = [
            (away, target.id, target)
            for target in by_category.get(one.category_id or 0, ())
            if (away := _metres(one.report, target.latitude, target.longitude)) <= target.radius_m
        ]
        if near:
            found[one.report.id] = min(near)[2]
        else:
            rest.append(one)
    return found, rest


def _is_like(one: Newcomer, other: Newcomer, rule: Rule) -> bool:
    if one.category_id != other.category_id or other.report.latitude is None or other.report.longitude is None:
        return False
    if abs(one.report.submitted_at - other.report.submitted_at) > rule.within:
        return False
    return _metres(one.report, other.report.latitude, other.report.longitude) <= rule.metres


def _metres(report: Report, latitude: float, longitude: float) -> float:
    if report.latitude is None or report.longitude is None:
        return float("inf")
    return metres_between(report.latitude, report.longitude, latitude, longitude)


@cache
def _around_query() -> Any:
    """How many routed reports lie in the box around each of these, by category. What has joined is in no box."""
    new, near = aliased(Report, name="new"), aliased(Report, name="near")
    north: Any = bindparam("north")
    east: Any = bindparam("east")
    return (
        select(new.id, near.category_id, func.count())
        .join(
            near,
            near.latitude.between(new.latitude - north, new.latitude + north)
            & near.longitude.between(new.longitude - east, new.longitude + east),
        )
        .where(
            new.id.in_(bindparam("batch", expanding=True)),
            text(_IS_OPEN.format("near")),
            near.status.in_(_ROUTED),
            near.submitted_at >= bindparam("since"),
            near.category_id.is_not(None),
        )
        .group_by(new.id, near.category_id)
    )


def _around(newcomers: Sequence[Newcomer], rule: Rule) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    north, east = _degrees(rule.metres, newcomers[0].report.latitude or 0.0)
    rows = work.connection().execute(
        _around_query(),
        {
            "batch": [one.report.id for one in newcomers],
            "north": north,
            "east": east,
            "since": min(one.report.submitted_at for one in newcomers) - rule.within,
        },
    )
    for report_id, category_id, number in rows:
        found[report_id][category_id] = number
    return found


def _degrees(metres: float, latitude: float) -> tuple[float, float]:
    north = metres / METRES_A_DEGREE
    return north, north / max(0.01, cos(radians(latitude)))


def _wait_for_turn() -> None:
    """Until the batch that looks before us has committed. On SQLite there is no other."""
    if work.connection().dialect.name == "postgresql":
        work.connection().execute(text("select pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})


def _begin(one: Newcomer, near: Sequence[Newcomer], rule: Rule, known: Mapping[int, _Target]) -> _Target | None:
    """Open an incident on the eldest of those around `one`, if they are enough on a close look; its older ones join.

    known: what is going on. Where the middle of it has moved away, it still takes in what lies around its eldest.
    """
    north, east = _degrees(rule.metres, one.report.latitude or 0.0)
    latitude, longitude = one.report.latitude or 0.0, one.report.longitude or 0.0
    rows = db.session.scalars(
        select(Report)
        .where(
            text(_IS_OPEN.format("report")),
            Report.latitude.between(latitude - north, latitude + north),
            Report.longitude.between(longitude - east, longitude + east),
            Report.category_id == one.category_id,
            Report.status.in_(_ROUTED),
            Report.intent.in_(PUBLIC_INTENTS),
            Report.submitted_at >= one.report.submitted_at - rule.within,
            Report.submitted_at <= one.report.submitted_at + rule.within,
        )
        .order_by(Report.id)
        .limit(MOST_READ)
        # Whom somebody is dealing with right now is left to them.
        .with_for_update(skip_locked=True)
    ).all()
    # What joined a moment ago, in this very batch, is not yet written.
    routed = [row for row in rows if row.status in _ROUTED and _metres(row, latitude, longitude) <= rule.metres]
    if len(routed) + len(near) < rule.reports:
        return None
    head = next((row for row in routed if row.id in known), None)
    if head is not None:
        return replace(
            known[head.id],
            latitude=float(head.latitude or 0),
            longitude=float(head.longitude or 0),
            radius_m=rule.metres,
        )
    eldest = min([*routed, *(other.report for other in near)], key=lambda report: report.id)
    own = next((other for other in near if other.report is eldest), None)
    if own is not None:
        eldest.category_id = own.category_id
    joining = [row for row in routed if row is not eldest and _is_free(row)]
    others = [other for other in near if other.report is not eldest]
    everybody = [eldest, *joining, *(other.report for other in others)]
    circle = incidents.circle_of([(float(row.latitude or 0), float(row.longitude or 0)) for row in everybody], rule)
    eldest.has_followers = True
    merging.raise_urgency(eldest, [row.urgency for row in joining] + [other.urgency for other in others])
    unit = _unit_name(eldest.unit_id)
    incidents.open_on(eldest, circle, members=1 + len(joining))
    for count, row in enumerate(joining, 1):
        merging.join(row, eldest, how=INCIDENT, others=count, unit=unit)
    return _Target(
        eldest.id, one.category_id or 0, INCIDENT, circle.latitude, circle.longitude, circle.radius_m,
        1 + len(joining), eldest,
    )  # fmt: skip


def _is_free(report: Report) -> bool:
    """Nobody has set out for it, nothing has joined it, nobody took it out of another, it waits for nobody's word."""
    if Status(report.status) not in WAITING_FOR_DISPATCH | {Status.ASSIGNED}:
        return False
    return not (report.has_followers or report.hand_back_pending or _left_before([report.id]))


def _unit_name(unit_id: int | None) -> str:
    from district.reference import reference

    unit = reference().units_by_id.get(unit_id) if unit_id is not None else None
    return unit.name if unit is not None else ""


def _left_before(report_ids: Iterable[int]) -> frozenset[int]:
    """Those that somebody took out of another report."""
    query = select(ReportEvent.report_id).where(
        ReportEvent.report_id.in_(list(report_ids)), ReportEvent.kind == EventKind.UNMERGED
    )
    return frozenset(db.session.scalars(query))


def _others(report_ids: Collection[int]) -> frozenset[int]:
    """Those whose reporter has seen what is reported of the facility and says that it is something else."""
    if not report_ids:
        return frozenset()
    query = select(ReportEvent.report_id, ReportEvent.data).where(
        ReportEvent.report_id.in_(report_ids), ReportEvent.kind == EventKind.SUBMITTED
    )
    return frozenset(report_id for report_id, data in db.session.execute(query) if data.get("another"))


# Taking what they join


def _take(wanted: dict[int, tuple[_Target, list[Newcomer]]]) -> Gathered:
    """Lock what is joined, each for as short as it takes; what is over by now is joined by nobody.

    Nobody is waited for, so no two workers can lock each other out: what is held leaves its newcomers for a moment.
    """
    heads: list[Head] = []
    others = {target_id: pair for target_id, pair in wanted.items() if pair[0].own is None}
    held = _locked_heads(others)
    busy: set[int] = set()
    counts = incidents.joined_counts([id_ for id_, (target, _) in others.items() if target.how == FACILITY])
    for target_id, (target, newcomers) in wanted.items():
        if target.own is not None:
            _prepare(target.own, newcomers)
            heads.append(
                Head(
                    target_id, target.own.number, target.own.unit_id, target.how, target.members, target.own, newcomers
                )
            )
            continue
        row = held.get(target_id)
        if row is None:
            busy |= {one.report.id for one in newcomers}
        elif row.status in OPEN:
            known = 1 + counts.get(target_id, 0) if target.how == FACILITY else target.members
            heads.append(Head(target_id, row.number, row.unit_id, target.how, known, None, newcomers))
    return Gathered(heads, frozenset(busy))


_COLUMNS = (Report.id, Report.number, Report.status, Report.unit_id, Report.has_followers, Report.urgency)
_HEAD_SHARED = (
    select(*_COLUMNS)
    .where(Report.id.in_(bindparam("ids", expanding=True)))
    .order_by(Report.id)
    .with_for_update(read=True, skip_locked=True)
)
_HEAD_ALONE = (
    select(Report)
    .where(Report.id.in_(bindparam("ids", expanding=True)))
    .order_by(Report.id)
    .with_for_update(skip_locked=True)
    .execution_options(populate_existing=True)
)


def _locked_heads(wanted: dict[int, tuple[_Target, list[Newcomer]]]) -> dict[int, Any]:
    """Those that can be had, by id. Several workers may join one at once: only who changes it holds it alone."""
    if not wanted:
        return {}
    standing = {
        row.id: row
        for row in work.connection().execute(select(*_COLUMNS).where(Report.id.in_(wanted)))
    }  # fmt: skip
    alone = [
        target_id
        for target_id, (_, newcomers) in wanted.items()
        if not standing[target_id].has_followers
        or merging.need_raising(standing[target_id].urgency, [one.urgency for one in newcomers])
    ]
    shared = [target_id for target_id in wanted if target_id not in alone]
    found: dict[int, Any] = {}
    if shared:
        found |= {row.id: row for row in work.connection().execute(_HEAD_SHARED, {"ids": shared})}
    if alone:
        for report in db.session.scalars(_HEAD_ALONE, {"ids": alone}):
            if report.status in OPEN:
                _prepare(report, wanted[report.id][1])
            found[report.id] = report
    return found


def _prepare(head: Report, newcomers: Sequence[Newcomer]) -> None:
    head.has_followers = True
    merging.raise_urgency(head, [one.urgency for one in newcomers])
