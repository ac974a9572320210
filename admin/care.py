"""Care of facilities: what is due for inspection today, and the plans that it follows from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from admin.facilities import point_in
from admin.guard import can, me, pages
from admin.showing import area_name, category_name
from district.care import due, plans
from district.care.due import Narrowed, Progress, Round
from district.care.models import CREWS, EVERY_UNITS, InspectionPlan
from district.changes import service as changes
from district.changes.models import Change
from district.errors import StaleVersion
from district.extensions import db
from district.loading.plan_rows import PLAN_COLUMNS
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import reference
from district.upkeep.kinds import RecordRefused
from district.work import unit_of_work

# As many as fit on paper that somebody carries in a day.
_MOST_PRINTED = 500
_MANY = ("facility_types", "area_codes", "months")


@pages.get("/care/due")
def care_due() -> ResponseReturnValue:
    """What my unit has to look at now: street by street, or nearest first."""
    narrowed = _narrowed()
    near = point_in(request.args.get("near", ""))
    page = None
    nearest = []
    if near is not None:
        nearest = due.near(me(), narrowed, *near)
    else:
        page = due.page(me(), narrowed, after=request.args.get("after", "")[:60])
    return render_template(
        "admin/care_due.html",
        rows=nearest if page is None else page.rows,
        page=page,
        near=near,
        count=due.count(me(), narrowed),
        most_counted=due.MOST_COUNTED,
        rounds=due.rounds_of(me()),
        given=_given(),
        kept=_kept(),
        areas=_streets(),
        can_go=bool(me().roles & (due.GOES | {Role.INSPECTOR})),
    )


@pages.get("/care/due/print")
def print_due() -> ResponseReturnValue:
    """The same as a list on paper, with boxes to tick."""
    page = due.page(me(), _narrowed(), limit=_MOST_PRINTED)
    return render_template(
        "admin/care_due_print.html", rows=page.rows, is_cut=bool(page.next_after), kept=_kept(), most=_MOST_PRINTED,
        today=due.today(), unit=me().unit,
    )  # fmt: skip


def _given() -> dict[str, str]:
    return {name: request.args.get(name, "").strip()[:60] for name in ("q", "plan", "area", "late")}


def _kept() -> dict[str, str]:
    return {name: value for name, value in _given().items() if value}


def _narrowed() -> Narrowed:
    given = _given()
    return Narrowed(given["q"], given["plan"], "", given["area"], given["late"] == "1")


# ---------------------------------------------------------------- plans


@dataclass(frozen=True)
class PlanLine:
    """A plan as the list shows it. round, progress: None while nothing is due by it."""

    plan: InspectionPlan
    round: Round | None
    progress: Progress | None


@pages.get("/care/plans")
def inspection_plans() -> ResponseReturnValue:
    """All plans, and how far each is in its period."""
    ended = request.args.get("ended") == "1"
    lines = []
    for plan in plans.all_plans(ended=ended):
        one = due.round_of(plan)
        lines.append(PlanLine(plan, one, due.progress(one, me()) if one else None))
    return render_template("admin/care_plans.html", lines=lines, ended=ended)


@pages.get("/care/plans/new")
def new_plan() -> ResponseReturnValue:
    own = "" if Role.ADMINISTRATOR in me().roles else me().unit.code
    cells = dict.fromkeys(PLAN_COLUMNS, "") | {
        "crew": "own" if own else "maintainer", "unit": own, "every": "1", "every_unit": "months",
        "starts_on": due.today().replace(day=1).isoformat(),
    }  # fmt: skip
    return _form(None, cells)


@pages.post("/care/plans/new")
def create_plan() -> ResponseReturnValue:
    cells = _cells(request.form)
    try:
        with unit_of_work():
            plan_id = plans.add(cells, by=_by()).id
    except RecordRefused as error:
        return _form(None, cells, error.problems), 422
    flash("care.plan.added")
    return redirect(url_for("admin.inspection_plan", plan_id=plan_id))


@pages.get("/care/plans/<int:plan_id>")
def inspection_plan(plan_id: int) -> ResponseReturnValue:
    """One plan, to be changed or ended, and what was changed."""
    plan = plans.find(plan_id)
    return _form(plan, plans.written(plan.code, plans.told(plan)))


@pages.post("/care/plans/<int:plan_id>")
def save_plan(plan_id: int) -> ResponseReturnValue:
    cells, version = _cells(request.form), request.form.get("version", "")
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        abort(400)
    try:
        with unit_of_work():
            changed = plans.change(plan_id, cells, version=int(version), by=_by())
    except RecordRefused as error:
        return _form(plans.find(plan_id), cells, error.problems), 422
    except StaleVersion:
        return _form(plans.find(plan_id), cells, {"": t("care.plan.stale")}), 409
    flash("care.plan.saved" if changed else "care.plan.same")
    return redirect(url_for("admin.inspection_plan", plan_id=plan_id))


@pages.post("/care/plans/<int:plan_id>/end")
def end_plan(plan_id: int) -> ResponseReturnValue:
    with unit_of_work():
        plans.end(plan_id, by=_by())
    flash("care.plan.ended")
    return redirect(url_for("admin.inspection_plans"))


def _form(plan: InspectionPlan | None, cells: Mapping[str, str], errors: Mapping[str, str] | None = None) -> str:
    ref = reference()
    kinds: dict[str, list[Any]] = {}
    for kind in ref.facility_types_by_code.values():
        kinds.setdefault(kind.major, []).append(kind)
    keeps_all = Role.ADMINISTRATOR in me().roles
    units = sorted((one for one in ref.units_by_id.values() if not one.is_closed), key=lambda one: one.code)
    may_keep = plan is None or (
        can("save_plan") and plan.ended_at is None and plans.may_keep(me(), plan.unit_id)
        and (plan.crew != "all" or keeps_all)
    )  # fmt: skip
    one = due.round_of(plan) if plan else None
    return render_template(
        "admin/care_plan.html",
        plan=plan,
        cells=cells,
        many={name: cells[name].split(";") for name in _MANY},
        errors=errors or {},
        may_keep=may_keep,
        kinds=kinds,
        areas=_streets(),
        units=[one for one in units if plans.may_keep(me(), one.id)],
        crews=CREWS if keeps_all else ("own",),
        every_units=EVERY_UNITS,
        round=one,
        progress=due.progress(one, me()) if one else None,
        lines=[_change_line(row) for row in changes.of_subject(plans.KIND, plan.code)] if plan else [],
    )


@dataclass(frozen=True)
class PlanChange:
    """One change of a plan in words. parts: (label, before, after)."""

    change: Change
    act: str
    parts: list[tuple[str, str, str]]


def _change_line(row: Change) -> PlanChange:
    before, after = (plans.written(row.subject, one) if one else {} for one in (row.before, row.after))
    parts = [
        (t(f"care.plan.field.{name}"), said(name, before.get(name, "")), said(name, after.get(name, "")))
        for name in PLAN_COLUMNS
        if before and before.get(name) != after.get(name)
    ]
    ended = row.after is not None and not row.after["active"]
    return PlanChange(row, "add" if not before else "end" if ended else "change", parts)


def said(name: str, value: str) -> str:
    """What stands in a cell of a plan, in words."""
    ref = reference()
    parts = [part for part in value.split(";") if part]
    if name == "facility_types":
        named = [category_name(ref.facility_types_by_code.get(part)) or part for part in parts]
        return t("admin.between").join(named)
    if name == "area_codes":
        return t("admin.between").join(area_name(part) or part for part in parts) or t("care.plan.everywhere")
    if name == "months":
        return t("admin.between").join(t("care.plan.month", n=part) for part in parts) or t("care.plan.all_year")
    if name == "crew":
        return t(f"care.crew.{value}") if value else ""
    if name == "every_unit":
        return t(f"care.every_unit.{value}") if value else ""
    if name == "unit":
        unit = ref.units_by_code.get(value)
        return unit.name if unit else value
    return value


def every_words(plan: InspectionPlan) -> str:
    """`每 2 周`, and in which months."""
    words = (
        t(f"care.every_one.{plan.every_unit}") if plan.every == 1 else t(f"care.every.{plan.every_unit}", n=plan.every)
    )
    if not plan.months:
        return words
    return t("care.every.only", every=words, months=said("months", ";".join(map(str, plan.months))))


def crew_words(plan: InspectionPlan) -> str:
    """Who goes."""
    return plan.unit.name if plan.unit is not None else t("care.crew.maintainer")


def _cells(form: MultiDict[str, str]) -> dict[str, str]:
    """A form as a row of the folder's file."""
    cells = {name: form.get(name, "").strip() for name in PLAN_COLUMNS}
    return cells | {name: ";".join(form.getlist(name)) for name in _MANY}


def _streets() -> list[Any]:
    return [area for area in reference().areas_by_code.values() if area.level == "area"]


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"every_words": every_words, "crew_words": crew_words, "plan_said": said}
