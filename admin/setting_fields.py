"""The fields of the settings' forms, and how what stands in them is put into words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from admin.filters import Group
from admin.guard import RIGHTS
from admin.showing import category_name, limit_words, local
from district.categories.models import LimitUnit, Urgency
from district.geo.overlap import square_metres
from district.loading.category_rows import GEOMETRIES
from district.loading.unit_rows import UNIT_ROLES
from district.messages import t
from district.people.roles import Role
from district.reference import reference
from district.tags.models import COLOURS
from district.upkeep.service import Thing

# How much of a long text a list shows.
_SHORT = 60


@dataclass(frozen=True)
class Field:
    """One field. shape: `line`, `long`, `lines` (one entry a line), `number`, `phone`, `known` (a line with
    suggestions), `choice`, `many`, `flag`, `outline`.

    half: it shares its row with the next. longest: of what can be typed.
    """

    name: str
    shape: str = "line"
    required: bool = False
    half: bool = False
    longest: int = 200
    groups: Callable[[], Sequence[Group]] = field(default=list)

    def words(self, value: str) -> str:
        """What stands in it, in words."""
        if self.shape == "flag":
            return t("lists.yes_no.yes" if value == "1" else "lists.yes_no.no")
        if self.shape == "outline":
            return outline_words(value)
        if self.shape in ("choice", "many"):
            names = {one: words for group in self.groups() for one, words in group.choices}
            values = value.split(";") if self.shape == "many" else [value]
            named = [names.get(one, one) for one in values if one]
            return t("admin.between").join(named) if named or self.name != "roles" else t("upkeep.everybody")
        if self.shape == "lines":
            return t("admin.between").join(value.split(";")) if value else ""
        return value


def _plain(choices: Sequence[tuple[str, str]]) -> list[Group]:
    return [Group("", choices)]


def _units() -> list[Group]:
    units = sorted((unit for unit in reference().units_by_id.values() if not unit.is_closed), key=lambda one: one.code)
    return _plain([(unit.code, unit.name) for unit in units])


def _unit_kinds() -> list[Group]:
    """Every kind with one or two of its units: the bare word says little."""
    names: dict[str, list[str]] = {}
    for unit in sorted(reference().units_by_id.values(), key=lambda one: one.code):
        if not unit.is_closed:
            names.setdefault(unit.kind, []).append(unit.name)
    return _plain([(kind, f"{t('admin.between').join(names[kind][:2])} · {kind}") for kind in sorted(names)])


def _streets() -> list[Group]:
    areas = sorted(reference().areas_by_code.values(), key=lambda area: area.code)
    streets = [(area.code, area.name) for area in areas if area.level == "area"]
    return _plain([("*", t("upkeep.whole_district")), *streets])


def _above() -> list[Group]:
    """What an area may lie in: the district, a street, a community."""
    ref = reference()
    areas = sorted(ref.areas_by_code.values(), key=lambda area: area.code)
    district = str(ref.setting("district.code", ""))
    return [
        Group(t("upkeep.list.district"), [(district, local(ref.setting("district.name", "")) or district)]),
        *(
            Group(t(f"upkeep.level.{level}"), [(area.code, area.name) for area in areas if area.level == level])
            for level in ("area", "community")
        ),
    ]


def _categories() -> list[Group]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(reference().categories_by_code.values(), key=lambda row: row.code):
        found.setdefault(row.major, []).append((row.code, f"{category_name(row)} {row.code}"))
    return [Group(major, found[major]) for major in sorted(found)]


def _types() -> list[Group]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(reference().facility_types_by_code.values(), key=lambda row: row.code):
        found.setdefault(row.major, []).append((row.code, f"{category_name(row)} {row.code}"))
    return [Group(major, rows) for major, rows in found.items()]


def _any_type() -> list[Group]:
    return [Group("", [("*", t("smart.kinds.any"))]), *_types()]


def _majors() -> list[Group]:
    return _plain([(name, name) for name in sorted({row.major for row in reference().categories_by_code.values()})])


def _type_majors() -> list[Group]:
    majors = {row.major for row in reference().facility_types_by_code.values()}
    return _plain([(name, name) for name in sorted(majors)])


def _said(table: str, values: Sequence[str]) -> Callable[[], list[Group]]:
    return lambda: _plain([(str(value), t(f"{table}.{value}")) for value in values])


_CATEGORY_KINDS = _said("upkeep.category_kind", ("component", "matter"))
_LIMIT_UNITS = _said("upkeep.limit_unit", tuple(LimitUnit))

FIELDS: dict[str, tuple[Field, ...]] = {
    "unit": (
        Field("name_zh", required=True, half=True),
        Field("code", required=True, half=True, longest=40),
        Field("unit_kind", "known", required=True, half=True, longest=40, groups=_unit_kinds),
        Field("role", "choice", required=True, half=True, groups=_said("admin.unit_part", UNIT_ROLES)),
        Field("parent_code", "choice", groups=_units),
        Field("area_codes", "many", groups=_streets),
        Field("phone", "phone", half=True, longest=40),
        Field("emergency_phone", "phone", half=True, longest=40),
        Field("duty_hours", longest=100),
        Field("note", "long", longest=2000),
    ),
    "category": (
        Field("name_zh", required=True, half=True),
        Field("name_en", required=True, half=True),
        Field("code", required=True, half=True, longest=40),
        Field("kind", "choice", required=True, half=True, groups=_CATEGORY_KINDS),
        Field("major_zh", "known", required=True, half=True, groups=_majors),
        Field("scheme", half=True, longest=40),
        Field("keywords_zh", "lines", longest=20_000),
        Field("default_unit_kind", "choice", required=True, groups=_unit_kinds),
        Field("deadline_value", "number", required=True, half=True, longest=7),
        Field("deadline_unit", "choice", required=True, half=True, groups=_LIMIT_UNITS),
        Field("urgency", "choice", required=True, half=True, groups=_said("status.urgency", tuple(Urgency))),
        Field("facility_type", "choice", half=True, groups=_types),
        Field("campaign_topic", longest=100),
        Field("close_without_verification", "flag"),
    ),
    "standard": (
        Field("category_code", "choice", required=True, groups=_categories),
        Field("standard_id", required=True, longest=40),
        Field("condition_zh", "long", required=True, longest=2000),
        Field("limit_value", "number", required=True, half=True, longest=7),
        Field("limit_unit", "choice", required=True, half=True, groups=_LIMIT_UNITS),
        Field("close_condition_zh", "long", required=True, longest=2000),
    ),
    "facility_type": (
        Field("name_zh", required=True, half=True),
        Field("name_en", required=True, half=True),
        Field("code", required=True, half=True, longest=40),
        Field("major_zh", "known", required=True, half=True, groups=_type_majors),
        Field("quick_problems_zh", "lines", longest=20_000),
        Field("default_category", "choice", groups=_categories),
        Field("default_unit_kind", "choice", required=True, groups=_unit_kinds),
        Field("geometry", "choice", required=True, groups=_said("upkeep.geometry", GEOMETRIES)),
        Field("is_smart", "flag"),
        Field("gives_light", "flag"),
    ),
    "area": (
        Field("name", required=True, half=True),
        Field("code", required=True, half=True, longest=40),
        Field("level", "choice", required=True, half=True, groups=_said("upkeep.level", ("area", "community", "grid"))),
        Field("parent", "choice", required=True, half=True, groups=_above),
        Field("geometry", "outline", required=True),
    ),
    "device_alarm": (
        Field("name_zh", required=True, half=True, longest=40),
        Field("name_en", required=True, half=True, longest=60),
        Field("alarm", required=True, half=True, longest=40),
        Field("facility_type", "choice", required=True, half=True, groups=_any_type),
        Field("category_code", "choice", groups=_categories),
        Field("is_critical", "flag"),
        Field("wait_s", "number", longest=5),
        Field("flood_threshold", "number", half=True, longest=5),
        Field("flood_s", "number", half=True, longest=5),
    ),
    "tag": (
        Field("name", required=True, longest=20),
        Field("colour", "choice", required=True, groups=_said("upkeep.colour", COLOURS)),
        Field("roles", "many", groups=_said("status.role", tuple(role for role in Role if role in RIGHTS["set_tags"]))),
    ),
}  # fmt: skip

# What a list tells of a thing besides its name.
_LISTED: dict[str, tuple[str, ...]] = {
    "unit": ("role", "parent_code", "area_codes", "phone"),
    "category": ("major_zh", "deadline", "urgency"),
    "standard": ("category_code", "limit", "close_condition_zh"),
    "facility_type": ("major_zh", "quick_problems_zh", "default_category"),
    "area": ("level", "parent"),
    "tag": ("roles",),
    "device_alarm": ("facility_type", "category_code", "is_critical", "wait_s"),
}
_LIMITS = {"deadline": ("deadline_value", "deadline_unit"), "limit": ("limit_value", "limit_unit")}
_NAMES = {"standard": "condition_zh", "area": "name", "tag": "name"}


def fields_of(kind: str) -> dict[str, Field]:
    return {one.name: one for one in FIELDS[kind]}


def name_of(kind: str, cells: Mapping[str, str]) -> str:
    """What a thing is called."""
    return short(cells.get(_NAMES.get(kind, "name_zh"), ""))


def facts_of(thing: Thing) -> list[tuple[str, str]]:
    """What a list tells of it, as (label, words)."""
    fields = fields_of(thing.kind.name)
    found = []
    for name in _LISTED[thing.kind.name]:
        if name in _LIMITS:
            value, unit = (thing.cells[column] for column in _LIMITS[name])
            words = limit_words(int(value), unit)
        else:
            words = fields[name].words(thing.cells[name])
        found.append((t(f"upkeep.field.{name}"), short(words)))
    return found


def labels_of(kind: str) -> list[str]:
    """The heads of a list's columns."""
    return [t(f"upkeep.field.{name}") for name in _LISTED[kind]]


def said(kind: str, column: str, value: str) -> str:
    """What stands in a column, in words, for before and after."""
    if column == "active":
        return t("upkeep.active" if value else "upkeep.retired")
    one = fields_of(kind).get(column)
    return (one.words(value) if one is not None else value) or t("upkeep.empty")


def outline_words(text: str) -> str:
    """How many corners an outline has and how large it is; nothing for what is no outline."""
    try:
        outline = json.loads(text)
        polygons = outline["coordinates"] if outline["type"] == "MultiPolygon" else [outline["coordinates"]]
        corners = sum(len(ring) - 1 for polygon in polygons for ring in polygon)
        return t("upkeep.outline.words", n=corners, size=f"{square_metres(outline) / 1_000_000:.2f}")
    except (ValueError, KeyError, TypeError, IndexError):
        return ""


def short(words: str) -> str:
    return words if len(words) <= _SHORT else words[: _SHORT - 1] + "…"


def typed(kind: str, form: Any) -> dict[str, str]:
    """The cells that a form brings, from its many shapes of fields."""
    cells = {}
    for one in FIELDS[kind]:
        if one.shape == "many":
            cells[one.name] = ";".join(form.getlist(one.name))
        elif one.shape == "lines":
            lines = [part.strip() for part in form.get(one.name, "").replace(";", "\n").splitlines()]
            cells[one.name] = ";".join(part for part in lines if part)
        else:
            cells[one.name] = form.get(one.name, "").strip()
    return cells
