"""The verbs, beyond who may call them: what they refuse, change, record and tell."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock, sealed
from district.errors import BadInput, DistrictError, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.notifications.models import Notification
from district.people.models import Staff
from district.reports import photos
from district.reports import service as reports
from district.reports.models import EventKind, HandBack, Photo, PlaceSource, Report, ReportEvent, Source
from district.reports.states import Status
from district.units.models import Unit
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_report, set_limit
from tests.support.pictures import jpeg


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def new(**given: Any) -> reports.NewReport:
    values: dict[str, Any] = {
        "source": Source.API, "description": "路灯不亮", "latitude": MIDDLE[0], "longitude": MIDDLE[1],
    } | given  # fmt: skip
    return reports.NewReport(**values)


def act(report_id: int, verb: Any, **given: Any) -> Report:
    with unit_of_work():
        verb(reports.lock(report_id), **given)
    return db.session.get_one(Report, report_id)


def add_photo(**owner: Any) -> int:
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work():
        return photos.add_uploaded(picture, **owner).id


def kinds(report_id: int) -> list[str]:
    return list(
        db.session.scalars(select(ReportEvent.kind).where(ReportEvent.report_id == report_id).order_by(ReportEvent.id))
    )


def told(report_id: int) -> list[str]:
    return list(
        db.session.scalars(
            select(Notification.kind).where(Notification.report_id == report_id).order_by(Notification.id)
        )
    )


# Filing


@pytest.mark.parametrize(
    "given, field",
    [
        ({"description": " \x00 "}, "description"),
        ({"description": "长" * 2001}, "description"),
        ({"address": "路" * 201}, "address"),
        ({"contact": "1" * 201}, "contact"),
        ({"category_code": "99999"}, "category"),
        ({"facility_id": 4711}, "facility"),
        ({"longitude": None}, "latitude"),
        ({"latitude": 91.0}, "latitude"),
        ({"latitude": float("nan")}, "latitude"),
        ({"longitude": float("inf")}, "latitude"),
        ({"latitude": 31.2304, "longitude": 121.4737}, "latitude"),
        ({"photo_ids": range(1, 11)}, "photos"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_field(district: SmallDistrict, given: Any, field: str) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        reports.submit(new(**given), by=None)
    assert list(refused.value.fields) == [field]
    assert db.session.scalar(select(Report.id)) is None


def test_every_fault_is_named_at_once(district: SmallDistrict) -> None:
    with pytest.raises(BadInput) as refused, unit_of_work():
        reports.submit(new(description="", category_code="x", latitude=91.0), by=None)
    assert set(refused.value.fields) == {"description", "category", "latitude"}


def test_a_report_without_a_place_is_accepted(district: SmallDistrict) -> None:
    with unit_of_work():
        report = reports.submit(new(latitude=None, longitude=None, address="人民路邮局门口"), by=district.resident)
    assert (report.status, report.area_code, report.place_source) == (Status.SUBMITTED, "", PlaceSource.WORDS)


def test_a_place_is_known_by_its_area(district: SmallDistrict) -> None:
    with unit_of_work():
        report = reports.submit(new(), by=district.resident)
    assert report.area_code == "990000001"


def test_a_facility_lends_its_place_to_the_report(district: SmallDistrict) -> None:
    with unit_of_work():
        facility = factories.make_facility(district.lamps)
        report = reports.submit(new(facility_id=facility.id, latitude=None, longitude=None), by=None)
    assert (report.latitude, report.longitude) == MIDDLE
    assert (report.place_source, report.address) == (PlaceSource.FACILITY, facility.address)


def test_a_retired_facility_is_not_reported(district: SmallDistrict) -> None:
    with unit_of_work():
        facility = factories.make_facility(district.lamps, retired_at=clock.now())
    with pytest.raises(BadInput) as refused, unit_of_work():
        reports.submit(new(facility_id=facility.id), by=None)
    assert list(refused.value.fields) == ["facility"]


@both_databases
def test_the_longest_texts_that_are_taken_can_be_kept(district: SmallDistrict) -> None:
    contact = "王小明" * 22
    with unit_of_work():
        report = reports.submit(new(description="路" * 2000, address="路" * 200, contact=contact), by=district.resident)
        report_id = report.id
    db.session.expire_all()
    kept = db.session.get_one(Report, report_id)
    assert (len(kept.description), len(kept.address)) == (2000, 200)
    assert sealed.open_sealed(kept.contact_sealed) == contact
    assert contact not in kept.contact_sealed
    handler, dispatcher = district.staff["handler"], district.staff["dispatcher"]
    act(report_id, reports.assign, unit_id=district.lamps.id, by=dispatcher, note="请尽快" * 400)
    act(report_id, reports.hand_back, by=handler, reason="因" * 500)
    act(report_id, reports.refuse_hand_back, by=dispatcher, ruling="由" * 500)
    act(report_id, reports.resolve, by=handler, note="修" * 1000)
    act(report_id, reports.verify, by=district.staff["verifier"], note="好" * 1500)
    act(report_id, reports.rate, by=district.resident, solved=True, stars=5, reasons=["x" * 99] * 20, text="谢" * 1500)
    assert db.session.get_one(Report, report_id).status == Status.CLOSED


@both_databases
@pytest.mark.parametrize(
    "status, verb, given, field",
    [
        (Status.ASSIGNED, "hand_back", {"by": "handler", "reason": "因" * 501}, "reason"),
        (Status.SUBMITTED, "reject", {"by": "dispatcher", "reason": "因" * 501}, "reason"),
        (Status.ASSIGNED, "resolve", {"by": "handler", "note": "修" * 1001}, "note"),
        (Status.RESOLVED, "refuse_verification", {"by": "verifier", "note": "差" * 1001}, "note"),
        (Status.CLOSED, "comment", {"by": "acceptor", "text": "话" * 1001}, "text"),
        (Status.ASSIGNED, "hand_back", {"by": "handler", "reason": " \n"}, "reason"),
        (Status.SUBMITTED, "reject", {"by": "dispatcher", "reason": ""}, "reason"),
        (Status.ASSIGNED, "resolve", {"by": "handler", "note": "\x00"}, "note"),
        (Status.CLOSED, "comment", {"by": "acceptor", "text": ""}, "text"),
    ],
)
def test_words_that_are_missing_or_too_many_are_refused(
    district: SmallDistrict, status: Status, verb: str, given: dict[str, Any], field: str
) -> None:
    report = make_report(district, status)
    by = district.staff[given["by"]]
    with pytest.raises(BadInput) as refused:
        act(report.id, getattr(reports, verb), **{**given, "by": by})
    assert list(refused.value.fields) == [field]


@both_databases
def test_a_nul_character_never_reaches_the_database(district: SmallDistrict) -> None:
    with unit_of_work():
        report = reports.submit(new(description="路\x00灯", address="人民\x00路", contact="13\x008"), by=None)
    assert (report.description, report.address) == ("路灯", "人民路")


# Photos


def test_a_report_takes_the_reporters_own_pictures(district: SmallDistrict) -> None:
    photo_id = add_photo(resident=district.resident)
    with unit_of_work():
        report = reports.submit(new(photo_ids=[photo_id]), by=district.resident)
    photo = db.session.get_one(Photo, photo_id)
    assert (photo.report_id, photo.purpose) == (report.id, "before")


def test_a_picture_alone_is_enough_of_a_description(district: SmallDistrict) -> None:
    photo_id = add_photo(resident=district.resident)
    with unit_of_work():
        report = reports.submit(new(description="", photo_ids=[photo_id]), by=district.resident)
    assert report.status == Status.SUBMITTED


@pytest.mark.parametrize("whose", ["another resident's", "a member of staff's", "used", "unknown"])
def test_a_picture_that_is_not_ones_own_is_refused(district: SmallDistrict, whose: str) -> None:
    with unit_of_work():
        stranger = factories.make_resident()
    photo_id = {
        "another resident's": lambda: add_photo(resident=stranger),
        "a member of staff's": lambda: add_photo(staff=district.staff["handler"]),
        "used": lambda: add_photo(resident=district.resident),
        "unknown": lambda: 4711,
    }[whose]()
    if whose == "used":
        with unit_of_work():
            reports.submit(new(photo_ids=[photo_id]), by=district.resident)
    with pytest.raises(BadInput) as refused, unit_of_work():
        reports.submit(new(photo_ids=[photo_id]), by=district.resident)
    assert list(refused.value.fields) == ["photos"]


def test_a_units_pictures_show_what_was_done(district: SmallDistrict) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    photo_id = add_photo(staff=district.staff["handler"])
    act(report.id, reports.resolve, by=district.staff["handler"], note="换了灯泡", photo_ids=[photo_id])
    assert db.session.get_one(Photo, photo_id).purpose == "after"


def test_a_unit_shows_no_picture_of_somebody_elses(district: SmallDistrict) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    for owner in ({"staff": district.staff["street"]}, {"resident": district.resident}, {}):
        photo_id = add_photo(**owner)
        with pytest.raises(BadInput) as refused:
            act(report.id, reports.resolve, by=district.staff["handler"], note="好了", photo_ids=[photo_id])
        assert list(refused.value.fields) == ["photos"]


# Giving to a unit


def test_a_unit_that_closed_gets_nothing_more(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        db.session.get_one(Unit, district.street.id).closed_at = clock.now()
    factories.forget_reference()
    dispatcher = district.staff["dispatcher"]
    with pytest.raises(BadInput) as refused:
        act(report.id, reports.assign, unit_id=district.street.id, by=dispatcher)
    assert list(refused.value.fields) == ["unit"]
    act(report.id, reports.assign, unit_id=district.lamps.id, by=dispatcher)
    with pytest.raises(BadInput) as refused:
        act(report.id, reports.hand_back, by=district.staff["handler"], reason="不归我们",
            suggested_unit_id=district.street.id)  # fmt: skip
    assert list(refused.value.fields) == ["suggested_unit"]


def test_moving_a_report_starts_its_clock_anew_and_says_so(district: SmallDistrict) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    later = clock.now() + timedelta(days=9)
    before = report.handling_due_at
    with clock.frozen_at(later):
        moved = act(report.id, reports.assign, unit_id=district.street.id, by=district.staff["dispatcher"])
    assert (moved.status, moved.unit_id, moved.accepted_at) == (Status.ASSIGNED, district.street.id, None)
    assert moved.assigned_at == later
    assert before is not None
    assert moved.handling_due_at is not None
    assert moved.handling_due_at > before
    assert kinds(report.id)[-1] == EventKind.REASSIGNED


def test_the_unit_it_already_has_is_no_new_unit(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    with pytest.raises(BadInput):
        act(report.id, reports.assign, unit_id=district.lamps.id, by=district.staff["dispatcher"])


def test_the_words_of_a_ruling_stay_between_staff(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    act(report.id, reports.hand_back, by=district.staff["handler"], reason="这是街道的灯")
    act(report.id, reports.uphold_hand_back, by=district.staff["dispatcher"], unit_id=district.street.id,
        ruling="上次说过了，别再推")  # fmt: skip
    events = db.session.scalars(select(ReportEvent).where(ReportEvent.report_id == report.id)).all()
    assert [event.note for event in events if event.is_public and event.note] == []
    ruled = db.session.scalars(select(HandBack)).one()
    assert (ruled.upheld, ruled.ruling) == (True, "上次说过了，别再推")


def test_a_refused_hand_back_gives_back_the_time_it_took(district: SmallDistrict) -> None:
    set_limit(district, 48, "hours")
    report = make_report(district, Status.ASSIGNED)
    due = report.handling_due_at
    assert due is not None
    asked = clock.now()
    with clock.frozen_at(asked):
        act(report.id, reports.hand_back, by=district.staff["handler"], reason="不归我们")
    with clock.frozen_at(asked + timedelta(hours=5)):
        kept = act(report.id, reports.refuse_hand_back, by=district.staff["dispatcher"], ruling="归你们")
    assert kept.handling_due_at == due + timedelta(hours=5)
    assert not kept.hand_back_pending


# The end, and back again


def test_a_category_marked_so_closes_without_verification(app: Flask) -> None:
    district = SmallDistrict()
    with unit_of_work():
        factories.make_category("21099", close_without_verification=True, kind="matter")
    factories.forget_reference()
    report = make_report(district, Status.IN_PROGRESS, category_code="21099")
    closed = act(report.id, reports.resolve, by=district.staff["handler"], note="已处理")
    assert (closed.status, closed.verification_waived, closed.verified_by_id) == (Status.CLOSED, True, None)
    assert told(report.id)[-1] == "closed"


def test_a_refused_verification_sends_it_back_to_work_and_counts(district: SmallDistrict) -> None:
    report = make_report(district, Status.RESOLVED)
    again = act(report.id, reports.refuse_verification, by=district.staff["verifier"], note="还是不亮")
    assert (again.status, again.rework_count, again.resolved_by_id) == (Status.IN_PROGRESS, 1, None)


def test_a_rating_is_written_once(district: SmallDistrict) -> None:
    report = make_report(district, Status.CLOSED)
    rated = act(report.id, reports.rate, by=district.resident, solved=True, stars=5, text="很快")
    assert (rated.stars, rated.solved, rated.rating_text, rated.status) == (5, True, "很快", Status.CLOSED)
    with pytest.raises(WrongState) as refused:
        act(report.id, reports.rate, by=district.resident, solved=True, stars=1)
    assert refused.value.key == "errors.rated_already"


@pytest.mark.parametrize("stars", [0, 6, -1])
def test_stars_are_one_to_five(district: SmallDistrict, stars: int) -> None:
    report = make_report(district, Status.CLOSED)
    with pytest.raises(BadInput) as refused:
        act(report.id, reports.rate, by=district.resident, solved=True, stars=stars)
    assert list(refused.value.fields) == ["stars"]


def test_not_solved_goes_back_to_the_same_unit_with_a_new_clock(district: SmallDistrict) -> None:
    report = make_report(district, Status.CLOSED)
    first_due = report.handling_due_at
    with clock.frozen_at(clock.now() + timedelta(days=3)):
        again = act(report.id, reports.rate, by=district.resident, solved=False, stars=1, text="又灭了")
    assert (again.status, again.unit_id, again.reopen_count) == (Status.ASSIGNED, district.lamps.id, 1)
    assert first_due is not None
    assert again.handling_due_at is not None
    assert again.handling_due_at > first_due
    assert (again.stars, again.solved, again.rated_at, again.resolved_at, again.closed_at) == (None,) * 5
    assert kinds(report.id)[-2:] == [EventKind.RATED, EventKind.REOPENED]
    # Solved at the second attempt, it can be rated again.
    act(report.id, reports.resolve, by=district.staff["handler"], note="换了整盏灯")
    act(report.id, reports.verify, by=district.staff["verifier"])
    assert act(report.id, reports.rate, by=district.resident, solved=True, stars=4).stars == 4


def test_reopening_ends_after_the_districts_days(district: SmallDistrict) -> None:
    from district import settings

    with unit_of_work():
        settings.put("limits", {"reopen_days": 3})
    factories.forget_reference()
    report = make_report(district, Status.CLOSED)
    assert report.closed_at is not None
    with clock.frozen_at(report.closed_at + timedelta(days=3, seconds=1)), pytest.raises(WrongState) as refused:
        act(report.id, reports.reopen, by=district.resident)
    assert (refused.value.key, refused.value.params) == ("errors.reopen_too_late", {"days": 3})
    with clock.frozen_at(report.closed_at + timedelta(days=3)):
        assert act(report.id, reports.reopen, by=district.resident).status == Status.ASSIGNED


def test_the_resident_is_told_of_each_step_that_concerns_them(district: SmallDistrict) -> None:
    report = make_report(district, Status.CLOSED)
    act(report.id, reports.reopen, by=district.staff["inspector"], text="又坏了")
    assert told(report.id) == ["assigned", "accepted", "resolved", "closed", "reopened"]
    again = make_report(district, Status.CLOSED)
    act(again.id, reports.reopen, by=district.resident, text="又坏了")
    assert told(again.id)[-1] == "closed", "whoever sends it back knows"
    refused = make_report(district, Status.REJECTED)
    assert told(refused.id) == ["rejected"]


def test_a_follower_is_told_as_well_and_follows_once(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        neighbour = factories.make_resident()
    for expected in (True, False):
        with unit_of_work():
            assert reports.support(reports.lock(report.id), by=neighbour) is expected
    with unit_of_work():
        assert reports.support(reports.lock(report.id), by=district.resident) is False
    act(report.id, reports.assign, unit_id=district.lamps.id, by=reports.SYSTEM)
    receivers = db.session.scalars(select(Notification.resident_id)).all()
    assert sorted(receivers) == sorted([district.resident.id, neighbour.id])


def test_an_anonymous_report_is_told_to_nobody(district: SmallDistrict) -> None:
    report = make_report(district, resident=None)
    act(report.id, reports.assign, unit_id=district.lamps.id, by=reports.SYSTEM)
    assert told(report.id) == []


# Finding and locking


def test_a_report_is_found_by_any_spelling_of_its_number(district: SmallDistrict) -> None:
    report = make_report(district)
    number = report.number
    for spelling in (number, number.lower(), f"  {number} ", number.replace("-", ""), f"我的编号是{number}，谢谢"):
        assert reports.find(spelling).id == report.id
    for wrong in ("", "BH", number[:-1], number[:-1] + ("A" if number[-1] != "A" else "B")):
        with pytest.raises(NotFound):
            reports.find(wrong)


def test_a_form_of_an_older_version_is_refused(district: SmallDistrict) -> None:
    report = make_report(district, Status.ASSIGNED)
    seen = report.version
    act(report.id, reports.accept, by=district.staff["handler"])
    with pytest.raises(StaleVersion), unit_of_work():
        reports.lock(report.id, version=seen)
    with pytest.raises(NotFound), unit_of_work():
        reports.lock(4711)


@both_databases
def test_of_two_who_act_at_once_one_wins_and_the_other_hears_so(app: Flask) -> None:
    district = SmallDistrict()
    report = make_report(district, Status.ASSIGNED)
    report_id, staff_ids = report.id, [district.staff[name].id for name in ("handler", "unit_manager")]
    db.session.remove()
    start = threading.Barrier(2)
    outcomes: list[str] = []

    def accept(staff_id: int) -> None:
        with app.app_context():
            start.wait()
            try:
                with unit_of_work() as session:
                    reports.accept(reports.lock(report_id), by=session.get_one(Staff, staff_id))
                outcomes.append("accepted")
            except DistrictError as error:
                outcomes.append(error.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=accept, args=(staff_id,)) for staff_id in staff_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted", "wrong_state"]
    assert kinds(report_id).count(EventKind.ACCEPTED) == 1
