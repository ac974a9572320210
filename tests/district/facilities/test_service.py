"""Facilities: found by what is printed on them, repaired, their codes issued and revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility, FacilityToken, MaintenanceEntry
from district.units.models import Unit
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import SmallDistrict


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


@pytest.fixture
def facility(district: SmallDistrict) -> Facility:
    with unit_of_work():
        return factories.make_facility(db.session.get_one(Unit, district.lamps.id))


def test_a_facility_is_found_by_its_token_in_any_case_and_by_either_code(facility: Facility) -> None:
    token = facilities.token_of(facility.id) or ""
    for spelt in (token, token.lower(), f" {token} "):
        assert facilities.by_token(spelt).id == facility.id
        assert facilities.by_token_or_code(spelt).id == facility.id
    for code in (facility.code, facility.code17, f" {facility.code17} "):
        assert facilities.by_code(code).id == facility.id
        assert facilities.by_token_or_code(code).id == facility.id


@both_databases
@pytest.mark.parametrize("wrong", ["", "NOPE", "1234567890123456", "%", "路灯", "A" * 400])
def test_what_was_never_printed_is_not_found(facility: Facility, wrong: str) -> None:
    with pytest.raises(NotFound):
        facilities.by_token_or_code(wrong)


def test_a_retired_facility_is_found_by_nothing(facility: Facility) -> None:
    token = facilities.token_of(facility.id) or ""
    with unit_of_work():
        db.session.get_one(Facility, facility.id).retired_at = clock.now()
    for wrong in (token, facility.code, facility.code17):
        with pytest.raises(NotFound):
            facilities.by_token_or_code(wrong)


def test_a_revoked_code_says_so_and_a_newer_one_stays_good(district: SmallDistrict, facility: Facility) -> None:
    old = facilities.token_of(facility.id) or ""
    with unit_of_work() as session:
        later = clock.now() + timedelta(seconds=1)
        session.add(FacilityToken(token="NEWTOKEN22", facility_id=facility.id, issued_at=later))
    assert facilities.token_of(facility.id) == "NEWTOKEN22"
    with unit_of_work():
        codes.revoke(old.lower(), by=district.staff["administrator"])
    with pytest.raises(facilities.Revoked):
        facilities.by_token(old)
    assert facilities.by_token("newtoken22").id == facility.id


def test_only_an_administrator_revokes(district: SmallDistrict, facility: Facility) -> None:
    token = facilities.token_of(facility.id) or ""
    with pytest.raises(NotAllowed), unit_of_work():
        codes.revoke(token, by=district.staff["handler"])
    with pytest.raises(NotFound), unit_of_work():
        codes.revoke("NOPE", by=district.staff["administrator"])


def test_tokens_are_not_guessed_and_fit_a_printed_code() -> None:
    made = {codes.new_token() for _ in range(500)}
    assert len(made) == 500
    for token in made:
        assert len(token) >= 8
        assert set(token) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        assert not set(token) & set("01IO")


def test_its_unit_repairs_it_and_it_is_intact_again(district: SmallDistrict, facility: Facility) -> None:
    with unit_of_work():
        row = db.session.get_one(Facility, facility.id)
        row.state = "damaged"
        facilities.record_repair(row, by=district.staff["handler"], note=" 换了灯泡\x00 ")
    db.session.expire_all()
    assert db.session.get_one(Facility, facility.id).state == "intact"
    (entry,) = facilities.maintenance_log(facility.id)
    assert (entry.kind, entry.note, entry.staff_id) == ("repair", "换了灯泡", district.staff["handler"].id)


def test_a_note_leaves_its_state(district: SmallDistrict, facility: Facility) -> None:
    with unit_of_work():
        row = db.session.get_one(Facility, facility.id)
        row.state = "damaged"
        facilities.record_repair(row, by=district.staff["handler"], note="看过，等配件", kind="note")
    assert db.session.get_one(Facility, facility.id).state == "damaged"


@pytest.mark.parametrize("who", ["street", "verifier", "administrator", "dispatcher"])
def test_nobody_else_writes_into_its_log(district: SmallDistrict, facility: Facility, who: str) -> None:
    with pytest.raises(NotAllowed), unit_of_work():
        facilities.record_repair(facility, by=district.staff[who], note="修好了")
    assert db.session.scalar(select(MaintenanceEntry.id)) is None


@pytest.mark.parametrize("note", ["", " \n", "长" * 1001])
def test_a_repair_is_described(district: SmallDistrict, facility: Facility, note: str) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        facilities.record_repair(facility, by=district.staff["handler"], note=note)
    assert list(refused.value.fields) == ["note"]


@both_databases
def test_a_repair_of_no_known_kind_is_refused(district: SmallDistrict, facility: Facility) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        facilities.record_repair(facility, by=district.staff["handler"], note="修好了", kind="party")
    assert list(refused.value.fields) == ["kind"]
