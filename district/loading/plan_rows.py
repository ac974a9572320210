"""One inspection plan, as inspection_plans.csv and the panel's form write it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from district.care.models import CREWS, EVERY_UNITS
from district.loading.files import Row
from district.loading.problems import listed

PLAN_COLUMNS = (
    "code", "name", "facility_types", "area_codes", "crew", "unit", "every", "every_unit", "months", "starts_on",
)  # fmt: skip
# Longer than this nobody waits for a second look.
MOST = {"days": 366, "weeks": 104, "months": 60}


@dataclass(frozen=True, slots=True)
class KnownToPlans:
    """What plans may name; None where the file that lists it could not be read. where_*: what the lists are called."""

    types: Collection[str] | None
    areas: Collection[str] | None
    units: Collection[str] | None
    where_types: str = "facility_types.csv"
    where_areas: str = "grids.geojson"
    where_units: str = "units.csv"


def read_plan(row: Row, known: KnownToPlans) -> tuple[str, dict[str, Any]]:
    """The plan's code and its record, its unit as a code; what is wrong is noted in the row's report."""
    code = row.code("code", r"[A-Za-z0-9._-]{1,40}", "LD-M")
    types = list(dict.fromkeys(row.items("facility_types", required=True)))
    for one in types:
        row.known("facility_types", one, known.types, known.where_types)
    areas = list(dict.fromkeys(row.items("area_codes")))
    for one in areas:
        row.known("area_codes", one, known.areas, known.where_areas)
    crew = row.one_of("crew", CREWS)
    unit = row.reference("unit", known.units, known.where_units, required=crew in ("own", "all"))
    every_unit = row.one_of("every_unit", EVERY_UNITS)
    return code, {
        "name": row.text("name", longest=60),
        "type_codes": types,
        "area_codes": areas,
        "crew": crew,
        # With each facility's own unit there is no other one to name.
        "unit_code": unit if crew != "maintainer" else None,
        "every": row.whole("every", most=MOST.get(every_unit, max(MOST.values()))),
        "every_unit": every_unit,
        "months": _months(row),
        "starts_on": row.day("starts_on"),
    }


def _months(row: Row) -> list[int]:
    allowed = [str(month) for month in range(1, 13)]
    found = row.items("months")
    for one in found:
        if one not in allowed:
            row.wrong("months", "unknown_value", value=one, allowed=listed(allowed))
    return sorted({int(one) for one in found if one in allowed})
