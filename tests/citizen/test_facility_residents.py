"""The residents' half of a facility's page: what is reported and joined, its past, the next one, an old phone."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from district import clock, jobs, settings
from district.extensions import db
from district.facilities import scans
from district.facilities import service as facilities
from district.facilities.models import CodeGuessDay, Facility, FacilityScanDay, FacilityToken, FacilityType
from district.geo.datum import wgs84_to_gcj02
from district.messages import t
from district.reports import service as reports
from district.reports.models import Photo, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.citizen.conftest import log_in
from tests.citizen.test_pages import text_of
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_facility, make_report
from tests.support.pictures import jpeg


@pytest.fixture
def token(district: SmallDistrict) -> str:
    with unit_of_work():
        make_facility(district.lamps)
    return db.session.scalars(select(FacilityToken.token)).one()


def reported(district: SmallDistrict, status: Status = Status.ASSIGNED, **given: Any) -> Report:
    """A report about the one facility there is."""
    facility_id = db.session.scalars(select(Facility.id).order_by(Facility.id)).first()
    return make_report(district, status, **({"facility_id": facility_id, "source": "qr"} | given))


def supports() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(ReportEvent.kind == "supported")) or 0


def count(what: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(what)) or 0


# Joining


@both_databases
def test_what_is_reported_is_joined_in_one_tap_and_once(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    report = reported(district)
    page = client.get(f"/f/{token}")
    assert "不亮" in text_of(page)
    assert f'name="number" value="{report.number}"' in page.text
    answer = client.post(f"/f/{token}/join", data={"number": report.number})
    assert (answer.status_code, answer.location) == (303, f"/f/{token.lower()}?done=joined")
    assert t("citizen.facility.joined") in text_of(client.get(answer.location))
    again = client.post(f"/f/{token}/join", data={"number": report.number})
    page = client.get(again.location)
    assert t("citizen.facility.counted") in text_of(page)
    assert 'name="number"' not in page.text
    client.post(f"/r/{report.number}/support")
    assert supports() == 1
    assert client.application.test_client().post(f"/f/{token}/join", data={"number": report.number}).status_code == 303
    assert supports() == 2


def test_whoever_reported_it_does_not_join_it(client: FlaskClient, token: str) -> None:
    client.post(f"/f/{token}", data={"problem": "不亮"})
    page = client.get(f"/f/{token}")
    assert t("citizen.facility.yours") in text_of(page)
    assert 'name="number"' not in page.text
    number = db.session.scalars(select(Report.number)).one()
    client.post(f"/f/{token}/join", data={"number": number})
    client.post(f"/r/{number}/support")
    assert supports() == 0


def test_only_what_is_open_at_this_facility_is_joined(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    elsewhere = make_report(district, Status.ASSIGNED)
    closed = reported(district, Status.CLOSED)
    praise = reported(district, Status.ASSIGNED)
    with unit_of_work() as session:
        session.get_one(Report, praise.id).intent = "praise"
    for number, status in ((elsewhere.number, 422), (closed.number, 409), (praise.number, 404), ("", 422), ("X", 422)):
        assert client.post(f"/f/{token}/join", data={"number": number}).status_code == status, number
    assert supports() == 0


def test_joining_works_without_cookies_and_forgery_tokens(app: Flask, district: SmallDistrict, token: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = True
    report = reported(district)
    bare = app.test_client(use_cookies=False)
    assert bare.post(f"/f/{token}/join", data={"number": report.number}).location.endswith("done=joined")
    assert supports() == 1


# Not reported twice


@both_databases
def test_the_same_problem_is_asked_about_and_nothing_is_filed_unasked(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    report = reported(district, description="路灯不亮")
    answer = client.post(f"/f/{token}", data={"problem": "倾斜"})
    assert answer.status_code == 200
    assert t("citizen.facility.ask") in text_of(answer)
    assert f'name="number" value="{report.number}"' in answer.text
    assert count(Report) == 1
    assert client.post(f"/f/{token}", data={"problem": "倾斜", "apart": "1"}).status_code == 303
    assert count(Report) == 2
    assert supports() == 0
    # And the router believes it, too.
    with unit_of_work():
        settings.put("similar", {"sure_hours": 24})
        settings.changed("settings")
    forget_reference()
    jobs.route_reports()
    assert Status.MERGED not in db.session.scalars(select(Report.status)).all()


def test_what_somebody_wrote_is_shown_to_nobody(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    reported(district, description="路灯不亮，王大妈的电话13800001111")
    for page in (client.get(f"/f/{token}"), client.post(f"/f/{token}", data={"problem": "不亮"})):
        assert "王大妈" not in page.text
        assert "1380000" not in page.text


def test_another_kind_of_trouble_there_is_not_asked_about(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    from tests.factories import make_category

    with unit_of_work():
        make_category("06001")
    forget_reference()
    reported(district, category_code="06001", description="杆子上贴了小广告")
    assert client.post(f"/f/{token}", data={"problem": "不亮"}).status_code == 303


@both_databases
def test_a_picture_sent_with_the_tap_waits_for_the_answer(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    reported(district)
    given = {"problem": "不亮", "photos": (io.BytesIO(jpeg()), "lamp.jpg")}
    page = client.post(f"/f/{token}", data=given, content_type="multipart/form-data")
    assert t("citizen.facility.ask_photos_apart", count=1) in text_of(page)
    kept = re.findall(r'name="photo_ids" value="([^"]+)"', page.text)
    assert len(set(kept)) == 1
    answer = client.post(f"/f/{token}", data={"problem": "不亮", "apart": "1", "photo_ids": kept[:1]})
    assert answer.status_code == 303
    newest = db.session.scalars(select(Report).order_by(Report.id.desc())).first()
    assert newest is not None
    assert [photo.token for photo in newest.photos] == kept[:1]


def test_a_picture_goes_with_the_tap_and_more_after_it(client: FlaskClient, token: str) -> None:
    page = client.get(f"/f/{token}").text
    form = re.search(r"<form[^>]*multipart.*?</form>", page, re.DOTALL)
    assert form is not None
    assert 'type="file" name="photos"' in form[0]
    assert form[0].index('type="file"') < form[0].index('class="problem"')
    given = {"problem": "不亮", "photos": (io.BytesIO(jpeg()), "lamp.jpg")}
    answer = client.post(f"/f/{token}", data=given, content_type="multipart/form-data")
    assert count(Photo) == 1
    number = db.session.scalars(select(Report.number)).one()
    done = client.get(answer.location).text
    assert f'action="/r/{number}/more"' in done
    key = re.search(r'name="key" value="([^"]+)"', done)
    assert key is not None
    more = {"key": key[1], "photos": (io.BytesIO(jpeg()), "closer.jpg")}
    assert client.post(f"/r/{number}/more", data=more, content_type="multipart/form-data").status_code == 303
    assert count(Photo) == 2


def test_a_file_that_is_no_picture_files_nothing_and_says_so(client: FlaskClient, token: str) -> None:
    given = {"problem": "不亮", "photos": (io.BytesIO(b"no picture"), "lamp.jpg")}
    answer = client.post(f"/f/{token}", data=given, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert t("errors.photo_unreadable") in text_of(answer)
    assert count(Report) == 0


# Its past


def test_its_past_is_told_in_plain_words(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    assert t("citizen.facility.past_none") in text_of(client.get(f"/f/{token}"))
    noon = clock.now().replace(hour=4, minute=0)
    with clock.frozen_at(noon - timedelta(days=400)):
        reported(district, Status.CLOSED)
    with clock.frozen_at(noon - timedelta(days=90)):
        told = reported(district, Status.IN_PROGRESS, description="路灯不亮")
    with clock.frozen_at(noon - timedelta(days=88)):
        with unit_of_work():
            reports.resolve(reports.lock(told.id), by=district.staff["handler"], note="小李换的")
        with unit_of_work():
            reports.verify(reports.lock(told.id), by=district.staff["verifier"])
    reported(district, Status.WITHDRAWN)
    reported(district, Status.REJECTED)
    reported(district, Status.SUBMITTED, description="我家门口黑，我叫张三")
    with clock.frozen_at(noon - timedelta(days=10)):
        reported(district, Status.CLOSED, description="张三家门口的灯")
    page = text_of(client.get(f"/f/{token}"))
    assert t("citizen.facility.past_count", count=3) in page
    assert "不亮”，2天后修好" in page
    assert "当天修好" in page
    assert "小李" not in page
    assert "张三" not in page


def test_the_line_for_emergencies_is_its_own_while_the_contract_lasts(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    day = scans.today()
    with unit_of_work() as session:
        facility = session.scalars(select(Facility)).one()
        facility.emergency_phone, facility.contract_to = "0457-2198765", day
    assert "0457-2198765" in client.get(f"/f/{token}").text
    with unit_of_work() as session:
        session.scalars(select(Facility)).one().contract_to = day - timedelta(days=1)
    assert "0457-2198765" not in client.get(f"/f/{token}").text


# The next one


@both_databases
def test_the_next_three_in_use_are_shown_for_what_people_look_for(
    client: FlaskClient, district: SmallDistrict, token: str
) -> None:
    north, east = MIDDLE
    with unit_of_work():
        make_facility(district.lamps, name="坏的", latitude=north + 0.0005, state="damaged")
        gone = make_facility(district.lamps, name="拆了", latitude=north + 0.0004)
        gone.retired_at = clock.now()
        for name, latitude, longitude in (
            ("最近", north + 0.001, east), ("东边", north, east + 0.003), ("南边", north - 0.005, east),
            ("第四", north + 0.01, east), ("太远", north + 0.1, east),
        ):  # fmt: skip
            make_facility(district.lamps, name=name, latitude=latitude, longitude=longitude)
    assert "最近" not in client.get(f"/f/{token}").text
    with unit_of_work():
        settings.put("facilities", {"alternatives": ["01037"]})
    forget_reference()
    page = client.get(f"/f/{token}")
    words = re.sub(r"\s+", " ", text_of(page))
    assert [words.index(name) for name in ("最近 往北约110米", "东边 往东约2", "南边 往南约560米")]
    for name in ("坏的", "拆了", "第四", "太远"):
        assert name not in words
    latitude, longitude = wgs84_to_gcj02(north + 0.001, east)
    assert f"https://uri.amap.com/navigation?to={longitude:.6f}%2C{latitude:.6f}%2C" in page.text


def test_the_demo_says_for_which_kinds_that_makes_sense(tmp_path: Any) -> None:
    import tomllib
    from pathlib import Path

    demo = tomllib.loads(Path("demo/district.toml").read_text(encoding="utf-8"))
    assert demo["facilities"]["alternatives"] == ["03001"]


# Codes that are read kindly, and those that are none


def test_a_code_read_kindly_leads_to_its_own_address(client: FlaskClient, district: SmallDistrict) -> None:
    with unit_of_work() as session:
        facility = make_facility(district.lamps)
        session.add(FacilityToken(token="ABCL2Q9876", facility_id=facility.id, issued_at=clock.now()))
        code = facility.code17
    for typed in ("ABC12O9876", "abci20-9876", "ABC L2Q 9876"):
        answer = client.get(f"/f/{typed}")
        assert (answer.status_code, answer.location) == (302, "/f/abcl2q9876"), typed
    assert client.get("/f?code=HTTPS://DISTRICT.TEST/F/ABCL2Q9876").location == "/f/ABCL2Q9876"
    assert client.get(f"/f?code={code}").location == f"/f/{code}"
    assert client.get(f"/f/{code}").status_code == 200
    assert client.get("/f?code=").status_code == 303


@pytest.mark.parametrize("token", ["路灯坏了", "A" * 300, "a%20b", "%F0%9F%92%A1", "%FF%FE", "''--", "null"])
@both_databases
def test_what_is_no_code_gets_a_page_that_helps(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    answer = client.get(f"/f/{token}")
    assert answer.status_code == 404
    page = text_of(answer)
    for key in ("citizen.facility.unknown", "citizen.facility.type_code", "citizen.facility.report_anyway"):
        assert t(key) in page


# Guessing


DOORS = {
    "page": lambda client, code: client.get(f"/f/{code}"),
    "tap": lambda client, code: client.post(f"/f/{code}", data={"problem": "不亮"}),
    "join": lambda client, code: client.post(f"/f/{code}/join", data={"number": "1"}),
    "form": lambda client, code: client.get(f"/report?facility={code}"),
    "filing": lambda client, code: client.post("/report", data={"facility": code, "description": "灯罩掉了"}),
    "api": lambda client, code: client.get(f"/api/v1/facilities/{code}"),
    "api filing": lambda client, code: client.post("/api/v1/reports", json={"facility": code, "description": "灯掉了"}),
    "api similar": lambda client, code: client.get(f"/api/v1/reports/similar?facility={code}"),
}
COUNTED_AS = {"page": "page", "tap": "page", "join": "page", "form": "form", "filing": "form"}


@pytest.mark.parametrize("door", list(DOORS))
def test_no_door_lets_anybody_guess_faster_than_the_limit(client: FlaskClient, token: str, door: str) -> None:
    ask = DOORS[door]
    seen = [ask(client, f"GUESSED{number:03d}").status_code for number in range(25)]
    assert 429 not in seen[:20]
    assert seen[20:] == [429] * 5
    # Not even a right one is told apart now, at whichever door.
    for other in ("page", "form", "api"):
        assert DOORS[other](client, token).status_code == 429
    elsewhere = {"REMOTE_ADDR": "10.9.8.7"}
    assert client.get(f"/f/{token}", environ_base=elsewhere).status_code == 200
    assert client.get(f"/api/v1/facilities/{token}", environ_base=elsewhere).status_code == 200
    # Whoever brings no code reports as ever.
    assert client.get("/report").status_code == 200
    assert client.post("/report", data={"address": "人民路3号", "description": "灯罩掉了"}).status_code == 303
    assert scans.guesses() == {COUNTED_AS.get(door, "api"): 20}


def test_guesses_at_different_doors_count_together(client: FlaskClient, token: str) -> None:
    asks = list(DOORS.values())
    seen = [asks[number % len(asks)](client, f"GUESSED{number:03d}").status_code for number in range(24)]
    assert 429 not in seen[:20]
    assert seen[20:] == [429] * 4


@pytest.mark.parametrize("door", ["page", "form", "api", "api similar"])
def test_right_codes_cost_nothing(client: FlaskClient, token: str, door: str) -> None:
    assert {DOORS[door](client, token).status_code for _ in range(40)} == {200}
    assert scans.guesses() == {}


def test_operations_see_the_guesses(client: FlaskClient, token: str) -> None:
    for _ in range(3):
        client.get("/f/GUESSED001")
    client.get("/api/v1/facilities/GUESSED001")
    metrics = client.get("/metrics").text
    assert 'bihuan_code_guesses_today{door="page"} 3.0' in metrics
    assert 'bihuan_code_guesses_today{door="api"} 1.0' in metrics


# Scans


def scanned() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.sum(FacilityScanDay.scans))) or 0


@both_databases
def test_each_opening_through_the_code_is_counted(client: FlaskClient, token: str) -> None:
    for address in (f"/F/{token}", f"/f/{token.lower()}", f"/api/v1/facilities/{token}"):
        assert client.get(address).status_code == 200
    assert scanned() == 3
    assert db.session.get_one(FacilityToken, token).last_scanned_on == scans.today()


def test_what_is_no_scan_is_not_counted(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    code = db.session.scalars(select(Facility.code17)).one()
    client.get(f"/f/{token}?done=joined")
    client.get(f"/f/{token}?lang=en")
    client.head(f"/f/{token}")
    client.get(f"/f/{token}", headers={"Sec-Purpose": "prefetch;prerender"})
    client.get(f"/f/{code}")
    client.get(f"/api/v1/facilities/{code}")
    client.post(f"/f/{token}", data={"problem": "<b>"})
    client.get("/f/GUESSED001")
    log_in(client, district.staff["handler"])
    client.get(f"/f/{token}")
    assert scanned() == 0


def test_the_page_comes_at_once_while_somebody_writes(app: Flask, client: FlaskClient, token: str) -> None:
    """The count is left out rather than anybody kept waiting."""
    import sqlite3
    import time
    from contextlib import closing

    with closing(sqlite3.connect(db.engine.url.database or "", isolation_level=None)) as other:
        other.execute("begin immediate")
        begun = time.monotonic()
        assert client.get(f"/f/{token}").status_code == 200
        took_s = time.monotonic() - begun
        other.execute("rollback")
    assert took_s < 5
    assert scanned() == 0
    assert client.get(f"/f/{token}").status_code == 200
    assert scanned() == 1


def test_counting_is_not_what_makes_a_guess_dear(client: FlaskClient, token: str) -> None:
    """One row a day and door, whatever is tried."""
    for number in range(10):
        client.get(f"/f/GUESSED{number:03d}")
    assert count(CodeGuessDay) == 1


def test_the_code_on_another_facility_counts_there(client: FlaskClient, district: SmallDistrict, token: str) -> None:
    with unit_of_work():
        other = str(facilities.token_of(make_facility(district.lamps).id))
    client.get(f"/f/{other}")
    rows = db.session.execute(select(FacilityScanDay.facility_id, FacilityScanDay.scans)).all()
    assert rows == [(db.session.get_one(FacilityToken, other).facility_id, 1)]
    assert db.session.get_one(FacilityToken, token).last_scanned_on is None
    assert db.session.scalar(select(func.count()).select_from(FacilityType)) == 1
