"""What a list of reports can be narrowed to: one row a filter, read from an address, shown as a field and as a chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from admin.showing import category_name, zone
from district.categories.models import Urgency
from district.messages import t
from district.people import queries as people
from district.people.service import unit_and_below
from district.reference import CategoryRef, reference
from district.reports.models import Source
from district.reports.queries import DUE_STATES, RATINGS, Box, Filters
from district.reports.states import Status
from district.tags import service as tags


@dataclass(frozen=True)
class Group:
    """Choices under one heading; without a heading where there is nothing to tell apart."""

    heading: str
    choices: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Field:
    """One filter. kind: `choice`, `flag`, `day` or `box`. part: the part of the panel it stands in, "" for none.

    narrow: the filters with this value, which is known to be one of the choices. names_itself: its chip needs no label.
    """

    name: str
    part: str
    kind: str
    narrow: Callable[[Filters, str], Filters]
    groups: Callable[[], list[Group]] = list
    names_itself: bool = False

    @property
    def label(self) -> str:
        return t(f"lists.filter.{self.name}")

    def knows(self, value: str) -> bool:
        if self.kind == "flag":
            return value == "1"
        if self.kind == "day":
            return _day(value) is not None
        if self.kind == "box":
            return read_box(value) is not None
        return any(value == one for group in self.groups() for one, _ in group.choices)

    def says(self, value: str) -> str:
        """The chip of this value."""
        if self.kind in ("flag", "box"):
            return self.label
        words = value
        if self.kind == "choice":
            words = next(words for group in self.groups() for one, words in group.choices if one == value)
        return words if self.names_itself else t("lists.chip", label=self.label, value=words)


PARTS = ("what", "where", "who", "when", "course")


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def read_box(value: str) -> Box | None:
    """A part of the map as an address says it, `west,south,east,north` in degrees; None when it is not one."""
    try:
        west, south, east, north = (float(part) for part in value.split(","))
    except ValueError:
        return None
    # Comparisons with what is not a number are false, too.
    whole = -180 <= west < east <= 180 and -90 <= south < north <= 90
    return Box(west, south, east, north) if whole else None


def _begins(value: str, later: int = 0) -> datetime:
    return datetime.combine(date.fromisoformat(value) + timedelta(days=later), time(), zone())


def _areas() -> list[Group]:
    areas = reference().areas_by_code.values()
    streets = sorted((area for area in areas if area.level == "area"), key=lambda area: area.code)
    groups = [Group(t("lists.streets"), [(area.code, area.name) for area in streets])]
    for street in streets:
        below = [area for area in areas if area.level == "community" and area.area_code == street.code]
        if below:
            rows = sorted(below, key=lambda area: area.code)
            groups.append(Group(street.name, [(area.code, area.name) for area in rows]))
    return groups


def _in_area(filters: Filters, code: str) -> Filters:
    if reference().areas_by_code[code].level == "community":
        return replace(filters, community_code=code)
    return replace(filters, area_code=code)


def _majors() -> list[Group]:
    return [Group("", [(name, name) for name in sorted({row.major for row in _categories()})])]


def _categories() -> list[CategoryRef]:
    return list(reference().categories_by_code.values())


def _categories_by_major() -> list[Group]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(_categories(), key=lambda row: row.code):
        found.setdefault(row.major, []).append((row.code, category_name(row)))
    return [Group(major, found[major]) for major in sorted(found)]


def _of_major(filters: Filters, major: str) -> Filters:
    ids = frozenset(row.id for row in reference().categories_by_id.values() if row.major == major)
    return replace(filters, category_ids=ids)


def _units() -> list[Group]:
    units = sorted((unit for unit in reference().units_by_id.values() if not unit.is_closed), key=lambda one: one.code)
    return [Group("", [(unit.code, unit.name) for unit in units])]


def _with_below(filters: Filters, _value: str) -> Filters:
    if filters.unit_id is None:
        return filters
    return replace(filters, unit_id=None, unit_ids=unit_and_below(filters.unit_id))


def _facility_types() -> list[Group]:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(reference().facility_types_by_code.values(), key=lambda row: row.code):
        found.setdefault(row.major, []).append((row.code, row.name))
    return [Group(major, rows) for major, rows in found.items()]


def _tags() -> list[Group]:
    return [Group("", [(tag.code, tag.name) for tag in tags.offered()])]


def _tagged(filters: Filters, code: str) -> Filters:
    return replace(filters, tag_id=next(tag.id for tag in tags.offered() if tag.code == code))


def _staff() -> list[Group]:
    found: dict[str, list[tuple[str, str]]] = {}
    for unit, name, username in people.names_by_unit():
        found.setdefault(unit, []).append((username, name))
    return [Group(unit, rows) for unit, rows in found.items()]


def _words(table: str, values: Sequence[str]) -> Callable[[], list[Group]]:
    return lambda: [Group("", [(str(value), t(f"{table}.{value}")) for value in values])]


def _flag(part: str, name: str, attribute: str) -> Field:
    return Field(name, part, "flag", lambda filters, _: replace(filters, **{attribute: True}))  # type: ignore[arg-type]


_YES_NO = ("yes", "no")

# In the order of the panel; a filter that builds on another stands after it.
FIELDS: tuple[Field, ...] = (
    Field("status", "what", "choice", lambda filters, value: replace(filters, statuses=(Status(value),)),
          _words("status.staff", tuple(Status)), names_itself=True),
    Field("major", "what", "choice", _of_major, _majors, names_itself=True),
    Field("category", "what", "choice",
          lambda filters, value: replace(filters, category_id=reference().categories_by_code[value].id),
          _categories_by_major, names_itself=True),
    Field("urgency", "what", "choice", lambda filters, value: replace(filters, urgency=value),
          _words("status.urgency", tuple(Urgency)), names_itself=True),
    Field("source", "what", "choice", lambda filters, value: replace(filters, source=value),
          _words("status.source", tuple(Source)), names_itself=True),
    Field("type", "what", "choice",
          lambda filters, value: replace(filters, facility_type_id=reference().facility_types_by_code[value].id),
          _facility_types),
    Field("tag", "what", "choice", _tagged, _tags),
    Field("area", "where", "choice", _in_area, _areas, names_itself=True),
    Field("pinned", "where", "choice", lambda filters, value: replace(filters, has_point=value == "yes"),
          _words("lists.yes_no", _YES_NO)),
    Field("unit", "who", "choice",
          lambda filters, value: replace(filters, unit_id=reference().units_by_code[value].id), _units,
          names_itself=True),
    Field("below", "who", "flag", _with_below),
    Field("staff", "who", "choice", lambda filters, value: replace(filters, staff_username=value), _staff),
    Field("due", "when", "choice", lambda filters, value: replace(filters, due=value),
          _words("lists.due", DUE_STATES)),
    Field("from", "when", "day", lambda filters, value: replace(filters, since=_begins(value))),
    Field("to", "when", "day", lambda filters, value: replace(filters, until=_begins(value, later=1))),
    Field("closed_from", "when", "day", lambda filters, value: replace(filters, closed_since=_begins(value))),
    Field("closed_to", "when", "day", lambda filters, value: replace(filters, closed_until=_begins(value, later=1))),
    _flag("when", "overdue", "overdue"),
    Field("photo", "course", "choice", lambda filters, value: replace(filters, has_photo=value == "yes"),
          _words("lists.yes_no", _YES_NO)),
    Field("rating", "course", "choice", lambda filters, value: replace(filters, rating=value),
          _words("lists.rating", RATINGS)),
    _flag("course", "reopened", "reopened"),
    _flag("course", "reworked", "reworked"),
    _flag("course", "handed_back", "handed_back"),
    _flag("course", "asked", "waiting"),
    _flag("course", "extension", "extension_pending"),
    _flag("course", "followed", "followed"),
    # Chosen on the map itself.
    Field("box", "", "box", lambda filters, value: replace(filters, box=read_box(value))),
)  # fmt: skip
BY_NAME = {field.name: field for field in FIELDS}


def read(args: Mapping[str, str], filters: Filters) -> tuple[Filters, dict[str, str]]:
    """The filters of an address over `filters`, and those of its values that are known; others are left out."""
    given: dict[str, str] = {}
    for field in FIELDS:
        value = args.get(field.name, "").strip()
        if value and len(value) <= 100 and field.knows(value):
            given[field.name] = value
            filters = field.narrow(filters, value)
    words = args.get("q", "").strip()[:100]
    if words:
        given["q"] = words
        filters = replace(filters, words=words)
    return filters, given


def says(name: str, value: str) -> str:
    """The chip of a filter that `read` took."""
    return t("admin.inbox.words", words=value) if name == "q" else BY_NAME[name].says(value)
