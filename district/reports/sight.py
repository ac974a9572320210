"""Which reports a member of staff may look at, and whose telephone number they may read."""

from __future__ import annotations

from dataclasses import dataclass

from district import audit, sealed
from district.errors import NotAllowed
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.reports.models import Report

# Those who work for a unit see its work; every other role looks after the whole district.
OF_A_UNIT = frozenset({Role.HANDLER, Role.UNIT_MANAGER})
READS_CONTACT = frozenset({Role.ACCEPTOR, Role.DISPATCHER, Role.SHIFT_LEAD})


@dataclass(frozen=True)
class Sight:
    """What somebody sees: reports of these units, by id, that lie in these streets, by code; None: of all."""

    units: frozenset[int] | None = None
    areas: frozenset[str] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole district, with what has neither unit nor place."""
        return self.units is None and self.areas is None


def sight_of(staff: Staff) -> Sight:
    """How far this person sees: as far as their roles go, within the units and streets they are limited to."""
    return Sight(visible_units(staff), frozenset(staff.area_scope) or None)


def visible_units(staff: Staff) -> frozenset[int] | None:
    """The units whose reports this person sees, as ids; None: every report, with or without a unit."""
    by_role = None if staff.roles - OF_A_UNIT else unit_and_below(staff.unit_id)
    if not staff.unit_scope:
        return by_role
    limited = frozenset[int]().union(*(unit_and_below(unit_id) for unit_id in staff.unit_scope))
    return limited if by_role is None else by_role & limited


def may_see(staff: Staff, report: Report) -> bool:
    """Whether this person may open the report: it is in their streets, and their unit answers for it or has a part."""
    sight = sight_of(staff)
    if sight.is_whole:
        return True
    if report.parent is not None:
        # It is part of what that one's units work on.
        return may_see(staff, report.parent)
    if sight.areas is not None and report.area_code not in sight.areas:
        return False
    units = sight.units
    return units is None or report.unit_id in units or any(part.unit_id in units for part in report.other_units)


def may_read_contact(staff: Staff, report: Report) -> bool:
    """Whether this person may read how to reach the reporter: the command centre, and whoever is to fix it."""
    if not may_see(staff, report):
        return False
    if staff.roles & READS_CONTACT:
        return True
    return bool(staff.roles & OF_A_UNIT) and report.unit_id in unit_and_below(staff.unit_id)


def read_contact(report: Report, *, by: Staff) -> str:
    """The reporter's telephone number or name in clear; every reading is in the audit log. Raises NotAllowed."""
    if not may_read_contact(by, report):
        raise NotAllowed()
    audit.record(by, "report.contact_read", f"report:{report.id}")
    return sealed.open_sealed(report.contact_sealed)
