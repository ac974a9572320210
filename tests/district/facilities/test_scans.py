"""Scans are counted by day and facility, codes that nobody scans are found, and wrong codes are counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from district import clock
from district.errors import NotFound
from district.extensions import db
from district.facilities import codes, scans
from district.facilities import service as facilities
from district.facilities.models import FacilityScanDay, FacilityToken
from district.facilities.scans import Door, Unscanned
from district.retention import kinds
from district.retention import service as retention
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import SmallDistrict


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def hung(district: SmallDistrict, days_ago: float, **given: object) -> str:
    """The code of a new facility, hanging for so long."""
    with unit_of_work():
        facility = factories.make_facility(given.pop("unit", district.lamps), **given)  # type: ignore[arg-type]
        token = str(facilities.token_of(facility.id))
        codes.mark_printed([token])
    with clock.frozen_at(clock.now() - timedelta(days=days_ago)), unit_of_work():
        codes.place(token, by=district.staff["administrator"])
    return token


def scanned(token: str, times: int = 1) -> None:
    row = db.session.get_one(FacilityToken, token)
    facility_id = row.facility_id
    for _ in range(times):
        with unit_of_work():
            scans.count(token, facility_id)


def silent(**wanted: object) -> list[str]:
    return [one.token for one in scans.never_scanned(Unscanned(**wanted))[0]]  # type: ignore[arg-type]


@both_databases
def test_scans_are_counted_by_day(district: SmallDistrict) -> None:
    token = hung(district, 90)
    other = hung(district, 90)
    with clock.frozen_at(clock.now() - timedelta(days=40)):
        scanned(token, 5)
    with clock.frozen_at(clock.now() - timedelta(days=2)):
        scanned(token, 2)
    scanned(token, 3)
    facility = db.session.get_one(FacilityToken, token).facility
    found = scans.of_facility(facility.id)
    assert (found.total, found.last_on) == (5, scans.today())
    assert len(found.by_day) == 30
    assert [count for _, count in found.by_day[-3:]] == [2, 0, 3]
    nothing = scans.of_facility(db.session.get_one(FacilityToken, other).facility_id)
    assert (nothing.total, nothing.last_on) == (0, None)


@both_databases
def test_codes_that_nobody_scans_are_those_that_have_hung_long_enough(district: SmallDistrict) -> None:
    quiet, used, fresh = hung(district, 40), hung(district, 40), hung(district, 3)
    with unit_of_work():
        factories.make_facility(district.lamps)
    scanned(used)
    assert silent() == [quiet]
    assert silent(days=1) == [quiet, fresh]
    assert scans.count_never_scanned(Unscanned(days=1)) == 2
    with unit_of_work() as session:
        session.get_one(FacilityToken, quiet).facility.retired_at = clock.now()
    assert silent() == []


def test_what_was_scanned_before_it_hung_was_a_trial(district: SmallDistrict) -> None:
    with unit_of_work():
        token = str(facilities.token_of(factories.make_facility(district.lamps).id))
        codes.mark_printed([token])
    scanned(token)
    with clock.frozen_at(clock.now() - timedelta(days=40)), unit_of_work():
        codes.place(token, by=district.staff["handler"])
    assert silent() == [token]


@both_databases
def test_streets_are_compared_and_sight_ends_both(district: SmallDistrict) -> None:
    with unit_of_work():
        factories.make_area("990000002")
    near = [hung(district, 40) for _ in range(3)]
    far = [hung(district, 40, area_code="990000002", unit=district.street) for _ in range(2)]
    scanned(near[0])
    rows = [(one.area_code, one.placed, one.silent, one.percent) for one in scans.by_street(Unscanned())]
    assert rows == [("990000002", 2, 2, 100), ("990000001", 3, 2, 67)]
    assert silent(area_code="990000002") == far
    assert silent(areas=frozenset({"990000001"})) == near[1:]
    assert silent(units=frozenset({district.street.id})) == far
    assert [one.area_code for one in scans.by_street(Unscanned(units=frozenset({district.street.id})))] == ["990000002"]
    assert silent(type_code="01037") == near[1:] + far
    assert silent(type_code="09999") == []


def test_the_list_is_leafed_through_and_the_file_has_all(district: SmallDistrict) -> None:
    tokens = [hung(district, 40) for _ in range(5)]
    first, after = scans.never_scanned(Unscanned(), limit=2)
    second, after = scans.never_scanned(Unscanned(), after=after, limit=2)
    third, end = scans.never_scanned(Unscanned(), after=after, limit=2)
    assert [one.token for one in (*first, *second, *third)] == tokens
    assert end is None
    assert {one.token for one in scans.all_never_scanned(Unscanned())} == set(tokens)


@pytest.mark.parametrize("silent_, placed, percent", [(0, 3, 0), (1, 400, 1), (399, 400, 99), (3, 3, 100), (1, 3, 33)])
def test_only_nothing_is_nothing_and_only_all_is_all(silent_: int, placed: int, percent: int) -> None:
    assert scans.Street("", placed, silent_).percent == percent


@both_databases
def test_guesses_are_counted_by_door(district: SmallDistrict) -> None:
    for door in (Door.PAGE, Door.PAGE, Door.CHAT):
        with unit_of_work():
            scans.count_guess(door)
    with clock.frozen_at(clock.now() - timedelta(days=50)), unit_of_work():
        scans.count_guess(Door.API)
    assert scans.guesses() == {"page": 2, "chat": 1}


@both_databases
def test_days_that_are_over_go_and_the_last_scan_stays(district: SmallDistrict) -> None:
    token = hung(district, 900)
    for days in (800, 700, 1):
        with clock.frozen_at(clock.now() - timedelta(days=days)):
            scanned(token)
    kind = kinds.BY_NAME["scan"]
    assert retention.due(kind, 400) == 2
    for part in kind.parts:
        keys = retention.find(part, kinds.before(400))
        with unit_of_work():
            if keys:
                part.forget(keys)
    assert db.session.scalar(select(func.count()).select_from(FacilityScanDay)) == 1
    assert db.session.get_one(FacilityToken, token).last_scanned_on is not None


@pytest.mark.parametrize("typed", ["abcl2q9876", " ABC L2Q-9876 ", "ＡＢＣＬ２Ｑ９８７６", "abc12o9876", "ABCI209876"])
@both_databases
def test_a_code_is_read_as_kindly_as_it_can_be(district: SmallDistrict, typed: str) -> None:
    with unit_of_work() as session:
        facility = factories.make_facility(district.lamps)
        session.add(FacilityToken(token="ABCL2Q9876", facility_id=facility.id, issued_at=clock.now()))
        facility_id = facility.id
    assert facilities.by_token(typed).id == facility_id


@pytest.mark.parametrize("typed", ["路灯坏了", "A" * 300, "", "\0", "ab\0cd", "%", "A B", "２３２７６１٠١٠٣٧٠٠٠٠٠١"])
@both_databases
def test_what_can_be_no_code_is_asked_of_nobody(district: SmallDistrict, typed: str) -> None:
    with pytest.raises(NotFound):
        facilities.by_token_or_code(typed)


def test_a_code_of_digits_is_found_with_spaces_and_in_full_width(district: SmallDistrict) -> None:
    with unit_of_work():
        facility = factories.make_facility(district.lamps)
        facility_id, code = facility.id, facility.code17
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    assert facilities.by_token_or_code(wide).id == facility_id
    assert facilities.by_token_or_code(f"{code[:6]} {code[6:11]} {code[11:]}").id == facility_id


def test_the_emergency_line_ends_with_the_contract(district: SmallDistrict) -> None:
    day = scans.today()
    with unit_of_work():
        facility = factories.make_facility(
            district.lamps, emergency_phone="2123456", contract_from=day - timedelta(days=9), contract_to=day
        )
    assert facilities.answers_for(facility, day) == (district.lamps.id, "2123456")
    assert facilities.answers_for(facility, day + timedelta(days=1)) == (district.lamps.id, "")
    assert facilities.answers_for(facility, day - timedelta(days=10)) == (district.lamps.id, "")
