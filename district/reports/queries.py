"""Lists and counts of reports for panel and pages. Each takes its limit; none commits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    TextClause,
    and_,
    any_,
    bindparam,
    case,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased, joinedload, selectinload

from district import clock
from district.categories.models import Urgency
from district.columns import BigId
from district.extensions import db
from district.facilities.models import Facility
from district.geo.measure import metres_between
from district.people.models import Resident, Staff
from district.reference import reference
from district.reports import keys, numbers
from district.reports.models import (
    URGES,
    EventKind,
    HandBack,
    Photo,
    PhotoState,
    Report,
    ReportEvent,
    ReportFollower,
    ReportUnit,
)
from district.reports.states import DEFAULT_REOPEN_DAYS, WAITING_FOR_DISPATCH, WITH_UNIT, Status
from district.search import service as search
from district.tags.models import ReportTag

PAGE_SIZE = 25
# Written out as the partial index over open work is: with bound values SQLite cannot see that the index applies,
# and every list would read all reports ever stored.
_IS_OPEN = text("report.status in ('submitted','triage','assigned','in_progress','resolved','suspended')")


class Queue(StrEnum):
    """A pile of open work, by what is to be done next."""

    TRIAGE = "triage"  # no rule could decide: somebody has to look at it
    DISPATCH = "dispatch"  # waits for its unit, what is in TRIAGE too
    HAND_BACKS = "hand_backs"  # a unit says it is not theirs: to be ruled on
    EXTENSIONS = "extensions"  # a unit asks for more time: to be ruled on
    ACCEPT = "accept"  # given to a unit that has not begun
    HANDLE = "handle"  # being worked on
    VERIFY = "verify"  # done, to be checked by somebody else
    WAITING = "waiting"  # the resident was asked something: the clock stands still
    SUSPENDED = "suspended"  # put aside: the clock stands still
    OVERDUE = "overdue"
    OPEN = "open"  # all of it


# What may be asked about a clock and about a resident's rating.
DUE_STATES = ("overdue", "day", "paused")
RATINGS = ("solved", "not_solved", "low", "none")
_DUE_SOON = timedelta(days=1)
# How the history tells a call that nobody answered, and for how long nobody is called again.
NO_ANSWER = "no_answer"
_CALLED_AGAIN_AFTER = timedelta(hours=20)
# Written out for the same reason as _IS_OPEN.
_REOPENED = text("report.reopen_count > 0")
_LOW = text("report.stars <= 2")
_REFUSED_STATUSES = frozenset({Status.REJECTED, Status.MERGED, Status.WITHDRAWN})
_IS_REFUSED = text("report.status in ('rejected','merged','withdrawn')")


@dataclass(frozen=True)
class Box:
    """A part of the map, in degrees (WGS-84)."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What a list is narrowed to; empty means everything.

    words: a report number, or words of the description or address. overdue: only those past their handling due.
    units: ids, areas: codes of streets, for people who see only those (`sight.Sight`); None for who sees all.
    unit_id: one responsible unit.
    queues: any of these piles. verifier_unit_id: whose staff may not verify their own unit's work; leaves that out
    of VERIFY.
    category_ids, unit_ids: any of these. staff_username: who has done something to it. since, until: when it came;
    closed_since, closed_until: when it was closed. due: one of DUE_STATES; `day` is less than a day left.
    rating: one of RATINGS; `none` is closed and not rated. handed_back: ever. waiting: for the resident's answer.
    tag_id: those with this tag.
    box: only what lies in it. call_back: only those whose resident is to be called.
    """

    statuses: Collection[Status] = ()
    queues: Collection[Queue] = ()
    verifier_unit_id: int | None = None
    units: Collection[int] | None = None
    areas: Collection[str] | None = None
    unit_id: int | None = None
    category_id: int | None = None
    area_code: str = ""
    urgency: str = ""
    source: str = ""
    words: str = ""
    overdue: bool = False
    hand_back_pending: bool = False
    since: datetime | None = None
    until: datetime | None = None
    category_ids: Collection[int] = ()
    unit_ids: Collection[int] = ()
    community_code: str = ""
    facility_type_id: int | None = None
    staff_username: str = ""
    closed_since: datetime | None = None
    closed_until: datetime | None = None
    due: str = ""
    rating: str = ""
    has_photo: bool | None = None
    has_point: bool | None = None
    reopened: bool = False
    reworked: bool = False
    handed_back: bool = False
    waiting: bool = False
    extension_pending: bool = False
    followed: bool = False
    box: Box | None = None
    call_back: bool = False
    tag_id: int | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first. next_before: the id to ask for the next page with, None at the end."""

    reports: list[Report]
    next_before: int | None


def newest(filters: Filters, *, before: int | None = None, limit: int = PAGE_SIZE) -> Page:
    """Reports newest first, by keyset: the cost does not grow with the page."""
    rows = _found_near(filters, before, limit + 1) if filters.words and not filters.queues else None
    if rows is None:
        rows = _newest_of(_narrowed(select(Report), filters), before, limit + 1)
    more = len(rows) > limit
    return Page(rows[:limit], rows[limit - 1].id if more else None)


def _found_near(filters: Filters, before: int | None, limit: int) -> list[Report] | None:
    """What words find without asking their index, which for common ones would read all that was ever written.

    Among the newest first. What many of these have may still be rare under the other filters: then those come first,
    and the words are looked for in what they leave, of a larger part and at last of everything. A rare word comes
    before the other filters. None where all in one question is best, as on SQLite.
    """
    if replace(filters, verifier_unit_id=None) == Filters(words=filters.words) and not numbers.read(filters.words):
        ids = search.newest_found(filters.words, before=before, limit=limit)
        return None if ids is None else _newest_of(select(Report).where(Report.id.in_(ids)), None, limit)
    near = search.matching_newest(filters.words, before=before)
    if near is None:
        return None
    others = _narrowed(select(Report), replace(filters, words=""))
    if filters.units is None and filters.unit_id is None:
        # Of one unit's the newest hardly ever fill a page.
        rows = _newest_of(others.where(near), before, limit)
        if len(rows) == limit:
            return rows
    of_newest = search.count_newest(filters.words, before=before)
    if of_newest < search.COMMON:
        return _of_rare(others, filters.words, before, limit)
    others = others.where(search.matching(filters.words, among_few=True))
    since = (before or 1 + (db.session.scalar(select(func.max(Report.id))) or 0)) - search.NEWER
    rows = _newest_of(others.where(Report.id >= since), before, limit)
    if len(rows) == limit:
        return rows
    return _newest_of(others, before, limit) if of_newest >= search.VERY_COMMON else None


def _of_rare(others: Any, words: str, before: int | None, limit: int) -> list[Report] | None:
    """Of the reports that a rare word finds those that meet the other conditions; None where they are too many."""
    ids = search.by_index(words, before=before, limit=search.MOST_RARE)
    rows: list[Report] = []
    for start in range(0, len(ids), search.RARE_AT_ONCE):
        some = bindparam("some", ids[start : start + search.RARE_AT_ONCE], ARRAY(BigId), unique=True)
        rows += _newest_of(others.where(Report.id == any_(some)), None, limit - len(rows))
        if len(rows) == limit:
            return rows
    return None if len(ids) == search.MOST_RARE else rows


def _newest_of(query: Any, before: int | None, limit: int) -> list[Report]:
    if before is not None:
        query = query.where(Report.id < before)
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


@dataclass(frozen=True)
class PressingPage:
    """One page of a list, most pressing first. next_after: what to ask for the next page with, "" at the end."""

    reports: list[Report]
    next_after: str


def pressing(filters: Filters, *, after: str = "", limit: int = PAGE_SIZE) -> PressingPage:
    """Reports, critical first, then by the time left on their clock; by keyset, open ones only."""
    due = func.coalesce(Report.handling_due_at, Report.dispatch_due_at)
    weight = case(_WEIGHTS, value=Report.urgency, else_=_LIGHTEST)
    query = _narrowed(select(Report, weight, due).where(_IS_OPEN), filters)
    key = _read_key(after)
    if key is not None:
        heavy, moment, last = key
        query = query.where(
            or_(weight > heavy, and_(weight == heavy, or_(due > moment, and_(due == moment, Report.id > last))))
        )
    rows = db.session.execute(_with_parts(query).order_by(weight, due, Report.id).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    following = ""
    if more:
        report, heavy, moment = rows[-1]
        following = f"{heavy}.{(moment - _EPOCH) // timedelta(microseconds=1)}.{report.id}"
    return PressingPage([row[0] for row in rows], following)


def pressing_order(report: Report) -> tuple[int, datetime, int]:
    """Sorts reports at hand as `pressing` does."""
    due = report.handling_due_at or report.dispatch_due_at
    return _WEIGHTS.get(report.urgency, _LIGHTEST), due, report.id


def _read_key(text: str) -> tuple[int, datetime, int] | None:
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < 19 for part in parts):
        return None
    try:
        return int(parts[0]), _EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2])
    except OverflowError:
        return None


def queue_counts(filters: Filters, queues: Collection[Queue]) -> dict[Queue, int]:
    """How many open reports lie in each of these piles, under the other filters, in one query."""
    wanted = list(queues)
    if not wanted:
        return {}
    columns = [func.count().filter(_in_queue(queue, filters.verifier_unit_id)) for queue in wanted]
    query = _narrowed(select(*columns).select_from(Report).where(_IS_OPEN), filters)
    return dict(zip(wanted, db.session.execute(query).one(), strict=True))


def count(filters: Filters) -> int:
    """How many open reports there are under these filters."""
    query = _narrowed(select(func.count()).select_from(Report).where(_IS_OPEN), filters)
    return db.session.scalar(query) or 0


def count_and_overdue(filters: Filters) -> tuple[int, int]:
    """How many open reports there are under these filters, and how many of them are overdue."""
    counted = select(func.count(), func.count().filter(_overdue())).select_from(Report).where(_IS_OPEN)
    number, late = db.session.execute(_narrowed(counted, filters)).one()
    return number, late


def to_call_back(filters: Filters, *, after: str = "", limit: int = PAGE_SIZE) -> PressingPage:
    """Closed reports whose resident is to be called, those first whose days for reopening end first; by keyset."""
    query = _narrowed(select(Report), replace(filters, call_back=True))
    behind = keys.behind(after, Report.closed_at, Report.id)
    if behind is not None:
        query = query.where(behind)
    rows = db.session.scalars(_with_parts(query).order_by(Report.closed_at, Report.id).limit(limit + 1)).all()
    shown, last = keys.page(rows, limit)
    return PressingPage(shown, keys.spell(last.closed_at, last.id) if last and last.closed_at else "")


def count_to_call_back(filters: Filters) -> int:
    """How many residents are to be called back, under these filters."""
    query = _narrowed(select(func.count()).select_from(Report), replace(filters, call_back=True))
    return db.session.scalar(query) or 0


def numbers_of(ids: Collection[int]) -> dict[int, str]:
    """The numbers of these reports, by id."""
    rows = db.session.execute(select(Report.id, Report.number).where(Report.id.in_(list(ids))))
    return dict(rows.all())


def within(filters: Filters, report_id: SQLColumnExpression[Any], *, of: type[Any]) -> ColumnElement[bool] | None:
    """The condition that a row of the table `of` is about a report that the filters let somebody see.

    report_id: which report the row is about. A merged one counts where the report it is part of does. None when the
    filters narrow nothing: for lists of other subjects, which know nothing of who sees what.
    """
    if filters.units is None and filters.areas is None:
        return None
    joined = aliased(Report)
    parent = select(joined.parent_id).where(joined.id == report_id).correlate(of).scalar_subquery()
    own = Filters(units=filters.units, areas=filters.areas)
    seen = _narrowed(select(Report.id).where(Report.id.in_([report_id, parent])), own)
    return cast(ColumnElement[bool], seen.correlate(of).exists())


def open_by_unit(filters: Filters) -> dict[int, tuple[int, int]]:
    """How many open reports each unit has, and how many of them are overdue, by the unit's id."""
    counted = select(Report.unit_id, func.count(), func.count().filter(_overdue()))
    counted = _narrowed(counted.where(_IS_OPEN, Report.unit_id.is_not(None)), filters)
    rows = db.session.execute(counted.group_by(Report.unit_id))
    return {unit_id: (number, late) for unit_id, number, late in rows if unit_id is not None}


def count_moved(filters: Filters, *, since: datetime, but_not_by: int) -> int:
    """How many reports under these filters came in, or moved, after `since` by somebody other than `but_not_by`."""
    moved = select(ReportEvent.report_id).where(
        ReportEvent.at > since,
        or_(ReportEvent.to_status.is_not(None), ReportEvent.kind.in_(_MOVES)),
        or_(ReportEvent.staff_id.is_(None), ReportEvent.staff_id != but_not_by),
    )
    query = _narrowed(select(func.count()).select_from(Report).where(Report.id.in_(moved)), filters)
    return db.session.scalar(query) or 0


def whole(report_id: int) -> Report | None:
    """One report with everything its page shows."""
    found: Report | None = db.session.scalar(_WHOLE_OF_ID, {"report_id": report_id})
    return found


def whole_numbered(number: str) -> Report | None:
    """The report of this number, in any spelling of it, with everything its page shows."""
    spelled = numbers.read(number)
    found: Report | None = db.session.scalar(_WHOLE_OF_NUMBER, {"number": spelled}) if spelled else None
    return found


def new_critical(filters: Filters, *, since: datetime, limit: int = 5) -> list[Report]:
    """Critical reports under these filters that came in after `since`, newest first."""
    query = select(Report).where(Report.submitted_at > since, Report.urgency == Urgency.CRITICAL)
    return list(db.session.scalars(_narrowed(_with_parts(query), filters).order_by(Report.id.desc()).limit(limit)))


def events_since(report_id: int, event_id: int) -> list[ReportEvent]:
    """What has happened to a report after this line of its history, oldest first."""
    query = select(ReportEvent).where(ReportEvent.report_id == report_id, ReportEvent.id > event_id)
    query = query.options(joinedload(ReportEvent.staff), joinedload(ReportEvent.unit))
    return list(db.session.scalars(query.order_by(ReportEvent.id)))


def of_resident(resident_id: int, *, limit: int = 50) -> list[Report]:
    """A resident's own reports and those they follow, newest first."""
    followed = select(ReportFollower.report_id).where(ReportFollower.resident_id == resident_id)
    query = select(Report).where(or_(Report.resident_id == resident_id, Report.id.in_(followed)))
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


@dataclass(frozen=True)
class ResidentRecord:
    """What a resident has reported so far: how many in all, how many of them are closed and how many not accepted.

    last: the newest others that the reader may see.
    """

    total: int
    closed: int
    rejected: int
    last: list[Report]


def record_of(
    report: Report, *, units: Collection[int] | None, areas: Collection[str] | None = None, limit: int = 3
) -> ResidentRecord | None:
    """The record of a report's resident, None when nobody knows who that is. units, areas: as `sight.sight_of` says."""
    if report.resident_id is None:
        return None
    own = Report.resident_id == report.resident_id
    counts = dict(db.session.execute(select(Report.status, func.count()).where(own).group_by(Report.status)).all())
    query = _narrowed(select(Report).where(own, Report.id != report.id), Filters(units=units, areas=areas))
    return ResidentRecord(
        total=sum(counts.values()),
        closed=counts.get(Status.CLOSED, 0),
        rejected=counts.get(Status.REJECTED, 0),
        last=list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit))),
    )


def by_numbers(numbers_: Sequence[str]) -> list[Report]:
    """The reports with these numbers, in no particular order."""
    if not numbers_:
        return []
    return list(db.session.scalars(_with_parts(select(Report).where(Report.number.in_(numbers_)))))


def open_at_facility(facility_id: int, *, limit: int = 10) -> list[Report]:
    """What is already reported about a facility and not yet ended."""
    query = select(Report).where(Report.facility_id == facility_id, _IS_OPEN)
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


def open_near(latitude: float, longitude: float, *, degrees: float = 0.02, limit: int = 200) -> list[Report]:
    """Open reports in a box of `degrees` around a point, newest first."""
    query = select(Report).where(
        _IS_OPEN,
        Report.latitude.between(latitude - degrees, latitude + degrees),
        Report.longitude.between(longitude - degrees * 1.6, longitude + degrees * 1.6),
    )
    return list(db.session.scalars(_with_parts(query).order_by(Report.id.desc()).limit(limit)))


def near(latitude: float, longitude: float, *, metres: float = 150, limit: int = 8) -> list[tuple[Report, float]]:
    """Open reports within `metres` of a point, nearest first, each with its distance in metres."""
    found = [
        (report, metres_between(latitude, longitude, report.latitude, report.longitude))
        for report in open_near(latitude, longitude, degrees=metres / 111_000)
        if report.latitude is not None and report.longitude is not None
    ]
    return sorted((pair for pair in found if pair[1] <= metres), key=lambda pair: pair[1])[:limit]


def public_events(report: Report) -> list[ReportEvent]:
    """The part of the history that residents read."""
    return [event for event in report.events if event.is_public]


def kept_photos(report: Report, *purposes: str) -> list[Photo]:
    """The report's pictures that can be shown, of these purposes (all when none is named)."""
    return [
        photo
        for photo in report.photos
        if photo.state == PhotoState.KEPT and (not purposes or photo.purpose in purposes)
    ]


def with_photos(report_ids: Sequence[int]) -> set[int]:
    """Those of the reports that have a picture from their resident, also one that is still on its way."""
    query = select(Photo.report_id).where(
        Photo.report_id.in_(report_ids),
        Photo.purpose == "before",
        Photo.state.in_((PhotoState.KEPT, PhotoState.WAITING)),
    )
    return {report_id for report_id in db.session.scalars(query.distinct()) if report_id is not None}


def pending_hand_back(report_id: int) -> HandBack | None:
    """The hand-back that awaits its ruling, if any."""
    return db.session.scalar(
        select(HandBack)
        .where(HandBack.report_id == report_id, HandBack.ruled_at.is_(None))
        .options(joinedload(HandBack.unit), joinedload(HandBack.suggested_unit))
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEIGHTS = {"critical": 0, "urgent": 1}
_LIGHTEST = 2
# Steps after which a report lies in another pile although its status stays.
_MOVES = (
    EventKind.HANDED_BACK, EventKind.HAND_BACK_REFUSED, EventKind.REMINDED, EventKind.ASKED, EventKind.ANSWERED,
    EventKind.QUESTION_WITHDRAWN, EventKind.QUESTION_EXPIRED, EventKind.REROUTE_PROPOSED, EventKind.UNSEEN,
    EventKind.EXTENSION_ASKED, EventKind.EXTENSION_GRANTED, EventKind.EXTENSION_REFUSED,
)  # fmt: skip


def _overdue() -> ColumnElement[bool]:
    """Past its clock; it stands still while a hand-back awaits its ruling or a question the resident's answer."""
    now = clock.now()
    return and_(
        Report.waiting_for_resident.is_(False),
        or_(
            and_(Report.status.in_(WITH_UNIT), Report.handling_due_at < now, Report.hand_back_pending.is_(False)),
            and_(Report.status.in_(WAITING_FOR_DISPATCH), Report.dispatch_due_at < now),
        ),
    )


def _in_queue(queue: Queue, verifier_unit_id: int | None) -> ColumnElement[bool] | TextClause:
    return _overdue() if queue is Queue.OVERDUE else _lies_in(queue, verifier_unit_id)


# Kept: a list with its tabs asks for some thirty of them, and all but the overdue one stay as they are.
@lru_cache(maxsize=512)
def _lies_in(queue: Queue, verifier_unit_id: int | None) -> ColumnElement[bool] | TextClause:
    if queue is Queue.TRIAGE:
        return Report.status == Status.TRIAGE
    if queue is Queue.DISPATCH:
        return Report.status.in_(WAITING_FOR_DISPATCH)
    if queue is Queue.HAND_BACKS:
        return and_(Report.status.in_(WITH_UNIT), Report.hand_back_pending.is_(True))
    if queue is Queue.EXTENSIONS:
        return Report.extension_pending.is_(True)
    if queue is Queue.SUSPENDED:
        return Report.status == Status.SUSPENDED
    if queue is Queue.ACCEPT:
        return and_(Report.status == Status.ASSIGNED, Report.hand_back_pending.is_(False))
    if queue is Queue.HANDLE:
        return and_(Report.status == Status.IN_PROGRESS, Report.hand_back_pending.is_(False))
    if queue is Queue.VERIFY:
        if verifier_unit_id is None:
            return Report.status == Status.RESOLVED
        return and_(Report.status == Status.RESOLVED, Report.unit_id != verifier_unit_id)
    if queue is Queue.WAITING:
        return Report.waiting_for_resident.is_(True)
    return _IS_OPEN


def _narrowed(query: Any, filters: Filters) -> Any:
    if filters.statuses:
        query = query.where(Report.status.in_(list(filters.statuses)))
        if _REFUSED_STATUSES.issuperset(filters.statuses):
            query = query.where(_IS_REFUSED)
    if filters.queues:
        query = query.where(_IS_OPEN, or_(*(_in_queue(queue, filters.verifier_unit_id) for queue in filters.queues)))
    if filters.unit_id is not None:
        query = query.where(Report.unit_id == filters.unit_id)
    if filters.areas is not None:
        query = query.where(Report.area_code.in_(list(filters.areas)))
    if filters.units is not None:
        parts = select(ReportUnit.report_id).where(ReportUnit.unit_id.in_(list(filters.units)))
        query = query.where(or_(Report.unit_id.in_(list(filters.units)), Report.id.in_(parts)))
    if filters.category_id is not None:
        query = query.where(Report.category_id == filters.category_id)
    if filters.area_code:
        query = query.where(Report.area_code == filters.area_code)
    if filters.urgency:
        query = query.where(Report.urgency == filters.urgency)
    if filters.source:
        query = query.where(Report.source == filters.source)
    if filters.since is not None:
        query = query.where(Report.submitted_at >= filters.since)
    if filters.until is not None:
        query = query.where(Report.submitted_at < filters.until)
    if filters.hand_back_pending:
        query = query.where(Report.hand_back_pending.is_(True))
    if filters.overdue:
        query = query.where(_overdue())
    for condition in _more(filters):
        query = query.where(condition)
    if filters.words:
        number = numbers.read(filters.words)
        if number is not None:
            query = query.where(Report.number == number)
        else:
            query = query.where(search.matching(filters.words, among_few=bool(filters.queues)))
    return query


def _more(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The conditions of the filters that are about one column, or about another table."""
    if filters.category_ids:
        yield Report.category_id.in_(sorted(filters.category_ids))
    if filters.unit_ids:
        yield Report.unit_id.in_(sorted(filters.unit_ids))
    if filters.community_code:
        yield Report.community_code == filters.community_code
    if filters.facility_type_id is not None:
        of_type = select(Facility.id).where(Facility.type_id == filters.facility_type_id)
        yield Report.facility_id.in_(of_type)
    if filters.staff_username:
        acted = select(ReportEvent.report_id).join(Staff, Staff.id == ReportEvent.staff_id)
        yield Report.id.in_(acted.where(Staff.username == filters.staff_username))
    if filters.closed_since is not None:
        yield Report.closed_at >= filters.closed_since
    if filters.closed_until is not None:
        yield Report.closed_at < filters.closed_until
    if filters.has_photo is not None:
        pictured = (
            select(Photo.id)
            .where(Photo.report_id == Report.id, Photo.purpose == "before", Photo.state == PhotoState.KEPT)
            .exists()
        )
        yield pictured if filters.has_photo else ~pictured
    if filters.has_point is not None:
        yield Report.latitude.is_not(None) if filters.has_point else Report.latitude.is_(None)
    if filters.due or filters.waiting or filters.extension_pending:
        # Of what is over no clock runs or stands still: said here, so that only the index of open work is read.
        yield cast(ColumnElement[bool], _IS_OPEN)
    if filters.due:
        yield _due(filters.due)
    if filters.rating:
        yield _rated(filters.rating)
    if filters.reopened:
        yield cast(ColumnElement[bool], _REOPENED)
    if filters.reworked:
        yield Report.rework_count > 0
    if filters.handed_back:
        yield Report.id.in_(select(HandBack.report_id))
    if filters.waiting:
        yield Report.waiting_for_resident.is_(True)
    if filters.extension_pending:
        yield Report.extension_pending.is_(True)
    if filters.followed:
        yield Report.has_followers.is_(True)
    if filters.tag_id is not None:
        yield Report.id.in_(select(ReportTag.report_id).where(ReportTag.tag_id == filters.tag_id))
    if filters.call_back:
        yield _to_be_called(clock.now())
    if filters.box is not None:
        yield Report.latitude.between(filters.box.south, filters.box.north)
        yield Report.longitude.between(filters.box.west, filters.box.east)


def _to_be_called(now: datetime) -> ColumnElement[bool]:
    """Closed and not rated, by somebody who left a number and cannot be asked in WeChat; not just called in vain."""
    days = timedelta(days=int(reference().setting("limits.reopen_days", DEFAULT_REOPEN_DAYS)))
    in_wechat = select(Resident.id).where(Resident.id == Report.resident_id, Resident.is_follower.is_(True)).exists()
    tried = (
        select(ReportEvent.id)
        .where(
            ReportEvent.report_id == Report.id, ReportEvent.kind == EventKind.COMMENTED,
            ReportEvent.at > now - _CALLED_AGAIN_AFTER, ReportEvent.data["called"].as_string() == NO_ANSWER,
        )
        .exists()
    )  # fmt: skip
    return and_(
        Report.closed_at > now - days, Report.status == Status.CLOSED, Report.rated_at.is_(None),
        Report.contact_sealed != "", ~in_wechat, ~tried,
    )  # fmt: skip


def _due(state: str) -> ColumnElement[bool]:
    if state == "overdue":
        return _overdue()
    if state == "paused":
        return Report.clock_paused_at.is_not(None)
    now = clock.now()
    return and_(
        Report.clock_paused_at.is_(None),
        or_(
            and_(Report.status.in_(WITH_UNIT), Report.handling_due_at.between(now, now + _DUE_SOON)),
            and_(Report.status.in_(WAITING_FOR_DISPATCH), Report.dispatch_due_at.between(now, now + _DUE_SOON)),
        ),
    )


def _rated(rating: str) -> ColumnElement[bool]:
    if rating == "none":
        return and_(Report.status == Status.CLOSED, Report.rated_at.is_(None))
    if rating == "low":
        return cast(ColumnElement[bool], _LOW)
    return Report.solved.is_(rating == "solved")


def _with_parts(query: Any) -> Any:
    return query.options(joinedload(Report.category), joinedload(Report.unit), joinedload(Report.facility))


# Built once: it costs as much as asking.
_WHOLE = _with_parts(select(Report)).options(
    # A history tells who did it and of which unit, not what roles they have.
    selectinload(Report.events).options(
        joinedload(ReportEvent.staff).lazyload(Staff.role_rows), joinedload(ReportEvent.unit)
    ),
    selectinload(Report.photos),
    selectinload(Report.other_units).joinedload(ReportUnit.unit),
)
_WHOLE_OF_ID = _WHOLE.where(Report.id == bindparam("report_id"))
_WHOLE_OF_NUMBER = _WHOLE.where(Report.number == bindparam("number"))


def urged_counts(report_ids: Collection[int]) -> dict[int, int]:
    """How often residents have urged each of these; those that nobody urged are left out. One query."""
    if not report_ids:
        return {}
    rows = db.session.execute(
        select(ReportEvent.report_id, func.count())
        .where(
            ReportEvent.report_id.in_(list(report_ids)), ReportEvent.kind == EventKind.COMMENTED,
            ReportEvent.data[URGES].as_boolean().is_(True),
        )
        .group_by(ReportEvent.report_id)
    )  # fmt: skip
    return {int(report_id): number for report_id, number in rows}


def thumbs(reports: Sequence[Report]) -> dict[int, str]:
    """The first shown picture's token of each of these reports, in one query."""
    ids = [report.id for report in reports]
    rows = db.session.execute(
        select(Photo.report_id, Photo.token)
        .where(Photo.report_id.in_(ids), Photo.state == PhotoState.KEPT)
        .order_by(Photo.id.desc())
    )
    return {int(report_id): token for report_id, token in rows if report_id is not None}


# What other subjects count by, so that their figures are those of the lists.
OPEN_WORK = _IS_OPEN
narrowed = _narrowed
overdue = _overdue
