"""The settings in the panel: forms that check as the folder's loader does, before and after, and taking it back."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from district import clock, settings
from district import reference as reference_module
from district.categories.models import CaseStandard, Category
from district.changes.models import Change
from district.config import Config
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.extensions import db
from district.facilities.models import FacilityType
from district.geo.models import Area
from district.loading.service import MAP_SOURCE
from district.messages import t
from district.people.models import AuditEntry
from district.reference import reference
from district.reports.states import Status
from district.routing.models import RoutingRule
from district.units.models import Unit
from district.upkeep.service import KINDS
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_area, make_facility, make_report, make_unit
from tests.support.devices import Field

UNIT = {
    "code": "SZ-PS", "name_zh": "排水班组", "unit_kind": "municipal", "role": "handler", "parent_code": "CMD",
    "area_codes": ["990000001"], "phone": "0457-5550001", "emergency_phone": "", "note": "雨天加人",
    "duty_hours": "08:30-12:00;13:30-17:30",
}  # fmt: skip
CATEGORY = {
    "code": "01038", "kind": "component", "major_zh": "市政公用设施类", "name_zh": "路灯杆歪斜", "name_en": "lamp post",
    "keywords_zh": "灯杆歪了\n灯杆要倒", "default_unit_kind": "municipal", "deadline_value": "4",
    "deadline_unit": "hours", "urgency": "urgent", "facility_type": "", "campaign_topic": "", "scheme": "test",
}  # fmt: skip
STANDARD = {
    "category_code": "01037", "standard_id": "01037-01", "condition_zh": "灯不亮", "limit_value": "2",
    "limit_unit": "working_days", "close_condition_zh": "灯亮了",
}  # fmt: skip
TYPE = {
    "code": "01037", "major_zh": "市政公用设施", "name_zh": "路灯", "name_en": "street light", "geometry": "point",
    "default_unit_kind": "municipal", "quick_problems_zh": "不亮\n倾斜", "default_category": "01037",
    "is_smart": "1", "gives_light": "1",
}  # fmt: skip
NEAR = (MIDDLE[0], MIDDLE[1] + 0.05)


def square(middle: tuple[float, float] = NEAR, half: float = 0.01) -> str:
    latitude, longitude = middle
    west, east, south, north = longitude - half, longitude + half, latitude - half, latitude + half
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


AREA = {"level": "area", "code": "990000002", "name": "东街道", "parent": "990000", "geometry": square()}
ALARM = {
    "alarm": "tilt", "facility_type": "*", "name_zh": "倾斜", "name_en": "leaning", "category_code": "01037",
    "wait_s": "60", "flood_threshold": "5", "flood_s": "",
}  # fmt: skip
FORMS: dict[str, tuple[str, dict[str, Any], type[Any]]] = {
    "units": ("SZ-PS", UNIT, Unit),
    "categories": ("01038", CATEGORY, Category),
    "standards": ("01037-01", STANDARD, CaseStandard),
    "facility-types": ("01037", TYPE, FacilityType),
    "areas": ("990000002", AREA, Area),
    "alarms": ("tilt.*", ALARM, DeviceAlarmKind),
}


def hidden(answer: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None
    return found[1]


def page(person: Person, slug: str, code: str) -> TestResponse:
    answer = person.get(f"/admin/settings/{slug}/one/{code}")
    assert answer.status_code == 200, words_of(answer)[:500]
    return answer


def add(person: Person, slug: str, fields: Mapping[str, Any]) -> str:
    """Add a thing by its form; its code."""
    answer = person.post(f"/admin/settings/{slug}/save", **fields)
    assert answer.status_code == 302, words_of(answer)[:1500]
    return str(answer.location).rpartition("/")[2]


def change(person: Person, slug: str, code: str, fields: Mapping[str, Any]) -> TestResponse:
    """Change a thing as its page's form would."""
    return person.post(f"/admin/settings/{slug}/save", **fields, of=code, base=hidden(page(person, slug, code), "base"))


def retire(person: Person, slug: str, code: str) -> TestResponse:
    base = hidden(page(person, slug, code), "base")
    return person.post(f"/admin/settings/{slug}/one/{code}/retire", base=base)


def last_change() -> Change:
    return db.session.scalars(select(Change).order_by(Change.id.desc()).limit(1)).one()


def undo(person: Person, change_id: int | None = None) -> TestResponse:
    return person.post(f"/admin/settings/changes/{change_id or last_change().id}/undo")


def row(model: type[Any], code: str) -> Any:
    db.session.rollback()
    kind = next(one for one in KINDS.values() if one.model is model)
    return db.session.scalars(select(model).where(kind.key() == code)).one()


@pytest.fixture
def admin(district: SmallDistrict, log_in: LogIn) -> Person:
    with unit_of_work():
        settings.put("district", {"code": "990000"})
        make_unit("DEPT", kind="street", name="街道二", area_codes=[])
    forget_reference()
    return log_in("administrator")


class TestPages:
    def test_the_home_page_shows_what_a_person_may_open(self, admin: Person, log_in: LogIn) -> None:
        words = words_of(admin.get("/admin/settings"))
        for said in (
            "责任单位",
            "案件类别",
            "立案标准",
            "设施类型",
            "案件标签",
            "派遣规则",
            "工作日历",
            "回复模板",
            "角色与权限",
        ):
            assert said in words
        assert "回复模板" not in log_in("leader").get("/admin/settings").text.split("<main")[1]

    def test_a_leader_reads_and_changes_nothing(self, admin: Person, log_in: LogIn) -> None:
        read = log_in("leader").get("/admin/settings/units/one/SZ-LD")
        assert read.status_code == 200
        assert '<fieldset class="plain-set" disabled>' in read.text
        assert "/retire" not in read.text
        assert log_in("leader").post("/admin/settings/units/save", **UNIT).status_code == 403

    def test_lists_are_searched_narrowed_and_paged(self, admin: Person) -> None:
        with unit_of_work():
            for number in range(40):
                make_unit(f"P{number:02d}", name=f"物业{number}")
        first = admin.get("/admin/settings/units?q=物业")
        assert len(re.findall(r"/one/P\d\d", first.text)) == 30
        following = re.search(r'href="([^"]*after=P29[^"]*)"', first.text)
        assert following is not None
        rest = admin.get(following[1].replace("&amp;", "&"))
        assert re.findall(r"/one/(P\d\d)", rest.text) == [f"P{number}" for number in range(30, 40)]
        assert "没有找到" in words_of(admin.get("/admin/settings/units?q=nothing_"))
        add(admin, "categories", CATEGORY | {"major_zh": "园林绿化类"})
        narrowed = admin.get("/admin/settings/categories?narrow=园林绿化类").text
        assert re.findall(r"/categories/one/(\d+)", narrowed) == ["01038"]
        add(admin, "standards", STANDARD)
        assert "01037-01" in admin.get("/admin/settings/standards?narrow=01037&q=灯").text
        assert "01037-01" not in admin.get("/admin/settings/standards?narrow=01038").text

    def test_an_unknown_kind_or_code_leads_nowhere(self, admin: Person) -> None:
        for path in ("/settings/dogs/new", "/settings/units/one/NOPE", "/settings/area-outlines.json?level=dog"):
            assert admin.get(f"/admin{path}").status_code == 404
        assert admin.post("/admin/settings/units/save", **UNIT, of="NOPE", base="x").status_code == 404


class TestForms:
    @both_databases
    @pytest.mark.parametrize("slug", FORMS)
    def test_a_thing_is_added_and_stands_where_the_loader_would_have_put_it(self, admin: Person, slug: str) -> None:
        code, fields, model = FORMS[slug]
        assert add(admin, slug, fields) == code
        found = row(model, code)
        kind = next(one for one in KINDS.values() if one.model is model)
        read_code, record = kind.read(kind.written(code, kind.told(found)))
        assert (read_code, record | {"active": True}) == (code, kind.told(found)), (
            "what is stored is read again the same"
        )
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "settings.add")).one()
        assert entry.subject == f"change:{last_change().id}"
        assert (last_change().before, last_change().kind) == (None, kind.name)
        again = admin.post(f"/admin/settings/{slug}/save", **fields)
        assert (again.status_code, "用过了" in again.text) == (422, True)

    @pytest.mark.parametrize(
        ("slug", "wrong", "column", "key", "params"),
        [
            ("alarms", {"alarm": "No Light"}, "alarm", "bad_code", {"value": "No Light", "example": "outage"}),
            ("alarms", {"is_critical": "1"}, "wait_s", "critical_waits", {"value": 60}),
            ("alarms", {"flood_threshold": "1"}, "flood_threshold", "flood_of_one", {}),
            ("units", {"code": "a b"}, "code", "bad_code", {"value": "a b", "example": "SZ-LD"}),
            ("units", {"name_zh": ""}, "name_zh", "empty", {}),
            ("units", {"phone": "call me"}, "phone", "bad_phone", {"value": "call me"}),
            ("units", {"duty_hours": "8-12"}, "duty_hours", "bad_hours", {"value": "8-12"}),
            ("units", {"area_codes": ["*", "990000001"]}, "area_codes", "star_alone", {"value": "*;990000001"}),
            ("units", {"role": "friend"}, "role", "unknown_value", None),
            ("units", {"parent_code": "NOPE"}, "parent_code", "unknown_reference", None),
            ("categories", {"deadline_value": "0"}, "deadline_value", "not_in_range", None),
            ("categories", {"deadline_value": "soon"}, "deadline_value", "not_a_whole_number", {"value": "soon"}),
            ("categories", {"default_unit_kind": "nobody"}, "default_unit_kind", "unknown_reference", None),
            ("categories", {"facility_type": "NOPE"}, "facility_type", "unknown_reference", None),
            ("standards", {"category_code": "NOPE"}, "category_code", "unknown_reference", None),
            ("standards", {"limit_unit": "weeks"}, "limit_unit", "unknown_value", None),
            ("facility-types", {"geometry": "blob"}, "geometry", "unknown_value", None),
            ("areas", {"code": "12"}, "code", "bad_area_code", {"value": "12", "lengths": "9"}),
            ("areas", {"parent": "990000009"}, "parent", "unknown_reference", None),
            ("areas", {"geometry": ""}, "geometry", "empty", {}),
            ("areas", {"geometry": "{"}, "geometry", "bad_json", None),
        ],
    )  # fmt: skip
    def test_a_mistake_is_told_as_the_loader_tells_it_and_nothing_typed_is_lost(
        self, admin: Person, slug: str, wrong: dict[str, Any], column: str, key: str, params: dict[str, Any] | None
    ) -> None:
        answer = admin.post(f"/admin/settings/{slug}/save", **FORMS[slug][1] | wrong)
        assert answer.status_code == 422
        said = words_of(answer)
        assert f'id="error-{column}"' in answer.text
        words = t(f"loading.problem.{key}", **params) if params is not None else ""
        assert words in said
        typed = next(value for value in wrong.values())
        if isinstance(typed, str) and typed and typed != "{":
            assert typed in said or f'value="{typed}"' in answer.text
        assert db.session.scalar(select(Change.id)) is None

    def test_a_thing_is_changed_but_for_what_names_it(self, admin: Person) -> None:
        add(admin, "categories", CATEGORY)
        fields = CATEGORY | {"code": "99999", "scheme": "other", "kind": "matter", "name_zh": "灯杆歪"}
        assert change(admin, "categories", "01038", fields | {"close_without_verification": "1"}).status_code == 302
        found = row(Category, "01038")
        assert (found.name, found.scheme, found.kind, found.close_without_verification) == (
            "灯杆歪",
            "test",
            "component",
            True,
        )
        assert found.keywords == ["灯杆歪了", "灯杆要倒"]
        words = words_of(page(admin, "categories", "01038"))
        assert re.search(r"名称 改前： 路灯杆歪斜 → 改后： 灯杆歪", words)
        same = change(admin, "categories", "01038", fields | {"close_without_verification": "1"})
        assert same.status_code == 302
        assert len(db.session.scalars(select(Change)).all()) == 2, "nothing was changed, so nothing is written down"

    @both_databases
    def test_what_a_colleague_changed_meanwhile_is_shown_and_nothing_typed_is_lost(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        base = hidden(page(admin, "units", "SZ-PS"), "base")
        assert change(admin, "units", "SZ-PS", UNIT | {"phone": "110"}).status_code == 302
        late = admin.post("/admin/settings/units/save", **UNIT | {"name_zh": "排水队"}, of="SZ-PS", base=base)
        assert late.status_code == 409
        assert 'value="排水队"' in late.text
        assert "110" in words_of(late)
        assert row(Unit, "SZ-PS").name == "排水班组"
        again = admin.post(
            "/admin/settings/units/save", **UNIT | {"name_zh": "排水队"}, of="SZ-PS", base=hidden(late, "base")
        )
        assert again.status_code == 302
        assert (row(Unit, "SZ-PS").name, row(Unit, "SZ-PS").phone) == ("排水队", "0457-5550001")

    def test_a_unit_is_not_put_under_itself(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        below = UNIT | {"code": "SZ-PS2", "parent_code": "SZ-PS"}
        add(admin, "units", below)
        answer = change(admin, "units", "SZ-PS", UNIT | {"parent_code": "SZ-PS2"})
        assert (answer.status_code, 'id="error-parent_code"' in answer.text) == (422, True)

    def test_what_others_rest_on_cannot_be_taken_from_under_them(self, admin: Person) -> None:
        with unit_of_work():
            settings.put("emergency", [{"name": "water", "unit": "SZ-LD"}])
            row_of_rule = db.session.scalars(select(RoutingRule).where(RoutingRule.code == "R1")).one()
            row_of_rule.major = "市政公用设施类"
        lamps = UNIT | {"name_zh": "路灯班组", "parent_code": "", "area_codes": ["*"], "emergency_phone": ""}
        answer = change(admin, "units", "SZ-LD", lamps | {"role": "observer"})
        assert answer.status_code == 422
        assert 'id="error-emergency_phone"' in answer.text
        assert 'id="error-role"' in answer.text
        kind = change(admin, "units", "SZ-LD", lamps | {"emergency_phone": "110", "unit_kind": "drainage"})
        assert 'id="error-unit_kind"' in kind.text
        moved = change(admin, "categories", "01037", CATEGORY | {"major_zh": "其他"})
        assert 'id="error-major_zh"' in moved.text

    def test_the_new_state_counts_at_once_here_and_soon_in_every_other_process(
        self, app: Flask, config: Config, admin: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from wsgi import create_app

        monkeypatch.setattr(reference_module, "CHECK_EVERY_S", 0.0)
        worker = create_app(config)
        with worker.app_context():
            assert "SZ-PS" not in reference().units_by_code
            assert reference().locator.locate(*NEAR).area_code == ""
        add(admin, "units", UNIT)
        add(admin, "areas", AREA)
        assert change(admin, "categories", "01037", CATEGORY | {"name_zh": "路灯坏了"}).status_code == 302
        assert reference().units_by_code["SZ-PS"].name == "排水班组"
        with worker.app_context():
            assert reference().units_by_code["SZ-PS"].phone == "0457-5550001"
            assert reference().locator.locate(*NEAR).area_code == "990000002"
            assert reference().categories_by_code["01037"].keywords == ("灯杆歪了", "灯杆要倒")


class TestRetiring:
    @both_databases
    @pytest.mark.parametrize("slug", FORMS)
    def test_what_nothing_uses_is_retired_and_taken_into_use_again(self, admin: Person, slug: str) -> None:
        code, fields, model = FORMS[slug]
        add(admin, slug, fields)
        ended = "closed_at" if model is Unit else "retired_at"
        assert retire(admin, slug, code).status_code == 302
        assert getattr(row(model, code), ended) is not None
        assert f"/one/{code}" not in admin.get(f"/admin/settings/{slug}").text
        assert f"/one/{code}" in admin.get(f"/admin/settings/{slug}?gone=1").text
        shown = page(admin, slug, code)
        assert "已停用" in words_of(shown)
        refused = admin.post(f"/admin/settings/{slug}/save", **fields, of=code, base=hidden(shown, "base"))
        assert refused.status_code == 409, "it cannot be changed while it is out of use"
        assert admin.post(f"/admin/settings/{slug}/one/{code}/restore").status_code == 302
        assert getattr(row(model, code), ended) is None
        actions = [entry.action for entry in db.session.scalars(select(AuditEntry).order_by(AuditEntry.id))]
        assert [one for one in actions if one.startswith("settings.")] == [
            "settings.add", "settings.retire", "settings.restore",
        ]  # fmt: skip

    def test_an_alarm_goes_on_when_its_kind_is_out_of_use(self, district: SmallDistrict, admin: Person) -> None:
        """Nothing new of it is taken; a category or type that a kind in use names stays."""
        field = Field(district)
        kind = row(DeviceAlarmKind, "outage.*")
        with unit_of_work():
            moment = clock.now()
            device_id = db.session.scalars(select(Device.id).where(Device.facility_id == field.facility.id)).one()
            alarm = DeviceAlarm(device_id=device_id, kind_id=kind.id, raised_at=moment, last_at=moment, how="")
            db.session.add(alarm)
        assert "1 个还没恢复的报警" in words_of(page(admin, "alarms", "outage.*"))
        answer = retire(admin, "categories", "01037")
        assert (answer.status_code, "种设备报警" in words_of(answer)) == (409, True)
        assert retire(admin, "alarms", "outage.*").status_code == 302
        assert db.session.get_one(DeviceAlarm, alarm.id).cleared_at is None
        sent = {"alarm": "outage", "state": "raised"}
        refused = admin.client.post("/api/v1/devices/L-1/alarms", json=sent, headers=field.headers)
        assert (refused.status_code, "alarm" in refused.get_json()["error"]["fields"]) == (422, True)

    def test_a_unit_with_work_people_or_rules_stays(self, district: SmallDistrict, admin: Person) -> None:
        make_report(district, Status.ASSIGNED)
        answer = retire(admin, "units", "SZ-LD")
        assert answer.status_code == 409
        words = words_of(answer)
        for said in ("1 件在办案件", "2 名人员", "1 条派遣规则"):
            assert said in words
        assert row(Unit, "SZ-LD").closed_at is None
        assert "兜底单位" in words_of(retire(admin, "units", "CMD"))

    def test_categories_types_and_areas_in_use_stay(self, admin: Person) -> None:
        with unit_of_work():
            make_facility()
        assert retire(admin, "categories", "01037").status_code == 409
        assert "1 个设施" in words_of(retire(admin, "facility-types", "01037"))
        assert "1 个单位的管辖范围" in words_of(retire(admin, "areas", "990000001"))

    def test_a_thing_is_not_retired_as_somebody_did_not_see_it(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        base = hidden(page(admin, "units", "SZ-PS"), "base")
        change(admin, "units", "SZ-PS", UNIT | {"phone": "110"})
        assert admin.post("/admin/settings/units/one/SZ-PS/retire", base=base).status_code == 409
        assert row(Unit, "SZ-PS").closed_at is None

    def test_what_is_no_longer_valid_is_not_taken_into_use_again(self, admin: Person) -> None:
        add(admin, "units", UNIT | {"parent_code": "DEPT"})
        assert retire(admin, "units", "SZ-PS").status_code == 302
        assert retire(admin, "units", "DEPT").status_code == 302
        answer = admin.post("/admin/settings/units/one/SZ-PS/restore")
        assert (answer.status_code, "不能启用" in answer.text) == (422, True)


class TestUndo:
    @both_databases
    def test_a_change_is_taken_back_and_that_too(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        change(admin, "units", "SZ-PS", UNIT | {"name_zh": "排水队", "phone": "110"})
        changed = last_change().id
        assert undo(admin).status_code == 302
        assert (row(Unit, "SZ-PS").name, row(Unit, "SZ-PS").phone) == ("排水班组", "0457-5550001")
        assert db.session.get_one(Change, changed).undone_by_id == last_change().id
        words = words_of(page(admin, "units", "SZ-PS"))
        assert f"撤销第 {changed} 号改动" in words
        assert "已被撤销" in words
        assert undo(admin).status_code == 302
        assert row(Unit, "SZ-PS").name == "排水队"
        assert reference().units_by_code["SZ-PS"].name == "排水队"
        entries = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action == "settings.undo")).all()
        assert len(entries) == 2

    @pytest.mark.parametrize("slug", FORMS)
    def test_what_was_added_goes_out_of_use_and_what_was_retired_comes_back(self, admin: Person, slug: str) -> None:
        code, fields, model = FORMS[slug]
        add(admin, slug, fields)
        ended = "closed_at" if model is Unit else "retired_at"
        assert undo(admin).status_code == 302
        assert getattr(row(model, code), ended) is not None, "nothing is deleted"
        assert undo(admin).status_code == 302
        assert getattr(row(model, code), ended) is None

    def test_it_is_refused_when_the_thing_has_changed_since(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        change(admin, "units", "SZ-PS", UNIT | {"phone": "110"})
        first = last_change().id
        change(admin, "units", "SZ-PS", UNIT | {"phone": "119"})
        answer = undo(admin, first)
        assert (answer.status_code, "又有人改过" in answer.text) == (409, True)
        assert row(Unit, "SZ-PS").phone == "119"
        assert undo(admin).status_code == 302
        assert undo(admin, first).status_code == 302
        assert row(Unit, "SZ-PS").phone == "0457-5550001"
        twice = undo(admin, first)
        assert (twice.status_code, "已经撤销过了" in twice.text) == (409, True)

    def test_it_is_refused_when_a_folder_was_loaded_over_it(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        with unit_of_work():
            db.session.scalars(select(Unit).where(Unit.code == "SZ-PS")).one().note = "from a folder"
        assert undo(admin).status_code == 409

    def test_it_is_refused_when_what_was_there_would_not_be_taken(self, admin: Person) -> None:
        add(admin, "units", UNIT | {"parent_code": "DEPT"})
        change(admin, "units", "SZ-PS", UNIT)
        moved = last_change().id
        assert retire(admin, "units", "DEPT").status_code == 302
        answer = undo(admin, moved)
        assert answer.status_code == 409
        assert "原来的内容现在不再成立" in words_of(answer)
        assert "DEPT" in words_of(answer)

    def test_it_is_refused_when_others_rest_on_what_was_added(self, admin: Person) -> None:
        add(admin, "units", UNIT)
        added = last_change().id
        add(admin, "units", UNIT | {"code": "SZ-PS2", "parent_code": "SZ-PS"})
        answer = undo(admin, added)
        assert answer.status_code == 409
        assert "1 个下级单位" in words_of(answer)

    def test_all_changes_stand_in_one_list_with_who_and_what(self, admin: Person, log_in: LogIn) -> None:
        add(admin, "units", UNIT)
        add(admin, "standards", STANDARD)
        words = words_of(log_in("inspector").get("/admin/settings/changes"))
        for said in ("员工admin", "排水班组 SZ-PS", "灯不亮 01037-01", "添加"):
            assert said in words
        assert "排水班组" not in words_of(admin.get("/admin/settings/changes?kind=standard"))
        assert "SZ-PS" in words_of(log_in("inspector").get("/admin/audit?what=settings"))
        assert log_in("inspector").post(f"/admin/settings/changes/{last_change().id}/undo").status_code == 403


class TestAreas:
    def ring(self, *points: tuple[float, float]) -> str:
        return json.dumps({"type": "Polygon", "coordinates": [[list(point) for point in points]]})

    @pytest.mark.parametrize(
        ("outline", "said"),
        [
            ([(124.1, 50.4), (124.2, 50.4), (124.2, 50.5), (124.1, 50.5)], "没有闭合"),
            ([(124.1, 50.4), (124.2, 50.5), (124.2, 50.4), (124.1, 50.5), (124.1, 50.4)], "交叉"),
            ([(124.1, 50.4), (124.2, 50.4), (124.1, 50.4)], "只有 3 个"),
            ([(10.0, 50.4), (10.1, 50.4), (10.1, 50.5), (10.0, 50.4)], "不在本区范围内"),
        ],
    )
    def test_an_outline_that_is_not_whole_is_refused(
        self, admin: Person, outline: list[tuple[float, float]], said: str
    ) -> None:
        with unit_of_work():
            settings.put("map", {"bounds": {"west": 123.5, "south": 50.0, "east": 125.0, "north": 51.0}})
        answer = admin.post("/admin/settings/areas/save", **AREA | {"geometry": self.ring(*outline)})
        assert answer.status_code == 422
        assert 'id="error-geometry"' in answer.text
        assert said in words_of(answer)

    def test_an_overlap_is_asked_about_and_can_be_meant(self, admin: Person) -> None:
        over = square((MIDDLE[0], MIDDLE[1] + 0.025))
        asked = admin.post("/admin/settings/areas/save", **AREA | {"geometry": over})
        assert asked.status_code == 422
        words = words_of(asked)
        assert re.search(r"和“中心街道”重叠，占较小一个的 2[45]\.\d%", words), words[:1500]
        assert db.session.scalar(select(Area.id).where(Area.code == "990000002")) is None
        sure = hidden(asked, "sure")
        other = admin.post(
            "/admin/settings/areas/save", **AREA | {"geometry": square((MIDDLE[0], MIDDLE[1] + 0.02))}, sure=sure
        )
        assert other.status_code == 422, "who said yes to one overlap did not say yes to another"
        assert admin.post("/admin/settings/areas/save", **AREA | {"geometry": over}, sure=sure).status_code == 302
        assert row(Area, "990000002").geometry == json.loads(over)

    def test_neighbours_that_share_a_border_are_no_question(self, admin: Person) -> None:
        beside = square((MIDDLE[0], MIDDLE[1] + 0.02999), half=0.01)
        assert admin.post("/admin/settings/areas/save", **AREA | {"geometry": beside}).status_code == 302

    def test_a_community_outside_of_its_street_is_asked_about(self, admin: Person) -> None:
        community = {"level": "community", "code": "990000001001", "name": "一社区", "parent": "990000001"}
        asked = admin.post("/admin/settings/areas/save", **community, geometry=square())
        assert "在“中心街道”外面" in words_of(asked)
        inside = square(MIDDLE)
        assert admin.post("/admin/settings/areas/save", **community, geometry=inside).status_code == 302
        assert row(Area, "990000001001").area_code == "990000001"
        small = square((MIDDLE[0] + 0.01, MIDDLE[1]), half=0.002)
        street = AREA | {"name": "中心街道", "geometry": small}
        left = change(admin, "areas", "990000001", street)
        assert "1 个下级区域会露在外面：一社区" in words_of(left)

    @pytest.mark.parametrize("shape", ["geometry", "feature", "collection", "several"])
    def test_an_outline_comes_from_a_file(self, admin: Person, shape: str) -> None:
        geometry = json.loads(square())
        feature = {"type": "Feature", "properties": {"code": "990000002"}, "geometry": geometry}
        other = {"type": "Feature", "properties": {"code": "1"}, "geometry": json.loads(square((50.9, 124.9)))}
        content = {
            "geometry": geometry, "feature": feature,
            "collection": {"type": "FeatureCollection", "features": [feature | {"properties": {}}]},
            "several": {"type": "FeatureCollection", "features": [other, feature]},
        }[shape]  # fmt: skip
        file = (io.BytesIO(json.dumps(content).encode()), "street.geojson")
        answer = admin.post("/admin/settings/areas/save", **AREA | {"geometry": "", "file": file})
        assert answer.status_code == 302, words_of(answer)[:800]
        assert row(Area, "990000002").geometry == geometry

    def test_a_file_that_does_not_say_which_is_refused(self, admin: Person) -> None:
        some = {"type": "Feature", "properties": {}, "geometry": json.loads(square())}
        content = json.dumps({"type": "FeatureCollection", "features": [some, some]})
        answer = admin.post("/admin/settings/areas/save", **AREA | {"geometry": content})
        assert "文件里有 2 个区域" in words_of(answer)
        odd = (io.BytesIO(b"\xff\xfe\xff"), "street.geojson")
        assert "UTF-8" in words_of(admin.post("/admin/settings/areas/save", **AREA | {"file": odd}))

    @pytest.mark.demo
    def test_our_own_map_is_drawn_anew(self, app: Flask) -> None:
        from district.people.models import Staff

        with unit_of_work():
            person = Person(app)
            someone = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
        admin = person.sit_down(someone)
        before, version = settings.get("map:base"), settings.versions()["map"]
        street = row(Area, "232761001")
        cells = KINDS["area"].written(street.code, KINDS["area"].told(street))
        assert change(admin, "areas", street.code, cells | {"name": "东山街"}).status_code == 302
        after = settings.get("map:base")
        assert "东山街" in {name for *_, name in after["areas"]["area"]}
        assert (after["layers"], after["origin"]) == (before["layers"], before["origin"])
        assert "东山街" in {area[1] for area in settings.get("map:areas")["areas"]}
        assert settings.versions()["map"] > version
        assert settings.get(MAP_SOURCE) == "panel", "loading the folder draws the folder's map again"

    def test_the_other_outlines_are_there_to_draw_beside(self, admin: Person) -> None:
        with unit_of_work():
            make_area("990000002", middle=NEAR)
        answer = admin.get("/admin/settings/area-outlines.json?level=area&but=990000002")
        assert [area["code"] for area in answer.get_json()["areas"]] == ["990000001"]
