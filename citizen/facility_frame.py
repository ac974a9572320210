"""What a printed code opens: the facility it belongs to, drawn for residents and for staff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from citizen import facility_residents, showing
from citizen.guesses import guesses, note_guess
from district.care import due
from district.care import service as care
from district.errors import NotFound
from district.facilities import codes, scans
from district.facilities import service as facilities
from district.facilities.code_states import CodeAction
from district.facilities.models import Facility
from district.facilities.scans import Door
from district.people.models import Staff
from district.reference import reference
from district.reports import photos, queries, sight, spot

__all__ = ["door", "find", "guesses", "is_staff", "page", "staff_here", "to_login"]

door = Blueprint("facility_page", __name__, template_folder="templates")
LONGEST_TOKEN = 40
# What was just done, by the word in the address.
_DONE = {
    "joined": "citizen.facility.joined",
    "counted": "citizen.facility.counted",
    "1": "citizen.facility.recorded",
    "checked": "care.check.done",
    "placed": "citizen.facility.label_placed",
    "asked": "citizen.facility.label_asked",
}


def find(token: str) -> Facility:
    """The facility of a code, or of a number somebody typed instead. Raises NotFound and Revoked, which are counted."""
    try:
        if len(token) > LONGEST_TOKEN:
            raise NotFound("errors.facility_unknown")
        return facilities.by_token_or_code(token)
    except NotFound:
        note_guess(Door.PAGE)
        raise


def is_staff() -> bool:
    return bool(getattr(current_user, "is_authenticated", False))


def to_login(token: str) -> Response:
    return redirect(f"/admin/login?next={url_for('facility_page.show', token=token.lower())}", 303)


def staff_here() -> Staff:
    staff: Staff = current_user._get_current_object()
    return staff


def page(
    token: str,
    facility: Facility,
    *,
    status: int = 200,
    words: str = "",
    log_words: str = "",
    check_words: Mapping[str, str] | None = None,
) -> Response:
    """The page. words, log_words, check_words: what was wrong with what somebody has just sent; the last by field."""
    unit_id, emergency_phone = facilities.answers_for(facility, scans.today())
    staff = staff_here() if is_staff() else None
    open_reports = queries.open_at_facility(facility.id)
    response = make_response(
        render_template(
            "citizen/facility.html",
            token=token.lower(),
            facility=facility,
            kind=showing.type_name_of(facility.type_id),
            unit=reference().units_by_id.get(unit_id) if unit_id else None,
            emergency_phone=emergency_phone,
            problems=facility.type.problems,
            open_reports=[report for report in open_reports if staff or showing.is_public(report)],
            staff=staff,
            done=_DONE.get(request.args.get("done", "")),
            show=showing,
            words=words,
            most_photos=photos.MOST_PHOTOS,
            **facility_residents.shown(facility, open_reports),
            **(_for_staff(staff, token, facility) if staff else {}),
            log_words=log_words,
            check_words=check_words or {},
        ),
        status,
    )
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _for_staff(staff: Staff, token: str, facility: Facility) -> dict[str, Any]:
    row = codes.of(token)
    log = care.log_of(facility.id)
    may_record, may_check = facilities.may_maintain(staff, facility), care.may_check(staff, facility)
    return {
        "log": log,
        # What they have just written, with what came of the reports.
        "fresh": next((one for one in log if str(one.entry.id) == request.args.get("entry", "")), None),
        "open_here": care.open_reports(staff, facility.id) if may_record or may_check else [],
        "may_see": lambda report: sight.may_see(staff, report),
        "hindrance": lambda report: care.hindrance(staff, report),
        "may_record": may_record,
        "may_check": may_check,
        "plans": due.of_facility(staff, facility) if may_check else [],
        "spot_limit": spot.limit_m(),
        "most_log_photos": care.MOST_PHOTOS,
        "may_place": row is not None and codes.may(staff, CodeAction.PLACE, row),
        "may_ask_label": codes.may_issue(staff, facility),
    }
