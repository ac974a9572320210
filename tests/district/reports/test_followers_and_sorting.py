"""What followers add, pictures moved between one's own reports, and the look at another's pictures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from district import clock
from district.errors import NotAllowed, WrongState
from district.extensions import db
from district.people.models import Resident
from district.reports import following, glimpses, photos, sorting
from district.reports import service as reports
from district.reports.models import Photo, PhotoState, Report, ReportEvent
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report, make_resident
from tests.support.pictures import jpeg


def kept_photo(resident: Resident | None, report: Report | None = None) -> int:
    """A picture that is in the store, loose or part of a report."""
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work():
        photo = photos.add_uploaded(picture, resident=resident)
        photo.report_id = report.id if report else None
        return photo.id


def somebody_else() -> Resident:
    with unit_of_work():
        return make_resident("somebody-else")


def again(report_id: int) -> Report:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Report, report_id)


@both_databases
def test_a_follower_adds_words_for_staff_and_pictures_that_the_owner_does_not_see(
    app: Flask, client: FlaskClient
) -> None:
    report, neighbour = make_report(SmallDistrict()), somebody_else()
    mine, theirs = kept_photo(None, report), kept_photo(neighbour)
    report_id, number, key = report.id, report.number, report.access_key
    tokens = {row.id: row.token for row in db.session.scalars(select(Photo))}
    with unit_of_work(), pytest.raises(NotAllowed):
        following.add(reports.lock(report_id), by=neighbour, text="我也看见了")
    with unit_of_work():
        reports.support(reports.lock(report_id), by=neighbour)
        following.add(reports.lock(report_id), by=neighbour, text="晚上有人摔倒", photo_ids=[theirs])
        following.add_media(report_id, "later", by=neighbour)
    found = again(report_id)
    assert {photo.id for photo in found.photos if photo.state == PhotoState.KEPT} == {mine, theirs}
    assert len(found.photos) == 3
    event = next(event for event in found.events if event.note)
    assert (event.note, event.is_public) == ("晚上有人摔倒", False)
    page = client.get(f"/r/{number}?key={key}").get_data(as_text=True)
    assert tokens[mine] in page
    assert tokens[theirs] not in page
    assert "摔倒" not in page
    told = client.get(f"/api/v1/reports/{number}?key={key}").get_json()
    assert [one["id"] for one in told["photos"]] == [tokens[mine]]


def test_nothing_is_added_to_what_has_ended(app: Flask) -> None:
    report, neighbour = make_report(SmallDistrict()), somebody_else()
    with unit_of_work():
        reports.support(reports.lock(report.id), by=neighbour)
        reports.withdraw(reports.lock(report.id), by=db.session.get_one(Resident, report.resident_id))
    with unit_of_work(), pytest.raises(WrongState):
        following.add_media(report.id, "late", by=neighbour)


@both_databases
def test_pictures_move_between_ones_own_reports_only(app: Flask) -> None:
    district = SmallDistrict()
    first, second = make_report(district), make_report(district)
    stranger = somebody_else()
    first_id, second_id, owner = first.id, second.id, district.resident
    with unit_of_work():
        reports.add_media(first_id, "one", by=owner)
        reports.add_media(first_id, "two", by=owner)
    with unit_of_work(), pytest.raises(NotAllowed):
        sorting.move_photos(first_id, second_id, by=stranger, media_ids=["one"])
    with unit_of_work():
        assert sorting.move_photos(first_id, second_id, by=owner, media_ids=["two"]) == 1
    assert [photo.media_id for photo in again(second_id).photos] == ["two"]
    with unit_of_work():
        other = db.session.scalars(select(Photo.id).where(Photo.media_id == "one")).one()
        assert sorting.move_photos(first_id, second_id, by=owner) == 0
        assert sorting.move_photos(first_id, second_id, by=owner, photo_ids=[other]) == 1
        assert sorting.move_photos(first_id, second_id, by=owner, photo_ids=[other]) == 0
    assert sorted(str(photo.media_id) for photo in again(second_id).photos) == ["one", "two"]
    moved = db.session.scalars(select(ReportEvent).where(ReportEvent.report_id == first_id)).all()
    assert [event.data for event in moved if event.data.get("photos_to")] == [{"photos_to": second.number}] * 2


def test_the_look_shows_pictures_for_three_days_and_nothing_else(app: Flask, client: FlaskClient) -> None:
    report = make_report(SmallDistrict(), description="我家三单元门口的灯")
    kept_photo(None, report)
    number, token = report.number, db.session.scalars(select(Photo.token)).one()
    address = glimpses.address(number)
    path = address.removeprefix("http://district.test")
    page = client.get(path).get_data(as_text=True)
    assert token in page
    assert "三单元" not in page
    assert token not in client.get(f"/r/{number}").get_data(as_text=True)
    signed = path.partition("look=")[2]
    for wrong in (
        signed[:-1] + "0" * (signed[-1] != "0") + "1" * (signed[-1] == "0"),
        "f" + signed,
        "",
        "x.y",
        "9" * 40,
    ):
        assert not glimpses.is_valid(number, wrong)
    assert not glimpses.is_valid("BH20261122-0001A", signed)
    with clock.frozen_at(clock.now() + timedelta(days=3, minutes=1)):
        assert token not in client.get(path).get_data(as_text=True)
