"""One category, case standard or facility type as it is written: for the folder's loader and the panel's form alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from district.categories.models import LimitUnit, Urgency
from district.loading.files import Row

# The words of the file and our own.
CATEGORY_KINDS = {"component": "component", "event": "matter", "matter": "matter"}
GEOMETRIES = ("point", "line", "polygon")
CATEGORY_COLUMNS = (
    "code", "kind", "major_zh", "name_zh", "name_en", "keywords_zh", "default_unit_kind", "deadline_value",
    "deadline_unit", "urgency", "facility_type", "campaign_topic", "scheme", "close_without_verification",
)  # fmt: skip
STANDARD_COLUMNS = (
    "standard_id", "category_code", "condition_zh", "limit_value", "limit_unit", "close_condition_zh",
)  # fmt: skip
TYPE_COLUMNS = (
    "code", "major_zh", "name_zh", "name_en", "geometry", "default_unit_kind", "is_smart", "gives_light",
    "quick_problems_zh", "default_category",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KnownToCategories:
    """What these may name. None where the file that lists it could not be read: then nothing is missed.

    where_*: what a mistake calls the list.
    """

    categories: Collection[str] | None
    facility_types: Collection[str] | None
    unit_kinds: Collection[str] | None
    where_categories: str = "categories.csv"
    where_types: str = "facility_types.csv"
    where_units: str = "units.csv"


def read_category(row: Row, known: KnownToCategories) -> tuple[str, dict[str, Any]]:
    """The category's code and its record; what is wrong is noted in the row's report, column by column."""
    code = row.code("code", r"[A-Za-z0-9._-]{1,40}", "01037")
    kind = row.one_of("kind", CATEGORY_KINDS)
    facility_type = row.reference("facility_type", known.facility_types, known.where_types, required=False)
    return code, {
        "scheme": row.text("scheme", longest=40, required=False) or "local",
        "kind": CATEGORY_KINDS.get(kind, kind),
        "major": row.text("major_zh"),
        "name": row.text("name_zh"),
        "name_en": row.text("name_en"),
        "keywords": row.items("keywords_zh"),
        "default_unit_kind": _unit_kind(row, known),
        "limit_value": row.whole("deadline_value"),
        "limit_unit": row.one_of("deadline_unit", tuple(LimitUnit)),
        "urgency": row.one_of("urgency", tuple(Urgency)),
        "facility_type_code": facility_type or "",
        "topic": row.text("campaign_topic", longest=100, required=False),
        "close_without_verification": row.yes_no("close_without_verification"),
    }


def read_standard(row: Row, known: KnownToCategories) -> tuple[str, dict[str, Any]]:
    """The case standard's code and its record; what is wrong is noted in the row's report, column by column."""
    code = row.code("standard_id", r"[A-Za-z0-9._-]{1,40}", "01037-03")
    return code, {
        "category_code": row.reference("category_code", known.categories, known.where_categories),
        "condition": row.text("condition_zh", longest=2000),
        "limit_value": row.whole("limit_value"),
        "limit_unit": row.one_of("limit_unit", tuple(LimitUnit)),
        "close_condition": row.text("close_condition_zh", longest=2000),
    }


def read_facility_type(row: Row, known: KnownToCategories) -> tuple[str, dict[str, Any]]:
    """The facility type's code and its record; what is wrong is noted in the row's report, column by column."""
    code = row.code("code", r"[A-Za-z0-9._-]{1,40}", "01037")
    category = row.reference("default_category", known.categories, known.where_categories, required=False)
    return code, {
        "major": row.text("major_zh"),
        "name": row.text("name_zh"),
        "name_en": row.text("name_en"),
        "geometry": row.one_of("geometry", GEOMETRIES),
        "default_unit_kind": _unit_kind(row, known),
        "is_smart": row.yes_no("is_smart"),
        "gives_light": row.yes_no("gives_light"),
        "problems": row.items("quick_problems_zh"),
        "default_category_code": category or "",
    }


def _unit_kind(row: Row, known: KnownToCategories) -> str:
    value = row.text("default_unit_kind", longest=40)
    if value:
        row.known("default_unit_kind", value, known.unit_kinds, known.where_units)
    return value
