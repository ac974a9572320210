"""Staff, units, facilities, messages and the audit log."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.extensions import db
from district.facilities import service as facilities
from district.facilities.models import FacilityToken
from district.notifications.models import Delivery, Notification
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.factories import PASSWORD, SmallDistrict, make_facility, make_report

NEW = {"name": "王小明", "username": "wang-xm", "unit": "SZ-LD", "roles": ["handler", "unit_manager"]}


def link_on(text: str) -> str:
    found = re.search(r'id="fresh-link">http://district\.test(/admin/password/[\w-]+)<', text)
    assert found is not None
    return found[1]


class TestStaff:
    def test_a_new_colleague_comes_in_by_a_link_that_is_shown_once(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        admin = log_in("administrator")
        assert admin.post("/admin/staff/new", **NEW).location == "/admin/staff"
        link = link_on(admin.get("/admin/staff").text)
        assert "fresh-link" not in admin.get("/admin/staff").text
        added = db.session.scalars(select(Staff).where(Staff.username == "wang-xm")).one()
        assert (added.unit_id, added.roles) == (district.lamps.id, {Role.HANDLER, Role.UNIT_MANAGER})
        assert added.password_hash is None
        newcomer = Person(app)
        newcomer.post(link, password="a-new-long-one-1", again="a-new-long-one-1")
        assert "王小明" in newcomer.get("/admin/").text

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"name": " "}, "请填写姓名"),
            ({"roles": []}, "请至少选一个角色"),
            ({"roles": ["king"]}, "请至少选一个角色"),
            ({"unit": "nope"}, "没有这个单位"),
            ({"username": "lamps"}, "已经有人用了"),
            ({"username": "王小明"}, "请用字母和数字"),
            ({"username": ""}, "已经有人用了"),
        ],
    )
    def test_a_mistake_is_named_and_nothing_is_lost(
        self, district: SmallDistrict, log_in: LogIn, changes: dict[str, str], said: str
    ) -> None:
        before = db.session.query(Staff).count()
        answer = log_in("administrator").post("/admin/staff/new", **(NEW | changes))
        assert answer.status_code == 422
        assert said in answer.text
        if "name" not in changes:
            assert 'value="王小明"' in answer.text
        if "roles" not in changes:
            assert re.search(r'value="handler" checked', answer.text)
        assert db.session.query(Staff).count() == before

    def test_an_account_ends_and_comes_back_without_its_old_password(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        handler = district.staff["handler"]
        admin = log_in("administrator")
        admin.post(f"/admin/staff/{handler.id}/password-link")
        link = link_on(admin.get("/admin/staff").text)
        assert admin.post(f"/admin/staff/{handler.id}/end").status_code == 302
        assert Person(app).get(link).status_code == 404
        assert "员工lamps " not in words_of(admin.get("/admin/staff?q=lamps"))
        assert "员工lamps " in words_of(admin.get("/admin/staff?gone=1"))
        admin.post(f"/admin/staff/{handler.id}/restore")
        assert Person(app).post("/admin/login", username="lamps", password=PASSWORD).status_code == 401
        assert Person(app).get(link_on(admin.get("/admin/staff").text)).status_code == 200

    def test_nobody_ends_their_own_account(self, district: SmallDistrict, log_in: LogIn) -> None:
        admin = log_in("administrator")
        own = district.staff["administrator"].id
        answer = admin.post(f"/admin/staff/{own}/end")
        assert answer.status_code == 403
        assert "不能停用自己的账号" in answer.text
        assert f"/admin/staff/{own}/end" not in admin.get("/admin/staff").text

    @pytest.mark.parametrize("act", ["password-link", "end", "restore"])
    def test_an_unknown_person_is_not_found(self, log_in: LogIn, act: str) -> None:
        assert log_in("administrator").post(f"/admin/staff/99999/{act}").status_code == 404

    def test_the_list_is_found_by_words_and_role(self, district: SmallDistrict, log_in: LogIn) -> None:
        admin = log_in("administrator")
        assert "共 1 人" in words_of(admin.get("/admin/staff?role=verifier"))
        assert "共 2 人" in words_of(admin.get("/admin/staff", query_string={"q": "路灯班组"}))
        assert "没有找到人员" in admin.get("/admin/staff", query_string={"q": "%"}).text

    def test_a_leader_reads_the_list_without_a_single_button(self, log_in: LogIn) -> None:
        page = log_in("leader").get("/admin/staff").text
        assert re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page) == ["/admin/logout"] * 2


class TestUnits:
    def test_each_unit_shows_how_much_it_has_to_do(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_report(district, Status.ASSIGNED)
        make_report(district, Status.CLOSED)
        with clock.frozen_at(clock.now() + timedelta(days=30)):
            page = log_in("leader").get("/admin/units", query_string={"q": "路灯"}).text
        row = re.search(r"<tr>.*?路灯班组.*?</tr>", page, re.DOTALL)
        assert row is not None
        # One open, one of it late, two people.
        assert [int(n) for n in re.findall(r'class="right number[^"]*">(?:<a[^>]*>)?(\d+)', row[0])] == [1, 1, 2]

    def test_an_unknown_word_finds_nothing(self, log_in: LogIn) -> None:
        assert "没有找到单位" in log_in("leader").get("/admin/units?q=xyz").text


class TestFacilities:
    def test_one_is_found_by_either_code_by_token_and_by_words(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            found = make_facility(district.lamps, name="东门路灯")
            make_facility(district.street, name="西门路灯")
            token = facilities.token_of(found.id)
        person = log_in("handler")
        for words in (found.code, found.code17, str(token).lower(), "东门", "路灯 东门"):
            page = person.get("/admin/facilities", query_string={"q": words}).text
            assert "东门路灯" in page, words
            assert "西门路灯" not in page, words

    def test_its_page_shows_code_work_and_log(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            found = make_facility(district.lamps)
            facilities.record_repair(found, by=district.staff["handler"], note="换了灯泡")
            code, facility_id = found.code17, found.id
        report = make_report(district, Status.ASSIGNED, facility_id=facility_id)
        answer = log_in("handler").get(f"/admin/facilities/{code}")
        assert report.number in answer.text
        assert "换了灯泡" in answer.text
        assert "square-code" in answer.text
        assert "data-district-map" in answer.text
        # Another unit sees the facility, but not the report.
        assert report.number not in log_in("street").get(f"/admin/facilities/{code}").text

    def test_a_code_is_revoked_by_an_administrator_for_good(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            found = make_facility(district.lamps)
            other = make_facility(district.lamps)
            code, token, strange = found.code17, facilities.token_of(found.id), facilities.token_of(other.id)
        admin = log_in("administrator")
        address = f"/admin/facilities/{code}/revoke"
        assert log_in("shift_lead").post(address, token=token).status_code == 403
        assert admin.post(address, token=strange).status_code == 404, "a code of another facility"
        assert admin.post(address, token=token).status_code == 302
        rows = {row.token: row.revoked_at for row in db.session.scalars(select(FacilityToken))}
        assert rows[str(token)] is not None
        assert rows[str(strange)] is None
        page = admin.get(f"/admin/facilities/{code}").text
        assert "没有可用的二维码" in page
        assert "已作废" in page

    def test_an_unknown_code_is_not_found(self, log_in: LogIn) -> None:
        assert log_in("handler").get("/admin/facilities/123").status_code == 404


class TestMessages:
    @pytest.fixture
    def failed(self, district: SmallDistrict) -> int:
        make_report(district, Status.ASSIGNED)
        with unit_of_work():
            row = db.session.scalars(select(Notification)).one()
            row.delivery, row.last_error, row.tries, row.next_try_at = Delivery.FAILED, "40164: not on list", 7, None
            return row.id

    def test_what_failed_is_listed_with_its_reason(self, failed: int, log_in: LogIn) -> None:
        said = words_of(log_in("administrator").get("/admin/messages"))
        assert "服务器地址不在白名单里（微信 40164）" in said

    def test_trying_again_queues_it_anew_once(self, failed: int, log_in: LogIn) -> None:
        lead = log_in("shift_lead")
        assert lead.post(f"/admin/messages/{failed}/retry").status_code == 302
        row = db.session.get_one(Notification, failed)
        db.session.refresh(row)
        assert (row.delivery, row.tries) == (Delivery.QUEUED, 0)
        assert row.next_try_at is not None
        assert lead.post(f"/admin/messages/{failed}/retry").status_code == 409
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "notification.retry")).one()
        assert entry.detail == {"notification": failed}

    def test_a_good_day_has_nothing_here(self, district: SmallDistrict, log_in: LogIn) -> None:
        assert "没有发送失败的通知" in log_in("leader").get("/admin/messages").text


class TestAudit:
    def test_every_act_is_told_in_words_with_its_report(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.CLOSED)
        said = words_of(log_in("administrator").get("/admin/audit"))
        for words in ("接手", "报处理完", "核查通过", report.number, "员工lamps", "员工verifier"):
            assert words in said
        assert "report." not in said

    def test_it_is_narrowed_by_person_kind_report_and_day(self, district: SmallDistrict, log_in: LogIn) -> None:
        first, second = make_report(district, Status.CLOSED), make_report(district, Status.RESOLVED)
        admin = log_in("administrator")

        def rows(**query: str) -> int:
            page = admin.get("/admin/audit", query_string=query).text
            return len(re.findall(r"<tr><td", page))

        assert rows() == 5
        assert rows(report=first.number) == 3
        assert rows(report=second.number.lower()) == 2
        assert rows(report="nonsense") == 0
        assert rows(who=str(district.staff["verifier"].id)) == 1
        assert rows(what="staff") == 0
        assert rows(what="report") == 5
        assert rows(what="evil' or 1") == 5
        today = f"{clock.now():%Y-%m-%d}"
        assert rows(since="2020-01-01", until="2020-01-02") == 0
        assert rows(since="2020-01-01") == 5
        assert rows(since="not-a-day", until=today.replace("-", "/")) == 5

    def test_leafing_reaches_the_oldest(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            for number in range(120):
                db.session.add(AuditEntry(at=clock.now(), action="staff.login", subject=f"staff:{number}", detail={}))
        admin = log_in("administrator")
        address, seen = "/admin/audit", 0
        for _ in range(3):
            page = admin.get(address).text
            seen += len(re.findall(r"<tr><td", page))
            following = re.search(r'btn-more" href="([^"]+)"', page)
            if following is None:
                break
            address = following[1].replace("&amp;", "&")
        assert seen == 120
        assert following is None
