"""Logging in: one answer for whatever is wrong, tries are counted, nothing from before counts after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.extensions import db, limiter
from district.people import service as people
from district.people.models import AuditEntry, Staff
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.factories import PASSWORD, SmallDistrict
from tests.support.limits import CountedTogether

WRONG = "用户名或密码不对"


def test_the_right_password_leads_to_the_inbox(district: SmallDistrict, nobody: Person) -> None:
    answer = nobody.post("/admin/login", username=" Dispatcher ", password=PASSWORD)
    assert (answer.status_code, answer.location) == (302, "/admin/")
    assert "员工dispatcher" in nobody.get("/admin/").text


def test_wrong_name_and_wrong_password_get_the_same_answer(district: SmallDistrict, nobody: Person) -> None:
    name = nobody.post("/admin/login", username="nobody-here", password=PASSWORD)
    password = nobody.post("/admin/login", username="dispatcher", password="wrong")
    assert (name.status_code, password.status_code) == (401, 401)

    def plain(text: str) -> str:
        return re.sub(r'(name="csrf_token" |name="username" )?value="[^"]*"', "", text)

    assert plain(name.text) == plain(password.text)
    assert WRONG in name.text


def test_somebody_without_a_password_cannot_log_in(district: SmallDistrict, nobody: Person) -> None:
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).password_hash = None
    assert nobody.post("/admin/login", username="lamps", password="").status_code == 401


def test_somebody_who_left_cannot_log_in_and_is_out_at_once(district: SmallDistrict, log_in: LogIn, app: Flask) -> None:
    person = log_in("handler")
    assert person.get("/admin/").status_code == 200
    log_in("administrator").post(f"/admin/staff/{district.staff['handler'].id}/end")
    assert person.get("/admin/").status_code == 302
    answer = Person(app).post("/admin/login", username="lamps", password=PASSWORD)
    assert answer.status_code == 401
    assert WRONG in answer.text


class TestLimits(CountedTogether):
    def test_tries_for_one_name_are_counted_and_right_ones_are_not(self, app: Flask, district: SmallDistrict) -> None:
        for _ in range(10):
            assert Person(app).post("/admin/login", username="verifier", password=PASSWORD).status_code == 302
        answers = [
            Person(app).post("/admin/login", username="dispatcher", password="wrong").status_code for _ in range(9)
        ]
        assert answers == [401] * 8 + [429]
        # Not even the right password now: or one could go on guessing.
        refused = Person(app).post("/admin/login", username="DISPATCHER ", password=PASSWORD)
        assert refused.status_code == 429
        assert "操作太频繁" in refused.text
        assert Person(app).post("/admin/login", username="verifier", password=PASSWORD).status_code == 302
        english = Person(app)
        english.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
        assert "a lot in a short time" in english.post("/admin/login", username="dispatcher", password="wrong").text

    def test_tries_from_one_address_are_counted_whatever_the_names(self, app: Flask, district: SmallDistrict) -> None:
        answers = [
            Person(app).post("/admin/login", username=f"somebody-{number}", password="wrong").status_code
            for number in range(31)
        ]
        assert answers == [401] * 30 + [429]


def test_tries_are_counted_even_when_the_queue_server_is_away(app: Flask, district: SmallDistrict) -> None:
    limiter.enabled = True
    answers = [Person(app).post("/admin/login", username="street", password="wrong").status_code for _ in range(9)]
    assert answers == [401] * 8 + [429]


def test_nothing_in_the_session_from_before_the_login_stays(district: SmallDistrict, nobody: Person) -> None:
    with nobody.client.session_transaction() as session:
        session["planted"] = "by somebody else"
        session["csrf_token"] = "known-to-somebody-else"
    nobody.post("/admin/login", username="dispatcher", password=PASSWORD)
    with nobody.client.session_transaction() as session:
        assert "planted" not in session
        assert session.get("csrf_token") != "known-to-somebody-else"
        assert session["_user_id"].startswith(f"{district.staff['dispatcher'].id}:")
        assert session.permanent


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(district: SmallDistrict, nobody: Person) -> None:
    answer = nobody.post("/admin/login", username="dispatcher", password=PASSWORD)
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Expires=" in cookie


@pytest.mark.parametrize(
    "target", [
        "http://evil.test/", "//evil.test/", "/\\evil.test", "\\\\evil.test", "https:evil.test",
        "/admin\\..//evil.test", "javascript:alert(1)", "/\t/evil.test", " //evil.test", "/\n/evil.test", "evil.test",
    ],
)  # fmt: skip
def test_logging_in_never_leads_to_another_site(district: SmallDistrict, nobody: Person, target: str) -> None:
    answer = nobody.post("/admin/login", username="dispatcher", password=PASSWORD, next=target)
    assert (answer.status_code, answer.location) == (302, "/admin/")
    again = nobody.get("/admin/login", query_string={"next": target})
    assert (again.status_code, again.location) == (302, "/admin/")


def test_logging_in_leads_to_the_page_that_was_asked_for(district: SmallDistrict, nobody: Person) -> None:
    asked = nobody.get("/admin/?tab=open&q=灯")
    form = nobody.get(asked.location).text
    target = re.search(r'name="next" value="([^"]+)"', form)
    assert target is not None
    answer = nobody.post("/admin/login", username="dispatcher", password=PASSWORD, next=target[1].replace("&amp;", "&"))
    assert answer.location == "/admin/?tab=open&q=%E7%81%AF"


def test_logging_out_takes_a_form_and_ends_the_session(log_in: LogIn) -> None:
    person = log_in("dispatcher")
    assert person.get("/admin/logout").status_code in (404, 405)
    assert person.get("/admin/").status_code == 200
    assert person.post("/admin/logout").location == "/admin/login"
    assert person.get("/admin/").status_code == 302


def test_logins_are_in_the_audit_log_without_the_name_that_was_tried(district: SmallDistrict, nobody: Person) -> None:
    nobody.post("/admin/login", username="dispatcher", password="wrong")
    nobody.post("/admin/login", username="my-password-by-mistake", password="x")
    nobody.post("/admin/login", username="dispatcher", password=PASSWORD)
    rows = db.session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    found = [(row.action, row.subject) for row in rows]
    dispatcher = f"staff:{district.staff['dispatcher'].id}"
    assert found == [
        ("staff.login_failed", dispatcher), ("staff.login_failed", "staff:unknown"), ("staff.login", dispatcher),
    ]  # fmt: skip


class TestForms:
    """With the protection against forged forms on, as it is outside of tests."""

    @pytest.fixture(autouse=True)
    def _protected(self, app: Flask) -> Iterator[None]:
        app.config["WTF_CSRF_ENABLED"] = True
        yield
        app.config["WTF_CSRF_ENABLED"] = False

    @staticmethod
    def token_on(text: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', text)
        assert found is not None
        return found[1]

    def test_a_form_of_ours_is_taken_and_a_forged_one_is_not(self, district: SmallDistrict, nobody: Person) -> None:
        fields = {"username": "dispatcher", "password": PASSWORD}
        assert nobody.post("/admin/login", **fields).status_code == 400
        token = self.token_on(nobody.get("/admin/login").text)
        assert nobody.post("/admin/login", **fields, csrf_token=token).status_code == 302
        # The token of before the login is worth nothing after it.
        assert nobody.post("/admin/logout", csrf_token=token).status_code == 400
        assert nobody.get("/admin/").status_code == 200
        assert nobody.post("/admin/logout", csrf_token=self.token_on(nobody.get("/admin/").text)).status_code == 302

    def test_a_form_that_was_too_old_is_refused_in_the_language_of_who_sent_it(
        self, district: SmallDistrict, nobody: Person
    ) -> None:
        nobody.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "en"
        answer = nobody.post("/admin/login", username="lamps", password=PASSWORD, csrf_token="old")
        assert answer.status_code == 400
        assert 'lang="en"' in answer.text
        assert "open too long" in answer.text

    def test_what_was_written_in_a_form_that_was_too_old_is_shown(
        self, district: SmallDistrict, nobody: Person
    ) -> None:
        token = self.token_on(nobody.get("/admin/login").text)
        nobody.post("/admin/login", username="lamps", password=PASSWORD, csrf_token=token)
        answer = nobody.post("/admin/reports/BH20261122-0001A/do/resolve", note="换了灯泡", csrf_token="old")
        assert answer.status_code == 400
        assert "换了灯泡" in answer.text
        assert "页面放得太久" in answer.text


class TestPasswordLinks:
    def link_for(self, district: SmallDistrict, who: str) -> str:
        with unit_of_work():
            return people.make_password_link(district.staff[who].id, by=district.staff["administrator"])

    def test_a_link_sets_the_password_once_and_logs_in(
        self, app: Flask, district: SmallDistrict, nobody: Person
    ) -> None:
        token = self.link_for(district, "handler")
        page = nobody.get(f"/admin/password/{token}")
        assert page.status_code == 200
        assert "lamps" in page.text
        new = "a-new-long-one-1"
        assert nobody.post(f"/admin/password/{token}", password=new, again=new).location == "/admin/"
        assert nobody.get("/admin/").status_code == 200
        again = Person(app)
        assert again.get(f"/admin/password/{token}").status_code == 404
        assert again.post(f"/admin/password/{token}", password=new, again=new).status_code == 404
        assert again.post("/admin/login", username="lamps", password=PASSWORD).status_code == 401
        assert again.post("/admin/login", username="lamps", password=new).status_code == 302

    def test_setting_a_password_ends_the_other_sessions(
        self, district: SmallDistrict, log_in: LogIn, nobody: Person
    ) -> None:
        before = log_in("handler")
        token = self.link_for(district, "handler")
        nobody.post(f"/admin/password/{token}", password="a-new-long-one-1", again="a-new-long-one-1")
        assert before.get("/admin/").status_code == 302

    @pytest.mark.parametrize(
        ("password", "again", "said"),
        [("short-1", "short-1", "至少 10 位"), ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "至少 10 位"),
         ("a-new-long-one-1", "a-new-long-one-2", "两次输入的密码不一样")],
    )  # fmt: skip
    def test_a_password_that_will_not_do_leaves_the_link_alive(
        self, district: SmallDistrict, nobody: Person, password: str, again: str, said: str
    ) -> None:
        token = self.link_for(district, "handler")
        answer = nobody.post(f"/admin/password/{token}", password=password, again=again)
        assert answer.status_code == 422
        assert said in answer.text
        assert nobody.get(f"/admin/password/{token}").status_code == 200

    def test_a_link_ends_after_a_day_and_when_a_newer_one_is_made(
        self, district: SmallDistrict, nobody: Person
    ) -> None:
        first = self.link_for(district, "handler")
        second = self.link_for(district, "handler")
        assert nobody.get(f"/admin/password/{first}").status_code == 404
        with clock.frozen_at(clock.now() + timedelta(hours=25)):
            assert nobody.get(f"/admin/password/{second}").status_code == 404
        assert nobody.get(f"/admin/password/{second}").status_code == 200

    def test_a_made_up_link_says_what_to_do(self, district: SmallDistrict, nobody: Person) -> None:
        answer = nobody.get("/admin/password/made-up")
        assert answer.status_code == 404
        assert "这个链接已经失效" in answer.text


def test_the_login_page_speaks_both_languages(district: SmallDistrict, nobody: Person) -> None:
    assert 'lang="zh-Hans"' in nobody.get("/admin/login").text
    english = nobody.get("/admin/login?lang=en")
    assert 'lang="en"' in english.text
    assert "User name" in english.text
    assert "User name" in nobody.get("/admin/login").text


def test_an_answer_that_changes_nothing_leaves_the_session_alone(app: Flask, district: SmallDistrict) -> None:
    person = Person(app, "dispatcher")
    assert person.get("/admin/").status_code == 200
    assert "Set-Cookie" not in person.get("/admin/live").headers
