"""Which reports a member of staff may look at, and whose telephone number they may read."""

from __future__ import annotations

from district import audit, sealed
from district.errors import NotAllowed
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reports.models import Report

# Those who work for a unit see its work; every other role looks after the whole district.
OF_A_UNIT = frozenset({Role.HANDLER, Role.UNIT_MANAGER})
READS_CONTACT = frozenset({Role.ACCEPTOR, Role.DISPATCHER, Role.SHIFT_LEAD})


def visible_units(staff: Staff) -> frozenset[int] | None:
    """The units whose reports this person sees, as ids; None: every report, with or without a unit."""
    if staff.roles - OF_A_UNIT:
        return None
    return unit_and_below(staff.unit_id)


def may_see(staff: Staff, report: Report) -> bool:
    """Whether this person may open the report: their unit answers for it or has a part in it."""
    units = visible_units(staff)
    if units is None:
        return True
    if report.parent is not None:
        # It is part of what that one's units work on.
        return may_see(staff, report.parent)
    return report.unit_id in units or any(part.unit_id in units for part in report.other_units)


def may_read_contact(staff: Staff, report: Report) -> bool:
    """Whether this person may read how to reach the reporter: the command centre, and whoever is to fix it."""
    if staff.roles & READS_CONTACT:
        return True
    return bool(staff.roles & OF_A_UNIT) and report.unit_id in unit_and_below(staff.unit_id)


def read_contact(report: Report, *, by: Staff) -> str:
    """The reporter's telephone number or name in clear; every reading is in the audit log. Raises NotAllowed."""
    if not may_read_contact(by, report):
        raise NotAllowed()
    audit.record(by, "report.contact_read", f"report:{report.id}")
    return sealed.open_sealed(report.contact_sealed)
