"""The panel's page of WeChat settings: what it shows and hides, the test of the connection, publishing the menu."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from district.extensions import db
from district.messages import CHINESE, speaking
from district.people.models import AuditEntry
from tests.admin.conftest import LogIn, words_of
from tests.conftest import both_databases, settings_for
from tests.support.wechat_platform import Remote

PAGE, TEST, MENU = "/admin/settings/wechat", "/admin/settings/wechat/test", "/admin/settings/wechat/menu"
TOKEN = "tokenOfTheTest2026x9z"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
STABLE, CALLS, QUOTA = "/cgi-bin/stable_token", "/cgi-bin/get_api_domain_ip", "/cgi-bin/openapi/quota/get"


@pytest.fixture
def env(env: dict[str, str], wechat: Remote) -> dict[str, str]:
    return env | settings_for(wechat) | {
        "PUBLIC_BASE_URL": "https://district.test",
        "WECHAT_TOKEN": TOKEN,
        "WECHAT_ENCODING_AES_KEY": AES_KEY,
        "WECHAT_TEMPLATE_PROGRESS": "TM-progress-1",
    }  # fmt: skip


Answers = Callable[[Exception | int], None]


@pytest.fixture(autouse=True)
def public_address(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """The public address answers as our application does, with another status, or fails with an error of the network.

    The address is a real one only where the product runs; the request itself goes through the whole application.
    """
    way: dict[str, Exception | int] = {"is": 0}

    def answer(address: str, params: dict[str, str], **_: Any) -> requests.Response:
        if isinstance(way["is"], Exception):
            raise way["is"]
        found = client.get(urlsplit(address).path, query_string=params)
        response = requests.Response()
        response.status_code = way["is"] or found.status_code
        response._content = found.data
        return response

    monkeypatch.setattr("district.wechat.checking.requests.get", answer)
    return lambda value: way.update({"is": value})


def findings(page: str) -> dict[str, tuple[str, str]]:
    """What the test found, as {its place among the findings: (state, words)}."""
    names = ("settings", "token", "addresses", "quota", "menu", "callback")
    rows = re.findall(r'<li class="look look-(\w+)">(.*?)</li>', page, re.DOTALL)
    assert len(rows) == len(names)
    return {name: (state, re.sub(r"<[^>]+>", " ", row)) for name, (state, row) in zip(names, rows, strict=True)}


def test_what_is_set_is_shown_and_no_secret(log_in: LogIn, wechat: Remote) -> None:
    page = log_in("administrator").get(PAGE)
    words = words_of(page)
    assert page.status_code == 200
    assert wechat.app_id in words
    assert "https://district.test/wechat" in words
    assert "TM-progress-1" in words
    assert TOKEN not in page.text
    assert AES_KEY not in page.text
    assert wechat.secret not in page.text
    assert words.count(TOKEN[-3:]) == 2  # among our settings, and where it is typed into the console
    assert TOKEN[-4:] not in page.text
    # Too short for even its end to be shown.
    assert f"末尾是 {wechat.secret[-3:]}" not in words


def test_the_addresses_to_enter_can_be_copied(log_in: LogIn) -> None:
    page = log_in("administrator").get(PAGE).text
    copied = {
        found[2] for found in re.finditer(r'id="(console-\d+)">([^<]*)<', page) if f'data-copy="#{found[1]}"' in page
    }
    assert copied == {"https://district.test/wechat", "district.test"}


@both_databases
def test_all_is_well_once_the_menu_is_published(app: Flask, log_in: LogIn, wechat: Remote) -> None:
    person = log_in("administrator")
    found = findings(person.post(TEST).text)
    assert {name: state for name, (state, _) in found.items()} == {
        "settings": "well", "token": "well", "addresses": "well", "quota": "well", "menu": "bad", "callback": "well"
    }  # fmt: skip
    answer = person.post(MENU)
    assert answer.status_code == 302
    with speaking(CHINESE):
        assert wechat.control("state")["menu"]["button"] == app.extensions["account_menu"]()
    assert {state for state, _ in findings(person.post(TEST).text).values()} == {"well"}
    logged = db.session.scalars(select(AuditEntry).where(AuditEntry.subject == "wechat").order_by(AuditEntry.id)).all()
    assert [entry.action.removeprefix("wechat_account.") for entry in logged] == ["test", "publish_menu", "test"]
    assert logged[1].detail["before"] == []
    assert len(logged[1].detail["after"]) == 3


@pytest.mark.parametrize(
    "code, says",
    [
        (40001, "WECHAT_APP_SECRET"), (40013, "WECHAT_APP_ID"), (40125, "WECHAT_APP_SECRET"), (40164, "203.0.113.9"),
        (40243, "解冻"), (41002, "WECHAT_APP_ID"), (41004, "WECHAT_APP_SECRET"), (45009, "明天"), (45011, "一分钟"),
        (48001, "已认证"), (50002, "限制"), (50007, "冻结"), (61024, "第三方平台"), (89503, "管理员"), (-1, "繁忙"),
        (99999, "按编号"),
    ],
)  # fmt: skip
def test_why_there_is_no_token_is_said_with_what_to_do(log_in: LogIn, wechat: Remote, code: int, says: str) -> None:
    errmsg = "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 0" if code == 40164 else "no rid: 0"
    wechat.fault(STABLE, errcode=code, errmsg=errmsg, times=9)
    page = log_in("administrator").post(TEST)
    found = findings(page.text)
    state, words = found["token"]
    assert state == "bad"
    assert says in words
    assert str(code) in words
    # What needs a token is not tried; our own address is.
    assert [found[name][0] for name in ("addresses", "quota", "menu")] == ["skipped"] * 3
    assert wechat.calls(CALLS) == 0
    assert found["callback"][0] == "well"
    assert wechat.secret not in page.text


def test_a_mended_secret_is_noticed_at_once(log_in: LogIn, wechat: Remote) -> None:
    """A refusal is remembered for a minute elsewhere: the test asks all the same."""
    person = log_in("administrator")
    wechat.fault(STABLE, errcode=40125, times=1)
    assert findings(person.post(TEST).text)["token"][0] == "bad"
    assert findings(person.post(TEST).text)["addresses"][0] == "well"


@pytest.mark.parametrize("code, says", [(48001, "已认证"), (50002, "限制"), (40164, "白名单")])
def test_a_token_alone_is_not_enough(log_in: LogIn, wechat: Remote, code: int, says: str) -> None:
    wechat.fault(CALLS, errcode=code, times=9)
    found = findings(log_in("administrator").post(TEST).text)
    assert found["token"][0] == "well"
    assert found["addresses"][0] == "bad"
    assert says in found["addresses"][1]


@pytest.mark.parametrize("what, says", [({"http": 502}, "应答不正常"), ({"raw": "<html>"}, "应答不正常")])
def test_an_answer_that_makes_no_sense_is_said(log_in: LogIn, wechat: Remote, what: dict[str, Any], says: str) -> None:
    wechat.fault(STABLE, times=9, **what)
    state, words = findings(log_in("administrator").post(TEST).text)["token"]
    assert state == "bad"
    assert says in words


def test_a_day_that_is_nearly_used_up_is_said_and_does_no_harm(log_in: LogIn, wechat: Remote) -> None:
    person = log_in("administrator")
    wechat.control("quota", {"daily": 0})
    wechat.fault(QUOTA, errcode=76021)
    assert findings(person.post(TEST).text)["quota"][0] == "doubtful"
    wechat.control("faults-off", {})
    assert findings(person.post(TEST).text)["quota"][0] == "well"


@pytest.mark.parametrize(
    "way, says",
    [
        (requests.exceptions.SSLError(), "证书"), (requests.ConnectTimeout(), "没有应答"),
        (requests.ReadTimeout(), "没有应答"), (requests.ConnectionError(), "连不上"),
        (403, "WECHAT_TOKEN"), (404, "没有把 /wechat 转给我们"), (502, "502"),
    ],
)  # fmt: skip
def test_why_our_own_address_does_not_answer_is_said(
    log_in: LogIn, public_address: Answers, way: Exception | int, says: str
) -> None:
    public_address(way)
    state, words = findings(log_in("administrator").post(TEST).text)["callback"]
    assert state == "bad"
    assert says in words
    assert "https://district.test/wechat" in words


def test_an_address_without_https_is_said(log_in: LogIn, app: Flask) -> None:
    import dataclasses

    app.config["BIHUAN"] = dataclasses.replace(app.config["BIHUAN"], public_base_url="http://district.test:8000")
    state, words = findings(log_in("administrator").post(TEST).text)["settings"]
    assert state == "bad"
    assert "PUBLIC_BASE_URL" in words


def test_a_menu_that_wechat_refuses_is_explained_and_not_logged_as_done(log_in: LogIn, wechat: Remote) -> None:
    wechat.fault("/cgi-bin/menu/create", errcode=48001)
    answer = log_in("administrator").post(MENU)
    assert answer.status_code == 502
    assert "已认证" in words_of(answer)
    assert db.session.scalar(select(AuditEntry).where(AuditEntry.action == "wechat_account.publish_menu")) is None


def test_it_is_there_in_english(log_in: LogIn, wechat: Remote) -> None:
    wechat.fault(STABLE, errcode=40164, times=9)
    page = log_in("administrator").post(f"{TEST}?lang=en")
    assert "white list" in findings(page.text)["token"][1]
    assert not re.search(r"wechat\.[a-z_]+\.[a-z_]+", words_of(page))
