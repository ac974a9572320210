"""A report taken by telephone: the caller's words, number and place, and what is already known nearby."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import degrees
from admin.guard import me, pages
from admin.inbox import choices
from admin.showing import area_name
from district.categories.models import Urgency
from district.errors import BadInput, NotFound
from district.extensions import db
from district.facilities import service as facilities
from district.facilities.queries import search as search_facilities
from district.geo.queries import search_places
from district.people.models import Staff
from district.reference import reference
from district.reports import queries, sight
from district.reports import service as reports
from district.reports.models import PlaceSource, Source
from district.work import unit_of_work

# Fewer letters than this name too many places.
_SHORTEST_SEARCH = 2


@pages.get("/reports/new")
def take_call() -> ResponseReturnValue:
    """The form, and after filing the number to read out."""
    filed = None
    if request.args.get("filed"):
        try:
            filed = reports.find(request.args["filed"])
        except NotFound:
            filed = None
    return _form({}, {}, filed=filed)


@pages.post("/reports/new")
def file_call() -> ResponseReturnValue:
    given = request.form
    try:
        latitude, longitude = degrees(given.get("latitude", "")), degrees(given.get("longitude", ""))
        with unit_of_work():
            facility_id = None
            if given.get("facility", "").strip():
                try:
                    facility_id = facilities.by_token_or_code(given["facility"]).id
                except NotFound:
                    raise BadInput(fields={"facility": "errors.facility_unknown"}) from None
            report = reports.submit(
                reports.NewReport(
                    source=Source.STAFF,
                    description=given.get("description", ""),
                    contact=given.get("contact", ""),
                    category_code=given.get("category", ""),
                    urgency=Urgency(given["urgency"]) if given.get("urgency") in set(Urgency) else None,
                    facility_id=facility_id,
                    latitude=latitude,
                    longitude=longitude,
                    address=given.get("address", ""),
                    place_source=None if latitude is None else _place_source(given),
                    language=given["language"] if given.get("language") == "en" else "zh-Hans",
                ),
                by=db.session.get_one(Staff, me().id),
            )
            number = report.number
    except BadInput as error:
        return _form(given.to_dict(), error.fields, problem=error.key), 422
    return redirect(url_for("admin.take_call", filed=number))


@pages.get("/places")
def places() -> ResponseReturnValue:
    """What the typed words may mean: named places and facilities, to be tapped."""
    words = request.args.get("place", "").strip()[:60]
    found: list[dict[str, Any]] = []
    if len(words) >= _SHORTEST_SEARCH:
        found += [
            {
                "name": facility.name,
                "detail": f"{facility.code17} · {facility.address}",
                "kind": "facility",
                "latitude": facility.latitude,
                "longitude": facility.longitude,
                "address": facility.address or facility.name,
                "facility": facility.code17,
            }
            for facility in search_facilities(words=words, limit=4).facilities
        ]
        named = [
            {
                "name": place.name,
                "detail": " · ".join(part for part in (area_name(place.area_code), place.address) if part),
                "kind": place.kind,
                "latitude": place.latitude,
                "longitude": place.longitude,
                "address": place.name,
                "facility": "",
            }
            for place in search_places(words)
        ]
        # Whoever types a code wants the facility; whoever types a name mostly means the place.
        found = found + named if words.isdecimal() else named + found
    return render_template("admin/_places.html", words=words, found=found, shortest=_SHORTEST_SEARCH)


@pages.get("/nearby")
def nearby() -> ResponseReturnValue:
    """Open reports around a point: perhaps the same thing was reported already."""
    latitude, longitude = (degrees(request.args.get(name, "").strip()) for name in ("latitude", "longitude"))
    code = request.args.get("category", "")
    found = []
    if latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180:
        found = [pair for pair in queries.near(latitude, longitude) if sight.may_see(me(), pair[0])]
        # The same kind of thing first; the sort keeps the nearest first within each.
        found.sort(key=lambda pair: not (code and pair[0].category and pair[0].category.code == code))
    return render_template("admin/_nearby.html", found=found, code=code)


def _form(typed: Mapping[str, str], errors: Mapping[str, str], *, problem: str = "", filed: Any = None) -> str:
    return render_template(
        "admin/call.html",
        typed=typed,
        errors=errors,
        problem=problem,
        filed=filed,
        urgencies=list(Urgency),
        centre=reference().setting("map.centre"),
        majors=choices()["majors"],
    )


def _place_source(given: Mapping[str, str]) -> PlaceSource:
    return PlaceSource.GAZETTEER if given.get("place_source") == "gazetteer" else PlaceSource.PICKED
