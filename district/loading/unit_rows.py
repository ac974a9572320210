"""One responsible unit as it is written, read and checked: by the folder's loader and by the panel's form alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from district.loading.files import Row

UNIT_ROLES = ("leader", "supervisor", "dispatcher", "handler", "contractor", "transfer", "observer")
COLUMNS = (
    "code", "name_zh", "unit_kind", "parent_code", "area_codes", "role", "phone", "emergency_phone", "duty_hours",
    "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KnownToUnits:
    """What a unit may name. None where the file that lists it could not be read: then nothing is missed.

    where_*: what a mistake calls the list.
    """

    units: Collection[str] | None
    areas: Collection[str] | None
    where_units: str = "units.csv"
    where_areas: str = "grids.geojson"


def read_unit(row: Row, known: KnownToUnits) -> tuple[str, dict[str, Any]]:
    """The unit's code and its record; what is wrong is noted in the row's report, column by column."""
    code = row.code("code", r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", "SZ-LD")
    areas = row.items("area_codes", any_mark=True)
    for area in areas:
        if area != "*":
            row.known("area_codes", area, known.areas, known.where_areas)
    return code, {
        "name": row.text("name_zh"),
        "kind": row.code("unit_kind", r"[a-z][a-z0-9_]{0,39}", "municipal"),
        "role": row.one_of("role", UNIT_ROLES),
        "parent_code": row.reference("parent_code", known.units, known.where_units, required=False),
        "area_codes": areas,
        "phone": row.phone("phone"),
        "emergency_phone": row.phone("emergency_phone"),
        "duty_hours": row.hours("duty_hours"),
        "note": row.text("note", longest=2000, required=False),
    }


def check_parents(code: str, row: Row, parents: Mapping[str, str | None]) -> None:
    """Note it when the unit ends up above itself. parents: every unit's parent, this one's too."""
    above, seen = parents[code], {code}
    while above is not None and above in parents and above not in seen:
        seen.add(above)
        above = parents[above]
    if above == code:
        row.wrong("parent_code", "own_parent", value=code)
