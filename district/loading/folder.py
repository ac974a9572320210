"""Read a whole district's folder: every file checked, every reference followed, nothing written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from district import messages
from district.categories.models import Urgency
from district.facilities.models import FACILITY_STATES
from district.geo.basemap import DRAWING_ORDER
from district.loading import district_file
from district.loading.area_rows import POLYGONS, KnownToAreas, Properties, read_area
from district.loading.category_rows import KnownToCategories, read_category, read_facility_type, read_standard
from district.loading.device_rows import ALARM_COLUMNS, read_alarm_kind, read_device
from district.loading.files import Layer, Row, Sheet, read_layer, read_settings, read_sheet
from district.loading.geometry import fault_of
from district.loading.plan_rows import PLAN_COLUMNS, KnownToPlans, read_plan
from district.loading.problems import Problem, Report, did_you_mean, listed
from district.loading.replies import read_replies
from district.loading.roster import RosterRow, read_roster
from district.loading.rule_rows import KnownToRules, read_rule
from district.loading.unit_rows import KnownToUnits, check_parents, read_unit
from district.people.roles import Role
from district.routing.rules import LOOKERS_ON
from district.understanding import INTENTS, store
from district.understanding.material import Material, Utterance, Written
from district.understanding.weights import UnreadableWeights, Weights

UNITS, STAFF, CATEGORIES, STANDARDS = "units.csv", "staff.csv", "categories.csv", "case_standards.csv"
FACILITY_TYPES, FACILITIES, RULES = "facility_types.csv", "facilities.csv", "routing_rules.csv"
GAZETTEER, CALENDAR, WORDING = "gazetteer.csv", "calendar.csv", "wording.csv"
UTTERANCES, WEIGHTS = "utterances.csv", "understanding.weights"
ROSTER, REPLIES, PLANS = "roster.csv", "reply_templates.csv", "inspection_plans.csv"
DEVICE_ALARMS, DEVICES = "device_alarms.csv", "devices.csv"
GRIDS, COMPOUNDS, BASEMAP = "grids.geojson", "compounds.geojson", "basemap.geojson"

# Columns a file must have; others may be there too, some of them known.
COLUMNS: dict[str, tuple[str, ...]] = {
    UNITS: ("code", "name_zh", "unit_kind", "parent_code", "area_codes", "role"),
    STAFF: ("username", "name", "unit_code", "roles"),
    CATEGORIES: (
        "code", "kind", "major_zh", "name_zh", "name_en", "keywords_zh", "default_unit_kind",
        "deadline_value", "deadline_unit", "urgency",
    ),
    STANDARDS: (
        "standard_id", "category_code", "condition_zh", "limit_value", "limit_unit", "close_condition_zh",
    ),
    FACILITY_TYPES: (
        "code", "major_zh", "name_zh", "name_en", "geometry", "default_unit_kind", "quick_problems_zh",
    ),
    FACILITIES: (
        "code", "code17", "facility_type", "name", "lon", "lat", "grid_code", "area_code", "owner_unit",
        "maintainer_unit", "state",
    ),
    RULES: ("rule_id", "priority", "category_codes", "area_codes", "condition", "unit", "role", "mode"),
    GAZETTEER: ("name", "kind", "aliases", "lon", "lat", "area_code", "community_code"),
    CALENDAR: ("date", "kind", "name"),
    WORDING: ("key", "language", "text"),
    UTTERANCES: ("text", "category", "intent", "urgency"),
    ROSTER: ("unit_code", "kind", "starts_at", "ends_at"),
    REPLIES: ("code", "title", "words_zh", "words_en", "category_codes", "statuses"),
    DEVICE_ALARMS: ALARM_COLUMNS,
    DEVICES: ("device", "unit_code", "facility_code"),
    PLANS: PLAN_COLUMNS,
}  # fmt: skip

# A district may do without them.
OPTIONAL = (WORDING, UTTERANCES, ROSTER, REPLIES, DEVICE_ALARMS, DEVICES, PLANS)

PLACE_KINDS = (
    "road", "crossing", "compound", "gate", "building", "landmark", "bridge", "village", "river", "park",
    "square", "school", "hospital", "market", "station", "shop", "government", "bus_stop", "area", "community",
    "address",
)  # fmt: skip

Record = dict[str, Any]
Records = dict[str, Record]


@dataclass
class Folder:
    """A folder without mistakes (or with `problems`): records by their key, references still as codes."""

    settings: dict[str, Any] = field(default_factory=dict)
    units: Records = field(default_factory=dict)
    staff: Records = field(default_factory=dict)
    categories: Records = field(default_factory=dict)
    standards: Records = field(default_factory=dict)
    facility_types: Records = field(default_factory=dict)
    facilities: Records = field(default_factory=dict)
    rules: Records = field(default_factory=dict)
    areas: Records = field(default_factory=dict)
    compounds: Records = field(default_factory=dict)
    places: Records = field(default_factory=dict)
    calendar: dict[date, Record] = field(default_factory=dict)
    wording: dict[tuple[str, str], str] = field(default_factory=dict)
    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    roster: tuple[RosterRow, ...] = ()
    replies: dict[str, Record] = field(default_factory=dict)
    # By `kind|facility type` and by `unit|device`.
    alarm_kinds: Records = field(default_factory=dict)
    devices: Records = field(default_factory=dict)
    plans: Records = field(default_factory=dict)
    utterances: tuple[Utterance, ...] = ()
    # The file of trained weights as it is; None where there is none or it cannot be read.
    weights: bytes | None = None
    # Whether the words, the utterances and the programme are still those that the weights were trained on.
    is_trained: bool = False
    problems: list[Problem] = field(default_factory=list)

    def material(self) -> Material:
        """What understanding learns from this folder: its words and its utterances."""
        problems: dict[str, list[str]] = {}
        for kind in (self.facility_types[code] for code in sorted(self.facility_types)):
            if kind["default_category_code"]:
                words = problems.setdefault(kind["default_category_code"], [])
                words += [kind["name"], *(kind["name"] + problem for problem in kind["problems"])]
        conditions: dict[str, list[str]] = {}
        for code in sorted(self.standards):
            standard = self.standards[code]
            conditions.setdefault(standard["category_code"], []).append(standard["condition"])
        return Material(
            tuple(
                Written(
                    code,
                    category["name"],
                    category["name_en"],
                    tuple(category["keywords"]),
                    tuple(conditions.get(code, ())),
                    tuple(problems.get(code, ())),
                )
                for code, category in sorted(self.categories.items())
            ),
            store.dangers_in(self.settings.get("emergency", [])),
            self.utterances,
        )


def read_folder(path: str | Path) -> Folder:
    """Read and check every file of the folder. Never raises for what is wrong in it: see `problems`."""
    path = Path(path)
    report = Report()
    if not path.is_dir():
        report.add(str(path), None, None, "missing_folder")
        return Folder(problems=report.problems)
    return _Reader(path, report).read()


class _Reader:
    """Reads the files, first whole, then row by row: by then the codes of every file are known."""

    def __init__(self, path: Path, report: Report) -> None:
        self.report = report
        self.path = path
        self.folder = Folder(problems=report.problems)
        self.settings = read_settings(path, district_file.FILE, report)
        self.bounds = district_file.bounds_of(self.settings)
        self.sheets = {
            name: read_sheet(path, name, columns, report, required=name not in OPTIONAL)
            for name, columns in COLUMNS.items()
        }
        self.layers = {name: read_layer(path, name, report) for name in (GRIDS, COMPOUNDS, BASEMAP)}
        self.unit_codes = self._values(UNITS, "code")
        self.unit_kinds = self._values(UNITS, "unit_kind")
        self.category_codes = self._values(CATEGORIES, "code")
        self.type_codes = self._values(FACILITY_TYPES, "code")
        self.area_codes = self._codes_of_level("area")
        self.community_codes = self._codes_of_level("community")
        self.grid_codes = self._codes_of_level("grid")
        self.known_to_categories = KnownToCategories(self.category_codes, self.type_codes, self.unit_kinds)
        states = {state: state for state in FACILITY_STATES}
        for tag in messages.LANGUAGES:
            with messages.speaking(tag):
                states |= {messages.t(f"status.facility.{state}"): state for state in FACILITY_STATES}
        self.states = states

    def read(self) -> Folder:
        self.read_units()
        self.read_staff()
        self.read_categories()
        self.read_standards()
        self.read_facility_types()
        self.read_areas()
        self.read_compounds()
        self.read_basemap()
        self.read_facilities()
        self.read_devices()
        self.read_rules()
        self.read_places()
        self.read_calendar()
        self.read_wording()
        self.read_utterances()
        self.folder.replies = read_replies(self._sheet(REPLIES), self.category_codes, CATEGORIES)
        self.read_plans()
        self.folder.roster = read_roster(self._sheet(ROSTER), self.unit_codes, UNITS)
        if self.settings is not None:
            phones = {code: row["emergency_phone"] for code, row in self.folder.units.items()}
            district_file.check(
                self.settings,
                self.report,
                emergency_phones=phones if self.unit_codes is not None else None,
                categories=self.category_codes,
                facility_types=self.type_codes,
            )
            self.folder.settings = self.settings.tables
        self.folder.layers = {name: layer.collection for name, layer in self.layers.items() if layer}
        if not self.report.problems:
            self.read_weights()
        return self.folder

    # Each of the following turns one file into records.

    def read_units(self) -> None:
        known = KnownToUnits(self.unit_codes, self.area_codes)
        rows: dict[str, Row] = {}
        for row in self._sheet(UNITS):
            code, record = read_unit(row, known)
            if self._keep(self.folder.units, code, record, row, "code"):
                rows[code] = row
        parents = {code: record["parent_code"] for code, record in self.folder.units.items()}
        for code, row in rows.items():
            check_parents(code, row, parents)

    def read_staff(self) -> None:
        for row in self._sheet(STAFF):
            username = row.code("username", r"[a-z0-9][a-z0-9._-]{0,59}", "sz-ld")
            roles = row.items("roles", required=True)
            for role in roles:
                if role not in tuple(Role):
                    row.wrong("roles", "unknown_value", value=role, allowed=listed(Role))
            password = row.text("demo_password", required=False)
            if password and (len(password) < 10 or len(set(password)) < 5):
                row.wrong("demo_password", "weak_password")
            record = {
                "name": row.text("name"),
                "unit_code": row.reference("unit_code", self.unit_codes, UNITS),
                "roles": roles,
                "phone": row.phone("phone"),
                "demo_password": password,
                "unit_scope": self._scope(row, "unit_scope", self.unit_codes, UNITS),
                "area_scope": self._scope(row, "area_scope", self.area_codes, GRIDS),
            }
            self._keep(self.folder.staff, username, record, row, "username")

    def _scope(self, row: Row, column: str, codes: Collection[str] | None, where: str) -> list[str] | None:
        """What somebody is limited to; [] for nothing, None where the file has no such column: as it was."""
        if not row.has(column):
            return None
        found = row.items(column)
        for code in found:
            row.known(column, code, codes, where)
        return list(dict.fromkeys(found))

    def read_categories(self) -> None:
        for row in self._sheet(CATEGORIES):
            code, record = read_category(row, self.known_to_categories)
            self._keep(self.folder.categories, code, record, row, "code")

    def read_standards(self) -> None:
        for row in self._sheet(STANDARDS):
            code, record = read_standard(row, self.known_to_categories)
            self._keep(self.folder.standards, code, record, row, "standard_id")

    def read_facility_types(self) -> None:
        for row in self._sheet(FACILITY_TYPES):
            code, record = read_facility_type(row, self.known_to_categories)
            self._keep(self.folder.facility_types, code, record, row, "code")

    def read_facilities(self) -> None:
        printed: dict[str, int] = {}
        for row in self._sheet(FACILITIES):
            code = row.code("code", r"\d{16}", "2327610101000001")
            code17 = row.code("code17", r"\d{17}", "23276101001000001")
            if printed.setdefault(code17, row.line) != row.line:
                row.wrong("code17", "duplicate_of", value=code17, line=printed[code17])
            longitude, latitude = row.point("lon", "lat", self.bounds)
            state = row.text("state")
            if state and state not in self.states:
                row.wrong("state", "unknown_value", value=state, allowed=listed(self.states))
            record = {
                "code17": code17,
                "type_code": row.reference("facility_type", self.type_codes, FACILITY_TYPES),
                "name": row.text("name"),
                "address": row.text("address", longest=500, required=False),
                "longitude": longitude,
                "latitude": latitude,
                "grid_code": row.reference("grid_code", self.grid_codes, GRIDS, required=False) or "",
                "area_code": row.reference("area_code", self.area_codes, GRIDS) or "",
                "owner_code": row.reference("owner_unit", self.unit_codes, UNITS, required=False),
                "maintainer_code": row.reference("maintainer_unit", self.unit_codes, UNITS, required=False),
                "state": self.states.get(state, state),
                "is_smart": row.yes_no("is_smart"),
                "installed_on": row.day("init_date", required=False),
                "source": row.text("source", longest=40, required=False),
            }
            self._keep(self.folder.facilities, code, record, row, "code")

    def read_devices(self) -> None:
        where = {"types": FACILITY_TYPES, "categories": CATEGORIES, "units": UNITS, "facilities": FACILITIES}
        for row in self._sheet(DEVICE_ALARMS):
            key, record = read_alarm_kind(row, self.type_codes, self.category_codes, where)
            self._keep(self.folder.alarm_kinds, key, record, row, "kind")
        sheet = self.sheets[FACILITIES]
        known = (sheet.values("code") or frozenset()) | (sheet.values("code17") or frozenset()) if sheet else None
        for row in self._sheet(DEVICES):
            key, record = read_device(row, self.unit_codes, known, where)
            self._keep(self.folder.devices, key, record, row, "device")

    def read_rules(self) -> None:
        known = KnownToRules(
            unit_codes=self.unit_codes,
            looking_on=frozenset(code for code, unit in self.folder.units.items() if unit["role"] in LOOKERS_ON),
            categories=self.category_codes,
            majors=frozenset(record["major"] for record in self.folder.categories.values()),
            facility_types=self.type_codes,
            areas=self.area_codes,
        )
        for row in self._sheet(RULES):
            code, record = read_rule(row, known)
            self._keep(self.folder.rules, code, record, row, "rule_id")

    def read_areas(self) -> None:
        known = KnownToAreas(self.folder_code(), self.area_codes, self.community_codes, self.bounds)
        for line, properties, geometry in self._features(GRIDS):
            given = Properties(GRIDS, line, properties, self.report)
            code, record = read_area(given, geometry, known)
            self._keep_feature(self.folder.areas, code, record, given)

    def read_compounds(self) -> None:
        for line, properties, geometry in self._features(COMPOUNDS):
            given = Properties(COMPOUNDS, line, properties, self.report)
            code = given.text("code", longest=40)
            unit = given.text("property_unit", required=False) or None
            if unit is not None:
                given.known("property_unit", unit, self.unit_codes, UNITS)
            kept = {"code", "name", "property_unit", "area_code", "community_code"}
            record = {
                "name": given.text("name"),
                "unit_code": unit,
                "area_code": given.text("area_code"),
                "community_code": given.text("community_code", required=False),
                "geometry": geometry,
                "attributes": {name: value for name, value in properties.items() if name not in kept},
            }
            given.known("area_code", record["area_code"], self.area_codes, GRIDS)
            if record["community_code"]:
                given.known("community_code", record["community_code"], self.community_codes, GRIDS)
            self._check_geometry(COMPOUNDS, line, geometry, POLYGONS)
            self._keep_feature(self.folder.compounds, code, record, given)

    def read_basemap(self) -> None:
        kinds = (*DRAWING_ORDER, "building")
        for line, properties, geometry in self._features(BASEMAP):
            Properties(BASEMAP, line, properties, self.report).one_of("kind", kinds)
            self._check_geometry(BASEMAP, line, geometry, ("Point", "LineString", *POLYGONS), whole=False)

    def read_plans(self) -> None:
        known = KnownToPlans(self.type_codes, self.area_codes, self.unit_codes)
        for row in self._sheet(PLANS):
            code, record = read_plan(row, known)
            self._keep(self.folder.plans, code, record, row, "code")

    def read_places(self) -> None:
        for row in self._sheet(GAZETTEER):
            longitude, latitude = row.point("lon", "lat", self.bounds)
            community = row.reference("community_code", self.community_codes, GRIDS, required=False)
            record = {
                "name": row.text("name"),
                "kind": row.one_of("kind", PLACE_KINDS),
                "aliases": row.items("aliases"),
                "longitude": longitude,
                "latitude": latitude,
                "area_code": row.reference("area_code", self.area_codes, GRIDS, required=False) or "",
                "community_code": community or "",
                "address": row.text("address", longest=500, required=False),
            }
            key = "|".join(str(record[name]) for name in ("name", "kind", "longitude", "latitude"))
            self._keep(self.folder.places, key, record, row, "name")

    def read_calendar(self) -> None:
        worked = district_file.working_days_of(self.settings)
        for row in self._sheet(CALENDAR):
            day, kind = row.day("date"), row.one_of("kind", ("holiday", "workday"))
            record = {"kind": kind, "name": row.text("name")}
            if day is None:
                continue
            if kind == "workday" and day.isoweekday() in worked:
                row.wrong("kind", "worked_anyway", day=day.isoformat())
            if day in self.folder.calendar:
                row.wrong("date", "duplicate", value=day.isoformat())
            self.folder.calendar[day] = record

    def read_wording(self) -> None:
        for row in self._sheet(WORDING):
            key, tag = row.text("key"), row.one_of("language", messages.LANGUAGES)
            text = row.text("text", longest=4000)
            if key and not messages.has(key):
                hint = did_you_mean(key, messages.catalogue(messages.CHINESE))
                row.wrong("key", "unknown_message", value=key, hint=hint)
            elif key and text and tag in messages.LANGUAGES:
                self._check_placeholders(row, text, messages.catalogue(tag).get(key, ""))
            if (tag, key) in self.folder.wording:
                row.wrong("key", "duplicate", value=key)
            self.folder.wording[tag, key] = text

    def read_utterances(self) -> None:
        found: dict[str, Utterance] = {}
        for row in self._sheet(UTTERANCES):
            category = row.reference("category", self.category_codes, CATEGORIES, required=False) or ""
            utterance = Utterance(
                row.text("text", longest=1000),
                category,
                row.one_of("intent", INTENTS),
                row.one_of("urgency", tuple(Urgency)),
                row.text("writer", longest=40, required=False),
            )
            if utterance.text in found:
                row.wrong("text", "duplicate", value=utterance.text)
            found[utterance.text] = utterance
        self.folder.utterances = tuple(found.values())

    def read_weights(self) -> None:
        """The trained weights, if there are any. Weights of another day's words are still better than none."""
        try:
            packed = (self.path / WEIGHTS).read_bytes()
            made_of = Weights.unpack(packed).made_of
        except (OSError, UnreadableWeights):
            return
        self.folder.weights = packed
        self.folder.is_trained = made_of == self.folder.material().digest()

    # What several files have in common.

    def folder_code(self) -> str:
        """The division code of the district, "" when district.toml does not say."""
        table = self.settings.tables.get("district") if self.settings else None
        return str(table.get("code", "")) if isinstance(table, dict) else ""

    def _sheet(self, name: str) -> Iterable[Row]:
        return self.sheets[name] or Sheet(name, [], ())

    def _values(self, name: str, column: str) -> frozenset[str] | None:
        sheet = self.sheets[name]
        return sheet.values(column) if sheet else None

    def _features(self, name: str) -> Iterable[tuple[int, dict[str, Any], Any]]:
        layer: Layer | None = self.layers[name]
        return [(f.line, f.properties, f.geometry) for f in layer.features] if layer else []

    def _codes_of_level(self, level: str) -> frozenset[str] | None:
        layer = self.layers[GRIDS]
        if layer is None:
            return None
        of_level = (feature.properties for feature in layer.features if feature.properties.get("level") == level)
        return frozenset(str(properties.get("code")) for properties in of_level)

    def _check_geometry(
        self, file: str, line: int, geometry: Any, kinds: tuple[str, ...], *, whole: bool = True
    ) -> None:
        """whole: rings must not cross themselves. What is only drawn may."""
        fault = fault_of(geometry, kinds, self.bounds, whole=whole)
        if fault is not None:
            self.report.add(file, line, "geometry", fault[0], **fault[1])

    def _check_placeholders(self, row: Row, text: str, original: str) -> None:
        try:
            given, wanted = messages.placeholders(text), messages.placeholders(original)
        except ValueError:
            row.wrong("text", "bad_placeholder")
            return
        for name in sorted(wanted - given):
            row.wrong("text", "missing_placeholder", name="{" + name + "}")
        for name in sorted(given - wanted):
            row.wrong("text", "unknown_placeholder", name="{" + name + "}")

    def _keep(self, records: Records, key: str, record: Record, row: Row, column: str) -> bool:
        """Keep the record under its key; False when the key is empty or taken."""
        if not key:
            return False
        if key in records:
            row.wrong(column, "duplicate", value=key.split("|")[0])
            return False
        records[key] = record
        return True

    def _keep_feature(self, records: Records, key: str, record: Record, given: Properties) -> None:
        if key in records:
            given.wrong("code", "duplicate", value=key)
        elif key:
            records[key] = record
