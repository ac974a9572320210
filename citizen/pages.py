"""Residents' pages: home, the report form, my reports, the public map, privacy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from citizen import blocked, guesses, identity, intake, own, showing, wechat_login
from citizen.failures import field_texts
from district.errors import BadInput, NotFound
from district.extensions import db, limiter
from district.facilities.models import Facility
from district.facilities.scans import Door
from district.messages import t
from district.notifications import unheard
from district.people.service import NOTICE_VERSION
from district.reference import reference
from district.reports import numbers, photos, queries
from district.reports import service as reports
from district.reports.models import Photo, Report, Source
from district.work import unit_of_work

pages = Blueprint(
    "citizen", __name__, template_folder="templates", static_folder="static", static_url_path="/static/citizen"
)

# Generous: a whole village may share one address of its telephone network.
FILING_LIMIT = "60 per minute; 600 per hour"


@pages.get("/")
def home() -> str:
    """Where everything begins."""
    return render_template("citizen/home.html", emergencies=showing.emergency_numbers())


@pages.get("/report")
def report_form() -> AnyResponse:
    """The form; `?facility=` a token or code, `?category=` a code."""
    facility = _facility_or_none(request.args.get("facility"))
    return _form(request.args, facility=facility)


@pages.post("/report")
@limiter.limit(FILING_LIMIT)
def file_report() -> AnyResponse:
    """File the report; on a slip show the form again with everything in it, pictures included."""
    loose: list[Photo] = []
    try:
        pictures = intake.read_pictures(request.files.getlist("photos"))
        kept = intake.loose_photos(request.form.getlist("photo_ids"))
        with unit_of_work():
            # Kept in a unit of work of their own: a slip elsewhere in the form must not cost the pictures.
            ids = [photo.id for photo in kept] + [photos.add_uploaded(picture).id for picture in pictures]
        loose = intake.loose_photos([photo.token for photo in kept] + _tokens(ids[len(kept) :]))
        given = intake.read_report(request.form, Door.FORM)
        if given.latitude is None and given.facility is None and not given.address:
            raise BadInput(fields={"place": "citizen.errors.place"})
        blocked.refuse(given.description, given.category)
        with unit_of_work():
            report = reports.submit(
                given.as_new_report(Source.QR if given.facility else Source.H5, ids), by=identity.resident()
            )
    except BadInput as error:
        return _form(request.form, wrong=field_texts(error), words=t(error.key, **error.params), loose=loose)
    return done(report)


def done(report: Report) -> AnyResponse:
    """Send the browser to the new report's own page, and let it remember the report."""
    response = make_response(
        redirect(url_for("report_page.show", number=report.number, key=report.access_key, new=1), 303)
    )
    own.remember(response, report)
    own.note_notice(response, NOTICE_VERSION)
    return response


@pages.get("/r")
def look_up() -> AnyResponse:
    """Find a report by its number, in any spelling."""
    asked = request.args.get("number", "")
    number = numbers.read(asked)
    if number is None:
        return make_response(
            render_template("citizen/mine.html", reports=_mine(), show=showing, asked=asked, unread=True), 404
        )
    return redirect(url_for("report_page.show", number=number))


@pages.get("/mine")
def mine() -> str:
    """The reports of this browser, and of the resident it is known to belong to."""
    own_reports = _mine()
    missed = unheard.waiting(resident_id=identity.resident_id(), report_ids=[report.id for report in own_reports])
    page = render_template(
        "citizen/mine.html", reports=own_reports, show=showing, asked="", unread=False, missed=missed
    )
    note_seen(missed)
    return page


def note_seen(missed: list[unheard.Missed]) -> None:
    """What a page shows is heard; the bot does not begin with it again."""
    if missed and request.method == "GET":
        with unit_of_work():
            unheard.mark_read([one.id for one in missed])


@pages.post("/mine/forget")
def forget_mine() -> AnyResponse:
    """Empty the list, for a borrowed telephone."""
    response = make_response(redirect(url_for("citizen.mine"), 303))
    own.forget(response)
    identity.log_out(response)
    wechat_login.leave_alone(response, for_s=wechat_login.FORGOTTEN_LIVES_S)
    return response


@pages.get("/nearby")
def nearby() -> str:
    """What is open in the district, roughly where."""
    return render_template("citizen/nearby.html", reports=_open_reports()[:30], show=showing)


@pages.get("/nearby/reports.json")
@limiter.limit("120 per minute")
def nearby_reports() -> Response:
    """The pins of the public map: rough places, no words of residents."""
    pins = []
    for report in _open_reports():
        place = showing.rough_place(report)
        if place is None:
            continue
        state = showing.plain_state(report)
        pins.append(
            {
                "latitude": place[0],
                "longitude": place[1],
                "title": showing.category_name(showing.category_of(report)),
                "detail": f"{state.text} · {showing.moment_text(report.submitted_at, 'day')}",
                "status": state.pin,
                "url": url_for("report_page.show", number=report.number),
                "link": t("citizen.nearby.see"),
            }
        )
    response = jsonify(reports=pins)
    response.headers["Cache-Control"] = "public, max-age=60"
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


@pages.get("/privacy")
def privacy() -> str:
    """The privacy notice in full."""
    return render_template("citizen/privacy.html")


def _form(
    values: Mapping[str, Any],
    *,
    facility: Facility | None = None,
    wrong: dict[str, str] | None = None,
    words: str = "",
    loose: list[Photo] | None = None,
) -> AnyResponse:
    # A code that was wrong already is not asked for again: each is one guess.
    if facility is None and request.method == "POST" and values.get("facility") and "facility" not in (wrong or {}):
        facility = _facility_or_none(str(values["facility"]))
    return make_response(
        render_template(
            "citizen/report_form.html",
            values=values,
            facility=facility,
            wrong=wrong or {},
            words=words,
            loose=loose or [],
            groups=_category_groups(),
            most_photos=photos.MOST_PHOTOS,
            notice_read=own.has_read_notice(NOTICE_VERSION),
            tile_url=current_app.config["TILE_URL"],
        ),
        422 if wrong else 200,
    )


def _facility_or_none(text: str | None) -> Facility | None:
    if not text:
        return None
    try:
        return guesses.given(text, Door.FORM)
    except NotFound:
        return None


def _category_groups() -> dict[str, list[tuple[str, str]]]:
    """Codes and names by major class, matters first: what people see rather than what things are."""
    groups: dict[str, list[tuple[str, str]]] = {}
    categories = sorted(reference().categories_by_code.values(), key=lambda c: (c.kind != "matter", c.code))
    for category in categories:
        groups.setdefault(category.major, []).append((category.code, showing.category_name(category)))
    return groups


def _tokens(photo_ids: list[int]) -> list[str]:
    return [db.session.get_one(Photo, photo_id).token for photo_id in photo_ids]


def _mine() -> list[Report]:
    keys = own.known_keys()
    found = {report.number: report for report in queries.by_numbers(list(keys))}
    kept = [found[number] for number, key in keys.items() if number in found and found[number].access_key == key]
    known = identity.resident_id()
    if known is None:
        return kept
    filed = [report for report in queries.of_resident(known) if report.resident_id == known]
    by_id = {report.id: report for report in (*kept, *filed)}
    return sorted(by_id.values(), key=lambda report: report.id, reverse=True)


def _open_reports() -> list[Report]:
    centre = showing.district_setting("map.centre") or {}
    bounds = showing.district_setting("map.bounds") or {}
    latitude, longitude = float(centre.get("latitude", 0)), float(centre.get("longitude", 0))
    degrees = max(float(bounds.get("north", 90)) - latitude, latitude - float(bounds.get("south", -90)))
    found = queries.open_near(latitude, longitude, degrees=degrees, limit=300)
    return [report for report in found if showing.is_public(report)]
