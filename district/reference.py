"""Reference data in memory: units, categories, rules, areas, settings, as one immutable snapshot a process.

A snapshot is read in its own short connection, so it may be asked for inside a unit of work or outside of one
without touching either; it shows what is committed. Other processes' changes are seen within `CHECK_EVERY_S`;
`forget()` makes this process read again at once. The map and the gazetteer are built when first asked for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any, TypeVar, cast

from flask import current_app
from sqlalchemy import Connection, select

from district import messages
from district.categories.models import CaseStandard, Category, LimitUnit, Urgency
from district.deadlines.models import CalendarDay
from district.extensions import db
from district.facilities.models import FacilityType
from district.geo.gazetteer import Gazetteer, HouseNumbers, NamedPoint
from district.geo.index import COMPOUND, Locator, Shape
from district.geo.lines import read_base_map
from district.geo.models import Area, Compound, NamedPlace
from district.routing.models import RoutingRule
from district.settings import DistrictSetting, ReferenceVersion, with_overrides
from district.units.models import Unit

log = logging.getLogger(__name__)

CHECK_EVERY_S = 2.0
# Kinds whose change leaves the snapshot as it is.
_ELSEWHERE = frozenset({"facilities"})
# Settings that are large and belong to somebody else: map files, what the folder brought.
_NOT_READ = ("loaded", "wording")
_WORDING = ("wording", "wording:panel")
_T = TypeVar("_T")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class UnitRef:
    """A responsible unit, closed ones included."""

    id: int
    code: str
    name: str
    kind: str
    role: str
    parent_id: int | None
    area_codes: frozenset[str]
    phone: str
    emergency_phone: str
    is_closed: bool


@dataclass(frozen=True, slots=True)
class StandardRef:
    """A condition under which a case is opened, its limit and its closing condition."""

    code: str
    condition: str
    limit_value: int
    limit_unit: LimitUnit
    close_condition: str


@dataclass(frozen=True, slots=True)
class CategoryRef:
    """A kind of problem, retired ones included."""

    id: int
    code: str
    scheme: str
    kind: str
    major: str
    name: str
    name_en: str
    keywords: tuple[str, ...]
    limit_value: int
    limit_unit: LimitUnit
    urgency: Urgency
    facility_type_code: str
    topic: str
    close_without_verification: bool
    is_retired: bool
    standards: tuple[StandardRef, ...]


@dataclass(frozen=True, slots=True)
class FacilityTypeRef:
    """A kind of facility. problems: what residents usually report, most usual first."""

    id: int
    code: str
    major: str
    name: str
    name_en: str
    problems: tuple[str, ...]
    default_category_code: str
    is_retired: bool
    gives_light: bool


@dataclass(frozen=True, slots=True)
class CompoundRef:
    """A residential compound, without its boundary."""

    id: int
    code: str
    name: str
    property_unit_id: int | None
    area_code: str
    community_code: str


@dataclass(frozen=True, slots=True)
class AreaRef:
    """A street or township, community or unit grid, without its boundary."""

    code: str
    level: str
    name: str
    parent_code: str
    area_code: str


@dataclass(frozen=True, slots=True)
class RuleRef:
    """A routing rule as the district wrote it; `district.routing.rules` makes it work."""

    code: str
    priority: int
    category_codes: tuple[str, ...]
    major: str
    facility_types: tuple[str, ...]
    area_codes: tuple[str, ...]
    condition: str
    units: tuple[str, ...]
    role: str
    mode: str
    note: str


@dataclass(frozen=True)
class Reference:
    """One consistent state of the district's reference data.

    *_by_id hold retired and closed rows too, for old reports; categories_by_code and facility_types_by_code only
    what is in use; rules are those in force, highest priority first. settings: district.toml, table by table.
    """

    versions: Mapping[str, int]
    units_by_id: Mapping[int, UnitRef]
    units_by_code: Mapping[str, UnitRef]
    categories_by_id: Mapping[int, CategoryRef]
    categories_by_code: Mapping[str, CategoryRef]
    facility_types_by_id: Mapping[int, FacilityTypeRef]
    facility_types_by_code: Mapping[str, FacilityTypeRef]
    compounds_by_id: Mapping[int, CompoundRef]
    areas_by_code: Mapping[str, AreaRef]
    rules: tuple[RuleRef, ...]
    settings: Mapping[str, Any]
    calendar: tuple[tuple[date, str], ...]
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    @property
    def rules_version(self) -> int:
        return self.versions.get("rules", 0)

    @property
    def locator(self) -> Locator:
        """Point → grid, community, area, compound."""
        return self.once("map.locator", _read_locator)

    @property
    def gazetteer(self) -> Gazetteer:
        """Words → place."""
        # Named after its own settings: a name beginning with `map.` is kept while only settings change.
        numbers = self.setting("places", {})
        return self.once(f"map.gazetteer {sorted(numbers.items())}", _read_gazetteer)

    def standards(self, category_code: str) -> tuple[StandardRef, ...]:
        """The conditions of a category in use; none for an unknown one."""
        category = self.categories_by_code.get(category_code)
        return category.standards if category else ()

    def setting(self, path: str, default: Any = None) -> Any:
        """A value of district.toml by its dotted path, such as `limits.reopen_days`."""
        value: Any = self.settings
        try:
            for name in path.split("."):
                value = value[name]
        except (KeyError, TypeError):  # TypeError: what should be a table is none
            return default
        return value

    def once(self, name: str, make: Callable[[Reference], _T]) -> _T:
        """What `make` derives from this snapshot, made once and dropped with it.

        A name beginning with `map.` is kept while the map stays the same.
        """
        made = self._made.get(name, _MISSING)
        if made is _MISSING:
            with self._lock:
                made = self._made.get(name, _MISSING)
                if made is _MISSING:
                    made = self._made[name] = make(self)
        return cast(_T, made)


class _Holder:
    """The present snapshot of one application."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.snapshot: Reference | None = None
        self.checked_at = 0.0

    def current(self) -> Reference:
        snapshot = self.snapshot
        if snapshot is not None and time.monotonic() - self.checked_at < CHECK_EVERY_S:
            return snapshot
        with self.lock:
            snapshot = self.snapshot
            now = time.monotonic()
            if snapshot is not None and now - self.checked_at < CHECK_EVERY_S:
                return snapshot
            with db.engine.connect() as connection:
                versions = _read_versions(connection)
                if snapshot is None or _relevant(versions) != _relevant(snapshot.versions):
                    snapshot = _read(connection, versions, snapshot)
            self.snapshot, self.checked_at = snapshot, now
            return snapshot


# The snapshot by which something that belongs together is done.
_held: ContextVar[Reference | None] = ContextVar("held_reference", default=None)


def reference() -> Reference:
    """The present application's reference data, no older than CHECK_EVERY_S."""
    return _held.get() or _holder().current()


@contextmanager
def held_reference() -> Iterator[Reference]:
    """One snapshot for all that is done inside, however often it is asked for; for a moment's work only."""
    ref = reference()
    token = _held.set(ref)
    try:
        yield ref
    finally:
        _held.reset(token)


def forget() -> None:
    """Read reference data anew when it is next asked for."""
    holder = _holder()
    with holder.lock:
        holder.snapshot = None


def _holder() -> _Holder:
    extensions = current_app.extensions
    holder: _Holder | None = extensions.get("reference")
    # setdefault is atomic: two first requests share one holder.
    return holder or extensions.setdefault("reference", _Holder())


def _relevant(versions: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in versions.items() if name not in _ELSEWHERE}


def _read_versions(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(ReferenceVersion.name, ReferenceVersion.number))
    return {row.name: row.number for row in rows}


def _read(connection: Connection, versions: Mapping[str, int], before: Reference | None) -> Reference:
    """Everything but the map. What was made of an unchanged map is taken over from `before`."""
    started = time.perf_counter()
    units = [
        UnitRef(
            row.id, row.code, row.name, row.kind, row.role, row.parent_id, frozenset(row.area_codes),
            row.phone, row.emergency_phone, row.closed_at is not None,
        )
        for row in connection.execute(select(Unit.__table__).order_by(Unit.code))
    ]  # fmt: skip
    standards: dict[int, list[StandardRef]] = {}
    for row in connection.execute(
        select(CaseStandard.__table__).where(CaseStandard.retired_at.is_(None)).order_by(CaseStandard.code)
    ):
        standards.setdefault(row.category_id, []).append(
            StandardRef(row.code, row.condition, row.limit_value, LimitUnit(row.limit_unit), row.close_condition)
        )
    categories = [
        CategoryRef(
            row.id, row.code, row.scheme, row.kind, row.major, row.name, row.name_en, tuple(row.keywords),
            row.limit_value, LimitUnit(row.limit_unit), Urgency(row.urgency), row.facility_type_code, row.topic,
            row.close_without_verification, row.retired_at is not None, tuple(standards.get(row.id, ())),
        )
        for row in connection.execute(select(Category.__table__).order_by(Category.code, Category.id))
    ]  # fmt: skip
    types = [
        FacilityTypeRef(
            row.id, row.code, row.major, row.name, row.name_en, tuple(row.problems), row.default_category_code,
            row.retired_at is not None, row.gives_light,
        )
        for row in connection.execute(select(FacilityType.__table__).order_by(FacilityType.code))
    ]  # fmt: skip
    compounds = [
        CompoundRef(row.id, row.code, row.name, row.property_unit_id, row.area_code, row.community_code)
        for row in connection.execute(
            select(
                Compound.id, Compound.code, Compound.name, Compound.property_unit_id, Compound.area_code,
                Compound.community_code,
            )
        )
    ]  # fmt: skip
    areas = [
        AreaRef(row.code, row.level, row.name, row.parent_code, row.area_code)
        for row in connection.execute(
            select(Area.code, Area.level, Area.name, Area.parent_code, Area.area_code)
            .where(Area.retired_at.is_(None))
            .order_by(Area.code)
        )
    ]
    rules = [
        RuleRef(
            row.code, row.priority, tuple(row.category_codes), row.major, tuple(row.facility_types),
            tuple(row.area_codes), row.condition, tuple(row.units), row.role, row.mode, row.note,
        )
        for row in connection.execute(
            select(RoutingRule.__table__)
            .where(RoutingRule.retired_at.is_(None))
            .order_by(RoutingRule.priority.desc(), RoutingRule.id)
        )
    ]  # fmt: skip
    settings = {
        row.name: row.value
        for row in connection.execute(
            select(DistrictSetting.name, DistrictSetting.value).where(
                ~DistrictSetting.name.contains(":"), DistrictSetting.name.not_in(_NOT_READ)
            )
        )
    }
    settings = with_overrides(settings)
    calendar = tuple(
        (row.day, row.kind) for row in connection.execute(select(CalendarDay.day, CalendarDay.kind).order_by("day"))
    )
    if before is None or any(versions.get(name) != before.versions.get(name) for name in ("wording", "settings")):
        _take_over_wording(connection, settings)
    kept = {}
    if before is not None and versions.get("map") == before.versions.get("map"):
        kept = {name: made for name, made in before._made.items() if name.startswith("map.")}
    snapshot = Reference(
        versions=MappingProxyType(dict(versions)),
        units_by_id=MappingProxyType({unit.id: unit for unit in units}),
        units_by_code=MappingProxyType({unit.code: unit for unit in units}),
        categories_by_id=MappingProxyType({category.id: category for category in categories}),
        categories_by_code=MappingProxyType({c.code: c for c in reversed(categories) if not c.is_retired}),
        facility_types_by_id=MappingProxyType({kind.id: kind for kind in types}),
        facility_types_by_code=MappingProxyType({kind.code: kind for kind in types if not kind.is_retired}),
        compounds_by_id=MappingProxyType({compound.id: compound for compound in compounds}),
        areas_by_code=MappingProxyType({area.code: area for area in areas}),
        rules=tuple(rules),
        settings=MappingProxyType(settings),
        calendar=calendar,
        _made=kept,
    )
    log.info("reference data read", extra={"took_ms": round((time.perf_counter() - started) * 1000)})
    return snapshot


def _take_over_wording(connection: Connection, settings: Mapping[str, Any]) -> None:
    """The district's own sentences, {language: {key: text}}: the folder's, and over them the panel's.

    Whom to turn to with a place that is not ours is said by its own setting, so that every door says the same.
    """
    advice = (settings.get("outside") or {}).get("advice") or {}
    own = {(tag, "errors.outside_district"): words for tag, words in advice.items() if words}
    kept = connection.execute(
        select(DistrictSetting.name, DistrictSetting.value).where(DistrictSetting.name.in_(_WORDING))
    )
    # By their names, so that the panel's comes last and wins.
    for _, wording in sorted((row.name, row.value) for row in kept):
        own |= {(tag, key): words for tag, sentences in wording.items() for key, words in sentences.items()}
    messages.use_wording(own)


def _read_locator(ref: Reference) -> Locator:
    with db.engine.connect() as connection:
        shapes = [
            Shape(row.level, row.code, row.geometry, row.area_code, row.parent_code)
            for row in connection.execute(
                select(Area.level, Area.code, Area.geometry, Area.area_code, Area.parent_code).where(
                    Area.retired_at.is_(None)
                )
            )
        ]
        shapes += [
            Shape(COMPOUND, row.code, row.geometry, row.area_code, row.community_code, row.id)
            for row in connection.execute(
                select(
                    Compound.id, Compound.code, Compound.geometry, Compound.area_code, Compound.community_code
                ).where(Compound.retired_at.is_(None))
            )
        ]
    return Locator(shapes)


def _read_gazetteer(ref: Reference) -> Gazetteer:
    """The rows of the gazetteer, with the lines and outlines that the base map draws of some of them."""
    with db.engine.connect() as connection:
        base = connection.scalar(select(DistrictSetting.value).where(DistrictSetting.name == "map:base"))
        roads, outlines = read_base_map(base) if base else ([], {})
        numbers = HouseNumbers(
            metres=ref.setting("places.house_number_metres", 0),
            odd=tuple(ref.setting("places.odd_house_numbers", HouseNumbers().odd)),
        )
        return Gazetteer(
            (
                NamedPoint(
                    row.name, row.kind, row.latitude, row.longitude, row.area_code, row.community_code,
                    tuple(row.aliases), row.address,
                )
                for row in connection.execute(select(NamedPlace.__table__).order_by(NamedPlace.id))
            ),
            roads=roads,
            outlines=outlines,
            numbers=numbers,
        )  # fmt: skip
