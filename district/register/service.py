"""The register kept up by hand: add, change, take out, bring back, pictures. Each act leaves a line in the history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, or_, select

from district import audit, clock, settings
from district.errors import BadInput, NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.facilities.models import Facility
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reference import reference
from district.register.checks import CLEARED, Checked, Known, Problem
from district.register.columns import FIELDS, Datum
from district.register.loading import KEPT, differences, whole_record
from district.register.models import FacilityEdit, FacilityPhoto
from district.reports.models import Photo
from district.words import clean

# What whoever maintains a facility keeps up; whose it is and what it is stays with the administrators.
OF_THE_UNIT = (
    "name", "address", "longitude", "latitude", "contract_from", "contract_to", "emergency_phone", "state",
    "installed_on", "is_smart",
)  # fmt: skip
MOST_PHOTOS = 9
LONGEST_REASON = 500


class RecordRefused(BadInput):
    """Something is wrong with the record. problems: what, field by field."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("errors.bad_input", fields={one.field: f"register.problem.{one.key}" for one in problems})
        self.problems = problems


def may_keep(staff: Staff) -> bool:
    """Whether this person looks after the whole register: adds, takes out, loads files."""
    return Role.ADMINISTRATOR in staff.roles


def editable(staff: Staff, facility: Facility) -> tuple[str, ...]:
    """The fields of this facility that this person may change; none: it may only be read.

    Administrators all of them; managers of the unit that maintains or owns it, or of one above, what the work on the
    spot brings to light. Whoever is limited to streets or units is limited here as well.
    """
    if staff.area_scope and facility.area_code not in staff.area_scope:
        return ()
    whose = {facility.maintainer_unit_id, facility.owner_unit_id} - {None}
    if staff.unit_scope:
        limited = frozenset[int]().union(*(unit_and_below(unit_id) for unit_id in staff.unit_scope))
        if not whose & limited:
            return ()
    if may_keep(staff):
        return FIELDS
    if Role.UNIT_MANAGER in staff.roles and whose & unit_and_below(staff.unit_id):
        return OF_THE_UNIT
    return ()


def find(code: str) -> Facility:
    """The facility with this code of either scheme, also one that was taken out of the register. Raises NotFound."""
    code = code.strip()
    found = db.session.scalar(select(Facility).where(or_(Facility.code == code, Facility.code17 == code)))
    if found is None:
        raise NotFound("errors.facility_unknown")
    return found


def add(given: Mapping[str, str], *, by: Staff) -> Facility:
    """A new facility from a form's fields (`FIELDS`). Raises NotAllowed, RecordRefused."""
    if not may_keep(by):
        raise NotAllowed()
    one = Checked(0, given, Known(reference()))
    if not one.problems:
        codes = [one.values["code"], one.values["code17"]]
        taken = db.session.scalar(
            select(func.count()).select_from(Facility).where(or_(Facility.code.in_(codes), Facility.code17.in_(codes)))
        )
        if taken:
            one.wrong("code", "code_of_another", value=given.get("code", "").strip())
    values = whole_record(one, None) if not one.problems else {}
    if one.problems:
        raise RecordRefused(one.problems)
    facility = Facility(**values)
    db.session.add(facility)
    # For its id.
    db.session.flush()
    _record(facility, "added", by)
    return facility


def change(code: str, given: Mapping[str, str], *, by: Staff, version: int) -> dict[str, Any]:
    """Write what a form says into the record; {field: [before, after]} of what it changed.

    An empty field is emptied. Fields that this person may not change are left as they are, whatever is given.
    version: as the form showed it. Raises NotFound, NotAllowed, StaleVersion, RecordRefused.
    """
    facility = _locked(code)
    fields = editable(by, facility)
    if not fields:
        raise NotAllowed()
    if facility.version != version:
        raise StaleVersion()
    if facility.retired_at is not None:
        raise WrongState("register.retired_first")
    before = {name: getattr(facility, name) for name in KEPT}
    own, other = (facility.code17, facility.code) if facility.code_scheme == "17" else (facility.code, facility.code17)
    # Whoever may not change a code still says which facility is meant.
    said = {"code": own, "code_other": other if other != own else ""} | {
        name: given[name].strip() or ("-" if name in CLEARED else "") for name in fields if name in given
    }
    one = Checked(0, said, Known(reference()), Datum.WGS84)
    if "name" in fields and "name" in given and not given["name"].strip():
        one.wrong("name", "name_missing")
    values = whole_record(one, before) if not one.problems else {}
    if not one.problems and (values["code"], values["code17"]) != (facility.code, facility.code17):
        _refuse_taken(one, values, facility)
    if one.problems:
        raise RecordRefused(one.problems)
    changes = differences(before, values)
    if changes:
        for name in KEPT:
            setattr(facility, name, values[name])
        facility.version += 1
        _record(facility, "changed", by, changes)
    return changes


def retire(code: str, *, by: Staff, reason: str) -> Facility:
    """Take it out of the register: its codes stop working, its history stays.

    Raises NotAllowed, BadInput, WrongState.
    """
    facility, reason = _kept_up(code, by), clean(reason)
    if not reason:
        raise BadInput(fields={"reason": "errors.reason_missing"})
    if len(reason) > LONGEST_REASON:
        raise BadInput(fields={"reason": "errors.reason_long"})
    if facility.retired_at is not None:
        raise WrongState()
    before = facility.state
    facility.retired_at, facility.state, facility.version = clock.now(), "removed", facility.version + 1
    _record(facility, "retired", by, {"state": [before, "removed"]} if before != "removed" else {}, reason)
    return facility


def restore(code: str, *, by: Staff) -> Facility:
    """Bring it back, intact. Raises NotAllowed, WrongState."""
    facility = _kept_up(code, by)
    if facility.retired_at is None:
        raise WrongState()
    before = facility.state
    facility.retired_at, facility.state, facility.version = None, "intact", facility.version + 1
    _record(facility, "restored", by, {"state": [before, "intact"]})
    return facility


def add_photos(code: str, photo_ids: list[int], *, by: Staff) -> None:
    """Show these kept pictures, which are in no report, on the facility's page. Raises NotAllowed, BadInput."""
    facility = _locked(code)
    if not editable(by, facility):
        raise NotAllowed()
    have = db.session.scalar(
        select(func.count()).select_from(FacilityPhoto).where(FacilityPhoto.facility_id == facility.id)
    )
    if not photo_ids or (have or 0) + len(photo_ids) > MOST_PHOTOS:
        raise BadInput(fields={"photos": "register.photo.missing" if not photo_ids else "errors.photos_many"})
    for photo_id in photo_ids:
        db.session.add(FacilityPhoto(photo_id=photo_id, facility_id=facility.id, staff_id=by.id, added_at=clock.now()))
    _record(facility, "photo_added", by)


def remove_photo(code: str, token: str, *, by: Staff) -> None:
    """Show a picture no longer; it is deleted with the next tidying. Raises NotAllowed, NotFound."""
    facility = _locked(code)
    if not editable(by, facility):
        raise NotAllowed()
    photo_id = db.session.scalar(
        select(FacilityPhoto.photo_id)
        .join(Photo, Photo.id == FacilityPhoto.photo_id)
        .where(FacilityPhoto.facility_id == facility.id, Photo.token == token)
    )
    if photo_id is None:
        raise NotFound()
    db.session.execute(delete(FacilityPhoto).where(FacilityPhoto.photo_id == photo_id))
    _record(facility, "photo_removed", by)


def photos_of(facility_id: int) -> list[Photo]:
    """The pictures of a facility, oldest first."""
    query = select(FacilityPhoto).where(FacilityPhoto.facility_id == facility_id)
    return [row.photo for row in db.session.scalars(query.order_by(FacilityPhoto.added_at, FacilityPhoto.photo_id))]


def history(facility_id: int, limit: int = 50) -> list[FacilityEdit]:
    """The changes to its record, newest first."""
    query = select(FacilityEdit).where(FacilityEdit.facility_id == facility_id)
    return list(db.session.scalars(query.order_by(FacilityEdit.id.desc()).limit(limit)))


def form_of(facility: Facility) -> dict[str, str]:
    """The record as a form shows it, by field."""
    ref = reference()
    own, other = (facility.code17, facility.code) if facility.code_scheme == "17" else (facility.code, facility.code17)
    units = ref.units_by_id

    def unit(unit_id: int | None) -> str:
        return units[unit_id].code if unit_id is not None and unit_id in units else ""

    kind = ref.facility_types_by_id.get(facility.type_id)
    days = {name: getattr(facility, name) for name in ("contract_from", "contract_to", "installed_on")}
    return {
        "code": own,
        "code_other": other if other != own else "",
        "type": kind.code if kind else "",
        "name": facility.name,
        "address": facility.address,
        "longitude": repr(facility.longitude),
        "latitude": repr(facility.latitude),
        "owner": unit(facility.owner_unit_id),
        "maintainer": unit(facility.maintainer_unit_id),
        "emergency_phone": facility.emergency_phone,
        "state": facility.state,
        "is_smart": "1" if facility.is_smart else "0",
        "source": facility.source,
    } | {name: day.isoformat() if day else "" for name, day in days.items()}


def _locked(code: str) -> Facility:
    return db.session.get_one(Facility, find(code).id, with_for_update={"of": Facility}, populate_existing=True)


def _kept_up(code: str, by: Staff) -> Facility:
    facility = _locked(code)
    if not may_keep(by) or not editable(by, facility):
        raise NotAllowed()
    return facility


def _refuse_taken(one: Checked, values: Mapping[str, Any], facility: Facility) -> None:
    codes = [values["code"], values["code17"]]
    taken = db.session.scalar(
        select(Facility.id).where(
            or_(Facility.code.in_(codes), Facility.code17.in_(codes)), Facility.id != facility.id
        ).limit(1)
    )  # fmt: skip
    if taken is not None:
        one.wrong("code", "code_of_another", value=one.values["code"])


def _record(
    facility: Facility, kind: str, by: Staff, changes: Mapping[str, Any] | None = None, note: str = ""
) -> None:  # fmt: skip
    db.session.add(
        FacilityEdit(
            facility_id=facility.id, at=clock.now(), staff_id=by.id, kind=kind, changes=dict(changes or {}), note=note
        )
    )
    audit.record(by, f"facility.{kind}", f"facility:{facility.id}", **({"fields": sorted(changes)} if changes else {}))
    settings.changed("facilities")
