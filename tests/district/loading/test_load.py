"""Loading makes the database say what the folder says, again and again, on both databases."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select

from district import clock, loading, settings
from district.categories.models import CaseStandard, Category
from district.cli import ensure_first_administrator
from district.deadlines.models import CalendarDay
from district.extensions import db
from district.facilities.codes import TOKEN_LETTERS
from district.facilities.models import Facility, FacilityToken
from district.geo.models import Area, Compound, NamedPlace
from district.people import service as people
from district.people.models import Staff, StaffRole
from district.routing.models import RoutingRule
from district.units.models import Unit
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.loading.conftest import SpoiltFolder

COUNTS = {
    "units": 49, "areas": 257, "places": 576, "facility_types": 78, "categories": 204, "standards": 342,
    "compounds": 64, "facilities": 2130, "rules": 124, "staff": 108, "calendar": 39,
}  # fmt: skip


def _count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def is_what_the_files_say() -> None:
    crew = db.session.scalars(select(Unit).where(Unit.code == "SZ-LD")).one()
    assert crew.parent is not None
    assert crew.parent.code == "SZ"
    lamp = db.session.scalars(select(Facility).where(Facility.name == "路灯006-0294")).one()
    assert (lamp.type.code, lamp.state, lamp.maintainer and lamp.maintainer.code) == ("01037", "intact", "SZ-LD")
    broken = db.session.scalars(select(Category).where(Category.code == "06010")).one()
    assert (broken.kind, broken.limit_value, broken.limit_unit) == ("matter", 4, "working_hours")
    rule = db.session.scalars(select(RoutingRule).where(RoutingRule.code == "R060")).one()
    assert rule.area_codes == ["232761001", "232761005", "232761006"]
    assert (rule.units, rule.facility_types) == (["HW-C1"], ["*"])
    unmanaged = select(func.count()).select_from(Compound).where(Compound.property_unit_id.is_(None))
    assert (db.session.scalar(unmanaged) or 0) > 0
    assert settings.get("limits")["reopen_days"] == 15
    assert settings.get("district")["name"]["en"] == "Jiagedaqi District"
    assert settings.get("map:base")["layers"]
    desk = db.session.scalars(select(Staff).where(Staff.username == "desk")).one()
    assert desk.roles == {"acceptor", "dispatcher"}
    token = db.session.scalars(select(FacilityToken.token).limit(1)).one()
    assert len(token) >= 8
    assert set(token) <= set(TOKEN_LETTERS)


@both_databases
def test_loading_fills_every_table_as_the_files_say_and_loading_again_changes_nothing(
    app: Flask, whole_folder: SpoiltFolder
) -> None:
    first = whole_folder.load()
    assert {kind: first.counts[kind]["created"] for kind in COUNTS} == COUNTS
    assert first.tokens_issued == COUNTS["facilities"]
    assert _count(Facility) == _count(FacilityToken) == COUNTS["facilities"]
    assert _count(CaseStandard) == COUNTS["standards"]
    is_what_the_files_say()
    versions = settings.versions()
    hashes = db.session.scalars(select(Staff.password_hash).order_by(Staff.id)).all()
    tokens = set(db.session.scalars(select(FacilityToken.token)))

    again = whole_folder.load()

    assert not again.changed
    assert {kind: again.counts[kind]["unchanged"] for kind in COUNTS} == COUNTS
    assert settings.versions() == versions
    assert db.session.scalars(select(Staff.password_hash).order_by(Staff.id)).all() == hashes
    assert set(db.session.scalars(select(FacilityToken.token))) == tokens


@both_databases
def test_changed_rows_are_updated_and_their_versions_counted_up(app: Flask, loaded: SpoiltFolder) -> None:
    before = settings.versions()
    loaded.put("routing_rules.csv", 3, "priority", "991")
    loaded.put("staff.csv", 3, "roles", "leader;inspector")
    result = loaded.load()
    assert result.counts["rules"] == {"created": 0, "updated": 1, "unchanged": 123, "retired": 0}
    assert result.counts["staff"] == {"created": 0, "updated": 1, "unchanged": 107, "retired": 0}
    assert db.session.scalar(select(RoutingRule.priority).where(RoutingRule.code == "R002")) == 991
    after = settings.versions()
    assert after["rules"] == before["rules"] + 1
    assert after["map"] == before["map"]


@both_databases
def test_rows_gone_from_the_folder_are_retired_and_come_back(app: Flask, loaded: SpoiltFolder) -> None:
    kept = loaded.rows("facilities.csv")
    rules = loaded.rows("routing_rules.csv")
    code = kept[1][0]
    loaded.drop("facilities.csv", code)
    loaded.drop("routing_rules.csv", "R062")

    result = loaded.load()

    assert result.counts["facilities"]["retired"] == 1
    assert result.counts["rules"]["retired"] == 1
    facility = db.session.scalars(select(Facility).where(Facility.code == code)).one()
    assert facility.retired_at is not None
    assert not loaded.load().changed

    loaded.write("facilities.csv", kept)
    loaded.write("routing_rules.csv", rules)
    result = loaded.load()
    assert result.counts["facilities"]["updated"] == 1
    assert db.session.scalar(select(Facility.retired_at).where(Facility.code == code)) is None
    assert db.session.scalar(select(RoutingRule.retired_at).where(RoutingRule.code == "R062")) is None


@both_databases
def test_the_folder_says_what_somebody_is_limited_to_and_leaves_it_where_it_says_nothing(
    app: Flask, folder: SpoiltFolder
) -> None:
    def limits() -> tuple[list[int], list[str]]:
        db.session.expire_all()
        found = db.session.scalars(select(Staff).where(Staff.username == "leader")).one()
        return found.unit_scope, found.area_scope

    line = next(number for number, row in enumerate(folder.rows("staff.csv"), 1) if row[0] == "leader")
    folder.put("staff.csv", line, "unit_scope", "SZ-LD;GOV")
    folder.put("staff.csv", line, "area_scope", "232761006；232761001")
    folder.load()
    units = dict(db.session.execute(select(Unit.code, Unit.id)).all())
    assert limits() == (sorted([units["SZ-LD"], units["GOV"]]), ["232761006", "232761001"])
    assert not folder.load().changed
    folder.put("staff.csv", line, "unit_scope", "")
    folder.load()
    assert limits() == ([], ["232761006", "232761001"])
    # An older folder without the columns: what was set in the panel stays.
    folder.write("staff.csv", [row[:-2] for row in folder.rows("staff.csv")])
    assert not folder.load().changed
    assert limits() == ([], ["232761006", "232761001"])


@both_databases
def test_staff_gone_from_the_folder_have_left_and_are_logged_out(app: Flask, loaded: SpoiltFolder) -> None:
    loaded.drop("staff.csv", "verifier2")
    loaded.load()
    gone = db.session.scalars(select(Staff).where(Staff.username == "verifier2")).one()
    assert gone.left_at is not None
    assert gone.session_epoch == 1
    stays = db.session.scalars(select(Staff).where(Staff.username == "verifier1")).one()
    assert (stays.left_at, stays.session_epoch) == (None, 0)


def test_what_was_added_elsewhere_is_left_alone(app: Flask, loaded: SpoiltFolder) -> None:
    with unit_of_work():
        unit_id = db.session.scalars(select(Unit.id).where(Unit.code == "CMD")).one()
        extra = Staff(username="extra", name="新同事", unit_id=unit_id, created_at=clock.now())
        extra.role_rows = [StaffRole(role="acceptor")]
        db.session.add(extra)
    assert not loaded.load().changed
    kept = db.session.scalars(select(Staff).where(Staff.username == "extra")).one()
    assert kept.left_at is None
    assert kept.roles == {"acceptor"}


def test_somebody_who_left_is_not_brought_back_by_loading_again(app: Flask, loaded: SpoiltFolder) -> None:
    with unit_of_work():
        db.session.scalars(select(Staff).where(Staff.username == "shift2")).one().left_at = clock.now()
    loaded.load()
    assert db.session.scalars(select(Staff.left_at).where(Staff.username == "shift2")).one() is not None


@both_databases
def test_places_and_days_that_nothing_refers_to_are_taken_out(app: Flask, loaded: SpoiltFolder) -> None:
    loaded.drop("gazetteer.csv", "知青广场")
    loaded.drop("calendar.csv", "2026-10-10")
    loaded.load()
    assert db.session.scalar(select(NamedPlace.id).where(NamedPlace.name == "知青广场")) is None
    assert _count(CalendarDay) == COUNTS["calendar"] - 1


@both_databases
def test_a_past_year_of_the_calendar_is_kept(app: Flask, loaded: SpoiltFolder) -> None:
    loaded.write("calendar.csv", [["date", "kind", "name"], ["2027-01-01", "holiday", "元旦"]])
    loaded.load()
    assert _count(CalendarDay) == COUNTS["calendar"] + 1
    # And a day of that year can still be corrected later.
    loaded.write("calendar.csv", [["date", "kind", "name"], ["2026-01-01", "holiday", "元旦"]])
    loaded.load()
    assert _count(CalendarDay) == 2


def test_a_password_somebody_set_is_never_overwritten(app: Flask, loaded: SpoiltFolder) -> None:
    hashed = db.session.scalars(select(Staff.password_hash).where(Staff.username == "sz-ld")).one()
    assert hashed is not None
    assert PasswordHasher().verify(hashed, "bihuan-demo")
    with unit_of_work():
        db.session.scalars(select(Staff).where(Staff.username == "sz-ld")).one().password_hash = "$own$"
    assert loaded.load().passwords_set == 0
    assert db.session.scalars(select(Staff.password_hash).where(Staff.username == "sz-ld")).one() == "$own$"


def test_admin_gets_the_password_of_the_environment_rather_than_the_demo_one(
    env: dict[str, str], folder: SpoiltFolder, request: pytest.FixtureRequest
) -> None:
    env["ADMIN_PASSWORD"] = "only-the-operator-knows"
    app: Flask = request.getfixturevalue("app")
    folder.load()
    ensure_first_administrator(app.config["BIHUAN"])
    with unit_of_work():
        assert people.log_in("admin", "bihuan-demo") is None
        assert people.log_in("admin", "only-the-operator-knows") is not None


def test_no_demo_password_is_set_when_they_are_not_wanted(app: Flask, folder: SpoiltFolder) -> None:
    with unit_of_work():
        loading.load_folder(folder.path, demo_passwords=False)
    assert db.session.scalars(select(Staff.id).where(Staff.password_hash.is_not(None))).all() == []


def test_a_revoked_token_is_followed_by_a_new_one(app: Flask, loaded: SpoiltFolder) -> None:
    with unit_of_work():
        old = db.session.scalars(select(FacilityToken).limit(1)).one()
        old.state, old.revoked_at = "revoked", clock.now()
        facility_id = old.facility_id
    assert loaded.load().tokens_issued == 1
    tokens = db.session.scalars(select(FacilityToken).where(FacilityToken.facility_id == facility_id)).all()
    assert sorted(token.revoked_at is None for token in tokens) == [False, True]


def test_wording_comes_and_goes_with_the_folder(app: Flask, folder: SpoiltFolder) -> None:
    folder.add("wording.csv", key="status.plain.received", language="zh-Hans", text="收到啦")
    result = folder.load()
    assert settings.get("wording")["zh-Hans"]["status.plain.received"] == "收到啦"
    assert result.counts["wording"]["created"] >= 1
    folder.drop("wording.csv", "status.plain.received")
    assert folder.load().counts["wording"]["retired"] == 1
    assert "status.plain.received" not in settings.get("wording").get("zh-Hans", {})


def test_a_folder_with_mistakes_changes_nothing(app: Flask, folder: SpoiltFolder) -> None:
    folder.put("facilities.csv", 5, "owner_unit", "NOBODY")
    with pytest.raises(loading.FolderRefused) as refused, unit_of_work():
        loading.load_folder(folder.path)
    assert [(p.file, p.line, p.column) for p in refused.value.problems] == [("facilities.csv", 5, "owner_unit")]
    assert _count(Unit) == _count(Area) == 0
