"""Saved lists: keep the one that is shown, take one away; keep the columns one is used to."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from admin import inbox
from admin.columns import NONE, columns_of
from admin.guard import me, pages
from district.extensions import db
from district.lists.columns import USUAL
from district.people.models import Staff
from district.saved import service as saved
from district.work import unit_of_work


@pages.post("/lists")
def save_list() -> ResponseReturnValue:
    """Keep the list whose query the form brings, as far as it says something."""
    asked = inbox.read(MultiDict(request.form), me())
    # It comes with its columns, whatever its owner or its reader are used to.
    columns = asked.own_columns or (".".join(asked.columns) if asked.columns != USUAL else None)
    with unit_of_work():
        saved.save(
            request.form.get("name", ""), asked.query(cols=columns), by=db.session.get_one(Staff, me().id),
            is_shared=request.form.get("shared") == "1",
        )  # fmt: skip
    flash("lists.saved.kept")
    return redirect(asked.address(cols=columns))


@pages.post("/columns")
def save_columns() -> ResponseReturnValue:
    """The list with the chosen columns; `keep`: all of this person's lists from now on, `usual`: as everybody's."""
    wanted = MultiDict([("cols", value) for value in request.form.getlist("cols") or [NONE]])
    names, said = columns_of(wanted, me())
    asked = inbox.read(MultiDict(request.form), me())
    if request.form.get("do") == "show":
        return redirect(asked.address(cols=said, after=None))
    with unit_of_work():
        kept = None if request.form.get("do") == "usual" else names
        saved.keep_columns(kept, by=db.session.get_one(Staff, me().id))
    flash("lists.columns.kept")
    return redirect(asked.address(cols=None, after=None))


@pages.post("/lists/<int:list_id>/drop")
def drop_list(list_id: int) -> ResponseReturnValue:
    with unit_of_work():
        saved.drop(list_id, by=db.session.get_one(Staff, me().id))
    flash("lists.saved.dropped")
    return redirect(url_for("admin.inbox"))
