"""Inspection plans: made, changed and ended. Verbs flush and never commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from district import clock
from district.care.models import InspectionPlan
from district.changes import service as changes
from district.errors import NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.facilities.models import FacilityType
from district.geo.models import Area
from district.loading.plan_rows import PLAN_COLUMNS, KnownToPlans, read_plan
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.people.service import unit_and_below
from district.units.models import Unit
from district.upkeep.kinds import Cells, RecordRefused, in_use, joined, read_row, refuse

# What its changes are kept under.
KIND = "inspection_plan"
Record = dict[str, Any]


def may_keep(staff: Staff, unit_id: int | None) -> bool:
    """Whether this person may make and change plans of this unit; None: those of every facility's own unit."""
    if Role.ADMINISTRATOR in staff.roles:
        return True
    return Role.UNIT_MANAGER in staff.roles and unit_id is not None and unit_id in unit_and_below(staff.unit_id)


def find(plan_id: int) -> InspectionPlan:
    """Raises NotFound."""
    found = db.session.get(InspectionPlan, plan_id)
    if found is None:
        raise NotFound()
    return found


def all_plans(*, ended: bool = False) -> list[InspectionPlan]:
    """Those in force, or those that were ended, by code."""
    over = InspectionPlan.ended_at.is_not(None) if ended else InspectionPlan.ended_at.is_(None)
    return list(db.session.scalars(select(InspectionPlan).where(over).order_by(InspectionPlan.code)))


def add(cells: Cells, *, by: Staff) -> InspectionPlan:
    """A new plan as it was written, column by column (`PLAN_COLUMNS`). Raises RecordRefused, NotAllowed."""
    code, record = _read(cells, by)
    if db.session.scalar(select(InspectionPlan.id).where(InspectionPlan.code == code)) is not None:
        raise RecordRefused({"code": t("upkeep.code_taken", code=code)})
    plan = InspectionPlan(code=code, created_at=clock.now())
    with db.session.no_autoflush:
        _put(plan, record)
    db.session.add(plan)
    db.session.flush()
    changes.record(by, KIND, code, act="add", before=None, after=told(plan))
    return plan


def change(plan_id: int, cells: Cells, *, version: int, by: Staff) -> bool:
    """Make it say what was written; the code stays. Whether anything changed.

    Raises RecordRefused, NotAllowed, NotFound, WrongState for one that was ended, StaleVersion where somebody was
    quicker.
    """
    plan = _lock(plan_id, by)
    if plan.version != version:
        raise StaleVersion()
    _, record = _read(dict(cells) | {"code": plan.code}, by)
    before = told(plan)
    with db.session.no_autoflush:
        _put(plan, record)
    if told(plan) == before:
        return False
    plan.version += 1
    changes.record(by, KIND, plan.code, act="change", before=before, after=told(plan))
    return True


def end(plan_id: int, *, by: Staff) -> None:
    """Nothing is due by it any more; what was checked stays. Raises NotAllowed, NotFound, WrongState."""
    plan = _lock(plan_id, by)
    before = told(plan)
    plan.ended_at = clock.now()
    plan.version += 1
    changes.record(by, KIND, plan.code, act="retire", before=before, after=told(plan))


def told(plan: InspectionPlan) -> Record:
    """What a plan says, as its changes keep it."""
    unit = db.session.get(Unit, plan.unit_id) if plan.unit_id is not None else None
    return {
        "name": plan.name, "type_codes": list(plan.type_codes), "area_codes": list(plan.area_codes),
        "crew": plan.crew, "unit_code": unit.code if unit else None, "every": plan.every,
        "every_unit": plan.every_unit, "months": list(plan.months), "starts_on": plan.starts_on.isoformat(),
        "active": plan.ended_at is None,
    }  # fmt: skip


def written(code: str, record: Mapping[str, Any]) -> dict[str, str]:
    """A record of `told` as a person writes it, column by column."""
    return {
        "code": code, "name": record["name"], "facility_types": joined(record["type_codes"]),
        "area_codes": joined(record["area_codes"]), "crew": record["crew"], "unit": record["unit_code"] or "",
        "every": str(record["every"]), "every_unit": record["every_unit"],
        "months": joined([str(month) for month in record["months"]]), "starts_on": record["starts_on"],
    }  # fmt: skip


def _read(cells: Cells, by: Staff) -> tuple[str, Record]:
    row, report = read_row(PLAN_COLUMNS, cells)
    areas = db.session.scalars(select(Area.code).where(Area.retired_at.is_(None), Area.level == "area"))
    known = KnownToPlans(
        in_use(FacilityType),
        frozenset(areas),
        in_use(Unit, "closed_at"),
        t("rules.list.types"),
        t("upkeep.list.areas"),
        t("rules.list.units"),
    )
    code, record = read_plan(row, known)
    refuse(report)
    record["unit_id"] = None
    if record["unit_code"]:
        record["unit_id"] = db.session.scalars(select(Unit.id).where(Unit.code == record["unit_code"])).one()
    if not may_keep(by, record["unit_id"]) or (record["crew"] == "all" and Role.ADMINISTRATOR not in by.roles):
        # A unit's manager plans for their unit's own facilities, and sends nobody to others'.
        raise NotAllowed()
    return code, record


def _put(plan: InspectionPlan, record: Record) -> None:
    for name in record.keys() - {"unit_code"}:
        setattr(plan, name, record[name])


def _lock(plan_id: int, by: Staff) -> InspectionPlan:
    plan = db.session.get(InspectionPlan, plan_id, with_for_update={"of": InspectionPlan}, populate_existing=True)
    if plan is None:
        raise NotFound()
    if not may_keep(by, plan.unit_id) or (plan.crew == "all" and Role.ADMINISTRATOR not in by.roles):
        raise NotAllowed()
    if plan.ended_at is not None:
        raise WrongState("care.plan.is_ended")
    return plan
