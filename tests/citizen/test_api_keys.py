"""The API with a machine's key: whose report it is, what each key opens, how much it may send, and every refusal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from district import clock
from district.api_keys import service as api_keys
from district.api_keys.models import ApiKey, Scope
from district.extensions import db
from district.reports import service as reports
from district.reports.models import Source
from district.units.models import Unit
from district.work import unit_of_work
from tests.citizen.test_api import HERE, Call, call, document, picture  # noqa: F401  fixtures
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_staff
from tests.support.limits import CountedTogether

LAMP = {"description": "路灯不亮", "category": "01037", **HERE}


def make_key(district: SmallDistrict, *scopes: Scope, **more: Any) -> tuple[int, str]:
    with unit_of_work():
        row, key = api_keys.create(
            by=district.staff["administrator"], name="路灯平台", unit_id=district.lamps.id,
            scopes=[scope.value for scope in scopes or (Scope.REPORTS_WRITE, Scope.REPORTS_READ)],
            **{"per_minute": 60, "expires_at": None} | more,
        )  # fmt: skip
        return row.id, key


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refusal(answer: TestResponse) -> tuple[int, str]:
    assert answer.json is not None
    assert answer.json["error"]["message"]
    return answer.status_code, answer.json["error"]["code"]


@both_databases
def test_a_report_filed_with_a_key_is_that_machines(district: SmallDistrict, call: Call) -> None:  # noqa: F811
    key_id, key = make_key(district)
    filed = call("POST", "/api/v1/reports", json=LAMP, headers=bearer(key))
    assert filed.status_code == 201
    found = reports.find(filed.json["number"])
    assert (found.source, found.client_id, found.resident_id) == (Source.API, key_id, None)
    # Without a key it is nobody's, as it always was.
    other = reports.find(call("POST", "/api/v1/reports", json=LAMP).json["number"])
    assert (other.source, other.client_id) == (Source.API, None)


def test_the_key_may_also_be_sent_as_x_api_key(district: SmallDistrict, call: Call) -> None:  # noqa: F811
    key_id, key = make_key(district)
    filed = call("POST", "/api/v1/reports", json=LAMP, headers={"X-API-Key": key})
    assert reports.find(filed.json["number"]).client_id == key_id
    sent = call(
        "POST", "/api/v1/photos", data={"photo": (picture(), "a.jpg")}, content_type="multipart/form-data",
        headers={"X-API-Key": key},
    )  # fmt: skip
    assert sent.status_code == 201


@both_databases
def test_a_machine_reads_all_of_its_own_reports_and_of_others_the_public_part(
    district: SmallDistrict,
    call: Call,  # noqa: F811
) -> None:
    _, key = make_key(district)
    _, others = make_key(district)
    number = call("POST", "/api/v1/reports", json=LAMP | {"contact": "13800138000"}, headers=bearer(key)).json["number"]
    own = call("GET", f"/api/v1/reports/{number}", headers=bearer(key)).json
    assert own["description"] == "路灯不亮"
    for headers in (bearer(others), {}):
        assert "description" not in call("GET", f"/api/v1/reports/{number}", headers=headers).json


@pytest.mark.parametrize("spoilt", ["", "bhk_", "bhk_000000000000_" + "a" * 43, "Bearer", "x" * 5000])
def test_a_key_nobody_has_opens_nothing(district: SmallDistrict, call: Call, spoilt: str) -> None:  # noqa: F811
    make_key(district)
    answer = call("POST", "/api/v1/reports", json=LAMP, headers=bearer(spoilt or "?"))
    assert refusal(answer) == (401, "key_refused")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_with_one_letter_wrong_is_no_key_and_says_no_more_than_that(
    district: SmallDistrict,
    call: Call,  # noqa: F811
) -> None:
    key_id, key = make_key(district)
    with unit_of_work():
        api_keys.revoke(key_id, by=district.staff["administrator"])
    nearly = key[:-1] + ("A" if key[-1] != "A" else "B")
    unknown = call("GET", "/api/v1/reports/BH20261122-0001A", headers=bearer("bhk_000000000000_" + "a" * 43)).json
    assert call("GET", "/api/v1/reports/BH20261122-0001A", headers=bearer(nearly)).json == unknown


@both_databases
def test_why_a_key_opens_nothing_any_more_is_said(district: SmallDistrict, call: Call) -> None:  # noqa: F811
    said = set()
    revoked_id, revoked = make_key(district)
    _, expiring = make_key(district, expires_at=clock.now() + timedelta(hours=1))
    assert call("POST", "/api/v1/reports", json=LAMP, headers=bearer(expiring)).status_code == 201
    with unit_of_work():
        api_keys.revoke(revoked_id, by=district.staff["administrator"])
    with clock.frozen_at(clock.now() + timedelta(hours=1, seconds=1)):
        for key in (revoked, expiring):
            answer = call("POST", "/api/v1/reports", json=LAMP, headers=bearer(key))
            assert refusal(answer) == (401, "key_refused")
            said.add(answer.json["error"]["message"])
    _, closed = make_key(district)
    with unit_of_work():
        db.session.get_one(Unit, district.lamps.id).closed_at = clock.now()
    answer = call("POST", "/api/v1/reports", json=LAMP, headers=bearer(closed))
    assert refusal(answer) == (401, "key_refused")
    said.add(answer.json["error"]["message"])
    assert len(said) == 3, "each reason has words of its own"


def test_a_key_for_something_else_says_what_is_missing(district: SmallDistrict, call: Call) -> None:  # noqa: F811
    _, key = make_key(district, Scope.NUMBERS_READ)
    for method, path, more in (
        ("POST", "/api/v1/reports", {"json": LAMP}),
        ("POST", "/api/v1/photos", {"data": {"photo": (picture(), "a.jpg")}, "content_type": "multipart/form-data"}),
    ):
        answer = call(method, path, headers=bearer(key), **more)
        assert refusal(answer) == (403, "scope_missing")
        assert "reports.write" in answer.json["error"]["message"]
    answer = call("GET", "/api/v1/reports/BH20261122-0001A", headers=bearer(key))
    assert refusal(answer) == (403, "scope_missing")


@both_databases
def test_when_it_was_last_used_is_written_at_most_once_a_minute(
    district: SmallDistrict,
    call: Call,  # noqa: F811
) -> None:
    key_id, key = make_key(district)
    start = clock.now()
    used = []
    for seconds in (1, 30, 62):
        with clock.frozen_at(start + timedelta(seconds=seconds)):
            assert call("POST", "/api/v1/reports", json=LAMP, headers=bearer(key)).status_code == 201
        db.session.rollback()
        used.append((db.session.get_one(ApiKey, key_id).last_used_at or start) - start)
    assert used == [timedelta(seconds=1), timedelta(seconds=1), timedelta(seconds=62)]


class TestLimits(CountedTogether):
    def test_a_key_has_a_limit_of_its_own_whatever_addresses_it_speaks_from(
        self, district: SmallDistrict, client: FlaskClient
    ) -> None:
        _, key = make_key(district, per_minute=3)
        _, other = make_key(district, per_minute=3)

        def ask(key: str, address: str) -> TestResponse:
            headers = {**bearer(key), "X-Forwarded-For": address}
            return client.get("/api/v1/reports/BH20261122-0001A", headers=headers)

        assert [ask(key, f"203.0.113.{n}").status_code for n in range(5)] == [404, 404, 404, 429, 429]
        assert refusal(ask(key, "203.0.113.9")) == (429, "too_many")
        assert ask(other, "203.0.113.1").status_code == 404

    def test_a_machine_is_not_held_to_the_limits_for_visitors(
        self, district: SmallDistrict, client: FlaskClient
    ) -> None:
        """What is spent without a key counts against none, and a wrong key is a visitor's try."""
        _, key = make_key(district, per_minute=6000)

        def ask(headers: dict[str, str]) -> int:
            return client.post("/api/v1/reports", json={}, headers=headers).status_code

        # A slow machine may need a second minute for it.
        answers = [422]
        while answers[-1] == 422 and len(answers) < 1500:
            answers.append(ask({}))
        assert answers[-1] == 429
        assert ask(bearer("guess")) == 429
        assert ask(bearer(key)) == 422


def test_only_administrators_make_keys(district: SmallDistrict) -> None:
    from district.errors import NotAllowed

    with unit_of_work():
        lead = make_staff("lead", district.lamps)
        with pytest.raises(NotAllowed):
            api_keys.create(by=lead, name="x", unit_id=1, scopes=["reports.read"], per_minute=1, expires_at=None)
