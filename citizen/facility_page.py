"""A facility's page, which its printed code opens: what it is, who looks after it, one tap to report."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from citizen import blocked, identity, intake, pages, showing
from citizen.facility_frame import door, find, guesses, page
from citizen.failures import error_page, field_texts
from district.errors import BadInput, NotFound
from district.extensions import limiter
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.messages import language, t
from district.reference import reference
from district.reports import photos
from district.reports import service as reports
from district.reports.models import Source
from district.reports.service import NewReport
from district.work import unit_of_work


@door.get("/f/<token>")
@door.get("/F/<token>")
@guesses
def show(token: str) -> Response:
    """The page, for residents and for staff."""
    return page(token, find(token))


@door.post("/f/<token>")
@door.post("/F/<token>")
@limiter.limit(pages.FILING_LIMIT)
@guesses
def report_here(token: str) -> Response:
    """One tap: a usual problem of this kind of facility, perhaps with a picture and a few words."""
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
        return page(token, find(token), status=422, words=words)
    return pages.done(report)


@door.errorhandler(facilities.Revoked)
def _revoked(error: facilities.Revoked) -> Response:
    hotline = reference().setting("telephones.hotline", "12345")
    words = t("citizen.facility.revoked_help", name=error.name, hotline=hotline)
    return error_page(410, t("citizen.facility.revoked"), words, report_anyway=True)


@door.errorhandler(NotFound)
def _unknown(error: NotFound) -> Response:
    return error_page(404, t("citizen.facility.unknown"), t("citizen.facility.unknown_help"), report_anyway=True)


def _category_of(facility: Facility) -> str:
    code = facility.type.default_category_code
    return code if code in reference().categories_by_code else ""
