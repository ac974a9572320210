"""Two people on one report: they see each other and each other's changes, and call colleagues by name."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.categories.models import Urgency
from district.extensions import db
from district.notices.models import StaffNotice
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, shown, words_of
from tests.factories import MIDDLE, SmallDistrict, make_facility, make_report, make_staff


class TestPresence:
    @pytest.fixture
    def env(self, env: dict[str, str], redis_url: str) -> dict[str, str]:
        return env | {"REDIS_URL": redis_url}

    def test_each_sees_the_other_and_what_they_fill_in(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        path = f"/admin/reports/{report.number}/here"
        one, other = log_in("dispatcher"), log_in("shift_lead")
        assert "员工" not in one.post(path, **shown(report)).text
        assert "员工dispatcher 正在看这一件" in words_of(other.post(path, **shown(report)))
        other.post(path, doing="assign", **shown(report))
        assert "员工shift-lead 正在填写“派遣”" in words_of(one.post(path, **shown(report)))
        assert other.post(path, left="1").status_code == 204
        assert "员工shift-lead" not in one.post(path, **shown(report)).text

    def test_what_somebody_else_did_meanwhile_is_said(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        path, before = f"/admin/reports/{report.number}/here", shown(report)
        one, other = log_in("dispatcher"), log_in("shift_lead")
        other.act(report, "assign", unit=str(district.street.id))
        said = words_of(one.post(path, **before))
        assert "员工shift-lead" in said
        assert "看最新的" in said
        assert "您可以接着写" in words_of(one.post(path, doing="reject", **before))
        # Whoever did it need not be told.
        assert "看最新的" not in words_of(other.post(path, **before))

    def test_a_strange_word_for_what_one_does_means_looking(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        path = f"/admin/reports/{report.number}/here"
        log_in("dispatcher").post(path, doing="<b>x")
        assert "员工dispatcher 正在看这一件" in words_of(log_in("shift_lead").post(path))

    def test_another_units_report_tells_nothing(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        assert log_in("street").post(f"/admin/reports/{report.number}/here").status_code == 404


def test_without_the_queue_server_changes_are_still_said(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.TRIAGE)
    before = shown(report)
    log_in("shift_lead").act(report, "assign", unit=str(district.street.id))
    answer = log_in("dispatcher").post(f"/admin/reports/{report.number}/here", **before)
    assert answer.status_code == 200
    assert "看最新的" in answer.text


class TestStaleEdit:
    def test_both_versions_are_shown_and_one_more_tap_sends_it(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.TRIAGE)
        before = shown(report)
        log_in("acceptor").act(report, "correct", address="人民路 1 号")
        one = log_in("dispatcher")
        answer = one.post(f"/admin/reports/{report.number}/do/correct", address="新华路 2 号", **before)
        assert answer.status_code == 409
        said = words_of(answer)
        assert "员工acceptor" in said
        assert "别人已改成：人民路 1 号" in said
        assert 'value="新华路 2 号"' in answer.text
        db.session.refresh(report)
        assert report.address == "人民路 1 号"
        again = one.act(report, "correct", address="新华路 2 号")
        assert again.status_code == 302
        db.session.refresh(report)
        assert report.address == "新华路 2 号"


class TestMentions:
    def told(self) -> set[int]:
        return set(db.session.scalars(select(StaffNotice.staff_id).where(StaffNotice.kind == "mentioned")))

    def test_whoever_is_called_is_told_and_no_resident_reads_it(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        assert one.act(report, "comment", text="@员工lamps-m 请看，@员工verifier也看看").status_code == 302
        assert self.told() == {district.staff["unit_manager"].id, district.staff["verifier"].id}
        assert "员工dispatcher在内部备注里提到了您" in log_in("verifier").get("/admin/notices").text
        assert "<b>@员工lamps-m</b>" in one.get(f"/admin/reports/{report.number}").text
        key = db.session.get_one(type(report), report.id).access_key
        assert "请看" not in app.test_client().get(f"/r/{report.number}?key={key}").text

    def test_a_public_note_calls_nobody(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        log_in("dispatcher").act(report, "comment", text="@员工verifier", public="1")
        assert self.told() == set()

    def test_who_cannot_see_the_report_is_neither_offered_nor_told(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        form = one.get(f"/admin/reports/{report.number}/do/comment").text
        assert 'data-mention="员工lamps"' in form
        assert 'data-mention="员工street"' not in form
        one.act(report, "comment", text="@员工street 请看")
        assert self.told() == set()

    def test_two_of_one_name_are_told_apart(self, district: SmallDistrict, log_in: LogIn) -> None:
        with unit_of_work():
            first = make_staff("wang1", district.lamps, Role.HANDLER)
            second = make_staff("wang2", district.lamps, Role.HANDLER)
            first.name = second.name = "王伟"
        report = make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        assert 'data-mention="王伟(wang2)"' in one.get(f"/admin/reports/{report.number}/do/comment").text
        one.act(report, "comment", text="@王伟(wang2) 请看")
        assert self.told() == {second.id}


class TestHelpingUnits:
    def test_a_unit_is_asked_to_help_told_and_taken_off_again(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        one, street = log_in("dispatcher"), Person(app).sit_down(district.staff["street"])
        assert street.get(f"/admin/reports/{report.number}").status_code == 404
        assert one.act(report, "add_co", unit=str(district.street.id), note="把路围上").status_code == 302
        assert "中心街道办要协办这一件" in street.get("/admin/notices").text
        assert "把路围上" in street.get(f"/admin/reports/{report.number}").text
        assert "已经在协办了" in one.act(report, "add_co", unit=str(district.street.id)).text
        assert one.act(report, "remove_co", unit=str(district.street.id), reason="").status_code == 422
        assert one.act(report, "remove_co", unit=str(district.street.id), reason="不用了").status_code == 302
        assert street.get(f"/admin/reports/{report.number}").status_code == 404

    def test_what_is_done_stays(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        one.act(report, "add_co", unit=str(district.street.id))
        assert log_in("street").act(report, "finish_part", note="围好了").status_code == 302
        assert one.act(report, "remove_co", unit=str(district.street.id), reason="不用了").status_code == 409


class TestSplitting:
    def test_the_second_thing_is_a_report_of_the_same_resident(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED, contact="13845700001")
        one = log_in("dispatcher")
        assert one.act(report, "split", description="井盖也坏了").status_code == 302
        second = db.session.scalars(select(type(report)).order_by(type(report).id.desc())).first()
        assert second is not None
        assert (second.description, second.status, second.resident_id) == (
            "井盖也坏了", Status.SUBMITTED, report.resident_id,
        )  # fmt: skip
        assert second.latitude == report.latitude
        assert second.contact_sealed == report.contact_sealed
        kinds = select(ReportEvent.report_id).where(ReportEvent.kind == "split")
        assert set(db.session.scalars(kinds)) == {report.id, second.id}
        assert second.number in one.get(f"/admin/reports/{report.number}").text
        db.session.refresh(report)
        assert report.status == Status.ASSIGNED

    def test_without_words_nothing_is_split(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        answer = log_in("dispatcher").act(report, "split", description=" ")
        assert answer.status_code == 422
        assert "另一件是什么事" in answer.text
        with unit_of_work():
            assert reports.lock(report.id).status == Status.ASSIGNED
        assert len(db.session.scalars(select(type(report).id)).all()) == 1


class TestOnTheSpot:
    @pytest.mark.parametrize(
        ("north", "said", "far"), [(0.0003, "在现场，相距 33 米", None), (0.01, "不在现场，相距 1113 米", True)]
    )
    def test_how_far_a_check_was_is_kept_but_not_where(
        self, district: SmallDistrict, log_in: LogIn, north: float, said: str, far: bool | None
    ) -> None:
        report = make_report(district, Status.RESOLVED)
        one = log_in("verifier")
        place = {"at_latitude": f"{MIDDLE[0] + north:.6f}", "at_longitude": f"{MIDDLE[1]:.6f}"}
        assert one.act(report, "verify", **place).status_code == 302
        event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == "verified")).one()
        assert event.data.get("far") is far
        assert place["at_latitude"] not in str(event.data)
        assert said in words_of(one.get(f"/admin/reports/{report.number}"))

    def test_it_may_be_left_out(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.RESOLVED)
        assert log_in("verifier").act(report, "refuse_verification", note="还不亮").status_code == 302
        event = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == "verification_refused")).one()
        assert event.data == {}

    def test_nonsense_is_refused_and_the_words_stay(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.RESOLVED)
        answer = log_in("verifier").act(report, "refuse_verification", note="还不亮", at_latitude="x", at_longitude="1")
        assert answer.status_code == 422
        assert "还不亮" in answer.text


class TestAround:
    def test_open_reports_and_facilities_nearby_are_on_the_map_and_named(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        report, near = make_report(district, Status.ASSIGNED), make_report(district, latitude=MIDDLE[0] + 0.0005)
        make_report(district, latitude=MIDDLE[0] + 0.01)  # too far
        make_report(district, Status.REJECTED)  # over
        with unit_of_work():
            lamp = make_facility(district.lamps, latitude=MIDDLE[0] + 0.0004)
            make_facility(district.lamps, latitude=MIDDLE[0] + 0.01)
        one = log_in("dispatcher")
        pins = one.get(f"/admin/reports/{report.number}/around/reports.json").get_json()["reports"]
        assert [pin["detail"].split()[0] for pin in pins] == [near.number]
        dots = one.get(f"/admin/reports/{report.number}/around/facilities.json").get_json()["facilities"]
        assert [dot["code"] for dot in dots] == [lamp.code17]
        page = words_of(one.get(f"/admin/reports/{report.number}"))
        assert f"{near.number} · 相距 56 米" in page
        assert lamp.name in page

    def test_nobody_sees_another_units_report_that_way(self, district: SmallDistrict, log_in: LogIn) -> None:
        mine, other = make_report(district, Status.ASSIGNED), make_report(district)
        with unit_of_work():
            reports.assign(reports.lock(other.id), district.street.id, by=reports.SYSTEM)
        one = log_in("handler")
        assert one.get(f"/admin/reports/{mine.number}/around/reports.json").get_json() == {"reports": []}
        assert one.get(f"/admin/reports/{other.number}/around/reports.json").status_code == 404
        assert one.get(f"/admin/reports/{other.number}/around/facilities.json").status_code == 404


class TestNext:
    def test_the_next_one_of_my_work_and_round_again(self, district: SmallDistrict, log_in: LogIn) -> None:
        numbers = {make_report(district, Status.TRIAGE).number for _ in range(2)}
        make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        first = one.get("/admin/next").get_json()["address"].rpartition("/")[2]
        second = one.get("/admin/next", query_string={"after": first}).get_json()["address"].rpartition("/")[2]
        assert {first, second} == numbers
        assert one.get("/admin/next", query_string={"after": second}).get_json()["address"].endswith(first)

    def test_there_may_be_none(self, district: SmallDistrict, log_in: LogIn) -> None:
        only = make_report(district, Status.TRIAGE)
        assert log_in("dispatcher").get(f"/admin/next?after={only.number}").get_json() == {"address": None}
        assert log_in("leader").get("/admin/next").get_json() == {"address": None}


class TestAlarm:
    def test_only_new_critical_reports_that_one_may_see(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_report(district)
        critical = make_report(district, urgency=Urgency.CRITICAL)
        since = {"since": str(clock.now().timestamp())}
        heard = log_in("dispatcher").get("/admin/alarm", query_string=since).get_json()["reports"]
        assert [one["number"] for one in heard] == [critical.number]
        assert log_in("handler").get("/admin/alarm", query_string=since).get_json()["reports"] == []
        with clock.frozen_at(clock.now() + timedelta(minutes=5)):
            later = {"since": str(clock.now().timestamp())}
            assert log_in("dispatcher").get("/admin/alarm", query_string=later).get_json()["reports"] == []

    @pytest.mark.parametrize("since", ["", "x", "nan", "1e99", "-1e18"])
    def test_nonsense_means_now(self, district: SmallDistrict, log_in: LogIn, since: str) -> None:
        assert log_in("dispatcher").get("/admin/alarm", query_string={"since": since}).status_code == 200


class TestMovingToAnotherUnit:
    def test_it_needs_a_reason_and_keeps_it(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        one = log_in("dispatcher")
        form = one.get(f"/admin/reports/{report.number}/do/assign").text
        assert "为什么从路灯班组改派" in form
        answer = one.act(report, "assign", unit=str(district.street.id), note=" ")
        assert answer.status_code == 422
        assert "请写明为什么改派" in answer.text
        assert f'value="{district.street.id}" checked' in answer.text
        assert one.act(report, "assign", unit=str(district.street.id), note="灯是街道装的").status_code == 302
        assert "灯是街道装的" in one.get(f"/admin/reports/{report.number}").text
