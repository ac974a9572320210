"""The page of accuracy with its one way back, and triage settled in one tap."""

from __future__ import annotations

import pytest
from flask import Flask

from district import settings
from district.extensions import db
from district.learning import habits, versions
from district.learning.models import ModelState, ModelVersion
from district.people.models import AuditEntry
from district.reference import reference
from district.reports import service as reports
from district.reports.models import EventKind, Report
from district.reports.states import Status
from district.routing import service as routing
from district.understanding import store
from district.understanding.material import Utterance
from district.understanding.training import fit
from district.work import unit_of_work
from tests.admin.conftest import LogIn, shown, words_of
from tests.factories import SmallDistrict, forget_reference, make_category, make_report, make_rule


@pytest.fixture
def covers(district: SmallDistrict) -> None:
    """A second category, whose reports the street's office gets."""
    with unit_of_work():
        make_category("01001", name="井盖异常", name_en="manhole cover", keywords=["井盖"])
        make_rule("R4", "J001", category_codes=["01001"])
    forget_reference()


def bring(*texts: str) -> int:
    """Weights as a folder brings them; the number of their version."""
    with unit_of_work():
        lines = tuple(Utterance(text, "01037", "report", "normal") for text in texts)
        store.keep(fit(store.material(reference()), lines).pack())
        settings.changed("settings")
        found = versions.adopt()
        assert found is not None
        return found.id


def test_the_page_says_how_it_is(district: SmallDistrict, covers: None, log_in: LogIn) -> None:
    bring("路灯不亮")
    for _ in range(6):
        report = make_report(district)
        with unit_of_work():
            routing.route_waiting()
        with unit_of_work():
            reports.assign(reports.lock(report.id), district.street.id, by=district.staff["dispatcher"])
    found = habits.count(reference())
    with unit_of_work():
        habits.keep(found)
    page = log_in("leader").get("/admin/accuracy")
    words = words_of(page)
    assert page.status_code == 200
    assert "100.0%" in words
    assert "最近 6 件中 6 件" in words
    assert "第 1 版" in words
    assert "正在用" in words
    # Leaders look; they have no button.
    assert "/use" not in page.text
    assert log_in("handler").get("/admin/accuracy").status_code == 403


def test_one_click_puts_an_older_version_in_use(district: SmallDistrict, log_in: LogIn) -> None:
    first = bring("路灯不亮")
    second = bring("路灯不亮", "灯灭了")
    boss = log_in("administrator")
    assert f"/admin/accuracy/models/{first}/use" in boss.get("/admin/accuracy").text
    assert f"/admin/accuracy/models/{second}/use" not in boss.get("/admin/accuracy").text
    assert boss.post(f"/admin/accuracy/models/{first}/use").status_code == 302
    assert db.session.get_one(ModelVersion, first).state == ModelState.IN_USE
    assert db.session.get_one(ModelVersion, second).state == ModelState.RETIRED
    assert "退回" in words_of(boss.get("/admin/accuracy"))
    assert boss.post(f"/admin/accuracy/models/{first}/use").status_code == 409
    assert boss.post("/admin/accuracy/models/999/use").status_code == 404
    assert log_in("dispatcher").post(f"/admin/accuracy/models/{second}/use").status_code == 403
    audited = words_of(boss.get("/admin/audit?what=model"))
    assert "换用模型版本" in audited
    assert db.session.query(AuditEntry).filter_by(action="model.use").count() == 1


def test_very_old_versions_cannot_be_put_in_use(district: SmallDistrict, log_in: LogIn) -> None:
    numbers = [bring(*["路灯不亮"] * (n + 1)) for n in range(11)]
    boss = log_in("administrator")
    page = boss.get("/admin/accuracy").text
    usable = [number for number in numbers if f"/models/{number}/use" in page]
    assert usable == numbers[2:10]
    assert boss.post(f"/admin/accuracy/models/{numbers[0]}/use").status_code == 409


def in_triage(district: SmallDistrict, description: str) -> Report:
    return make_report(district, Status.TRIAGE, description=description, category_code="")


def test_one_tap_sets_the_category_and_sends_it_to_the_rules_unit(
    district: SmallDistrict, covers: None, log_in: LogIn
) -> None:
    report = in_triage(district, "路灯杆下的井盖响")
    desk = log_in("dispatcher")
    page = desk.get(f"/admin/reports/{report.number}")
    words = words_of(page)
    assert "最可能的类别" in words
    assert "派给中心街道办" in words
    assert "派给路灯班组" in words
    path = f"/admin/reports/{report.number}/settle"
    assert desk.post(path, category="01001", **shown(report)).status_code == 302
    db.session.refresh(report)
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.street.id)
    assert report.category is not None
    assert report.category.code == "01001"
    kinds = [event.kind for event in report.events]
    assert kinds[-2:] == [EventKind.CORRECTED, EventKind.ASSIGNED]
    assert report.events[-1].data["rule"] == "R4"
    assert "最可能的类别" not in words_of(desk.get(f"/admin/reports/{report.number}"))


def test_a_tap_on_a_stale_page_changes_nothing(district: SmallDistrict, covers: None, log_in: LogIn) -> None:
    report = in_triage(district, "井盖响")
    fields = shown(report)
    with unit_of_work():
        reports.comment(reports.lock(report.id), by=district.staff["acceptor"], text="已回电", is_public=False)
        reports.correct(reports.lock(report.id), by=district.staff["acceptor"], address="人民路")
    answer = log_in("dispatcher").post(f"/admin/reports/{report.number}/settle", category="01001", **fields)
    assert answer.status_code == 409
    assert "已回电" in words_of(answer)
    db.session.refresh(report)
    assert (report.status, report.category_id) == (Status.TRIAGE, None)


def test_a_category_without_a_rule_is_only_set(district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        make_category("06028", name="噪声扰民", name_en="noise", keywords=["太吵"])
        for rule in ("R2", "R3"):
            db.session.execute(db.text("update routing_rule set retired_at = :now where code = :code"),
                               {"now": "2026-01-01 00:00:00", "code": rule})  # fmt: skip
        settings.changed("rules")
    forget_reference()
    report = in_triage(district, "太吵了")
    desk = log_in("dispatcher")
    assert "只定类别" in words_of(desk.get(f"/admin/reports/{report.number}"))
    path = f"/admin/reports/{report.number}/settle"
    assert desk.post(path, category="06028", **shown(report)).status_code == 302
    db.session.refresh(report)
    assert report.status == Status.TRIAGE
    # Again: there is nothing left that one tap could do.
    assert desk.post(path, category="06028", **shown(report)).status_code == 422
    assert desk.post(path, category="nothing", **shown(report)).status_code == 422


def test_only_who_dispatches_settles(app: Flask, district: SmallDistrict, covers: None, log_in: LogIn) -> None:
    report = in_triage(district, "井盖响")
    for who in ("acceptor", "handler", "leader"):
        answer = log_in(who).post(f"/admin/reports/{report.number}/settle", category="01001", **shown(report))
        assert answer.status_code in (403, 404)
    db.session.refresh(report)
    assert report.status == Status.TRIAGE
