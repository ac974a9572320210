"""One's own account: logins that can be ended, the password, the codes of an app; and accounts that rest."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from admin.devices import device_of, device_words
from district import clock
from district.extensions import db
from district.people import service as people
from district.people.models import AuditEntry, RecoveryCode, Staff, StaffLogin
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.factories import PASSWORD, SmallDistrict, make_report

NEW = "lantern-river-68"
PHONE = "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 MicroMessenger/8.0.50"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0"


def come_in(app: Flask, *, browser: str = DESK, password: str = PASSWORD) -> Person:
    """The dispatcher logs in by the form, with this browser."""
    person = Person(app)
    person.client.environ_base["HTTP_USER_AGENT"] = browser
    answer = person.post("/admin/login", username="dispatcher", password=password)
    assert answer.status_code == 302, answer.text[:300]
    return person


def is_in(person: Person) -> bool:
    return person.get("/admin/").status_code == 200


def actions() -> list[str]:
    db.session.expire_all()
    return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def me_of(district: SmallDistrict, who: str = "dispatcher") -> Staff:
    db.session.expire_all()
    return db.session.get_one(Staff, district.staff[who].id)


class TestLogins:
    def test_each_place_is_named_and_can_be_ended_from_another(self, app: Flask, district: SmallDistrict) -> None:
        phone, desk = come_in(app, browser=PHONE), come_in(app)
        page = desk.get("/admin/account")
        assert "微信、安卓手机" in words_of(page)
        assert re.search(r"Edge、Windows 电脑\s+本机", words_of(page))
        (address,) = re.findall(r'action="(/admin/account/logins/\d+/end)"', page.text)
        assert is_in(phone)
        assert desk.post(address).location == "/admin/account"
        assert not is_in(phone)
        assert is_in(desk)
        assert "微信、安卓手机" not in words_of(desk.get("/admin/account"))
        assert "staff.login_end" in actions()

    def test_all_others_end_at_once(self, app: Flask, district: SmallDistrict) -> None:
        others = [come_in(app, browser=PHONE), come_in(app)]
        desk = come_in(app)
        desk.post("/admin/account/logins/end-others")
        assert [is_in(person) for person in (*others, desk)] == [False, False, True]

    def test_nobody_ends_anybody_elses_login(self, app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
        desk = come_in(app)
        theirs = db.session.scalars(select(StaffLogin).where(StaffLogin.staff_id == me_of(district).id)).one().id
        other = log_in("verifier")
        assert other.post(f"/admin/account/logins/{theirs}/end").status_code == 404
        other.post("/admin/account/logins/end-others")
        assert is_in(desk)
        assert "Edge" not in words_of(other.get("/admin/account"))

    def test_an_administrator_logs_somebody_out_everywhere(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        people_in = [come_in(app), come_in(app, browser=PHONE)]
        admin = log_in("administrator")
        admin.post(f"/admin/staff/{me_of(district).id}/end-logins")
        assert [is_in(person) for person in people_in] == [False, False]
        assert is_in(admin)

    def test_a_copied_cookie_is_worth_nothing_after_the_log_out(self, app: Flask, district: SmallDistrict) -> None:
        """A cookie is only signed: that the browser forgot it does not make it invalid."""
        desk = come_in(app)
        with desk.client.session_transaction() as session:
            copied = dict(session)
        desk.post("/admin/logout")
        thief = Person(app)
        with thief.client.session_transaction() as session:
            session.update(copied)
        assert not is_in(thief)

    def test_a_session_given_to_somebody_before_the_login_does_not_become_theirs(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        """Fixation: the attacker's own session is put into the victim's browser; the victim logs in over it."""
        attacker = log_in("verifier")
        with attacker.client.session_transaction() as session:
            planted = dict(session)
        victim = Person(app)
        with victim.client.session_transaction() as session:
            session.update(planted | {"half": {"id": 1}, "note": "planted"})
        # Somebody logged in is not asked again; the victim logs out of what is not theirs, and in.
        victim.post("/admin/logout")
        victim.post("/admin/login", username="dispatcher", password=PASSWORD)
        with victim.client.session_transaction() as session:
            assert session["_user_id"] != planted["_user_id"]
            assert not session.keys() & {"half", "note"}
        assert "员工dispatcher" in victim.get("/admin/").text
        assert not is_in(attacker)

    def test_last_seen_is_written_now_and_then_and_not_by_polling(self, app: Flask, district: SmallDistrict) -> None:
        desk = come_in(app)
        login = db.session.scalars(select(StaffLogin)).one()
        began = login.seen_at
        here = f"/admin/reports/{make_report(district).number}/here"
        for after, ask, path, moved in (
            (60, desk.get, "/admin/", False), (400, desk.get, "/admin/live", False),
            (405, desk.get, "/admin/alarm", False), (410, desk.post, here, False), (420, desk.get, "/admin/", True),
        ):  # fmt: skip
            with clock.frozen_at(began + timedelta(seconds=after)):
                assert ask(path).status_code == 200
            db.session.refresh(login)
            assert (login.seen_at > began) is moved, path

    @pytest.mark.parametrize(
        ("description", "words"),
        [(PHONE, "微信、安卓手机"), (DESK, "Edge、Windows 电脑"), ("", "其他浏览器、未知设备"),
         ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari、苹果手机"),
         ("<script>alert(1)</script>", "其他浏览器、未知设备")],
    )  # fmt: skip
    def test_a_device_in_plain_words(self, app: Flask, description: str, words: str) -> None:
        assert device_words(device_of(description)) == words


class TestPassword:
    def change(self, person: Person, old: str = PASSWORD, new: str = NEW, again: str | None = None) -> TestResponse:
        return person.post("/admin/account/password", old=old, password=new, again=new if again is None else again)

    def test_a_new_password_ends_the_other_logins_and_keeps_this_one(self, app: Flask, district: SmallDistrict) -> None:
        phone, desk = come_in(app, browser=PHONE), come_in(app)
        assert self.change(desk).location == "/admin/account"
        assert is_in(desk)
        assert not is_in(phone)
        assert Person(app).post("/admin/login", username="dispatcher", password=PASSWORD).status_code == 401
        assert is_in(come_in(app, password=NEW))
        # What was this login goes on being one that can be ended.
        desk.post("/admin/account/logins/end-others")
        assert is_in(desk)

    @pytest.mark.parametrize(
        ("old", "new", "again", "said"),
        [("wrong", NEW, NEW, "密码不对"), (PASSWORD, NEW, NEW + "x", "两次输入的密码不一样"),
         (PASSWORD, "short-1", "short-1", "至少 10 位"), (PASSWORD, "Password123!", "Password123!", "太容易猜到"),
         (PASSWORD, "woaini1314520", "woaini1314520", "太容易猜到"),
         (PASSWORD, "dispatcher-lantern-river", "dispatcher-lantern-river", "太容易猜到"),
         (PASSWORD, "chengguan2026", "chengguan2026", "太容易猜到")],
    )  # fmt: skip
    def test_what_will_not_do_is_named_and_changes_nothing(
        self, log_in: LogIn, district: SmallDistrict, old: str, new: str, again: str, said: str
    ) -> None:
        kept = me_of(district).password_hash
        answer = self.change(log_in("dispatcher"), old, new, again)
        assert (answer.status_code, said in answer.text) == (422, True)
        assert me_of(district).password_hash == kept
        assert new not in answer.text

    def test_a_link_takes_no_password_that_is_easily_guessed(self, district: SmallDistrict, nobody: Person) -> None:
        with unit_of_work():
            token = people.make_password_link(district.staff["handler"].id, by=district.staff["administrator"])
        answer = nobody.post(f"/admin/password/{token}", password="qwertyuiop12", again="qwertyuiop12")
        assert (answer.status_code, "太容易猜到" in answer.text) == (422, True)


class TestLock:
    def fail(self, app: Flask, times: int) -> None:
        for _ in range(times):
            assert Person(app).post("/admin/login", username="dispatcher", password="wrong").status_code == 401

    def test_after_ten_wrong_tries_the_account_rests_for_half_an_hour(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        self.fail(app, 9)
        come_in(app)
        self.fail(app, 9)
        assert me_of(district).locked_until is None
        self.fail(app, 1)
        answer = Person(app).post("/admin/login", username="dispatcher", password=PASSWORD)
        assert (answer.status_code, "休息 30 分钟" in answer.text) == (401, True)
        assert actions().count("staff.locked") == 1
        page = words_of(log_in("administrator").get(f"/admin/staff/{me_of(district).id}"))
        assert "暂停登录到" in page
        with clock.frozen_at(clock.now() + timedelta(minutes=31)):
            come_in(app)

    def test_others_are_not_touched_and_who_is_in_stays_in(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        desk = come_in(app)
        self.fail(app, 10)
        assert is_in(desk)
        assert Person(app).post("/admin/login", username="verifier", password=PASSWORD).status_code == 302

    def test_a_new_link_opens_it_at_once(self, app: Flask, district: SmallDistrict) -> None:
        self.fail(app, 10)
        with unit_of_work():
            token = people.make_password_link(me_of(district).id, by=district.staff["administrator"])
        assert Person(app).post(f"/admin/password/{token}", password=NEW, again=NEW).status_code == 302
        come_in(app, password=NEW)


class TestCodes:
    @staticmethod
    def turn_on(person: Person) -> tuple[pyotp.TOTP, list[str]]:
        """As a person does: begin, read the secret on the page, give a code, keep the recovery codes."""
        assert person.post("/admin/account/codes").location == "/admin/account/codes"
        page = person.get("/admin/account/codes").text
        assert "<svg" in page
        found = re.search(r'<p class="link-box number">([A-Z2-7 ]+)</p>', page)
        assert found is not None
        app_on_phone = pyotp.TOTP(found[1].replace(" ", ""))
        wrong = person.post("/admin/account/codes/confirm", code="000000")
        assert (wrong.status_code, "验证码不对" in wrong.text) == (422, True)
        done = person.post("/admin/account/codes/confirm", code=app_on_phone.at(clock.now()))
        assert done.status_code == 200
        return app_on_phone, re.findall(r"<li>((?:[A-Z2-9]{4}-){3}[A-Z2-9]{4})</li>", done.text)

    @staticmethod
    def half_way(app: Flask) -> Person:
        person = Person(app)
        answer = person.post("/admin/login", username="dispatcher", password=PASSWORD, next="/admin/units")
        assert answer.location == "/admin/login/code"
        return person

    def test_the_password_alone_is_not_enough(self, app: Flask, district: SmallDistrict) -> None:
        on_phone, recovery = self.turn_on(come_in(app))
        assert len(set(recovery)) == 8
        # Whoever goes elsewhere instead of giving the code begins anew.
        assert not is_in(self.half_way(app))
        person = self.half_way(app)
        assert person.post("/admin/login/code", code="123").status_code == 401
        with clock.frozen_at(clock.now() + timedelta(seconds=60)):
            answer = person.post("/admin/login/code", code=on_phone.at(clock.now()))
            assert answer.location == "/admin/units"
            assert is_in(person)

    def test_each_code_opens_once(self, app: Flask, district: SmallDistrict) -> None:
        on_phone, recovery = self.turn_on(come_in(app))
        with clock.frozen_at(clock.now() + timedelta(seconds=60)):
            code = on_phone.at(clock.now())
            assert self.half_way(app).post("/admin/login/code", code=code).status_code == 302
            assert self.half_way(app).post("/admin/login/code", code=code).status_code == 401
        assert self.half_way(app).post("/admin/login/code", code=recovery[0].lower()).status_code == 302
        assert self.half_way(app).post("/admin/login/code", code=recovery[0]).status_code == 401
        assert "staff.recovery_used" in actions()

    def test_an_old_code_and_an_old_first_step_are_refused(self, app: Flask, district: SmallDistrict) -> None:
        on_phone, _ = self.turn_on(come_in(app))
        person = self.half_way(app)
        with clock.frozen_at(clock.now() + timedelta(minutes=3)):
            assert person.post("/admin/login/code", code=on_phone.at(clock.now(), -4)).status_code == 401
        with clock.frozen_at(clock.now() + timedelta(minutes=6)):
            answer = person.post("/admin/login/code", code=on_phone.at(clock.now()))
            assert answer.location == "/admin/login"

    def test_nobody_gets_to_the_second_step_without_the_first(self, app: Flask, district: SmallDistrict) -> None:
        self.turn_on(come_in(app))
        assert Person(app).get("/admin/login/code").location == "/admin/login"
        assert Person(app).post("/admin/login/code", code="123456").location == "/admin/login"

    def test_wrong_codes_count_as_wrong_tries(self, app: Flask, district: SmallDistrict) -> None:
        """Somebody who knows the password must not be able to try all codes; the password does not start anew."""
        self.turn_on(come_in(app))
        for _ in range(10):
            assert self.half_way(app).post("/admin/login/code", code="111111").status_code == 401
        assert me_of(district).locked_until is not None
        answer = Person(app).post("/admin/login", username="dispatcher", password=PASSWORD)
        assert answer.status_code == 401

    def test_a_password_link_leads_to_the_second_step_too(self, app: Flask, district: SmallDistrict) -> None:
        self.turn_on(come_in(app))
        with unit_of_work():
            token = people.make_password_link(me_of(district).id, by=district.staff["administrator"])
        person = Person(app)
        answer = person.post(f"/admin/password/{token}", password=NEW, again=NEW)
        assert answer.location == "/admin/login/code"
        assert not is_in(person)

    def test_what_is_kept_opens_nothing(self, app: Flask, district: SmallDistrict) -> None:
        on_phone, recovery = self.turn_on(come_in(app))
        staff = me_of(district)
        assert on_phone.secret not in staff.totp_sealed
        kept = {row.code_hash for row in db.session.scalars(select(RecoveryCode))}
        assert len(kept) == 8
        assert not kept & set(recovery)

    def test_turning_it_off_takes_the_password(self, app: Flask, district: SmallDistrict) -> None:
        person = come_in(app)
        self.turn_on(person)
        answer = person.post("/admin/account/codes/end", old_for_codes="wrong")
        assert (answer.status_code, "密码不对" in answer.text) == (422, True)
        assert me_of(district).totp_since is not None
        assert person.post("/admin/account/codes/end", old_for_codes=PASSWORD).status_code == 302
        assert is_in(come_in(app))
        assert actions().count("staff.code_off") == 1

    def test_an_administrator_resets_it_for_who_lost_the_phone(
        self, app: Flask, district: SmallDistrict, log_in: LogIn
    ) -> None:
        self.turn_on(come_in(app))
        admin = log_in("administrator")
        address = f"/admin/staff/{me_of(district).id}/reset-codes"
        assert address in admin.get(f"/admin/staff/{me_of(district).id}").text
        assert admin.post(address).status_code == 302
        assert is_in(come_in(app))
        assert address not in admin.get(f"/admin/staff/{me_of(district).id}").text

    def test_codes_that_are_on_cannot_be_replaced_from_an_open_screen(
        self, app: Flask, district: SmallDistrict
    ) -> None:
        person = come_in(app)
        self.turn_on(person)
        kept = me_of(district).totp_sealed
        assert person.post("/admin/account/codes").status_code == 409
        assert person.get("/admin/account/codes").location == "/admin/account"
        assert me_of(district).totp_sealed == kept
