"""What holds for every request: headers, language, photos, and addresses nobody has."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import Gone

from district import errors
from district.extensions import db
from district.frame import http
from district.reports import photos
from district.reports.models import Photo
from district.work import unit_of_work
from tests import factories
from tests.conftest import both_databases
from tests.factories import SmallDistrict
from tests.support.pictures import jpeg


@pytest.fixture
def env(env: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    marker = request.node.get_closest_marker("with_env")
    return env | (marker.kwargs if marker else {})


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


@pytest.mark.parametrize(
    "path",
    ["/", "/nowhere", "/healthz", "/admin/", "/admin/login", "/api/v1/nowhere", "/static/nowhere.css", "/f/NONE"],
)
def test_every_answer_has_its_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = directives(headers["Content-Security-Policy"])
    assert policy["default-src"] == policy["script-src"] == policy["connect-src"] == policy["form-action"] == ["'self'"]
    assert policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert policy["img-src"] == ["'self'", "data:", "blob:"]
    assert policy["style-src"] == ["'self'"]
    assert "Strict-Transport-Security" not in headers


def test_over_https_the_browser_stays_there(client: FlaskClient) -> None:
    headers = client.get("/healthz", headers={"X-Forwarded-Proto": "https"}).headers
    assert "max-age=" in headers["Strict-Transport-Security"]


def test_only_pages_with_charts_may_style_inline(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "INLINE_STYLE_ENDPOINTS", {"health.alive"})
    policy = directives(client.get("/healthz").headers["Content-Security-Policy"])
    assert policy["style-src"] == ["'self'", "'unsafe-inline'"]
    assert policy["script-src"] == ["'self'"]


@pytest.mark.with_env(TILE_URL="https://{s}.tiles.example.cn/{z}/{x}/{y}.png")
def test_a_tile_server_that_is_set_may_be_asked_for_pictures_only(client: FlaskClient) -> None:
    policy = directives(client.get("/healthz").headers["Content-Security-Policy"])
    assert policy["img-src"][-1] == "https://*.tiles.example.cn"
    assert policy["default-src"] == policy["connect-src"] == ["'self'"]


@pytest.mark.own_application
def test_an_accident_has_the_headers_and_a_number_but_no_traceback(app: Flask, client: FlaskClient) -> None:
    def accident() -> str:
        raise ZeroDivisionError("secret inside")

    app.add_url_rule("/accident", view_func=accident)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = client.get("/accident")
    assert response.status_code == 500
    assert "Content-Security-Policy" in response.headers
    assert "secret inside" not in response.text
    assert "Traceback" not in response.text


# Language


@pytest.mark.parametrize(
    "accepted, spoken",
    [
        ("", "zh-CN"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-GB,en;q=0.9,zh;q=0.1", "en"),
        ("ru", "zh-CN"),
        ("*", "zh-CN"),
        (";;;,q=", "zh-CN"),
    ],
)
def test_the_browsers_language_is_spoken(client: FlaskClient, accepted: str, spoken: str) -> None:
    page = client.get("/", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{spoken}"' in page


def test_a_chosen_language_is_kept(client: FlaskClient) -> None:
    assert '<html lang="en"' in client.get("/?lang=en").text
    assert '<html lang="en"' in client.get("/", headers={"Accept-Language": "zh"}).text
    assert '<html lang="zh-CN"' in client.get("/?lang=zh").text
    assert '<html lang="zh-CN"' in client.get("/", headers={"Accept-Language": "en"}).text


@pytest.mark.parametrize("asked", ["xx", "../en", "", "en'\"><script>"])
def test_a_language_nobody_speaks_is_not_kept(client: FlaskClient, asked: str) -> None:
    response = client.get("/", query_string={"lang": asked})
    assert http.LANGUAGE_COOKIE not in response.headers.get("Set-Cookie", "")
    assert '<html lang="zh-CN"' in response.text


def test_one_requests_language_is_not_the_nexts(client: FlaskClient) -> None:
    assert '<html lang="en"' in client.get("/", headers={"Accept-Language": "en"}).text
    assert '<html lang="zh-CN"' in client.get("/").text


# Photos and the map


@pytest.fixture
def photo(app: Flask) -> Photo:
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work():
        return photos.add_uploaded(picture)


@pytest.mark.parametrize("size", ["page", "thumb"])
def test_a_photo_is_served_by_its_token(client: FlaskClient, photo: Photo, size: str) -> None:
    response = client.get(f"/photos/{photo.token}/{size}.jpg")
    assert response.status_code == 200
    assert response.mimetype == "image/jpeg"
    assert response.data.startswith(b"\xff\xd8\xff")
    assert "private" in response.headers["Cache-Control"]
    assert response.headers["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize(
    "path",
    ["{t}/original.jpg", "{t}/page.png", "{t}/..%2Fpage.jpg", "nope/page.jpg", "%2e%2e/page.jpg", "{d}/page.jpg"],
)
def test_anything_else_is_no_photo(client: FlaskClient, photo: Photo, path: str) -> None:
    assert client.get("/photos/" + path.format(t=photo.token, d=photo.digest)).status_code == 404


def test_a_photo_that_has_not_come_yet_is_not_there(app: Flask, client: FlaskClient) -> None:
    with unit_of_work() as session:
        waiting = session.get_one(Photo, photos.expect_media("m", factories.make_resident().id))
    assert client.get(f"/photos/{waiting.token}/page.jpg").status_code == 404


@pytest.mark.parametrize("name", ["..%2Fsecrets", "secrets", "%2e%2e%2fsecrets", "a%00b", "nowhere"])
def test_the_map_serves_no_other_file(app: Flask, client: FlaskClient, name: str) -> None:
    assert (Path(app.config["VAR_DIR"]) / "secrets.json").is_file()
    assert client.get(f"/map/{name}.json").status_code in (400, 404)


# What no honest browser sends


@both_databases
@pytest.mark.parametrize(
    "path",
    [
        "/photos/a%00b/page.jpg", "/f/AB%00CD", "/r/BH%00", "/r/BH20261122-0042K?key=%00", "/nearby?x=%00",
        "/api/v1/facilities/A%00B", "/api/v1/reports/BH20261122-0042K?key=%00", "/admin/password/%00", "/%00",
        "/admin/login?next=%00",
    ],
)  # fmt: skip
def test_a_nul_in_an_address_is_a_mistake_and_not_an_accident(client: FlaskClient, path: str) -> None:
    assert 400 <= client.get(path).status_code < 500


@both_databases
@pytest.mark.parametrize("field", ["username", "password"])
def test_a_nul_in_a_form_is_a_mistake_and_not_an_accident(client: FlaskClient, field: str) -> None:
    SmallDistrict()
    form = {"username": "lamps", "password": "x"} | {field: "a\0b"}
    assert client.post("/admin/login", data=form).status_code == 400


@both_databases
@pytest.mark.parametrize(
    "given",
    [
        {"description": "路\0灯"},
        {"description": "路灯", "category": "\0"},
        {"description": "路灯", "facility": "\0"},
        {"description": "路灯", "photos": ["\0"]},
        {"description": "路灯", "address": "\0", "contact": "\0"},
        {"description": "路灯", "latitude": "\0", "longitude": "\0"},
    ],
)
def test_a_nul_in_json_is_no_accident_either(client: FlaskClient, given: dict[str, object]) -> None:
    SmallDistrict()
    db.session.remove()
    assert client.post("/api/v1/reports", json=given).status_code in (201, 400, 404, 422)


# Small things


@pytest.mark.parametrize(
    "error, status",
    [
        (errors.NotFound(), 404),
        (errors.NotAllowed(), 403),
        (errors.WrongState(), 409),
        (errors.StaleVersion(), 409),
        (errors.BadInput(), 422),
        (errors.TooMany(), 429),
        (errors.DistrictError(), 500),
        (Gone(), 410),
        (ZeroDivisionError(), 500),
    ],
)
def test_each_family_of_errors_has_its_status(error: Exception, status: int) -> None:
    assert http.status_of(error) == status


def test_a_static_file_is_cached_for_ever_under_its_digest_only(app: Flask, client: FlaskClient) -> None:
    folder = Path(app.static_folder or "")
    name = str(next(path for path in sorted(folder.rglob("*.css"))).relative_to(folder))
    with app.test_request_context():
        address = http.asset(name)
    assert "?v=" in address
    assert "immutable" in client.get(address, buffered=True).headers["Cache-Control"]
    assert "immutable" not in client.get(f"/static/{name}", buffered=True).headers.get("Cache-Control", "")


def test_pages_are_not_kept_by_browsers_and_travel_compressed(client: FlaskClient) -> None:
    plain = client.get("/")
    assert plain.headers["Cache-Control"] == "no-store"
    packed = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data)
    assert gzip.decompress(packed.data)
    assert client.get("/", headers={"Accept-Encoding": "br"}).headers["Content-Encoding"] == "br"
