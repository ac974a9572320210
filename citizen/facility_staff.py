"""What staff do on a facility's page: its log, its label."""

from __future__ import annotations

import logging

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from citizen import intake
from citizen.facility_frame import door, find, guesses, is_staff, page, staff_here, to_login
from citizen.failures import field_texts
from district.errors import BadInput
from district.extensions import db, limiter
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.people.models import Staff
from district.work import unit_of_work

log = logging.getLogger(__name__)


@door.post("/f/<token>/log")
@limiter.limit("60 per minute")
@guesses
def record(token: str) -> Response:
    """Staff of its unit write down a repair or an inspection."""
    facility = find(token)
    if not is_staff():
        return to_login(token)
    kind = "inspection" if request.form.get("kind") == "inspection" else "repair"
    try:
        note = intake.read_text(request.form, "note")
        with unit_of_work():
            facilities.record_repair(
                db.session.get_one(Facility, facility.id, with_for_update={"of": Facility}),
                by=staff_here(),
                note=note,
                kind=kind,
            )
    except BadInput as error:
        return page(token, find(token), status=422, log_words=" ".join(field_texts(error).values()))
    return redirect(url_for("facility_page.show", token=token.lower(), done=1), 303)


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
