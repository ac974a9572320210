"""Staff ask, the resident answers in the chat: what is an answer, what is not, and when the bot asks."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask, current_app
from sqlalchemy import event, select

from district import clock
from district.categories.models import LimitUnit
from district.deadlines import service as deadlines
from district.extensions import db
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.people.models import Resident
from district.reports import clocks, questions
from district.reports import service as reports
from district.reports.models import EventKind, Outcome, Photo, Report, ReportEvent, ReportQuestion
from district.reports.states import Status
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_category, make_report

WHICH = "具体是哪一盏灯？附近有什么标志？"
THANKS = "谢谢您的答复"


def resident_of(phone: TestPhone) -> Resident:
    return db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()


def asked(district: SmallDistrict, phone: TestPhone, *, heard: bool = True, text: str = WHICH) -> int:
    """A report of this phone's resident about which its unit has asked something; its id. heard: WeChat took it."""
    phone.says("你好")
    report_id = make_report(district, Status.ASSIGNED, resident=resident_of(phone)).id
    with unit_of_work():
        questions.ask(reports.lock(report_id), by=district.staff["handler"], text=text)
    deliver(takes=heard)
    return report_id


def deliver(*, takes: bool = True) -> None:
    """Send the outbox as its job would. takes: WeChat accepts it; else what is left waits on the page."""
    with unit_of_work():
        if not takes:
            current_app.config["WECHAT_TEMPLATES"] = {}
            for resident in db.session.scalars(select(Resident)):
                resident.window_left = 0
        for message in notifications.claim_due():
            notifications.sent(message.id)


def report_of(report_id: int) -> Report:
    db.session.expire_all()
    return db.session.get_one(Report, report_id)


def question() -> ReportQuestion:
    db.session.expire_all()
    return db.session.scalars(select(ReportQuestion)).one()


def lines(report_id: int, kind: EventKind) -> list[ReportEvent]:
    query = select(ReportEvent).where(ReportEvent.report_id == report_id, ReportEvent.kind == kind)
    return list(db.session.scalars(query))


def working_time(since: datetime, until: datetime) -> int:
    """The working time between two moments, in whole minutes."""
    return deadlines.working_calendar().between(since, until, LimitUnit.WORKING_HOURS) // timedelta(minutes=1)


@both_databases
def test_the_next_words_are_the_answer_and_the_clock_goes_on(district: SmallDistrict, phone: TestPhone) -> None:
    report_id = asked(district, phone)
    due = report_of(report_id).handling_due_at
    assert due is not None
    assert report_of(report_id).waiting_for_resident
    with clock.frozen_at(clock.now() + timedelta(hours=3)):
        answer = phone.says("就是单元门左边那盏，旁边有个蓝色的牌子")
    assert THANKS in answer.text
    assert "路灯班组" in answer.text
    row = question()
    assert (row.outcome, row.answer) == (Outcome.ANSWERED, "就是单元门左边那盏，旁边有个蓝色的牌子")
    report = report_of(report_id)
    assert not report.waiting_for_resident
    assert report.handling_due_at is not None
    assert row.ended_at is not None
    assert working_time(row.ended_at, report.handling_due_at) == working_time(row.asked_at, due)
    (line,) = lines(report_id, EventKind.ANSWERED)
    assert (line.actor, line.note) == ("resident", row.answer)


@both_databases
def test_answered_two_days_later_when_the_window_had_closed(district: SmallDistrict, phone: TestPhone) -> None:
    """Nothing could be sent: the page carries the question, and the chat says it at the next contact."""
    now = clock.now()
    phone.says("你好")
    report = make_report(district, Status.IN_PROGRESS, resident=resident_of(phone))
    report_id, number, key = report.id, report.number, report.access_key
    with unit_of_work():
        slow = reports.lock(report_id)
        slow.limit_value, slow.limit_unit = 20, LimitUnit.WORKING_DAYS
        clocks.settle(slow)
    before = report_of(report_id).handling_due_at
    with clock.frozen_at(now + timedelta(hours=49)):
        with unit_of_work():
            questions.ask(reports.lock(report_id), by=district.staff["acceptor"], text=WHICH)
        deliver(takes=False)
        told = db.session.scalars(select(Notification).where(Notification.kind == "question")).one()
        assert told.delivery == Delivery.NOT_POSSIBLE
        assert phone.client is not None
        assert WHICH in phone.client.get(f"/r/{number}?key={key}").text
    with clock.frozen_at(now + timedelta(hours=97)):
        hello = phone.says("你好")
        assert WHICH in hello.text, "what could not be sent is said at the next contact"
        assert "指挥中心" in hello.text
        assert question().ended_at is None
        assert THANKS in phone.says("超市门口第二盏").text
    assert question().answer == "超市门口第二盏"
    after = report_of(report_id).handling_due_at
    assert before is not None
    assert after is not None
    row = question()
    assert row.ended_at is not None
    assert working_time(row.ended_at, after) == working_time(row.asked_at, before)


def test_answered_two_days_later_after_a_template_message(
    app: Flask, district: SmallDistrict, phone: TestPhone
) -> None:
    now = clock.now()
    phone.says("你好")
    app.config["WECHAT_TEMPLATES"] = {"progress": "T1"}
    report_id = make_report(district, Status.ASSIGNED, resident=resident_of(phone)).id
    with clock.frozen_at(now + timedelta(hours=49)):
        with unit_of_work():
            questions.ask(reports.lock(report_id), by=district.staff["handler"], text=WHICH)
        with unit_of_work():
            sent = {message.id: message for message in notifications.claim_due(limit=50)}
            for message_id in sent:
                notifications.sent(message_id)
        assert {message.channel for message in sent.values()} == {notifications.TEMPLATE}
    with clock.frozen_at(now + timedelta(hours=97)):
        assert THANKS in phone.says("超市门口第二盏").text
    assert question().outcome == Outcome.ANSWERED


def test_who_has_not_heard_the_question_answers_nothing(district: SmallDistrict, phone: TestPhone) -> None:
    asked(district, phone, heard=False)
    answer = phone.says("超市门口第二盏")
    assert THANKS not in answer.text
    assert question().ended_at is None


def test_a_voice_message_that_was_understood_is_an_answer(district: SmallDistrict, phone: TestPhone) -> None:
    asked(district, phone)
    spoken = phone.message("voice", MediaId="m1", Format="amr", Recognition="大门口那盏。")
    assert THANKS in phone.deliver(spoken).text
    assert question().answer == "大门口那盏。"


def test_a_picture_is_an_answer_and_the_next_one_joins_it(district: SmallDistrict, phone: TestPhone) -> None:
    report_id = asked(district, phone)
    assert "照片收到" in phone.shows("media-1").text
    assert question().outcome == Outcome.ANSWERED
    phone.shows("media-2")
    photos = db.session.scalars(select(Photo).order_by(Photo.id)).all()
    assert [(photo.media_id, photo.report_id) for photo in photos] == [
        ("media-1", report_id), ("media-2", report_id),
    ]  # fmt: skip


def test_a_location_is_an_answer(district: SmallDistrict, phone: TestPhone) -> None:
    asked(district, phone)
    assert THANKS in phone.is_at(*MIDDLE, "人民路8号").text
    assert question().answer.startswith("人民路8号 (50.4")


@pytest.mark.parametrize(
    "words",
    ["进度", "帮助", "谢谢", "转人工", "BH20261122-0042K", "[微笑]", "这里有燃气味，快来人", "撤回", "收到", "？？"],
)
def test_what_is_plainly_something_else_is_no_answer(district: SmallDistrict, phone: TestPhone, words: str) -> None:
    asked(district, phone)
    answer = phone.says(words)
    assert THANKS not in answer.text
    assert question().ended_at is None


def test_its_own_number_with_words_is_an_answer_and_alone_a_look(district: SmallDistrict, phone: TestPhone) -> None:
    report_id = asked(district, phone)
    number = report_of(report_id).number
    assert THANKS not in phone.says(number).text
    assert THANKS in phone.says(f"{number} 大门口那盏").text
    assert question().answer == "大门口那盏"


def test_yes_and_no_are_answers(district: SmallDistrict, phone: TestPhone) -> None:
    asked(district, phone, text="现在还是这样吗？")
    assert THANKS in phone.says("是").text
    assert question().answer == "是"


class TestInDoubt:
    @pytest.fixture
    def report_id(self, district: SmallDistrict, phone: TestPhone) -> int:
        with unit_of_work():
            make_category("01001", name="井盖缺失", name_en="manhole cover", keywords=["井盖", "井盖没了"])
        from tests.factories import forget_reference

        forget_reference()
        return asked(district, phone)

    def test_another_kind_of_trouble_is_asked_about(
        self, district: SmallDistrict, phone: TestPhone, report_id: int
    ) -> None:
        assert "回答" in phone.says("井盖没了").text
        assert question().ended_at is None
        assert THANKS in phone.says("是").text
        assert question().answer == "井盖没了"

    def test_so_is_urging_and_no_passes_it_on(self, district: SmallDistrict, phone: TestPhone, report_id: int) -> None:
        assert "回答" in phone.says("怎么还没人来").text
        assert question().ended_at is None
        answer = phone.says("不是")
        assert THANKS not in answer.text
        assert question().ended_at is None
        assert [line.note for line in lines(report_id, EventKind.COMMENTED)] == ["怎么还没人来"]

    def test_and_no_makes_it_a_new_report(self, district: SmallDistrict, phone: TestPhone, report_id: int) -> None:
        phone.says("井盖没了")
        answer = phone.says("不是")
        assert THANKS not in answer.text
        phone.is_at(*MIDDLE)
        newest = db.session.scalars(select(Report).order_by(Report.id.desc()).limit(1)).one()
        assert newest.id != report_id
        assert newest.description == "井盖没了"
        assert question().ended_at is None


def test_a_report_being_made_is_not_disturbed(district: SmallDistrict, phone: TestPhone) -> None:
    report_id = asked(district, phone, heard=False)
    phone.says("垃圾没人收")
    with unit_of_work():
        # It is heard while the resident is asked where the rubbish lies, and so before that question.
        told = db.session.scalars(select(Notification).where(Notification.kind == "question")).one()
        told.read_at = clock.now() - timedelta(minutes=1)
    answer = phone.is_at(*MIDDLE, "人民路8号")
    newest = db.session.scalars(select(Report).order_by(Report.id.desc()).limit(1)).one()
    assert newest.id != report_id
    assert newest.description == "垃圾没人收"
    assert WHICH in answer.text, "said once the other thing is done"


def test_with_two_questions_the_older_one_is_answered_first(district: SmallDistrict, phone: TestPhone) -> None:
    first = asked(district, phone)
    second = make_report(district, Status.ASSIGNED, resident=resident_of(phone)).id
    with unit_of_work():
        questions.ask(reports.lock(second), by=district.staff["handler"], text="几点开始不亮的？")
    deliver()
    assert len(questions.pending_for(resident_of(phone).id)) == 2
    phone.says("门口那盏")
    assert [row.report_id for row in questions.pending_for(resident_of(phone).id)] == [second]
    assert not report_of(first).waiting_for_resident


def test_the_ordinary_message_pays_for_no_statement_more(app: Flask, district: SmallDistrict, phone: TestPhone) -> None:
    phone.says("你好")
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    phone.says("路灯不亮")
    assert not [statement for statement in seen if "report_question" in statement or "resident_block" in statement]
