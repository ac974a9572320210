"""How often the router is right, which model it uses, where rules should change; and one tap in triage."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import can, me, pages
from admin.report_page import reachable, show, visible
from district import clock
from district.errors import BadInput, NotFound, WrongState
from district.extensions import db
from district.learning import accuracy as figures
from district.learning import habits, runs, versions
from district.learning.models import ModelState
from district.people.models import Staff
from district.reports import service as reports
from district.reports import sight
from district.routing import choices
from district.work import unit_of_work

_WEEKS = 12


@pages.get("/accuracy")
def accuracy() -> ResponseReturnValue:
    """Week by week, version by version, rule by rule."""
    return _page()


@pages.post("/accuracy/models/<int:version_id>/use")
def use_model(version_id: int) -> ResponseReturnValue:
    """Put a version in use: back to an older one, or on to a candidate."""
    try:
        with unit_of_work():
            versions.put_in_use(version_id, by=db.session.get_one(Staff, me().id))
    except WrongState as error:
        return _page(status=409, trouble=error.key)
    flash("learning.page.used")
    return redirect(url_for("admin.accuracy"))


@pages.post("/reports/<number>/settle")
def settle(number: str) -> ResponseReturnValue:
    """One tap in triage: this category, and the unit that the rules give for it."""
    found = reachable(number)
    version, seen = (request.form.get(name, "") for name in ("version", "seen"))
    try:
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            report = reports.lock(found.id, version=int(version) if _is_number(version) else 0)
            if not sight.may_see(by, report):
                raise NotFound("errors.report_unknown")
            choices.settle(report, request.form.get("category", ""), by=by)
    except (WrongState, BadInput) as error:
        found = visible(number)
        since = int(seen) if _is_number(seen) else 0
        changes = [event for event in found.events if event.id > since] if isinstance(error, WrongState) else []
        return show(found, status=409 if isinstance(error, WrongState) else 422, changes=changes)
    flash("learning.triage.done")
    return redirect(url_for("admin.report", number=number))


def _page(*, status: int = 200, trouble: str = "") -> ResponseReturnValue:
    now = clock.now()
    weeks = figures.by_week(now, current_app.config["DISTRICT_TIMEZONE"], _WEEKS)
    newest = versions.newest()
    shown = render_template(
        "admin/accuracy.html",
        weeks=weeks,
        by_version=figures.by_version(versions.uses(), weeks[-1].since, now),
        versions=newest,
        usable=versions.usable_ids() if can("use_model") else set(),
        in_use=next((version.id for version in newest if version.state == ModelState.IN_USE), None),
        stepped_back=versions.is_stepped_back(),
        run=runs.last_run(),
        hints=habits.hints(),
        trouble=trouble,
    )
    return shown, status


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
