"""The JSON API for mini programs and partners, under /api/v1. `openapi.py` describes it; a test holds the two together.

Nothing here leans on a session: a report's key, where one is needed, comes with the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from citizen import blocked, clients, guesses, intake, own, showing
from citizen.openapi import description
from district import links
from district.api_keys.models import Scope
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import limiter
from district.facilities import scans
from district.facilities import service as facilities
from district.facilities.scans import Door
from district.reference import CategoryRef, reference
from district.reports import photos, queries, questions, similar
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Photo, Report, Source
from district.understanding import understand
from district.work import unit_of_work

api = Blueprint("api", __name__, url_prefix="/api/v1")

READING_LIMIT = "300 per minute"
# A partner's server speaks for many residents.
FILING_LIMIT = "300 per minute; 6000 per hour"
MOST_FOUND = 20
LONGEST_SEARCH = 300


def limited_by_key() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A machine's key has a limit of its own, however many addresses it speaks from."""
    made: Callable[[Callable[..., Any]], Callable[..., Any]] = limiter.shared_limit(
        clients.own_limit, scope="api-key", key_func=clients.own_name, exempt_when=clients.is_unknown
    )
    return made


def _refused(response: Response) -> bool:
    """Wrong numbers, keys and tokens: what guessing looks like."""
    return response.status_code in (403, 404, 410)


@api.get("/openapi.json")
def openapi() -> Response:
    """This API, described."""
    return jsonify(description(links.base_url()))


@api.get("/categories")
@limiter.limit(READING_LIMIT)
def categories() -> Response:
    """What can be reported; `?q=` narrows it to what fits these words, best first."""
    found = sorted(reference().categories_by_code.values(), key=lambda c: (c.kind != "matter", c.code))
    words = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    if words:
        found = _fitting(words, found)
    return jsonify(
        categories=[
            {
                "code": category.code,
                "name": showing.category_name(category),
                "kind": category.kind,
                "group": category.major,
                "urgency": str(category.urgency),
            }
            for category in found
        ]
    )


@api.get("/facilities/<code>")
def facility(code: str) -> Response:
    """A facility by the token of its printed code, or by its code of either scheme."""
    found = guesses.given(code, Door.API)
    unit_id, emergency_phone = facilities.answers_for(found, scans.today())
    unit = reference().units_by_id.get(unit_id) if unit_id else None
    answer = jsonify(
        code=found.code17,
        old_code=found.code,
        name=found.name,
        type={"code": found.type.code, "name": showing.type_name_of(found.type_id)},
        address=found.address,
        latitude=found.latitude,
        longitude=found.longitude,
        state=found.state,
        unit={"code": unit.code, "name": unit.name, "phone": unit.phone} if unit else None,
        emergency_phone=emergency_phone or (unit.emergency_phone if unit else "") or None,
        problems=list(found.type.problems),
        category=found.type.default_category_code or None,
        open_reports=[
            {
                "number": report.number,
                "status": report.status,
                "status_text": showing.plain_state(report).text,
                "submitted_at": moment(report.submitted_at),
            }
            for report in queries.open_at_facility(found.id)
            if showing.is_public(report)
        ],
    )
    guesses.note_scan(code)
    return answer


@api.post("/photos")
@limiter.limit(FILING_LIMIT, exempt_when=clients.is_known)
@limited_by_key()
def add_photo() -> tuple[Response, int]:
    """Keep a picture for a report to come: multipart, field `photo`."""
    clients.permitted(Scope.REPORTS_WRITE)
    files = request.files.getlist("photo") or request.files.getlist("photos") or request.files.getlist("file")
    pictures = intake.read_pictures(files[:1], field="photo")
    if not pictures:
        raise BadInput(fields={"photo": "citizen.errors.photo_missing"})
    with unit_of_work():
        photo = photos.add_uploaded(pictures[0])
    return jsonify(id=photo.token, **_addresses(photo)), 201


@api.post("/reports")
@limiter.limit(FILING_LIMIT, exempt_when=clients.is_known)
@limited_by_key()
def file_report() -> Response:
    """File a report: JSON, or multipart with the pictures themselves. With a key it is that machine's."""
    client = clients.permitted(Scope.REPORTS_WRITE)
    values = _values()
    given = intake.read_report(values, Door.API)
    pictures = intake.read_pictures(request.files.getlist("photos"))
    loose = intake.loose_photos(_photo_tokens(values))
    if client is None:
        blocked.refuse(given.description, given.category)
    new = replace(given.as_new_report(Source.API, ()), client_id=client.id if client is not None else None)
    with unit_of_work():
        ids = [photo.id for photo in loose] + [photos.add_uploaded(picture).id for picture in pictures]
        report = reports.submit(replace(new, photo_ids=tuple(ids)), by=None)
    address = links.private_report_page(report)
    answer = jsonify(number=report.number, key=report.access_key, status=report.status, url=address)
    answer.status_code = 201
    answer.headers["Location"] = url_for("api.report", number=report.number)
    return answer


@api.get("/reports/similar")
@limiter.limit(READING_LIMIT)
def similar_reports() -> Response:
    """Open reports that may be about what somebody is about to report: to join one (`support`) instead of filing."""
    wrong: dict[str, str] = {}
    point: dict[str, float | None] = {}
    for name in ("latitude", "longitude"):
        text = request.args.get(name, "").strip()
        try:
            point[name] = float(text) if text else None
        except ValueError:
            wrong[name] = "errors.place_not_on_earth"
            continue
        if point[name] is not None and not abs(point[name] or 0.0) <= (90 if name == "latitude" else 180):
            wrong[name] = "errors.place_not_on_earth"
    category = reference().categories_by_code.get(request.args.get("category", ""))
    if request.args.get("category") and category is None:
        wrong["category"] = "errors.category_unknown"
    if wrong:
        raise BadInput(fields=wrong)
    place = guesses.given(request.args["facility"], Door.API) if request.args.get("facility") else None
    if point["latitude"] is None and point["longitude"] is None and place is not None:
        point = {"latitude": place.latitude, "longitude": place.longitude}
    thing = similar.Thing(
        words=request.args.get("text", "")[:LONGEST_SEARCH],
        category_id=category.id if category else None,
        facility_id=place.id if place else None,
        latitude=point["latitude"] if point["longitude"] is not None else None,
        longitude=point["longitude"] if point["latitude"] is not None else None,
    )
    return jsonify(reports=[_similar_as_json(one) for one in showing.similar_to(thing)])


def _similar_as_json(one: tuple[similar.Similar, Report]) -> dict[str, Any]:
    found, report = one
    category = showing.category_of(report)
    return {
        "number": report.number,
        "status": report.status,
        "status_text": showing.plain_state(report).text,
        "category": category.code if category else None,
        "metres": found.metres,
        "score": found.score,
        "submitted_at": moment(report.submitted_at),
    }


@api.get("/reports/<number>")
@limiter.limit("240 per minute; 5000 per hour", deduct_when=_refused, exempt_when=clients.is_known)
@limited_by_key()
def report(number: str) -> Response:
    """One report: all of it with its key or for the machine that filed it, else the public part."""
    client = clients.permitted(Scope.REPORTS_READ)
    found = reports.find(number)
    private = _has_key(found) or (client is not None and found.client_id == client.id)
    if not private and not showing.is_public(found):
        raise NotFound("errors.report_unknown")
    return jsonify(_as_json(found, private=private))


@api.post("/reports/<number>/rating")
@limiter.limit(FILING_LIMIT)
def rate(number: str) -> Response:
    """The resident's answer after closing. Not solved sends it back to the unit."""
    found, values = _keyed(number), _values()
    wrong: dict[str, str] = {}
    solved, stars, reasons = values.get("solved"), values.get("stars"), values.get("reasons") or []
    if not isinstance(solved, bool):
        wrong["solved"] = "citizen.errors.solved"
    if stars is not None and (isinstance(stars, bool) or not isinstance(stars, int)):
        wrong["stars"] = "errors.stars_range"
    if not isinstance(reasons, list) or not all(isinstance(reason, str) for reason in reasons):
        wrong["reasons"] = "citizen.errors.text"
    if wrong:
        raise BadInput(fields=wrong)
    text = intake.read_text(values, "text")
    with unit_of_work():
        reports.rate(
            reports.lock(found.id), by=KEY_HOLDER, solved=bool(solved), stars=stars, reasons=reasons, text=text
        )
    return jsonify(_as_json(found, private=True))


@api.post("/reports/<number>/reopen")
@limiter.limit(FILING_LIMIT)
def reopen(number: str) -> Response:
    """It is not solved: back to the same unit."""
    found, values = _keyed(number), _values()
    text = intake.read_text(values, "text")
    pictures = intake.read_pictures(request.files.getlist("photos"))
    loose = intake.loose_photos(_photo_tokens(values))
    with unit_of_work():
        ids = [photo.id for photo in loose] + [photos.add_uploaded(picture).id for picture in pictures]
        reports.reopen(reports.lock(found.id), by=KEY_HOLDER, text=text, photo_ids=ids)
    return jsonify(_as_json(found, private=True))


@api.post("/reports/<number>/answer")
@limiter.limit(FILING_LIMIT)
def answer(number: str) -> Response:
    """What staff asked is answered, in words or pictures; their clock goes on."""
    found, values = _keyed(number), _values()
    text = intake.read_text(values, "text")
    pictures = intake.read_pictures(request.files.getlist("photos"))
    loose = intake.loose_photos(_photo_tokens(values))
    with unit_of_work():
        ids = [photo.id for photo in loose] + [photos.add_uploaded(picture).id for picture in pictures]
        questions.answer(reports.lock(found.id), by=KEY_HOLDER, text=text, photo_ids=ids)
    return jsonify(_as_json(found, private=True))


@api.post("/reports/<number>/support")
@limiter.limit("30 per minute; 300 per hour")
def support(number: str) -> Response:
    """Somebody else has the same trouble. No key needed."""
    found = reports.find(number)
    private = _has_key(found)
    if not private and not showing.is_public(found):
        raise NotFound("errors.report_unknown")
    blocked.refuse("")
    with unit_of_work():
        reports.support(reports.lock(showing.joined(found).id), by=None)
    return jsonify(_as_json(found, private=private))


def _values() -> Mapping[str, Any]:
    """The body's fields: a JSON object, or a form. Raises BadRequest, UnsupportedMediaType."""
    if request.is_json:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadRequest
        return body
    if request.mimetype in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return request.form
    if not request.content_length:
        return {}
    raise UnsupportedMediaType


def _photo_tokens(values: Mapping[str, Any]) -> list[Any]:
    """Ids of pictures sent before: a list in JSON, repeated fields in a form."""
    if values is request.form:
        return request.form.getlist("photos")
    tokens = values.get("photos")
    if tokens is None:
        return []
    if not isinstance(tokens, list):
        raise BadInput(fields={"photos": "errors.photo_unknown"})
    return tokens


def _has_key(found: Report) -> bool:
    return own.right_key(found, request.args.get("key")) or own.right_key(found, request.headers.get("X-Report-Key"))


def _keyed(number: str) -> Report:
    """The report, for the holder of its key. Raises NotFound, NotAllowed."""
    found = reports.find(number)
    if not _has_key(found):
        if not showing.is_public(found):
            raise NotFound("errors.report_unknown")
        raise NotAllowed("errors.key_wrong")
    return found


def _as_json(found: Report, *, private: bool) -> dict[str, Any]:
    found = queries.whole(found.id) or found
    shown = showing.joined(found)
    unit, category = showing.unit_of(shown), showing.category_of(found)
    answer: dict[str, Any] = {
        "number": found.number,
        "status": shown.status,
        "status_text": showing.plain_state(found).text,
        "merged_into": shown.number if shown is not found else None,
        "unit": {"code": unit.code, "name": unit.name} if unit else None,
        "reason": showing.reason_text(shown) or None,
        "category": category.code if category else None,
        "submitted_at": moment(found.submitted_at),
        "dispatch_due_at": moment(found.dispatch_due_at),
        "handling_due_at": moment(shown.handling_due_at),
        "history": [_step_as_json(step, private) for step in showing.steps(found, private=private)],
    }
    if private:
        answer |= {
            "description": found.description,
            "address": found.address,
            "latitude": found.latitude,
            "longitude": found.longitude,
            "facility": found.facility.code17 if found.facility else None,
            "resolution": shown.resolution or None,
            "photos": [
                {"id": photo.token, "purpose": photo.purpose, **_addresses(photo)}
                for photo in showing.pictures_for(found)
            ],
            "rating": {"solved": found.solved, "stars": found.stars, "text": found.rating_text}
            if found.rated_at
            else None,
            "question": _question_as_json(found),
            "actions": sorted(showing.buttons(found)),
        }
    return answer


def _question_as_json(found: Report) -> dict[str, Any] | None:
    """What waits for the resident's answer."""
    question = questions.pending_of(found)
    if question is None:
        return None
    unit = reference().units_by_id.get(question.asked_by.unit_id)
    return {
        "text": question.text,
        "unit": {"code": unit.code, "name": unit.name} if unit else None,
        "asked_at": moment(question.asked_at),
    }


def _step_as_json(step: showing.Step, private: bool) -> dict[str, Any]:
    line: dict[str, Any] = {
        "at": moment(step.at),
        "event": step.kind,
        "text": step.text,
        "by": step.by,
        "unit": {"code": step.unit.code, "name": step.unit.name} if step.unit else None,
    }
    if private:
        line["note"] = step.note or None
    return line


def _addresses(photo: Photo) -> dict[str, str]:
    return {
        "url": f"{links.base_url()}{url_for('files.photo', token=photo.token, size='page')}",
        "thumb": f"{links.base_url()}{url_for('files.photo', token=photo.token, size='thumb')}",
    }


def moment(when: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second: `2026-11-22T08:30:00Z`."""
    return None if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _fitting(words: str, found: list[CategoryRef]) -> list[CategoryRef]:
    """The categories these words mean, likeliest first; then those that merely hold them in their name."""
    by_code = {category.code: category for category in found}
    likely = [by_code[code] for code, _ in understand(words, reference()).candidates if code in by_code]
    short = words.lower()
    named = [
        category
        for category in found
        if short in category.name
        or short in category.name_en.replace("_", " ").lower()
        or any(short in keyword for keyword in category.keywords)
    ]
    return list(dict.fromkeys([*likely, *named]))[:MOST_FOUND]
