"""Clocks at the panel: conditions, more time, pauses, the bell, the working calendar."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from district import clock, jobs, settings
from district.categories.models import CaseStandard
from district.deadlines.models import CalendarDay
from district.extensions import db
from district.notices.models import StaffNotice
from district.people.models import AuditEntry
from district.reports.models import ReportExtension
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.factories import SmallDistrict, forget_reference, make_report

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 9, 14, 10, 0, tzinfo=ZONE)


@pytest.fixture
def conditions(district: SmallDistrict) -> None:
    with unit_of_work():
        for code, value, unit, condition in (
            ("01037-01", 2, "hours", "灯杆倾斜，有危险"), ("01037-02", 5, "working_days", "整条路不亮"),
        ):  # fmt: skip
            db.session.add(
                CaseStandard(code=code, category_id=district.category.id, condition=condition, limit_value=value,
                             limit_unit=unit, close_condition="修好")
            )  # fmt: skip
        settings.changed("categories")
    forget_reference()


@pytest.mark.usefixtures("conditions")
def test_the_condition_is_chosen_with_the_unit_or_later(district: SmallDistrict, log_in: LogIn) -> None:
    with clock.frozen_at(MONDAY):
        report = make_report(district, Status.TRIAGE)
        dispatcher = log_in("dispatcher")
        form = dispatcher.get(f"/admin/reports/{report.number}/do/assign").text
        assert "灯杆倾斜，有危险" in form
        assert "整条路不亮" in form
        dispatcher.act(report, "assign", unit=str(district.lamps.id), standard="01037-02")
        page = words_of(dispatcher.get(f"/admin/reports/{report.number}"))
        assert "还剩 5 工作日" in page
        assert "办理时限 5 工作日 立案条件 整条路不亮" in page
        assert dispatcher.act(report, "choose_standard", standard="01037-01").status_code == 302
        page = words_of(dispatcher.get(f"/admin/reports/{report.number}"))
        assert "时限 2026-09-21 10:00 → 2026-09-14 12:00" in page
        assert "5 工作日 → 2 小时（昼夜计）" in page
        # Another category's condition, sent by hand.
        assert dispatcher.act(report, "choose_standard", standard="99999-01").status_code == 422
        # A form without the field leaves the condition alone.
        dispatcher.act(report, "assign", unit=str(district.street.id))
        db.session.refresh(report)
        assert report.standard_code == "01037-01"


def test_more_time_from_the_form_to_the_ruling(district: SmallDistrict, log_in: LogIn) -> None:
    with clock.frozen_at(MONDAY):
        report = make_report(district, Status.IN_PROGRESS)
        handler, lead = log_in("handler"), log_in("shift_lead")
        assert "现在的时限是 09-16 10:00" in handler.get(f"/admin/reports/{report.number}/do/ask_extension").text
        answer = handler.act(report, "ask_extension", reason="等配件", more="x", more_unit="working_days")
        assert answer.status_code == 422
        assert "请填 1 到 365 之间的数" in answer.text
        assert "等配件" in answer.text
        handler.act(report, "ask_extension", reason="等配件", more="2", more_unit="working_days")
        assert report.number in words_of(lead.get("/admin/?tab=extensions"))
        assert "申请延期" in words_of(lead.get("/admin/notices"))
        assert "多要 2 工作日，同意后时限是 09-18 10:00" in words_of(lead.get(f"/admin/reports/{report.number}"))
        assert lead.act(report, "refuse_extension", ruling="").status_code == 422
        lead.act(report, "grant_extension", ruling="下不为例")
        page = words_of(handler.get(f"/admin/reports/{report.number}"))
        assert "时限 2026-09-16 10:00 → 2026-09-18 10:00" in page
        assert "下不为例" in page
        assert "还剩 4 工作日" in page
        late = handler.act(report, "ask_extension", reason="再等等", more="1", more_unit="working_days")
        assert late.status_code == 409
        assert "这件事已经延期过 1 次" in late.text
    with clock.frozen_at(MONDAY + timedelta(days=20)):
        late = log_in("handler").act(report, "ask_extension", reason="再等等", more="1", more_unit="working_days")
        assert "时限已经过了，不能再申请延期" in late.text
        assert "再等等" in late.text
    assert len(db.session.scalars(select(ReportExtension)).all()) == 1


def test_put_aside_until_a_day_and_taken_up_by_the_unit(district: SmallDistrict, log_in: LogIn) -> None:
    with clock.frozen_at(MONDAY):
        report = make_report(district, Status.IN_PROGRESS)
        lead, handler = log_in("shift_lead"), log_in("handler")
        assert lead.act(report, "suspend", reason="地面上冻", until="2020-01-01").status_code == 422
        assert lead.act(report, "suspend", reason="地面上冻", until="").status_code == 422
        lead.act(report, "suspend", reason="地面上冻", until="2026-11-01")
        page = words_of(handler.get(f"/admin/reports/{report.number}"))
        assert "挂账中，2026-11-01 自动恢复" in page
        assert "挂账，已停表，还剩 2 工作日" in page
        assert report.number in words_of(handler.get("/admin/?tab=suspended"))
        handler.act(report, "resume", note="化冻了")
        db.session.refresh(report)
        assert report.status == Status.IN_PROGRESS


def test_the_bell_rings_for_ones_own_and_falls_silent_when_read(district: SmallDistrict, log_in: LogIn) -> None:
    with clock.frozen_at(MONDAY):
        reports = [make_report(district, Status.ASSIGNED) for _ in range(2)]
    with clock.frozen_at(MONDAY + timedelta(days=2, minutes=1)):
        jobs.remind_overdue()
        handler, street = log_in("handler"), log_in("street")
        page = handler.get("/admin/notices")
        assert all(report.number in page.text for report in reports)
        assert "已超时，请马上办" in page.text
        assert 'class="door-count number" title="2 条未读提醒">2<' in page.text
        assert reports[0].number not in street.get("/admin/notices").text
        rows = db.session.scalars(
            select(StaffNotice).where(StaffNotice.staff_id == district.staff["handler"].id).order_by(StaffNotice.id)
        ).all()
        history = words_of(handler.get(f"/admin/reports/{reports[0].number}"))
        assert "到时限没办完，已催办 · 之前几步已错过，没有另发：时间过去一部分、时限快到" in history
        # Nobody reads for others.
        street.post("/admin/notices/read", only=str(rows[0].id))
        street.post("/admin/notices/read", up_to=str(rows[-1].id))
        assert "2 条未读提醒" in handler.get("/admin/").text
        handler.post("/admin/notices/read", only=str(rows[0].id))
        assert "1 条未读提醒" in handler.get("/admin/").text
        handler.post("/admin/notices/read", up_to=str(rows[-1].id))
        assert "未读提醒" not in handler.get("/admin/").text
        assert reports[0].number in handler.get("/admin/notices?read=1").text
    with clock.frozen_at(MONDAY + timedelta(days=100)):
        jobs.tidy()
    assert db.session.scalar(select(StaffNotice.id)) is None


def test_the_calendar_is_kept_by_administrators_and_missed_by_all_who_depend_on_it(
    district: SmallDistrict, log_in: LogIn
) -> None:
    missing = "2027 年的放假安排还没有录入"
    with clock.frozen_at(datetime(2026, 12, 10, tzinfo=ZONE)):
        with unit_of_work():
            db.session.add(CalendarDay(day=datetime(2026, 10, 1, tzinfo=ZONE).date(), kind="holiday", name="国庆节"))
            settings.changed("settings")
        forget_reference()
        administrator = log_in("administrator")
        assert missing in administrator.get("/admin/").text
        assert missing in log_in("shift_lead").get("/admin/").text
        assert missing not in log_in("handler").get("/admin/").text
        assert "国庆节" in log_in("handler").get("/admin/calendar").text
        assert administrator.post("/admin/calendar/add", day="", kind="holiday", name="").status_code == 422
        added = administrator.post(
            "/admin/calendar/add", day="2027-01-01", until="2027-01-03", kind="holiday", name="元旦"
        )  # fmt: skip
        assert added.location.endswith("/admin/calendar?year=2027")
        assert missing not in administrator.get("/admin/").text
        assert administrator.get("/admin/calendar?year=2027").text.count("元旦") == 3
        wrong = administrator.post("/admin/calendar/import", file=(io.BytesIO(b"date,kind\n"), "x.csv"))
        assert (wrong.status_code, "第一行须是" in wrong.text) == (422, True)
        assert administrator.post("/admin/calendar/import", text=" ").status_code == 422
        file = "date,kind,name\n2027-01-01,holiday,元旦\n2027-02-14,workday,春节调休\n"
        assert (
            administrator.post("/admin/calendar/import", file=(io.BytesIO(file.encode()), "x.csv")).status_code == 302
        )
        page = administrator.get("/admin/calendar?year=2027").text
        assert (page.count("元旦"), page.count("春节调休")) == (1, 1)
        administrator.post("/admin/calendar/remove", day="2027-01-01")
        assert "元旦" not in administrator.get("/admin/calendar?year=2027").text
        assert administrator.post("/admin/calendar/remove", day="2027-01-01").status_code == 404
    actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("calendar."))).all()
    assert sorted(actions) == ["calendar.add", "calendar.import", "calendar.remove"]
    assert "删除日历" in administrator.get("/admin/audit?what=calendar").text
