"""The development chat window: its messages are real callbacks, its stand-in keeps WeChat's rules."""

from __future__ import annotations

import io
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select

from bot.chat import memory
from district import jobs, wechat
from district.config import Config
from district.extensions import db
from district.facilities import service as facility_service
from district.notifications.models import SubscriptionGrant
from district.reports.models import Photo, Report
from district.wechat.client import Visitor
from district.wechat.errors import BadCode, Fatal, MediaGone, NoGrant, NotFollower, WindowClosed
from district.work import unit_of_work
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_facility
from tests.support.serving import serving
from wsgi import create_app

PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "s" * 40,
    "WECHAT_TOKEN": "t",
    "WECHAT_APP_ID": "wx1",
    "WECHAT_APP_SECRET": "s",
    "WECHAT_ENCODING_AES_KEY": "A" * 43,
}


@pytest.fixture
def env(env: dict[str, str], redis_url: str) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return env | {"REDIS_URL": redis_url, "PORT": str(port)}


@pytest.fixture
def running(app: Flask, district: SmallDistrict) -> Iterator[str]:
    """The application on the very port that the window posts its callbacks to."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    config: Config = app.config["BIHUAN"]
    with serving(app, config.port) as address:
        yield address


class Window:
    """One browser with the chat window open."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.page = client.get("/chat").get_data(as_text=True)

    @property
    def openid(self) -> str:
        cookie = self.client.get_cookie("chat_residents")
        assert cookie is not None
        return cookie.value.split(".")[0]

    def send(self, kind: str, **fields: Any) -> str:
        """Send one message; what the account answered last."""
        answer = self.client.post("/chat/send", data={"kind": kind, **fields})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        db.session.rollback()
        return self.heard()

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        return list(self.client.get(f"/chat/log?after={after}").get_json()["entries"])

    def heard(self) -> str:
        theirs = [entry for entry in self.log() if entry["side"] == "theirs"]
        return str(theirs[-1].get("text", "")) if theirs else ""


@pytest.fixture
def window(running: str, app: Flask) -> Window:
    return Window(app.test_client())


def a_picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(out, "JPEG")
    out.seek(0)
    return out


# Only in development


@pytest.mark.parametrize("path", ["/chat", "/chat/log", "/chat/static/chat.js", "/_wechat/cgi-bin/stable_token"])
def test_production_has_no_window_and_no_stand_in(env: dict[str, str], path: str) -> None:
    app = create_app(Config.from_env(env | PRODUCTION))
    assert not [rule for rule in app.url_map.iter_rules() if str(rule).startswith(("/chat", "/_wechat"))]
    assert app.test_client().get(path).status_code == 404
    assert app.test_client().post(path).status_code == 404


def test_a_real_api_address_leaves_out_the_stand_in(env: dict[str, str]) -> None:
    app = create_app(Config.from_env(env | {"WECHAT_API_BASE_URL": "https://api.weixin.qq.com"}))
    assert not [rule for rule in app.url_map.iter_rules() if str(rule).startswith("/_wechat")]
    assert app.test_client().get("/chat").status_code == 200


def test_the_page_keeps_to_the_strict_policy(window: Window) -> None:
    assert "<script>" not in window.page
    assert not re.search(r"\son[a-z]+=|\sstyle=", window.page)


# Talking


def test_words_and_a_place_become_a_report(window: Window) -> None:
    assert "测试区" in window.send("follow")
    assert "位置" in window.send("text", text="有个大坑")
    answer = window.send("location", latitude=MIDDLE[0], longitude=MIDDLE[1], label="人民路口")
    report = db.session.scalars(select(Report)).one()
    assert report.number in answer
    assert report.latitude == pytest.approx(MIDDLE[0], abs=2e-6)
    assert [entry["kind"] for entry in window.log()] == ["text", "text", "text", "location", "text"]


def test_a_photo_is_fetched_through_the_stand_in(window: Window) -> None:
    window.send("text", text="民悦园门口有个坑")
    window.send("image", photo=(a_picture(), "a.jpg"))
    jobs.fetch_photos()
    db.session.rollback()
    photo = db.session.scalars(select(Photo)).one()
    assert (photo.state, photo.width, photo.height) == ("kept", 40, 30)
    media = next(entry["media"] for entry in window.log() if entry["kind"] == "image")
    assert window.client.get(f"/chat/media/{media}").mimetype == "image/jpeg"


def test_a_file_that_is_no_photo_is_refused_with_words(window: Window) -> None:
    answer = window.client.post("/chat/send", data={"kind": "image", "photo": (io.BytesIO(b"MZ"), "a.exe")})
    assert answer.status_code == 422
    assert answer.get_json()["error"]


def test_a_scan_offers_the_facilitys_troubles_and_shows_its_code(window: Window, district: SmallDistrict) -> None:
    with unit_of_work():
        make_facility(district.lamps)
    forget_reference()
    (found,) = window.client.get("/chat/facilities?q=路灯").get_json()["facilities"]
    assert b"<svg" in window.client.get(found["code"]).data
    assert "1. 不亮" in window.send("scan", token=found["token"], name=found["name"], key="SCAN")
    assert "BH" in window.send("text", text="1")


def test_a_voice_with_and_without_words(window: Window) -> None:
    assert "BH" in window.send("voice", text="民悦园的路灯坏了")
    assert "打一句字" in window.send("voice", text="")


def test_menu_taps_are_answered(window: Window) -> None:
    assert window.send("click", key="MINE")
    assert window.send("click", key="REPORT")


@pytest.mark.parametrize(
    "fields", [{"kind": "text", "text": " "}, {"kind": "location"}, {"kind": "image"}, {"kind": "x"}, {}]
)
def test_what_cannot_be_sent_is_said(window: Window, fields: dict[str, str]) -> None:
    assert window.client.post("/chat/send", data=fields).status_code == 422


def test_a_browser_without_a_resident_is_asked_to_reload(app: Flask, running: str) -> None:
    client = app.test_client()
    client.set_cookie("chat_residents", "oSomebodyElse.'; drop")
    assert client.post("/chat/send", data={"kind": "text", "text": "x"}).status_code == 422


def test_a_callback_nobody_answers_is_shown(window: Window, app: Flask) -> None:
    app.config["BIHUAN"] = replace(app.config["BIHUAN"], port=9)
    answer = window.client.post("/chat/send", data={"kind": "text", "text": "有个坑"})
    assert answer.status_code == 502
    assert window.log()[-1]["kind"] == "system"


# Several residents


def test_a_browser_has_several_residents_and_their_talks_apart(window: Window) -> None:
    window.send("text", text="有个坑")
    first = window.openid
    window.client.get("/chat?new=1")
    second = window.openid
    assert first != second
    assert window.log() == []
    window.client.get("/chat?as=1")
    assert window.openid == first
    assert len(window.log()) == 2


# The stand-in's rules


@pytest.fixture
def api(app: Flask, window: Window) -> wechat.WeChatClient:
    memory.connection().delete("bihuan:chat:token")
    for key in memory.connection().scan_iter("bihuan:wechat:token:*"):
        memory.connection().delete(key)
    return wechat.client_for(app)


def test_a_message_lets_five_be_pushed(api: wechat.WeChatClient, window: Window) -> None:
    with pytest.raises(WindowClosed) as closed:
        api.send_text(window.openid, "x")
    assert closed.value.code == 45015
    window.send("text", text="在吗")
    for number in range(5):
        api.send_text(window.openid, f"推送{number}")
    assert window.heard() == "推送4"
    with pytest.raises(WindowClosed) as used:
        api.send_text(window.openid, "x")
    assert used.value.code == 45047


def test_a_tap_lets_three_be_pushed_and_cuts_no_longer_grant(api: wechat.WeChatClient, window: Window) -> None:
    window.send("click", key="MINE")
    for _ in range(3):
        api.send_text(window.openid, "x")
    with pytest.raises(WindowClosed):
        api.send_text(window.openid, "x")
    window.send("text", text="在吗")
    window.send("click", key="MINE")
    for _ in range(5):
        api.send_text(window.openid, "x")


def test_a_template_is_shown_as_a_card_to_followers_only(api: wechat.WeChatClient, window: Window) -> None:
    with pytest.raises(NotFollower):
        api.send_template(window.openid, "T", "http://district.test/r/1", {"thing2": "已派给路灯班组"}, "1")
    window.send("follow")
    assert api.send_template(window.openid, "T", "http://district.test/r/1", {"thing2": "已派给路灯班组"}, "2")
    card = window.log()[-1]
    assert (card["kind"], card["lines"], card["url"]) == ("card", ["已派给路灯班组"], "http://district.test/r/1")
    window.send("leave")
    with pytest.raises(NotFollower):
        api.send_template(window.openid, "T", "", {"thing2": "x"}, "3")
    with pytest.raises(WindowClosed):
        api.send_text(window.openid, "x")


def test_the_other_calls_are_answered(api: wechat.WeChatClient, window: Window) -> None:
    from bot import menu

    api.create_menu(menu.buttons())
    assert api.create_scene_code("fac:1", lasts_s=60).startswith("http")
    with pytest.raises(NoGrant):
        api.send_subscription_notice(window.openid, "T", "", {"thing1": "x"})
    with pytest.raises(MediaGone):
        api.download_media("../secrets.json")
    media_id = api.media.upload("image", ("a.jpg", a_picture().getvalue(), "image/jpeg"))["media_id"]
    assert api.download_media(media_id) == a_picture().getvalue()


def test_the_menu_is_kept_shown_and_taken_away(api: wechat.WeChatClient, running: str) -> None:
    from bot import menu

    api.create_menu(menu.buttons())
    assert api.present_menu() == {"button": menu.buttons()}
    api.delete_menu()
    assert api.present_menu() is None


def test_who_agreed_gets_one_notice(api: wechat.WeChatClient, window: Window) -> None:
    window.send("agree", template="STAND_IN_NOTICE")
    (row,) = db.session.scalars(select(SubscriptionGrant))
    assert (row.template_id, row.left_over) == ("STAND_IN_NOTICE", 1)
    assert api.send_subscription_notice(window.openid, "STAND_IN_NOTICE", "http://x/r/1", {"thing2": "已办结"})
    assert window.log()[-1]["lines"] == ["已办结"]
    with pytest.raises(NoGrant):
        api.send_subscription_notice(window.openid, "STAND_IN_NOTICE", "http://x/r/1", {"thing2": "x"})


def test_a_parametric_code_opens_the_facilitys_dialogue(window: Window) -> None:
    with unit_of_work():
        facility = make_facility()
        token = facility_service.token_of(facility.id) or ""
        code = facility.code17
    forget_reference()
    assert code in window.send("code", token=token)


def test_the_login_sends_the_windows_resident_back_with_a_code_for_one_use(
    api: wechat.WeChatClient, window: Window
) -> None:
    back = window.client.get(
        "/_wechat/connect/oauth2/authorize", query_string={"redirect_uri": "http://district.test/x", "state": "S1"}
    ).headers["Location"]
    assert back.startswith("http://district.test/x?code=")
    assert back.endswith("&state=S1")
    code = back.partition("code=")[2].partition("&")[0]
    assert api.visitor(code) == Visitor(window.openid, is_snapshot=False)
    with pytest.raises(BadCode):
        api.visitor(code)
    elsewhere = {"redirect_uri": "http://elsewhere.test/x", "state": "S1"}
    assert window.client.get("/_wechat/connect/oauth2/authorize", query_string=elsewhere).status_code == 400


def test_a_wrong_secret_and_a_wrong_token_are_refused(app: Flask, api: wechat.WeChatClient, running: str) -> None:
    config: Config = app.config["BIHUAN"]
    tokens = wechat.TokenKeeper(
        app_id=config.wechat_app_id, secret="wrong", base_url=config.wechat_api_base_url, door=None
    )
    with pytest.raises(Fatal) as refused:
        tokens.get()
    assert refused.value.code == 40125
    answer = app.test_client().post("/_wechat/cgi-bin/message/custom/send?access_token=x", json={})
    assert answer.get_json()["errcode"] == 40001
