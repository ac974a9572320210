"""What residents see of one thing that several have reported: on their page, in the API, at the facility."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from citizen.openapi import description
from district.extensions import db
from district.facilities.models import FacilityToken
from district.people.models import Staff
from district.reports import merging
from district.reports import service as reports
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.citizen.schema import complaints
from tests.factories import MIDDLE, SmallDistrict, make_facility, make_report, make_resident


@pytest.fixture
def merged(district: SmallDistrict) -> tuple[Report, Report]:
    """A report that joined another, and that one, being worked on since."""
    into = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        resident = make_resident()
    report = make_report(district, resident=resident)
    with unit_of_work():
        merging.merge(report.id, into.id, by=db.session.get_one(Staff, district.staff["dispatcher"].id))
    with unit_of_work():
        reports.accept(reports.lock(into.id), by=district.staff["handler"])
    with unit_of_work():
        reports.resolve(reports.lock(into.id), by=district.staff["handler"], note="换了灯泡")
    return report, into


def held_against_its_description(answer: TestResponse, path: str) -> None:
    document = description("http://district.test")
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert complaints(answer.get_json(), schema, document) == []


def test_the_api_shows_the_status_of_what_it_joined(client: FlaskClient, merged: tuple[Report, Report]) -> None:
    report, into = merged
    answer = client.get(f"/api/v1/reports/{report.number}", query_string={"key": report.access_key})
    found = answer.get_json()
    held_against_its_description(answer, "/api/v1/reports/{number}")
    assert (found["number"], found["status"], found["merged_into"]) == (report.number, "resolved", into.number)
    assert found["unit"]["code"] == "SZ-LD"
    assert found["resolution"] == "换了灯泡"
    assert [step["event"] for step in found["history"]] == ["submitted", "merged", "accepted", "resolved"]
    assert found["history"][-1]["note"] == "换了灯泡"
    assert client.get(f"/api/v1/reports/{into.number}").get_json()["merged_into"] is None


def test_its_page_goes_on_with_what_it_joined_but_shows_no_words_of_others(
    client: FlaskClient, merged: tuple[Report, Report], district: SmallDistrict
) -> None:
    report, into = merged
    with unit_of_work():
        reports.comment(reports.lock(into.id), by=district.resident, text="我家的电话是秘密")
    page = client.get(f"/r/{report.number}", query_string={"key": report.access_key}).text
    assert "处理中" in page
    assert into.number in page
    assert "换了灯泡" in page
    assert "秘密" not in page


def test_words_added_to_it_reach_whoever_works_on_it(client: FlaskClient, merged: tuple[Report, Report]) -> None:
    report, into = merged
    answer = client.post(f"/r/{report.number}/more", data={"key": report.access_key, "text": "又灭了一盏"})
    assert answer.status_code == 303
    notes = db.session.execute(
        select(ReportEvent.report_id, ReportEvent.is_public).where(ReportEvent.note == "又灭了一盏")
    ).all()
    assert sorted(notes) == sorted([(report.id, True), (into.id, False)])


def test_what_is_similar_can_be_asked_before_filing(client: FlaskClient, district: SmallDistrict) -> None:
    known = make_report(district)
    make_report(district, intent="praise")
    where = {"latitude": MIDDLE[0], "longitude": MIDDLE[1], "category": "01037", "text": "路灯不亮"}
    answer = client.get("/api/v1/reports/similar", query_string=where)
    held_against_its_description(answer, "/api/v1/reports/similar")
    (found,) = answer.get_json()["reports"]
    assert (found["number"], found["metres"], found["category"]) == (known.number, 0, "01037")
    assert found["score"] > 0.9
    assert client.get("/api/v1/reports/similar", query_string={"latitude": "x"}).status_code == 422
    assert client.get("/api/v1/reports/similar").get_json() == {"reports": []}


def test_one_tap_at_the_facility_and_near_by_is_enough(client: FlaskClient, district: SmallDistrict) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps)
    report = make_report(district, facility_id=facility.id)
    token = db.session.scalars(select(FacilityToken.token)).one().lower()
    assert f'action="/f/{token}/join"' in client.get(f"/f/{token}").text
    assert f'action="/r/{report.number}/support"' in client.get("/nearby").text
    for _ in range(2):
        assert client.post(f"/r/{report.number}/support").status_code == 303
    times = select(func.count()).select_from(ReportEvent).where(ReportEvent.kind == EventKind.SUPPORTED)
    assert db.session.scalar(times) == 1
    assert "已记下" in client.get(f"/f/{token}").text


def test_a_new_reports_page_names_what_others_reported_near_by(client: FlaskClient, district: SmallDistrict) -> None:
    known, report = make_report(district), make_report(district)
    page = client.get(f"/r/{report.number}", query_string={"key": report.access_key, "new": "1"}).text
    assert f"/r/{known.number}" in page
    assert f"/r/{known.number}" not in client.get(
        f"/r/{report.number}", query_string={"key": report.access_key}
    ).text  # fmt: skip
