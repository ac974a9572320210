"""A facility's page, which its printed code opens: what it is, who looks after it, one tap to report."""

from __future__ import annotations

import logging

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from citizen import blocked, identity, intake, pages, showing
from citizen.failures import error_page, field_texts
from district.errors import BadInput, NotFound
from district.extensions import db, limiter
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.code_states import CodeAction
from district.facilities.models import Facility
from district.messages import language, t
from district.people.models import Staff
from district.reference import reference
from district.reports import photos, queries
from district.reports import service as reports
from district.reports.models import Source
from district.reports.service import NewReport
from district.work import unit_of_work

door = Blueprint("facility_page", __name__, template_folder="templates")
LONGEST_TOKEN = 40
log = logging.getLogger(__name__)
# What was just done, by the word in the address.
_DONE = {
    "1": "citizen.facility.recorded",
    "placed": "citizen.facility.label_placed",
    "asked": "citizen.facility.label_asked",
}


def _guessed(response: Response) -> bool:
    return response.status_code in (404, 410)


# Only wrong tokens count: a square full of people may scan the same code through one address. All that a token opens
# counts together, so that nobody guesses faster by asking at another door of this page.
_guesses = limiter.shared_limit("20 per minute; 100 per hour", scope="facility-codes", deduct_when=_guessed)


@door.get("/f/<token>")
@door.get("/F/<token>")
@_guesses
def show(token: str) -> Response:
    """The page, for residents and for staff."""
    return _page(token, _find(token))


@door.post("/f/<token>")
@door.post("/F/<token>")
@limiter.limit(pages.FILING_LIMIT)
@_guesses
def report_here(token: str) -> Response:
    """One tap: a usual problem of this kind of facility, perhaps with a picture and a few words."""
    facility = _find(token)
    try:
        problem = intake.read_text(request.form, "problem")
        text = intake.read_text(request.form, "description")
        if problem and problem not in facility.type.problems:
            problem = ""
        said = (
            t("citizen.facility.words", thing=showing.type_name_of(facility.type_id), problem=problem)
            if problem
            else ""
        )
        blocked.refuse("\n".join((said, text)))
        pictures = intake.read_pictures(request.files.getlist("photos"))
        with unit_of_work():
            photo_ids = [photos.add_uploaded(picture).id for picture in pictures]
            report = reports.submit(
                NewReport(
                    source=Source.QR,
                    description="\n".join(part for part in (said, text) if part),
                    category_code=_category_of(facility) if problem else "",
                    facility_id=facility.id,
                    photo_ids=photo_ids,
                    language=language(),
                ),
                by=identity.resident(),
            )
    except BadInput as error:
        words = " ".join(field_texts(error).values()) or t(error.key, **error.params)
        return _page(token, _find(token), status=422, words=words)
    return pages.done(report)


@door.post("/f/<token>/log")
@limiter.limit("60 per minute")
@_guesses
def record(token: str) -> Response:
    """Staff of its unit write down a repair or an inspection."""
    facility = _find(token)
    if not _is_staff():
        return _to_login(token)
    kind = "inspection" if request.form.get("kind") == "inspection" else "repair"
    try:
        note = intake.read_text(request.form, "note")
        with unit_of_work():
            facilities.record_repair(
                db.session.get_one(Facility, facility.id, with_for_update={"of": Facility}),
                by=_staff(),
                note=note,
                kind=kind,
            )
    except BadInput as error:
        return _page(token, _find(token), status=422, log_words=" ".join(field_texts(error).values()))
    return redirect(url_for("facility_page.show", token=token.lower(), done=1), 303)


@door.post("/f/<token>/placed")
@_guesses
def label_placed(token: str) -> Response:
    """The crew scans the label it has just put up: it hangs here now, and older ones end."""
    facility = _find(token)
    if not _is_staff():
        return _to_login(token)
    with unit_of_work():
        codes.place(token, by=db.session.get_one(Staff, _staff().id))
    log.info("label placed", extra={"facility": facility.id})
    return redirect(url_for("facility_page.show", token=token.lower(), done="placed"), 303)


@door.post("/f/<token>/new-label")
@_guesses
def ask_new_label(token: str) -> Response:
    """The label is worn: a new one with a code of its own is printed with the next run."""
    facility = _find(token)
    if not _is_staff():
        return _to_login(token)
    with unit_of_work():
        codes.issue(
            db.session.get_one(Facility, facility.id),
            by=db.session.get_one(Staff, _staff().id),
            reason=intake.read_text(request.form, "reason"),
        )
    return redirect(url_for("facility_page.show", token=token.lower(), done="asked"), 303)


@door.errorhandler(facilities.Revoked)
def _revoked(error: facilities.Revoked) -> Response:
    hotline = reference().setting("telephones.hotline", "12345")
    words = t("citizen.facility.revoked_help", name=error.name, hotline=hotline)
    return error_page(410, t("citizen.facility.revoked"), words, report_anyway=True)


@door.errorhandler(NotFound)
def _unknown(error: NotFound) -> Response:
    return error_page(404, t("citizen.facility.unknown"), t("citizen.facility.unknown_help"), report_anyway=True)


def _find(token: str) -> Facility:
    if len(token) > LONGEST_TOKEN:
        raise NotFound("errors.facility_unknown")
    return facilities.by_token(token)


def _is_staff() -> bool:
    return bool(getattr(current_user, "is_authenticated", False))


def _to_login(token: str) -> Response:
    return redirect(f"/admin/login?next={url_for('facility_page.show', token=token.lower())}", 303)


def _staff() -> Staff:
    staff: Staff = current_user._get_current_object()
    return staff


def _category_of(facility: Facility) -> str:
    code = facility.type.default_category_code
    return code if code in reference().categories_by_code else ""


def _page(token: str, facility: Facility, *, status: int = 200, words: str = "", log_words: str = "") -> Response:
    units = reference().units_by_id
    unit_id = facility.maintainer_unit_id or facility.owner_unit_id
    staff = _staff() if _is_staff() else None
    row = codes.of(token) if staff else None
    open_reports = queries.open_at_facility(facility.id)
    response = make_response(
        render_template(
            "citizen/facility.html",
            token=token.lower(),
            facility=facility,
            kind=showing.type_name_of(facility.type_id),
            unit=units.get(unit_id) if unit_id else None,
            problems=facility.type.problems,
            open_reports=[report for report in open_reports if staff or showing.is_public(report)],
            staff=staff,
            log=facilities.maintenance_log(facility.id) if staff else [],
            may_record=staff is not None and facilities.may_maintain(staff, facility),
            may_place=staff is not None and row is not None and codes.may(staff, CodeAction.PLACE, row),
            may_ask_label=staff is not None and codes.may_issue(staff, facility),
            done=_DONE.get(request.args.get("done", "")),
            show=showing,
            words=words,
            log_words=log_words,
            most_photos=photos.MOST_PHOTOS,
        ),
        status,
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response
