"""The rules in the panel: read by many, changed by the administrator, never without a dry run."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from district import settings
from district.extensions import db
from district.messages import t
from district.people.models import AuditEntry
from district.reference import reference
from district.reports.models import Report
from district.routing import service as routing
from district.routing.models import RoutingRule
from district.rules import versions
from district.rules.models import RulesVersion
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_area, make_report, make_rule, make_unit

NEW = {
    "code": "", "base": "0", "rule_id": "N1", "priority": "700", "category_codes": "01037", "major": "*",
    "facility_type": "*", "area_codes": "*", "condition": "text contains 倾斜", "unit": "@area.street",
    "role": "primary", "mode": "auto", "note": "歪了的街道先看",
}  # fmt: skip
R1 = NEW | {"code": "R1", "rule_id": "R1", "priority": "500", "condition": "", "unit": "CMD", "note": ""}


def hidden(answer: TestResponse, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found is not None
    return found[1]


def save(person: Person, fields: dict[str, str], do: str = "save") -> TestResponse:
    """Try, then do what the page offers after trying."""
    tried = person.post("/admin/rules/save", **fields | {"do": "try" if do == "save" else f"try-{do}"})
    assert tried.status_code == 200, words_of(tried)[:800]
    return person.post(
        "/admin/rules/save", **fields | {"do": do, "tried": hidden(tried, "tried"), "base": hidden(tried, "base")}
    )


def test_the_list_shows_every_rule_in_order_with_what_the_linter_says(district: SmallDistrict, log_in: LogIn) -> None:
    page = log_in("shift_lead").get("/admin/rules")
    assert re.findall(r"<b>(R\d)</b>", page.text) == ["R1", "R2", "R3"]
    words = words_of(page)
    for said in ("路灯异常 01037", "路灯班组", "属地街道或乡", "人工确认", "area is not null", "共 3 条规则"):
        assert said in words
    assert "加一条规则" not in words
    assert "加一条规则" in words_of(log_in("administrator").get("/admin/rules"))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=R2", ["R2"]),
        ("q=area", ["R2"]),
        ("category=01037", ["R1", "R2", "R3"]),
        ("unit=SZ-LD", ["R1"]),
        ("unit=@area.street", ["R2"]),
        ("area=990000001", ["R1", "R2", "R3"]),
        ("q=nothing", []),
    ],
)
def test_the_list_is_narrowed(district: SmallDistrict, log_in: LogIn, query: str, shown: list[str]) -> None:
    assert re.findall(r"<b>(R\d)</b>", log_in("administrator").get(f"/admin/rules?{query}").text) == shown


def test_a_rule_is_tried_then_saved_and_counts(district: SmallDistrict, log_in: LogIn) -> None:
    bent = make_report(district, description="路灯倾斜了")
    make_report(district, description="路灯不亮")
    admin = log_in("administrator")
    tried = admin.post("/admin/rules/save", **NEW | {"do": "try"})
    words = words_of(tried)
    assert "会变 1 件，其余 1 件不变" in words
    assert bent.number in words
    assert "路灯班组 (R1) → 中心街道办 (N1)" in words
    assert db.session.scalar(select(RoutingRule).where(RoutingRule.code == "N1")) is None
    answer = save(admin, NEW)
    assert answer.location == "/admin/rules/one/N1"
    assert "马上生效" in admin.get(answer.location).text
    assert reference().rules[0].code == "N1"
    audit = words_of(log_in("inspector").get("/admin/audit?what=rules"))
    assert "添加规则" in audit
    assert "第 " in audit


def test_nothing_is_saved_that_was_not_tried_as_it_is(district: SmallDistrict, log_in: LogIn) -> None:
    admin = log_in("administrator")
    tried = admin.post("/admin/rules/save", **NEW | {"do": "try"})
    changed = NEW | {"unit": "CMD", "do": "save", "tried": hidden(tried, "tried")}
    answer = admin.post("/admin/rules/save", **changed)
    assert "请先试算" in words_of(answer)
    assert 'value="CMD"' in answer.text
    assert len(reference().rules) == 3


def test_a_mistake_is_named_where_it_is_and_nothing_is_lost(district: SmallDistrict, log_in: LogIn) -> None:
    wrong = NEW | {"unit": "NOPE", "condition": "time in 25:00", "priority": "x", "do": "try"}
    answer = log_in("administrator").post("/admin/rules/save", **wrong)
    assert answer.status_code == 422
    for name in ("unit", "condition", "priority"):
        assert f'id="error-{name}"' in answer.text
    assert 'value="time in 25:00"' in answer.text
    assert "歪了的街道先看" in answer.text
    taken = log_in("administrator").post("/admin/rules/save", **NEW | {"rule_id": "R1", "do": "try"})
    assert (taken.status_code, "用过了" in taken.text) == (422, True)


def test_what_a_colleague_changed_meanwhile_is_shown_and_nothing_typed_is_lost(
    district: SmallDistrict, log_in: LogIn
) -> None:
    admin = log_in("administrator")
    assert save(admin, NEW).status_code == 302
    opened = hidden(admin.get("/admin/rules/one/R1"), "base")
    other = admin.get("/admin/rules/one/N1")
    assert save(admin, NEW | {"code": "N1", "note": "同事改的", "base": hidden(other, "base")}).status_code == 302
    mine = R1 | {"base": opened, "note": "我写的"}
    refused = save(admin, mine)
    assert refused.status_code == 409
    words = words_of(refused)
    for said in ("别人改过规则", "N1", "同事改的", "歪了的街道先看"):
        assert said in words
    assert "我写的" in refused.text
    again = save(admin, mine | {"base": hidden(refused, "base")})
    assert again.status_code == 302
    assert next(rule for rule in reference().rules if rule.code == "R1").note == "我写的"


def test_a_rule_is_retired_and_an_older_version_brought_back(district: SmallDistrict, log_in: LogIn) -> None:
    admin = log_in("administrator")
    save(admin, NEW)
    kept = versions.latest_number()
    retired = save(admin, R1 | {"base": str(kept)}, do="retire")
    assert retired.location == "/admin/rules"
    assert [rule.code for rule in reference().rules] == ["N1", "R2", "R3"]
    assert admin.get("/admin/rules/one/R1").status_code == 404
    page = words_of(admin.get("/admin/rules/versions"))
    assert page.count("在后台修改") == 2
    path = f"/admin/rules/versions/{kept}"
    assert "N1 新加" in words_of(admin.get(path))
    tried = admin.post(f"{path}/restore", do="try")
    assert "试算" in words_of(tried)
    assert len(reference().rules) == 3
    assert admin.post(f"{path}/restore", do="save", base=hidden(tried, "base")).status_code == 302
    assert [rule.code for rule in reference().rules] == ["N1", "R1", "R2", "R3"]
    stale = admin.post(f"{path}/restore", do="save", base=str(kept))
    assert (stale.status_code, "别人改过规则" in stale.text) == (409, True)
    assert "恢复第" in words_of(admin.get("/admin/rules/versions"))
    assert admin.get("/admin/rules/versions/9999").status_code == 404
    # Units count the same number up: a decision made then leads to the version that was in force.
    with unit_of_work():
        settings.changed("rules")
    forget_reference()
    between = reference().rules_version
    assert admin.get(f"/admin/rules/versions/{between}").location == f"/admin/rules/versions/{versions.latest_number()}"


def test_others_read_and_cannot_change(district: SmallDistrict, log_in: LogIn) -> None:
    for who in ("shift_lead", "dispatcher", "leader"):
        person = log_in(who)
        page = person.get("/admin/rules/one/R1").text
        assert 'value="save"' not in page
        assert 'value="try"' not in page
        assert person.post("/admin/rules/save", **NEW | {"do": "save"}).status_code == 403
        assert person.post("/admin/rules/versions/1/restore", do="save").status_code == 403
    assert log_in("handler").get("/admin/rules").status_code == 403
    assert db.session.scalar(select(RulesVersion)) is None
    assert db.session.scalar(select(AuditEntry).where(AuditEntry.action.like("rules.%"))) is None


# ---------------------------------------------------------------- where would this go?

TRY = {"text": "门口路灯不亮了", "latitude": "50.426", "longitude": "124.1262"}


def test_it_shows_where_and_why_and_files_nothing(district: SmallDistrict, log_in: LogIn) -> None:
    desk = log_in("dispatcher")
    words = words_of(desk.post("/admin/where", **TRY))
    for said in ("会派给 路灯班组", "按规则 R1 派给路灯班组", "地点在中心街道", "从文字看是“路灯异常”", "没有立案"):
        assert said in words
    by_category = words_of(desk.post("/admin/where", **TRY | {"text": "", "category": "01037"}))
    assert "类别是“路灯异常”，上报时就选好了" in by_category
    unsure = words_of(desk.post("/admin/where", **TRY | {"text": "这里很乱"}))
    assert "交给派遣员，建议 中心街道办" in unsure
    assert db.session.scalar(select(Report)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "请说说是什么问题"),
        ({"latitude": "40", "longitude": "116"}, "不在本区"),
        ({"facility": "123"}, "没有"),
        ({"latitude": "x"}, "地点"),
        ({"at": "tomorrow"}, "需要改"),
    ],
)
def test_what_cannot_be_tried_is_said(
    district: SmallDistrict, log_in: LogIn, changes: dict[str, str], said: str
) -> None:
    answer = log_in("dispatcher").post("/admin/where", **TRY | changes)
    assert answer.status_code == 422
    assert said in words_of(answer)


def test_a_rule_for_the_night_is_tried_at_night(district: SmallDistrict, log_in: LogIn) -> None:
    save(log_in("administrator"), NEW | {"condition": "time in 22:00..06:00"})
    desk = log_in("dispatcher")
    assert "按规则 N1" in words_of(desk.post("/admin/where", **TRY | {"at": "2026-11-26T23:30"}))
    assert "按规则 R1" in words_of(desk.post("/admin/where", **TRY | {"at": "2026-11-26T12:00"}))


def test_the_reports_page_tells_the_decision_as_a_story(
    district: SmallDistrict, log_in: LogIn, client: FlaskClient
) -> None:
    report = make_report(district)
    with unit_of_work():
        routing.route_waiting()
    page = words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
    assert "类别是“路灯异常”，上报时就选好了。地点在中心街道。按规则 R1 派给路灯班组。另有 2 条规则排在后面。" in page
    assert "判断模型" not in page


def test_on_a_border_the_dispatcher_is_offered_both_streets(district: SmallDistrict, log_in: LogIn) -> None:
    border = MIDDLE[1] + 0.02
    with unit_of_work():
        make_area("990000002", middle=(MIDDLE[0], border + 0.02), name="东边街道")
        make_unit("J002", kind="street", name="东边街道办", area_codes=["990000002"])
        make_rule("R0", "@area.street", priority=900)
    forget_reference()
    report = make_report(district, latitude=MIDDLE[0], longitude=border)
    with unit_of_work():
        routing.route_waiting()
    form = words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}/do/assign", headers={"HX-Request": "1"}))
    likely = form.partition(t("admin.pick.likely"))[2].partition(t("admin.pick.rest"))[0]
    assert "中心街道办" in likely
    assert "东边街道办" in likely
