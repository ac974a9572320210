"""Home, the form, my reports, the public map: through HTTP, as a browser without scripts sees them."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from district.extensions import db
from district.reports.models import Photo, Report
from district.reports.states import Status
from tests.citizen.test_api import picture
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_report

FORM = {"description": "路灯不亮", "latitude": str(MIDDLE[0]), "longitude": str(MIDDLE[1])}


def text_of(answer: TestResponse) -> str:
    """What a person reads on the page."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", answer.get_data(as_text=True), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", " ", body))


def file_form(client: FlaskClient, **more: object) -> str:
    """File the form; the address it leads to, without the host."""
    answer = client.post("/report", data=FORM | more)
    assert answer.status_code == 303, text_of(answer)
    return answer.location


@pytest.mark.parametrize("path", ["/", "/report", "/mine", "/nearby", "/privacy"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_page_answers_in_either_language(
    district: SmallDistrict, client: FlaskClient, path: str, language: str
) -> None:
    answer = client.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.get_data(as_text=True)
    assert "citizen." not in text_of(answer)


def test_no_page_has_scripts_or_styles_of_its_own_or_a_foreign_host(
    district: SmallDistrict, client: FlaskClient
) -> None:
    report = make_report(district, Status.CLOSED)
    for path in ("/", "/report", "/nearby", f"/r/{report.number}?key={report.access_key}"):
        body = client.get(path).get_data(as_text=True)
        assert not re.search(r"<script(?![^>]*\b(src|application/json))", body)
        assert not re.search(r"\son\w+\s*=", body)
        assert not re.search(r"<[^>]+\sstyle\s*=", body)
        assert not re.search(r"(src|href)=\"(https?:)?//", body)


def test_a_report_filed_by_form_shows_its_number_and_is_remembered(
    district: SmallDistrict, client: FlaskClient
) -> None:
    address = file_form(client, contact="13800000000")
    page = text_of(client.get(address))
    report = db.session.query(Report).one()
    assert report.number in page
    assert "路灯不亮" in page
    assert report.source == "h5"
    assert report.number in client.get("/mine").get_data(as_text=True)
    assert "路灯不亮" in text_of(client.get(f"/r/{report.number}"))


def test_another_browser_sees_the_public_part_only(app: Flask, district: SmallDistrict, client: FlaskClient) -> None:
    number = urlsplit(file_form(client, address="鑫源小区3号楼")).path
    stranger = app.test_client().get(number)
    assert stranger.status_code == 200
    assert "路灯不亮" not in text_of(stranger)
    assert "鑫源小区" not in text_of(stranger)
    assert "中心街道" in text_of(stranger)


def test_emptying_the_list_forgets_the_keys(district: SmallDistrict, client: FlaskClient) -> None:
    number = urlsplit(file_form(client)).path
    client.post("/mine/forget")
    assert "路灯不亮" not in text_of(client.get(number))


def test_a_forged_list_of_own_reports_is_worth_nothing(
    app: Flask, district: SmallDistrict, client: FlaskClient
) -> None:
    number = urlsplit(file_form(client)).path
    thief = app.test_client()
    thief.set_cookie("my_reports", "W1siQkgyMDI2IiwieCJdXQ.AAAA")
    assert "路灯不亮" not in text_of(thief.get(number))


def test_a_slip_shows_the_form_again_with_words_and_pictures(district: SmallDistrict, client: FlaskClient) -> None:
    answer = client.post("/report", data={"description": "路灯不亮", "photos": (picture(), "a.jpg")})
    assert answer.status_code == 422
    body = answer.get_data(as_text=True)
    assert "路灯不亮</textarea>" in body
    assert 'aria-invalid="true"' in body
    token = db.session.query(Photo).one().token
    assert f'name="photo_ids" value="{token}"' in body
    file_form(client, photo_ids=token)
    assert db.session.query(Photo).one().report_id == db.session.query(Report).one().id


def test_words_alone_about_the_place_are_enough(district: SmallDistrict, client: FlaskClient) -> None:
    answer = client.post("/report", data={"description": "路灯不亮", "address": "人民路北侧"})
    assert answer.status_code == 303
    assert db.session.query(Report).one().place_source == "words"


def test_a_place_outside_the_district_is_said_to_be_so(district: SmallDistrict, client: FlaskClient) -> None:
    answer = client.post("/report", data=FORM | {"latitude": "40.0", "longitude": "116.0"})
    assert answer.status_code == 422
    assert "12345" in text_of(answer)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}"])
def test_words_of_residents_are_shown_as_words(district: SmallDistrict, client: FlaskClient, hostile: str) -> None:
    again = client.post("/report", data={"description": hostile, "address": ""}).get_data(as_text=True)
    page = client.get(file_form(client, description=hostile, address=hostile)).get_data(as_text=True)
    for body in (again, page):
        assert html.escape(hostile).replace("&#x27;", "&#39;") in body.replace("&#34;", "&quot;")
        assert hostile not in body or hostile == "{{ 7*7 }}"


def test_danger_in_the_words_shows_whom_to_call(app: Flask, district: SmallDistrict, client: FlaskClient) -> None:
    from district import settings
    from district.work import unit_of_work
    from tests.factories import forget_reference

    with unit_of_work():
        settings.put("emergency", [{"code": "fire", "phone": "119", "name": {"zh-Hans": "火警"}, "words": ["着火"]}])
        settings.changed("settings")
    forget_reference()
    assert "119" in text_of(client.get(file_form(client, description="垃圾桶着火了")))
    assert "119" not in text_of(client.get(file_form(client, description="路灯不亮")))


def test_a_number_is_found_in_any_spelling(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district)
    spoken = report.number.replace("-", " ").lower()
    answer = client.get("/r", query_string={"number": f"编号 {spoken} 谢谢"})
    assert answer.location == f"/r/{report.number}"
    assert client.get("/r", query_string={"number": "BH1"}).status_code == 404


@both_databases
def test_the_public_map_is_rough_and_tells_no_words(district: SmallDistrict, client: FlaskClient) -> None:
    for index in range(8):
        make_report(district, latitude=MIDDLE[0] + index * 1e-5, description="我家楼下")
    make_report(district, Status.CLOSED)
    answer = client.get("/nearby/reports.json")
    pins = answer.json["reports"]
    assert len(pins) == 8
    assert "我家楼下" not in answer.get_data(as_text=True)
    for pin in pins:
        off = abs(pin["latitude"] - MIDDLE[0]) + abs(pin["longitude"] - MIDDLE[1])
        assert 0 < off < 0.003
    # The same each time: asking again must not average the roughness away.
    assert client.get("/nearby/reports.json").json["reports"] == pins


def test_two_places_in_one_cell_cannot_be_told_apart(app: Flask, district: SmallDistrict) -> None:
    from citizen.showing import rough_place

    report = make_report(district)
    report.latitude, report.longitude = 50.42585, 124.12535
    first = rough_place(report)
    report.latitude, report.longitude = 50.42635, 124.12615
    assert rough_place(report) == first
    db.session.rollback()


def test_complaints_and_praise_are_nobodys_business(district: SmallDistrict, client: FlaskClient) -> None:
    report = make_report(district, intent="complaint")
    assert client.get("/nearby/reports.json").json["reports"] == []
    assert client.get(f"/r/{report.number}").status_code == 404
    assert client.get(f"/r/{report.number}?key={report.access_key}").status_code == 200


def test_an_address_nobody_has_gets_a_page_that_helps(district: SmallDistrict, client: FlaskClient) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert 'href="/"' in answer.get_data(as_text=True)


def test_the_notice_is_shown_until_the_first_report(district: SmallDistrict, client: FlaskClient) -> None:
    assert "first-notice" in client.get("/report").get_data(as_text=True)
    file_form(client)
    assert "first-notice" not in client.get("/report").get_data(as_text=True)
