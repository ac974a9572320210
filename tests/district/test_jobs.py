"""Jobs: doorbells that drain their table, whatever WeChat, a single row or a dying worker does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from district import clock, jobs
from district.extensions import db, redis_door
from district.notifications import service as notifications
from district.notifications.models import Delivery, Notification
from district.people.models import Resident
from district.reports import photos
from district.reports.models import EventKind, Photo, PhotoState, Report, ReportEvent
from district.reports.states import Status
from district.routing import service as routing
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases, settings_for
from tests.factories import SmallDistrict, give_window, make_report
from tests.support.pictures import jpeg, photo_of_a_phone
from tests.support.threads import in_threads
from tests.support.wechat_platform import Remote

SEND, TEMPLATE, MEDIA = "/cgi-bin/message/custom/send", "/cgi-bin/message/template/send", "/cgi-bin/media/get"


@pytest.fixture
def env(env: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "wechat" not in request.fixturenames:
        return env
    platform: Remote = request.getfixturevalue("wechat")
    return env | {
        **settings_for(platform),
        "WECHAT_TEMPLATE_PROGRESS": "T1",
    }


@pytest.fixture
def told(wechat: Remote, app: Flask) -> int:
    """The id of a queued message to a resident who has just written. (A job ends its session: rows do not last.)"""
    district = SmallDistrict()
    wechat.control("interaction", {"openid": district.resident.openid, "kind": "message"})
    with unit_of_work():
        give_window(db.session.get_one(Resident, district.resident.id))
    report = make_report(district)
    with unit_of_work():
        notifications.tell(db.session.get_one(Report, report.id), "assigned", unit="路灯班组", due="11-24 17:30")
    return db.session.scalars(select(Notification.id)).one()


def again(notification_id: int) -> Notification:
    db.session.expire_all()
    return db.session.get_one(Notification, notification_id)


def make_due() -> None:
    with unit_of_work() as session:
        session.execute(
            update(Notification).where(Notification.next_try_at.is_not(None)).values(next_try_at=clock.now())
        )
        session.execute(update(Photo).where(Photo.next_try_at.is_not(None)).values(next_try_at=clock.now()))


# Messages


def test_a_message_arrives_and_is_sent_once(wechat: Remote, told: int, app: Flask) -> None:
    jobs.deliver_notifications()
    jobs.deliver_notifications()
    openid = db.session.scalars(select(Resident.openid)).one() or ""
    (arrived,) = wechat.sent(openid)
    assert "路灯班组" in arrived["body"]["text"]["content"]
    assert again(told).delivery == Delivery.SENT


@pytest.mark.parametrize(
    "fault", [{"errcode": -1}, {"http": 500}, {"raw": "no JSON"}, {"errcode": 45009}, {"errcode": 40001, "times": 3}]
)
def test_a_failure_is_tried_again_and_never_counts_as_sent(
    wechat: Remote, told: int, app: Flask, fault: dict[str, object]
) -> None:
    wechat.fault(SEND, **fault)
    jobs.deliver_notifications()
    assert (again(told).delivery, again(told).sent_at, again(told).tries) == (Delivery.QUEUED, None, 1)
    assert again(told).last_error
    wechat.control("faults-off", {})
    make_due()
    jobs.deliver_notifications()
    assert (again(told).delivery, again(told).tries) == (Delivery.SENT, 2)
    assert len(wechat.control("sent")) == 1


def test_a_wechat_that_never_answers_well_ends_in_failed(wechat: Remote, told: int, app: Flask) -> None:
    wechat.fault("*", http=500, times=10_000)
    for _ in range(len(notifications.RETRY_AFTER_S) + 1):
        assert again(told).delivery == Delivery.QUEUED
        jobs.deliver_notifications()
        make_due()
    assert (again(told).delivery, again(told).sent_at) == (Delivery.FAILED, None)
    assert wechat.control("sent") == []


@pytest.mark.parametrize("code, left_as", [(40003, Delivery.FAILED), (43004, Delivery.NOT_POSSIBLE)])
def test_somebody_who_cannot_be_written_to_is_not_tried_again(
    wechat: Remote, told: int, app: Flask, code: int, left_as: Delivery
) -> None:
    wechat.fault(SEND, errcode=code)
    jobs.deliver_notifications()
    make_due()
    jobs.deliver_notifications()
    assert (again(told).delivery, wechat.calls(SEND)) == (left_as, 1)


def test_a_window_that_wechat_says_is_closed_leads_to_the_template(wechat: Remote, told: int, app: Flask) -> None:
    wechat.control("clock", {"advance": 49 * 3600})
    jobs.deliver_notifications()
    (arrived,) = wechat.control("sent")
    assert arrived["path"] == TEMPLATE
    assert again(told).delivery == Delivery.SENT


def test_one_message_that_nobody_foresaw_does_not_undo_the_others(
    wechat: Remote, told: int, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work() as session:
        notifications.tell(session.get_one(Report, again(told).report_id), "resolved", unit="路灯班组", note="好了")

    def breaks_on_one(text: str) -> str:
        return str(1 / 0) if "已派给" in text else text

    monkeypatch.setattr("district.wechat.client.cut", breaks_on_one)
    jobs.deliver_notifications()
    rows = db.session.execute(select(Notification.kind, Notification.delivery, Notification.last_error)).all()
    assert sorted(map(tuple, rows)) == [
        ("assigned", Delivery.QUEUED, "ZeroDivisionError"),
        ("resolved", Delivery.SENT, ""),
    ]
    assert len(wechat.control("sent")) == 1


# Pictures


@pytest.fixture
def resident(app: Flask) -> Resident:
    with unit_of_work():
        return factories.make_resident()


def expect(media_id: str, resident: Resident) -> int:
    with unit_of_work():
        return photos.expect_media(media_id, resident.id)


def photo(photo_id: int) -> Photo:
    db.session.expire_all()
    return db.session.get_one(Photo, photo_id)


def test_a_picture_is_brought_in_clean(wechat: Remote, app: Flask, resident: Resident) -> None:
    photo_id = expect(wechat.add_media(photo_of_a_phone()), resident)
    jobs.fetch_photos()
    kept = photo(photo_id)
    assert kept.state == PhotoState.KEPT
    content = photos.read(kept, "page")
    assert content is not None
    assert content.startswith(b"\xff\xd8\xff")
    assert b"SecretOwner" not in content


def test_a_picture_whose_fetch_fails_is_fetched_later(wechat: Remote, app: Flask, resident: Resident) -> None:
    photo_id = expect(wechat.add_media(jpeg()), resident)
    wechat.fault(MEDIA, http=502)
    jobs.fetch_photos()
    assert (photo(photo_id).state, photo(photo_id).tries) == (PhotoState.WAITING, 1)
    make_due()
    jobs.fetch_photos()
    assert photo(photo_id).state == PhotoState.KEPT


@pytest.mark.parametrize(
    "content, state",
    [(b"<svg xmlns='http://www.w3.org/2000/svg'/>", PhotoState.REFUSED), (None, PhotoState.LOST)],
)
def test_what_is_no_picture_or_is_gone_is_given_up(
    wechat: Remote, app: Flask, resident: Resident, content: bytes | None, state: PhotoState
) -> None:
    photo_id = expect(wechat.add_media(content) if content is not None else "gone", resident)
    jobs.fetch_photos()
    assert photo(photo_id).state == state


def test_one_picture_that_nobody_foresaw_does_not_undo_the_others(
    wechat: Remote, app: Flask, resident: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = expect(wechat.add_media(jpeg()), resident), expect(wechat.add_media(jpeg(size=(13, 13))), resident)
    prepare = photos.prepare

    def breaks_on_one(content: bytes) -> photos.Picture:
        picture = prepare(content)
        return prepare(bytes(1 // 0)) if picture.width == 13 else picture

    monkeypatch.setattr(photos, "prepare", breaks_on_one)
    jobs.fetch_photos()
    assert (photo(good).state, photo(bad).state) == (PhotoState.KEPT, PhotoState.WAITING)
    assert photo(bad).last_error == "ZeroDivisionError"


# Routing


@both_databases
def test_workers_at_once_give_every_report_one_unit_once(app: Flask) -> None:
    district = SmallDistrict()
    filed = [make_report(district).id for _ in range(60)]
    db.session.remove()

    def work() -> None:
        with app.app_context():
            jobs.route_reports()
            db.session.remove()

    in_threads([work] * 4)
    statuses = db.session.scalars(select(Report.status).where(Report.id.in_(filed))).all()
    assert statuses == [Status.ASSIGNED] * 60
    routed = select(func.count()).select_from(ReportEvent).where(ReportEvent.kind == EventKind.ROUTED)
    assert db.session.scalar(routed) == 60


def test_a_report_that_cannot_be_written_down_does_not_hold_up_the_others(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    district = SmallDistrict()
    filed = [make_report(district).id for _ in range(5)]
    poison = filed[2]
    route_waiting = routing.route_waiting

    def poisoned(limit: int = 50, **given: object) -> int:
        handled = route_waiting(limit, **given)  # type: ignore[arg-type]
        report = db.session.get(Report, poison)
        if report is not None and report.status != Status.SUBMITTED:
            raise IntegrityError("insert", {}, ValueError("half a transition"))
        return handled

    monkeypatch.setattr(routing, "route_waiting", poisoned)
    jobs.route_reports()
    db.session.expire_all()
    statuses = {report_id: db.session.get_one(Report, report_id).status for report_id in filed}
    assert statuses.pop(poison) == Status.SUBMITTED
    assert set(statuses.values()) == {Status.ASSIGNED}
    assert db.session.get_one(Report, poison).route_tries == 1
    # After its last try it is left to people.
    for _ in range(5):
        with unit_of_work() as session:
            session.execute(update(Report).where(Report.id == poison).values(route_after=clock.now()))
        jobs.route_reports()
    assert db.session.get_one(Report, poison).status == Status.TRIAGE


def test_a_database_that_is_away_is_not_the_reports_fault(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    report_id = make_report(SmallDistrict()).id

    def away(limit: int = 50, **given: object) -> int:
        raise OperationalError("select", {}, ValueError("server closed the connection"))

    monkeypatch.setattr(routing, "route_waiting", away)
    with pytest.raises(OperationalError):
        jobs.route_reports()
    assert db.session.get_one(Report, report_id).route_tries == 0


# The sweep


def test_the_sweep_finds_whatever_is_due_and_nothing_else(app: Flask) -> None:
    assert jobs.waiting_work() == []
    district = SmallDistrict()
    resident_id = district.resident.id
    report_id = make_report(district).id
    assert jobs.waiting_work() == ["route_reports", "index_reports"]
    jobs.index_reports()
    assert jobs.waiting_work() == ["route_reports"]
    with unit_of_work():
        photos.expect_media("m", resident_id)
    assert jobs.waiting_work() == ["route_reports", "fetch_photos"]
    jobs.route_reports()
    jobs.index_reports()
    assert jobs.waiting_work() == ["fetch_photos", "deliver_notifications"]
    with unit_of_work() as session:
        later = clock.now() + timedelta(hours=1)
        session.execute(update(Photo).values(next_try_at=later))
        session.execute(update(Notification).values(next_try_at=later))
        session.execute(update(Report).where(Report.id == report_id).values(route_after=later))
    assert jobs.waiting_work() == []
    with clock.frozen_at(later):
        assert jobs.waiting_work() == ["fetch_photos", "deliver_notifications"]


def test_while_the_queue_server_is_away_the_sweep_routes_by_itself(app: Flask) -> None:
    report_id = make_report(SmallDistrict()).id
    jobs.sweep()
    jobs.sweep()
    assert redis_door().is_resting
    assert db.session.get_one(Report, report_id).status == Status.ASSIGNED


# The rest


def test_what_has_served_is_deleted_and_nothing_else(app: Flask) -> None:
    from bot.models import InboundMessage

    district = SmallDistrict()
    now = clock.now()
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work() as session:
        for key, age in (("old", 181), ("new", 179)):
            session.add(InboundMessage(key=key, resident_id=district.resident.id, kind="text",
                                       received_at=now - timedelta(days=age)))  # fmt: skip
        ages = {
            "loose and old": photos.add_uploaded(picture),
            "loose and new": photos.add_uploaded(picture),
            "still coming": session.get_one(Photo, photos.expect_media("m1", district.resident.id)),
            "never came": session.get_one(Photo, photos.expect_media("m2", district.resident.id)),
            "of a report": photos.add_uploaded(picture, resident=district.resident),
        }
        ages["loose and old"].created_at = ages["still coming"].created_at = now - timedelta(days=2)
        ages["never came"].created_at = ages["of a report"].created_at = now - timedelta(days=4)
        ids = {photo.id: name for name, photo in ages.items()}
    report = make_report(district)
    with unit_of_work() as session:
        of_report = next(photo_id for photo_id, name in ids.items() if name == "of a report")
        session.execute(update(Photo).where(Photo.id == of_report).values(report_id=report.id))
    jobs.tidy()
    assert db.session.scalars(select(InboundMessage.key)).all() == ["new"]
    left = {ids[photo_id] for photo_id in db.session.scalars(select(Photo.id))}
    assert left == {"loose and new", "still coming", "of a report"}


def test_being_overdue_is_noted_by_the_job(app: Flask) -> None:
    report_id = make_report(SmallDistrict(), Status.ASSIGNED).id
    with clock.frozen_at(clock.now() + timedelta(days=90)):
        jobs.remind_overdue()
        jobs.remind_overdue()
    kinds = db.session.scalars(select(ReportEvent.kind).where(ReportEvent.report_id == report_id)).all()
    assert kinds.count(EventKind.REMINDED) == 1


def test_a_job_that_has_gone_on_long_enough_rings_for_the_next(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    report_id = make_report(SmallDistrict()).id
    monkeypatch.setattr(jobs, "LONGEST_TURN_S", 0.0)
    jobs.route_reports()
    assert db.session.get_one(Report, report_id).status == Status.SUBMITTED
    # It tried to ring: without a queue server the door rests.
    assert redis_door().is_resting
