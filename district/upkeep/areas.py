"""Streets, communities and unit grids with their outlines, set by hand."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from district import settings
from district.extensions import db
from district.facilities.models import Facility
from district.geo import basemap
from district.geo.models import Area, Compound
from district.geo.overlap import boxes_meet, cover
from district.loading.area_rows import KnownToAreas, Properties, read_area
from district.loading.district_file import bounds_in
from district.loading.problems import Report
from district.loading.service import MAP_FILES, MAP_SOURCE
from district.messages import t
from district.people.models import Staff
from district.units.models import Unit
from district.upkeep.kinds import Cells, Kind, Record, Use, count, refuse, rows_listing, rules_naming

COLUMNS = ("level", "code", "name", "parent", "geometry")
# Neighbours never meet to the centimetre; what is more than this part of the smaller one is worth a question.
LEAST_SHARED = 0.005
LEAST_OUTSIDE = 0.01
# How many names a question names.
_NAMED = 3


class Areas(Kind):
    """Areas. The street that a community or grid lies in follows from its parent and is not asked for."""

    name = "area"
    model = Area
    columns = COLUMNS
    fixed = ("level",)
    versions = ("map", "rules")

    def read(self, cells: Cells) -> tuple[str, Record]:
        report = Report()
        level, code = cells.get("level", "").strip(), cells.get("code", "").strip()
        rows = db.session.execute(select(Area.code, Area.level, Area.area_code).where(Area.retired_at.is_(None))).all()
        streets = {row.code for row in rows if row.level == "area"} | ({code} if level == "area" else set())
        above = {row.code: row.area_code for row in rows}
        parent = cells.get("parent", "").strip()
        properties = {"level": level, "code": code, "name": cells.get("name", ""), "parent": parent}
        # An unknown parent is a mistake of its own, and not two.
        properties["area_code"] = code if level == "area" else above.get(parent, next(iter(sorted(streets)), ""))
        known = KnownToAreas(
            str((settings.get("district") or {}).get("code", "")),
            streets,
            frozenset(row.code for row in rows if row.level == "community"),
            bounds_in(settings.get("map")),
            t("upkeep.list.areas"),
            t("upkeep.list.district"),
        )
        outline = outline_in(cells.get("geometry", ""), code, report)
        code, record = read_area(Properties("", 0, properties, report), outline, known)
        refuse(report)
        return code, record

    def told(self, row: Area) -> Record:
        names = ("level", "name", "parent_code", "area_code", "geometry")
        return {name: getattr(row, name) for name in names} | {"active": row.retired_at is None}

    def put(self, row: Area, record: Record) -> None:
        for name in record.keys() - {"active"}:
            setattr(row, name, record[name])

    def written(self, code: str, record: Record) -> dict[str, str]:
        return {
            "level": record["level"],
            "code": code,
            "name": record["name"],
            "parent": record["parent_code"],
            "geometry": json.dumps(record["geometry"], separators=(",", ":")),
        }

    def uses(self, row: Area) -> list[Use]:
        units = db.session.scalars(select(Unit).where(Unit.closed_at.is_(None)))
        staff = db.session.scalars(select(Staff).where(Staff.left_at.is_(None)))
        here = {"area": Facility.area_code, "grid": Facility.grid_code}.get(row.level)
        lies = {"area": Compound.area_code, "community": Compound.community_code}.get(row.level)
        found = [Use("areas_below", count(Area, Area.parent_code == row.code, Area.retired_at.is_(None)), True)]
        if row.level == "area":
            found += [
                Use("units", rows_listing(units, "area_codes", row.code), True),
                Use("rules", len(rules_naming("area_codes", row.code)), True),
                Use("staff_limited", rows_listing(staff, "area_scope", row.code), True),
            ]
        if here is not None:
            found.append(Use("facilities", count(Facility, here == row.code, Facility.retired_at.is_(None)), False))
        if lies is not None:
            found.append(Use("compounds", count(Compound, lies == row.code, Compound.retired_at.is_(None)), False))
        return found

    def doubts(self, code: str, record: Record) -> list[str]:
        """Overlaps with its like, and lying outside of what it should lie in."""
        outline, level = record["geometry"], record["level"]
        areas = db.session.scalars(select(Area).where(Area.code != code, Area.retired_at.is_(None))).all()
        found: list[tuple[float, str]] = []
        for other in areas:
            if other.level == level and (share := _overlap(outline, other.geometry)) > LEAST_SHARED:
                found.append((-share, t("upkeep.doubt.overlaps", name=other.name, percent=_percent(share))))
        said = [words for _, words in sorted(found)[:_NAMED]]
        parent = next((other for other in areas if other.code == record["parent_code"]), None)
        if parent is not None:
            outside = 1 - cover(outline, parent.geometry).share
            if outside > LEAST_OUTSIDE:
                said.append(t("upkeep.doubt.outside", name=parent.name, percent=_percent(outside)))
        left = [
            other.name
            for other in areas
            if other.parent_code == code and 1 - cover(other.geometry, outline).share > LEAST_OUTSIDE
        ]
        if left:
            named = t("admin.between").join(left[:_NAMED])
            said.append(t("upkeep.doubt.left_out", n=len(left), names=named))
        return said

    def settle(self) -> None:
        """Draw the borders and names of our own map anew."""
        base_name, _, shapes_name = MAP_FILES
        rows = db.session.scalars(select(Area).where(Area.retired_at.is_(None)).order_by(Area.code)).all()
        grids = {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"level": row.level, "code": row.code, "name": row.name},
                    "geometry": row.geometry,
                }
                for row in rows
            ],
        }
        base = settings.get(base_name)
        if base:
            settings.put(base_name, basemap.with_areas(base, grids))
        settings.put(shapes_name, basemap.area_shapes(grids))
        # The folder's own drawing is not what is shown any more: loading it must draw it again.
        settings.put(MAP_SOURCE, "panel")


def outline_in(words: str, code: str, report: Report) -> Any:
    """The geometry in a GeoJSON text: a geometry, a feature, or the collection's only feature or the one of this code.

    What is wrong is noted under `geometry`; then None.
    """
    if not words.strip():
        report.add("", 0, "geometry", "empty")
        return None
    try:
        found = json.loads(words)
    except (json.JSONDecodeError, RecursionError) as error:
        reason, at = (error.msg, error.colno) if isinstance(error, json.JSONDecodeError) else ("depth", 0)
        report.add("", 0, "geometry", "bad_json", reason=reason, at=at)
        return None
    if isinstance(found, dict) and found.get("type") == "FeatureCollection":
        features = [one for one in found.get("features") or [] if isinstance(one, dict)]
        same = [one for one in features if (one.get("properties") or {}).get("code") == code]
        chosen = same or features
        if len(chosen) != 1:
            report.add("", 0, "geometry", "which_feature", count=len(features), code=code or "-")
            return None
        found = chosen[0]
    if isinstance(found, dict) and found.get("type") == "Feature":
        found = found.get("geometry")
    return found


def _overlap(outline: Any, other: Any) -> float:
    """The part of the smaller one that both cover."""
    if not boxes_meet(outline, other):
        return 0.0
    found = cover(outline, other)
    if not found.shared:
        return 0.0
    smaller = min(found.whole, cover(other, outline).whole)
    return found.shared / smaller if smaller else 0.0


def _percent(share: float) -> str:
    return f"{share * 100:.1f}"
