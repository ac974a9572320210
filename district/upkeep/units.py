"""Responsible units, set by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select

from district import settings
from district.categories.models import Category
from district.extensions import db
from district.facilities.models import Facility, FacilityType
from district.geo.models import Area, Compound
from district.loading.unit_rows import COLUMNS, KnownToUnits, check_parents, read_unit
from district.messages import t
from district.people.models import Staff
from district.reports.models import Report
from district.reports.states import OPEN
from district.routing.rules import LOOKERS_ON
from district.units.models import Unit
from district.upkeep.kinds import Cells, Kind, Record, Use, count, joined, read_row, refuse, rules_naming


class Units(Kind):
    """Units. A unit that is out of use is closed; reports it had keep its name."""

    name = "unit"
    model = Unit
    columns = COLUMNS
    versions = ("rules", "units")
    ended = "closed_at"

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        units = db.session.execute(select(Unit.code, Unit.parent_id, Unit.id, Unit.closed_at)).all()
        codes = {unit.id: unit.code for unit in units}
        areas = frozenset(db.session.scalars(select(Area.code).where(Area.level == "area", Area.retired_at.is_(None))))
        known = KnownToUnits(
            frozenset(unit.code for unit in units if unit.closed_at is None), areas,
            t("rules.list.units"), t("rules.list.areas"),
        )  # fmt: skip
        code, record = read_unit(row, known)
        parents: dict[str, str | None] = {unit.code: codes.get(unit.parent_id or 0) for unit in units}
        check_parents(code, row, parents | {code: record["parent_code"]})
        if not record["emergency_phone"] and code in _emergency_units():
            row.wrong("emergency_phone", "no_emergency_phone", value=code)
        if record["role"] in LOOKERS_ON and any(rule.role == "primary" for rule in rules_naming("units", code)):
            row.wrong("role", "unit_looks_on", value=code)
        kind = db.session.scalar(select(Unit.kind).where(Unit.code == code))
        if kind is not None and kind != record["kind"] and _only_one_of(kind, code) and _kind_needed(kind):
            report.add("", 0, "unit_kind", "kind_needed", value=kind)
        refuse(report)
        return code, record

    def told(self, row: Unit) -> Record:
        return {
            "name": row.name,
            "kind": row.kind,
            "role": row.role,
            "parent_code": row.parent.code if row.parent else None,
            "area_codes": list(row.area_codes),
            "phone": row.phone,
            "emergency_phone": row.emergency_phone,
            "duty_hours": row.duty_hours,
            "note": row.note,
            "active": row.closed_at is None,
        }

    def put(self, row: Unit, record: Record) -> None:
        for name in ("name", "kind", "role", "area_codes", "phone", "emergency_phone", "duty_hours", "note"):
            setattr(row, name, record[name])
        above = record["parent_code"]
        row.parent = db.session.scalars(select(Unit).where(Unit.code == above)).one() if above else None

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {
            "code": code,
            "name_zh": record["name"],
            "unit_kind": record["kind"],
            "parent_code": record["parent_code"] or "",
            "area_codes": joined(record["area_codes"]),
            "role": record["role"],
            "phone": record["phone"],
            "emergency_phone": record["emergency_phone"],
            "duty_hours": record["duty_hours"],
            "note": record["note"],
        }

    def uses(self, row: Unit) -> list[Use]:
        cared_for = or_(Facility.maintainer_unit_id == row.id, Facility.owner_unit_id == row.id)
        found = [
            Use("open_reports", count(Report, Report.unit_id == row.id, Report.status.in_(OPEN)), True),
            Use("staff", count(Staff, Staff.unit_id == row.id, Staff.left_at.is_(None)), True),
            Use("units_below", count(Unit, Unit.parent_id == row.id, Unit.closed_at.is_(None)), True),
            Use("rules", len(rules_naming("units", row.code)), True),
            Use("emergencies", int(row.code in _emergency_units()), True),
            Use("backstop", int(_backstop() == row.code), True),
            Use("facilities", count(Facility, cared_for, Facility.retired_at.is_(None)), False),
            Use(
                "compounds", count(Compound, Compound.property_unit_id == row.id, Compound.retired_at.is_(None)), False
            ),
        ]
        if _only_one_of(row.kind, row.code):
            found.append(Use("kind_of", _kind_needed(row.kind), True))
        return found


def _emergency_units() -> set[str]:
    return {str(one["unit"]) for one in settings.get("emergency", []) if isinstance(one, dict) and one.get("unit")}


def _backstop() -> str:
    return str((settings.get("routing") or {}).get("backstop_unit", ""))


def _only_one_of(kind: str, code: str) -> bool:
    return not count(Unit, Unit.kind == kind, Unit.code != code, Unit.closed_at.is_(None))


def _kind_needed(kind: str) -> int:
    """How many categories and facility types are meant for units of this kind."""
    named: list[tuple[Any, Any]] = [(table, table.default_unit_kind == kind) for table in (Category, FacilityType)]
    return sum(count(table, where, table.retired_at.is_(None)) for table, where in named)
