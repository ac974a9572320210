"""Hand-backs to rule on and how often units hand back; what nobody has looked at."""

from __future__ import annotations

from datetime import timedelta

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from admin.report_page import reachable
from district import clock
from district.duty import service as duty
from district.errors import NotFound
from district.extensions import db
from district.people.models import Staff
from district.reports import hand_backs as lists
from district.reports import keys, looking, precedents, sight
from district.reports import service as reports
from district.work import unit_of_work

PERIODS = (7, 30, 90, 365)
_A_PAGE = 50


@pages.get("/hand-backs")
def hand_backs() -> ResponseReturnValue:
    """What waits for a ruling with all that is known of it, and the numbers of every unit."""
    seen = sight.sight_of(me())
    asked = request.args.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else 30
    now = clock.now()
    found = lists.waiting(units=seen.units, areas=seen.areas, after=request.args.get("after", ""), limit=_A_PAGE + 1)
    waiting, last = keys.page(found, _A_PAGE)
    behind = request.args.get("behind", "")
    id_behind = int(behind) if behind.isascii() and behind.isdecimal() and len(behind) < 19 else 0
    all_proposals = lists.proposals(areas=seen.areas, after=id_behind, limit=_A_PAGE + 1) if seen.units is None else []
    proposals, last_proposal = keys.page(all_proposals, _A_PAGE)
    return render_template(
        "admin/hand_backs.html",
        waiting=[(row, report, precedents.like(report)) for row, report in waiting],
        following=keys.spell(last[0].asked_at, last[0].id) if last else "",
        proposals=proposals,
        more_proposals=last_proposal.id if last_proposal else None,
        rates=lists.rates(now - timedelta(days=days), now + timedelta(seconds=1), units=seen.units, areas=seen.areas),
        least=lists.least_dispatches(),
        days=days,
        periods=PERIODS,
    )


@pages.post("/reports/<number>/keep-unit")
def keep_unit(number: str) -> ResponseReturnValue:
    """Leave it where it is, although a correction proposes another unit."""
    found = reachable(number)
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
    given = request.args.get
    late = looking.unseen(seen.units, areas=seen.areas, after=given("after", ""), limit=_A_PAGE + 1)
    found, last = keys.page(late, _A_PAGE)
    left = []
    if seen.units is None:
        left = looking.unrouted(areas=seen.areas, after=given("behind", ""), limit=_A_PAGE + 1)
    unrouted, last_unrouted = keys.page(left, _A_PAGE)
    return render_template(
        "admin/unseen.html",
        reports=found,
        on_duty={unit_id: duty.on_duty(unit_id) for unit_id in {row.unit_id for row in found} if unit_id},
        told=looking.TOLD,
        following=keys.spell(last.assigned_at, last.id) if last and last.assigned_at else "",
        unrouted=unrouted,
        more_unrouted=keys.spell(last_unrouted.submitted_at, last_unrouted.id) if last_unrouted else "",
        stuck=looking.stuck() if seen.is_whole else None,
    )
