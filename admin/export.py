"""A list of reports as a file: what shall be in it, then a task that writes it."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from admin import inbox
from admin.columns import NONE, columns_of, offered
from admin.guard import me, pages
from admin.inbox import Asked
from district import audit
from district.bulk.service import MOST_ROWS
from district.errands import service as errands
from district.errors import BadInput
from district.extensions import db
from district.lists import columns as listing
from district.lists import export
from district.messages import t
from district.people.models import Staff
from district.work import unit_of_work


@pages.get("/export")
def export_list() -> ResponseReturnValue:
    """What the file shall hold: the list of the address, or its ticked rows."""
    asked = inbox.read(request.args, me())
    head = [name for name in listing.HEAD if name not in asked.columns]
    return _page(asked, tuple(head) + asked.columns, request.args.getlist("row"))


@pages.post("/export")
def do_export() -> ResponseReturnValue:
    """Ask for the file; its task says how far it is."""
    asked = inbox.read(MultiDict(request.form), me())
    names, _ = columns_of(MultiDict([("cols", value) for value in request.form.getlist("cols") or [NONE]]), me())
    rows = list(dict.fromkeys(request.form.getlist("row")))[:MOST_ROWS]
    wanted = export.Asked(
        request.form.get("file", ""), names, asked.filters, tuple(rows), request.form.get("contact") == "1"
    )
    try:
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            wanted = export.checked(wanted, by=by)
            errand_id = errands.ask("export_reports", wanted.plain(), by=by).id
            audit.record(
                by, "report.export", f"errand:{errand_id}", file=wanted.file, columns=list(wanted.columns),
                ticked=len(rows), contact=wanted.with_contact,
            )  # fmt: skip
    except BadInput as error:
        errors = {name: t(key) for name, key in error.fields.items()} or {"": t(error.key, **error.params)}
        return _page(asked, names, rows, errors=errors), 422
    return redirect(url_for("admin.errand", errand_id=errand_id))


def _page(asked: Asked, chosen: tuple[str, ...], rows: list[str], *, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "admin/export.html",
        asked=asked,
        chosen=inbox.chosen(asked),
        rows=list(dict.fromkeys(rows))[:MOST_ROWS],
        count=inbox.count_of(asked),
        offered=[(column, is_on) for column, is_on in offered(chosen) if not column.is_picture],
        may_ask_contact=export.may_ask_contact(me()),
        typed=request.form,
        errors=errors or {},
    )
