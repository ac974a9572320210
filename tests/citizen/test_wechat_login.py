"""Logging in inside WeChat's browser: silent, bound to the browser, for one use, never required, never in a circle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import Flask, g
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from district.extensions import db
from district.frame import oauth
from district.people import leaving
from district.people.models import Resident
from district.reports.models import Report
from district.work import unit_of_work
from tests.conftest import both_databases, settings_for
from tests.factories import SmallDistrict, make_report, make_resident
from tests.support.wechat_platform import Remote

WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 MicroMessenger/8.0.50 Language/zh_CN"
LOGIN = "/sns/oauth2/access_token"


@pytest.fixture
def env(env: dict[str, str], wechat: Remote) -> dict[str, str]:
    return env | {
        **settings_for(wechat),
        "WECHAT_OAUTH_BASE_URL": wechat.base,
    }


class Browser:
    """WeChat's browser of one person: it follows redirects, also those to WeChat's own server."""

    def __init__(self, app: Flask, wechat: Remote, agent: str = WECHAT) -> None:
        self.client: FlaskClient = app.test_client()
        self.wechat, self.agent = wechat, agent
        self.hops: list[str] = []

    def get(self, address: str) -> TestResponse:
        """One answer, with no redirect followed. Requests of one test share an application context."""
        g.pop("resident_id", None)
        parts = urlsplit(address)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return self.client.get(path, headers={"User-Agent": self.agent})

    def open(self, address: str) -> TestResponse:
        self.hops = []
        for _ in range(9):
            answer = self.get(address)
            if answer.status_code not in (302, 303):
                return answer
            address = answer.headers["Location"]
            self.hops.append(address)
            if address.startswith(self.wechat.base):
                address = requests.get(address, allow_redirects=False, timeout=30).headers["Location"]
                self.hops.append(address)
        raise AssertionError(f"round and round: {self.hops}")

    def forget(self) -> None:
        self.client = self.client.application.test_client()


@pytest.fixture
def browser(app: Flask, wechat: Remote) -> Browser:
    return Browser(app, wechat)


@pytest.fixture
def report(app: Flask, wechat: Remote) -> Report:
    """A report of the person whom WeChat will name."""
    made = make_report(SmallDistrict())
    openid = db.session.scalars(select(Resident.openid).where(Resident.id == made.resident_id)).one()
    wechat.control("login", {"openid": openid})
    return made


@both_databases
def test_ones_own_reports_open_by_themselves(browser: Browser, report: Report) -> None:
    number, key = report.number, report.access_key
    page = browser.open("/mine")
    assert page.status_code == 200
    assert number in page.text
    assert [urlsplit(hop).path for hop in browser.hops] == [
        "/wechat-login", "/connect/oauth2/authorize", "/wechat-login/done", "/mine",
    ]  # fmt: skip
    assert key in browser.open(f"/r/{number}").text
    assert browser.hops == []


def test_a_report_leads_to_the_login_and_back_to_itself(browser: Browser, report: Report) -> None:
    number, key = report.number, report.access_key
    page = browser.open(f"/r/{number}")
    assert browser.hops[-1] == f"/r/{number}"
    assert key in page.text


def test_the_way_to_wechat_is_as_its_checker_wants_it(browser: Browser, wechat: Remote, app: Flask) -> None:
    there = browser.get("/wechat-login?to=/mine").headers["Location"]
    parts = urlsplit(there)
    assert there.endswith("#wechat_redirect")
    assert [name for name, _ in parse_qsl(parts.query)] == ["appid", "redirect_uri", "response_type", "scope", "state"]
    values = dict(parse_qsl(parts.query))
    assert values["redirect_uri"] == "http://district.test/wechat-login/done"
    assert values["scope"] == "snsapi_base"
    assert values["state"].isalnum()
    assert len(values["state"]) <= 128
    cookie = browser.client.get_cookie("wechat_state", path="/")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (iPhone) Safari/605", WECHAT + " wxwork/4.1", ""])
def test_other_browsers_are_left_alone(app: Flask, wechat: Remote, report: Report, agent: str) -> None:
    browser = Browser(app, wechat, agent)
    assert browser.open("/mine").status_code == 200
    assert browser.hops == []
    assert browser.open("/wechat-login?to=/mine").status_code == 200
    assert wechat.calls(LOGIN) == 0


def test_without_the_setting_nobody_is_sent_away(app: Flask, wechat: Remote, report: Report) -> None:
    app.config["BIHUAN"] = replace(app.config["BIHUAN"], wechat_oauth_base_url="")
    browser = Browser(app, wechat)
    assert browser.open("/mine").status_code == 200
    assert browser.hops == []


def test_the_key_in_the_address_needs_no_login(browser: Browser, report: Report) -> None:
    assert report.access_key in browser.open(f"/r/{report.number}?key={report.access_key}").text
    assert browser.hops == []


# What goes wrong


@pytest.mark.parametrize(
    "fault", [{"errcode": 40029}, {"errcode": 40163}, {"errcode": -1}, {"http": 500}, {"raw": "[]"}, {"raw": "{}"}]
)
def test_a_login_that_fails_shows_the_page_without_one_and_is_not_tried_again(
    browser: Browser, wechat: Remote, report: Report, fault: dict[str, object]
) -> None:
    number = report.number
    wechat.fault(LOGIN, **fault)
    page = browser.open("/mine")
    assert page.status_code == 200
    assert number not in page.text
    assert browser.open("/mine").status_code == 200
    assert browser.hops == []
    assert wechat.calls(LOGIN) == 1


def test_whoever_refuses_is_not_asked_again(browser: Browser, wechat: Remote, report: Report) -> None:
    wechat.control("login", {"deny": True})
    assert browser.open("/mine").status_code == 200
    assert browser.open("/mine").status_code == 200
    assert browser.hops == []
    assert wechat.calls(LOGIN) == 0


def test_a_browser_without_cookies_is_not_sent_round_and_round(app: Flask, wechat: Remote, report: Report) -> None:
    browser = Browser(app, wechat)
    browser.client = app.test_client(use_cookies=False)
    assert browser.open("/mine").status_code == 200
    assert wechat.calls(LOGIN) == 0


def test_a_state_is_this_browsers_own_and_for_one_use(app: Flask, wechat: Remote, report: Report) -> None:
    theirs = Browser(app, wechat)
    there = theirs.get("/wechat-login?to=/mine").headers["Location"]
    back = requests.get(there, allow_redirects=False, timeout=30).headers["Location"]
    mine = Browser(app, wechat)
    mine.get("/wechat-login?to=/mine")
    assert "resident=" not in str(mine.get(back).headers.getlist("Set-Cookie"))
    assert wechat.calls(LOGIN) == 0
    assert "resident=" in str(theirs.get(back).headers.getlist("Set-Cookie"))
    theirs.client.delete_cookie("resident")
    assert "resident=" not in str(theirs.get(back).headers.getlist("Set-Cookie"))


def test_a_page_that_loads_twice_stays_logged_in(browser: Browser, wechat: Remote, report: Report) -> None:
    there = browser.get("/wechat-login?to=/mine").headers["Location"]
    back = requests.get(there, allow_redirects=False, timeout=30).headers["Location"]
    state = browser.client.get_cookie("wechat_state")
    assert state is not None
    browser.get(back)
    # Both loads went out with the state's cookie.
    browser.client.set_cookie("wechat_state", state.value)
    again = browser.get(back)
    assert again.headers["Location"] == "/mine"
    assert "wechat_tried" not in str(again.headers.getlist("Set-Cookie"))
    assert report.number in browser.open("/mine").text


def test_a_state_ends_after_ten_minutes(browser: Browser, wechat: Remote, monkeypatch: pytest.MonkeyPatch) -> None:

    there = browser.get("/wechat-login?to=/mine").headers["Location"]
    back = requests.get(there, allow_redirects=False, timeout=30).headers["Location"]
    monkeypatch.setattr(oauth, "STATE_LIVES_S", -1)
    assert browser.get(back).headers["Location"] == "/mine?login=no"
    assert wechat.calls(LOGIN) == 0


def test_a_preview_is_refused_politely_and_makes_nobody(browser: Browser, wechat: Remote, app: Flask) -> None:
    wechat.control("login", {"openid": "oVirtual", "snapshot": True})
    page = browser.open("/mine")
    assert page.status_code == 403
    assert "/mine?login=no" in page.text
    assert db.session.scalar(select(func.count(Resident.id))) == 0
    assert browser.open("/mine?login=no").status_code == 200


@pytest.mark.parametrize(
    "to",
    ["https://evil.test/mine", "//evil.test", "/r/\\evil", "/mine?x=1", "/admin/", "/r/a%0d%0aX: 1", "/mine" * 99, ""],
)
def test_nobody_is_sent_elsewhere_after_the_login(browser: Browser, wechat: Remote, to: str) -> None:
    there = browser.client.get("/wechat-login", query_string={"to": to}, headers={"User-Agent": WECHAT})
    back = requests.get(there.headers["Location"], allow_redirects=False, timeout=30).headers["Location"]
    assert browser.get(back).headers["Location"] == "/mine"


# What a login is worth


def test_a_forged_or_old_cookie_is_nobodys(browser: Browser, report: Report) -> None:
    browser.open("/mine")
    cookie = browser.client.get_cookie("resident")
    assert cookie is not None
    for value in ("x", cookie.value[:-2], cookie.value.replace(".", "", 1)):
        browser.forget()
        browser.client.set_cookie("resident", value)
        assert report.number not in browser.open("/mine?login=no").text


@pytest.mark.parametrize("act", [leaving.leave, leaving.end_web_logins])
def test_leaving_and_taking_back_ends_every_login(
    browser: Browser, wechat: Remote, report: Report, act: Callable[[Resident], None]
) -> None:
    number, resident_id = report.number, report.resident_id
    assert number in browser.open("/mine").text
    with unit_of_work():
        act(db.session.get_one(Resident, resident_id, with_for_update=True))
    assert number not in browser.open("/mine?login=no").text
    if act is leaving.leave:
        # Their openid does not bring them back; following does.
        browser.client.delete_cookie("my_reports")
        assert number not in browser.open("/mine").text
        assert db.session.scalar(select(func.count(Resident.id))) == 1


def test_another_person_sees_nothing_of_it(browser: Browser, wechat: Remote, report: Report) -> None:
    with unit_of_work():
        other = make_resident().openid
    wechat.control("login", {"openid": other})
    assert report.number not in browser.open("/mine").text
    assert report.access_key not in browser.open(f"/r/{report.number}").text


def test_what_is_filed_while_logged_in_belongs_to_the_resident(browser: Browser, report: Report) -> None:
    resident_id = report.resident_id
    browser.open("/mine")
    g.pop("resident_id", None)
    form = {"description": "井盖丢了", "address": "人民路口"}
    filed = browser.client.post("/report", data=form, headers={"User-Agent": WECHAT})
    assert filed.status_code == 303
    assert list(db.session.scalars(select(Report.resident_id).order_by(Report.id))) == [resident_id] * 2


def test_emptying_the_list_logs_out(browser: Browser, report: Report) -> None:
    number = report.number
    browser.open("/mine")
    g.pop("resident_id", None)
    browser.client.post("/mine/forget", headers={"User-Agent": WECHAT})
    assert number not in browser.open("/mine").text
    assert browser.hops == []


def test_a_login_lasts_a_month(browser: Browser, report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    from citizen import identity

    browser.open("/mine")
    cookie = browser.client.get_cookie("resident")
    assert cookie is not None
    assert cookie.max_age == timedelta(days=30).total_seconds()
    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    monkeypatch.setattr(identity, "LIVES_S", -1)
    browser.client.delete_cookie("my_reports")
    assert report.number not in browser.open("/mine?login=no").text
