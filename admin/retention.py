"""For how long things are kept: what would go now, what went last, and the days themselves."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from district.errors import BadInput
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.retention import service as kept
from district.work import unit_of_work


@pages.get("/settings/retention")
def retention() -> ResponseReturnValue:
    return _page()


@pages.get("/settings/retention/<kind>/preview")
def preview_retention(kind: str) -> ResponseReturnValue:
    """How much would go now if it were kept for the days that are being typed: a part of the page."""
    found = kept.kind_of(kind)
    days = Sent(request.args).number("days")
    is_possible = days is not None and found.least <= days <= found.most
    due = kept.due(found, days) if days is not None and is_possible else None
    return render_template("admin/_retention_due.html", kind=found, due=due)


@pages.post("/settings/retention/<kind>")
def save_retention(kind: str) -> ResponseReturnValue:
    """Keep it for so many days from now on, or again for as many as the district's folder says."""
    sent = Sent(request.form)
    days = None if sent.text("reset") else sent.number("days")
    if days is None and not sent.text("reset"):
        # Taken as out of bounds, which no number is.
        days = -1
    try:
        with unit_of_work():
            kept.change(kind, days, by=db.session.get_one(Staff, me().id))
    except BadInput as error:
        return _page(kind, sent.text("days"), t(error.key, **error.params)), 422
    kept.seen_at_once()
    flash("retention.page.saved")
    return redirect(url_for("admin.retention"))


def _page(wrong: str = "", typed: str = "", trouble: str = "") -> str:
    return render_template(
        "admin/retention.html",
        rows=kept.rows(),
        last_round=kept.last_round(),
        wrong=wrong,
        typed=typed,
        trouble=trouble,
    )
