"""Is it alive, is it ready, what waits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from district.extensions import db
from district.reports.states import Status
from district.work import unit_of_work
from tests.factories import SmallDistrict, make_report


@pytest.fixture
def env(env: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "redis_url" not in request.fixturenames:
        return env
    url: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(url).flushdb()
    return env | {"REDIS_URL": url}


def metrics(client: FlaskClient) -> dict[str, float]:
    response = client.get("/metrics")
    assert response.status_code == 200
    found = re.findall(r"^(bihuan_\w+(?:\{[^}]*\})?) (\S+)$", response.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_a_process_that_answers_is_alive_whatever_else_is_away(client: FlaskClient) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_without_a_queue_server_it_is_not_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    state = response.json or {}
    assert (state["status"], state["database"], state["queue"], state["workers"]) == ("not ready", True, False, 0)


def test_without_a_worker_it_is_not_ready(redis_url: str, client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert (response.json or {})["queue"] is True


def test_without_a_database_it_is_not_ready(app: Flask, client: FlaskClient) -> None:
    db.session.remove()
    db.engine.dispose()
    Path(db.engine.url.database or "").write_bytes(b"this is no database at all, not even a small one")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert (response.json or {})["database"] is False
    assert client.get("/healthz").status_code == 200


def test_the_oldest_waiting_report_shows(app: Flask, client: FlaskClient) -> None:
    assert (client.get("/readyz").json or {})["oldest_waiting_s"] is None
    make_report(SmallDistrict())
    assert (client.get("/readyz").json or {})["oldest_waiting_s"] >= 0


def test_metrics_count_what_is_there(redis_url: str, app: Flask, client: FlaskClient) -> None:
    from rq import Queue

    from district.extensions import redis_door
    from district.notifications import service as notifications
    from district.reports import photos
    from district.reports.models import Report

    district = SmallDistrict()
    make_report(district)
    report = make_report(district, Status.RESOLVED)
    with unit_of_work():
        notifications.claim_due()
        photos.expect_media("m", district.resident.id)
        assert db.session.get_one(Report, report.id)
    waiting = Queue("routing", connection=redis_door().connection).count
    found = metrics(client)
    assert found['bihuan_open_reports{status="submitted"}'] == 1
    assert found['bihuan_open_reports{status="resolved"}'] == 1
    assert found['bihuan_notifications{delivery="sending"}'] == 3
    assert found["bihuan_photos_waiting"] == 1
    assert found['bihuan_queue_length{queue="routing"}'] == waiting >= 1
    assert found["bihuan_oldest_unrouted_seconds"] >= 0


def test_metrics_go_on_without_the_queue_server(client: FlaskClient) -> None:
    found = metrics(client)
    assert "bihuan_photos_waiting" in found
    assert not any(name.startswith("bihuan_queue_length") for name in found)


def test_nothing_personal_is_in_the_metrics(app: Flask, client: FlaskClient) -> None:
    district = SmallDistrict()
    report = make_report(district)
    text = client.get("/metrics").text
    assert report.number not in text
    assert (district.resident.openid or "?") not in text
