"""A facility's page, which its printed code opens: what it is, who looks after it, one tap to report."""

from __future__ import annotations

from collections.abc import Sequence

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from citizen import blocked, facility_residents, identity, intake, joining, pages, showing
from citizen.facility_frame import LONGEST_TOKEN, door, find, guesses, page
from citizen.facility_residents import Here
from citizen.failures import error_page, field_texts
from citizen.guesses import note_scan
from district.errors import BadInput, NotFound, WrongState
from district.extensions import db, limiter
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.messages import language, t
from district.reference import reference
from district.reports import numbers, photos, queries
from district.reports import service as reports
from district.reports.models import Photo, Source
from district.reports.photos import Picture
from district.reports.service import NewReport
from district.work import unit_of_work

# How many open reports of the same thing somebody is asked about.
MOST_ASKED = 3


@door.get("/f")
def look_up() -> Response:
    """Typed from a label whose square no longer scans: the letters, the number, or the whole address."""
    typed = request.args.get("code", "").strip().rsplit("/", 1)[-1]
    if not typed or len(typed) > LONGEST_TOKEN:
        return redirect(url_for("citizen.report_form"), 303)
    return redirect(url_for("facility_page.show", token=typed), 303)


@door.get("/F/<token>")
@door.get("/f/<token>")
@guesses
def show(token: str) -> Response:
    """The page, for residents and for staff."""
    facility = find(token)
    row = codes.of(token)
    if row is not None and row.token != token.upper():
        # Read kindly: from here on by its own name.
        return redirect(url_for("facility_page.show", token=row.token.lower()), 302)
    response = page(token, facility)
    if not request.args:
        # A label's address has none; whoever comes back from what they did here has.
        note_scan(token)
    return response


@door.post("/F/<token>")
@door.post("/f/<token>")
@limiter.limit(pages.FILING_LIMIT)
@guesses
def report_here(token: str) -> Response:
    """One tap: a usual problem of this kind of facility, perhaps with pictures.

    Where the same may be reported already, it is asked first whether to join that; the pictures wait meanwhile.
    """
    facility = find(token)
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
        kept = [photo.id for photo in intake.loose_photos(request.form.getlist("photo_ids"))]
        category = _category_of(facility) if problem else ""
        if problem and request.form.get("apart") != "1":
            here = queries.open_at_facility(facility.id)
            if alike := facility_residents.alike(facility, here, problem, category):
                return _ask(token, facility, problem, alike, kept, pictures)
        with unit_of_work():
            photo_ids = [*kept, *(photos.add_uploaded(picture).id for picture in pictures)]
            report = reports.submit(
                NewReport(
                    source=Source.QR,
                    description="\n".join(part for part in (said, text) if part),
                    category_code=category,
                    facility_id=facility.id,
                    photo_ids=photo_ids,
                    language=language(),
                    is_another=request.form.get("apart") == "1",
                ),
                by=identity.resident(),
            )
    except BadInput as error:
        words = " ".join(field_texts(error).values()) or t(error.key, **error.params)
        return page(token, find(token), status=422, words=words)
    return pages.done(report)


@door.post("/F/<token>/join")
@door.post("/f/<token>/join")
@limiter.limit(pages.FILING_LIMIT)
@guesses
def join_here(token: str) -> Response:
    """Somebody else has the same trouble here: one tap, and back to the page, which says so."""
    facility = find(token)
    number = numbers.read(request.form.get("number", ""))
    report = reports.find(number) if number is not None else None
    if report is None or report.facility_id != facility.id:
        raise BadInput("errors.report_unknown")
    try:
        kept = tuple(photo.id for photo in intake.loose_photos(request.form.getlist("photo_ids")))
        is_new = joining.join(report, photo_ids=kept)
    except (BadInput, WrongState) as error:
        return page(token, find(token), status=409, words=t(error.key, **error.params))
    done = "joined" if is_new else "counted"
    response = redirect(url_for("facility_page.show", token=token.lower(), done=done), 303)
    joining.remember(response, report)
    return response


def _ask(
    token: str, facility: Facility, problem: str, alike: Sequence[Here], kept: list[int], pictures: list[Picture]
) -> Response:
    """Is it one of these? The pictures are kept, to go wherever the answer says."""
    with unit_of_work():
        ids = [*kept, *(photos.add_uploaded(picture).id for picture in pictures)]
    loose = [db.session.get_one(Photo, photo_id) for photo_id in ids]
    response = make_response(
        render_template(
            "citizen/facility_ask.html",
            token=token.lower(),
            facility=facility,
            problem=problem,
            alike=alike[:MOST_ASKED],
            loose=loose,
            is_known=identity.resident_id() is not None,
        )
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@door.errorhandler(facilities.Revoked)
def _revoked(error: facilities.Revoked) -> Response:
    hotline = reference().setting("telephones.hotline", "12345")
    words = t("citizen.facility.revoked_help", name=error.name, hotline=hotline)
    return error_page(410, t("citizen.facility.revoked"), words, report_anyway=True)


@door.errorhandler(NotFound)
def _unknown(error: NotFound) -> Response:
    return error_page(
        404, t("citizen.facility.unknown"), t("citizen.facility.unknown_help"), report_anyway=True, look_up_code=True
    )


def _category_of(facility: Facility) -> str:
    code = facility.type.default_category_code
    return code if code in reference().categories_by_code else ""
