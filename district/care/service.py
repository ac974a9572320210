"""What staff do at a facility: repairs with pictures that may resolve reports, and check-ins. Verbs never commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from district import audit, clock
from district.care import due
from district.care.models import MaintenancePhoto, MaintenanceReport
from district.errors import BadInput, NotAllowed
from district.extensions import db
from district.facilities import service as facilities
from district.facilities.models import CHECK_RESULTS, Facility, MaintenanceEntry
from district.facilities.service import LONGEST_NOTE, may_maintain
from district.messages import speaking, t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import FacilityTypeRef, reference
from district.reports import guards, mentions, photos, queries, sight, spot
from district.reports import service as reports
from district.reports.models import Photo, Report, Source
from district.reports.service import NewReport
from district.reports.states import WAITING_FOR_DISPATCH, WITH_UNIT, Action, Status
from district.words import clean

MOST_PHOTOS = 3
Place = tuple[float | None, float | None]


@dataclass(frozen=True)
class LogLine:
    """An entry of the log with what belongs to it."""

    entry: MaintenanceEntry
    who: str
    before: list[Photo] = field(default_factory=list)
    after: list[Photo] = field(default_factory=list)
    reports: list[MaintenanceReport] = field(default_factory=list)


def log_of(facility_id: int, *, limit: int = 20) -> list[LogLine]:
    """What staff did to it, newest first, with pictures and reports; in as many queries for one entry as for many."""
    entries = facilities.maintenance_log(facility_id, limit)
    ids = [entry.id for entry in entries]
    lines = {entry.id: LogLine(entry, "") for entry in entries}
    names = dict(
        db.session.execute(select(Staff.id, Staff.name).where(Staff.id.in_({one.staff_id for one in entries}))).all()
    )
    pictures = select(MaintenancePhoto).where(MaintenancePhoto.entry_id.in_(ids)).order_by(MaintenancePhoto.photo_id)
    for picture in db.session.scalars(pictures):
        line = lines[picture.entry_id]
        (line.before if picture.moment == "before" else line.after).append(picture.photo)
    linked = (
        select(MaintenanceReport)
        .where(MaintenanceReport.entry_id.in_(ids))
        .options(
            joinedload(MaintenanceReport.report).options(joinedload(Report.parent), selectinload(Report.other_units))
        )
        .order_by(MaintenanceReport.report_id)
    )
    for link in db.session.scalars(linked):
        lines[link.entry_id].reports.append(link)
    return [
        LogLine(entry, names.get(entry.staff_id, ""), lines[entry.id].before, lines[entry.id].after,
                lines[entry.id].reports)
        for entry in entries
    ]  # fmt: skip


def open_reports(staff: Staff, facility_id: int) -> list[tuple[Report, bool]]:
    """The open reports here that this person may see, newest first, and whether they can resolve each now."""
    found = [one for one in queries.open_at_facility(facility_id, limit=20) if sight.may_see(staff, one)]
    return [(one, Action.RESOLVE in guards.possible(staff, one)) for one in found]


def hindrance(staff: Staff, report: Report) -> str:
    """Why this person cannot resolve it now, as a key; "" where they can."""
    if Action.RESOLVE in guards.possible(staff, report):
        return ""
    if report.hand_back_pending:
        return "care.left.hand_back"
    if report.status == Status.SUSPENDED:
        return "care.left.suspended"
    if report.status in WAITING_FOR_DISPATCH:
        return "care.left.not_assigned"
    if report.status in WITH_UNIT:
        return "care.left.other_unit"
    return "care.left.moved"


def repair(
    facility: Facility,
    *,
    by: Staff,
    note: str,
    before: Sequence[photos.Picture] = (),
    after: Sequence[photos.Picture] = (),
    resolve: Collection[str] = (),
) -> MaintenanceEntry:
    """It is repaired: an entry with pictures, and the reports with these numbers are resolved with the same words.

    A report that cannot be resolved stands in nobody's way: it is linked as `left_open`. One that the person may not
    see, or that is of another facility, is passed over. facility: locked. Raises NotAllowed, BadInput.
    """
    entry = facilities.record_repair(facility, by=by, note=note)
    db.session.flush()
    _attach(entry, before, "before", by)
    _attach(entry, after, "after", by)
    wanted = sorted(one.id for one, _ in open_reports(by, facility.id) if one.number in resolve)
    for report_id in wanted:
        report = reports.lock(report_id)
        can = sight.may_see(by, report) and Action.RESOLVE in guards.possible(by, report)
        if can:
            # A picture is one report's: each gets rows of its own, the file is the same.
            shown = [photos.add_uploaded(picture, staff=by).id for picture in after]
            reports.resolve(report, by=by, note=entry.note, photo_ids=shown)
        how = "resolved" if can else "left_open"
        db.session.add(MaintenanceReport(entry_id=entry.id, report_id=report_id, how=how))
    db.session.flush()
    return entry


def may_check(staff: Staff, facility: Facility) -> bool:
    """Whether this person may write down a check: its own unit's staff, a plan's crew, inspectors in their sight."""
    if may_maintain(staff, facility):
        return True
    if not staff.roles & (due.GOES | {Role.INSPECTOR}):
        return False
    if Role.INSPECTOR in staff.roles:
        seen = sight.sight_of(staff)
        unit_id = facility.maintainer_unit_id or facility.owner_unit_id
        return (seen.areas is None or facility.area_code in seen.areas) and (
            seen.units is None or unit_id in seen.units
        )
    return bool(due.of_facility(staff, facility))


def check_in(
    facility: Facility,
    *,
    by: Staff,
    result: str,
    note: str = "",
    problem: str = "",
    joins: str = "",
    pictures: Sequence[photos.Picture] = (),
    place: Place = (None, None),
    plan_code: str = "",
) -> MaintenanceEntry:
    """Somebody has looked at it. result: see CHECK_RESULTS.

    A fault needs words: one of the type's problems, a note, or `joins`, the number of an open report that is the same.
    The same problem reported before is joined by an internal note; else a report is filed. place: where they stand,
    latitude and longitude in WGS-84 degrees; only the distance is kept. plan_code: the plan it counts for, "" for none.
    facility: locked. Raises NotAllowed, BadInput.
    """
    if not may_check(by, facility):
        raise NotAllowed()
    kind = reference().facility_types_by_id.get(facility.type_id)
    note = clean(note)
    wrong: dict[str, str] = {}
    if result not in CHECK_RESULTS:
        wrong["result"] = "care.problem.result"
    if len(note) > LONGEST_NOTE:
        wrong["note"] = "errors.note_long"
    if kind is None or problem not in kind.problems or result != "faulty":
        problem = ""
    here = [one for one, _ in open_reports(by, facility.id)]
    joined = next((one for one in here if one.number == joins), None) if result == "faulty" else None
    if result == "faulty" and not (problem or note or joined):
        wrong["problem"] = "care.problem.what"
    plan = next((one.plan for one, _, _ in due.of_facility(by, facility) if one.plan.code == plan_code), None)
    if plan_code and plan is None:
        wrong["plan"] = "care.problem.plan"
    if wrong:
        raise BadInput(fields=wrong)
    metres = spot.distance(place, (facility.latitude, facility.longitude))
    entry = MaintenanceEntry(
        facility_id=facility.id, staff_id=by.id, kind="inspection", note=note, at=clock.now(), result=result,
        problem=problem, plan_id=plan.id if plan else None, metres=metres,
        is_far=metres is not None and metres > spot.limit_m(),
    )  # fmt: skip
    db.session.add(entry)
    db.session.flush()
    _attach(entry, pictures, "before", by)
    if result == "faulty":
        _tell_fault(entry, facility, kind, joined or _same(here, problem), pictures, by)
    _set_state(facility, result)
    audit.record(by, "facility.inspection", f"facility:{facility.id}", result=result)
    return entry


def _set_state(facility: Facility, result: str) -> None:
    """What a check says of the state; what is out of use stays so, and who could not get there knows nothing."""
    if facility.state in due.NOT_IN_USE:
        return
    facility.state = {"fine": "intact", "faulty": "damaged", "not_found": "missing"}.get(result, facility.state)


def _same(here: Sequence[Report], problem: str) -> Report | None:
    """The newest open report that names this very problem."""
    return next((one for one in here if problem and problem in one.description), None)


def _tell_fault(
    entry: MaintenanceEntry,
    facility: Facility,
    kind: FacilityTypeRef | None,
    same: Report | None,
    pictures: Sequence[photos.Picture],
    by: Staff,
) -> None:
    """The fault becomes a report, or a line in the one that is open."""
    shown = [photos.add_uploaded(picture, staff=by).id for picture in pictures]
    # Reports are filed in the words of the type's problems, which are Chinese.
    with speaking("zh-Hans"):
        said = t("citizen.facility.words", thing=kind.name if kind else "", problem=entry.problem)
    words = "\n".join(part for part in (said if entry.problem else "", entry.note) if part)
    if same is not None:
        report = reports.lock(same.id)
        if Action.COMMENT in guards.possible(by, report):
            with speaking("zh-Hans"):
                again = t("care.check.again", words=words) if words else t("care.check.again_bare")
            mentions.note(report, by=by, text=again[:LONGEST_NOTE], photo_ids=shown)
        db.session.add(MaintenanceReport(entry_id=entry.id, report_id=report.id, how="joined"))
    else:
        category = kind.default_category_code if kind and entry.problem else ""
        filed = reports.submit(
            NewReport(
                source=Source.INSPECTOR if Role.INSPECTOR in by.roles else Source.STAFF,
                description=words,
                category_code=category if category in reference().categories_by_code else "",
                facility_id=facility.id,
                photo_ids=tuple(shown),
            ),
            by=by,
        )
        db.session.add(MaintenanceReport(entry_id=entry.id, report_id=filed.id, how="filed"))
    db.session.flush()


def _attach(entry: MaintenanceEntry, pictures: Sequence[photos.Picture], moment: str, by: Staff) -> None:
    if len(pictures) > MOST_PHOTOS:
        raise BadInput(fields={moment: "care.problem.photos"})
    for picture in pictures:
        photo = photos.add_uploaded(picture, staff=by)
        db.session.add(MaintenancePhoto(photo_id=photo.id, entry_id=entry.id, moment=moment))
    db.session.flush()
