"""Reports of one thing in the panel: joined and taken apart with one tap; the incidents and all who reported them."""

from __future__ import annotations

from typing import Any

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from admin.report_page import reachable, show, visible
from admin.showing import category_name
from district.errors import BadInput, DistrictError, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.reports import guards, incidents, merging, numbers, queries, sight
from district.reports import service as reports
from district.reports.models import Incident, Report
from district.reports.states import Action
from district.work import unit_of_work

# How many pins a map can show and still be read.
_PINS = 300


@pages.post("/reports/<number>/merge")
def merge(number: str) -> ResponseReturnValue:
    """This report joins the one whose number is in `into`."""
    found = reachable(number)
    version = request.form.get("version", "")
    try:
        into = _other(request.form.get("into", ""))
        with unit_of_work():
            merging.merge(
                found.id, into, by=_by(), version=int(version) if version.isascii() and version.isdecimal() else 0
            )
    except DistrictError as error:
        return _refused(number, error)
    flash("incidents.duplicates.merged")
    return redirect(url_for("admin.report", number=found.number))


@pages.post("/reports/<number>/unmerge")
def unmerge(number: str) -> ResponseReturnValue:
    """This report is a thing of its own after all."""
    found = reachable(number)
    try:
        with unit_of_work():
            merging.unmerge(found.id, by=_by())
    except DistrictError as error:
        return _refused(number, error)
    flash("incidents.duplicates.unmerged")
    back = request.form.get("incident", "")
    if back.isascii() and back.isdecimal() and len(back) < 19:
        return redirect(url_for("admin.incident", incident_id=int(back)))
    return redirect(url_for("admin.report", number=found.number))


@pages.get("/incidents", endpoint="incidents")
def incident_list() -> ResponseReturnValue:
    """What is going on; with `over=1` what has been."""
    over = request.args.get("over") == "1"
    rows = incidents.newest(over=over, before=_before())
    seen = [row for row in rows if sight.may_see(me(), row.report)]
    return render_template(
        "admin/incidents.html",
        rows=seen,
        over=over,
        thumbs=queries.thumbs([row.report for row in seen]),
        following=rows[-1].id if len(rows) == incidents.PAGE_SIZE else None,
    )


@pages.get("/incidents/<int:incident_id>")
def incident(incident_id: int) -> ResponseReturnValue:
    """One incident: where, who joined, and what can be done."""
    return _page(_visible(incident_id))


@pages.get("/incidents/<int:incident_id>/places.json")
def incident_places(incident_id: int) -> ResponseReturnValue:
    """The pins of its map."""
    found = _visible(incident_id)
    joined = incidents.members_of(found.report_id, limit=_PINS)
    pins = [
        {
            "latitude": report.latitude,
            "longitude": report.longitude,
            "title": category_name(report.category or found.category),
            "detail": report.number,
            "status": "working" if report.id == found.report_id else "open",
            "url": url_for("admin.report", number=report.number),
            "link": t("incidents.show"),
        }
        for report in (found.report, *joined)
        if report.latitude is not None
    ]
    return jsonify(reports=pins)


@pages.post("/incidents/<int:incident_id>/end")
def end_incident(incident_id: int) -> ResponseReturnValue:
    """What is reported from now on is looked at by itself."""
    _visible(incident_id)
    with unit_of_work():
        incidents.end(incident_id, by=_by())
    flash("incidents.done_ended")
    return redirect(url_for("admin.incident", incident_id=incident_id))


@pages.post("/incidents/<int:incident_id>/tell")
def tell_incident(incident_id: int) -> ResponseReturnValue:
    """One message to everybody who reported it."""
    _visible(incident_id)
    typed = request.form.get("text", "")
    try:
        with unit_of_work():
            incidents.announce(incident_id, by=_by(), text=typed)
    except (BadInput, WrongState) as error:
        words = " ".join(t(key) for key in error.fields.values()) if isinstance(error, BadInput) else t(error.key)
        return _page(
            _visible(incident_id), trouble=words, typed=typed, status=422 if isinstance(error, BadInput) else 409
        )
    flash("incidents.sent")
    return redirect(url_for("admin.incident", incident_id=incident_id))


def _page(found: Incident, *, trouble: str = "", typed: str = "", status: int = 200) -> ResponseReturnValue:
    head = queries.whole(found.report_id) or found.report
    joined = incidents.members_of(head.id, before=_before())
    shown: dict[str, Any] = {
        "incident": found,
        "report": head,
        "joined": joined,
        "how": merging.how_joined([report.id for report in joined]),
        "thumbs": queries.thumbs([head, *joined]),
        "may_act": guards.may(me(), Action.MERGE, head),
        "following": joined[-1].id if len(joined) == incidents.PAGE_SIZE else None,
        "trouble": trouble,
        "typed": typed,
        "longest": incidents.LONGEST_ANNOUNCEMENT,
    }
    return render_template("admin/incident.html", **shown), status


def _visible(incident_id: int) -> Incident:
    """The incident, as long as this person may see its report. Raises NotFound."""
    found = incidents.find(incident_id)
    if not sight.may_see(me(), found.report):
        raise NotFound()
    return found


def _other(text: str) -> int:
    """The id of the report with this number, in any spelling. Raises BadInput for one that is not there."""
    try:
        number = numbers.read(text.strip())
        other: Report = reports.find(number or "")
    except NotFound:
        raise BadInput(fields={"into": "incidents.error.number"}) from None
    if not sight.may_see(me(), other):
        raise BadInput(fields={"into": "incidents.error.number"})
    return other.id


def _refused(number: str, error: DistrictError) -> ResponseReturnValue:
    """The report's page as it is now, with what stood in the way."""
    found = visible(number)
    if isinstance(error, StaleVersion):
        seen = request.form.get("seen", "")
        since = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 19 else 0
        return show(found, status=409, changes=[event for event in found.events if event.id > since])
    words = " ".join(t(key) for key in error.fields.values()) if isinstance(error, BadInput) else t(error.key)
    return show(found, status=422 if isinstance(error, BadInput) else 409, merge_trouble=words)


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


def _before() -> int | None:
    before = request.args.get("before", "")
    return int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
