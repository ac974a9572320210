"""Facilities: found by token or code, repaired."""

from __future__ import annotations

import unicodedata
from datetime import date

from sqlalchemy import or_, select

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.facilities import codes
from district.facilities.code_states import LIVE
from district.facilities.codes import is_theirs
from district.facilities.models import Facility, FacilityToken, MaintenanceEntry
from district.people.models import Staff
from district.people.roles import Role
from district.words import clean

LONGEST_NOTE = 1000
# What is written by hand; an inspection has a result besides (district.care.service).
WRITTEN_KINDS = ("repair", "note")


class Revoked(NotFound):
    """The code was taken out of use: revoked, or replaced by a newer one that hangs in its stead."""

    code = "revoked"

    def __init__(self, name: str) -> None:
        """name: of the facility it was a label of."""
        super().__init__("errors.code_ended")
        self.name = name


def by_token(token: str) -> Facility:
    """The facility a printed code belongs to, as people type it (`codes.spellings`). Raises Revoked, NotFound."""
    row = codes.of(token)
    if row is None or row.facility.retired_at is not None:
        raise NotFound("errors.facility_unknown")
    if row.state not in LIVE:
        raise Revoked(row.facility.name)
    return row.facility


def by_code(code: str) -> Facility:
    """The facility with this code, of either scheme. Raises NotFound."""
    code = _digits(code)
    facility = db.session.scalar(
        select(Facility).where(or_(Facility.code == code, Facility.code17 == code), Facility.retired_at.is_(None))
    )
    if facility is None:
        raise NotFound("errors.facility_unknown")
    return facility


def by_token_or_code(text: str) -> Facility:
    """Whatever a person or a partner gives: a token, a 16- or a 17-digit code. Raises NotFound."""
    digits = _digits(text)
    return by_code(digits) if digits.isdecimal() and len(digits) >= 16 else by_token(text)


def _digits(text: str) -> str:
    """A code as typed from a label, full-width digits and spaces in between read kindly."""
    return "".join(unicodedata.normalize("NFKC", text[:60]).split()).replace("\0", "")


def answers_for(facility: Facility, day: date) -> tuple[int | None, str]:
    """Which unit answers for a facility on this day, and its own line for emergencies, "" for none.

    The line is the contractor's: it ends with the contract, and nobody is sent to a telephone that no longer answers.
    """
    is_over = facility.contract_to is not None and facility.contract_to < day
    is_early = facility.contract_from is not None and facility.contract_from > day
    unit_id = facility.maintainer_unit_id or facility.owner_unit_id
    return unit_id, "" if is_over or is_early else facility.emergency_phone


def token_of(facility_id: int) -> str | None:
    """The token in use, newest first; None when none was issued."""
    return db.session.scalar(
        select(FacilityToken.token)
        .where(FacilityToken.facility_id == facility_id, FacilityToken.state.in_(LIVE))
        .order_by(FacilityToken.issued_at.desc())
        .limit(1)
    )


def may_maintain(staff: Staff, facility: Facility) -> bool:
    """Whether this person's unit, or one below it, looks after the facility."""
    if not staff.roles & {Role.HANDLER, Role.UNIT_MANAGER}:
        return False
    return is_theirs(staff, facility)


def record_repair(facility: Facility, *, by: Staff, note: str, kind: str = "repair") -> MaintenanceEntry:
    """Write what was done into the facility's log; a repair makes it intact. Raises NotAllowed, BadInput."""
    if not may_maintain(by, facility):
        raise NotAllowed()
    if kind not in WRITTEN_KINDS:
        raise BadInput(fields={"kind": "errors.bad_input"})
    note = clean(note)
    if not note or len(note) > LONGEST_NOTE:
        raise BadInput(fields={"note": "errors.note_long" if note else "errors.note_missing"})
    entry = MaintenanceEntry(facility_id=facility.id, staff_id=by.id, kind=kind, note=note, at=clock.now())
    db.session.add(entry)
    if kind == "repair":
        facility.state = "intact"
    audit.record(by, f"facility.{kind}", f"facility:{facility.id}")
    return entry


def maintenance_log(facility_id: int, limit: int = 20) -> list[MaintenanceEntry]:
    """What staff did to it, newest first."""
    return list(
        db.session.scalars(
            select(MaintenanceEntry)
            .where(MaintenanceEntry.facility_id == facility_id)
            .order_by(MaintenanceEntry.id.desc())
            .limit(limit)
        )
    )
