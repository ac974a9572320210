"""Too much, too fast, twice the same, blocked: what is said, and that an emergency always passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from bot.gate import Count, Pace
from bot.models import InboundMessage
from district import clock, settings
from district.categories.models import Urgency
from district.extensions import db
from district.people import blocks
from district.people.models import Resident
from district.reports.models import Photo, Report, ReportEvent
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_report

SLOW, SAME, BLOCKED = "有点快", "不用重复发", "暂时不能在这里上报"
ENOUGH = "已经够了"


def limit(**limits: int) -> None:
    with unit_of_work():
        settings.put("limits", {"reopen_days": 15, "chat": limits})
        settings.changed("settings")
    forget_reference()


def reports() -> list[Report]:
    return list(db.session.scalars(select(Report).order_by(Report.id)))


def kept() -> int:
    return db.session.scalar(select(func.count()).select_from(InboundMessage)) or 0


def resident_of(phone: TestPhone) -> Resident:
    return db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()


def file_one(phone: TestPhone, words: str) -> None:
    phone.says(words)
    phone.is_at(*MIDDLE)


def block(district: SmallDistrict, phone: TestPhone, days: int = 3) -> None:
    phone.says("你好")
    resident_id = resident_of(phone).id
    report = make_report(district, resident=resident_of(phone))
    with unit_of_work():
        blocks.block(resident_id, by=district.staff["shift_lead"], report_id=report.id, days=days, reason="反复辱骂")


class TestTooFast:
    def test_it_is_said_once_and_everything_is_kept(self, district: SmallDistrict, phone: TestPhone) -> None:
        limit(messages_a_minute=3)
        answers = [phone.says(f"第{n}句话说说路灯").text for n in range(6)]
        assert [SLOW in answer for answer in answers] == [False, False, False, True, False, False]
        assert answers[4:] == ["", ""]
        assert kept() == 6
        with clock.frozen_at(clock.now() + timedelta(seconds=61)):
            assert phone.says("进度").text

    def test_danger_passes(self, district: SmallDistrict, phone: TestPhone) -> None:
        limit(messages_a_minute=1)
        phone.says("你好")
        assert SLOW in phone.says("你好啊").text
        assert "0457-5559999" in phone.says("楼道里有燃气味").text
        # Its place belongs to it, and so do its photos.
        phone.is_at(*MIDDLE)
        (report,) = reports()
        assert report.urgency == Urgency.CRITICAL
        phone.shows("media-1")
        assert db.session.scalars(select(Photo.report_id)).all() == [report.id]

    def test_photos_do_not_count_as_words(self, district: SmallDistrict, phone: TestPhone) -> None:
        limit(messages_a_minute=2)
        for n in range(6):
            phone.shows(f"media-{n}")
        assert SLOW not in phone.says("路灯不亮").text


class TestReportsADay:
    def test_the_next_one_waits_for_tomorrow(self, district: SmallDistrict, phone: TestPhone) -> None:
        limit(reports_a_day=2, messages_a_minute=99)
        noon = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
        for hour, words in enumerate(("路灯不亮", "垃圾没人收")):
            with clock.frozen_at(noon + timedelta(hours=hour)):
                file_one(phone, words)
        assert len(reports()) == 2
        with clock.frozen_at(noon + timedelta(hours=2)):
            phone.says("路边有树倒了挡路")
            assert "明天再报" in phone.is_at(*MIDDLE).text
            assert len(reports()) == 2
            assert "0457-5559999" in phone.says("有燃气味").text
            phone.is_at(*MIDDLE)
        assert [report.urgency for report in reports()][2:] == [Urgency.CRITICAL]


class TestTheSameAgain:
    def test_it_is_neither_filed_nor_noted_twice(self, district: SmallDistrict, phone: TestPhone) -> None:
        file_one(phone, "小区门口路灯不亮了")
        before = db.session.scalar(select(func.count()).select_from(ReportEvent))
        for _ in range(2):
            answer = phone.says("小区门口路灯不亮了！")
            assert SAME in answer.text
            assert reports()[0].number in answer.text
        assert len(reports()) == 1
        assert db.session.scalar(select(func.count()).select_from(ReportEvent)) == before

    def test_orders_may_be_repeated(self, district: SmallDistrict, phone: TestPhone) -> None:
        file_one(phone, "小区门口路灯不亮了")
        for _ in range(3):
            assert SAME not in phone.says("我的上报").text

    def test_danger_said_again_gets_the_number_again(self, district: SmallDistrict, phone: TestPhone) -> None:
        file_one(phone, "楼道里有燃气味")
        answer = phone.says("楼道里有燃气味")
        assert "0457-5559999" in answer.text
        assert len(reports()) == 1


class TestPictures:
    def test_more_than_nine_are_said_once_and_not_fetched(self, district: SmallDistrict, phone: TestPhone) -> None:
        file_one(phone, "路灯不亮")
        answers = [phone.shows(f"media-{n}").text for n in range(12)]
        assert [ENOUGH in answer for answer in answers] == [False] * 9 + [True, False, False]
        assert answers[10:] == ["", ""]
        assert db.session.scalar(select(func.count()).select_from(Photo)) == 9

    def test_before_filing_as_well(self, district: SmallDistrict, phone: TestPhone) -> None:
        answers = [phone.shows(f"media-{n}").text for n in range(12)]
        assert sum(ENOUGH in answer for answer in answers) == 1
        assert db.session.scalar(select(func.count()).select_from(Photo)) == 9

    def test_a_flood_is_stopped(self, district: SmallDistrict, phone: TestPhone) -> None:
        limit(photos_in_ten_minutes=4)
        answers = [phone.shows(f"media-{n}").text for n in range(7)]
        assert "十分钟" in answers[4]
        assert answers[5:] == ["", ""]
        assert db.session.scalar(select(func.count()).select_from(Photo)) == 4


def test_an_insult_with_a_report_in_it_is_filed(district: SmallDistrict, phone: TestPhone) -> None:
    phone.says("你们这帮废物，路灯不亮一个月了没人管")
    phone.is_at(*MIDDLE)
    (report,) = reports()
    assert "路灯不亮" in report.description


@both_databases
class TestBlocked:
    def test_every_message_gets_one_calm_sentence(self, district: SmallDistrict, phone: TestPhone) -> None:
        block(district, phone)
        before = len(reports())
        for answer in (phone.says("路灯不亮"), phone.is_at(*MIDDLE), phone.shows("media-1")):
            assert BLOCKED in answer.text
            assert "12345" in answer.text
        assert len(reports()) == before
        assert db.session.scalar(select(func.count()).select_from(Photo)) == 0
        assert kept() == 4

    def test_an_emergency_passes_with_its_place(self, district: SmallDistrict, phone: TestPhone) -> None:
        block(district, phone)
        assert "119" in phone.says("楼上着火了").text
        phone.is_at(*MIDDLE)
        assert reports()[-1].urgency == Urgency.CRITICAL

    def test_it_ends_by_itself_and_by_hand(self, district: SmallDistrict, phone: TestPhone) -> None:
        block(district, phone, days=1)
        with clock.frozen_at(clock.now() + timedelta(hours=25)):
            assert BLOCKED not in phone.says("路灯不亮").text
        held = blocks.held(resident_of(phone).id)
        assert held is not None
        with unit_of_work():
            blocks.lift(held.id, by=district.staff["administrator"])
        assert BLOCKED not in phone.says("路灯不亮").text


def test_what_is_remembered_comes_back_as_it_was(app: Flask) -> None:
    pace = Pace(messages=Count(5, 2, True), filed=["20261126", 3], said=[["ab", 5]], urgent_s=9, heard=[1, 2])
    again = Pace.from_json(pace.to_json())
    assert again == pace
    assert Pace.from_json({}).to_json() == {}
    # What a later version wrote is left out.
    assert Pace.from_json({"later": 1}) == Pace()


@pytest.mark.parametrize("window_s", [60])
def test_a_window_begins_anew_when_it_is_over(window_s: int) -> None:
    count = Count()
    assert [count.up(1000 + at, window_s) for at in (0, 1, 59, 60, 61)] == [1, 2, 3, 1, 2]
