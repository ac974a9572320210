"""One report on one screen: what it shows to whom, and that a resident's words stay words."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.extensions import db
from district.notifications.models import Delivery, Notification
from district.people.models import AuditEntry
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import Photo
from district.reports.states import Status
from district.routing import service as routing
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.factories import MIDDLE, SmallDistrict, make_facility, make_report, make_staff

NASTY = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>{{ 7*7 }}'; javascript:alert(3)"


def test_a_residents_text_stays_text_wherever_it_is_shown(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.RESOLVED, description=NASTY, address=NASTY[:190], contact=NASTY[:90])
    with unit_of_work():
        reports.comment(reports.lock(report.id), by=district.resident, text=NASTY)
        make_facility(district.lamps, name=NASTY, address=NASTY)
    lead = log_in("shift_lead")
    pages = [
        lead.get(f"/admin/reports/{report.number}"), lead.get(f"/admin/reports/{report.number}/print"),
        lead.get(f"/admin/reports/{report.number}/do/verify"), lead.get("/admin/?tab=all"),
        lead.post(f"/admin/reports/{report.number}/contact"),
        lead.get("/admin/", query_string={"tab": "all", "q": NASTY}),
        lead.get(f"/admin/nearby?latitude={MIDDLE[0]}&longitude={MIDDLE[1]}"), lead.get("/admin/facilities"),
        lead.get("/admin/places", query_string={"place": "<script>"}),
        lead.act(report, "refuse_verification", note="", photos=""), lead.get("/admin/reports/new"),
    ]  # fmt: skip
    for page in pages:
        assert page.status_code in (200, 422)
        assert "<script>alert" not in page.text
        assert not re.search(r"<img[^>]*onerror", page.text)
    assert "&lt;script&gt;alert(1)" in pages[0].text
    assert "{{ 7*7 }}" in pages[0].text


class TestContact:
    @pytest.fixture
    def number(self, district: SmallDistrict) -> str:
        return make_report(district, Status.ASSIGNED, contact="13845700001").number

    @pytest.mark.parametrize("who", ["acceptor", "dispatcher", "shift_lead", "handler", "unit_manager"])
    def test_who_needs_it_sees_it_masked_and_may_ask_for_all_of_it(
        self, district: SmallDistrict, log_in: LogIn, number: str, who: str
    ) -> None:
        person = log_in(who)
        page = person.get(f"/admin/reports/{number}").text
        assert "138****0001" in page
        assert "13845700001" not in page
        assert db.session.scalar(select(AuditEntry.id).where(AuditEntry.action == "report.contact_read")) is None
        answer = person.post(f"/admin/reports/{number}/contact")
        assert "13845700001" in answer.text
        rows = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "report.contact_read")).all()
        assert [row.staff_id for row in rows] == [district.staff[who].id]
        assert "13845700001" not in str(rows[0].detail)

    def test_the_answer_to_a_script_is_the_contact_alone(self, log_in: LogIn, number: str) -> None:
        person = log_in("acceptor")
        answer = person._ask(person.client.post, f"/admin/reports/{number}/contact", headers={"HX-Request": "true"})
        assert "13845700001" in answer.text
        assert "<html" not in answer.text

    @pytest.mark.parametrize("who", ["verifier", "inspector", "leader", "administrator"])
    def test_nobody_else_gets_any_of_it(self, log_in: LogIn, number: str, who: str) -> None:
        person = log_in(who)
        for part in ("", "/print"):
            page = person.get(f"/admin/reports/{number}{part}").text
            assert "138****" not in page
            assert "13845700001" not in page
        assert person.post(f"/admin/reports/{number}/contact").status_code == 403
        assert db.session.scalar(select(AuditEntry.id).where(AuditEntry.action == "report.contact_read")) is None

    def test_another_units_handler_does_not_even_find_it(self, log_in: LogIn, number: str) -> None:
        assert log_in("street").post(f"/admin/reports/{number}/contact").status_code == 404

    def test_a_unit_with_a_part_in_it_does_not_get_it(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.SUBMITTED, contact="13845700001")
        with unit_of_work():
            reports.assign(
                reports.lock(report.id), district.lamps.id, by=district.staff["dispatcher"],
                other_units=[(district.street.id, "co")],
            )  # fmt: skip
        person = log_in("street")
        assert person.get(f"/admin/reports/{report.number}").status_code == 200
        assert person.post(f"/admin/reports/{report.number}/contact").status_code == 403

    def test_the_openid_is_on_no_page(self, district: SmallDistrict, log_in: LogIn, number: str) -> None:
        for who in ("dispatcher", "handler", "administrator"):
            assert str(district.resident.openid) not in log_in(who).get(f"/admin/reports/{number}").text


class TestRouting:
    def test_the_story_names_the_rule_that_won_and_why_others_lost(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.SUBMITTED)
        with unit_of_work():
            assert routing.route_waiting() == 1
        db.session.refresh(report)
        assert report.unit_id == district.lamps.id
        said = words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
        assert "由路灯班组负责，所以派给他们" in said
        assert "R1：派给路灯班组" in said
        assert "R2：本来给中心街道办，但排在后面" in said
        assert "依据的信息" in said
        assert "路灯异常 (01037)" in said

    def test_a_proposal_is_one_tap_away(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.SUBMITTED, category_code="", description="说不清楚的事")
        with unit_of_work():
            routing.route_waiting()
        db.session.refresh(report)
        assert report.status == Status.TRIAGE
        person = log_in("dispatcher")
        page = person.get(f"/admin/reports/{report.number}").text
        form = re.search(r'<section class="card pad call-out".*?</section>', page, re.DOTALL)
        assert form is not None
        assert "派给中心街道办" in form[0]
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
        answer = person.post(f"/admin/reports/{report.number}/do/assign", **fields)
        assert answer.status_code == 302
        db.session.refresh(report)
        assert (report.status, report.unit_id) == (Status.ASSIGNED, district.street.id)
        assert "call-out" not in person.get(f"/admin/reports/{report.number}").text

    def test_the_likeliest_units_come_first_in_the_picker(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.SUBMITTED, category_code="", description="说不清楚的事")
        with unit_of_work():
            routing.route_waiting()
        form = (
            log_in("dispatcher").get(f"/admin/reports/{report.number}/do/assign", headers={"HX-Request": "true"}).text
        )
        units = re.findall(r'name="unit" value="(\d+)"( checked)?', form)
        assert units[0] == (str(district.street.id), " checked")
        assert len(units) == len({unit for unit, _ in units}) == 3


class TestWhatWasTold:
    def test_the_page_says_of_each_message_whether_it_arrived(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.CLOSED)
        rows = db.session.scalars(select(Notification).order_by(Notification.id)).all()
        assert [row.kind for row in rows] == ["assigned", "accepted", "resolved", "closed"]
        with unit_of_work():
            first, _, second, third = rows
            first.delivery, first.sent_at, first.channel = Delivery.SENT, clock.now(), "template"
            second.delivery, second.last_error, second.tries = Delivery.FAILED, "45047: response count limit", 7
            third.delivery, third.last_error = Delivery.NOT_POSSIBLE, "no channel"
        said = words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
        assert "已送达微信" in said
        assert "模板消息" in said
        assert "发送失败" in said
        assert "连续发送的条数到了上限（微信 45047）" in said
        assert "试了 7 次" in said
        assert "微信暂时发不到，页面上可看" in said
        assert "no channel" not in said

    def test_a_report_by_nobody_known_says_so(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            report = reports.submit(
                reports.NewReport(source=reports.Source.STAFF, description="电话里说的"), by=district.staff["acceptor"]
            )
            number = report.number
        assert "没有绑定微信" in log_in("acceptor").get(f"/admin/reports/{number}").text


def test_the_history_tells_every_step_with_its_actor(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.CLOSED)
    with unit_of_work():
        reports.rate(reports.lock(report.id), by=district.resident, solved=True, stars=4, text="还行")
    said = words_of(log_in("leader").get(f"/admin/reports/{report.number}"))
    history = said[said.index("办理过程") :]
    steps = ["已评价", "核查通过，已结案", "路灯班组已处理完", "路灯班组已接手", "自动派给路灯班组", "已收到上报"]
    assert [history.index(step) for step in steps] == sorted(history.index(step) for step in steps)
    assert "路灯班组 员工lamps" in history
    assert "待核查 → 已结案" in history
    assert "4 星" in history


def test_before_and_after_are_told_apart(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.CLOSED)
    with unit_of_work():
        for number, purpose in enumerate(("before", "after", "check")):
            db.session.add(
                Photo(token=f"token{number}", report_id=report.id, purpose=purpose, state="kept", digest="d" * 64,
                      created_at=clock.now())
            )  # fmt: skip
        db.session.add(
            Photo(token="coming", report_id=report.id, state="waiting", media_id="m", created_at=clock.now())
        )
    page = log_in("verifier").get(f"/admin/reports/{report.number}").text
    strips = re.findall(r"<figcaption>([^<]+)</figcaption>\s*<ul.*?/photos/(\w+)/page\.jpg", page, re.DOTALL)
    assert strips == [("处理前", "token0"), ("处理后", "token1"), ("核查", "token2")]
    assert "coming" not in page
    assert "还有 1 张照片正从微信取回" in page


class TestPrint:
    def test_the_work_order_holds_what_the_crew_needs(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED, address="人民路 8 号", contact="13845700001")
        answer = log_in("handler").get(f"/admin/reports/{report.number}/print")
        said = words_of(answer)
        for words in ("城市管理工单", report.number, "路灯异常", "路灯班组", "人民路 8 号", "路灯不亮", "138****0001",
                      "处置人员", "责任单位负责人", "核查人员", "中心街道"):  # fmt: skip
            assert words in said
        assert "13845700001" not in answer.text

    def test_its_code_leads_to_the_report(self, app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
        zxing = pytest.importorskip("zxingcpp")
        report = make_report(district, Status.ASSIGNED)
        page = log_in("dispatcher").get(f"/admin/reports/{report.number}/print").text
        drawn = re.search(r'<svg class="square-code".*?</svg>', page, re.DOTALL)
        assert drawn is not None
        found = zxing.read_barcodes(_raster(drawn[0]))
        assert [code.text for code in found] == [f"http://district.test/admin/reports/{report.number}"]


def _raster(svg: str) -> object:
    """Draw the squares of a QR code's SVG path: every module is a 1 × 1 box given as M x,y H x V y H x z."""
    from PIL import Image, ImageDraw

    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    scale = 8 / (float(box[1]) / round(float(box[1])))
    image = Image.new("L", (round(float(box[1]) * scale), round(float(box[2]) * scale)), 255)
    draw = ImageDraw.Draw(image)
    for x, y, right, down in re.findall(r"M([\d.]+),([\d.]+)H([\d.]+)V([\d.]+)H[\d.]+z", svg):
        draw.rectangle([float(x) * scale, float(y) * scale, float(right) * scale - 1, float(down) * scale - 1], fill=0)
    return image


def test_the_responsible_units_reopened_report_shows_its_counts(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.CLOSED)
    log_in("acceptor").act(report, "reopen", text="又坏了")
    said = words_of(log_in("handler").get(f"/admin/reports/{report.number}"))
    assert "重办 1 次" in said
    assert "又坏了" in said


def test_a_reopening_that_comes_too_late_is_explained(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.CLOSED)
    with clock.frozen_at(clock.now() + timedelta(days=40)):
        answer = log_in("acceptor").act(report, "reopen", text="又坏了")
    assert answer.status_code == 409
    assert "又坏了" in answer.text
    assert "天" in words_of(answer)


def test_the_whole_page_speaks_english(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.CLOSED, contact="13845700001")
    with unit_of_work():
        reader = make_staff("reader", district.command, Role.SHIFT_LEAD)
    person = Person(app).sit_down(reader)
    page = person.get(f"/admin/reports/{report.number}?lang=en").text
    own = re.sub(
        r"(?<=>)员(?=<)|路灯班组|路灯不亮|员工[a-z-]+|指挥中心|中心街道\w?|换了灯泡|市政公用设施类|中文|闭环", "", page
    )
    texts = re.sub(r"<script.*?</script>|<[^>]+>", "", own, flags=re.DOTALL)
    assert re.findall(r"[\u4e00-\u9fff]+", texts) == []
