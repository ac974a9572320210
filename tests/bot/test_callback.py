"""The callback: forgeries are refused, everything else is answered, and nothing is handled twice."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from bot import again
from bot.models import Conversation, InboundMessage
from district import jobs
from district.extensions import db
from district.people.models import Resident
from district.reports.models import Report, ReportEvent
from tests.bot.conftest import TestPhone
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict
from tests.support.wechat_platform import Phone, Remote, running_platform, seal, xml_of

HERE = MIDDLE  # close enough to its GCJ-02 shift to stay in the small district


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_the_address_is_verified_by_its_echo(phone: TestPhone) -> None:
    from urllib.parse import urlencode

    query = phone.query(echostr="  5 839<b>&")
    answer = phone.post(f"{phone.url}?{urlencode(query)}", None)
    assert (answer.status, answer.body) == (200, "  5 839<b>&")
    query["signature"] = "0" * 40
    assert phone.post(f"{phone.url}?{urlencode(query)}", None).status == 403
    assert phone.post(phone.url, None).status == 403


FORGERIES: dict[str, Callable[[Phone, str], tuple[str, bytes]]] = {
    "a wrong signature": lambda p, xml: (lambda u, b: (u.replace("signature=", "signature=0"), b))(*p.request(xml)),
    "a wrong msg_signature": lambda p, xml: (lambda u, b: (u[:-4] + "0000", b))(*p.request(xml)),
    "a changed ciphertext": lambda p, xml: (
        lambda u, b: (u, b.replace(b"Encrypt><![CDATA[", b"Encrypt><![CDATA[AAAA"))
    )(*p.request(xml)),
    "another account's": lambda p, xml: p.request(xml, sealed=seal(p.aes_key, "wxOther", xml)),
    "a week old": lambda p, xml: p.request(xml, at=time.time() - 7 * 86400),
    "eleven minutes from the future": lambda p, xml: p.request(xml, at=time.time() + 660),
    "unencrypted": lambda p, xml: (p.request(xml)[0].split("&encrypt_type")[0], xml.encode()),
    "well-signed nonsense": lambda p, xml: p.request(xml, sealed=base64.b64encode(os.urandom(64)).decode()),
    "another key's": lambda p, xml: p.request(
        xml, sealed=seal(base64.b64encode(os.urandom(32)).decode().rstrip("="), p.app_id, xml)
    ),
    "an empty body": lambda p, xml: (p.request(xml)[0], b""),
    "too large": lambda p, xml: (p.request(xml)[0], b"<xml>" + b"x" * 200_000),
    "without a query": lambda p, xml: (p.url, p.request(xml)[1]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_and_leaves_nothing(phone: TestPhone, district: SmallDistrict, name: str) -> None:
    answer = phone.post(*FORGERIES[name](phone, phone.message("text", Content="路灯坏了")))
    assert answer.status == 403
    assert answer.body == ""
    assert count(InboundMessage) == 0


EVERY_KIND: dict[str, tuple[str, dict[str, object]]] = {
    "text": ("text", {"Content": "路灯不亮"}),
    "a control character": ("text", {"Content": "路灯\x08不亮\x00"}),
    "an attempt to break out": ("text", {"Content": "x]]></Content><MsgType>event</MsgType><Content><![CDATA["}),
    "markup": ("text", {"Content": "<a href='x'>&amp;</a>"}),
    "a very long text": ("text", {"Content": "井" * 3000}),
    "an empty text": ("text", {"Content": ""}),
    "emoji": ("text", {"Content": "😀👍"}),
    "a sticker": ("text", {"Content": "【收到不支持的消息类型，暂无法显示】"}),
    "image": ("image", {"PicUrl": "http://p/0", "MediaId": "M1"}),
    "voice": ("voice", {"MediaId": "M2", "Format": "amr"}),
    "voice with words": ("voice", {"MediaId": "M2", "Format": "amr", "Recognition": "路灯不亮。"}),
    "video": ("video", {"MediaId": "M3", "ThumbMediaId": "T"}),
    "shortvideo": ("shortvideo", {"MediaId": "M3", "ThumbMediaId": "T"}),
    "location": ("location", {"Location_X": HERE[0], "Location_Y": HERE[1], "Scale": 16, "Label": "人民路"}),
    "an impossible location": ("location", {"Location_X": "x", "Location_Y": "", "Scale": 16}),
    "link": ("link", {"Title": "t", "Description": "d", "Url": "https://example.com/"}),
    "file": ("file", {"Title": "a.pdf", "FileKey": "k"}),
    "mini program": ("miniprogrampage", {"Title": "t", "AppId": "a"}),
    "a kind of the future": ("hologram", {"Content": "x"}),
}


@pytest.mark.parametrize("name", EVERY_KIND)
def test_every_kind_of_message_gets_an_answer(phone: TestPhone, district: SmallDistrict, name: str) -> None:
    kind, fields = EVERY_KIND[name]
    answer = phone.deliver(phone.message(kind, **fields))
    assert (answer.status, answer.problems) == (200, [])
    assert answer.text
    assert "bot." not in answer.text


EVENTS: dict[str, tuple[str, str | None, dict[str, object], bool]] = {
    "subscribe": ("subscribe", "", {}, True),
    "subscribe by an unknown code": ("subscribe", "qrscene_fac:1", {"Ticket": "T"}, True),
    "unsubscribe": ("unsubscribe", "", {}, False),
    "SCAN of an unknown code": ("SCAN", "fac:1", {"Ticket": "T"}, True),
    "LOCATION": ("LOCATION", None, {"Latitude": 50.4, "Longitude": 124.1, "Precision": 65}, False),
    "CLICK report": ("CLICK", "REPORT", {}, True),
    "CLICK mine": ("CLICK", "MINE", {}, True),
    "CLICK something else": ("CLICK", "X", {}, True),
    "VIEW": ("VIEW", "https://example.com/" + "x" * 900, {"MenuId": 1}, False),
    "scancode_push": ("scancode_push", "K", {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "x"}}, False),
    "scancode_waitmsg": ("scancode_waitmsg", "K", {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "x"}}, True),
    "pic_sysphoto": ("pic_sysphoto", "K", {"SendPicsInfo": {"Count": 1}}, False),
    "location_select": ("location_select", "K", {"SendLocationInfo": {"Location_X": 50, "Location_Y": 124}}, False),
    "TEMPLATESENDJOBFINISH": ("TEMPLATESENDJOBFINISH", None, {"MsgID": 1, "Status": "success"}, False),
    "subscribe_msg_popup_event": ("subscribe_msg_popup_event", None, {"SubscribeMsgPopupEvent": {"List": {}}}, False),
    "user_authorization_revoke": ("user_authorization_revoke", None, {}, False),
    "an event of the future": ("eclipse", "", {}, False),
}


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_acknowledged_or_answered(phone: TestPhone, district: SmallDistrict, name: str) -> None:
    event, key, fields, answered = EVENTS[name]
    answer = phone.does(event, key, **fields)
    assert (answer.status, answer.problems) == (200, [])
    assert bool(answer.text) == answered
    if not answered:
        assert answer.body == "success"


@pytest.mark.parametrize("xml", ["<xml/>", "<xml><a>", "no xml", "<xml><MsgType>text</MsgType></xml>", "<html></html>"])
def test_an_authentic_message_that_nobody_can_read_is_acknowledged(
    phone: TestPhone, district: SmallDistrict, xml: str
) -> None:
    answer = phone.post(*phone.request(xml))
    assert (answer.status, answer.body) == (200, "success")
    assert count(InboundMessage) == 0


def test_compatible_mode_is_read_by_its_encrypted_part(
    new_phone: Callable[..., TestPhone], district: SmallDistrict
) -> None:
    answer = new_phone(mode="compatible").says("路灯不亮")
    assert (answer.status, answer.problems) == (200, [])
    assert answer.text


def test_a_plain_phone_is_refused_in_safe_mode(new_phone: Callable[..., TestPhone], district: SmallDistrict) -> None:
    assert new_phone(mode="plain").says("路灯不亮").status == 403


class TestPlainMode:
    @pytest.fixture
    def env(self, env: dict[str, str]) -> dict[str, str]:
        return env | {"WECHAT_MODE": "plain"}

    def test_development_may_speak_plainly(self, new_phone: Callable[..., TestPhone], district: SmallDistrict) -> None:
        answer = new_phone(mode="plain").says("路灯不亮")
        assert (answer.status, answer.problems) == (200, [])
        assert answer.text


# Repeats


def test_a_repeat_gets_the_same_answer_and_changes_nothing(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("民悦园的路灯坏了三天了")
    message = phone.message("text", Content="民悦园楼下井盖也翻了，快来看看")
    first, second, third = (phone.deliver(message) for _ in range(3))
    assert first.text
    assert first.xml == second.xml == third.xml
    assert count(InboundMessage) == 2


def test_a_repeated_event_is_known_by_sender_second_and_key(phone: TestPhone, district: SmallDistrict) -> None:
    message = phone.event("subscribe", "")
    assert phone.deliver(message).xml == phone.deliver(message).xml
    assert count(InboundMessage) == 1


@both_databases
def test_four_deliveries_at_once_make_one_report_and_one_answer(
    app: Flask, district: SmallDistrict, served: str
) -> None:
    config = app.config["BIHUAN"]
    phone = Phone(served, config.wechat_token, config.wechat_encoding_aes_key, config.wechat_app_id)
    answers = phone.deliver_at_once(phone.message("text", Content="民悦园门口的路灯坏了"), 4)
    assert [answer.problems for answer in answers] == [[]] * 4
    assert {answer.status for answer in answers} == {200}
    assert len({answer.xml for answer in answers}) == 1
    assert answers[0].text
    assert (count(Report), count(InboundMessage), count(Resident)) == (1, 1, 2)


@both_databases
def test_one_persons_messages_are_handled_one_after_the_other(app: Flask, district: SmallDistrict, served: str) -> None:
    """Words and place cross on the way; whichever is first, one report comes of them."""
    import threading

    config = app.config["BIHUAN"]
    for turn in range(4):
        phone = Phone(served, config.wechat_token, config.wechat_encoding_aes_key, config.wechat_app_id)
        before = count(Report)
        db.session.rollback()
        # Each at a place of its own: the same trouble at one place would be asked about first.
        place = (HERE[0] + turn * 0.001, HERE[1])
        acts = (lambda p=phone: p.says("有个坑"), lambda p=phone, at=place: p.is_at(*at))
        threads = [threading.Thread(target=act) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count(Report) == before + 1
        db.session.rollback()


# What fails inside


def test_a_locked_database_is_acknowledged_soon_and_the_message_is_handled_later(
    phone: TestPhone, app: Flask, district: SmallDistrict
) -> None:
    with running_platform(app.config["BIHUAN"].wechat_app_id, app.config["BIHUAN"].wechat_app_secret) as platform:
        path = app.config["SQLALCHEMY_DATABASE_URI"].removeprefix("sqlite:///")
        lock = sqlite3.connect(path, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = phone.says("民悦园门口的路灯坏了")
        took = time.monotonic() - began
        assert (answer.status, answer.body) == (200, "success")
        assert took < 5
        assert again.waiting(app) == 1
        lock.rollback()
        lock.close()

        _speak_through(app, platform)
        platform.control("interaction", {"openid": phone.openid, "kind": "message"})
        jobs.sweep()
        report = db.session.scalars(select(Report)).one()
        assert again.waiting(app) == 0
        (sent,) = platform.sent(phone.openid)
        assert report.number in sent["body"]["text"]["content"]
        assert db.session.scalars(select(Resident.window_left).where(Resident.openid == phone.openid)).one() == 4


def test_a_defect_is_acknowledged_and_the_message_waits(
    phone: TestPhone, app: Flask, district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dialogue is broken on purpose: there is no honest way to bring a defect about from outside."""
    from bot import dialogue

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(dialogue, "advance", broken)
    answer = phone.says("民悦园门口的路灯坏了")
    assert (answer.status, answer.body) == (200, "success")
    assert (count(InboundMessage), again.waiting(app)) == (0, 1)
    db.session.remove()
    jobs.sweep()
    assert again.waiting(app) == 1
    monkeypatch.undo()
    db.session.remove()
    jobs.sweep()
    assert (count(Report), again.waiting(app)) == (1, 0)


def test_a_message_that_always_fails_is_set_aside(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "MOST_TRIES", 2)
    again.keep(app, "<xml><FromUserName>oA</FromUserName><ToUserName>g</ToUserName><MsgType>text</MsgType></xml>")
    db.session.execute(text("drop table inbound_message"))
    db.session.commit()
    again.try_again()
    again.try_again()
    assert again.waiting(app) == 0
    assert [path.suffix for path in (Path(app.config["VAR_DIR"]) / again.FOLDER).iterdir()] == [".broken"]


def test_a_kept_message_is_readable_by_nobody_else(app: Flask) -> None:
    again.keep(app, "<xml>x</xml>")
    (path,) = (Path(app.config["VAR_DIR"]) / again.FOLDER).iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text(encoding="utf-8")) == {"xml": "<xml>x</xml>", "tries": 0}


def test_no_log_line_holds_what_was_said_or_who_said_it(
    phone: TestPhone, district: SmallDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    phone.says("民悦园三号楼王秀兰家门口的路灯坏了")
    phone.post(*FORGERIES["well-signed nonsense"](phone, phone.message("text", Content="王秀兰")))
    everything = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert caplog.records
    assert "王秀兰" not in everything
    assert phone.openid not in everything


def test_a_message_opens_the_sending_window_and_leaving_closes_it(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("在吗")
    resident = db.session.scalars(select(Resident).where(Resident.openid == phone.openid)).one()
    assert (resident.window_left, resident.is_follower) == (5, True)
    db.session.rollback()
    phone.does("unsubscribe")
    resident = db.session.scalars(select(Resident).where(Resident.left_digest.is_not(None))).one()
    assert (resident.openid, resident.window_left, resident.is_follower) == (None, 0, False)
    assert db.session.scalars(select(Conversation.draft)).all() == []


def test_a_message_costs_few_statements(phone: TestPhone, app: Flask, district: SmallDistrict) -> None:

    phone.says("有个坑")
    phone.says("进度条")
    said: list[str] = []

    def listen(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(said.append)

    event.listen(db.engine, "checkout", listen)
    phone.says("在吗")
    event.remove(db.engine, "checkout", listen)
    # Every two seconds somebody looks whether the reference data has changed: not this message's doing.
    aside = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "SELECT reference_version")
    statements = [one for one in said if not one.startswith(aside)]
    assert len(statements) == 4, statements


def _speak_through(app: Flask, platform: Remote) -> None:
    """Send through the played WeChat from now on."""
    from dataclasses import replace

    app.config["BIHUAN"] = replace(app.config["BIHUAN"], wechat_api_base_url=platform.base)
    app.extensions.pop("wechat_clients", None)


def test_events_that_tell_of_a_report_are_written(phone: TestPhone, district: SmallDistrict) -> None:
    phone.says("民悦园门口的路灯坏了")
    assert [one.kind for one in db.session.scalars(select(ReportEvent))] == ["submitted"]


def test_a_stranger_cannot_be_answered_with_anothers_reply(
    new_phone: Callable[..., TestPhone], district: SmallDistrict
) -> None:
    mine, theirs = new_phone(), new_phone()
    fields = {"ToUserName": "gh_bihuan", "CreateTime": 1, "MsgType": "text", "MsgId": 77}
    first = mine.post(*mine.request(xml_of({**fields, "FromUserName": mine.openid, "Content": "民悦园的路灯坏了"})))
    second = theirs.post(*theirs.request(xml_of({**fields, "FromUserName": theirs.openid, "Content": "在吗"})))
    assert first.problems == second.problems == []
    assert "BH" in first.text
    assert "BH" not in second.text
