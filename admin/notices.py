"""The bell: what staff are told about the clocks of their reports."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import ColumnElement
from sqlalchemy.exc import SQLAlchemyError

from admin.guard import me, pages
from admin.seeing import seen_within
from district.extensions import db
from district.notices import service as notices_of
from district.notices.models import StaffNotice
from district.people.models import Staff
from district.reports import queries, sight
from district.work import unit_of_work

_A_PAGE = 50


@pages.get("/notices")
def notices() -> ResponseReturnValue:
    """A person's own notices, unread ones first of all."""
    read = request.args.get("read") == "1"
    before = request.args.get("before", "")
    rows = notices_of.listed(
        me().id,
        read=read,
        shown=seen_within(StaffNotice.report_id, of=StaffNotice),
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
        limit=_A_PAGE,
    )
    return render_template(
        "admin/notices.html",
        rows=rows,
        read=read,
        numbers=queries.numbers_of({row.report_id for row in rows if row.report_id is not None}),
        following=rows[-1].id if len(rows) == _A_PAGE else None,
    )


@pages.post("/notices/read")
def read_notices() -> ResponseReturnValue:
    """One's own notices are read: one of them, or all that the page showed."""
    only, up_to = (request.form.get(name, "") for name in ("only", "up_to"))
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        if only.isdecimal() and len(only) < 19:
            notices_of.mark_read(by, up_to=0, only=int(only))
        elif up_to.isdecimal() and len(up_to) < 19:
            notices_of.mark_read(by, up_to=int(up_to))
    flash("deadlines.notices.marked")
    return redirect(url_for("admin.notices"))


def unread_notices() -> int:
    """How many notices the person at the panel has not read: the number at the bell."""
    if not current_user.is_authenticated:
        return 0
    try:
        seen = sight.sight_of(me())
        return notices_of.unread(me().id, shown=_seen(seen.units, seen.areas))
    except SQLAlchemyError:
        # The page that says what went wrong has a bell, too.
        db.session.rollback()
        return 0


@lru_cache(maxsize=64)
def _seen(units: frozenset[int] | None, areas: frozenset[str] | None) -> ColumnElement[bool] | None:
    """`seen_within` for notices. Kept, for every page asks it: of the same sight it is the same condition."""
    return queries.within(queries.Filters(units=units, areas=areas), StaffNotice.report_id, of=StaffNotice)


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"unread_notices": unread_notices}
