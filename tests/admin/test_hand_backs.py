"""The pages about whose a report is: hand-backs, what nobody looked at, notices, the roster, own parts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from admin import hand_backs
from district import clock, jobs
from district.duty.models import DutyShift, UnitAbsence
from district.extensions import db
from district.people.roles import Role
from district.reports import service as reports
from district.reports.models import EventKind, Photo, Report, ReportEvent, ReportUnit
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, shown, words_of
from tests.admin.test_actions import picture
from tests.factories import SmallDistrict, make_report, make_staff

HOUR = timedelta(hours=1)


def test_what_waits_for_a_ruling_is_shown_with_all_that_is_known(district: SmallDistrict, log_in: LogIn) -> None:
    first, second = make_report(district, Status.ASSIGNED), make_report(district, Status.ASSIGNED)
    unit, lead = log_in("handler"), log_in("dispatcher")
    form = words_of(unit.get(f"/admin/reports/{first.number}/do/hand_back", headers={"HX-Request": "true"}))
    assert "不是我们的设施" in form
    assert "前退回算按时" in form
    assert unit.act(first, "hand_back", reason="说不清").status_code == 422  # no reason of the list
    sent = {"reason_code": "not_our_area", "reason": "在街道辖区", "unit": str(district.street.id)}
    assert unit.act(first, "hand_back", **sent).status_code == 302
    said = words_of(lead.get("/admin/hand-backs"))
    for words in ("等待裁定 1", "不在我们的辖区", "在街道辖区", "建议给中心街道办", "没有同样的裁定"):
        assert words in said
    assert lead.act(first, "refuse_hand_back", ruling="灯杆归你们养护").status_code == 302
    # The next time the unit is told beforehand, and the dispatcher while ruling.
    form = words_of(unit.get(f"/admin/reports/{second.number}/do/hand_back", headers={"HX-Request": "true"}))
    assert "裁定过同样的事：归你们：灯杆归你们养护" in form.replace(" ：", "：")
    unit.act(second, "hand_back", reason_code="not_our_duty")
    for action in ("uphold_hand_back", "refuse_hand_back"):
        form = words_of(lead.get(f"/admin/reports/{second.number}/do/{action}", headers={"HX-Request": "true"}))
        assert "路灯班组退过，没有同意，仍归路灯班组" in form
    said = words_of(lead.get("/admin/hand-backs?days=7"))
    assert "同样的事裁定过归它" in said
    assert "派遣不满 5 次的不算率" in said
    assert "数量太少" in said
    # The other unit's people see neither the case nor the numbers.
    with unit_of_work():
        make_staff("street-m", district.street, Role.UNIT_MANAGER)
        other = db.session.merge(make_staff("street-m2", district.street, Role.UNIT_MANAGER))
    said = words_of(Person(unit.client.application).sit_down(other).get("/admin/hand-backs"))
    assert "路灯班组" not in said
    assert "没有等待裁定的退回" in said
    # The report's page says that a ruling is final.
    assert "裁定是最终的" in words_of(lead.get(f"/admin/reports/{first.number}"))


def test_a_precedent_is_shown_where_a_report_is_dispatched(district: SmallDistrict, log_in: LogIn) -> None:
    first = make_report(district, Status.ASSIGNED)
    unit, lead = log_in("handler"), log_in("dispatcher")
    unit.act(first, "hand_back", reason_code="not_our_duty")
    lead.act(first, "uphold_hand_back", unit=str(district.street.id), ruling="街道的灯")
    second = make_report(district, Status.TRIAGE)
    page = words_of(lead.get(f"/admin/reports/{second.number}"))
    assert "路灯班组退过，裁定归中心街道办" in page
    form = lead.get(f"/admin/reports/{second.number}/do/assign", headers={"HX-Request": "true"}).text
    assert "以前裁定归它" in form
    assert form.index(f'value="{district.street.id}"') < form.index(f'value="{district.command.id}"')


def test_opening_the_page_counts_as_the_units_first_look(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.ASSIGNED)
    opened = shown(report)
    assert "单位还没有人看过" in words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
    db.session.refresh(report)
    assert report.first_seen_at is None
    assert log_in("handler").get(f"/admin/reports/{report.number}").status_code == 200
    db.session.refresh(report)
    assert report.first_seen_at is not None
    # A form that the dispatcher had open is as good as before.
    answer = log_in("dispatcher").post(
        f"/admin/reports/{report.number}/do/assign", **opened, unit=str(district.street.id)
    )
    assert answer.status_code == 302


def test_what_nobody_looked_at_is_listed_and_told_once(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.ASSIGNED)
    now = clock.now() + timedelta(days=4)
    with unit_of_work() as session:
        session.add(
            DutyShift(unit_id=district.lamps.id, name="值班金", phone="0457-5550009", starts_at=now - HOUR,
                      ends_at=now + 40 * HOUR)
        )  # fmt: skip
    with clock.frozen_at(now):
        jobs.tell_unseen()
        said = words_of(log_in("shift_lead").get("/admin/unseen"))
        for words in (report.number, "路灯班组", "单位负责人", "值班金"):
            assert words in said
        manager = log_in("unit_manager")
        page = manager.get("/admin/notices")
        assert "派给路灯班组后还没有人看过" in words_of(page)
        assert report.number in words_of(page)
        assert "暂时没有" not in words_of(page)
        up_to = page.text.split('name="up_to" value="')[1].split('"')[0]
        assert manager.post("/admin/notices/read", up_to=up_to).status_code == 302
        said = words_of(manager.get("/admin/notices"))
        assert "派给路灯班组后还没有人看过" not in said
        assert "值班金" in words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
        assert "值班金" not in words_of(log_in("inspector").get(f"/admin/reports/{report.number}"))


def test_a_manager_keeps_the_roster_in_the_panel(district: SmallDistrict, log_in: LogIn) -> None:
    manager = log_in("unit_manager")
    sent = {"unit": str(district.lamps.id), "name": "金师傅", "phone": "0457-5550001", "starts_at": "2026-11-26T08:30"}
    answer = manager.post("/admin/roster/shifts", **sent, ends_at="")
    assert answer.status_code == 422
    assert "请填日期和时间" in words_of(answer)
    assert 'value="金师傅"' in answer.text
    assert manager.post("/admin/roster/shifts", **sent, ends_at="2046-11-27T08:30").status_code == 302
    row = db.session.scalars(select(DutyShift)).one()
    assert row.starts_at.isoformat() == "2026-11-26T00:30:00+00:00"
    away = {"unit": sent["unit"], "stand_in": str(district.street.id), "starts_at": "2026-11-26T08:30"}
    assert manager.post("/admin/roster/away", **(away | {"unit": str(district.street.id)})).status_code in (403, 422)
    assert manager.post("/admin/roster/away", **away).status_code == 302
    page = words_of(manager.get("/admin/roster"))
    for words in ("金师傅", "中心街道办", "不定"):
        assert words in page
    assert "金师傅" not in words_of(log_in("shift_lead").get("/admin/units"))
    absence = db.session.scalars(select(UnitAbsence)).one()
    assert log_in("unit_manager").post(f"/admin/roster/away/{absence.id}/end").status_code == 302
    assert manager.post(f"/admin/roster/shifts/{row.id}/end").status_code == 302
    assert "还没有值班安排" in words_of(manager.get("/admin/roster"))


@pytest.mark.parametrize("finished", [True, False])
def test_a_co_unit_does_its_own_part_and_never_holds_up_the_whole(
    district: SmallDistrict, log_in: LogIn, finished: bool
) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    with unit_of_work() as session:
        session.add(ReportUnit(report_id=report.id, unit_id=district.street.id, role="co"))
    street, lamps = log_in("street"), log_in("handler")
    assert report.number in words_of(street.get("/admin/?tab=handle"))
    assert lamps.act(report, "finish_part", note="x").status_code == 403
    if finished:
        sent = {"note": "围挡已拆", "photos": [picture()]}
        assert street.act(report, "finish_part", **sent).status_code == 302
        assert street.act(report, "finish_part", note="再来").status_code == 403
        assert db.session.scalars(select(Photo.purpose).where(Photo.report_id == report.id)).all() == ["after"]
    form = words_of(lamps.get(f"/admin/reports/{report.number}/do/resolve", headers={"HX-Request": "true"}))
    assert ("协办单位还没办完：中心街道办" in form) is not finished
    assert lamps.act(report, "resolve", note="灯修好了").status_code == 302
    page = words_of(log_in("dispatcher").get(f"/admin/reports/{report.number}"))
    assert ("围挡已拆" in page) is finished
    assert ("协办还没办完：中心街道办" in page) is not finished
    if not finished:
        # Its part can still be finished while the whole waits for verification.
        assert street.act(report, "finish_part", note="拆完了").status_code == 302
    kinds = select(ReportEvent.kind).where(ReportEvent.report_id == report.id, ReportEvent.is_public.is_(False))
    assert EventKind.PART_DONE in db.session.scalars(kinds).all()


def test_a_proposal_after_a_correction_is_decided_on_the_page(district: SmallDistrict, log_in: LogIn) -> None:
    stays, moves = make_report(district, Status.IN_PROGRESS), make_report(district, Status.IN_PROGRESS)
    with unit_of_work():
        for report in (stays, moves):
            reports.propose_unit(reports.lock(report.id), district.street.id)
    lead = log_in("dispatcher")
    listed = words_of(lead.get("/admin/hand-backs"))
    assert stays.number in listed
    assert moves.number in listed
    page = lead.get(f"/admin/reports/{stays.number}")
    assert "更正后，建议改派给中心街道办" in words_of(page)
    old = lead.post(f"/admin/reports/{stays.number}/keep-unit", version="1")
    assert old.status_code == 409
    assert lead.post(f"/admin/reports/{stays.number}/keep-unit", **shown(stays)).status_code == 302
    assert "更正后，建议改派" not in words_of(lead.get(f"/admin/reports/{stays.number}"))
    assert lead.act(moves, "assign", unit=str(district.street.id)).status_code == 302
    db.session.expire_all()
    assert [db.session.get_one(Report, row.id).unit_id for row in (stays, moves)] == [
        district.lamps.id, district.street.id,
    ]  # fmt: skip


def test_long_lists_of_what_waits_go_on_page_by_page(
    district: SmallDistrict, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hand-backs, what nobody looked at, what waits for the router: every row once, oldest first."""
    monkeypatch.setattr(hand_backs, "_A_PAGE", 2)
    lead, now = log_in("dispatcher"), clock.now()
    back = [make_report(district, Status.ASSIGNED) for _ in range(5)]
    with unit_of_work():
        for report in back:
            reports.hand_back(reports.lock(report.id), by=district.staff["handler"], reason="不归我们")
    late = [make_report(district, Status.ASSIGNED) for _ in range(5)]
    waiting = [make_report(district, Status.SUBMITTED) for _ in range(3)]
    with unit_of_work():
        for report in late:
            db.session.get_one(Report, report.id).look_level = 1
        for report in waiting:
            found = db.session.get_one(Report, report.id)
            found.submitted_at = now - HOUR * 5
        for report in back[:3]:
            db.session.get_one(Report, report.id).proposed_unit_id = district.street.id
    numbers = {name: [report.number for report in rows] for name, rows in
               (("back", back), ("late", late), ("waiting", waiting), ("proposed", back[:3]))}  # fmt: skip

    def walk(address: str, name: str) -> list[str]:
        """Every number of these reports on the pages that `name` leads on to, page by page."""
        seen: list[str] = []
        for _ in range(9):
            page = lead.get(address).text
            seen += re.findall(r'/admin/reports/(BH[\w-]+)"', page)
            more = re.search(rf'btn-more" href="([^"]+[?&;]{name}=[^"]+)"', page)
            if more is None:
                return seen
            address = more[1].replace("&amp;", "&")
        raise AssertionError("it never ends")

    def only(seen: list[str], wanted: list[str]) -> list[str]:
        return [number for number in seen if number in wanted]

    assert only(walk("/admin/unseen", "after"), numbers["late"]) == numbers["late"]
    assert only(walk("/admin/unseen", "behind"), numbers["waiting"]) == numbers["waiting"]
    assert list(dict.fromkeys(only(walk("/admin/hand-backs", "after"), numbers["back"]))) == numbers["back"]
    proposed = [n for n in walk("/admin/hand-backs", "behind") if n in numbers["proposed"]]
    assert set(proposed) == set(numbers["proposed"])
    assert lead.get("/admin/unseen?after=x.y&behind=1").status_code == 200
