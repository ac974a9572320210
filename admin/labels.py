"""Code labels: what to print, what was printed when, which of them hang, and each facility's own codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from district.errands import service as errand_book
from district.errors import BadInput, NotFound, WrongState
from district.extensions import db
from district.facilities import codes
from district.facilities import queries as facility_lists
from district.facilities import service as facilities
from district.facilities.code_states import CodeAction, CodeState, step
from district.facilities.models import Facility
from district.labels import printing, service
from district.labels.layouts import layouts
from district.labels.models import LabelRun
from district.labels.service import Order
from district.messages import language, t
from district.people.models import Staff
from district.reference import reference
from district.work import unit_of_work

_FIRST_LAYOUT = "sheet21"
_ROWS_A_PAGE = 100


@pages.get("/labels")
def labels() -> ResponseReturnValue:
    """What to print, and what was printed. The address may hold what to choose, as a run before was chosen."""
    return _page(request.args | {"only_new": request.args.get("only_new", "" if request.args else "1")}, {})


@pages.post("/labels")
def print_labels() -> ResponseReturnValue:
    """Begin a run; a process makes its file."""
    given = request.form
    order = Order(
        layout=given.get("layout", ""),
        codes=tuple(dict.fromkeys(given.get("codes", "").replace(",", " ").replace("，", " ").split())),
        type_code=given.get("type", ""),
        street=given.get("street", "").strip()[:80],
        only_new=given.get("only_new") == "1",
        fresh=given.get("fresh") == "1",
    )
    try:
        printing.check_address()
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            run = service.begin(order, by=by)
            errand_id = errand_book.ask("labels", {"run": run.id}, by=by).id
    except BadInput as error:
        errors = {name: t(key, **error.params) for name, key in error.fields.items()}
        return _page(given.to_dict(), errors or {"layout": t(error.key, **error.params)}), 422
    return redirect(url_for("admin.errand", errand_id=errand_id))


@pages.get("/labels/<int:run_id>")
def label_run(run_id: int) -> ResponseReturnValue:
    """One run: its labels in the crew's order, and which of them hang."""
    run = service.run_of(run_id, by=me())
    after = request.args.get("after", "")
    rows = service.printed(
        run_id, after=int(after) if after.isascii() and after.isdecimal() and len(after) < 9 else 0, limit=_ROWS_A_PAGE
    )
    asked_by = db.session.get(Staff, run.asked_by_id) if run.asked_by_id else None
    return render_template(
        "admin/label_run.html",
        run=run,
        asked_by=asked_by,
        layout_name=_layout_name(run),
        chosen=_chosen_words(service.order_of(run)),
        again=_as_address(service.order_of(run)),
        rows=rows,
        placed=service.counts([run.id]).get(run.id, 0),
        can_place={one.token for one in rows if step(CodeAction.PLACE, CodeState(one.state))},
        next_after=rows[-1].position if len(rows) == _ROWS_A_PAGE else None,
    )


@pages.post("/labels/<int:run_id>/list")
def list_labels(run_id: int) -> ResponseReturnValue:
    """The crew's list as a file; a process makes it."""
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        run = service.run_of(run_id, by=by)
        errand_id = errand_book.ask("label_list", {"run": run.id}, by=by).id
    return redirect(url_for("admin.errand", errand_id=errand_id))


@pages.post("/labels/<int:run_id>/placed")
def place_labels(run_id: int) -> ResponseReturnValue:
    """The ticked labels hang where they belong. What somebody else has noted meanwhile is passed over."""
    ticked = request.form.getlist("token")[:_ROWS_A_PAGE]
    placed = 0
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        service.run_of(run_id, by=by)
        of_this_run = service.prints_among(run_id, ticked)
        for token in ticked:
            if token in of_this_run:
                try:
                    codes.place(token, by=by)
                    placed += 1
                except WrongState:
                    continue
    flash("labels.run.placed_now" if placed else "labels.run.none_ticked")
    return redirect(url_for("admin.label_run", run_id=run_id))


@pages.post("/facilities/<code>/codes")
def issue_code(code: str) -> ResponseReturnValue:
    """A new code for a facility, to be printed with the next run; the label that hangs stays good until then."""
    found = facilities.by_code(code)
    with unit_of_work():
        codes.issue(
            db.session.get_one(Facility, found.id),
            by=db.session.get_one(Staff, me().id),
            reason=request.form.get("reason", ""),
        )
    flash("labels.code.issued_now")
    return redirect(url_for("admin.facility", code=code))


@pages.post("/facilities/<code>/placed")
def place_code(code: str) -> ResponseReturnValue:
    """A label of this facility hangs where it belongs; older ones end."""
    found = facilities.by_code(code)
    token = request.form.get("token", "")
    if token not in {row.token for row in facility_lists.tokens(found.id)}:
        raise NotFound("errors.facility_unknown")
    with unit_of_work():
        codes.place(token, by=db.session.get_one(Staff, me().id))
    flash("labels.code.placed_now")
    return redirect(url_for("admin.facility", code=code))


def _page(typed: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    ref = reference()
    before = request.args.get("before", "")
    runs = service.runs(
        by=me(), before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    )
    return render_template(
        "admin/labels.html",
        typed={"layout": _FIRST_LAYOUT} | dict(typed),
        errors=errors,
        layouts={name: one.title(language()) for name, one in layouts().items()},
        types=list(ref.facility_types_by_code.values()),
        areas=[area for area in ref.areas_by_code.values() if area.level == "area"],
        runs=runs,
        chosen={run.id: _chosen_words(service.order_of(run)) for run, _ in runs},
        layout_names={run.id: _layout_name(run) for run, _ in runs},
        placed=service.counts([run.id for run, _ in runs]),
        next_before=runs[-1][0].id if len(runs) == service.RUNS_A_PAGE else None,
    )


def _layout_name(run: LabelRun) -> str:
    """A layout of the district's own may be gone."""
    found = layouts().get(run.layout)
    return found.title(language()) if found else run.layout


def _chosen_words(order: Order) -> str:
    """What a run was chosen by, in words."""
    ref = reference()
    kind = ref.facility_types_by_code.get(order.type_code)
    area = ref.areas_by_code.get(order.street)
    parts = [
        t("labels.chosen.codes", n=len(order.codes)) if order.codes else "",
        (kind.name_en if language() == "en" else kind.name) if kind else order.type_code,
        area.name if area else order.street,
        t("labels.chosen.only_new") if order.only_new else "",
        t("labels.chosen.fresh") if order.fresh else "",
    ]
    return " · ".join(part for part in parts if part) or t("labels.chosen.all")


def _as_address(order: Order) -> dict[str, str]:
    """The page's address with the same chosen again: also what was printed before."""
    values = {"layout": order.layout, "codes": " ".join(order.codes), "type": order.type_code, "street": order.street}
    return {name: value for name, value in values.items() if value} | {"only_new": "0"}
