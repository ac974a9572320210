"""The register by hand: who may change what, and that every change is remembered."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from district.errors import BadInput, NotAllowed, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.facilities import queries
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.geo.measure import metres_between
from district.people.models import AuditEntry, Staff
from district.register import service as register
from district.register import words
from district.reports import photos
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.register.conftest import code
from tests.factories import MIDDLE, SmallDistrict, make_facility
from tests.support.pictures import jpeg

NEW = {
    "code": code(1), "type": "01037", "name": "东门路灯", "address": "东门外", "longitude": str(MIDDLE[1]),
    "latitude": str(MIDDLE[0]), "owner": "SZ-LD", "maintainer": "SZ-LD", "contract_from": "2026-01-01",
    "contract_to": "2028-12-31", "emergency_phone": "0457-1234567", "state": "intact", "installed_on": "2020-06-01",
    "is_smart": "0", "source": "",
}  # fmt: skip


def staff(district: SmallDistrict, name: str) -> Staff:
    return db.session.get_one(Staff, district.staff[name].id)


@pytest.fixture
def lamp(district: SmallDistrict) -> str:
    with unit_of_work():
        return register.add(NEW, by=staff(district, "administrator")).code17


def change(district: SmallDistrict, who: str, lamp: str, **given: str) -> dict[str, list[str]]:
    with unit_of_work():
        version = register.find(lamp).version
        return register.change(lamp, given, by=staff(district, who), version=version)


@both_databases
def test_a_new_one_is_there_with_everything_and_its_street(district: SmallDistrict, lamp: str) -> None:
    found = facilities.by_code(lamp)
    assert register.form_of(found) == NEW | {"code_other": "2327610137000001"}
    assert (found.area_code, found.emergency_phone) == ("990000001", "0457-1234567")
    assert queries.search(words="东门").facilities == [found]
    assert not words.is_behind()
    [edit] = register.history(found.id)
    assert (edit.kind, edit.staff_id) == ("added", district.staff["administrator"].id)
    assert db.session.scalars(select(AuditEntry.action)).all() == ["facility.added"]


def test_only_administrators_add_and_a_code_is_given_once(district: SmallDistrict, lamp: str) -> None:
    for who in ("unit_manager", "shift_lead", "leader", "handler"):
        with pytest.raises(NotAllowed), unit_of_work():
            register.add(NEW | {"code": code(2)}, by=staff(district, who))
    for taken in (code(1), "2327610137000001"):
        with pytest.raises(register.RecordRefused) as caught, unit_of_work():
            register.add(NEW | {"code": taken}, by=staff(district, "administrator"))
        assert [one.key for one in caught.value.problems] == ["code_of_another"]


def test_an_edit_says_before_and_after(district: SmallDistrict, lamp: str) -> None:
    made = change(district, "administrator", lamp, name="东门一号灯", address="", installed_on="", state="damaged")
    assert made == {
        "name": ["东门路灯", "东门一号灯"], "address": ["东门外", ""], "state": ["intact", "damaged"],
        "installed_on": ["2020-06-01", None],
    }  # fmt: skip
    found = register.find(lamp)
    assert (found.version, found.installed_on) == (2, None)
    assert register.history(found.id)[0].changes == made
    assert change(district, "administrator", lamp, name="东门一号灯") == {}, "nothing changed, nothing written"
    assert register.find(lamp).version == 2


def test_a_place_that_moves_brings_its_street_along(district: SmallDistrict, lamp: str) -> None:
    moved = {"longitude": str(MIDDLE[1] + 0.001), "latitude": str(MIDDLE[0])}
    with unit_of_work():
        register.find(lamp).area_code = "old"
    assert change(district, "administrator", lamp, name="不动")["name"]
    assert register.find(lamp).area_code == "old", "the place is the same: what was known of it stays"
    assert change(district, "administrator", lamp, **moved)["area_code"] == ["old", "990000001"]
    with pytest.raises(register.RecordRefused) as caught:
        change(district, "administrator", lamp, longitude="10", latitude="10")
    assert [one.key for one in caught.value.problems] == ["place_outside"]


def test_the_maintainers_manager_keeps_up_what_the_work_shows_and_no_more(district: SmallDistrict, lamp: str) -> None:
    made = change(district, "unit_manager", lamp, name="东门灯", maintainer="J001", code=code(7), type="01001")
    assert set(made) == {"name"}
    with unit_of_work():
        make_facility(district.street, name="街道的灯")
        other = db.session.scalars(select(Facility).where(Facility.name == "街道的灯")).one().code17
    for who, which in (("unit_manager", other), ("handler", lamp), ("street", lamp), ("leader", lamp)):
        with pytest.raises(NotAllowed):
            change(district, who, which, name="不行")


def test_whoever_is_limited_to_streets_or_units_changes_nothing_elsewhere(district: SmallDistrict, lamp: str) -> None:
    for limits in ({"area_scope": ["somewhere"]}, {"unit_scope": [district.street.id], "area_scope": []}):
        with unit_of_work():
            person = staff(district, "administrator")
            for name, value in limits.items():
                setattr(person, name, value)
        with pytest.raises(NotAllowed):
            change(district, "administrator", lamp, name="不行")
        with pytest.raises(NotAllowed), unit_of_work():
            register.retire(lamp, by=staff(district, "administrator"), reason="拆除")


def test_two_who_edit_at_once_do_not_overwrite_each_other(district: SmallDistrict, lamp: str) -> None:
    change(district, "administrator", lamp, name="先改")
    with pytest.raises(StaleVersion), unit_of_work():
        register.change(lamp, {"name": "后改"}, by=staff(district, "administrator"), version=1)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"name": " "}, "name_missing"),
        ({"contract_to": "2025-01-01"}, "contract_order"),
        ({"emergency_phone": "打给老王"}, "phone_wrong"),
        ({"code": "12"}, "code_wrong"),
        ({"maintainer": "NOBODY"}, "unit_unknown"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    district: SmallDistrict, lamp: str, given: dict[str, str], key: str
) -> None:
    with pytest.raises(register.RecordRefused) as caught:
        change(district, "administrator", lamp, **given)
    assert [one.key for one in caught.value.problems] == [key]
    assert register.find(lamp).version == 1


def test_taken_out_with_a_reason_and_brought_back(district: SmallDistrict, lamp: str) -> None:
    administrator = staff(district, "administrator")
    with pytest.raises(BadInput), unit_of_work():
        register.retire(lamp, by=administrator, reason=" ")
    with unit_of_work():
        register.retire(lamp, by=administrator, reason="道路改造，已拆除")
    with pytest.raises(NotFound):
        facilities.by_code(lamp)
    found = register.find(lamp)
    assert found.state == "removed"
    assert queries.search().facilities == []
    assert queries.search(is_gone=True).facilities == [found]
    assert register.history(found.id)[0].note == "道路改造，已拆除"
    with pytest.raises(WrongState):
        change(district, "administrator", lamp, name="不行")
    with unit_of_work():
        register.restore(lamp, by=administrator)
    assert facilities.by_code(lamp).state == "intact"
    with pytest.raises(WrongState), unit_of_work():
        register.restore(lamp, by=administrator)


def test_pictures_are_added_and_taken_away(district: SmallDistrict, lamp: str) -> None:
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work():
        manager = staff(district, "unit_manager")
        photo = photos.add_uploaded(picture, staff=manager)
        register.add_photos(lamp, [photo.id], by=manager)
        token = photo.token
    found = register.find(lamp)
    assert [one.token for one in register.photos_of(found.id)] == [token]
    with pytest.raises(NotFound), unit_of_work():
        register.remove_photo(lamp, "another", by=staff(district, "unit_manager"))
    with unit_of_work():
        register.remove_photo(lamp, token, by=staff(district, "unit_manager"))
    assert register.photos_of(found.id) == []
    assert [edit.kind for edit in register.history(found.id)] == ["photo_removed", "photo_added", "added"]


@both_databases
def test_what_was_written_past_the_objects_is_found_at_once_and_read_later(district: SmallDistrict, lamp: str) -> None:
    words.forget([register.find(lamp).code])
    db.session.commit()
    assert words.is_behind()
    assert [one.code17 for one in queries.search(words="东门 路灯").facilities] == [lamp]
    with unit_of_work():
        assert words.fill() == 1
    assert not words.is_behind()
    assert [one.code17 for one in queries.search(words="东门 路灯").facilities] == [lamp]
    assert queries.search(words="西门").facilities == []


@both_databases
def test_the_nearest_are_the_nearest_however_many_there_are(district: SmallDistrict) -> None:
    with unit_of_work():
        for number in range(60):
            make_facility(district.lamps, latitude=MIDDLE[0] + number * 2e-5, longitude=MIDDLE[1])
    found = queries.near(*MIDDLE, metres=500, limit=7)
    assert [round(away) for _, away in found] == sorted(round(away) for _, away in found)
    assert [one.latitude for one, _ in found] == pytest.approx([MIDDLE[0] + number * 2e-5 for number in range(7)])
    assert all(away == metres_between(*MIDDLE, one.latitude, one.longitude) for one, away in found)
    assert len(queries.near(*MIDDLE, metres=50, limit=100)) == 23
