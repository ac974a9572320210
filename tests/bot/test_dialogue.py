"""Conversations, as residents have them, from the first word to the number and what comes after."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import select

from bot import gate
from bot.models import Conversation, InboundMessage
from district import clock, jobs, settings
from district.extensions import db
from district.facilities import scans
from district.messages import speaking, t
from district.people.models import Resident
from district.reports import queries
from district.reports import service as reports
from district.reports.models import EventKind, Photo, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.bot.conftest import TestPhone
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_facility, make_report

HERE = MIDDLE
# GCJ-02 moves a point by some hundred metres here; this one lies far outside.
FAR = (39.9, 116.4)
CHINESE = "zh-Hans"


def only_report() -> Report:
    return db.session.scalars(select(Report)).one()


def all_reports() -> list[Report]:
    return list(db.session.scalars(select(Report).order_by(Report.id)))


def events(report: Report) -> list[str]:
    query = select(ReportEvent.kind).where(ReportEvent.report_id == report.id).order_by(ReportEvent.id)
    return list(db.session.scalars(query))


def step_of(phone: TestPhone) -> str:
    query = select(Conversation.step).join(Resident).where(Resident.openid == phone.openid)
    return db.session.scalars(query).one()


def later(minutes: float) -> object:
    return clock.frozen_at(clock.now() + timedelta(minutes=minutes))


def resident_of(phone: TestPhone) -> Resident:
    return db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()


# Any order


WHAT, WHERE, PHOTO = "what", "where", "photo"
ORDERS = [
    (WHAT, WHERE), (WHERE, WHAT), (PHOTO, WHERE, WHAT), (PHOTO, WHAT, WHERE), (WHERE, PHOTO, WHAT),
    (WHAT, PHOTO, WHERE),
    (PHOTO, PHOTO, WHERE, WHAT), (WHERE, PHOTO, PHOTO, WHAT),
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_words_photo_and_place_in_any_order_make_one_report(
    phone: TestPhone, district: SmallDistrict, order: tuple[str, ...]
) -> None:
    for index, part in enumerate(order):
        answer = {
            WHAT: lambda: phone.says("有个坑，很深"),
            WHERE: lambda: phone.is_at(*HERE, label="人民路口"),
            PHOTO: lambda index=index: phone.shows(f"media-{index}"),
        }[part]()
        assert answer.text, part
    report = only_report()
    assert report.number in answer.text
    assert f"/r/{report.number}?key={report.access_key}" in answer.text
    assert report.description == "有个坑，很深"
    assert (report.place_source, report.address) == ("shared", "人民路口")
    assert len(db.session.scalars(select(Photo).where(Photo.report_id == report.id)).all()) == order.count(PHOTO)
    assert step_of(phone) == "idle"


def test_the_place_is_converted_to_wgs84(phone: TestPhone, district: SmallDistrict) -> None:
    from district.geo.datum import wgs84_to_gcj02

    phone.says("有个坑")
    phone.is_at(*wgs84_to_gcj02(*MIDDLE))
    report = only_report()
    assert report.latitude == pytest.approx(MIDDLE[0], abs=2e-6)
    assert report.longitude == pytest.approx(MIDDLE[1], abs=2e-6)


def test_words_that_name_the_place_file_at_once(phone: TestPhone, district: SmallDistrict) -> None:
    answer = phone.says("民悦园门口的路灯坏了三天了")
    report = only_report()
    assert report.number in answer.text
    assert (report.place_source, report.address, report.latitude) == ("gazetteer", "民悦园", 50.4262)
    assert report.description == "民悦园门口的路灯坏了三天了"


def test_the_same_name_twice_is_asked_about(phone: TestPhone, district: SmallDistrict) -> None:
    answer = phone.says("口袋公园的椅子坏了")
    assert "1. " in answer.text
    assert "2. " in answer.text
    answer = phone.says("3")
    assert "2" in answer.text
    assert not all_reports()
    phone.says("2")
    report = only_report()
    assert report.latitude in (50.4200, 50.4330)
    assert report.description == "口袋公园的椅子坏了"


def test_a_location_settles_which_place_is_meant(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("口袋公园的椅子坏了")
    phone.is_at(*HERE)
    assert only_report().place_source == "shared"


def test_a_long_road_is_no_place(phone: TestPhone, district: SmallDistrict) -> None:
    answer = phone.says("人民路上有个坑")
    assert "人民路" in answer.text
    assert step_of(phone) == "need_place"
    phone.says("民悦园门口")
    report = only_report()
    assert (report.description, report.address) == ("人民路上有个坑", "民悦园门口")


def test_an_address_no_map_knows_is_taken_in_words(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    answer = phone.says("老王家豆腐店对面")
    report = only_report()
    assert report.number in answer.text
    assert (report.place_source, report.address, report.latitude) == ("words", "老王家豆腐店对面", None)


def test_nobody_is_asked_for_the_place_more_than_twice(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    with later(1):
        phone.says("很深的，快来")
    with later(2):
        phone.says("就那儿呗")
    report = only_report()
    assert report.description.startswith("有个坑")
    assert report.latitude is None


def test_a_photo_and_a_place_are_enough_when_words_do_not_come(phone: TestPhone, district: SmallDistrict) -> None:
    phone.shows("M1")
    phone.is_at(*HERE)
    assert not all_reports()
    answer = phone.says("没有")
    report = only_report()
    assert report.number in answer.text
    assert report.description == ""


def test_the_place_alone_then_its_name_only(phone: TestPhone, district: SmallDistrict) -> None:
    assert phone.says("民悦园").text
    assert step_of(phone) == "need_what"
    phone.says("楼道灯不亮")
    report = only_report()
    assert (report.description, report.address) == ("楼道灯不亮", "民悦园")


def test_a_place_outside_the_district_is_refused_kindly(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    answer = phone.is_at(*FAR)
    assert "12345" in answer.text
    assert not all_reports()
    phone.is_at(*HERE)
    assert only_report().description == "有个坑"


def test_spoken_words_count_as_written_ones(phone: TestPhone, district: SmallDistrict) -> None:
    phone.deliver(phone.message("voice", MediaId="V", Format="amr", Recognition="民悦园的路灯坏了。"))
    assert only_report().description == "民悦园的路灯坏了。"


def test_a_picked_place_that_comes_twice_is_one_place(phone: TestPhone, district: SmallDistrict) -> None:
    """WeChat sends the menu's event and then an ordinary location message of the same place."""
    phone.says("有个坑")
    phone.does("location_select", "K", SendLocationInfo={"Location_X": HERE[0], "Location_Y": HERE[1]})
    phone.is_at(*HERE)
    answer = phone.is_at(*HERE)
    report = only_report()
    assert report.number in answer.text
    assert events(report) == ["submitted"]


def test_one_or_two_letters_are_asked_about(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("啊")
    assert step_of(phone) == "need_what"
    assert not all_reports()


@pytest.mark.parametrize(
    "words", ["怎么反映问题？", "如何上报", "怎么发照片呀", "你能干什么", "how do I report a problem?"]
)  # fmt: skip
def test_who_asks_how_it_works_is_told_and_reports_nothing(
    phone: TestPhone, district: SmallDistrict, words: str
) -> None:
    answer = phone.says(words)
    assert "照片" in answer.text or "photo" in answer.text
    assert not all_reports()


@pytest.mark.parametrize("words", ["楼上漏水怎么办，没人管", "垃圾怎么没人清"])
def test_a_how_within_a_complaint_is_a_complaint(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    phone.says(words)
    assert step_of(phone) == "need_place"


def test_a_greeting_and_thanks_start_nothing(phone: TestPhone, district: SmallDistrict) -> None:
    for words in ("你好", "在吗？", "谢谢啦", "😀", "[微笑]", "好的，谢谢"):
        assert phone.says(words).text
    assert step_of(phone) == "idle"
    assert not all_reports()


# After filing


def filed(phone: TestPhone, words: str = "民悦园门口的路灯坏了") -> Report:
    phone.says(words)
    return all_reports()[-1]


def test_photos_after_filing_join_the_report_for_half_an_hour(phone: TestPhone, district: SmallDistrict) -> None:
    report_id = filed(phone).id
    assert phone.shows("M1").text
    with later(29):
        phone.shows("M2")
    photos = db.session.scalars(select(Photo).order_by(Photo.id)).all()
    assert [(photo.report_id, photo.media_id) for photo in photos] == [(report_id, "M1"), (report_id, "M2")]
    with later(120):
        phone.shows("M3")
    newest = db.session.scalars(select(Photo).order_by(Photo.id.desc())).first()
    assert newest is not None
    assert newest.report_id is None


def test_more_words_after_filing_are_added(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    answer = phone.says("已经黑了三天了")
    assert number in answer.text
    report = only_report()
    assert events(report) == ["submitted", "commented"]


@pytest.mark.parametrize("words", ["好的", "嗯", "ok", "收到！", "没有了", "好了", "再见"])
def test_a_nod_after_filing_is_no_addition(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    filed(phone)
    with speaking("en" if words == "ok" else CHINESE):
        assert phone.says(words).text == t("bot.chat.noted")
    assert events(only_report()) == ["submitted"]


def test_no_after_filing_is_asked_about_and_a_place_sets_it_right(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    assert t("bot.fix.either") in phone.says("不是").text
    assert number in phone.is_at(*HERE, label="人民路口").text
    assert only_report().address == "人民路口"
    assert events(only_report())[-1] == "corrected"


def test_who_urges_hours_later_is_passed_on_and_reports_nothing_new(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    with later(300):
        answer = phone.says("怎么还没人来").text
    assert number in answer
    assert t("bot.added.passed_on") in answer
    assert events(only_report()) == ["submitted", "commented"]
    assert queries.urged_counts([only_report().id]) == {only_report().id: 1}
    with later(600):
        phone.says("什么时候能修好")
    assert events(only_report()) == ["submitted", "commented"]
    with later(900):
        phone.says("人呢")
        phone.says("灯杆是歪的")
    assert queries.urged_counts([only_report().id]) == {only_report().id: 2}


def test_of_two_reports_urging_is_for_the_one_just_spoken_of(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    filed(phone, "光明小学门口也有个大坑")
    first, second = all_reports()
    phone.says("快点")
    assert (events(first), events(second)) == (["submitted"], ["submitted", "commented"])
    with later(300):
        answer = phone.says("怎么还没人来").text
    assert (first.number in answer, second.number in answer) == (True, True)
    assert events(second) == ["submitted", "commented"]


def test_not_solved_before_it_is_closed_urges(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    assert t("bot.added.passed_on") in phone.says("还是老样子").text
    assert events(only_report())[-1] == "commented"


def test_what_came_right_by_itself_can_be_taken_back(phone: TestPhone, district: SmallDistrict) -> None:
    report_id = filed(phone).id
    with later(300):
        assert only_report().number in phone.says("自己好了").text
        assert phone.says("否").text == t("bot.withdraw.kept", number=only_report().number)
    with unit_of_work():
        reports.assign(reports.lock(report_id), district.lamps.id, by=reports.SYSTEM)
        reports.accept(reports.lock(report_id), by=district.staff["handler"])
    with later(300):
        phone.says("自己好了")
    assert events(only_report())[-1] == "commented"


def test_another_place_after_filing_is_another_report(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    phone.says("光明小学门口也有个大坑")
    assert len(all_reports()) == 2


def test_asking_to_report_starts_another_one(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    phone.says("上报")
    phone.says("有个坑")
    phone.is_at(*HERE)
    assert [report.description for report in all_reports()] == ["民悦园门口的路灯坏了", "有个坑"]


def test_hours_later_words_are_a_new_report(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    with later(60):
        phone.says("有个坑")
        assert step_of(phone) == "need_place"


def test_a_location_after_words_only_completes_the_report(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    phone.says("老王家豆腐店对面")
    number = only_report().number
    assert number in phone.is_at(*HERE, label="人民路").text
    report = only_report()
    assert events(report) == ["submitted", "corrected"]
    assert (report.place_source, report.address) == ("shared", "人民路")
    assert report.latitude is not None


# Other intents


@pytest.mark.parametrize("words", ["请问暖气费什么时候能交", "建议广场多放几把椅子", "你们互相推诿，打了好几遍没人管"])
def test_questions_and_suggestions_need_no_place(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    answer = phone.says(words)
    report = only_report()
    assert report.number in answer.text
    assert report.intent in ("consult", "suggest", "complaint")


def test_asking_about_an_earlier_report_passes_the_words_on(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    with later(24 * 60):
        answer = phone.says("我报的那个怎么还没人来")
    assert number in answer.text
    assert events(only_report()) == ["submitted", "commented"]


@pytest.mark.parametrize("words", ["低息贷款日赚三千", "你们这帮王八蛋", "辛苦了师傅们", "测试一下"])
def test_what_reports_nothing_files_nothing(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    assert phone.says(words).text
    assert not all_reports()
    assert step_of(phone) == "idle"


# Drafts


def test_a_draft_is_forgotten_after_a_day_and_kindly(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    with later(25 * 60):
        answer = phone.says("井盖翻了")
        assert "放下" in answer.text
        phone.is_at(*HERE)
    assert only_report().description == "井盖翻了"


def test_a_draft_of_this_morning_is_still_there(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("有个坑")
    with later(23 * 60):
        phone.is_at(*HERE)
    assert only_report().description == "有个坑"


@pytest.mark.parametrize("words", ["取消", "算了", "撤回", "Never mind"])
def test_a_draft_can_be_dropped(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    phone.says("有个坑")
    phone.says(words)
    assert step_of(phone) == "idle"
    assert not all_reports()


@pytest.mark.parametrize("kind", ["video", "link", "file", "hologram"])
def test_what_cannot_be_read_says_what_is_still_missing(phone: TestPhone, district: SmallDistrict, kind: str) -> None:
    phone.says("有个坑")
    answer = phone.deliver(phone.message(kind, Title="x", MediaId="M"))
    assert "位置" in answer.text
    phone.is_at(*HERE)
    assert only_report().description == "有个坑"


# Danger


@pytest.mark.parametrize("words, phone_number", [("民悦园三号楼着火了", "119"), ("有股燃气味", "0457-5559999")])
def test_danger_is_answered_with_the_number_to_call_first(
    phone: TestPhone, district: SmallDistrict, words: str, phone_number: str
) -> None:
    answer = phone.says(words)
    assert phone_number in answer.text.splitlines()[0]
    if not all_reports():
        answer = phone.is_at(*HERE)
        assert phone_number in answer.text.splitlines()[0]
    report = only_report()
    assert (report.urgency, report.intent) == ("critical", "emergency")
    assert report.number in answer.text


def test_danger_after_filing_is_a_report_of_its_own(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    phone.says("民悦园着火了")
    assert [report.urgency for report in all_reports()] == ["normal", "critical"]


# Facilities


@pytest.fixture
def lamp(district: SmallDistrict) -> tuple[str, str, int]:
    """(token, printed code, id) of a street lamp."""
    with unit_of_work():
        facility = make_facility(district.lamps)
        from district.facilities.models import FacilityToken

        token = db.session.scalars(select(FacilityToken.token).where(FacilityToken.facility_id == facility.id)).one()
        return token, facility.code17, facility.id


def scan(phone: TestPhone, result: str) -> str:
    return phone.does("scancode_waitmsg", "SCAN", ScanCodeInfo={"ScanType": "qrcode", "ScanResult": result}).text


def test_a_scanned_facility_offers_its_usual_troubles(phone: TestPhone, lamp: tuple[str, str, int]) -> None:
    token, code, facility_id = lamp
    answer = scan(phone, f"HTTPS://DISTRICT.TEST/F/{token}")
    assert "1. 不亮" in answer
    assert code in answer
    answer = phone.says("1").text
    report = only_report()
    assert report.number in answer
    assert (report.facility_id, report.description, report.source) == (facility_id, "不亮", "qr")
    assert report.place_source == "facility"
    # What its usual troubles are is known and needs no reading.
    assert report.category is not None
    assert report.category.code == "01037"


@pytest.mark.parametrize("how", ["token", "lower", "code17", "code16", "scene", "followed", "typed"])
def test_a_facility_is_found_however_it_is_named(phone: TestPhone, lamp: tuple[str, str, int], how: str) -> None:
    from district.facilities.models import Facility

    token, code, facility_id = lamp
    code16 = db.session.get_one(Facility, facility_id).code
    answer = {
        "token": lambda: scan(phone, f"http://district.test/f/{token}"),
        "lower": lambda: scan(phone, f"http://district.test/f/{token.lower()}?x=1"),
        "code17": lambda: scan(phone, code),
        "code16": lambda: scan(phone, code16),
        "scene": lambda: phone.does("SCAN", f"fac:{token}", Ticket="T").text,
        "followed": lambda: phone.does("subscribe", f"qrscene_fac:{code}", Ticket="T").text,
        "typed": lambda: phone.says(code).text,
    }[how]()
    assert "1. 不亮" in answer
    phone.says("灯罩掉了")
    report = only_report()
    assert (report.facility_id, report.description) == (facility_id, "灯罩掉了")


@pytest.mark.parametrize("state", ["revoked", "replaced"])
@pytest.mark.parametrize("how", ["scan", "scene", "followed", "typed"])
def test_a_label_that_has_ended_opens_nothing_in_the_chat(
    phone: TestPhone, lamp: tuple[str, str, int], how: str, state: str
) -> None:
    from district import clock
    from district.facilities.models import FacilityToken

    token = lamp[0]
    with unit_of_work() as session:
        row = session.get_one(FacilityToken, token)
        if state == "replaced":
            session.add(FacilityToken(token="SUCCESSOR2", facility_id=lamp[2], issued_at=clock.now()))
            session.flush()
            row.replaced_at, row.replaced_by = clock.now(), "SUCCESSOR2"
        else:
            row.revoked_at = clock.now()
        row.state = state
    answer = {
        "scan": lambda: scan(phone, f"http://district.test/f/{token}"),
        "scene": lambda: phone.does("SCAN", f"fac:{token}", Ticket="T").text,
        "followed": lambda: phone.does("subscribe", f"qrscene_fac:{token}", Ticket="T").text,
        "typed": lambda: phone.says(token).text,
    }[how]()
    assert "1. 不亮" not in answer
    assert lamp[1] not in answer


def test_words_first_then_the_scan_file_at_once(phone: TestPhone, lamp: tuple[str, str, int]) -> None:
    phone.says("灯一闪一闪的")
    scan(phone, f"http://district.test/f/{lamp[0]}")
    report = only_report()
    assert (report.facility_id, report.description) == (lamp[2], "灯一闪一闪的")


def tap(phone: TestPhone, answer: str, line: str) -> str:
    """Tap a line of the answer, as WeChat does: what it stands for is sent as the resident's message."""
    found = re.search(
        rf'<a href="weixin://bizmsgmenu\?msgmenucontent=([^"&]+)&msgmenuid=[^"&]+">[^<]*{line}</a>', answer
    )
    assert found is not None, answer
    return phone.says(unquote(found[1])).text


@pytest.mark.parametrize("how", ["menu", "followed", "scene"])
def test_two_taps_make_a_report(phone: TestPhone, lamp: tuple[str, str, int], how: str) -> None:
    """The first opens the scanner or the parametric code, the second chooses what is wrong; nothing else is sent."""
    token, _, facility_id = lamp
    answer = {
        "menu": lambda: scan(phone, f"HTTPS://DISTRICT.TEST/F/{token}"),
        "followed": lambda: phone.does("subscribe", f"qrscene_fac:{token}", Ticket="T").text,
        "scene": lambda: phone.does("SCAN", f"fac:{token}", Ticket="T").text,
    }[how]()
    answer = tap(phone, answer, "不亮")
    report = only_report()
    assert report.number in answer
    assert (report.facility_id, report.source, report.description) == (facility_id, "qr", "不亮")
    assert report.place_source == "facility"
    assert db.session.query(InboundMessage).count() == 2


def test_two_taps_join_what_is_reported(
    phone: TestPhone, new_phone: Callable[..., TestPhone], lamp: tuple[str, str, int]
) -> None:
    tap(phone, scan(phone, f"http://district.test/f/{lamp[0]}"), "不亮")
    other = new_phone()
    answer = tap(other, scan(other, f"http://district.test/f/{lamp[0]}"), "就是这个")
    report = only_report()
    assert report.number in answer
    assert report.has_followers


@pytest.mark.parametrize("how", ["{token}", "{lower}", "{dashes}", "{groups}", "{wide}", "{code}", " {token} "])
def test_a_code_is_typed_as_people_type_it(phone: TestPhone, lamp: tuple[str, str, int], how: str) -> None:
    token, code, _ = lamp
    typed = how.format(
        token=token, lower=token.lower(), code=code, dashes=f"{token[:5]}-{token[5:]}",
        groups=f"{code[:6]} {code[6:11]} {code[11:]}", wide="".join(chr(ord(one) + 0xFEE0) for one in token),
    )  # fmt: skip
    answer = phone.says(typed).text
    assert "1. 不亮" in answer, typed
    tap(phone, answer, "不亮")
    assert only_report().facility_id == lamp[2]


def test_a_word_as_long_as_a_code_is_still_a_word(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("The street lamp at the gate is out")
    assert step_of(phone) != "idle"
    answer = phone.says("everything").text
    assert "这个码" not in answer


def test_scans_in_the_chat_are_counted(phone: TestPhone, lamp: tuple[str, str, int]) -> None:
    scan(phone, f"http://district.test/f/{lamp[0]}")
    phone.does("SCAN", f"fac:{lamp[0]}", Ticket="T")
    phone.says(lamp[1])
    assert scans.of_facility(lamp[2]).total == 2


def test_codes_are_not_guessed_in_the_chat(
    phone: TestPhone, new_phone: Callable[..., TestPhone], lamp: tuple[str, str, int]
) -> None:
    """Neither by scanning nor by typing, and a right one is not told apart once it was too many."""
    for number in range(gate.MOST_WRONG_CODES):
        with clock.frozen_at(clock.now() + timedelta(seconds=5 * number)):
            code = f"GUESSED{number:03d}"
            answer = phone.says(code).text if number % 2 else scan(phone, f"http://district.test/f/{code}")
        assert answer == t("bot.facility.unknown") or not number
    with clock.frozen_at(clock.now() + timedelta(minutes=2)):
        answer = scan(phone, f"http://district.test/f/{lamp[0]}")
        assert "不亮" not in answer
        assert t("gate.codes") in answer
        assert "不亮" not in phone.says(lamp[0]).text
    with clock.frozen_at(clock.now() + timedelta(minutes=3)):
        assert scan(phone, f"http://district.test/f/{lamp[0]}") == t("bot.facility.unknown")
    assert scans.guesses() == {"chat": gate.MOST_WRONG_CODES}
    other = new_phone()
    assert "不亮" in scan(other, f"http://district.test/f/{lamp[0]}")
    with clock.frozen_at(clock.now() + timedelta(hours=2)):
        assert "不亮" in scan(phone, f"http://district.test/f/{lamp[0]}")


def test_a_facility_already_reported_is_said_so(
    phone: TestPhone, new_phone: Callable[..., TestPhone], lamp: tuple[str, str, int]
) -> None:
    scan(phone, f"http://district.test/f/{lamp[0]}")
    phone.says("1")
    number = only_report().number
    assert number in scan(new_phone(), f"http://district.test/f/{lamp[0]}")


@pytest.mark.parametrize(
    "result", ["https://example.com/f/NOSUCHTOKEN1", "EAN_13,6901234567892", "", "fac:1", "f/../x"]
)
def test_a_strange_code_is_answered_kindly(phone: TestPhone, district: SmallDistrict, result: str) -> None:
    assert "位置" in scan(phone, result)
    assert step_of(phone) == "idle"


# Where is my report


def test_progress_shows_the_report_and_its_private_link(phone: TestPhone, district: SmallDistrict) -> None:
    assert "BH" not in phone.says("进度").text
    report = filed(phone)
    number, key = report.number, report.access_key
    answer = phone.says("进度")
    assert number in answer.text
    assert key in answer.text
    assert "已收到" in answer.text
    assert number in phone.does("CLICK", "MINE").text


def test_several_reports_are_listed_newest_first(phone: TestPhone, district: SmallDistrict) -> None:
    first = filed(phone).number
    second = filed(phone, "光明小学门口有个大坑").number
    text = phone.says("我的上报").text
    assert text.index(second) < text.index(first)


def test_a_number_shows_its_report_and_a_strangers_only_its_status(
    phone: TestPhone, new_phone: Callable[..., TestPhone], district: SmallDistrict
) -> None:
    report = filed(phone)
    number, key = report.number, report.access_key
    assert key in phone.says(number.lower()).text
    other = new_phone().says(f"{number} 怎么样了").text
    assert "已收到" in other
    assert key not in other
    assert "路灯" not in other


def test_a_number_nobody_has_is_said_so(phone: TestPhone, district: SmallDistrict) -> None:
    for number in ("BH20200101-0001C", "BH20200101-0005A", "BH20200101-00", "bh 20200101 0001"):
        assert "没有找到" in phone.says(number).text
    assert not all_reports()


def test_photos_chosen_together_do_not_file_before_the_words(phone: TestPhone, district: SmallDistrict) -> None:
    phone.is_at(*HERE)
    for index in range(3):
        phone.shows(f"M{index}")
    assert not all_reports()
    phone.says("有个坑")
    assert len(only_report().photos) == 3


def test_another_photo_instead_of_words_is_enough_after_a_while(phone: TestPhone, district: SmallDistrict) -> None:
    phone.is_at(*HERE)
    phone.shows("M1")
    with later(5):
        phone.shows("M2")
    assert len(only_report().photos) == 2


def test_words_with_a_number_are_added_to_that_report(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    with later(300):
        phone.says(f"{number} 今天又灭了一盏")
    comment = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == EventKind.COMMENTED)).one()
    assert comment.note == "今天又灭了一盏"


# Rating


def closed(phone: TestPhone, district: SmallDistrict) -> int:
    report_id = filed(phone).id
    lamps, staff = district.lamps.id, district.staff
    for act in (
        lambda r: reports.assign(r, lamps, by=reports.SYSTEM),
        lambda r: reports.resolve(r, by=staff["handler"], note="换了灯泡"),
        lambda r: reports.verify(r, by=staff["verifier"]),
    ):
        with unit_of_work():
            act(reports.lock(report_id))
    return report_id


@pytest.mark.parametrize("words, stars", [("5", 5), ("五星", 5), ("1分", 1), ("满意", None), ("Solved!", None)])
def test_a_closed_report_is_rated(phone: TestPhone, district: SmallDistrict, words: str, stars: int | None) -> None:
    closed(phone, district)
    with later(300):
        assert phone.says(words).text
    report = only_report()
    assert (report.status, report.solved, report.stars) == ("closed", True, stars)


@pytest.mark.parametrize("words", ["好的", "嗯", "没有", "还行", "yes"])
def test_a_nod_to_the_question_is_no_rating(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    closed(phone, district)
    with later(300), speaking("en" if words == "yes" else CHINESE):
        assert phone.says(words).text == t("bot.rate.ask")
    report = only_report()
    assert (report.status, report.solved, report.stars) == ("closed", None, None)


@pytest.mark.parametrize("words", ["5，很满意", "5分，谢谢", "满意，5分"])
def test_stars_and_kind_words_are_a_rating(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    closed(phone, district)
    assert phone.says(words).text == t("bot.rate.thanks")
    assert only_report().solved is True


def test_a_verdict_with_its_number_and_a_reason_is_both(phone: TestPhone, district: SmallDistrict) -> None:
    closed(phone, district)
    phone.says(f"{only_report().number} 不满意，太慢了")
    report = only_report()
    assert (report.status, events(report)[-2:]) == ("assigned", ["reopened", "commented"])


def test_what_is_said_behind_a_rating_reaches_the_unit(phone: TestPhone, district: SmallDistrict) -> None:
    closed(phone, district)
    phone.says("5分，就是慢了点")
    report = only_report()
    assert (report.stars, events(report)[-2:]) == (5, ["rated", "commented"])


def test_a_trouble_behind_a_verdict_is_a_report(phone: TestPhone, district: SmallDistrict) -> None:
    closed(phone, district)
    with later(300):
        phone.says("没解决，光明小学门口还有个大坑")
    assert [report.status for report in all_reports()] == ["closed", "submitted"]


@pytest.mark.parametrize("words", ["没解决", "不满意", "还是老样子", "not solved"])
def test_not_solved_goes_back_to_the_same_unit(phone: TestPhone, district: SmallDistrict, words: str) -> None:
    closed(phone, district)
    answer = phone.says(words)
    report = only_report()
    assert (report.status, report.unit_id, report.reopen_count) == ("assigned", district.lamps.id, 1)
    assert report.number in answer.text
    phone.says("还是一闪一闪的")
    assert events(only_report())[-1] == "commented"


def test_not_solved_after_a_rating_still_goes_back(phone: TestPhone, district: SmallDistrict) -> None:
    closed(phone, district)
    phone.says("5")
    phone.says("没解决")
    assert only_report().status == "assigned"


def test_a_second_rating_changes_nothing(phone: TestPhone, district: SmallDistrict) -> None:
    closed(phone, district)
    phone.says("5")
    assert phone.says("1").text
    assert only_report().stars == 5


def test_a_rating_with_nothing_closed_is_answered(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    assert phone.says("5").text
    assert only_report().stars is None


def test_it_is_too_late_to_reopen_after_the_districts_days(phone: TestPhone, district: SmallDistrict) -> None:
    report_id = closed(phone, district)
    number = db.session.get_one(Report, report_id).number
    with later(16 * 24 * 60):
        answer = phone.says(f"{number} 没解决")
        assert "15" in answer.text
    assert only_report().status == "closed"


# Taking back


def test_taking_back_is_confirmed_once(phone: TestPhone, district: SmallDistrict) -> None:
    number = filed(phone).number
    assert number in phone.says("撤回").text
    assert only_report().status == "submitted"
    assert number in phone.says("是的").text
    assert only_report().status == "withdrawn"


def test_taking_back_can_be_thought_over(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    phone.says("撤回")
    phone.says("否")
    assert (only_report().status, step_of(phone)) == ("submitted", "idle")


def test_other_words_than_yes_keep_the_report(phone: TestPhone, district: SmallDistrict) -> None:
    filed(phone)
    phone.says("撤回")
    phone.says("光明小学门口有个大坑")
    assert [report.status for report in all_reports()] == ["submitted", "submitted"]


def test_what_is_being_handled_cannot_be_taken_back(phone: TestPhone, district: SmallDistrict) -> None:
    report_id = filed(phone).id
    with unit_of_work():
        reports.assign(reports.lock(report_id), district.lamps.id, by=reports.SYSTEM)
    with unit_of_work():
        reports.accept(reports.lock(report_id), by=district.staff["handler"])
    number = only_report().number
    phone.says(f"{number} 撤回")
    phone.says("是")
    assert only_report().status == "in_progress"


def test_nobody_takes_back_anothers_report(
    phone: TestPhone, new_phone: Callable[..., TestPhone], district: SmallDistrict
) -> None:
    number = filed(phone).number
    stranger = new_phone()
    stranger.says(f"{number} 撤回")
    stranger.says("是")
    assert only_report().status == "submitted"


# Who one is


def test_the_privacy_notice_is_shown_at_the_first_contact_only(phone: TestPhone, district: SmallDistrict) -> None:
    assert "/privacy" in phone.does("subscribe").text
    assert "/privacy" not in phone.says("你好").text
    assert resident_of(phone).notice_version >= 1


def test_the_welcome_names_the_service(phone: TestPhone, district: SmallDistrict) -> None:
    assert "测试区" in phone.does("subscribe").text


def test_english_is_answered_in_english_until_chinese_comes(phone: TestPhone, district: SmallDistrict) -> None:
    assert "Where" in phone.says("the street light is broken").text
    answer = phone.is_at(*HERE)
    assert "Received" in answer.text
    assert (only_report().language, resident_of(phone).language) == ("en", "en")
    assert "不客气" in phone.says("谢谢").text
    assert resident_of(phone).language == CHINESE


def test_a_district_that_is_not_loaded_still_answers(phone: TestPhone, app: Flask) -> None:
    assert phone.does("subscribe").text
    assert phone.says("有个坑").text
    assert phone.is_at(*HERE).text


def test_replies_fit_whatever_was_reported(phone: TestPhone, district: SmallDistrict) -> None:
    for _ in range(5):
        make_report(district, resident=None, description="井" * 500)
    for index in range(6):
        phone.says("上报")
        phone.says(f"第{index}个大坑" + "坑" * 400)
        phone.is_at(*HERE)
    answer = phone.says("进度")
    assert answer.problems == []
    assert answer.text.count("BH") >= 5


def test_who_says_that_it_is_another_trouble_of_the_lamp_is_believed(
    phone: TestPhone, new_phone: Callable[..., TestPhone], lamp: tuple[str, str, int]
) -> None:
    with unit_of_work():
        settings.put("similar", {"sure_hours": 24})
        settings.changed("settings")
    forget_reference()
    scan(phone, lamp[0])
    phone.says("不亮")
    jobs.route_reports()
    other = new_phone(openid="oOther".ljust(28, "X"))
    scan(other, lamp[0])
    assert "已经有人报过" in other.says("2").text
    assert "BH" in other.says("不是").text
    jobs.route_reports()
    assert Status.MERGED not in db.session.scalars(select(Report.status)).all()
