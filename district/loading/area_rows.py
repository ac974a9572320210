"""One area with its outline as GeoJSON writes it, read and checked: by the folder's loader and the panel alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from district.geo.models import LEVELS
from district.loading.files import Bounds
from district.loading.geometry import fault_of
from district.loading.problems import Report, did_you_mean, listed

POLYGONS = ("Polygon", "MultiPolygon")
AREA_CODE_LENGTHS = {"area": (9,), "community": (12,), "grid": (14, 15)}


class Properties:
    """A GeoJSON feature's properties, read with the same care as a CSV row."""

    def __init__(self, file: str, line: int, properties: Mapping[str, Any], report: Report) -> None:
        self.file, self.line, self._properties, self._report = file, line, properties, report

    def wrong(self, name: str, key: str, /, **params: Any) -> None:
        self._report.add(self.file, self.line, f"properties.{name}", key, **params)

    def wrong_outline(self, key: str, /, **params: Any) -> None:
        self._report.add(self.file, self.line, "geometry", key, **params)

    def text(self, name: str, *, longest: int = 200, required: bool = True) -> str:
        value = self._properties.get(name)
        if value is not None and not isinstance(value, str):
            self.wrong(name, "not_text", value=str(value)[:60])
            return ""
        value = (value or "").strip()
        if required and not value:
            self.wrong(name, "empty")
        elif len(value) > longest:
            self.wrong(name, "too_long", longest=longest, length=len(value))
        return value

    def one_of(self, name: str, allowed: Collection[str]) -> str:
        value = self.text(name)
        if value and value not in allowed:
            self.wrong(name, "unknown_value", value=value, allowed=listed(allowed))
            return ""
        return value

    def known(self, name: str, value: str, known: Collection[str] | None, where: str) -> None:
        if value and known is not None and value not in known:
            self.wrong(name, "unknown_reference", value=value, where=where, hint=did_you_mean(value, known))


@dataclass(frozen=True, slots=True)
class KnownToAreas:
    """What an area may name. None where the file that lists it could not be read: then nothing is missed.

    district: the code of the district itself, the parent of its streets; "" where it is not known. bounds: the
    rectangle that every outline lies in. where_*: what a mistake calls the list.
    """

    district: str
    areas: Collection[str] | None
    communities: Collection[str] | None
    bounds: Bounds | None
    where_areas: str = "grids.geojson"
    where_district: str = "district.toml"


def read_area(given: Properties, geometry: Any, known: KnownToAreas) -> tuple[str, dict[str, Any]]:
    """The area's code and its record; what is wrong is noted in the report, property by property."""
    level, code = given.one_of("level", LEVELS), given.text("code")
    if level and code and (not code.isdecimal() or len(code) not in AREA_CODE_LENGTHS[level]):
        lengths = "/".join(str(length) for length in AREA_CODE_LENGTHS[level])
        given.wrong("code", "bad_area_code", value=code, lengths=lengths)
    parents = {"area": {known.district}, "community": known.areas, "grid": known.communities}
    parent = given.text("parent")
    if level != "area":
        given.known("parent", parent, parents.get(level), known.where_areas)
    elif known.district:
        given.known("parent", parent, parents[level], known.where_district)
    record = {
        "level": level,
        "name": given.text("name"),
        "parent_code": parent,
        "area_code": given.text("area_code"),
        "geometry": geometry,
    }
    given.known("area_code", record["area_code"], known.areas, known.where_areas)
    fault = fault_of(geometry, POLYGONS, known.bounds)
    if fault is not None:
        given.wrong_outline(fault[0], **fault[1])
    return code, record
