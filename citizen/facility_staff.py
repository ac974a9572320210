"""What staff do on a facility's page: repairs, check-ins, its label."""

from __future__ import annotations

import logging

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from citizen import intake
from citizen.facility_frame import door, find, guesses, is_staff, page, staff_here, to_login
from citizen.failures import field_texts
from district.care import service as care
from district.errors import BadInput, NotAllowed
from district.extensions import db, limiter
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.people.models import Staff
from district.work import unit_of_work

log = logging.getLogger(__name__)
# Before the number of an open report that the fault is the same as.
JOINS = "report:"


@door.post("/f/<token>/log")
@limiter.limit("60 per minute")
@guesses
def record(token: str) -> Response:
    """Staff of its unit write down a repair, with pictures; the reports they tick are resolved by it."""
    facility = find(token)
    if not is_staff():
        return to_login(token)
    if not facilities.may_maintain(staff_here(), facility):
        # Before any picture is stored.
        raise NotAllowed()
    try:
        note = intake.read_text(request.form, "note")
        before = intake.read_pictures(request.files.getlist("before"), "before")
        after = intake.read_pictures(request.files.getlist("after"), "after")
        with unit_of_work():
            entry_id = care.repair(
                _locked(facility.id),
                by=db.session.get_one(Staff, staff_here().id),
                note=note,
                before=before,
                after=after,
                resolve=request.form.getlist("resolve")[:20],
            ).id
    except BadInput as error:
        return page(token, find(token), status=422, log_words=" ".join(field_texts(error).values()))
    return _back(token, "1", entry_id)


@door.post("/f/<token>/check")
@limiter.limit("60 per minute")
@guesses
def check_in(token: str) -> Response:
    """The crew has looked at it, on a plan or without one; a fault becomes a report or joins the one that is open."""
    facility = find(token)
    if not is_staff():
        return to_login(token)
    if not care.may_check(staff_here(), facility):
        raise NotAllowed()
    given = {name: request.form.get(name, "") for name in ("result", "note", "problem", "plan")}
    chosen = given["problem"].removeprefix(JOINS)
    try:
        pictures = intake.read_pictures(request.files.getlist("photos"))
        place = (intake.read_degrees(request.form, "at_latitude"), intake.read_degrees(request.form, "at_longitude"))
        with unit_of_work():
            entry_id = care.check_in(
                _locked(facility.id),
                by=db.session.get_one(Staff, staff_here().id),
                result=given["result"],
                note=given["note"],
                problem="" if chosen != given["problem"] else chosen,
                joins=chosen if chosen != given["problem"] else "",
                pictures=pictures,
                place=place,
                plan_code=given["plan"],
            ).id
    except BadInput as error:
        return page(token, find(token), status=422, check_words=field_texts(error))
    return _back(token, "checked", entry_id)


def _locked(facility_id: int) -> Facility:
    return db.session.get_one(Facility, facility_id, with_for_update={"of": Facility})


def _back(token: str, done: str, entry_id: int) -> Response:
    address = url_for("facility_page.show", token=token.lower(), done=done, entry=entry_id, _anchor="content")
    return redirect(address, 303)


@door.post("/f/<token>/placed")
@guesses
def label_placed(token: str) -> Response:
    """The crew scans the label it has just put up: it hangs here now, and older ones end."""
    facility = find(token)
    if not is_staff():
        return to_login(token)
    with unit_of_work():
        codes.place(token, by=db.session.get_one(Staff, staff_here().id))
    log.info("label placed", extra={"facility": facility.id})
    return redirect(url_for("facility_page.show", token=token.lower(), done="placed"), 303)


@door.post("/f/<token>/new-label")
@guesses
def ask_new_label(token: str) -> Response:
    """The label is worn: a new one with a code of its own is printed with the next run."""
    facility = find(token)
    if not is_staff():
        return to_login(token)
    with unit_of_work():
        codes.issue(
            db.session.get_one(Facility, facility.id),
            by=db.session.get_one(Staff, staff_here().id),
            reason=intake.read_text(request.form, "reason"),
        )
    return redirect(url_for("facility_page.show", token=token.lower(), done="asked"), 303)
