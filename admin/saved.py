"""Saved lists: keep the one that is shown, take one away."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from admin import inbox
from admin.guard import me, pages
from district.extensions import db
from district.people.models import Staff
from district.saved import service as saved
from district.work import unit_of_work


@pages.post("/lists")
def save_list() -> ResponseReturnValue:
    """Keep the list whose query the form brings, as far as it says something."""
    asked = inbox.read(MultiDict(request.form), me())
    with unit_of_work():
        saved.save(
            request.form.get("name", ""), asked.query(), by=db.session.get_one(Staff, me().id),
            is_shared=request.form.get("shared") == "1",
        )  # fmt: skip
    flash("lists.saved.kept")
    return redirect(asked.address())


@pages.post("/lists/<int:list_id>/drop")
def drop_list(list_id: int) -> ResponseReturnValue:
    with unit_of_work():
        saved.drop(list_id, by=db.session.get_one(Staff, me().id))
    flash("lists.saved.dropped")
    return redirect(url_for("admin.inbox"))
