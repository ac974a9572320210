"""The register of facilities: the list and its map, records added and changed by hand, files in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, cast

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import uploads
from admin.errands import outcome_of, size_words
from admin.guard import me, pages
from district import audit
from district.errands import service as errand_book
from district.errands.kinds.import_facilities import PROBLEMS
from district.errands.models import Errand
from district.errors import BadInput, NotFound
from district.extensions import db
from district.facilities import queries as facility_lists
from district.facilities.models import FACILITY_STATES, Facility
from district.messages import has, t
from district.people.models import Staff
from district.reference import reference
from district.register import service as register
from district.register import sources
from district.register.columns import FIELDS, Datum, Plan, guess, plan_of
from district.register.export import KINDS
from district.reports import photos
from district.units import queries as unit_lists
from district.work import unit_of_work

_NEAR_M, _NEAR_MOST = 1000, 30
_FILTERS = ("q", "type", "area", "state", "unit", "gone")
# Rows of a file shown beside the columns, so that one sees what is in them.
_SAMPLES = 3


@pages.get("/facilities", endpoint="facilities")
def facility_list() -> ResponseReturnValue:
    """The register as a list or as a map, narrowed by the same words; or what is nearest to a point."""
    given, wanted = _given(), _wanted()
    near = point_in(request.args.get("near", ""))
    ref = reference()
    after = request.args.get("after", "")
    page = None
    nearest: list[tuple[Facility, float]] = []
    if near is not None:
        nearest = facility_lists.near(*near, metres=_NEAR_M, limit=_NEAR_MOST)
    elif request.args.get("view") != "map":
        page = facility_lists.search(
            words=wanted.words, type_code=wanted.type_code, area_code=wanted.area_code, state=wanted.state,
            unit_id=wanted.unit_id, is_gone=wanted.is_gone,
            after=int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else None,
        )  # fmt: skip
    return render_template(
        "admin/facilities.html",
        page=page,
        nearest=nearest,
        near=near,
        near_m=_NEAR_M,
        given=given,
        kept={name: value for name, value in given.items() if value},
        types=list(ref.facility_types_by_code.values()),
        areas=[area for area in ref.areas_by_code.values() if area.level == "area"],
        units=unit_lists.all_open(),
        states=FACILITY_STATES,
        kinds=KINDS,
    )


@pages.get("/facilities/map.json")
def facility_map() -> ResponseReturnValue:
    """What a part of the map shows: dots, or about so many heaps as it asks for where there are too many."""
    try:
        south, west, north, east = (float(part) for part in request.args.get("box", "").split(","))
    except ValueError as error:
        raise BadInput() from error
    if not all(map(isfinite, (south, west, north, east))) or not (south < north and west < east):
        raise BadInput()
    heaps_wanted = min(200, max(8, request.args.get("heaps", default=100, type=int)))
    found, heaps = facility_lists.on_map(_wanted(), facility_lists.Box(south, west, north, east), heaps_wanted)
    dots = [
        {
            "latitude": one.latitude,
            "longitude": one.longitude,
            "name": one.name,
            "detail": f"{one.code17} · {t(f'status.facility.{one.state}')}",
            "is_intact": one.state == "intact",
            "url": url_for("admin.facility", code=one.code17),
        }
        for one in found
    ]
    return jsonify(facilities=dots, heaps=[asdict(heap) for heap in heaps])


def _given() -> dict[str, str]:
    return {name: request.values.get(name, "").strip()[:60] for name in _FILTERS}


def _wanted() -> facility_lists.Wanted:
    """What the list is narrowed to; a value that nobody knows is not asked for."""
    given = _given()
    unit = reference().units_by_code.get(given["unit"])
    return facility_lists.Wanted(
        words=given["q"],
        type_code=given["type"],
        area_code=given["area"],
        state=given["state"] if given["state"] in FACILITY_STATES else "",
        unit_id=unit.id if unit else None,
        is_gone=given["gone"] == "1",
    )


def point_in(text: str) -> tuple[float, float] | None:
    """A point as an address names it, `50.4260,124.1262`, latitude first; None for anything else."""
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


# ---------------------------------------------------------------- one record


@pages.get("/facilities/new")
def add_facility() -> ResponseReturnValue:
    return _form(None, {"state": "intact", "is_smart": "0"}, FIELDS)


@pages.post("/facilities/new")
def create_facility() -> ResponseReturnValue:
    given = {name: request.form.get(name, "") for name in FIELDS}
    try:
        with unit_of_work():
            code = register.add(given, by=_by()).code17
    except register.RecordRefused as error:
        return _form(None, given, FIELDS, error), 422
    flash("register.form.added")
    return redirect(url_for("admin.facility", code=code))


@pages.get("/facilities/<code>/edit")
def edit_facility(code: str) -> ResponseReturnValue:
    found = register.find(code)
    fields = register.editable(me(), found)
    if not fields or found.retired_at is not None:
        return redirect(url_for("admin.facility", code=code))
    return _form(found, register.form_of(found), fields)


@pages.post("/facilities/<code>/edit")
def save_facility(code: str) -> ResponseReturnValue:
    """Write it, or show the form again as it was sent with what stands in the way."""
    given = {name: value for name, value in request.form.items() if name in FIELDS}
    version = request.form.get("version", "")
    try:
        with unit_of_work():
            changes = register.change(
                code, given, by=_by(), version=int(version) if version.isascii() and version.isdecimal() else 0
            )
            now_called = changes.get("code17", [code, code])[1]
    except register.RecordRefused as error:
        found = register.find(code)
        return _form(found, register.form_of(found) | given, register.editable(me(), found), error), 422
    flash("register.form.saved" if changes else "register.form.same")
    return redirect(url_for("admin.facility", code=now_called))


def _form(
    found: Facility | None, typed: Mapping[str, str], fields: Sequence[str], error: register.RecordRefused | None = None
) -> str:
    ref = reference()
    return render_template(
        "admin/facility_form.html",
        facility=found,
        typed=typed,
        fields=fields,
        problems={one.field: t(f"register.problem.{one.key}", **one.params) for one in reversed(error.problems)}
        if error
        else {},
        types=list(ref.facility_types_by_code.values()),
        units=unit_lists.all_open(),
        states=FACILITY_STATES,
    )


@pages.post("/facilities/<code>/retire")
def retire_facility(code: str) -> ResponseReturnValue:
    try:
        with unit_of_work():
            register.retire(code, by=_by(), reason=request.form.get("reason", ""))
    except BadInput as error:
        flash(next(iter(error.fields.values()), error.key))
        return redirect(url_for("admin.facility", code=code))
    flash("register.form.retired")
    return redirect(url_for("admin.facility", code=code))


@pages.post("/facilities/<code>/restore")
def restore_facility(code: str) -> ResponseReturnValue:
    with unit_of_work():
        register.restore(code, by=_by())
    flash("register.form.restored")
    return redirect(url_for("admin.facility", code=code))


@pages.post("/facilities/<code>/photos")
def add_facility_photos(code: str) -> ResponseReturnValue:
    try:
        pictures = [photos.prepare(content) for content in uploads()]
        for picture in pictures:
            photos.keep(picture)
        with unit_of_work():
            by = _by()
            ids = [photos.add_uploaded(picture, staff=by).id for picture in pictures]
            register.add_photos(code, ids, by=by)
    except BadInput as error:
        flash(next(iter(error.fields.values()), error.key))
    else:
        flash("register.photo.added")
    return redirect(url_for("admin.facility", code=code))


@pages.post("/facilities/<code>/photos/remove")
def remove_facility_photo(code: str) -> ResponseReturnValue:
    with unit_of_work():
        register.remove_photo(code, request.form.get("token", ""), by=_by())
    flash("register.photo.removed")
    return redirect(url_for("admin.facility", code=code))


# ---------------------------------------------------------------- files in and out


@dataclass(frozen=True)
class _Column:
    """A column of somebody's file with what stands in its first rows."""

    heading: str
    samples: tuple[str, ...]


@pages.get("/facilities/import")
def import_facilities() -> ResponseReturnValue:
    """Choose a file; what was chosen before."""
    before = [one for one in errand_book.of(me()) if one.kind in ("check_facilities", "import_facilities")]
    return render_template("admin/facility_import.html", before=before[:10], outcome_of=outcome_of, errors={})


@pages.post("/facilities/import")
def upload_facilities() -> ResponseReturnValue:
    """The file is looked through at once, its columns read as they are usually called."""
    file = request.files.get("file")
    if file is None or not file.filename:
        answer = render_template(
            "admin/facility_import.html", before=[], outcome_of=outcome_of, errors={"file": "register.import.missing"}
        )
        return answer, 422
    with unit_of_work():
        name = file.filename
        asked = errand_book.ask(
            "check_facilities", {"name": name}, by=_by(), given=cast(BinaryIO, file.stream), given_name=name
        ).id  # fmt: skip
    return redirect(url_for("admin.import_plan", errand_id=asked))


@pages.get("/facilities/import/<int:errand_id>")
def import_plan(errand_id: int) -> ResponseReturnValue:
    """Which column is what, what the check found, and the way on."""
    return _plan_page(_import(errand_id))


@pages.get("/facilities/import/<int:errand_id>/state")
def import_state(errand_id: int) -> ResponseReturnValue:
    """The part of the page that changes."""
    found = _import(errand_id)
    return render_template("admin/_facility_import.html", **_state_of(found))


@pages.post("/facilities/import/<int:errand_id>")
def run_import(errand_id: int) -> ResponseReturnValue:
    """Look through it again with other columns, or take it over."""
    found = _import(errand_id)
    path = errand_book.folder_of(found.id) / errand_book.GIVEN
    chosen = {name: request.form.get(f"column-{name}", "") for name in FIELDS}
    datum = request.form.get("datum", "")
    try:
        with sources.opened(path) as source:
            plan = plan_of(chosen, datum, source.headings)
    except BadInput as error:
        return _plan_page(found, error, Plan({name: heading for name, heading in chosen.items() if heading})), 422
    kind = "import_facilities" if request.form.get("do") == "import" else "check_facilities"
    with path.open("rb") as given, unit_of_work():
        asked = errand_book.ask(
            kind, {"name": found.parameters["name"], "plan": plan.as_json()}, by=_by(), given=given,
            given_name=found.given,
        ).id  # fmt: skip
    return redirect(url_for("admin.import_plan", errand_id=asked))


@pages.post("/facilities/export")
def export_facilities() -> ResponseReturnValue:
    """What the list is narrowed to, as a file: made beside everything else, fetched when it is ready."""
    kind = request.form.get("kind", "")
    if kind not in KINDS:
        raise BadInput("register.file.kinds")
    wanted = _wanted()
    with unit_of_work():
        by = _by()
        asked = errand_book.ask("export_facilities", {"kind": kind, "wanted": asdict(wanted)}, by=by).id
        audit.record(by, "facility.export", f"staff:{by.id}", kind=kind)
    return redirect(url_for("admin.errand", errand_id=asked))


def _import(errand_id: int) -> Errand:
    found = errand_book.read(errand_id, by=me())
    if found.kind not in ("check_facilities", "import_facilities"):
        raise NotFound()
    return found


def _plan_page(found: Errand, error: BadInput | None = None, chosen: Plan | None = None) -> str:
    path = errand_book.folder_of(found.id) / errand_book.GIVEN
    columns, plan, trouble = _columns_of(path)
    given = found.parameters.get("plan")
    if chosen is None and given:
        chosen = Plan(given["columns"], Datum(given["datum"]))
    return render_template(
        "admin/facility_import_plan.html",
        columns=columns,
        plan=chosen or plan,
        trouble=trouble,
        errors=error.fields if error else {},
        fields=FIELDS,
        data=list(Datum),
        **_state_of(found),
    )


def _columns_of(path: Path) -> tuple[list[_Column], Plan, str]:
    """The file's columns, how they are read unless somebody says otherwise, and why it cannot be read at all."""
    try:
        with sources.opened(path) as source:
            first = [row for row, _ in zip(source.rows(), range(_SAMPLES), strict=False)]
            columns = [
                _Column(heading, tuple(row.cells[place][:40] for row in first if row.cells[place]))
                for place, heading in enumerate(source.headings)
            ]
            return columns, guess(source.headings), ""
    except BadInput as error:
        return [], Plan({}), t(error.key, **error.params)
    except FileNotFoundError:
        return [], Plan({}), t("register.import.gone")


def _state_of(found: Errand) -> dict[str, Any]:
    path = errand_book.folder_of(found.id) / PROBLEMS
    problems = json.loads(path.read_text(encoding="utf-8")) if found.is_ended and path.is_file() else []
    return {
        "errand": found,
        "is_check": found.kind == "check_facilities",
        "problems": problems,
        "counts": [(name, found.outcome[name]) for name in _COUNTS if name in found.outcome],
        "outcome_of": outcome_of,
        "size_words": size_words,
    }


_COUNTS = ("read", "created", "updated", "unchanged", "refused")


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"field_words": field_words, "edit_words": edit_words}


def field_words(name: str) -> str:
    """A field of the record as people call it; a column of the table that is none, by its own name."""
    key = f"register.field.{_SHOWN_AS.get(name, name)}"
    return t(key) if has(key) else name


_SHOWN_AS = {"code17": "code", "code": "code_other", "area_code": "area", "grid_code": "grid"}


def edit_words(name: str, value: Any) -> str:
    """A value that the history keeps, in words."""
    ref = reference()
    if value is None or value == "":
        return t("admin.none")
    if name in ("owner", "maintainer"):
        unit = ref.units_by_code.get(str(value))
        return unit.name if unit else str(value)
    if name == "type":
        kind = ref.facility_types_by_code.get(str(value))
        return kind.name if kind else str(value)
    if name == "state":
        return t(f"status.facility.{value}")
    if name == "is_smart":
        return t("register.yes" if value else "register.no")
    if name in ("latitude", "longitude"):
        return f"{value:.6f}"
    area = ref.areas_by_code.get(str(value)) if name == "area_code" else None
    return area.name if area else str(value)
