"""Who is on duty when, and which unit stands in for one that is away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from admin.showing import zone
from district import clock
from district.duty import service as duty
from district.errors import BadInput
from district.extensions import db
from district.people.models import Staff
from district.reference import UnitRef, reference
from district.reports import sight
from district.work import unit_of_work

SHIFT, AWAY = "shift", "away"


@pages.get("/roster")
def roster() -> ResponseReturnValue:
    return _page()


@pages.post("/roster/shifts")
def add_shift() -> ResponseReturnValue:
    """Put somebody on the roster, or show what stands in the way."""
    sent = Sent(request.form)
    try:
        starts_at, ends_at = _moment(sent, "starts_at"), _moment(sent, "ends_at")
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            duty.add_shift(_unit(sent), sent.text("name"), sent.text("phone"), starts_at, ends_at, by=by)
    except BadInput as error:
        return _page(SHIFT, error.fields), 422
    flash("handback.roster.added")
    return redirect(url_for("admin.roster"))


@pages.post("/roster/shifts/<int:shift_id>/end")
def end_shift(shift_id: int) -> ResponseReturnValue:
    with unit_of_work():
        duty.end_shift(shift_id, by=db.session.get_one(Staff, me().id))
    flash("handback.roster.removed")
    return redirect(url_for("admin.roster"))


@pages.post("/roster/away")
def set_away() -> ResponseReturnValue:
    """Name the unit that stands in, or show what stands in the way."""
    sent = Sent(request.form)
    try:
        starts_at = _moment(sent, "starts_at")
        ends_at = _moment(sent, "ends_at") if sent.text("ends_at") else None
        stand_in = sent.number("stand_in")
        if stand_in is None:
            raise BadInput(fields={"stand_in": "handback.roster.stand_in_odd"})
        with unit_of_work():
            duty.set_away(_unit(sent), stand_in, starts_at, ends_at, by=db.session.get_one(Staff, me().id))
    except BadInput as error:
        return _page(AWAY, error.fields), 422
    flash("handback.roster.away_set")
    return redirect(url_for("admin.roster"))


@pages.post("/roster/away/<int:absence_id>/end")
def end_away(absence_id: int) -> ResponseReturnValue:
    with unit_of_work():
        duty.end_away(absence_id, by=db.session.get_one(Staff, me().id))
    flash("handback.roster.away_ended")
    return redirect(url_for("admin.roster"))


def _page(form: str = "", errors: Mapping[str, str] | None = None) -> str:
    seen, kept = sight.visible_units(me()), duty.kept_by(me())
    return render_template(
        "admin/roster.html",
        shifts=duty.shifts(seen),
        absences=duty.absences(seen),
        own=[unit for unit in _open_units() if kept is None or unit.id in kept],
        kept=kept,
        everybody=_open_units(),
        now=clock.now(),
        form=form,
        errors=errors or {},
        typed=request.form.to_dict() if form else {},
    )


def _open_units() -> list[UnitRef]:
    return sorted((unit for unit in reference().units_by_id.values() if not unit.is_closed), key=lambda unit: unit.code)


def _unit(sent: Sent) -> int:
    chosen = sent.number("unit")
    if chosen is None:
        raise BadInput(fields={"unit": "handback.roster.choose_unit"})
    return chosen


def _moment(sent: Sent, name: str) -> datetime:
    """A date and time as the browser's own field gives it, on the district's clocks."""
    try:
        return datetime.fromisoformat(sent.text(name)).replace(tzinfo=zone())
    except ValueError:
        raise BadInput(fields={name: "handback.roster.when_missing"}) from None
