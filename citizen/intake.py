"""What residents and partners send, read and checked for its shape: forms, JSON, multipart, pictures.

Meaning is the verbs' business (`reports.submit`); here a number must be a number and a picture a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from citizen import guesses
from district.errors import BadInput, NotFound
from district.extensions import db
from district.facilities.models import Facility
from district.facilities.scans import Door
from district.geo.datum import gcj02_to_wgs84
from district.messages import language
from district.reports import photos
from district.reports.models import Photo, PlaceSource, Source
from district.reports.service import NewReport

DATUMS = ("wgs84", "gcj02")
# What a form may say about where its point comes from.
_FORM_SOURCES = {"device": PlaceSource.DEVICE, "shared": PlaceSource.SHARED}
LONGEST_TEXT = 5000


@dataclass(frozen=True)
class Given:
    """A report as it came in, its shape checked; photos apart."""

    description: str
    latitude: float | None
    longitude: float | None
    address: str
    category: str
    facility: Facility | None
    contact: str
    place_source: PlaceSource | None

    def as_new_report(self, source: Source, photo_ids: Iterable[int]) -> NewReport:
        return NewReport(
            source=source,
            description=self.description,
            category_code=self.category,
            facility_id=self.facility.id if self.facility else None,
            latitude=self.latitude,
            longitude=self.longitude,
            address=self.address,
            place_source=self.place_source if self.latitude is not None else None,
            photo_ids=tuple(photo_ids),
            contact=self.contact,
            language=language(),
        )


def read_report(values: Mapping[str, Any], door: Door) -> Given:
    """Read the fields of a report from a form or a JSON object. door: where it came in, should its code be a guess.

    Raises BadInput naming each wrong field.
    """
    wrong: dict[str, str] = {}
    words = {name: _text(values, name, wrong) for name in ("description", "address", "category", "contact", "facility")}
    latitude, longitude = _degrees(values, "latitude", wrong), _degrees(values, "longitude", wrong)
    datum = str(values.get("datum") or "wgs84").lower().replace("-", "")
    if datum not in DATUMS:
        wrong["datum"] = "citizen.errors.datum"
    elif datum == "gcj02" and latitude is not None and longitude is not None:
        latitude, longitude = gcj02_to_wgs84(latitude, longitude)
    facility = None
    if words["facility"] and "facility" not in wrong:
        try:
            facility = guesses.given(words["facility"], door)
        except NotFound as error:
            wrong["facility"] = error.key
    if wrong:
        raise BadInput(fields=wrong)
    return Given(
        description=words["description"],
        latitude=latitude,
        longitude=longitude,
        address=words["address"],
        category=words["category"],
        facility=facility,
        contact=words["contact"],
        place_source=_FORM_SOURCES.get(str(values.get("place_source") or ""), PlaceSource.PICKED),
    )


def read_text(values: Mapping[str, Any], name: str) -> str:
    """One text field. Raises BadInput when it is no text."""
    wrong: dict[str, str] = {}
    text = _text(values, name, wrong)
    if wrong:
        raise BadInput(fields=wrong)
    return text


def read_degrees(values: Mapping[str, Any], name: str) -> float | None:
    """One coordinate; None where it was not given. Raises BadInput for what is none."""
    wrong: dict[str, str] = {}
    value = _degrees(values, name, wrong)
    if wrong:
        raise BadInput(fields=wrong)
    return value


def read_pictures(files: Iterable[FileStorage], field: str = "photos") -> list[photos.Picture]:
    """Check, re-encode and store uploaded pictures; call it before the unit of work. Raises BadInput."""
    chosen = [file for file in files if file.filename]
    if len(chosen) > photos.MOST_PHOTOS:
        raise BadInput(fields={field: "errors.photos_many"})
    pictures = []
    for file in chosen:
        content = file.stream.read(photos.LARGEST_BYTES + 1)
        if not content:
            continue
        try:
            picture = photos.prepare(content)
        except BadInput as error:
            raise BadInput(fields={field: error.key}) from error
        photos.keep(picture)
        pictures.append(picture)
    return pictures


def loose_photos(tokens: Iterable[Any]) -> list[Photo]:
    """Pictures sent before, by their tokens, that belong to no report and to nobody yet. Raises BadInput."""
    wanted = [token for token in dict.fromkeys(tokens) if token]
    if not wanted:
        return []
    if not all(isinstance(token, str) for token in wanted) or len(wanted) > photos.MOST_PHOTOS:
        raise BadInput(fields={"photos": "errors.photo_unknown"})
    rows = db.session.scalars(
        select(Photo).where(
            Photo.token.in_(wanted),
            Photo.report_id.is_(None),
            Photo.resident_id.is_(None),
            Photo.staff_id.is_(None),
        )
    ).all()
    if len(rows) != len(wanted):
        raise BadInput(fields={"photos": "errors.photo_unknown"})
    return list(rows)


def _text(values: Mapping[str, Any], name: str, wrong: dict[str, str]) -> str:
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        wrong[name] = "citizen.errors.text"
        return ""
    return value.replace("\r\n", "\n").strip()


def _degrees(values: Mapping[str, Any], name: str, wrong: dict[str, str]) -> float | None:
    value = values.get(name)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        wrong[name] = "citizen.errors.degrees"
        return None
    return number
