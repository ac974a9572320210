"""How long things are kept: the one list, what it takes out and leaves, the days chosen in the panel."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from district import audit, clock, jobs, settings
from district.bulk.models import BulkRun
from district.care import service as care
from district.chats.models import Conversation, InboundMessage
from district.devices.models import Device, DeviceAlarm, DeviceAlarmKind
from district.extensions import db
from district.notices.models import StaffNotice
from district.people.models import AuditEntry, StaffLogin
from district.reference import reference
from district.reports import photos
from district.reports import service as reports
from district.reports.guards import KEY_HOLDER
from district.reports.models import Photo, Report, ReportEvent, ReportFollower
from district.reports.states import Status
from district.retention import service as retention
from district.retention.kinds import BY_NAME, KINDS
from district.staff_wechat.models import StaffMessage
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_facility, make_report, make_resident
from tests.support.pictures import jpeg

PAGE = "/admin/settings/retention"
PHONE = "13800138000"


def ended(district: SmallDistrict, status: Status = Status.CLOSED, **given: Any) -> int:
    """The id of a report in this status: a job leaves no row of the session behind."""
    return make_report(district, status, **given).id


def seen(report_id: int) -> Report:
    return db.session.get_one(Report, report_id)


def age(report_id: int, days: float) -> None:
    """Everything about the report happened so many days earlier."""
    then = clock.now() - timedelta(days=days)
    with unit_of_work() as session:
        session.execute(update(ReportEvent).where(ReportEvent.report_id == report_id).values(at=then))
        moved: dict[str, Any] = {"submitted_at": then} | ({"closed_at": then} if seen(report_id).closed_at else {})
        session.execute(update(Report).where(Report.id == report_id).values(moved))
    db.session.expire_all()


def old_and_new(district: SmallDistrict, name: str, days: int) -> None:
    """For a kind that is rows: one that is over, and one that is not yet."""
    staff = district.staff["administrator"].id
    report = make_report(district)
    with unit_of_work() as session:
        place, sort = (
            make_facility(district.lamps),
            DeviceAlarmKind(
                code="outage", name="不亮", name_en="dark", is_critical=False, wait_s=0, flood_threshold=0, flood_s=1
            ),
        )
        session.add(sort)
    for n, passed in enumerate((days + 0.1, days - 0.1)):
        then = clock.now() - timedelta(days=passed)
        with unit_of_work() as session:
            if name == "conversation":
                resident = make_resident(f"o-{n}")
                session.flush()
                session.add(InboundMessage(key=str(n), resident_id=resident.id, kind="text", received_at=then))
                session.add(Conversation(resident_id=resident.id, step="idle", draft={}, updated_at=then))
            elif name == "log":
                session.add(AuditEntry(at=then, staff_id=staff, action="x", subject="x", detail={}))
            elif name == "notice":
                session.add(StaffNotice(staff_id=staff, kind="x", params={}, at=then))
            elif name == "staff_message":
                session.add(
                    StaffMessage(
                        staff_id=staff, report_id=report.id, kind=str(n), params={}, about_at=then, created_at=then
                    )
                )  # fmt: skip
            elif name == "device_alarm":
                device = Device(unit_id=district.lamps.id, code=str(n), facility_id=place.id, created_at=then)
                session.add(device)
                session.flush()
                session.add(DeviceAlarm(device_id=device.id, kind_id=sort.id, raised_at=then, last_at=then))
            elif name == "bulk":
                session.add(BulkRun(token=str(n), staff_id=staff, action="x", started_at=then, results={}))


ROWS = {
    "conversation": (InboundMessage, Conversation), "log": (AuditEntry,), "notice": (StaffNotice,),
    "staff_message": (StaffMessage,), "bulk": (BulkRun,), "device_alarm": (DeviceAlarm,),
}  # fmt: skip


@both_databases
@pytest.mark.parametrize("name", ROWS)
def test_rows_go_after_their_days_and_not_before(district: SmallDistrict, name: str) -> None:
    kind = BY_NAME[name]
    old_and_new(district, name, retention.days(kind))
    before = {model: db.session.scalar(select(func.count()).select_from(model)) for model in ROWS[name]}
    assert retention.due(kind, retention.days(kind)) == len(ROWS[name])
    jobs.tidy()
    for model in ROWS[name]:
        assert db.session.scalar(select(func.count()).select_from(model)) == (before[model] or 0) - 1
    assert retention.due(kind, retention.days(kind)) == 0


@both_databases
@pytest.mark.parametrize("status", [Status.CLOSED, Status.REJECTED, Status.WITHDRAWN])
def test_a_telephone_number_goes_after_the_end_and_the_report_stays(district: SmallDistrict, status: Status) -> None:
    old, new, open_one = (ended(district, one, contact=PHONE) for one in (status, status, Status.ASSIGNED))
    resident_id = district.resident.id
    age(old, 181)
    age(new, 179)
    age(open_one, 900)
    assert retention.due(BY_NAME["contact"], 180) == 1
    jobs.tidy()
    assert (seen(old).contact_sealed, seen(old).description) == ("", "路灯不亮")
    assert seen(old).resident_id == resident_id
    assert seen(new).contact_sealed
    assert seen(open_one).contact_sealed


def test_what_joined_a_report_ends_with_it(district: SmallDistrict) -> None:
    eldest = make_report(district, Status.ASSIGNED)
    joined = make_report(district, contact=PHONE)
    with unit_of_work():
        from district.reports import merging

        merging.merge(joined.id, eldest.id, by=district.staff["dispatcher"])
    age(joined.id, 900)
    assert retention.due(BY_NAME["contact"], 180) == 0


@both_databases
def test_after_its_time_a_report_leads_to_nobody(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    words = f"路灯不亮，我叫王小明，电话{PHONE}"
    old, new = (ended(district, description=words, contact=PHONE) for _ in range(2))
    resident_id, person = district.resident.id, log_in("dispatcher")
    with unit_of_work():
        reports.rate(reports.lock(old), by=KEY_HOLDER, solved=True, stars=5, reasons=[], text=f"谢谢，{PHONE}")
        follower = make_resident("o-follower")
        db.session.flush()
        db.session.add(ReportFollower(report_id=old, resident_id=follower.id, since=clock.now()))
    age(old, 1826)
    age(new, 1824)
    jobs.tidy()
    gone = seen(old)
    assert gone.nameless_since is not None
    assert (gone.resident_id, gone.contact_sealed) == (None, "")
    assert gone.description.startswith("路灯不亮")
    told = [gone.description, gone.rating_text, *(event.note for event in gone.events)]
    assert not any(PHONE in text or "王小明" in text for text in told)
    assert db.session.scalar(select(ReportFollower).where(ReportFollower.report_id == old)) is None
    kept = seen(new)
    assert (kept.nameless_since, kept.resident_id, kept.description) == (None, resident_id, words)
    # Its page is there as before, for staff and for all.
    number = gone.number
    assert person.get(f"/admin/reports/{number}").status_code == 200
    assert app.test_client().get(f"/r/{number}").status_code == 200


@both_databases
def test_of_old_pictures_the_small_size_stays_and_a_file_that_is_still_shown(
    app: Flask, district: SmallDistrict
) -> None:
    shared, own = (photos.prepare(jpeg(size=(900, 700), colour=colour)) for colour in ("red", "blue"))
    old, new = ended(district), ended(district)
    with unit_of_work():
        rows = {"old shared": photos.add_uploaded(shared), "old own": photos.add_uploaded(own),
                "new shared": photos.add_uploaded(shared)}  # fmt: skip
        for name, photo in rows.items():
            photo.report_id = old if name.startswith("old") else new
            photo.created_at = clock.now() - timedelta(days=400)
        tokens = {name: photo.token for name, photo in rows.items()}
    for picture in (shared, own):
        photos.keep(picture)
    age(old, 366)
    age(new, 364)
    jobs.tidy()
    store = photos.store()
    assert store.read(photos.file_name(shared.digest, "page")) == shared.files["page"]
    assert store.read(photos.file_name(own.digest, "page")) is None
    small = app.test_client().get(f"/photos/{tokens['old own']}/page.jpg")
    assert (small.status_code, small.data) == (200, own.files["thumb"])
    assert db.session.scalar(select(func.count()).select_from(Photo).where(Photo.reduced_at.is_not(None))) == 2
    age(new, 366)
    jobs.tidy()
    assert store.read(photos.file_name(shared.digest, "page")) is None
    assert store.read(photos.file_name(shared.digest, "thumb")) == shared.files["thumb"]


def test_a_loose_picture_goes_with_its_file_unless_somebody_shows_it(district: SmallDistrict) -> None:
    lost, kept = (photos.prepare(jpeg(colour=colour)) for colour in ("red", "blue"))
    report = make_report(district)
    for picture in (lost, kept):
        photos.keep(picture)
    with unit_of_work():
        loose = [photos.add_uploaded(picture) for picture in (lost, kept)]
        for photo in loose:
            photo.created_at = clock.now() - timedelta(days=2)
        photos.add_uploaded(kept).report_id = report.id
    jobs.tidy()
    assert photos.store().read(photos.file_name(lost.digest, "page")) is None
    assert photos.store().read(photos.file_name(lost.digest, "thumb")) is None
    assert photos.store().read(photos.file_name(kept.digest, "page")) == kept.files["page"]


@pytest.mark.parametrize("longest_s, rounds", [(60.0, [0]), (0.0, [3, 1, 0])])
def test_a_round_goes_on_for_a_while_and_the_next_takes_what_is_left(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch, longest_s: float, rounds: list[int]
) -> None:
    """The scheduler does it, and has other things to do."""
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(jobs, "LONGEST_PART_S", longest_s)
    with unit_of_work() as session:
        for n in range(5):
            session.add(StaffNotice(staff_id=district.staff["handler"].id, kind=str(n), params={},
                                    at=clock.now() - timedelta(days=91)))  # fmt: skip
    for left in rounds:
        jobs.tidy()
        assert db.session.scalar(select(func.count()).select_from(StaffNotice)) == left


# The page


def save(person: Person, name: str, **fields: str) -> Any:
    return person.post(f"{PAGE}/{name}", **fields)


@both_databases
def test_days_are_changed_within_bounds_and_taken_back(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        settings.put("privacy", {"retention_days": {"contact": 200}})
        settings.changed("settings")
    forget_reference()
    person, kind = log_in("administrator"), BY_NAME["contact"]
    version = settings.versions()["settings"]
    assert save(person, "contact", days="90").status_code == 302
    assert retention.days(kind) == 90
    # Other processes notice by the version.
    assert settings.versions()["settings"] == version + 1
    for bad in ("29", "3651", "-1", "", "many", "9" * 30):
        assert save(person, "contact", days=bad).status_code == 422
    assert retention.days(kind) == 90
    # What residents are told goes along.
    forget_reference()
    assert "90 天" in words_of(app.test_client().get("/privacy"))
    # A folder that is loaded anew leaves what the panel says.
    with unit_of_work():
        settings.put("privacy", {"retention_days": {"contact": 210}})
        settings.changed("settings")
    forget_reference()
    assert (retention.days(kind), retention.own_days(kind)) == (90, 210)
    assert save(person, "contact", reset="1").status_code == 302
    assert retention.days(kind) == 210
    assert "panel" not in reference().settings
    logged = db.session.scalars(
        select(AuditEntry).where(AuditEntry.action == "retention_days.change").order_by(AuditEntry.id)
    ).all()
    assert [(one.subject, one.detail["before"], one.detail["after"]) for one in logged] == [
        ("retention:contact", {"days": 200}, {"days": 90}), ("retention:contact", {"days": 90}, {"days": 210})
    ]  # fmt: skip


def test_what_is_fixed_stays_fixed(log_in: LogIn) -> None:
    person = log_in("administrator")
    assert save(person, "loose_photo", days="1").status_code == 403
    assert save(person, "everything", days="1").status_code == 404


def test_before_saving_one_sees_how_much_would_go(district: SmallDistrict, log_in: LogIn) -> None:
    for days in (40, 60, 100):
        age(ended(district, contact=PHONE), days)
    person = log_in("administrator")

    def preview(days: str) -> str:
        return words_of(person.get(f"{PAGE}/contact/preview?days={days}")).strip()

    assert [preview(days) for days in ("30", "50", "90", "120")] == ["3 条", "2 条", "1 条", "没有到期的"]
    assert "30 到 3650" in preview("29")
    assert "30 到 3650" in preview("")


def test_the_page_says_what_went_and_when(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    assert "还没有清理过" in words_of(person.get(PAGE))
    age(ended(district, contact=PHONE), 181)
    assert "1 条" in words_of(person.get(PAGE))
    jobs.tidy()
    with clock.frozen_at(clock.now() + timedelta(minutes=5)):
        jobs.tidy()
    page = words_of(person.get(PAGE))
    assert "上次清理" in page
    # The round in which something went is told, not the empty one after it.
    assert settings.get("retention:last")["kinds"]["contact"]["count"] == 1


def test_every_kind_is_on_the_page_with_its_words(log_in: LogIn) -> None:
    page = log_in("administrator").get(f"{PAGE}?lang=en")
    assert page.status_code == 200
    for kind in KINDS:
        assert f'id="kind-{kind.name}"' in page.text
    assert "retention." not in words_of(page)


def test_the_log_of_this_change_is_not_what_goes(district: SmallDistrict) -> None:
    """Nobody can wipe their traces by shortening what is kept: half a year is the least."""
    with unit_of_work():
        audit.record(district.staff["administrator"], "x", "x")
    assert BY_NAME["log"].least >= 180
    assert retention.due(BY_NAME["log"], BY_NAME["log"].least) == 0
    assert db.session.scalar(select(func.count()).select_from(StaffLogin)) == 0


def test_pictures_of_the_maintenance_log_stay_and_lose_their_large_size(district: SmallDistrict) -> None:
    taken = photos.prepare(jpeg(colour="red"))
    photos.keep(taken)
    with unit_of_work():
        lamp = make_facility(district.lamps)
        care.repair(lamp, by=district.staff["handler"], note="换了灯", after=[taken])
        photo = db.session.scalars(select(Photo)).one()
        photo.created_at = clock.now() - timedelta(days=20)
        photo_id = photo.id
    jobs.tidy()
    assert photos.store().read(photos.file_name(taken.digest, "page")) == taken.files["page"]
    with unit_of_work():
        db.session.get_one(Photo, photo_id).created_at = clock.now() - timedelta(days=366)
    jobs.tidy()
    assert photos.store().read(photos.file_name(taken.digest, "page")) is None
    assert photos.store().read(photos.file_name(taken.digest, "thumb")) == taken.files["thumb"]
