"""A printed code's page: for residents, for staff, and for codes that are not good."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from district.extensions import db
from district.facilities import codes
from district.facilities import service as facilities
from district.facilities.models import Facility, FacilityToken, FacilityType, MaintenanceEntry
from district.messages import t
from district.reports.models import Report
from district.work import unit_of_work
from tests.citizen.conftest import forget_who_asked, log_in
from tests.citizen.test_pages import text_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_facility


@pytest.fixture
def token(district: SmallDistrict) -> str:
    with unit_of_work():
        make_facility(district.lamps)
    return db.session.query(FacilityToken).one().token


def test_the_page_says_what_it_is_and_who_looks_after_it(client: FlaskClient, token: str) -> None:
    facility = db.session.query(Facility).one()
    page = text_of(client.get(f"/f/{token}"))
    for words in (facility.name, facility.code17, "路灯班组", "不亮", "倾斜"):
        assert words in page


def test_printed_capitals_and_small_letters_open_the_same_page(client: FlaskClient, token: str) -> None:
    for address in (f"/F/{token}", f"/f/{token.lower()}", f"/F/{token.lower()}"):
        assert client.get(address).status_code == 200


def test_one_tap_files_a_report_at_the_facility(client: FlaskClient, token: str) -> None:
    answer = client.post(f"/f/{token}", data={"problem": "不亮"})
    assert answer.status_code == 303
    report, facility = db.session.query(Report).one(), db.session.query(Facility).one()
    assert (report.source, report.facility_id, report.description) == ("qr", facility.id, "路灯不亮")
    assert (report.latitude, report.place_source) == (facility.latitude, "facility")
    assert report.number in text_of(client.get(answer.location))
    assert t("citizen.facility.open", count=1) in text_of(client.get(f"/f/{token}"))


def test_capitals_take_the_tap_too(client: FlaskClient, token: str) -> None:
    assert client.post(f"/F/{token}", data={"problem": "不亮"}).status_code == 303


def test_a_problem_that_is_none_of_its_kind_files_nothing(client: FlaskClient, token: str) -> None:
    answer = client.post(f"/f/{token}", data={"problem": "<b>made up</b>"})
    assert answer.status_code == 422
    assert db.session.query(Report).count() == 0


def test_the_tap_works_without_cookies_and_forgery_tokens(app: Flask, token: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    bare = app.test_client(use_cookies=False)
    assert bare.post(f"/f/{token}", data={"problem": "不亮"}).status_code == 303


def test_the_long_form_knows_the_facility(client: FlaskClient, token: str) -> None:
    page = client.get(f"/report?facility={token}").get_data(as_text=True)
    assert "data-district-map" not in page
    answer = client.post("/report", data={"facility": token, "description": "灯罩掉下来了"})
    assert answer.status_code == 303
    assert db.session.query(Report).one().source == "qr"


def test_an_unknown_code_gets_a_page_that_helps(client: FlaskClient, district: SmallDistrict) -> None:
    answer = client.get("/f/ABCDEFGH23")
    assert answer.status_code == 404
    assert 'href="/report"' in answer.get_data(as_text=True)
    assert client.get("/f/" + "A" * 500).status_code == 404
    assert client.post("/f/ABCDEFGH23", data={"problem": "不亮"}).status_code == 404


def test_a_revoked_code_is_gone(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    with unit_of_work():
        codes.revoke(token, by=district.staff["administrator"])
    answer = client.get(f"/f/{token}")
    assert answer.status_code == 410
    assert t("citizen.facility.revoked") in text_of(answer)


def test_guessing_codes_is_slowed_down_but_scanning_is_not(client: FlaskClient, token: str) -> None:
    assert {client.get(f"/f/{token}").status_code for _ in range(40)} == {200}
    assert {client.get(f"/f/GUESS{number:05d}").status_code for number in range(30)} == {404, 429}


def test_residents_see_no_log(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    with unit_of_work():
        facilities.record_repair(db.session.query(Facility).one(), by=district.staff["handler"], note="换了镇流器")
    page = text_of(client.get(f"/f/{token}"))
    assert "换了镇流器" not in page
    assert t("citizen.facility.log") not in page


@both_databases
def test_staff_of_its_unit_write_into_the_log(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    log_in(client, district.staff["handler"])
    answer = client.post(f"/f/{token}/log", data={"kind": "repair", "note": "换了镇流器"})
    assert answer.status_code == 303
    entry = db.session.query(MaintenanceEntry).one()
    assert (entry.kind, entry.note, entry.staff_id) == ("repair", "换了镇流器", district.staff["handler"].id)
    forget_who_asked()
    page = text_of(client.get(answer.location))
    assert "换了镇流器" in page
    assert client.post(f"/f/{token}/log", data={"note": ""}).status_code == 422


def test_staff_of_other_units_read_the_log_but_do_not_write(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    log_in(client, district.staff["street"])
    page = client.get(f"/f/{token}").get_data(as_text=True)
    assert t("citizen.facility.log") in page
    assert 'name="note"' not in page
    assert client.post(f"/f/{token}/log", data={"note": "我修的"}).status_code == 403
    assert db.session.query(MaintenanceEntry).count() == 0


def test_strangers_are_sent_to_the_login(client: FlaskClient, token: str) -> None:
    answer = client.post(f"/f/{token}/log", data={"note": "我修的"})
    assert answer.status_code == 303
    assert answer.location.startswith("/admin/login")


def test_the_log_is_protected_against_forged_forms(
    app: Flask, client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    log_in(client, district.staff["handler"])
    assert client.post(f"/f/{token}/log", data={"note": "换了镇流器"}).status_code == 400
    page = client.get(f"/f/{token}").get_data(as_text=True)
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    forget_who_asked()
    given = {"note": "换了镇流器", "csrf_token": found[1]}
    assert client.post(f"/f/{token}/log", data=given).status_code == 303


@pytest.mark.demo
def test_the_page_and_its_parts_weigh_under_50_kilobytes(client: FlaskClient) -> None:
    """As it is at its fullest: a toilet with reports, a past and others near by; what style sheets refer to counts."""
    toilets = select(FacilityToken).join(Facility).join(FacilityType).where(FacilityType.code == "03001")
    found = db.session.scalars(toilets.limit(1)).one()
    token, facility_id = found.token, found.facility_id
    for number in range(4):
        given = {"problem": "锁门", "apart": "1"}
        assert client.application.test_client().post(f"/f/{token}", data=given).status_code == 303, number
    with unit_of_work():
        db.session.get_one(Facility, facility_id).state = "damaged"
    wire = {"Accept-Encoding": "gzip"}
    weight = len(client.get(f"/f/{token}", headers=wire).get_data())
    body = client.get(f"/f/{token}").get_data(as_text=True)
    for content in ('class="nearest"', 'class="open-report"', 'type="file"'):
        assert content in body
    parts = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', body))
    assert parts
    for part in sorted(parts):
        with client.get(part, headers=wire) as answer:
            assert answer.status_code == 200
            weight += len(answer.get_data())
        if ".css" in part:
            with client.get(part) as answer:
                outside = re.findall(r"url\(['\"]?(?!data:|#|%23)([^)'\"]+)", answer.get_data(as_text=True))
            assert outside == [], "it would weigh as well"
    assert weight < 50 * 1024
