"""The resident behind a report: asked from the panel, the conversation beside it, blocked and unblocked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from district import clock, jobs, settings
from district.chats.models import Conversation, InboundMessage
from district.extensions import db
from district.people import blocks
from district.people.models import AuditEntry, Resident, ResidentBlock
from district.reports import questions
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Photo, PhotoState, Report, ReportQuestion
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report

NASTY = "<script>alert(1)</script>"
LINK = '<a href="http://district.test/r/BH1?key=SECRETKEY">点这里看进展</a>'


def keep_message(
    resident: Resident, *, minutes: float, text: str | None = None, reply: str = "", report: Report | None = None,
    kind: str = "text", media_id: str | None = None, key: str = "",
) -> None:  # fmt: skip
    """A message of the chat, `minutes` after now."""
    said = f"<xml><Content><![CDATA[{reply}]]></Content></xml>" if reply else ""
    with unit_of_work():
        db.session.add(
            InboundMessage(
                key=key or f"k{minutes}{text}{media_id}", resident_id=resident.id, kind=kind, reply=said, text=text,
                received_at=clock.now() + timedelta(minutes=minutes), report_id=report.id if report else None,
                media_id=media_id,
            )
        )  # fmt: skip


def opened(staff_id: int) -> int:
    query = select(func.count()).where(AuditEntry.action == "report.chat_read", AuditEntry.staff_id == staff_id)
    return db.session.scalar(query) or 0


class TestAsking:
    @both_databases
    def test_from_the_form_to_the_answer(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        handler = log_in("handler")
        assert "问上报人" in handler.get(f"/admin/reports/{report.number}").text
        assert handler.act(report, "ask", text="哪一盏灯？").status_code == 302
        page = words_of(handler.get(f"/admin/reports/{report.number}"))
        assert "正在等上报人答复" in page
        assert "等市民补充，已停表" in page
        with unit_of_work():
            questions.answer(reports.lock(report.id), by=KEY_HOLDER, text="门口那盏")
        page = words_of(handler.get(f"/admin/reports/{report.number}"))
        assert "上报人已答复" in page
        assert "门口那盏" in page

    def test_taking_it_back_is_one_tap(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        acceptor = log_in("acceptor")
        acceptor.act(report, "ask", text="哪一盏灯？")
        assert "不用答复了" in acceptor.get(f"/admin/reports/{report.number}").text
        assert acceptor.act(report, "withdraw_question").status_code == 302
        assert db.session.scalars(select(ReportQuestion)).one().outcome == "withdrawn"

    def test_an_empty_question_is_shown_again(self, district: SmallDistrict, log_in: LogIn) -> None:
        answer = log_in("handler").act(make_report(district, Status.ASSIGNED), "ask", text=" ")
        assert answer.status_code == 422
        assert "请写下想问的问题" in answer.text

    def test_whoever_cannot_be_told_is_said_so(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED, resident=None)
        assert "没有微信可通知" in log_in("handler").get(f"/admin/reports/{report.number}/do/ask").text

    def test_the_waiting_ones_have_a_tab_of_their_own(self, district: SmallDistrict, log_in: LogIn) -> None:
        asked, other = (make_report(district, Status.ASSIGNED, description=words) for words in ("灯一", "灯二"))
        handler = log_in("handler")
        handler.act(asked, "ask", text="哪一盏灯？")
        page = handler.get("/admin/?tab=waiting").text
        assert asked.number in page
        assert other.number not in page
        assert "等市民答复" in page

    @pytest.mark.parametrize("who", ["verifier", "inspector", "leader", "administrator", "street"])
    def test_nobody_else_can_ask(self, district: SmallDistrict, log_in: LogIn, who: str) -> None:
        report = make_report(district, Status.ASSIGNED)
        assert log_in(who).act(report, "ask", text="哪一盏灯？").status_code in (403, 404)
        assert db.session.scalar(select(ReportQuestion)) is None


@both_databases
class TestConversation:
    @pytest.fixture
    def report(self, district: SmallDistrict) -> Report:
        resident = district.resident
        keep_message(resident, minutes=-3000, text="很久以前的话")
        keep_message(resident, minutes=-5, text="门口的灯坏了", reply=f"收到了。{LINK}")
        keep_message(resident, minutes=-4, kind="image", media_id="media-1")
        keep_message(resident, minutes=-3, kind="event:click")
        report = make_report(district, Status.ASSIGNED)
        other = make_report(district, Status.SUBMITTED, description="另一件")
        keep_message(resident, minutes=5, text=NASTY, report=report)
        keep_message(resident, minutes=6, text="另一件的话", report=other)
        with unit_of_work():
            db.session.add(
                Photo(
                    token="PHOTOTOKEN1", report_id=report.id, resident_id=resident.id, state=PhotoState.KEPT,
                    media_id="media-1", digest="d" * 64, created_at=clock.now(),
                )
            )  # fmt: skip
        return report

    def test_it_is_shown_in_order_without_links_and_without_who_it_is(
        self, district: SmallDistrict, log_in: LogIn, report: Report
    ) -> None:
        page = log_in("handler").get(f"/admin/reports/{report.number}/chat").text
        words = ["门口的灯坏了", "收到了。点这里看进展", "PHOTOTOKEN1", "已派给路灯班组", "&lt;script&gt;alert(1)"]
        found = [page.index(word) for word in words]
        assert found == sorted(found)
        assert "SECRETKEY" not in page
        assert str(district.resident.openid) not in page
        assert NASTY not in page
        assert "很久以前的话" not in page
        assert "另一件的话" not in page

    def test_reading_it_is_logged_once_a_day(self, district: SmallDistrict, log_in: LogIn, report: Report) -> None:
        handler, acceptor = log_in("handler"), log_in("acceptor")
        for person in (handler, handler, acceptor):
            assert person.get(f"/admin/reports/{report.number}/chat").status_code == 200
        assert opened(district.staff["handler"].id) == 1
        assert opened(district.staff["acceptor"].id) == 1
        with clock.frozen_at(clock.now() + timedelta(hours=11)):
            other = make_report(district, Status.ASSIGNED)
            handler.get(f"/admin/reports/{other.number}/chat")
        assert opened(district.staff["handler"].id) == 2

    def test_opening_the_report_alone_is_not_reading_it(
        self, district: SmallDistrict, log_in: LogIn, report: Report
    ) -> None:
        page = log_in("handler").get(f"/admin/reports/{report.number}").text
        assert "门口的灯坏了" not in page
        assert opened(district.staff["handler"].id) == 0

    def test_who_may_not_see_the_report_sees_no_word(
        self, district: SmallDistrict, log_in: LogIn, report: Report
    ) -> None:
        assert log_in("street").get(f"/admin/reports/{report.number}/chat").status_code == 404
        assert opened(district.staff["street"].id) == 0


@both_databases
def test_the_chats_words_are_deleted_on_schedule(district: SmallDistrict) -> None:
    with unit_of_work():
        settings.put("privacy", {"retention_days": {"conversation": 30}})
        settings.changed("settings")
        db.session.add(
            Conversation(
                resident_id=district.resident.id, step="idle", draft={"words": ["旧话"]},
                updated_at=clock.now() - timedelta(days=31),
            )
        )  # fmt: skip
    forget_reference()
    keep_message(district.resident, minutes=-31 * 1440, text="旧的")
    keep_message(district.resident, minutes=-29 * 1440, text="新的")
    jobs.tidy()
    assert db.session.scalars(select(InboundMessage.text)).all() == ["新的"]
    assert db.session.scalar(select(Conversation)) is None


class TestRecord:
    def test_it_counts_everything_and_shows_only_what_the_reader_may_see(
        self, district: SmallDistrict, log_in: LogIn
    ) -> None:
        closed = make_report(district, Status.CLOSED)
        hidden = make_report(district, Status.REJECTED)
        report = make_report(district, Status.ASSIGNED)
        page = log_in("handler").get(f"/admin/reports/{report.number}").text
        assert "共上报 3 件" in page
        assert "办结 1 件（33%）" in page
        assert "未受理 1 件" in page
        assert closed.number in page
        assert hidden.number not in page
        assert hidden.number in log_in("acceptor").get(f"/admin/reports/{report.number}").text

    def test_a_report_without_a_resident_has_none(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED, resident=None)
        assert "共上报" not in log_in("acceptor").get(f"/admin/reports/{report.number}").text


class TestBlocking:
    @both_databases
    def test_blocked_listed_and_unblocked(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        lead = log_in("shift_lead")
        assert lead.post(f"/admin/reports/{report.number}/block", reason="反复辱骂", days="7").status_code == 302
        page = lead.get("/admin/blocks").text
        assert "反复辱骂" in page
        assert report.number in page
        assert str(district.resident.openid) not in page
        assert "限制中" in lead.get(f"/admin/reports/{report.number}").text
        row = db.session.scalars(select(ResidentBlock)).one()
        until = db.session.scalars(select(Resident.blocked_until).where(Resident.id == district.resident.id)).one()
        assert until == row.until == row.blocked_at + timedelta(days=7)
        assert lead.post(f"/admin/blocks/{row.id}/end").status_code == 302
        db.session.expire_all()
        assert db.session.get_one(Resident, district.resident.id).blocked_until is None
        assert "没有人被限制" in lead.get("/admin/blocks").text
        assert "提前解除" in lead.get("/admin/blocks?over=1").text
        assert "曾被限制 1 次" in lead.get(f"/admin/reports/{report.number}").text
        actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("resident."))).all()
        assert sorted(actions) == ["resident.block", "resident.unblock"]
        assert lead.post(f"/admin/blocks/{row.id}/end").status_code == 409

    def test_a_new_block_replaces_the_one_that_holds(self, district: SmallDistrict) -> None:
        report = make_report(district)
        lead = district.staff["shift_lead"]
        for days in (30, 1):
            with unit_of_work():
                blocks.block(district.resident.id, by=lead, report_id=report.id, days=days, reason="骚扰")
        held = blocks.held(district.resident.id)
        assert held is not None
        assert held.until - held.blocked_at == timedelta(days=1)
        assert len(blocks.blocks_list()) == 1

    @pytest.mark.parametrize("reason, days", [("", "3"), ("骚扰", "2"), ("骚扰", "x"), ("骚" * 301, "3")])
    def test_it_needs_a_reason_and_a_known_length(
        self, district: SmallDistrict, log_in: LogIn, reason: str, days: str
    ) -> None:
        report = make_report(district, Status.ASSIGNED)
        answer = log_in("shift_lead").post(f"/admin/reports/{report.number}/block", reason=reason, days=days)
        assert answer.status_code == 422
        assert db.session.scalar(select(ResidentBlock)) is None

    def test_the_guard_and_the_domain_name_the_same_people(self) -> None:
        from admin.guard import RIGHTS

        assert all(RIGHTS[name] == blocks.MAY_BLOCK for name in ("block", "blocks", "unblock"))

    @pytest.mark.parametrize("who", ["acceptor", "dispatcher", "handler", "leader"])
    def test_nobody_else_is_offered_it(self, district: SmallDistrict, log_in: LogIn, who: str) -> None:
        report = make_report(district, Status.ASSIGNED)
        assert "限制此人上报" not in log_in(who).get(f"/admin/reports/{report.number}").text
