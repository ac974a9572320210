"""Incidents: many residents report one thing in a short time, and all of it is one report with one alarm.

The eldest report is the incident; the others have joined it (`district.reports.merging`), and their residents hear of
every step. Who finds that there is one is the router (`district.routing.gathering`). None of these commits.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import joinedload

from district import audit, clock, work
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.geo.measure import metres_between
from district.notifications import service as notifications
from district.people.models import Staff
from district.reference import Reference, reference
from district.reports.guards import SYSTEM, Actor, may
from district.reports.history import record
from district.reports.models import EventKind, Incident, Report
from district.reports.states import OPEN, Action
from district.rows import put
from district.words import clean

LONGEST_ANNOUNCEMENT = 300
PAGE_SIZE = 50
# Where the district says nothing: this many like reports within so many metres and minutes are an incident.
DEFAULT_REPORTS, DEFAULT_METRES, DEFAULT_MINUTES = 3, 150, 30
# Nothing new for so long: what comes then is looked at by itself.
DEFAULT_QUIET_HOURS = 6
# People stand around a thing, each somewhere else: what belongs to it reaches further than from one to the next.
REACH = 1.5


@dataclass(frozen=True)
class Rule:
    """When reports are an incident: the district's settings `incident.*`.

    reports: how many it takes, 0 for never. own_categories: codes of categories of which each report is a thing of
    its own (a car parked wrongly), however many there are.
    """

    reports: int
    metres: float
    within: timedelta
    quiet: timedelta
    own_categories: frozenset[str]

    @property
    def is_on(self) -> bool:
        return self.reports > 1


def rule_of(ref: Reference) -> Rule:
    """The rule in force, read once for each state of the settings."""
    return ref.once("incidents.rule", _read_rule)


def _read_rule(ref: Reference) -> Rule:
    return Rule(
        reports=int(ref.setting("incident.reports", DEFAULT_REPORTS)),
        metres=float(ref.setting("incident.metres", DEFAULT_METRES)),
        within=timedelta(minutes=float(ref.setting("incident.minutes", DEFAULT_MINUTES))),
        quiet=timedelta(hours=float(ref.setting("incident.quiet_hours", DEFAULT_QUIET_HOURS))),
        own_categories=frozenset(ref.setting("incident.own_categories", ())),
    )


_GOING_ON = (
    select(
        Incident.report_id, Incident.category_id, Incident.latitude, Incident.longitude, Incident.radius_m,
        Incident.members, Report.number, Report.unit_id, Report.urgency, Report.has_followers,
    )
    .join(Report, Report.id == Incident.report_id)
    .where(
        Incident.ended_at.is_(None),
        Incident.last_at > bindparam("since"),
        Report.status.in_([str(status) for status in sorted(OPEN)]),
    )
    .order_by(Incident.id)
)  # fmt: skip


def going_on(now: datetime, rule: Rule) -> Sequence[Any]:
    """The incidents that take in what is reported now, as rows: one query over a nearly empty index."""
    return work.connection().execute(_GOING_ON, {"since": now - rule.quiet}).all()


@dataclass(frozen=True)
class Circle:
    """Where an incident is: its middle, WGS-84, and how far it reaches, in metres."""

    latitude: float
    longitude: float
    radius_m: float


def circle_of(places: Sequence[tuple[float, float]], rule: Rule) -> Circle:
    """Around all of these places."""
    latitude = sum(north for north, _ in places) / len(places)
    longitude = sum(east for _, east in places) / len(places)
    furthest = max(metres_between(latitude, longitude, north, east) for north, east in places)
    return Circle(latitude, longitude, max(rule.metres * REACH, furthest))


def open_on(eldest: Report, circle: Circle, *, members: int) -> None:
    """An incident begins. eldest: locked, with its category. members: how many reports it is already."""
    now = clock.now()
    # An old one that nobody has ended yet: nothing was heard of it for too long to be this one.
    db.session.execute(
        update(Incident)
        .where(Incident.report_id == eldest.id, Incident.ended_at.is_(None))
        .values(ended_at=now)
        .execution_options(synchronize_session=False)
    )
    put(
        Incident,
        report_id=eldest.id,
        category_id=eldest.category_id,
        latitude=circle.latitude,
        longitude=circle.longitude,
        radius_m=circle.radius_m,
        members=members,
        since=eldest.submitted_at,
        opened_at=now,
        last_at=now,
    )
    record(eldest, EventKind.INCIDENT_OPENED, SYSTEM, is_public=False)


_incident = cast(Table, Incident.__table__)
_now = _incident.c.members
# The middle moves with those who join: it is where the thing is, not where the first one stood.
_GROW = (
    _incident.update()
    .where(_incident.c.report_id == bindparam("eldest"), _incident.c.ended_at.is_(None))
    .values(
        latitude=(_incident.c.latitude * _now + bindparam("north")) / (_now + bindparam("n")),
        longitude=(_incident.c.longitude * _now + bindparam("east")) / (_now + bindparam("n")),
        members=_now + bindparam("n"),
        last_at=bindparam("now"),
    )
)  # fmt: skip


def grow(report_id: int, places: Sequence[tuple[float | None, float | None]]) -> None:
    """Reports with these places have joined this one; does nothing where it is no incident."""
    known = [(north, east) for north, east in places if north is not None and east is not None]
    if known:
        work.connection().execute(
            _GROW,
            {
                "eldest": report_id,
                "north": sum(north for north, _ in known),
                "east": sum(east for _, east in known),
                "n": len(known),
                "now": clock.now(),
            },
        )


def shrink(report_id: int) -> None:
    """One report has left."""
    db.session.execute(
        update(Incident)
        .where(Incident.report_id == report_id, Incident.ended_at.is_(None), Incident.members > 1)
        .values(members=Incident.members - 1)
        .execution_options(synchronize_session=False)
    )


def follow_head(from_id: int, to_id: int) -> None:
    """What the incident is about has become part of another report, or another one takes its place.

    Where the other is an incident, too, the two are one. Both are locked, and who joined them has moved already.
    """
    db.session.flush()
    own, other = _running(from_id), _running(to_id)
    if own is None:
        return
    if other is not None:
        own.ended_at = clock.now()
    else:
        own.report_id = to_id
    (other or own).members = 1 + joined_counts([to_id]).get(to_id, 0)
    db.session.flush()


def end(incident_id: int, *, by: Staff) -> Incident:
    """It is over: what is reported now is looked at by itself. Its reports stay together. Twice is once.

    Raises NotFound, NotAllowed.
    """
    incident = _locked(incident_id)
    if not may(by, Action.MERGE, incident.report):
        raise NotAllowed()
    if incident.ended_at is None:
        _end(incident, by)
        audit.record(by, "incident.end", f"report:{incident.report_id}")
    return incident


def end_quiet(limit: int = 100) -> int:
    """End those of which nothing was heard for the district's quiet hours, or whose report is done. How many."""
    now, rule = clock.now(), rule_of(reference())
    over = db.session.scalars(
        select(Incident)
        .join(Report, Report.id == Incident.report_id)
        .where(
            Incident.ended_at.is_(None),
            (Incident.last_at <= now - rule.quiet) | Report.status.not_in([str(status) for status in sorted(OPEN)]),
        )
        .order_by(Incident.id)
        .limit(limit)
        .with_for_update(of=Incident, skip_locked=True)
    ).all()
    for incident in over:
        _end(incident, SYSTEM)
    return len(over)


def announce(incident_id: int, *, by: Staff, text: str) -> int:
    """Tell everybody who reported it the same words, each once. Returns how many residents are told.

    text: 1 to 300 characters, shown as written.
    Raises NotFound, NotAllowed, BadInput, and WrongState when its report is over.
    """
    incident = _locked(incident_id)
    if not may(by, Action.MERGE, incident.report):
        raise NotAllowed()
    if incident.report.status not in OPEN:
        raise WrongState("errors.report_ended")
    text = clean(text)
    if not text:
        raise BadInput(fields={"text": "errors.note_missing"})
    if len(text) > LONGEST_ANNOUNCEMENT:
        raise BadInput(fields={"text": "incidents.error.long"})
    record(incident.report, EventKind.ANNOUNCED, by, unit_id=incident.report.unit_id, note=text)
    audit.record(by, "incident.announce", f"report:{incident.report_id}")
    return notifications.tell(incident.report, "announced", text=text)


# What pages show


def newest(*, over: bool = False, before: int | None = None, limit: int = PAGE_SIZE) -> list[Incident]:
    """Incidents, newest first, going on or over; by keyset, each with its report and the report's unit."""
    query = select(Incident).where(Incident.ended_at.is_not(None) if over else Incident.ended_at.is_(None))
    if before is not None:
        query = query.where(Incident.id < before)
    return list(
        db.session.scalars(
            query.options(
                joinedload(Incident.report).joinedload(Report.unit), joinedload(Incident.category),
                joinedload(Incident.ended_by),
            )
            .order_by(Incident.id.desc())
            .limit(limit)
        )
    )  # fmt: skip


def count_going_on() -> int:
    """How many there are now, for the panel."""
    return db.session.scalar(select(func.count()).select_from(Incident).where(Incident.ended_at.is_(None))) or 0


def find(incident_id: int) -> Incident:
    """One incident. Raises NotFound."""
    incident = db.session.get(Incident, incident_id)
    if incident is None:
        raise NotFound()
    return incident


def latest_of(report_id: int) -> Incident | None:
    """The incident that this report is, or was last."""
    return db.session.scalar(
        select(Incident).where(Incident.report_id == report_id).order_by(Incident.id.desc()).limit(1)
    )


def members_of(report_id: int, *, before: int | None = None, limit: int = PAGE_SIZE) -> list[Report]:
    """The reports that have joined this one, newest first; by keyset."""
    query = select(Report).where(Report.parent_id == report_id)
    if before is not None:
        query = query.where(Report.id < before)
    return list(db.session.scalars(query.order_by(Report.id.desc()).limit(limit)))


def joined_counts(report_ids: Collection[int]) -> dict[int, int]:
    """How many reports have joined each of these; those that nothing joined are left out. One query."""
    if not report_ids:
        return {}
    rows = db.session.execute(
        select(Report.parent_id, func.count()).where(Report.parent_id.in_(list(report_ids))).group_by(Report.parent_id)
    )
    return {int(parent_id): number for parent_id, number in rows if parent_id is not None}


def _running(report_id: int) -> Incident | None:
    return db.session.scalar(
        select(Incident).where(Incident.report_id == report_id, Incident.ended_at.is_(None)).with_for_update()
    )


def _locked(incident_id: int) -> Incident:
    """The incident, its report locked first, as everybody does."""
    report_id = find(incident_id).report_id
    db.session.scalar(select(Report).where(Report.id == report_id).with_for_update())
    return db.session.get_one(Incident, incident_id, with_for_update={"of": Incident}, populate_existing=True)


def _end(incident: Incident, by: Actor) -> None:
    incident.ended_at = clock.now()
    incident.ended_by_id = by.id if isinstance(by, Staff) else None
    record(incident.report, EventKind.INCIDENT_ENDED, by, is_public=False, data={"members": incident.members})
