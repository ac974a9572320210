"""The two verbs: check a district's folder, and load it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from flask import current_app
from sqlalchemy import Table, delete, insert, select, text, update

from district import clock, settings
from district.care.models import InspectionPlan
from district.categories.models import CaseStandard, Category
from district.deadlines.models import CalendarDay
from district.devices.models import Device, DeviceAlarmKind
from district.duty import service as duty
from district.extensions import db
from district.facilities.codes import issue_where_missing
from district.facilities.models import Facility, FacilityType
from district.geo import basemap
from district.geo.models import Area, Compound, NamedPlace
from district.learning import versions as model_versions
from district.loading.folder import BASEMAP, COMPOUNDS, GRIDS, Folder, Record, Records, read_folder
from district.loading.problems import FolderRefused, Problem
from district.loading.roster import by_kind
from district.loading.sync import Counts, Outcome, bring_in_line, ids_by, key_of
from district.people.models import Staff, StaffRole
from district.people.service import hash_password
from district.register import words as facility_words
from district.replies.models import ReplyTemplate
from district.routing.models import RoutingRule
from district.rules import versions as rules_versions
from district.settings import DistrictSetting
from district.understanding import store
from district.units.models import Unit

log = logging.getLogger(__name__)

# Which reference data each process must read again when rows of a kind changed (see district.settings).
VERSIONS: dict[str, tuple[str, ...]] = {
    "settings": ("settings",),
    "calendar": ("settings",),
    "units": ("rules", "units"),
    "staff": (),
    "roster": ("units",),
    "reply_templates": (),
    "inspection_plans": (),
    "categories": ("categories", "rules"),
    "standards": ("categories",),
    "facility_types": ("categories", "rules"),
    "facilities": ("facilities",),
    "alarm_kinds": (),
    "devices": (),
    "rules": ("rules",),
    "areas": ("map", "rules"),
    "compounds": ("map", "rules"),
    "places": ("map",),
    "map": ("map",),
    "wording": ("wording",),
    "utterances": (),
    "weights": ("settings",),
}
# What the folder brought last time, by kind: {kind: [key, ...]}.
LOADED = "loaded"
WORDING = "wording"
# The finished files of our own map, ready to be served, and what they were made from.
MAP_FILES = ("map:base", "map:buildings", "map:areas")
MAP_SOURCE = "map:source"


@dataclass
class LoadResult:
    """What loading a folder did, kind by kind."""

    # {kind: {"created": n, "updated": n, "unchanged": n, "retired": n}}
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    tokens_issued: int = 0
    passwords_set: int = 0

    @property
    def changed(self) -> bool:
        return bool(
            self.tokens_issued
            or self.passwords_set
            or any(any(what != "unchanged" and n for what, n in kind.items()) for kind in self.counts.values())
        )

    def as_json(self) -> dict[str, Any]:
        return dict(self.counts) | {"tokens_issued": self.tokens_issued, "passwords_set": self.passwords_set}


def check_folder(folder: str | Path) -> list[Problem]:
    """Every mistake in the folder; an empty list when it can be loaded. Needs no database."""
    return read_folder(folder).problems


def load_folder(folder: str | Path | Folder, *, demo_passwords: bool | None = None) -> LoadResult:
    """Make the database say what the folder says; call inside a unit of work.

    Loading again updates: rows that are new are added, rows that differ are changed, rows that the folder
    brought before and no longer has are retired. What was added elsewhere (staff, imported facilities) is
    left alone.
    folder: a path, or what `read_folder` made of it (to keep the transaction short).
    demo_passwords: give staff without a password the folder's demo password; left out, in development only.
    Raises FolderRefused, having changed nothing, when the folder has mistakes.
    """
    content = folder if isinstance(folder, Folder) else read_folder(folder)
    if content.problems:
        raise FolderRefused(content.problems)
    if demo_passwords is None:
        demo_passwords = not current_app.config["BIHUAN"].is_production
    result = _Loader(content, demo_passwords=demo_passwords).load()
    if result.changed:
        log.info("district loaded", extra={"counts": result.counts})
    return result


class _Loader:
    def __init__(self, folder: Folder, *, demo_passwords: bool) -> None:
        self.folder = folder
        self.demo_passwords = demo_passwords
        self.result = LoadResult()
        self.counts: dict[str, Counts] = {}
        self.now: datetime = clock.now()
        self.before: dict[str, list[str]] = {}
        self.loaded: dict[str, list[str]] = {}

    def load(self) -> LoadResult:
        db.session.flush()
        if db.session.get_bind().dialect.name == "postgresql":
            # Two loads at once would insert the same rows. On SQLite the unit of work already is alone.
            db.session.execute(text("select pg_advisory_xact_lock(hashtext('bihuan district load'))"))
        # In the order of the panel: first the version, then the rules, so that neither waits for the other for ever.
        rules_versions.hold()
        self.before = settings.get(LOADED, {})
        self.load_units()
        self.load_areas()
        self.load_facility_types()
        self.load_categories()
        self.load_compounds()
        self.load_facilities()
        self.load_devices()
        self.load_rules()
        self.load_staff()
        self.load_roster()
        self._bring(ReplyTemplate, "reply_templates", self.folder.replies, key=("code",), ended="ended_at")
        plans = _with_code(self.folder.plans, unit_code=("unit_id", self.unit_ids))
        new = {"created_at": self.now, "version": 1}
        self._bring(InspectionPlan, "inspection_plans", plans, key=("code",), ended="ended_at", on_insert=new)
        self.load_calendar()
        self.load_settings()
        self.load_wording()
        self.load_map()
        self.load_understanding()
        settings.put(LOADED, self.before | self.loaded)
        stale = {name for kind, counts in self.counts.items() if counts.changed for name in VERSIONS[kind]}
        settings.changed(*sorted(stale))
        if self.counts["rules"].changed:
            rules_versions.keep("folder")
        db.session.flush()
        # What was read before was changed behind the session's back.
        db.session.expire_all()
        self.result.counts = {kind: counts.as_json() for kind, counts in self.counts.items()}
        return self.result

    # One kind after the other, those first that others refer to.

    def load_units(self) -> None:
        table = _table(Unit)
        kept = {"area_codes", "duty_hours", "emergency_phone", "kind", "name", "note", "phone", "role"}
        # A parent may stand below its child in the file: every unit must exist before one is named as parent.
        first = {
            code: {name: value for name, value in record.items() if name in kept} | {"code": code}
            for code, record in self.folder.units.items()
        }
        known = set(ids_by(table, "code"))
        missing = [record for code, record in first.items() if code not in known]
        if missing:
            db.session.execute(insert(table), missing)
        ids = ids_by(table, "code")
        whole = {
            code: first[code] | {"parent_id": ids[record["parent_code"]] if record["parent_code"] else None}
            for code, record in self.folder.units.items()
        }
        outcome = self._bring(Unit, "units", whole, key=("code",), ended="closed_at")
        outcome.counts.created = len(missing)
        outcome.counts.updated = len(outcome.updated & known)
        outcome.counts.unchanged = len(whole) - outcome.counts.created - outcome.counts.updated
        self.unit_ids = ids

    def load_areas(self) -> None:
        self._bring(Area, "areas", _with_code(self.folder.areas), key=("code",))
        places = self.folder.places
        self._bring(NamedPlace, "places", places, key=("name", "kind", "longitude", "latitude"), ended=None)

    def load_facility_types(self) -> None:
        self._bring(FacilityType, "facility_types", _with_code(self.folder.facility_types), key=("code",))

    def load_categories(self) -> None:
        key = ("scheme", "kind", "code")
        wanted = {key_of(record, key): record for record in _with_code(self.folder.categories).values()}
        self._bring(Category, "categories", wanted, key=key)
        rows = db.session.execute(select(Category.scheme, Category.kind, Category.code, Category.id)).mappings()
        ids = {key_of(row, key): row["id"] for row in rows}
        by_code = {record["code"]: ids[name] for name, record in wanted.items()}
        standards = _with_code(self.folder.standards, category_code=("category_id", by_code))
        self._bring(CaseStandard, "standards", standards, key=("code",))

    def load_compounds(self) -> None:
        wanted = _with_code(self.folder.compounds, unit_code=("property_unit_id", self.unit_ids))
        self._bring(Compound, "compounds", wanted, key=("code",))

    def load_facilities(self) -> None:
        wanted = _with_code(
            self.folder.facilities,
            type_code=("type_id", ids_by(_table(FacilityType), "code")),
            owner_code=("owner_unit_id", self.unit_ids),
            maintainer_code=("maintainer_unit_id", self.unit_ids),
        )
        outcome = self._bring(Facility, "facilities", wanted, key=("code",))
        facility_words.forget(sorted(outcome.updated))
        while facility_words.fill():
            pass
        in_use = db.session.scalars(select(Facility.id).where(Facility.retired_at.is_(None)).order_by(Facility.id))
        self.result.tokens_issued = issue_where_missing(in_use)

    def load_devices(self) -> None:
        kinds = self.folder.alarm_kinds
        self._bring(DeviceAlarmKind, "alarm_kinds", kinds, key=("code", "facility_type_code"))
        facilities = ids_by(_table(Facility), "code17") | ids_by(_table(Facility), "code")
        wanted: Records = {}
        for record in self.folder.devices.values():
            unit_id = self.unit_ids[record["unit_code"]]
            wanted[f"{unit_id}|{record['code']}"] = {
                "unit_id": unit_id,
                "code": record["code"],
                "facility_id": facilities[record["facility_code"]],
                "cabinet": record["cabinet"],
                "model": record["model"],
            }
        self._bring(Device, "devices", wanted, key=("unit_id", "code"), on_insert={"created_at": self.now})

    def load_rules(self) -> None:
        self._bring(RoutingRule, "rules", _with_code(self.folder.rules), key=("code",))

    def load_staff(self) -> None:
        table = _table(Staff)
        limits = {
            row.username: (row.unit_scope, row.area_scope)
            for row in db.session.execute(select(table.c.username, table.c.unit_scope, table.c.area_scope))
        }

        def limited_to(username: str, record: Mapping[str, Any]) -> dict[str, list[Any]]:
            """As the folder says, else as it was set in the panel."""
            units, areas = limits.get(username, ([], []))
            if record["unit_scope"] is not None:
                units = sorted(self.unit_ids[code] for code in record["unit_scope"])
            return {"unit_scope": units, "area_scope": areas if record["area_scope"] is None else record["area_scope"]}

        wanted = {
            username: {
                **limited_to(username, record),
                "username": username,
                "name": record["name"],
                "unit_id": self.unit_ids[record["unit_code"]],
                "phone": record["phone"],
            }
            for username, record in self.folder.staff.items()
        }
        new = {"session_epoch": 0, "created_at": self.now,
               "failed_logins": 0, "totp_sealed": "", "totp_step": 0}  # fmt: skip
        outcome = self._bring(Staff, "staff", wanted, key=("username",), ended="left_at", on_insert=new)
        if outcome.ended:
            # Whoever no longer works here is logged out at once.
            db.session.execute(
                update(table).where(table.c.username.in_(outcome.ended)).values(session_epoch=table.c.session_epoch + 1)
            )
        ids = ids_by(table, "username")
        changed = self._give_roles({ids[name]: record["roles"] for name, record in self.folder.staff.items()})
        names = {ids[name]: name for name in wanted}
        extra = {names[staff_id] for staff_id in changed} - outcome.created - outcome.updated
        outcome.counts.updated += len(extra)
        outcome.counts.unchanged -= len(extra)
        if self.demo_passwords:
            self._give_demo_passwords(ids)

    def load_roster(self) -> None:
        zone = self.folder.settings["district"]["timezone"]
        wanted = by_kind(self.folder.roster, self.unit_ids, zone)
        created, unchanged, gone = duty.bring(*wanted)
        self.counts["roster"] = Counts(created=created, unchanged=unchanged, retired=gone)

    def load_calendar(self) -> None:
        wanted = {str(day): record | {"day": day} for day, record in self.folder.calendar.items()}
        # A year that the file no longer covers has been, and its deadlines with it: it is kept.
        years = {day.year for day in self.folder.calendar}
        may_go = {name for name in self.before.get("calendar", []) if int(name[:4]) in years}
        outcome = self._bring(CalendarDay, "calendar", wanted, key=("day",), ended=None, may_go=may_go)
        kept = set(self.before.get("calendar", [])) - outcome.ended
        self.loaded["calendar"] = sorted(kept | set(wanted))

    def load_settings(self) -> None:
        self._put_settings("settings", dict(self.folder.settings))

    def load_wording(self) -> None:
        """Kept as {language: {key: text}} in one setting, for every process to read at once."""
        wanted: dict[str, dict[str, str]] = defaultdict(dict)
        for (tag, key), words in self.folder.wording.items():
            wanted[tag][key] = words
        old = {(tag, key): words for tag, texts in settings.get(WORDING, {}).items() for key, words in texts.items()}
        self.counts["wording"] = Counts(
            created=len(self.folder.wording.keys() - old.keys()),
            updated=sum(old.get(name, words) != words for name, words in self.folder.wording.items()),
            unchanged=sum(old.get(name) == words for name, words in self.folder.wording.items()),
            retired=len(old.keys() - self.folder.wording.keys()),
        )
        settings.put(WORDING, dict(wanted))

    def load_map(self) -> None:
        """Draw up the map's files here, once, rather than in every process that serves them."""
        ground, grids, compounds = (self.folder.layers[name] for name in (BASEMAP, GRIDS, COMPOUNDS))
        source = json.dumps([basemap.FORMAT, ground, grids, compounds], sort_keys=True).encode()
        digest = hashlib.sha256(source).hexdigest()
        if settings.get(MAP_SOURCE) == digest:
            self.counts["map"] = Counts(unchanged=len(MAP_FILES))
            return
        base, buildings, areas = MAP_FILES
        self._put_settings(
            "map",
            {
                base: basemap.base_map(ground, grids, compounds),
                buildings: basemap.buildings(ground),
                areas: basemap.area_shapes(grids),
            },
        )
        settings.put(MAP_SOURCE, digest)

    def load_understanding(self) -> None:
        """The utterances, for later trainings, and the weights when the folder brings others than last time.

        Weights that were trained here since then are kept as long as the folder has nothing new.
        """
        old = {row[0]: row for row in settings.get(store.UTTERANCES) or []}
        new = {row[0]: row for row in map(store.as_row, self.folder.utterances)}
        same = sum(old.get(text) == row for text, row in new.items())
        self.counts["utterances"] = Counts(
            created=len(new.keys() - old.keys()),
            updated=len(new.keys() & old.keys()) - same,
            unchanged=same,
            retired=len(old.keys() - new.keys()),
        )
        store.keep_utterances(self.folder.utterances)
        packed, before = self.folder.weights, self.before.get("weights", [])
        brought = [store.digest_of(packed)] if packed else []
        self.counts["weights"] = Counts(unchanged=len(brought))
        if brought != before:
            self.counts["weights"] = Counts(created=len(brought), retired=len(before))
            model_versions.adopt()
            if packed:
                store.keep(packed)
            else:
                store.drop()
            db.session.flush()
            model_versions.adopt()
        self.loaded["weights"] = brought

    # The tools.

    def _bring(
        self,
        model: type[Any],
        kind: str,
        wanted: Records,
        *,
        key: tuple[str, ...],
        ended: str | None = "retired_at",
        **more: Any,
    ) -> Outcome:
        before = self.before.get(kind, [])
        outcome = bring_in_line(_table(model), wanted, key=key, ended=ended, loaded_before=before, now=self.now, **more)
        self.counts[kind] = outcome.counts
        self.loaded[kind] = sorted(wanted)
        return outcome

    def _put_settings(self, kind: str, wanted: dict[str, Any]) -> None:
        counts = Counts()
        for name, value in wanted.items():
            old = db.session.get(DistrictSetting, name)
            if old is None:
                counts.created += 1
            elif old.value != value:
                counts.updated += 1
            else:
                counts.unchanged += 1
            settings.put(name, value)
        for name in set(self.before.get(kind, [])) - set(wanted):
            db.session.execute(delete(DistrictSetting).where(DistrictSetting.name == name))
            counts.retired += 1
        self.counts[kind] = counts
        self.loaded[kind] = sorted(wanted)

    def _give_roles(self, wanted: dict[int, list[str]]) -> set[int]:
        """Give these people just these roles; whose roles changed."""
        table = _table(StaffRole)
        had: dict[int, set[str]] = defaultdict(set)
        for staff_id, role in db.session.execute(select(table.c.staff_id, table.c.role)):
            had[staff_id].add(role)
        changed = [staff_id for staff_id, roles in wanted.items() if had[staff_id] != set(roles)]
        if changed:
            db.session.execute(delete(table).where(table.c.staff_id.in_(changed)))
            db.session.execute(
                insert(table), [{"staff_id": of, "role": role} for of in changed for role in dict.fromkeys(wanted[of])]
            )
        return set(changed)

    def _give_demo_passwords(self, ids: dict[str, int]) -> None:
        """One hash a password, not a person: a hundred argon2 hashes would take longer than all the rest."""
        table = _table(Staff)
        without = set(
            db.session.scalars(select(Staff.id).where(Staff.password_hash.is_(None), Staff.left_at.is_(None)))
        )
        people: dict[str, list[int]] = defaultdict(list)
        for username, record in self.folder.staff.items():
            if username == "admin" and current_app.config["BIHUAN"].admin_password:
                continue  # ADMIN_PASSWORD is for this account, and is set after the first load
            if record["demo_password"] and ids[username] in without:
                people[record["demo_password"]].append(ids[username])
        for password, staff_ids in people.items():
            db.session.execute(
                update(table).where(table.c.id.in_(staff_ids)).values(password_hash=hash_password(password))
            )
            self.result.passwords_set += len(staff_ids)


def _table(model: type[Any]) -> Table:
    return cast(Table, model.__table__)


def _with_code(records: Records, **references: tuple[str, dict[str, int]]) -> Records:
    """Rows as their table wants them: the key as `code`, and each named reference as an id."""
    rows: Records = {}
    for code, record in records.items():
        row: Record = {"code": code}
        for name, value in record.items():
            if name in references:
                column, ids = references[name]
                row[column] = ids[value] if value is not None else None
            else:
                row[name] = value
        rows[code] = row
    return rows
