"""Makes things for tests: a small district, people, reports in any status through the real verbs."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, cast

import psycopg
from sqlalchemy import PoolProxiedConnection, select
from sqlalchemy.orm import make_transient_to_detached

from district import clock, settings
from district.categories.models import Category
from district.errands.models import Errand
from district.extensions import db
from district.facilities.models import Facility, FacilityToken, FacilityType
from district.geo.models import Area
from district.people import service as people
from district.people.models import Resident, Staff, StaffRole
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import Report, Source
from district.reports.states import Status
from district.routing.models import RoutingRule
from district.units.models import Unit
from district.work import unit_of_work

_count = itertools.count(1)
PASSWORD = "correct-horse-9"
# A square of about 2 km around the middle of the small district.
MIDDLE = (50.4260, 124.1262)


@cache
def hashed(password: str) -> str:
    """Hashing is slow on purpose: one hash of each password is enough for all who have it."""
    return people.hash_password(password)


def forget_reference() -> None:
    """Reference data was changed behind the snapshot's back."""
    from district.reference import forget

    forget()


def _new_unit(code: str = "", **given: Any) -> Unit:
    code = code or f"U{next(_count)}"
    values: dict[str, Any] = {
        "name": f"单位{code}",
        "kind": "municipal",
        "role": "handler",
        "area_codes": ["*"],
    } | given
    unit = Unit(code=code, **values)
    db.session.add(unit)
    return unit


def make_unit(code: str = "", **given: Any) -> Unit:
    unit = _new_unit(code, **given)
    db.session.flush()
    settings.changed("units")
    return unit


def make_staff(username: str, unit: Unit, *roles: Role, password: str | None = None) -> Staff:
    staff = _new_staff(username, unit, *roles, password=password)
    db.session.flush()
    return staff


def errand_done(staff: Staff, kind: str = "export_reports", given: str = "") -> Errand:
    """A finished piece of lengthy work with a small file. given: what was uploaded, as text."""
    from district.errands import service as errands

    errand = Errand(
        kind=kind, staff_id=staff.id, language="zh-Hans", parameters={}, state="done", asked_at=clock.now(),
        ended_at=clock.now(), done=1, total=1, outcome={}, problem={}, file_name="list.csv", file_type="text/csv",
        file_bytes=5,
    )  # fmt: skip
    db.session.add(errand)
    db.session.flush()
    folder = errands.folder_of(errand.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / errands.RESULT).write_bytes(b"a,b\r\n")
    if given:
        errand.given = "given.csv"
        (folder / errands.GIVEN).write_text(given, encoding="utf-8")
    return errand


def _new_staff(username: str, unit: Unit, *roles: Role, password: str | None = None) -> Staff:
    staff = Staff(username=username, name=f"员工{username}", unit_id=unit.id, created_at=clock.now())
    staff.role_rows = [StaffRole(role=role) for role in roles]
    if password:
        staff.password_hash = hashed(password)
    db.session.add(staff)
    return staff


def _new_category(code: str = "01037", **given: Any) -> Category:
    values: dict[str, Any] = {
        "scheme": "test", "kind": "component", "major": "市政公用设施类", "name": "路灯异常",
        "name_en": "street light", "keywords": ["路灯", "灯不亮"], "default_unit_kind": "municipal",
        "limit_value": 2, "limit_unit": "working_days", "urgency": "normal",
    } | given  # fmt: skip
    category = Category(code=code, **values)
    db.session.add(category)
    return category


def make_category(code: str = "01037", **given: Any) -> Category:
    category = _new_category(code, **given)
    db.session.flush()
    settings.changed("categories")
    return category


def set_limit(district: SmallDistrict, value: int, unit: str) -> None:
    """The general limit of the district's one category."""
    with unit_of_work():
        category = db.session.get_one(Category, district.category.id)
        category.limit_value, category.limit_unit = value, unit
        settings.changed("categories")
    forget_reference()


def _new_area(code: str = "990000001", *, half_side: float = 0.02, **given: Any) -> Area:
    latitude, longitude = given.pop("middle", MIDDLE)
    ring = [
        [longitude - half_side, latitude - half_side], [longitude + half_side, latitude - half_side],
        [longitude + half_side, latitude + half_side], [longitude - half_side, latitude + half_side],
        [longitude - half_side, latitude - half_side],
    ]  # fmt: skip
    values: dict[str, Any] = {
        "level": "area",
        "name": "中心街道",
        "parent_code": "990000",
        "area_code": code,
    } | given
    area = Area(code=code, geometry={"type": "Polygon", "coordinates": [ring]}, **values)
    db.session.add(area)
    return area


def make_area(code: str = "990000001", *, half_side: float = 0.02, **given: Any) -> Area:
    area = _new_area(code, half_side=half_side, **given)
    db.session.flush()
    settings.changed("map")
    return area


def _new_rule(code: str, unit: str, **given: Any) -> RoutingRule:
    values: dict[str, Any] = {
        "priority": 500, "category_codes": ["*"], "facility_types": ["*"], "area_codes": ["*"], "condition": "",
        "role": "primary", "mode": "auto",
    } | given  # fmt: skip
    rule = RoutingRule(code=code, units=[unit], **values)
    db.session.add(rule)
    return rule


def make_rule(code: str, unit: str, **given: Any) -> RoutingRule:
    rule = _new_rule(code, unit, **given)
    db.session.flush()
    settings.changed("rules")
    return rule


def make_facility(unit: Unit | None = None, *, category_code: str = "01037", **given: Any) -> Facility:
    number = next(_count)
    kind = db.session.scalar(select(FacilityType).where(FacilityType.code == "01037"))
    if kind is None:
        kind = FacilityType(
            code="01037", major="市政公用设施", name="路灯", name_en="street light", geometry="point",
            default_unit_kind="municipal", problems=["不亮", "倾斜"], default_category_code=category_code,
        )  # fmt: skip
        db.session.add(kind)
        db.session.flush()
    values: dict[str, Any] = {
        "name": f"路灯{number}", "address": "人民路北侧", "latitude": MIDDLE[0], "longitude": MIDDLE[1],
        "grid_code": "", "area_code": "990000001", "state": "intact",
        "maintainer_unit_id": unit.id if unit else None, "owner_unit_id": unit.id if unit else None,
    } | given  # fmt: skip
    facility = Facility(code=f"23276101037{number:05d}", code17=f"232761010370{number:05d}", type_id=kind.id, **values)
    db.session.add(facility)
    db.session.flush()
    # Ten letters, however many tests came before.
    db.session.add(FacilityToken(token=f"TESTTOK{number % 1000:03d}", facility_id=facility.id, issued_at=clock.now()))
    db.session.flush()
    settings.changed("facilities")
    return facility


def _new_resident(openid: str = "", **given: Any) -> Resident:
    now = clock.now()
    resident = Resident(
        openid=openid or f"oTest{next(_count):023d}",
        language="zh-Hans",
        first_seen_at=now,
        last_seen_at=now,
        **({"is_follower": True} | given),
    )
    db.session.add(resident)
    return resident


def make_resident(openid: str = "", **given: Any) -> Resident:
    resident = _new_resident(openid, **given)
    db.session.flush()
    return resident


def give_window(resident: Resident) -> None:
    people.grant_sending(resident)


def _as_committed(row: Any) -> Any:
    """A row of the database as a commit leaves it: in the session, and read when first looked at."""
    make_transient_to_detached(row)
    db.session.add(row)
    return row


def _driver(opened: PoolProxiedConnection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", opened.driver_connection)


class SmallDistrict:
    """A district with one area, a command centre, two units, staff of every role, a category and rules."""

    PLACES: ClassVar[dict[str, Any]] = {
        "command": Unit, "lamps": Unit, "street": Unit, "category": Category, "resident": Resident,
    }  # fmt: skip
    # What the making of a database that tests copy left behind: each row's id, by its name in the district.
    kept: ClassVar[dict[str, int]] = {}
    kept_staff: ClassVar[dict[str, int]] = {}
    # The same for each database on a server, with the lines of each table.
    laid_aside: ClassVar[dict[str, tuple[dict[str, bytes], dict[str, int], dict[str, int]]]] = {}

    def __init__(self) -> None:
        is_server = db.engine.dialect.name == "postgresql"
        if not (self._put_back() if is_server else self._take_over()):
            self._make()
            if is_server:
                self._lay_aside()
        forget_reference()

    def keep(self, path: Path) -> None:
        """Write down what copies of the present database hold, so that this district need not be made there again."""
        rows = {name: getattr(self, name).id for name in self.PLACES}
        staff = {name: person.id for name, person in self.staff.items()}
        path.write_text(json.dumps([rows, staff]), encoding="utf-8")

    @classmethod
    def remember(cls, path: Path) -> None:
        """Read what `keep` wrote, in this process or in another."""
        cls.kept, cls.kept_staff = json.loads(path.read_text(encoding="utf-8"))

    def _take_over(self) -> bool:
        """Take the rows that are in the file already, as if they had been made just now; False where none are."""
        # As SQLite keeps it, and past the session: hundreds of tests begin here.
        now = clock.now().strftime("%Y-%m-%d %H:%M:%S.%f")
        with closing(db.engine.raw_connection()) as opened:
            driver = cast(sqlite3.Connection, opened.driver_connection)
            if driver.execute("select 1 from unit where code = 'CMD'").fetchone() is None:
                return False
            driver.execute("begin immediate")
            driver.execute("update resident set first_seen_at = ?, last_seen_at = ?", (now, now))
            driver.execute("update staff set created_at = ?", (now,))
            driver.execute("commit")
        self._attach(self.kept, self.kept_staff)
        return True

    def _attach(self, kept: dict[str, int], staff: dict[str, int]) -> None:
        for name, row_id in kept.items():
            setattr(self, name, _as_committed(self.PLACES[name](id=row_id)))
        self.staff = {name: _as_committed(Staff(id=row_id)) for name, row_id in staff.items()}
        db.session.commit()

    def _lay_aside(self) -> None:
        """Keep what is in each table, so that the next test on this server's database gets it back at once."""
        rows: dict[str, bytes] = {}
        with closing(db.engine.raw_connection()) as opened, _driver(opened).cursor() as cursor:
            for table in db.metadata.sorted_tables:
                with cursor.copy(f'copy "{table.name}" to stdout') as copy:
                    if lines := b"".join(copy):
                        rows[table.name] = lines
        kept = {name: getattr(self, name).id for name in self.PLACES}
        staff = {name: person.id for name, person in self.staff.items()}
        SmallDistrict.laid_aside[str(db.engine.url)] = (rows, kept, staff)

    def _put_back(self) -> bool:
        """What `_lay_aside` kept, as if it had been made just now; False where nothing was kept."""
        rows, kept, staff = self.laid_aside.get(str(db.engine.url), ({}, {}, {}))
        if not rows:
            return False
        now = clock.now()
        with closing(db.engine.raw_connection()) as opened, _driver(opened).cursor() as cursor:
            for name, lines in rows.items():
                with cursor.copy(f'copy "{name}" from stdin') as copy:
                    copy.write(lines)
            cursor.execute("update resident set first_seen_at = %s, last_seen_at = %s", (now, now))
            cursor.execute("update staff set created_at = %s", (now,))
            opened.commit()
        self._attach(kept, staff)
        return True

    def _make(self) -> None:
        # In as few goes as can be: many tests have this district.
        with unit_of_work(), db.session.no_autoflush:
            _new_area()
            self.command = _new_unit("CMD", kind="command_center", role="dispatcher", name="指挥中心")
            self.lamps = _new_unit("SZ-LD", name="路灯班组")
            self.street = _new_unit("J001", kind="street", name="中心街道办", area_codes=["990000001"])
            self.category = _new_category()
            # A name of its own: another process may have made the file that this one copies, and counts from one, too.
            self.resident = _new_resident("oTestTheDistrictsOwnResident")
            db.session.flush()
            self.staff = {
                "acceptor": _new_staff("acceptor", self.command, Role.ACCEPTOR, password=PASSWORD),
                "dispatcher": _new_staff("dispatcher", self.command, Role.DISPATCHER, password=PASSWORD),
                "shift_lead": _new_staff("shift-lead", self.command, Role.SHIFT_LEAD, password=PASSWORD),
                "verifier": _new_staff("verifier", self.command, Role.VERIFIER, password=PASSWORD),
                "inspector": _new_staff("inspector", self.command, Role.INSPECTOR, password=PASSWORD),
                "leader": _new_staff("leader", self.command, Role.LEADER, password=PASSWORD),
                "administrator": _new_staff("admin", self.command, Role.ADMINISTRATOR, password=PASSWORD),
                "handler": _new_staff("lamps", self.lamps, Role.HANDLER, password=PASSWORD),
                "unit_manager": _new_staff("lamps-m", self.lamps, Role.UNIT_MANAGER, password=PASSWORD),
                "street": _new_staff("street", self.street, Role.HANDLER, password=PASSWORD),
            }
            _new_rule("R1", "SZ-LD", category_codes=["01037"], priority=500)
            _new_rule("R2", "@area.street", condition="area is not null", mode="manual_confirm", priority=100)
            _new_rule("R3", "CMD", mode="manual_queue", priority=1)
            settings.put("routing", {"backstop_unit": "CMD"})
            settings.put("limits", {"reopen_days": 15})
            # A test passes at any hour of the day; those about quiet hours say when they are.
            settings.put("notifications", {"quiet_from": "00:00", "quiet_to": "00:00"})
            # Tests file the same thing at the same place all the time; those about duplicates say what they want.
            settings.put("incident", {"reports": 0})
            settings.put("similar", {"sure_hours": 0})
            settings.changed("map", "units", "categories", "rules")


def make_report(district: SmallDistrict, status: Status = Status.SUBMITTED, **given: Any) -> Report:
    """A report brought to `status` by the verbs, in units of work of its own."""
    values: dict[str, Any] = {
        "source": Source.BOT, "description": "路灯不亮", "category_code": "01037",
        "latitude": MIDDLE[0], "longitude": MIDDLE[1],
    } | given  # fmt: skip
    resident = values.pop("resident", district.resident)
    with unit_of_work():
        report_id = reports.submit(reports.NewReport(**values), by=resident).id

    def step(act: Any) -> None:
        with unit_of_work():
            act(reports.lock(report_id))

    lamps, handler = district.lamps.id, district.staff["handler"]
    if status is Status.TRIAGE:
        step(lambda r: reports.send_to_triage(r, reason={"key": "routing.reason.backstop", "params": {}}))
    elif status is Status.REJECTED:
        step(lambda r: reports.reject(r, by=district.staff["dispatcher"], reason="不属于本区"))
    elif status is Status.WITHDRAWN:
        step(lambda r: reports.withdraw(r, by=district.resident))
    elif status is not Status.SUBMITTED:
        step(lambda r: reports.assign(r, lamps, by=reports.SYSTEM))
        if status in (Status.IN_PROGRESS, Status.RESOLVED, Status.CLOSED):
            step(lambda r: reports.accept(r, by=handler))
        if status in (Status.RESOLVED, Status.CLOSED):
            step(lambda r: reports.resolve(r, by=handler, note="换了灯泡"))
        if status is Status.CLOSED:
            step(lambda r: reports.verify(r, by=district.staff["verifier"]))
    report = db.session.get_one(Report, report_id)
    assert report.status == status
    return report
