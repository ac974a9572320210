"""The staff's half of a printed code's page: repairs with pictures, reports resolved with them, check-ins."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from district import clock
from district.care.models import InspectionPlan, MaintenancePhoto, MaintenanceReport
from district.extensions import db
from district.facilities.models import Facility, FacilityToken, MaintenanceEntry
from district.messages import t
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.reports import photos
from district.reports import service as reports
from district.reports.models import Photo, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.citizen.conftest import forget_who_asked, log_in
from tests.citizen.test_pages import text_of
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_facility, make_report, make_staff
from tests.support.pictures import photo_of_a_phone


@pytest.fixture
def lamp(district: SmallDistrict) -> Facility:
    with unit_of_work():
        return make_facility(district.lamps)


@pytest.fixture
def token(lamp: Facility) -> str:
    return db.session.query(FacilityToken).one().token


def plan(district: SmallDistrict, code: str = "LD", **given: Any) -> None:
    values: dict[str, Any] = {
        "name": f"计划{code}", "type_codes": ["01037"], "area_codes": [], "crew": "maintainer", "every": 1,
        "every_unit": "months", "months": [], "starts_on": clock.now().date().replace(day=1),
        "created_at": clock.now(),
    } | given  # fmt: skip
    with unit_of_work():
        db.session.add(InspectionPlan(code=code, **values))


def picture(orientation: int = 1) -> tuple[BytesIO, str]:
    return BytesIO(photo_of_a_phone(orientation=orientation)), "a.jpg"


def send(client: FlaskClient, address: str, **fields: Any) -> TestResponse:
    forget_who_asked()
    return client.post(address, data=fields, content_type="multipart/form-data")


def check(client: FlaskClient, token: str, **fields: Any) -> TestResponse:
    return send(client, f"/f/{token}/check", **fields)


def show(client: FlaskClient, address: str) -> str:
    forget_who_asked()
    return text_of(client.get(address))


def the_entry() -> MaintenanceEntry:
    db.session.expire_all()
    return db.session.query(MaintenanceEntry).one()


# ---------------------------------------------------------------- repairs


@both_databases
def test_a_repair_keeps_a_picture_of_before_and_after(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, district.staff["handler"])
    answer = send(
        client, f"/f/{token}/log", note="换了镇流器", before=picture(), after=picture(3)
    )  # fmt: skip
    assert answer.status_code == 303
    kept = db.session.query(MaintenancePhoto).order_by(MaintenancePhoto.photo_id).all()
    assert [one.moment for one in kept] == ["before", "after"]
    stored = [photos.read(one.photo, "page") or b"" for one in kept]
    assert all(one.startswith(b"\xff\xd8") and b"SecretPhone" not in one for one in stored)
    forget_who_asked()
    page = client.get(answer.location).get_data(as_text=True)
    assert all(f"/photos/{one.photo.token}/thumb.jpg" in page for one in kept)
    assert t("care.repair.before") in page


def test_its_pictures_are_for_staff_alone(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, district.staff["handler"])
    send(client, f"/f/{token}/log", note="换了镇流器", after=picture())
    with client.session_transaction() as session:
        session.clear()
    forget_who_asked()
    assert "/photos/" not in client.get(f"/f/{token}").get_data(as_text=True)


def test_what_is_no_picture_is_said_and_nothing_is_written(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    log_in(client, district.staff["handler"])
    answer = send(client, f"/f/{token}/log", note="换了镇流器", after=(BytesIO(b"no picture"), "a.jpg"))
    assert answer.status_code == 422
    page = text_of(answer)
    assert t("errors.photo_unreadable") in page
    assert "换了镇流器" in page
    assert db.session.query(MaintenanceEntry).count() == 0


@both_databases
def test_a_repair_resolves_the_reports_that_were_ticked(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    first, second, other = (
        make_report(district, status, facility_id=lamp.id)
        for status in (Status.ASSIGNED, Status.IN_PROGRESS, Status.IN_PROGRESS)
    )
    log_in(client, district.staff["handler"])
    answer = send(
        client, f"/f/{token}/log", note="换了镇流器", after=picture(), resolve=[first.number, second.number]
    )  # fmt: skip
    db.session.expire_all()
    assert [one.status for one in (first, second, other)] == ["resolved", "resolved", "in_progress"]
    assert (first.resolution, first.resolved_by_id) == ("换了镇流器", district.staff["handler"].id)
    shown = [one.purpose for one in db.session.query(Photo).filter(Photo.report_id.in_([first.id, second.id]))]
    assert shown == ["after", "after"]
    page = show(client, answer.location)
    assert page.count(t("care.came.resolved")) == 4
    assert first.number in page
    assert second.number in page


def test_a_report_that_cannot_be_resolved_stays_and_says_why(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    report = make_report(district, Status.IN_PROGRESS, facility_id=lamp.id)
    with unit_of_work():
        reports.hand_back(
            reports.lock(report.id), by=district.staff["handler"], reason="不归我们管", suggested_unit_id=None
        )
    log_in(client, district.staff["handler"])
    page = client.get(f"/f/{token}").get_data(as_text=True)
    assert f'value="{report.number}" disabled' in page
    answer = send(client, f"/f/{token}/log", note="换了镇流器", resolve=report.number)
    db.session.expire_all()
    assert report.status == "in_progress"
    assert the_entry().kind == "repair"
    assert t("care.left.hand_back") in show(client, answer.location)
    assert db.session.query(MaintenanceReport).one().how == "left_open"


def test_reports_out_of_sight_are_neither_shown_nor_resolved(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    report = make_report(district, Status.IN_PROGRESS, facility_id=lamp.id)
    with unit_of_work():
        reports.assign(
            reports.lock(report.id), district.street.id, by=district.staff["dispatcher"], note="归街道"
        )  # fmt: skip
    log_in(client, district.staff["handler"])
    page = client.get(f"/f/{token}").get_data(as_text=True)
    assert f'value="{report.number}"' not in page
    send(client, f"/f/{token}/log", note="换了镇流器", resolve=report.number)
    db.session.expire_all()
    assert report.status == "assigned"
    assert db.session.query(MaintenanceReport).count() == 0


def test_a_report_of_another_facility_is_not_resolved(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    log_in(client, district.staff["handler"])
    assert send(client, f"/f/{token}/log", note="换了镇流器", resolve=report.number).status_code == 303
    db.session.expire_all()
    assert report.status == "in_progress"


@pytest.mark.parametrize("who", ["street", "dispatcher", "verifier", "administrator", "leader"])
def test_staff_of_other_units_repair_and_check_nothing(
    client: FlaskClient, district: SmallDistrict, token: str, who: str
) -> None:
    log_in(client, district.staff[who])
    page = client.get(f"/f/{token}").get_data(as_text=True)
    assert 'name="after"' not in page
    assert 'name="result"' not in page
    for address, fields in (("log", {"note": "我修的", "after": picture()}), ("check", {"result": "fine"})):
        assert send(client, f"/f/{token}/{address}", **fields).status_code == 403
    assert db.session.query(MaintenanceEntry).count() == 0
    assert db.session.query(Photo).count() == 0


def test_strangers_are_sent_to_the_login_by_a_check_in(client: FlaskClient, token: str) -> None:
    answer = check(client, token, result="fine")
    assert answer.status_code == 303
    assert answer.location.startswith("/admin/login")


# ---------------------------------------------------------------- check-ins


@both_databases
def test_a_check_in_counts_for_its_plan_and_keeps_the_distance_alone(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    plan(district)
    log_in(client, district.staff["handler"])
    assert t("care.check.is_due") in show(client, f"/f/{token}")
    answer = check(
        client, token, result="fine", plan="LD", at_latitude=str(MIDDLE[0] + 0.0005), at_longitude=str(MIDDLE[1])
    )  # fmt: skip
    entry = the_entry()
    assert (entry.kind, entry.result, entry.metres, entry.is_far) == ("inspection", "fine", 56, False)
    assert entry.plan_id == db.session.query(InspectionPlan).one().id
    page = show(client, answer.location)
    assert t("care.place.near", metres=56) in page
    assert t("care.check.is_due") not in page
    assert db.session.query(AuditEntry).filter(AuditEntry.action == "facility.inspection").count() == 1


def test_a_facility_without_a_label_is_checked_in_by_its_number(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    with unit_of_work():
        db.session.execute(delete(FacilityToken))
    plan(district)
    log_in(client, district.staff["handler"])
    address = f"/f/{lamp.code17}"
    assert t("care.check.is_due") in show(client, address)
    answer = check(client, lamp.code17, result="fine", plan="LD")
    assert (the_entry().result, answer.status_code) == ("fine", 303)
    assert t("care.check.is_due") not in show(client, answer.location)


@pytest.mark.parametrize(
    "place, metres, is_far",
    [({}, None, False), ({"at_latitude": "50.46", "at_longitude": "124.1262"}, 3785, True),
     ({"at_latitude": "50.46", "at_longitude": ""}, None, False)],
)  # fmt: skip
def test_a_check_in_says_where_it_was_made_from(
    client: FlaskClient, district: SmallDistrict, token: str, place: dict[str, str], metres: int | None, is_far: bool
) -> None:
    log_in(client, district.staff["handler"])
    answer = check(client, token, result="fine", **place)
    entry = the_entry()
    assert (entry.metres, entry.is_far, entry.plan_id) == (metres, is_far, None)
    said = t("care.place.far", metres=metres) if is_far else t("care.place.unknown")
    assert said in show(client, answer.location)


def test_what_is_no_place_is_refused(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, district.staff["handler"])
    assert check(client, token, result="fine", at_latitude="nan", at_longitude="1").status_code == 422
    assert db.session.query(MaintenanceEntry).count() == 0


@pytest.mark.parametrize(
    "before, result, after",
    [("damaged", "fine", "intact"), ("missing", "fine", "intact"), ("intact", "not_found", "missing"),
     ("intact", "unreachable", "intact"), ("damaged", "unreachable", "damaged"), ("disused", "fine", "disused")],
)  # fmt: skip
def test_a_check_says_what_state_it_is_in(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str, before: str, result: str, after: str
) -> None:
    with unit_of_work():
        db.session.get_one(Facility, lamp.id).state = before
    log_in(client, district.staff["handler"])
    assert check(client, token, result=result).status_code == 303
    db.session.expire_all()
    assert db.session.get_one(Facility, lamp.id).state == after


@both_databases
def test_a_fault_becomes_a_report_with_its_picture(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    log_in(client, district.staff["handler"])
    answer = check(client, token, result="faulty", problem="不亮", note="灯罩也裂了", photos=picture())
    db.session.expire_all()
    report = db.session.query(Report).one()
    assert (report.source, report.facility_id, report.description) == ("staff", lamp.id, "路灯不亮\n灯罩也裂了")
    assert report.category_id == district.category.id
    assert db.session.query(Photo).filter(Photo.report_id == report.id).count() == 1
    assert db.session.query(MaintenancePhoto).count() == 1
    assert db.session.get_one(Facility, lamp.id).state == "damaged"
    assert db.session.query(MaintenanceReport).one().how == "filed"
    assert (the_entry().problem, the_entry().result) == ("不亮", "faulty")
    assert t("care.check.done") in show(client, answer.location)


@both_databases
def test_the_same_fault_joins_the_report_that_is_open(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    report = make_report(district, Status.IN_PROGRESS, facility_id=lamp.id, description="路灯不亮，好几天了")
    log_in(client, district.staff["handler"])
    check(client, token, result="faulty", problem="不亮")
    assert db.session.query(Report).count() == 1
    note = db.session.scalars(select(ReportEvent).where(ReportEvent.kind == "commented")).one()
    assert (note.report_id, note.is_public) == (report.id, False)
    assert "路灯不亮" in note.note
    assert db.session.query(MaintenanceReport).one().how == "joined"


def test_a_fault_may_be_said_to_be_the_one_that_is_open(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    report = make_report(district, Status.IN_PROGRESS, facility_id=lamp.id, description="这里黑")
    log_in(client, district.staff["handler"])
    assert f'value="report:{report.number}"' in client.get(f"/f/{token}").get_data(as_text=True)
    check(client, token, result="faulty", problem=f"report:{report.number}")
    assert db.session.query(Report).count() == 1
    assert db.session.query(MaintenanceReport).one().report_id == report.id


def test_another_fault_is_a_report_of_its_own(
    client: FlaskClient, district: SmallDistrict, lamp: Facility, token: str
) -> None:
    make_report(district, Status.IN_PROGRESS, facility_id=lamp.id, description="路灯不亮")
    log_in(client, district.staff["handler"])
    check(client, token, result="faulty", problem="倾斜")
    assert db.session.query(Report).count() == 2


@pytest.mark.parametrize(
    "fields, says",
    [({}, "care.problem.result"), ({"result": "splendid"}, "care.problem.result"),
     ({"result": "faulty"}, "care.problem.what"), ({"result": "faulty", "problem": "made up"}, "care.problem.what"),
     ({"result": "fine", "plan": "NONE"}, "care.problem.plan"),
     ({"result": "fine", "note": "长" * 1001}, "errors.note_long")],
)  # fmt: skip
def test_a_check_in_that_says_nothing_is_asked_again(
    client: FlaskClient, district: SmallDistrict, token: str, fields: dict[str, str], says: str
) -> None:
    plan(district)
    log_in(client, district.staff["handler"])
    answer = check(client, token, **fields)
    assert answer.status_code == 422
    assert t(says) in text_of(answer)
    assert db.session.query(MaintenanceEntry).count() == 0
    assert db.session.query(Report).count() == 0


def test_an_inspector_checks_anything_in_their_sight(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, district.staff["inspector"])
    assert check(client, token, result="faulty", problem="不亮").status_code == 303
    assert db.session.query(Report).one().source == "inspector"
    assert send(client, f"/f/{token}/log", note="修了").status_code == 403


def limited(district: SmallDistrict, role: Role, **limits: Any) -> Staff:
    with unit_of_work():
        staff = make_staff("limited", district.command, role)
        for name, value in limits.items():
            setattr(staff, name, value)
        return staff


def test_an_inspector_checks_nothing_beyond_it(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, limited(district, Role.INSPECTOR, area_scope=["990000009"]))
    assert check(client, token, result="fine").status_code == 403


def test_the_crew_of_a_plan_checks_what_others_look_after(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    plan(district, "ALL", crew="all", unit_id=district.street.id)
    log_in(client, district.staff["street"])
    assert 'name="after"' not in client.get(f"/f/{token}").get_data(as_text=True)
    assert check(client, token, result="fine", plan="ALL").status_code == 303
    assert send(client, f"/f/{token}/log", note="修了").status_code == 403


def test_a_plan_of_ones_own_facilities_sends_nobody_to_others(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    plan(district, "OWN", crew="own", unit_id=district.street.id)
    log_in(client, district.staff["street"])
    assert check(client, token, result="fine", plan="OWN").status_code == 403
