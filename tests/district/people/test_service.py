"""Residents become known; staff log in, set passwords, and leave."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select

from district import clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.people import logins
from district.people import service as people
from district.people.models import AuditEntry, PasswordLink, Resident, Staff
from district.people.roles import Role
from district.units.models import Unit
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import PASSWORD, SmallDistrict
from tests.support.threads import in_threads


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


# Residents


@both_databases
def test_two_first_messages_at_once_are_of_one_resident(app: Flask) -> None:
    known: list[int] = []

    def write() -> None:
        with app.app_context():
            with unit_of_work():
                known.append(people.know_resident("oTwiceAtOnce").id)
            db.session.remove()

    in_threads([write] * 5)
    assert len(set(known)) == 1
    assert db.session.scalar(select(func.count()).select_from(Resident)) == 1


def test_a_resident_is_known_again(app: Flask) -> None:
    with unit_of_work():
        first = people.know_resident("oA", language="en").id
    with unit_of_work():
        again = people.know_resident("oA")
        assert (again.id, again.language) == (first, "en")
        assert people.know_resident("oB").id != first


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    "what_happens, left, lasts",
    [
        ("message", 5, 48 * HOUR),
        ("message, sent 2, message", 5, 48 * HOUR),
        ("message, sent 1, tap", 4, 48 * HOUR),
        ("tap, message", 5, 48 * HOUR),
        ("message, sent 1, wait 49, message", 5, (49 + 48) * HOUR),
        ("message, wait 24, tap", 5, 48 * HOUR),
    ],
)
def test_a_grant_is_as_wechat_gives_it(app: Flask, what_happens: str, left: int, lasts: timedelta) -> None:
    start = moment = clock.now()
    with unit_of_work():
        resident = factories.make_resident()
        for step in what_happens.split(", "):
            act, _, count = step.partition(" ")
            if act in ("message", "tap"):
                people.grant_sending(resident, tap=act == "tap", at=moment)
            elif act == "sent":
                resident.window_left -= int(count)
            else:
                moment += int(count) * HOUR
        assert resident.window_left == left
        assert resident.window_until == start + lasts


SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "what_happens, taken",
    [
        ("", []),
        ("message", [False] * 5),
        ("tap", [True] * 3),
        # A tap's grant ends first and is used first; it makes the other neither longer nor larger.
        ("message, tap", [True] * 3 + [False] * 5),
        ("message, sent 5, tap", [True] * 3),
        ("message, sent 5, tap, wait 50", [True] * 3),
        ("message, sent 5, tap, wait 56", []),
        ("tap, tap", [True] * 3),
        ("message, wait 172790", [False] * 5),
        ("message, wait 172796", []),
        ("message, wait 172796, tap", [True] * 3),
    ],
)
def test_what_can_be_sent_is_what_wechat_takes(app: Flask, what_happens: str, taken: list[bool]) -> None:
    """Seconds; five before its end a grant is not trusted any more."""
    moment = clock.now()
    with unit_of_work():
        resident = factories.make_resident()
        for step in what_happens.split(", ") if what_happens else ():
            act, _, count = step.partition(" ")
            if act in ("message", "tap"):
                people.grant_sending(resident, tap=act == "tap", at=moment)
            elif act == "sent":
                resident.window_left -= int(count)
            else:
                moment += int(count) * SECOND
        got = []
        while (by_tap := people.take_grant(resident, moment)) is not None:
            got.append(by_tap)
        assert got == taken


def test_a_step_of_little_weight_leaves_the_last_messages_to_others(app: Flask) -> None:
    with unit_of_work():
        resident = factories.make_resident()
        people.grant_sending(resident)
        now = clock.now()
        assert [people.take_grant(resident, now, keeps=2) for _ in range(5)] == [False] * 3 + [None] * 2
        assert people.take_grant(resident, now) is False


# Logging in


def log_in(username: str, password: str) -> int | None:
    with unit_of_work():
        staff = people.log_in(username, password)
        return staff.id if staff else None


def test_the_right_password_lets_in_and_is_noted(district: SmallDistrict) -> None:
    handler = district.staff["handler"]
    assert log_in(" LAMPS ", PASSWORD) == handler.id
    assert db.session.get_one(Staff, handler.id).last_login_at is not None
    (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "staff.login")).all()
    assert entry.staff_id == handler.id


@pytest.mark.parametrize("username, password", [("lamps", "wrong"), ("nobody", PASSWORD), ("lamps", ""), ("", "")])
def test_anything_else_does_not(district: SmallDistrict, username: str, password: str) -> None:
    assert log_in(username, password) is None
    assert db.session.scalar(select(AuditEntry.action)) == "staff.login_failed"


def test_who_has_no_password_yet_or_has_left_cannot_log_in(district: SmallDistrict) -> None:
    with unit_of_work():
        factories.make_staff("new", db.session.get_one(Unit, district.lamps.id), Role.HANDLER)
        db.session.get_one(Staff, district.staff["street"].id).left_at = clock.now()
    assert log_in("new", "") is None
    assert log_in("street", PASSWORD) is None


def test_a_wrong_name_takes_as_long_as_a_wrong_password(
    district: SmallDistrict, earnest_hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times are compared with each other only, by their quickest of several."""
    monkeypatch.setattr(people, "_hasher", earnest_hasher)

    def quickest(username: str) -> float:
        times = []
        for _ in range(4):
            began = time.perf_counter()
            log_in(username, "wrong-password-1")
            times.append(time.perf_counter() - began)
        return min(times)

    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).password_hash = earnest_hasher.hash(PASSWORD)
        factories.make_staff("new", db.session.get_one(Unit, district.lamps.id), Role.HANDLER)
    known, unknown, without = quickest("lamps"), quickest("nobody"), quickest("new")
    for other in (unknown, without):
        assert other > known / 3


def test_a_hash_of_older_strength_is_renewed_at_login(district: SmallDistrict) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).password_hash = weak
    assert log_in("lamps", PASSWORD)
    renewed = db.session.get_one(Staff, district.staff["handler"].id).password_hash
    assert renewed != weak
    assert log_in("lamps", PASSWORD)


def test_a_damaged_hash_lets_nobody_in(district: SmallDistrict) -> None:
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).password_hash = "plain"
    assert log_in("lamps", "plain") is None


# Passwords


@pytest.mark.parametrize("password", ["", "short-1", "aaaaaaaaaaaa", "1212121212", "123456789"])
def test_a_weak_password_is_refused(app: Flask, password: str) -> None:
    with pytest.raises(BadInput) as refused:
        people.hash_password(password)
    assert list(refused.value.fields) == ["password"]


def test_passwords_are_kept_as_argon2id(app: Flask) -> None:
    hashed = people.hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert PASSWORD not in hashed


def test_the_products_hasher_is_as_strong_as_advised(earnest_hasher: PasswordHasher) -> None:
    """OWASP's advice for argon2id: 19 MiB and two passes, or more."""
    hashed = earnest_hasher.hash(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert earnest_hasher.memory_cost >= 19 * 1024
    assert earnest_hasher.time_cost >= 2


def test_a_new_password_ends_every_open_session(district: SmallDistrict) -> None:
    handler = district.staff["handler"]
    with unit_of_work():
        handler.login_id = logins.begin(handler.id, device="chrome/windows").id
    cookie = handler.get_id()
    load = people._load_staff
    assert load(cookie) is not None
    with unit_of_work():
        people.set_password(db.session.get_one(Staff, handler.id), "another-horse-7")
    assert load(cookie) is None
    assert log_in("lamps", PASSWORD) is None
    assert log_in("lamps", "another-horse-7")


@pytest.mark.parametrize(
    "session_id", ["", ":", "1", "x:0", "1:x", "999999:0:1", "-1:0:1", "1:1:1", "1:0", "1:0:0", "1:0:1"]
)
def test_a_session_that_is_none_loads_nobody(district: SmallDistrict, session_id: str) -> None:
    assert people._load_staff(session_id) is None


def test_a_session_ends_when_the_person_leaves(district: SmallDistrict) -> None:
    handler = district.staff["handler"]
    with unit_of_work():
        handler.login_id = logins.begin(handler.id, device="chrome/windows").id
    cookie = handler.get_id()
    with unit_of_work():
        db.session.get_one(Staff, handler.id).left_at = clock.now()
    assert people._load_staff(cookie) is None


# One-time links


@pytest.fixture
def link(district: SmallDistrict) -> str:
    with unit_of_work():
        return people.make_password_link(district.staff["handler"].id, by=district.staff["administrator"])


def use(link: str, password: str = "another-horse-7") -> int:
    with unit_of_work():
        return people.use_password_link(link, password).id


def test_a_link_sets_the_password_once(district: SmallDistrict, link: str) -> None:
    assert people.staff_of_password_link(link).username == "lamps"
    assert use(link) == district.staff["handler"].id
    assert log_in("lamps", "another-horse-7")
    for act in (people.staff_of_password_link, use):
        with pytest.raises(NotFound) as refused:
            act(link)
        assert refused.value.key == "errors.link_ended"


def test_only_the_links_digest_is_kept(district: SmallDistrict, link: str) -> None:
    row = db.session.scalars(select(PasswordLink)).one()
    assert link not in row.token_hash
    assert len(row.token_hash) == 64


def test_a_weak_password_does_not_use_up_the_link(district: SmallDistrict, link: str) -> None:
    with pytest.raises(BadInput):
        use(link, "short")
    assert use(link)


def test_a_link_ends_after_a_day(district: SmallDistrict, link: str) -> None:
    with clock.frozen_at(clock.now() + timedelta(hours=people.PASSWORD_LINK_HOURS, seconds=1)), pytest.raises(NotFound):
        use(link)


def test_a_newer_link_ends_the_older(district: SmallDistrict, link: str) -> None:
    with unit_of_work():
        newer = people.make_password_link(district.staff["handler"].id, by=None)
    with pytest.raises(NotFound):
        use(link)
    assert use(newer)


def test_a_link_ends_when_the_person_leaves(district: SmallDistrict, link: str) -> None:
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).left_at = clock.now()
    for act in (people.staff_of_password_link, use):
        with pytest.raises(NotFound):
            act(link)
    with pytest.raises(NotFound), unit_of_work():
        people.make_password_link(district.staff["handler"].id, by=None)


def test_a_link_that_was_never_made_opens_nothing(district: SmallDistrict) -> None:
    for wrong in ("", "x", "../..", "路灯"):
        with pytest.raises(NotFound):
            people.staff_of_password_link(wrong)


@pytest.mark.parametrize("role", ["shift_lead", "leader", "handler"])
def test_only_an_administrator_makes_links(district: SmallDistrict, role: str) -> None:
    with pytest.raises(NotAllowed), unit_of_work():
        people.make_password_link(district.staff["street"].id, by=district.staff[role])


# Staff


def test_a_new_member_of_staff_has_roles_and_no_password(district: SmallDistrict) -> None:
    with unit_of_work():
        added = people.add_staff(" Li.Si ", "李四", "SZ-LD", [Role.HANDLER, Role.HANDLER, Role.UNIT_MANAGER], by=None)
    assert (added.username, added.roles, added.password_hash) == ("li.si", {Role.HANDLER, Role.UNIT_MANAGER}, None)


@pytest.mark.parametrize(
    "username, unit, fields",
    [("LAMPS", "SZ-LD", {"username"}), ("", "SZ-LD", {"username"}), ("new", "NONE", {"unit"}),
     ("lamps", "NONE", {"username", "unit"})],
)  # fmt: skip
def test_a_taken_name_or_an_unknown_unit_is_named(
    district: SmallDistrict, username: str, unit: str, fields: set[str]
) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        people.add_staff(username, "某人", unit, [Role.HANDLER], by=None)
    assert set(refused.value.fields) == fields


def test_a_unit_stands_above_all_below_it(district: SmallDistrict) -> None:
    with unit_of_work():
        bureau = factories.make_unit("SZ")
        crew = factories.make_unit("SZ-LD-1", parent_id=district.lamps.id)
        db.session.get_one(Unit, district.lamps.id).parent_id = bureau.id
        ids = bureau.id, district.lamps.id, crew.id
    assert people.unit_and_below(ids[0]) == set(ids)
    assert people.unit_and_below(ids[1]) == set(ids[1:])
    assert people.unit_and_below(ids[2]) == {ids[2]}
