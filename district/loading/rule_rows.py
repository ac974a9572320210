"""One routing rule as it is written, read and checked: by the folder's loader and by the panel's form alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from district.loading.files import Row
from district.loading.problems import listed
from district.routing import conditions
from district.routing.models import RULE_MODES, RULE_ROLES

UNIT_MARKS = ("@facility.maintainer_unit", "@facility.owner_unit", "@area.street", "@compound.property")
COLUMNS = (
    "rule_id", "priority", "category_codes", "major", "facility_type", "area_codes", "condition", "unit", "role",
    "mode", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KnownToRules:
    """What a rule may name. None where the file that lists it could not be read: then nothing is missed.

    looking_on: units that are never given a report. where_*: what a mistake calls the list.
    """

    unit_codes: Collection[str] | None
    looking_on: Collection[str]
    categories: Collection[str] | None
    majors: Collection[str]
    facility_types: Collection[str] | None
    areas: Collection[str] | None
    where_units: str = "units.csv"
    where_categories: str = "categories.csv"
    where_types: str = "facility_types.csv"
    where_areas: str = "grids.geojson"


def read_rule(row: Row, known: KnownToRules) -> tuple[str, dict[str, Any]]:
    """The rule's code and its record; what is wrong is noted in the row's report, column by column."""
    code = row.code("rule_id", r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", "R001")
    role, mode = row.one_of("role", RULE_ROLES), row.one_of("mode", RULE_MODES)
    major = row.text("major", longest=100, required=False) or "*"
    if major != "*" and known.majors:
        row.known("major", major, known.majors, known.where_categories)
    units = row.items("unit")
    _check_units(row, units, role, mode, known)
    condition = row.text("condition", longest=500, required=False)
    try:
        conditions.parse(condition)
    except conditions.ConditionError as error:
        there = condition[error.position : error.position + 20]
        row.wrong("condition", "bad_condition", reason=error.problem, at=error.position + 1, there=there)
    return code, {
        "priority": row.whole("priority", least=0),
        "category_codes": _matches(row, "category_codes", known.categories, known.where_categories),
        "major": major,
        "facility_types": _matches(row, "facility_type", known.facility_types, known.where_types),
        "area_codes": _matches(row, "area_codes", known.areas, known.where_areas),
        "condition": condition,
        "units": units,
        "role": role,
        "mode": mode,
        "note": row.text("note", longest=2000, required=False),
    }


def _matches(row: Row, column: str, known: Collection[str] | None, where: str) -> list[str]:
    """A rule's matcher: `["*"]` or known codes. An empty cell or a missing column means any."""
    values = row.items(column, any_mark=True) or ["*"]
    for value in values:
        if value != "*":
            row.known(column, value, known, where)
    return values


def _check_units(row: Row, units: list[str], role: str, mode: str, known: KnownToRules) -> None:
    if not units and role != "none" and mode not in ("reply_only", "manual_queue"):
        row.wrong("unit", "rule_without_unit")
    for unit in units:
        if unit.startswith("@"):
            if unit not in UNIT_MARKS:
                row.wrong("unit", "unknown_value", value=unit, allowed=listed(UNIT_MARKS))
            continue
        row.known("unit", unit, known.unit_codes, known.where_units)
        if role == "primary" and unit in known.looking_on:
            row.wrong("unit", "unit_looks_on", value=unit)
