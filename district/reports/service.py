"""The verbs: everything that can be done to a report, for every door, job and command alike.

Each locks, guards, changes, records and tells. None commits. Who acts is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select

from district import audit, clock, sealed, work
from district.categories.models import Urgency
from district.deadlines import service as deadlines
from district.duty import service as duty
from district.errors import BadInput, NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.notices import service as notices
from district.notifications import service as notifications
from district.people.models import Resident, Staff
from district.people.roles import Role
from district.reference import reference
from district.reports import (
    clocks,
    extensions,
    hand_backs,
    looking,
    merging,
    numbers,
    parts,
    precedents,
    questions,
    spot,
    standards,
)
from district.reports.guards import SYSTEM, Actor, KeyHolder, System, may, require
from district.reports.history import attach as _attach
from district.reports.history import record as _record
from district.reports.models import (
    URGES,
    EventKind,
    HandBack,
    PlaceSource,
    Report,
    ReportFollower,
    ReportSuspension,
    ReportUnit,
    Source,
)
from district.reports.photos import MOST_PHOTOS, expect_media
from district.reports.states import DEFAULT_REOPEN_DAYS, ENDED, WITH_UNIT, Action, Status
from district.rows import insert_values, put, send
from district.words import clean
from district.work import hurry

LONGEST_DESCRIPTION = 2000
LONGEST_NOTE = 1000
LONGEST_ADDRESS = 200
# Bytes, because the sealed text must fit its column: 66 Chinese characters or 200 letters.
LONGEST_CONTACT_BYTES = 200
LONGEST_REASON = 500
DEFAULT_SUSPEND_DAYS = 365

__all__ = [
    "SYSTEM", "Filed", "NewReport", "accept", "add_media", "assign", "comment", "correct", "file", "find", "hand_back",
    "keep_in_triage", "keep_unit", "lock", "propose_unit", "rate", "rate_by_call", "refuse_hand_back",
    "refuse_verification", "reject", "reopen", "resolve", "resume", "resume_due", "send_to_triage", "standing",
    "submit", "support", "suspend", "uphold_hand_back", "verify", "withdraw",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NewReport:
    """What a resident or acceptor gives.

    latitude, longitude: WGS-84 degrees, both or neither. photo_ids: rows that belong to the reporter (or to nobody
    yet) and to no report. client_id: of the machine that files it (district.api_keys). is_another: its reporter was
    shown what is reported already and says that it is something else.
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
    client_id: int | None = None
    is_another: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """What whoever has just filed a report needs of it. access_key: opens the private part of its page."""

    id: int
    number: str
    access_key: str
    status: Status = Status.SUBMITTED


def submit(new: NewReport, *, by: Resident | Staff | None) -> Report:
    """File a report as `file` does; the report itself."""
    return db.session.get_one(Report, file(new, by=by).id)


def file(new: NewReport, *, by: Resident | Staff | None) -> Filed:
    """File a report; routing is hurried.

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
    number, access_key = numbers.take(now), numbers.new_key()
    dispatch_due_at = deadlines.dispatch_due_at(urgency, now)
    report_id: int = insert_values(
        Report,
        version=1,
        number=number,
        access_key=access_key,
        source=new.source,
        language=new.language,
        client_id=new.client_id,
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
        dispatch_due_at=dispatch_due_at,
        alarm_at=clocks.first_alarm(now, dispatch_due_at),
        route_after=now,
    )
    filed = Filed(report_id, number, access_key)
    _attach(filed, new.photo_ids, by)
    data = {"source": new.source} | ({"another": True} if new.is_another else {})
    _record(filed, EventKind.SUBMITTED, by or SYSTEM, to_status=Status.SUBMITTED, data=data)
    if isinstance(by, Staff):
        audit.record(by, "report.submit", f"report:{report_id}")
    hurry("route_reports")
    return filed


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
    again: bool = False,
    standard_code: str | None = None,
) -> Report:
    """Give the report to the one unit that answers for it, with a deadline, and tell the resident.

    A unit that is away is answered for by its stand-in, and the reason says so.
    report: locked. reason: `{"key": catalogue key, "params": {...}}`, the sentence everybody may read.
    other_units: (unit id, `co` | `supervise` | `broadcast`). again: because its facts were corrected.
    standard_code: the condition of the category that decides how long it may take; "" for the category's general
    limit, None to leave it as it is. Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.ASSIGN, report)
    if standard_code is not None:
        report.standard_code = standards.checked(report, standard_code)
    unit, stand_in = reference().units_by_id.get(unit_id), duty.stand_in_for(unit_id)
    if unit is not None and stand_in is not None:
        reason = {"key": "handback.reason.stand_in", "params": {"unit": stand_in.name, "away": unit.name}}
        unit, unit_id = stand_in, stand_in.id
    if unit is None or unit.is_closed:
        raise BadInput(fields={"unit": "errors.unit_unknown"})
    moved = report.unit_id is not None
    if moved and report.unit_id == unit_id:
        raise BadInput(fields={"unit": "errors.unit_the_same"})
    before = report.status
    _give_to(report, unit_id)
    if isinstance(by, System):
        report.is_unclear = False
    elif isinstance(by, Staff) and Role.SHIFT_LEAD in by.roles:
        # What a shift lead decides after a ruling begins anew.
        report.ruled_at = None
    default = "handback.reason.first_taker" if report.is_unclear else "routing.reason.dispatcher"
    report.reason = reason or {"key": default, "params": {"unit": unit.name}}
    for other_id, role in dict.fromkeys(other_units):
        if other_id != unit_id and (before == Status.SUBMITTED or not _has_part(report.id, other_id, role)):
            put(ReportUnit, report_id=report.id, unit_id=other_id, role=role)
    kind = EventKind.ROUTED if isinstance(by, System) else EventKind.REASSIGNED if moved else EventKind.ASSIGNED
    _record(
        report, kind, by, from_status=before, unit_id=unit_id, note=clean(note)[:LONGEST_NOTE],
        data={"rule": rule_code or ""} | ({"again": True} if again else {}),
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
    is_unclear: bool = False,
) -> Report:
    """The rules leave it to a person: it waits in the command centre, with a proposal when there is one.

    other_units: as in `assign`; those who are asked whether it is theirs see it while it waits.
    is_unclear: no rule says whose it is: the first unit that takes it on answers for it until a ruling (首接负责).
    """
    require(SYSTEM, Action.SEND_TO_TRIAGE, report)
    before = report.status
    report.status, report.is_unclear = Status.TRIAGE, is_unclear
    report.reason = reason
    # The router may have found it more urgent than it came in.
    report.alarm_at = clocks.next_alarm(report)
    for other_id, role in dict.fromkeys(other_units):
        put(ReportUnit, report_id=report.id, unit_id=other_id, role=role)
    _record(
        report, EventKind.SENT_TO_TRIAGE, SYSTEM, from_status=before, is_public=False,
        data={"proposed_unit_id": proposed_unit_id},
    )  # fmt: skip
    return report


def keep_in_triage(
    report: Report,
    *,
    reason: dict[str, Any],
    proposed_unit_id: int | None = None,
    other_units: Iterable[tuple[int, str]] = (),
    is_unclear: bool = False,
) -> Report:
    """Looked at again after a correction, and still left to a person: reason and proposal are the new ones."""
    if report.status != Status.TRIAGE:
        raise WrongState()
    report.reason, report.is_unclear = reason, is_unclear
    for other_id, role in dict.fromkeys(other_units):
        if not _has_part(report.id, other_id, role):
            put(ReportUnit, report_id=report.id, unit_id=other_id, role=role)
    _record(report, EventKind.REROUTED, SYSTEM, is_public=False, data={"proposed_unit_id": proposed_unit_id})
    return report


def propose_unit(report: Report, unit_id: int | None) -> Report:
    """Looked at again after a correction while a unit has it. unit_id: whose it would be now; None: it may stay.

    Nothing is swapped silently: the dispatchers are told and decide, by `assign` or `keep_unit`.
    """
    if Status(report.status) not in WITH_UNIT:
        raise WrongState()
    report.proposed_unit_id = unit_id if unit_id != report.unit_id else None
    if report.proposed_unit_id is None:
        _record(report, EventKind.REROUTED, SYSTEM, unit_id=report.unit_id, is_public=False)
        return report
    _record(
        report, EventKind.REROUTE_PROPOSED, SYSTEM, unit_id=report.unit_id, is_public=False,
        data={"proposed_unit_id": unit_id},
    )  # fmt: skip
    unit = reference().units_by_id.get(report.proposed_unit_id)
    # Told to whoever may move it: after a ruling, and from a first taker, that is the shift lead alone.
    is_settled = report.ruled_at is not None or (report.is_unclear and report.accepted_at is not None)
    told = notices.with_role(Role.SHIFT_LEAD if is_settled else Role.DISPATCHER)
    notices.tell("reroute", told, report_id=report.id, unit=_unit_name(report), to=unit.name if unit else "")
    return report


def keep_unit(report: Report, *, by: Staff) -> Report:
    """The dispatcher leaves the report where it is, whatever the corrected facts propose.

    Raises NotAllowed to whoever could not give it to another unit, and WrongState when nothing is proposed.
    """
    if not may(by, Action.ASSIGN, report):
        raise NotAllowed()
    if report.proposed_unit_id is None or Status(report.status) not in WITH_UNIT:
        raise WrongState()
    proposed, report.proposed_unit_id = report.proposed_unit_id, None
    _record(report, EventKind.REROUTED, by, unit_id=report.unit_id, is_public=False, data={"refused_unit_id": proposed})
    audit.record(by, "report.keep_unit", f"report:{report.id}")
    return report


def accept(report: Report, *, by: Staff) -> Report:
    """The unit has seen it and begins."""
    require(by, Action.ACCEPT, report)
    before = report.status
    report.status, report.accepted_at = Status.IN_PROGRESS, clock.now()
    report.first_seen_at, report.look_due_at = report.first_seen_at or report.accepted_at, None
    data = {"first_taker": True} if report.is_unclear else None
    _record(report, EventKind.ACCEPTED, by, from_status=before, unit_id=report.unit_id, data=data)
    audit.record(by, "report.accept", f"report:{report.id}")
    notifications.tell(report, "accepted", unit=_unit_name(report), due=_moment(report.handling_due_at))
    return report


def hand_back(
    report: Report,
    *,
    by: Staff,
    reason: str = "",
    reason_code: str = hand_backs.OTHER,
    suggested_unit_id: int | None = None,
) -> HandBack:
    """The unit says it is not theirs, once, with a reason; the clock stands still until the dispatcher rules.

    reason_code: of the district's list; `other` needs words as well. After the district's limit it counts as late.
    Raises WrongState when this unit has handed this report back before, or when it was ruled on: that is final.
    """
    standing = Status(report.status) in WITH_UNIT and not report.hand_back_pending
    if standing and may(by, Action.HAND_BACK, report):
        if hand_backs.was_handed_back_by(report.id, report.unit_id):
            raise WrongState("errors.handed_back_already")
        if report.ruled_at is not None:
            raise WrongState("handback.ruling_is_final")
    require(by, Action.HAND_BACK, report)
    if reason_code not in dict(hand_backs.reasons()):
        raise BadInput(fields={"reason_code": "handback.choose_reason"})
    if reason_code == hand_backs.OTHER or clean(reason):
        reason = _words(reason, "reason", "errors.reason_missing", longest=LONGEST_REASON)
    else:
        reason = ""
    suggested = reference().units_by_id.get(suggested_unit_id) if suggested_unit_id is not None else None
    if suggested_unit_id is not None and (suggested is None or suggested.is_closed):
        raise BadInput(fields={"suggested_unit": "errors.unit_unknown"})
    if report.unit_id is None or report.assigned_at is None:
        raise WrongState()
    now = clock.now()
    precedent = precedents.deciding(report)
    row = HandBack(
        report_id=report.id,
        unit_id=report.unit_id,
        suggested_unit_id=suggested_unit_id,
        reason_code=reason_code,
        reason=reason,
        is_late=now > hand_backs.in_time_until(report.assigned_at),
        is_repeated=precedent is not None and precedent.to_unit_id == report.unit_id,
        asked_by_id=by.id,
        asked_at=now,
    )
    db.session.add(row)
    report.hand_back_pending = True
    report.first_seen_at, report.look_due_at = report.first_seen_at or now, None
    clocks.settle(report)
    _record(
        report, EventKind.HANDED_BACK, by, unit_id=report.unit_id, note=reason, is_public=False,
        data={"reason_code": reason_code, "late": row.is_late, "repeated": row.is_repeated},
    )  # fmt: skip
    audit.record(by, "report.hand_back", f"report:{report.id}")
    return row


def uphold_hand_back(report: Report, *, by: Staff, unit_id: int, ruling: str = "") -> Report:
    """The dispatcher agrees: the report goes to `unit_id` with a new clock. That is final, and a precedent."""
    require(by, Action.UPHOLD_HAND_BACK, report)
    pending = _pending_hand_back(report)
    if unit_id == report.unit_id:
        raise BadInput(fields={"unit": "errors.unit_the_same"})
    _rule(pending, by, upheld=True, ruling=ruling)
    report.hand_back_pending = report.is_unclear = False
    _record(report, EventKind.HAND_BACK_UPHELD, by, unit_id=pending.unit_id, note=pending.ruling, is_public=False)
    audit.record(by, "report.hand_back_upheld", f"report:{report.id}")
    precedents.keep(report, pending, to_unit_id=unit_id, by=by)
    # Without the ruling's words: they are between staff, and the resident reads this line.
    assign(report, unit_id, by=by)
    report.ruled_at = pending.ruled_at
    return report


def refuse_hand_back(report: Report, *, by: Staff, ruling: str) -> Report:
    """The dispatcher disagrees: the unit keeps it; the time the ruling took is given back. Final, and a precedent."""
    require(by, Action.REFUSE_HAND_BACK, report)
    ruling = _words(ruling, "ruling", "errors.reason_missing", longest=LONGEST_REASON)
    pending = _pending_hand_back(report)
    _rule(pending, by, upheld=False, ruling=ruling)
    report.hand_back_pending = report.is_unclear = False
    report.ruled_at = pending.ruled_at
    clocks.settle(report)
    _record(report, EventKind.HAND_BACK_REFUSED, by, unit_id=pending.unit_id, note=ruling, is_public=False)
    audit.record(by, "report.hand_back_refused", f"report:{report.id}")
    precedents.keep(report, pending, to_unit_id=pending.unit_id, by=by)
    return report


def resolve(report: Report, *, by: Staff, note: str, photo_ids: Sequence[int] = ()) -> Report:
    """The unit has fixed it. note: what was done, shown to the resident as written; photo_ids: after the work.

    Parts of co-units that are still open do not stand in the way; the history says which they were.
    A category marked so closes at once; every other waits for somebody else to verify.
    """
    require(by, Action.RESOLVE, report)
    note = _words(note, "note", "errors.note_missing")
    questions.drop(report, by=by)
    extensions.drop(report)
    now = clock.now()
    before = report.status
    report.accepted_at = report.accepted_at or now
    report.first_seen_at, report.look_due_at = report.first_seen_at or now, None
    report.status, report.resolved_at, report.resolved_by_id, report.resolution = (
        Status.RESOLVED,
        now,
        by.id,
        note,
    )
    _attach(report, photo_ids, by, purpose="after")
    report.proposed_unit_id = None
    still_open = [part.unit_id for part in parts.open_parts(report)]
    _record(
        report, EventKind.RESOLVED, by, from_status=before, unit_id=report.unit_id, note=note,
        data={"open_parts": still_open} if still_open else None,
    )  # fmt: skip
    audit.record(by, "report.resolve", f"report:{report.id}")
    category = reference().categories_by_id.get(report.category_id) if report.category_id else None
    if category is not None and category.close_without_verification:
        report.status, report.closed_at, report.verification_waived = Status.CLOSED, now, True
        _record(report, EventKind.VERIFIED, SYSTEM, from_status=Status.RESOLVED)
        notifications.tell(report, "closed", note=note, photos=bool(photo_ids))
    else:
        notifications.tell(report, "resolved", unit=_unit_name(report), note=note, photos=bool(photo_ids))
    return report


def verify(
    report: Report,
    *,
    by: Staff,
    note: str = "",
    photo_ids: Sequence[int] = (),
    place: tuple[float | None, float | None] = (None, None),
) -> Report:
    """Somebody without a part in the work has checked it: the case is closed and the resident is asked to rate.

    place: where they stand, latitude and longitude in WGS-84 degrees; the history keeps how far from the report.
    """
    require(by, Action.VERIFY, report)
    before = report.status
    report.status, report.closed_at, report.verified_by_id = Status.CLOSED, clock.now(), by.id
    _attach(report, photo_ids, by, purpose="check")
    _record(
        report, EventKind.VERIFIED, by, from_status=before, note=clean(note)[:LONGEST_NOTE],
        data=spot.measured(report, *place),
    )  # fmt: skip
    audit.record(by, "report.verify", f"report:{report.id}")
    notifications.tell(report, "closed", note=report.resolution)
    return report


def refuse_verification(
    report: Report,
    *,
    by: Staff,
    note: str,
    photo_ids: Sequence[int] = (),
    place: tuple[float | None, float | None] = (None, None),
) -> Report:
    """It is not fixed: back to the unit, which must do it again. note: what is wrong. place: as in `verify`."""
    require(by, Action.REFUSE_VERIFICATION, report)
    note = _words(note, "note", "errors.note_missing")
    before = report.status
    report.status, report.resolved_at, report.resolved_by_id = Status.IN_PROGRESS, None, None
    report.rework_count += 1
    _attach(report, photo_ids, by, purpose="check")
    _record(
        report, EventKind.VERIFICATION_REFUSED, by, from_status=before, unit_id=report.unit_id, note=note,
        data=spot.measured(report, *place),
    )  # fmt: skip
    clocks.settle(report)
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
    return _rated(report, by, solved, stars, reasons, text)


def rate_by_call(report: Report, *, by: Staff, solved: bool, stars: int | None = None, text: str = "") -> Report:
    """The same, said on the telephone and written down by staff. Raises NotAllowed besides."""
    require(by, Action.CALL_BACK, report)
    return _rated(report, by, solved, stars, (), text)


def _rated(
    report: Report, by: Resident | KeyHolder | Staff, solved: bool, stars: int | None, reasons: Sequence[str], text: str
) -> Report:
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
    extensions.drop(report)
    before = report.status
    if report.hand_back_pending:
        # There is nothing left to rule on; the history keeps that it was asked.
        db.session.delete(_pending_hand_back(report))
        report.hand_back_pending = False
    # Those who reported the same still have it: the eldest of them takes over.
    merging.pass_on(report)
    report.status = Status.WITHDRAWN
    report.unit_id = report.assigned_at = report.handling_due_at = report.accepted_at = None
    report.first_seen_at = report.look_due_at = report.proposed_unit_id = report.route_again_at = None
    clocks.settle(report)
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
    urges: bool = False,
) -> None:
    """More words or photos. is_public False: an internal note that only staff read.

    reason: the code of why a resident is not content, where they were asked (`not_fixed`, `slow`, ...).
    urges: the resident asks that it be hurried; it is counted where the report is listed.
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
    urging: dict[str, Any] = {URGES: True} if urges else {}
    data = urging | ({"reason": reason[:40]} if reason else {})
    _record(report, EventKind.COMMENTED, by, note=text, is_public=is_public, data=data or None)
    merging.pass_words(report, text, by, urging)


_STANDING = "select id, number, status, resident_id, unit_id, parent_id, hand_back_pending from report where id = ?"


def standing(report_id: int) -> Report:
    """As much of a report as whoever adds words or pictures to it needs, locked; no object of the session.

    Later words and photos come by the hundred in a rush, and a whole report costs ten times as much to read.
    Raises NotFound.
    """
    locking = " for update" if work.connection().dialect.name == "postgresql" else ""
    rows = send(_STANDING + locking, [report_id])
    if not rows:
        raise NotFound("errors.report_unknown")
    key, number, status, resident_id, unit_id, parent_id, is_handed_back = rows[0]
    return Report(
        id=key, number=number, status=status, resident_id=resident_id, unit_id=unit_id, parent_id=parent_id,
        hand_back_pending=bool(is_handed_back),
    )  # fmt: skip


def add_media(report_id: int, media_id: str, *, by: Resident) -> None:
    """A resident's later picture, still held by WeChat, joins the report; fetching it is hurried."""
    report = standing(report_id)
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
    facility_code: str | None = None,
    place_source: PlaceSource = PlaceSource.PICKED,
    said: str = "",
) -> Report:
    """Set right what was misunderstood, before it is fixed.

    Another category, place or facility makes the router look again, once for all that was corrected in one call; a
    report that no router has seen yet is simply routed as it is now.
    facility_code: either of its codes, "" for none. A resident's new place replaces the old one whole: with an address
    alone, the point and the facility that were wrong go. said: how the resident put it, kept in the history for
    whoever dispatches.
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
            report.standard_code = ""
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
    if facility_code is not None:
        facility_id = _facility_id(facility_code)
        if facility_id != report.facility_id:
            report.facility_id = facility_id
            changed["facility"] = clean(facility_code)
    if address is not None and clean(address) != report.address:
        report.address = clean(address)[:LONGEST_ADDRESS]
        changed["address"] = True
    if description is not None and clean(description) != report.description:
        report.description = clean(description)[:LONGEST_DESCRIPTION]
        changed["description"] = True
    if changed:
        _record(report, EventKind.CORRECTED, by, note=clean(said)[:LONGEST_NOTE], is_public=False, data=changed)
        if "category" in changed and report.handling_due_at is not None and report.handling_due_at > clock.now():
            standards.renew(report)
        if changed.keys() & _DECIDES and report.status != Status.SUBMITTED:
            report.route_again_at = clock.now()
            hurry("route_reports")
        if isinstance(by, Staff):
            audit.record(by, "report.correct", f"report:{report.id}", fields=sorted(changed))
    return report


# What the rules look at.
_DECIDES = frozenset({"category", "place", "facility"})


def _facility_id(code: str) -> int | None:
    from district.facilities.models import Facility

    code = clean(code)
    if not code:
        return None
    found = db.session.scalar(
        select(Facility.id).where(or_(Facility.code == code, Facility.code17 == code), Facility.retired_at.is_(None))
    )
    if found is None:
        raise BadInput(fields={"facility": "errors.facility_unknown"})
    return found


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


def suspend(report: Report, *, by: Staff, reason: str, until: datetime) -> ReportSuspension:
    """Put the report aside (挂账) for what nobody can do now; its clock stands still until it is resumed.

    reason: read by the resident. until: when it resumes by itself, within the district's days (setting
    `limits.suspend_days`). Raises NotAllowed, WrongState, BadInput.
    """
    require(by, Action.SUSPEND, report)
    reason = _words(reason, "reason", "errors.reason_missing", longest=LONGEST_REASON)
    now = clock.now()
    days = int(reference().setting("limits.suspend_days", DEFAULT_SUSPEND_DAYS))
    if not now < until <= now + timedelta(days=days):
        raise BadInput(fields={"until": "deadlines.problem.suspend_until"})
    questions.drop(report, by=by)
    before = report.status
    row = ReportSuspension(report_id=report.id, reason=reason, began_by_id=by.id, began_at=now, until=until)
    db.session.add(row)
    report.status = Status.SUSPENDED
    clocks.settle(report)
    _record(
        report, EventKind.SUSPENDED, by, from_status=before, unit_id=report.unit_id, note=reason,
        data={"until": until.isoformat()},
    )  # fmt: skip
    audit.record(by, "report.suspend", f"report:{report.id}")
    notices.tell("suspended", notices.people_of(report.unit_id), report_id=report.id, until=_day(until))
    notifications.tell(report, "suspended", reason=reason, until=_day(until))
    return row


def resume(report: Report, *, by: Staff | System, note: str = "") -> Report:
    """Take the report up again: the unit has the time that was left when it was put aside."""
    require(by, Action.RESUME, report)
    row = db.session.scalars(
        select(ReportSuspension).where(ReportSuspension.report_id == report.id, ReportSuspension.ended_at.is_(None))
    ).one()
    row.ended_at, row.ended_by_id = clock.now(), by.id if isinstance(by, Staff) else None
    before = report.status
    report.status = Status.IN_PROGRESS if report.accepted_at is not None else Status.ASSIGNED
    clocks.settle(report)
    _record(
        report, EventKind.RESUMED, by, from_status=before, unit_id=report.unit_id, note=clean(note)[:LONGEST_NOTE],
        data={"due": _iso(report.handling_due_at)},
    )  # fmt: skip
    if isinstance(by, Staff):
        audit.record(by, "report.resume", f"report:{report.id}")
    notices.tell(
        "resumed", notices.people_of(report.unit_id), report_id=report.id, due=_moment(report.handling_due_at),
        but=by.id if isinstance(by, Staff) else None,
    )  # fmt: skip
    return report


def resume_due(limit: int = 100) -> int:
    """Take up again whatever was put aside until now or earlier. Returns how many."""
    due = db.session.scalars(
        select(Report)
        .join(ReportSuspension, ReportSuspension.report_id == Report.id)
        .where(
            ReportSuspension.ended_at.is_(None),
            ReportSuspension.until <= clock.now(),
            Report.status == Status.SUSPENDED,
        )
        .order_by(ReportSuspension.until)
        .limit(limit)
        .with_for_update(of=Report, skip_locked=True)
    ).all()
    for report in due:
        resume(report, by=SYSTEM)
    return len(due)


def _give_to(report: Report, unit_id: int) -> None:
    """Set the unit and start its clock."""
    extensions.drop(report)
    now = clock.now()
    report.status, report.unit_id, report.assigned_at, report.accepted_at = (
        Status.ASSIGNED,
        unit_id,
        now,
        None,
    )
    report.first_seen_at, report.look_level, report.proposed_unit_id = None, 0, None
    report.look_due_at = looking.look_due_at(report.category_id, Urgency(report.urgency), now)
    clocks.start(report, now)


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


def _day(moment: datetime) -> str:
    """A day as a resident reads it, in the district's zone: `2026-11-24`."""
    from zoneinfo import ZoneInfo

    from flask import current_app

    return f"{moment.astimezone(ZoneInfo(current_app.config['DISTRICT_TIMEZONE'])):%Y-%m-%d}"


def _iso(moment: datetime | None) -> str:
    return moment.isoformat() if moment is not None else ""


def _words(text: str, field: str, missing: str, longest: int = LONGEST_NOTE) -> str:
    text = clean(text)
    if not text:
        raise BadInput(fields={field: missing})
    if len(text) > longest:
        raise BadInput(fields={field: "errors.reason_long" if longest == LONGEST_REASON else "errors.note_long"})
    return text
