"""The JSON API, through HTTP; every answer is held against the document that describes it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from district.extensions import db
from district.facilities.models import FacilityToken
from district.geo.datum import wgs84_to_gcj02
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.citizen.schema import complaints
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_facility, make_report

HERE = {"latitude": MIDDLE[0], "longitude": MIDDLE[1]}
Call = Callable[..., TestResponse]


def picture(colour: str = "green", kind: str = "JPEG") -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(out, kind)
    out.seek(0)
    return out


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json
    return described


@pytest.fixture
def call(client: FlaskClient, document: dict[str, Any]) -> Call:
    """Ask the API, and check that the document describes the address, the status and the shape of the answer."""

    def ask(method: str, path: str, **given: Any) -> TestResponse:
        answer = client.open(path, method=method, **given)
        plain = path.split("?")[0]
        described = [
            item
            for template, item in document["paths"].items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), plain)
        ]
        assert described, f"{plain} is not described"
        responses = described[-1][method.lower()]["responses"]
        assert str(answer.status_code) in responses, f"{method} {plain}: {answer.status_code} is not described"
        schema = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
        assert complaints(answer.json, schema, document) == []
        return answer

    return ask


def file_one(call: Call, **more: Any) -> dict[str, Any]:
    answer = call("POST", "/api/v1/reports", json={"description": "路灯不亮", "category": "01037", **HERE} | more)
    assert answer.status_code == 201
    filed: dict[str, Any] = answer.json
    return filed


@both_databases
def test_a_report_filed_in_json_can_be_read_with_its_key(district: SmallDistrict, call: Call) -> None:
    filed = file_one(call, address="人民路")
    assert filed["status"] == "submitted"
    assert filed["url"] == f"http://district.test/r/{filed['number']}?key={filed['key']}"
    for given in ({"query_string": {"key": filed["key"]}}, {"headers": {"X-Report-Key": filed["key"]}}):
        seen = call("GET", f"/api/v1/reports/{filed['number'].lower()}", **given).json
        assert seen["description"] == "路灯不亮"
        assert seen["category"] == "01037"
        assert seen["address"] == "人民路"
        assert seen["dispatch_due_at"].endswith("Z")
        assert [step["event"] for step in seen["history"]] == ["submitted"]


def test_without_the_key_words_pictures_and_place_stay_hidden(district: SmallDistrict, call: Call) -> None:
    filed = file_one(call, description="我家楼下的路灯不亮", contact="13800000000")
    for query in ({}, {"key": "x"}, {"key": filed["key"][:-1]}, {"key": ""}):
        answer = call("GET", f"/api/v1/reports/{filed['number']}", query_string=query)
        assert answer.status_code == 200
        assert not {"description", "photos", "latitude", "longitude", "address", "resolution"} & answer.json.keys()
        body = answer.get_data(as_text=True)
        assert "13800000000" not in body
        assert "note" not in json.dumps(answer.json["history"])


def test_a_rejected_report_has_no_public_part(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.REJECTED)
    assert call("GET", f"/api/v1/reports/{report.number}").status_code == 404
    assert call("GET", f"/api/v1/reports/{report.number}?key=wrong").status_code == 404
    seen = call("GET", f"/api/v1/reports/{report.number}?key={report.access_key}").json
    assert seen["reason"] == "不属于本区"


def test_a_place_in_the_chinese_map_datum_is_converted(district: SmallDistrict, call: Call) -> None:
    latitude, longitude = wgs84_to_gcj02(*MIDDLE)
    filed = file_one(call, latitude=latitude, longitude=longitude, datum="gcj02")
    seen = call("GET", f"/api/v1/reports/{filed['number']}?key={filed['key']}").json
    assert seen["latitude"] == pytest.approx(MIDDLE[0], abs=1e-5)
    assert seen["longitude"] == pytest.approx(MIDDLE[1], abs=1e-5)
    assert abs(latitude - MIDDLE[0]) > 1e-4


def test_a_report_without_any_place_is_accepted(district: SmallDistrict, call: Call) -> None:
    assert call("POST", "/api/v1/reports", json={"description": "楼下很吵"}).status_code == 201


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "description"),
        ({"description": "  "}, "description"),
        ({"description": 5}, "description"),
        ({"description": "灯" * 2001}, "description"),
        ({"description": "灯", "latitude": 50.4}, "latitude"),
        ({"description": "灯", "latitude": "abc", "longitude": 124.1}, "latitude"),
        ({"description": "灯", "latitude": True, "longitude": 124.1}, "latitude"),
        ({"description": "灯", "latitude": "nan", "longitude": 124.1}, "latitude"),
        ({"description": "灯", "latitude": 95, "longitude": 124.1}, "latitude"),
        ({"description": "灯", "latitude": 10.0, "longitude": 10.0}, "latitude"),
        ({"description": "灯", "datum": "bd09", **HERE}, "datum"),
        ({"description": "灯", "category": "99999"}, "category"),
        ({"description": "灯", "facility": "NOSUCHTOKEN"}, "facility"),
        ({"description": "灯", "photos": ["nothing"]}, "photos"),
        ({"description": "灯", "photos": "nothing"}, "photos"),
        ({"description": "灯", "photos": [7]}, "photos"),
        ({"description": "灯", "contact": "1" * 201}, "contact"),
    ],
)
def test_what_cannot_be_used_is_refused_field_by_field(
    district: SmallDistrict, call: Call, body: dict[str, Any], field: str
) -> None:
    answer = call("POST", "/api/v1/reports", json=body)
    assert answer.status_code == 422
    assert answer.json["error"]["code"] == "bad_input"
    assert list(answer.json["error"]["fields"]) == [field]


@pytest.mark.parametrize(
    "given, status",
    [
        ({"data": "{", "content_type": "application/json"}, 400),
        ({"json": [1, 2]}, 400),
        ({"data": "<a/>", "content_type": "text/xml"}, 415),
    ],
)
def test_a_body_that_is_no_object_is_refused(
    district: SmallDistrict, call: Call, given: dict[str, Any], status: int
) -> None:
    assert call("POST", "/api/v1/reports", **given).status_code == status


def test_errors_speak_the_callers_language(district: SmallDistrict, call: Call) -> None:
    chinese = call("POST", "/api/v1/reports", json={}, headers={"Accept-Language": "zh-CN"}).json["error"]
    english = call("POST", "/api/v1/reports", json={}, headers={"Accept-Language": "en-GB,en;q=0.8"}).json["error"]
    assert re.search("[\u4e00-\u9fff]", chinese["fields"]["description"])
    assert english["fields"]["description"].isascii()
    assert english["code"] == chinese["code"]


def test_unknown_addresses_and_methods_answer_in_json(district: SmallDistrict, client: FlaskClient) -> None:
    for method, path, status, code in (
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("DELETE", "/api/v1/reports", 405, "method_not_allowed"),
        ("GET", "/api/v1/reports/BH20200101-0001A", 404, "not_found"),
    ):
        answer = client.open(path, method=method)
        assert answer.status_code == status
        assert answer.json["error"]["code"] == code


def test_pictures_come_along_in_multipart(district: SmallDistrict, call: Call) -> None:
    answer = call(
        "POST",
        "/api/v1/reports",
        data={
            "description": "路灯不亮", "latitude": str(MIDDLE[0]), "longitude": str(MIDDLE[1]),
            "photos": [(picture("green"), "a.jpg"), (picture("red", "PNG"), "b.png")],
        },
    )  # fmt: skip
    seen = call("GET", f"/api/v1/reports/{answer.json['number']}?key={answer.json['key']}").json
    assert [photo["purpose"] for photo in seen["photos"]] == ["before", "before"]


def test_a_picture_sent_before_belongs_to_one_report_only(
    district: SmallDistrict, call: Call, client: FlaskClient
) -> None:
    photo = call("POST", "/api/v1/photos", data={"photo": (picture(), "a.jpg")}).json
    assert client.get(photo["thumb"].removeprefix("http://district.test")).mimetype == "image/jpeg"
    filed = file_one(call, description="", photos=[photo["id"]])
    seen = call("GET", f"/api/v1/reports/{filed['number']}?key={filed['key']}").json
    assert [kept["id"] for kept in seen["photos"]] == [photo["id"]]
    again = call("POST", "/api/v1/reports", json={"description": "灯", "photos": [photo["id"]]})
    assert list(again.json["error"]["fields"]) == ["photos"]


def test_what_is_no_picture_is_refused(district: SmallDistrict, call: Call) -> None:
    answer = call("POST", "/api/v1/photos", data={"photo": (io.BytesIO(b"<svg onload=alert(1)>"), "a.jpg")})
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == ["photo"]
    assert call("POST", "/api/v1/photos", data={}).status_code == 422


def test_a_facility_is_found_by_token_and_by_either_code(district: SmallDistrict, call: Call) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps)
        code, code17 = facility.code, facility.code17
    token = db.session.query(FacilityToken).one().token
    for text in (token, token.lower(), code, code17):
        seen = call("GET", f"/api/v1/facilities/{text}").json
        assert seen["code"] == code17
        assert seen["unit"]["code"] == "SZ-LD"
        assert seen["problems"] == ["不亮", "倾斜"]
    assert token not in call("GET", f"/api/v1/facilities/{code17}").get_data(as_text=True).upper()
    filed = file_one(call, facility=code, latitude=None, longitude=None)
    assert call("GET", f"/api/v1/reports/{filed['number']}?key={filed['key']}").json["facility"] == code17
    assert [report["number"] for report in call("GET", f"/api/v1/facilities/{token}").json["open_reports"]] == [
        filed["number"]
    ]


def test_a_revoked_token_is_gone_and_an_unknown_one_not_found(district: SmallDistrict, call: Call) -> None:
    from district.facilities import codes

    with unit_of_work():
        make_facility(district.lamps)
    token = db.session.query(FacilityToken).one().token
    with unit_of_work():
        codes.revoke(token, by=district.staff["administrator"])
    assert call("GET", f"/api/v1/facilities/{token}").status_code == 410
    assert call("GET", "/api/v1/facilities/ABCDEFGH").status_code == 404


def test_categories_are_listed_and_searched(district: SmallDistrict, call: Call) -> None:
    assert [category["code"] for category in call("GET", "/api/v1/categories").json["categories"]] == ["01037"]
    found = call("GET", "/api/v1/categories", query_string={"q": "小区门口的路灯坏了"}).json["categories"]
    assert [category["code"] for category in found] == ["01037"]
    assert call("GET", "/api/v1/categories", query_string={"q": "狗"}).json["categories"] == []


def rated(report: Report) -> str:
    return f"/api/v1/reports/{report.number}/rating?key={report.access_key}"


def test_a_closed_report_is_rated_once(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.CLOSED)
    seen = call("POST", rated(report), json={"solved": True, "stars": 5, "reasons": [], "text": "很快"}).json
    assert seen["rating"] == {"solved": True, "stars": 5, "text": "很快"}
    assert "rate" not in seen["actions"]
    again = call("POST", rated(report), json={"solved": True, "stars": 1})
    assert again.status_code == 409


def test_not_solved_sends_it_back_to_the_same_unit(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.CLOSED)
    seen = call("POST", rated(report), json={"solved": False, "stars": 1, "text": "还是不亮"}).json
    assert seen["status"] == "assigned"
    assert seen["unit"]["code"] == "SZ-LD"


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "solved"),
        ({"solved": "yes"}, "solved"),
        ({"solved": True, "stars": 0}, "stars"),
        ({"solved": True, "stars": 6}, "stars"),
        ({"solved": True, "stars": "5"}, "stars"),
        ({"solved": True, "stars": 5, "reasons": "slow"}, "reasons"),
    ],
)
def test_an_odd_rating_is_refused(district: SmallDistrict, call: Call, body: dict[str, Any], field: str) -> None:
    report = make_report(district, Status.CLOSED)
    answer = call("POST", rated(report), json=body)
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]


def test_rating_and_reopening_need_the_key(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.CLOSED)
    for what, body in (("rating", {"solved": True}), ("reopen", {"text": "没修好"})):
        assert call("POST", f"/api/v1/reports/{report.number}/{what}", json=body).status_code == 403
        assert call("POST", f"/api/v1/reports/{report.number}/{what}?key=no", json=body).status_code == 403
    db.session.expire_all()
    assert reports.find(report.number).status == Status.CLOSED


def test_an_open_report_can_be_neither_rated_nor_reopened(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.ASSIGNED)
    assert call("POST", rated(report), json={"solved": True}).status_code == 409
    assert (
        call("POST", f"/api/v1/reports/{report.number}/reopen?key={report.access_key}", json={"text": "x"}).status_code
        == 409
    )


@both_databases
def test_a_report_is_reopened_with_words_and_a_picture(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.CLOSED)
    photo = call("POST", "/api/v1/photos", data={"photo": (picture(), "a.jpg")}).json
    address = f"/api/v1/reports/{report.number}/reopen"
    seen = call(
        "POST", address, headers={"X-Report-Key": report.access_key}, json={"text": "又不亮了", "photos": [photo["id"]]}
    ).json
    assert seen["status"] == "assigned"
    assert seen["history"][-1]["note"] == "又不亮了"
    assert len(seen["photos"]) == 1


def test_anybody_may_support_an_open_report(district: SmallDistrict, call: Call) -> None:
    report = make_report(district, Status.ASSIGNED)
    seen = call("POST", f"/api/v1/reports/{report.number}/support", json={}).json
    assert seen["history"][-1]["event"] == "supported"
    closed = make_report(district, Status.CLOSED)
    assert call("POST", f"/api/v1/reports/{closed.number}/support", json={}).status_code == 409
    hidden = make_report(district, Status.REJECTED)
    assert call("POST", f"/api/v1/reports/{hidden.number}/support", json={}).status_code == 404


def test_the_api_needs_no_forgery_token(app: Flask, district: SmallDistrict, client: FlaskClient) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post("/api/v1/reports", json={"description": "路灯不亮", **HERE}).status_code == 201


def test_every_address_of_the_api_is_described(app: Flask, document: dict[str, Any]) -> None:
    ours = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert ours == described
