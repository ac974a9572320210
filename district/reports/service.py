"""The verbs: everything that can be done to a report, for every door, job and command alike.

Each locks, guards, changes, records and tells. None commits. Who acts is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from district import audit, clock, sealed, work
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.errors import BadInput, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.notifications import service as notifications
from district.people.models import Resident, Staff
from district.reference import reference
from district.reports import merging, numbers, questions
from district.reports.guards import SYSTEM, Actor, KeyHolder, System, require
from district.reports.history import attach as _attach
from district.reports.history import record as _record
from district.reports.models import (
    EventKind,
    HandBack,
    PlaceSource,
    Report,
    ReportFollower,
    ReportUnit,
    Source,
)
from district.reports.photos import MOST_PHOTOS, expect_media
from district.reports.states import ENDED, Action, Status
from district.rows import insert_object, put
from district.words import clean
from district.work import hurry

LONGEST_DESCRIPTION = 2000
LONGEST_NOTE = 1000
LONGEST_ADDRESS = 200
# Bytes, because the sealed text must fit its column: 66 Chinese characters or 200 letters.
LONGEST_CONTACT_BYTES = 200
LONGEST_REASON = 500
DEFAULT_REOPEN_DAYS = 15

__all__ = [
    "SYSTEM", "NewReport", "accept", "add_media", "assign", "comment", "correct", "find", "hand_back", "lock",
    "note_overdue", "rate", "refuse_hand_back", "refuse_verification", "reject", "reopen", "resolve",
    "send_to_triage", "submit", "support", "uphold_hand_back", "verify", "withdraw",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NewReport:
    """What a resident or acceptor gives.

    latitude, longitude: WGS-84 degrees, both or neither. photo_ids: rows that belong to the reporter (or to nobody
    yet) and to no report. has_photo: more pictures are on their way from WeChat.
    """

    source: Source
    description: str = ""
    category_code: str = ""
    facility_id: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    address: str = ""
    place_source: PlaceSource | None = None
    photo_ids: Sequence[int] = ()
    contact: str = ""
    language: str = "zh-Hans"
    urgency: Urgency | None = None
    intent: str = "report"


def submit(new: NewReport, *, by: Resident | Staff | None) -> Report:
    """File a report; routing is hurried. Flushes, for the id.

    by: the resident, the acceptor who took it by telephone, or None for an anonymous caller of the API.
    Raises BadInput naming each field that cannot be used, also for a place outside the district.
    """
    from district.facilities.models import Facility

    ref = reference()
    description = clean(new.description)
    fields: dict[str, str] = {}
    if not description and not new.photo_ids:
        fields["description"] = "errors.description_missing"
    if len(description) > LONGEST_DESCRIPTION:
        fields["description"] = "errors.description_long"
    if len(new.address) > LONGEST_ADDRESS:
        fields["address"] = "errors.address_long"
    contact = clean(new.contact)
    if len(contact.encode()) > LONGEST_CONTACT_BYTES:
        fields["contact"] = "errors.contact_long"
    if len(new.photo_ids) > MOST_PHOTOS:
        fields["photos"] = "errors.photos_many"
    category = ref.categories_by_code.get(new.category_code) if new.category_code else None
    if new.category_code and category is None:
        fields["category"] = "errors.category_unknown"
    facility = db.session.get(Facility, new.facility_id) if new.facility_id else None
    if new.facility_id and (facility is None or facility.retired_at is not None):
        fields["facility"] = "errors.facility_unknown"

    latitude, longitude, place_source = new.latitude, new.longitude, new.place_source
    address = clean(new.address)
    if (latitude is None) != (longitude is None):
        fields["latitude"] = "errors.place_half"
    if latitude is None and facility is not None:
        latitude, longitude, place_source = facility.latitude, facility.longitude, PlaceSource.FACILITY
        address = address or facility.address
    area = community = grid = ""
    compound_id = None
    if latitude is not None and longitude is not None and "latitude" not in fields:
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            fields["latitude"] = "errors.place_not_on_earth"
        else:
            located = ref.locator.locate(latitude, longitude)
            if not located.in_district:
                fields["latitude"] = "errors.outside_district"
            area, community, grid = located.area_code, located.community_code, located.grid_code
            compound_id = located.compound_id
    elif address:
        place_source = PlaceSource.WORDS
    if fields:
        raise BadInput(fields=fields)

    now = clock.now()
    urgency = new.urgency or (Urgency(category.urgency) if category else Urgency.NORMAL)
    report = insert_object(
        Report,
        ("number", "access_key", "status", "resident_id"),
        version=1,
        number=numbers.take(now),
        access_key=numbers.new_key(),
        source=new.source,
        language=new.language,
        resident_id=by.id if isinstance(by, Resident) else None,
        contact_sealed=sealed.seal(contact),
        description=description,
        category_id=category.id if category else None,
        intent=new.intent,
        urgency=urgency,
        facility_id=facility.id if facility else None,
        latitude=latitude,
        longitude=longitude,
        address=address,
        place_source=place_source or "",
        area_code=area,
        community_code=community,
        grid_code=grid,
        compound_id=compound_id,
        status=Status.SUBMITTED,
        reason={},
        submitted_at=now,
        dispatch_due_at=deadlines.dispatch_due_at(urgency, now),
        route_after=now,
    )
    _attach(report, new.photo_ids, by)
    _record(report, EventKind.SUBMITTED, by or SYSTEM, to_status=Status.SUBMITTED, data={"source": new.source})
    if isinstance(by, Staff):
        audit.record(by, "report.submit", f"report:{report.id}")
    hurry("route_reports")
    return report


def find(number: str) -> Report:
    """The report with this number, in any spelling of it. Raises NotFound."""
    spelled = numbers.read(number)
    report = db.session.scalar(select(Report).where(Report.number == spelled)) if spelled else None
    if report is None:
        raise NotFound("errors.report_unknown")
    return report


# Built once: most of what a short query costs is building it.
_LOCKED = (
    select(Report)
    .where(Report.id == bindparam("report_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def lock(report_id: int, *, version: int | None = None) -> Report:
    """The report, locked until the commit and read anew. Raises NotFound, and StaleVersion when it has moved on."""
    report = db.session.scalar(_LOCKED, {"report_id": report_id})
    if report is None:
        raise NotFound("errors.report_unknown")
    if version is not None and report.version != version:
        raise StaleVersion()
    return report


def assign(
    report: Report,
    unit_id: int,
    *,
    by: Actor,
    reason: dict[str, Any] | None = None,
    other_units: Iterable[tuple[int, str]] = (),
    rule_code: str | None = None,
    note: str = "",
) -> Report:
    """Give the report to the one unit that answers for it, with a deadline, and tell the resident.

    report: locked. reason: `{"key": catalogue key, "params": {...}}`, the sentence everybody may read.
    other_units: (unit id, `co` | `supervise` | `broadcast`). Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.ASSIGN, report)
    unit = reference().units_by_id.get(unit_id)
    if unit is None or unit.is_closed:
        raise BadInput(fields={"unit": "errors.unit_unknown"})
    moved = report.unit_id is not None
    if moved and report.unit_id == unit_id:
        raise BadInput(fields={"unit": "errors.unit_the_same"})
    before = report.status
    _give_to(report, unit_id)
    report.reason = reason or {"key": "routing.reason.dispatcher", "params": {"unit": unit.name}}
    for other_id, role in dict.fromkeys(other_units):
        if other_id != unit_id and (isinstance(by, System) or not _has_part(report.id, other_id, role)):
            put(ReportUnit, report_id=report.id, unit_id=other_id, role=role)
    kind = EventKind.ROUTED if isinstance(by, System) else EventKind.REASSIGNED if moved else EventKind.ASSIGNED
    _record(
        report, kind, by, from_status=before, unit_id=unit_id, note=clean(note)[:LONGEST_NOTE],
        data={"rule": rule_code or ""},
    )  # fmt: skip
    if isinstance(by, Staff):
        audit.record(by, "report.assign", f"report:{report.id}", unit=unit.code)
    notifications.tell(report, "assigned", unit=unit.name, due=_moment(report.handling_due_at))
    return report


def send_to_triage(
    report: Report,
    *,
    reason: dict[str, Any],
    proposed_unit_id: int | None = None,
    other_units: Iterable[tuple[int, str]] = (),
) -> Report:
    """The rules leave it to a person: it waits in the command centre, with a proposal when there is one.

    other_units: as in `assign`; those who are asked whether it is theirs see it while it waits.
    """
    require(SYSTEM, Action.SEND_TO_TRIAGE, report)
    before = report.status
    report.status = Status.TRIAGE
    report.reason = reason
    for other_id, role in dict.fromkeys(other_units):
        put(ReportUnit, report_id=report.id, unit_id=other_id, role=role)
    _record(
        report, EventKind.SENT_TO_TRIAGE, SYSTEM, from_status=before, is_public=False,
        data={"proposed_unit_id": proposed_unit_id},
    )  # fmt: skip
    return report


def accept(report: Report, *, by: Staff) -> Report:
    """The unit has seen it and begins."""
    require(by, Action.ACCEPT, report)
    before = report.status
    report.status, report.accepted_at = Status.IN_PROGRESS, clock.now()
    _record(report, EventKind.ACCEPTED, by, from_status=before, unit_id=report.unit_id)
    audit.record(by, "report.accept", f"report:{report.id}")
    notifications.tell(report, "accepted", unit=_unit_name(report), due=_moment(report.handling_due_at))
    return report


def hand_back(report: Report, *, by: Staff, reason: str, suggested_unit_id: int | None = None) -> HandBack:
    """The unit says it is not theirs, once, with a reason; the clock stands still until the dispatcher rules.

    Raises WrongState when this unit has handed this report back before: that ruling is final.
    """
    require(by, Action.HAND_BACK, report)
    reason = _words(reason, "reason", "errors.reason_missing", longest=LONGEST_REASON)
    unit_id = report.unit_id
    before = db.session.scalar(
        select(func.count()).select_from(HandBack).where(HandBack.report_id == report.id, HandBack.unit_id == unit_id)
    )
    if before:
        raise WrongState("errors.handed_back_already")
    suggested = reference().units_by_id.get(suggested_unit_id) if suggested_unit_id is not None else None
    if suggested_unit_id is not None and (suggested is None or suggested.is_closed):
        raise BadInput(fields={"suggested_unit": "errors.unit_unknown"})
    if unit_id is None:
        raise WrongState()
    row = HandBack(
        report_id=report.id,
        unit_id=unit_id,
        suggested_unit_id=suggested_unit_id,
        reason=reason,
        asked_by_id=by.id,
        asked_at=clock.now(),
    )
    db.session.add(row)
    report.hand_back_pending = True
    _record(report, EventKind.HANDED_BACK, by, unit_id=unit_id, note=reason, is_public=False)
    audit.record(by, "report.hand_back", f"report:{report.id}")
    return row


def uphold_hand_back(report: Report, *, by: Staff, unit_id: int, ruling: str = "") -> Report:
    """The dispatcher agrees: the report goes to `unit_id` with a new clock."""
    require(by, Action.UPHOLD_HAND_BACK, report)
    pending = _pending_hand_back(report)
    if unit_id == report.unit_id:
        raise BadInput(fields={"unit": "errors.unit_the_same"})
    _rule(pending, by, upheld=True, ruling=ruling)
    report.hand_back_pending = False
    _record(report, EventKind.HAND_BACK_UPHELD, by, unit_id=pending.unit_id, note=pending.ruling, is_public=False)
    audit.record(by, "report.hand_back_upheld", f"report:{report.id}")
    # Without the ruling's words: they are between staff, and the resident reads this line.
    return assign(report, unit_id, by=by)


def refuse_hand_back(report: Report, *, by: Staff, ruling: str) -> Report:
    """The dispatcher disagrees: the unit keeps it; the time the ruling took is given back."""
    require(by, Action.REFUSE_HAND_BACK, report)
    ruling = _words(ruling, "ruling", "errors.reason_missing", longest=LONGEST_REASON)
    pending = _pending_hand_back(report)
    _rule(pending, by, upheld=False, ruling=ruling)
    report.hand_back_pending = False
    if report.handling_due_at is not None and not report.waiting_for_resident:
        # While a question waits the clock stands still anyhow: its end gives the whole time back.
        report.handling_due_at += clock.now() - pending.asked_at
    _record(report, EventKind.HAND_BACK_REFUSED, by, unit_id=pending.unit_id, note=ruling, is_public=False)
    audit.record(by, "report.hand_back_refused", f"report:{report.id}")
    return report


def resolve(report: Report, *, by: Staff, note: str, photo_ids: Sequence[int] = ()) -> Report:
    """The unit has fixed it. note: what was done, shown to the resident as written; photo_ids: after the work.

    A category marked so closes at once; every other waits for somebody else to verify.
    """
    require(by, Action.RESOLVE, report)
    note = _words(note, "note", "errors.note_missing")
    questions.drop(report, by=by)
    now = clock.now()
    before = report.status
    report.accepted_at = report.accepted_at or now
    report.status, report.resolved_at, report.resolved_by_id, report.resolution = (
        Status.RESOLVED,
        now,
        by.id,
        note,
    )
    _attach(report, photo_ids, by, purpose="after")
    _record(report, EventKind.RESOLVED, by, from_status=before, unit_id=report.unit_id, note=note)
    audit.record(by, "report.resolve", f"report:{report.id}")
    category = reference().categories_by_id.get(report.category_id) if report.category_id else None
    if category is not None and category.close_without_verification:
        report.status, report.closed_at, report.verification_waived = Status.CLOSED, now, True
        _record(report, EventKind.VERIFIED, SYSTEM, from_status=Status.RESOLVED)
        notifications.tell(report, "closed", note=note, photos=bool(photo_ids))
    else:
        notifications.tell(report, "resolved", unit=_unit_name(report), note=note, photos=bool(photo_ids))
    return report


def verify(report: Report, *, by: Staff, note: str = "", photo_ids: Sequence[int] = ()) -> Report:
    """Somebody without a part in the work has checked it: the case is closed and the resident is asked to rate."""
    require(by, Action.VERIFY, report)
    before = report.status
    report.status, report.closed_at, report.verified_by_id = Status.CLOSED, clock.now(), by.id
    _attach(report, photo_ids, by, purpose="check")
    _record(report, EventKind.VERIFIED, by, from_status=before, note=clean(note)[:LONGEST_NOTE])
    audit.record(by, "report.verify", f"report:{report.id}")
    notifications.tell(report, "closed", note=report.resolution)
    return report


def refuse_verification(report: Report, *, by: Staff, note: str, photo_ids: Sequence[int] = ()) -> Report:
    """It is not fixed: back to the unit, which must do it again. note: what is wrong."""
    require(by, Action.REFUSE_VERIFICATION, report)
    note = _words(note, "note", "errors.note_missing")
    before = report.status
    report.status, report.resolved_at, report.resolved_by_id = Status.IN_PROGRESS, None, None
    report.rework_count += 1
    _attach(report, photo_ids, by, purpose="check")
    _record(report, EventKind.VERIFICATION_REFUSED, by, from_status=before, unit_id=report.unit_id, note=note)
    audit.record(by, "report.refuse_verification", f"report:{report.id}")
    return report


def reject(report: Report, *, by: Staff, reason: str) -> Report:
    """Not accepted, with the reason the resident reads."""
    require(by, Action.REJECT, report)
    reason = _words(reason, "reason", "errors.reason_missing", longest=LONGEST_REASON)
    questions.drop(report, by=by)
    before = report.status
    report.status, report.reject_reason = Status.REJECTED, reason
    _record(report, EventKind.REJECTED, by, from_status=before, note=reason)
    audit.record(by, "report.reject", f"report:{report.id}")
    notifications.tell(report, "rejected", reason=reason)
    return report


def rate(
    report: Report,
    *,
    by: Resident | KeyHolder,
    solved: bool,
    stars: int | None = None,
    reasons: Sequence[str] = (),
    text: str = "",
) -> Report:
    """The resident's word after closing: solved or not, 1 to 5 stars. Not solved sends it back to the unit.

    Raises WrongState when it was rated before or the days for reopening are over, BadInput for odd stars.
    """
    require(by, Action.RATE, report)
    if report.rated_at is not None:
        raise WrongState("errors.rated_already")
    if stars is not None and not 1 <= stars <= 5:
        raise BadInput(fields={"stars": "errors.stars_range"})
    text = clean(text)[:LONGEST_NOTE]
    _record(
        report, EventKind.RATED, by, note=text,
        data={"solved": solved, "stars": stars, "reasons": [str(reason)[:40] for reason in reasons][:10]},
    )  # fmt: skip
    if not solved:
        return reopen(report, by=by, text=text)
    report.solved, report.stars, report.rating_text, report.rated_at = solved, stars, text, clock.now()
    return report


def reopen(
    report: Report, *, by: Resident | Staff | KeyHolder, text: str = "", photo_ids: Sequence[int] = ()
) -> Report:
    """It is not solved: back to the same unit with a new clock.

    Raises WrongState after the district's days for it (setting `reopen_days`, counted from closing).
    """
    require(by, Action.REOPEN, report)
    now = clock.now()
    days = int(reference().setting("limits.reopen_days", DEFAULT_REOPEN_DAYS))
    if report.closed_at is None or report.unit_id is None or now - report.closed_at > timedelta(days=days):
        raise WrongState("errors.reopen_too_late", days=days)
    before = report.status
    unit_id = report.unit_id
    report.reopen_count += 1
    report.resolved_at = report.resolved_by_id = report.closed_at = report.verified_by_id = None
    report.verification_waived = False
    report.solved, report.stars, report.rated_at, report.rating_text = None, None, None, ""
    _give_to(report, unit_id)
    _attach(report, photo_ids, by)
    _record(report, EventKind.REOPENED, by, from_status=before, unit_id=unit_id, note=clean(text)[:LONGEST_NOTE])
    if isinstance(by, Staff):
        audit.record(by, "report.reopen", f"report:{report.id}")
    # Whoever reopened it has seen so where they did it.
    but = None if isinstance(by, Staff) else report.resident_id
    notifications.tell(report, "reopened", but=but, unit=_unit_name(report), due=_moment(report.handling_due_at))
    return report


def withdraw(report: Report, *, by: Resident | KeyHolder) -> Report:
    """The resident takes it back, while nobody has set out."""
    require(by, Action.WITHDRAW, report)
    questions.drop(report, by=by)
    before = report.status
    if report.hand_back_pending:
        # There is nothing left to rule on; the history keeps that it was asked.
        db.session.delete(_pending_hand_back(report))
        report.hand_back_pending = False
    # Those who reported the same still have it: the eldest of them takes over.
    merging.pass_on(report)
    report.status = Status.WITHDRAWN
    report.unit_id = report.assigned_at = report.handling_due_at = report.accepted_at = None
    _record(report, EventKind.WITHDRAWN, by, from_status=before)
    return report


def comment(
    report: Report,
    *,
    by: Actor,
    text: str,
    photo_ids: Sequence[int] = (),
    is_public: bool = True,
    reason: str = "",
) -> None:
    """More words or photos. is_public False: an internal note that only staff read.

    reason: the code of why a resident is not content, where they were asked (`not_fixed`, `slow`, ...).
    """
    require(by, Action.COMMENT, report)
    text = clean(text)
    if not text and not photo_ids:
        raise BadInput(fields={"text": "errors.note_missing"})
    if len(text) > LONGEST_NOTE:
        raise BadInput(fields={"text": "errors.note_long"})
    _attach(report, photo_ids, by)
    if isinstance(by, Staff):
        audit.record(by, "report.comment", f"report:{report.id}")
    data = {"reason": reason[:40]} if reason else None
    _record(report, EventKind.COMMENTED, by, note=text, is_public=is_public, data=data)
    merging.pass_words(report, text, by)


# As much of a report as the guard asks for: photos come by the hundred in a rush.
_STANDING = (
    select(Report.id, Report.status, Report.resident_id, Report.unit_id, Report.hand_back_pending)
    .where(Report.id == bindparam("report_id"))
    .with_for_update()
)


def add_media(report_id: int, media_id: str, *, by: Resident) -> None:
    """A resident's later picture, still held by WeChat, joins the report; fetching it is hurried."""
    row = work.connection().execute(_STANDING, {"report_id": report_id}).one_or_none()
    if row is None:
        raise NotFound("errors.report_unknown")
    report = Report(**row._mapping)
    require(by, Action.COMMENT, report)
    expect_media(media_id, by.id, report_id)
    _record(report, EventKind.PHOTO_ADDED, by)
    hurry("fetch_photos")


def correct(
    report: Report,
    *,
    by: Staff | Resident | KeyHolder,
    category_code: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
    address: str | None = None,
    description: str | None = None,
    place_source: PlaceSource = PlaceSource.PICKED,
    said: str = "",
) -> Report:
    """Set right what was misunderstood while it waits for dispatch.

    A resident's new place replaces the old one whole: with an address alone, the point and the facility that were
    wrong go. said: how the resident put it, kept in the history for whoever dispatches.
    """
    require(by, Action.CORRECT, report)
    ref = reference()
    changed: dict[str, Any] = {}
    if category_code is not None:
        category = ref.categories_by_code.get(category_code)
        if category is None:
            raise BadInput(fields={"category": "errors.category_unknown"})
        if category.id != report.category_id:
            changed["category"] = category.code
            report.category_id, report.urgency = category.id, _at_least(report, category.urgency, by)
    if latitude is not None and longitude is not None:
        located = ref.locator.locate(latitude, longitude)
        if not located.in_district:
            raise BadInput(fields={"latitude": "errors.outside_district"})
        report.latitude, report.longitude, report.place_source = latitude, longitude, place_source
        report.area_code, report.community_code = located.area_code, located.community_code
        report.grid_code, report.compound_id = located.grid_code, located.compound_id
        changed["place"] = located.area_code
    elif address and not isinstance(by, Staff):
        report.latitude = report.longitude = report.compound_id = None
        report.area_code = report.community_code = report.grid_code = ""
        report.place_source = PlaceSource.WORDS
        changed["place"] = ""
    if "place" in changed and not isinstance(by, Staff):
        report.facility_id = None
    if address is not None and clean(address) != report.address:
        report.address = clean(address)[:LONGEST_ADDRESS]
        changed["address"] = True
    if description is not None and clean(description) != report.description:
        report.description = clean(description)[:LONGEST_DESCRIPTION]
        changed["description"] = True
    if changed:
        _record(report, EventKind.CORRECTED, by, note=clean(said)[:LONGEST_NOTE], is_public=False, data=changed)
        if isinstance(by, Staff):
            audit.record(by, "report.correct", f"report:{report.id}", fields=sorted(changed))
    return report


def _at_least(report: Report, urgency: Urgency, by: Staff | Resident | KeyHolder) -> Urgency:
    """A category's own urgency; but what a resident called dangerous stays so until somebody of the staff looks."""
    if not isinstance(by, Staff) and Urgency(report.urgency) is Urgency.CRITICAL:
        return Urgency.CRITICAL
    return urgency


def support(report: Report, *, by: Resident | None) -> bool:
    """Somebody else has the same trouble. A known resident is told of every step from now on. True when it is new."""
    if Status(report.status) in ENDED:
        raise WrongState("errors.report_ended")
    if by is not None:
        if report.resident_id == by.id or db.session.get(ReportFollower, (report.id, by.id)) is not None:
            return False
        db.session.add(ReportFollower(report_id=report.id, resident_id=by.id, since=clock.now()))
        report.has_followers = True
    _record(report, EventKind.SUPPORTED, by or SYSTEM)
    return True


def note_overdue(limit: int = 200) -> int:
    """Remind, once for each clock, of reports whose handling is overdue. Returns how many."""
    now = clock.now()
    late = db.session.scalars(
        select(Report)
        .where(
            Report.status.in_((Status.ASSIGNED, Status.IN_PROGRESS)),
            Report.handling_due_at < now,
            Report.overdue_noted_at.is_(None),
            Report.hand_back_pending.is_(False),
            Report.waiting_for_resident.is_(False),
        )
        .order_by(Report.handling_due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for report in late:
        report.overdue_noted_at = now
        _record(
            report,
            EventKind.REMINDED,
            SYSTEM,
            unit_id=report.unit_id,
            is_public=False,
            data={"what": "overdue"},
        )
    return len(late)


def _give_to(report: Report, unit_id: int) -> None:
    """Set the unit and start its clock."""
    now = clock.now()
    report.status, report.unit_id, report.assigned_at, report.accepted_at = (
        Status.ASSIGNED,
        unit_id,
        now,
        None,
    )
    report.handling_due_at = deadlines.handling_due_at(report.category_id, Urgency(report.urgency), now)
    report.overdue_noted_at = None


def _pending_hand_back(report: Report) -> HandBack:
    row = db.session.scalar(
        select(HandBack).where(HandBack.report_id == report.id, HandBack.ruled_at.is_(None)).with_for_update()
    )
    if row is None:
        raise WrongState()
    return row


def _rule(row: HandBack, by: Staff, *, upheld: bool, ruling: str) -> None:
    row.ruled_by_id, row.ruled_at, row.upheld, row.ruling = by.id, clock.now(), upheld, clean(ruling)[:LONGEST_REASON]
    # The unique index allows one pending row: it must be gone before another is asked for.
    db.session.flush()


def _has_part(report_id: int, unit_id: int, role: str) -> bool:
    return db.session.get(ReportUnit, (report_id, unit_id, role)) is not None


def _unit_name(report: Report) -> str:
    unit = reference().units_by_id.get(report.unit_id) if report.unit_id else None
    return unit.name if unit else ""


def _moment(moment: Any) -> str:
    """A deadline as a resident reads it, in the district's zone: `11-24 17:30`."""
    from zoneinfo import ZoneInfo

    from flask import current_app

    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    return f"{local:%m-%d %H:%M}"


def _words(text: str, field: str, missing: str, longest: int = LONGEST_NOTE) -> str:
    text = clean(text)
    if not text:
        raise BadInput(fields={field: missing})
    if len(text) > longest:
        raise BadInput(fields={field: "errors.reason_long" if longest == LONGEST_REASON else "errors.note_long"})
    return text
