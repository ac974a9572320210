"""Hand-backs to rule on and how often units hand back; what nobody has looked at."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from admin.report_page import visible
from district import clock
from district.duty import service as duty
from district.errors import NotFound
from district.extensions import db
from district.people.models import Staff
from district.reports import hand_backs as lists
from district.reports import looking, precedents, sight
from district.reports import service as reports
from district.work import unit_of_work

PERIODS = (7, 30, 90, 365)


@pages.get("/hand-backs")
def hand_backs() -> ResponseReturnValue:
    """What waits for a ruling with all that is known of it, and the numbers of every unit."""
    seen = sight.sight_of(me())
    asked = request.args.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else 30
    now = clock.now()
    waiting = lists.waiting(units=seen.units, areas=seen.areas)
    return render_template(
        "admin/hand_backs.html",
        waiting=[(row, report, precedents.like(report)) for row, report in waiting],
        proposals=lists.proposals(areas=seen.areas) if seen.units is None else [],
        rates=lists.rates(now - timedelta(days=days), now + timedelta(seconds=1), units=seen.units, areas=seen.areas),
        least=lists.least_dispatches(),
        days=days,
        periods=PERIODS,
    )


@pages.post("/reports/<number>/keep-unit")
def keep_unit(number: str) -> ResponseReturnValue:
    """Leave it where it is, although a correction proposes another unit."""
    found = visible(number)
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        report = reports.lock(found.id, version=Sent(request.form).number("version") or 0)
        if not sight.may_see(by, report):
            raise NotFound("errors.report_unknown")
        reports.keep_unit(report, by=by)
    flash("handback.proposal.kept")
    return redirect(url_for("admin.report", number=number))


@pages.get("/unseen")
def unseen() -> ResponseReturnValue:
    """What nobody of its unit has looked at in time, and whatever else stands still."""
    seen = sight.sight_of(me())
    found = looking.unseen(seen.units, areas=seen.areas)
    return render_template(
        "admin/unseen.html",
        reports=found,
        on_duty={unit_id: duty.on_duty(unit_id) for unit_id in {row.unit_id for row in found} if unit_id},
        told=looking.TOLD,
        unrouted=looking.unrouted(areas=seen.areas) if seen.units is None else [],
        stuck=looking.stuck() if seen.is_whole else None,
    )
