"""The panel's page of keys: made and shown once, changed, revoked; every step in the log with before and after."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from district import clock
from district.api_keys.models import ApiKey
from district.extensions import db
from district.people.models import AuditEntry
from district.reports import service as reports
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference

PAGE = "/admin/settings/api-keys"
KEY = re.compile(r"bhk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


def make(person: Person, district: SmallDistrict, **fields: object) -> TestResponse:
    forget_reference()
    usual = {
        "name": "智慧路灯平台", "unit": district.lamps.id, "scopes": ["reports.write"], "per_minute": "120",
        "expires_on": "",
    }  # fmt: skip
    return person.post(f"{PAGE}/new", **usual | fields)


@both_databases
def test_a_key_is_shown_once_and_only_its_digest_is_kept(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    answer = make(person, district)
    (key,) = set(KEY.findall(answer.text))
    assert answer.headers["Cache-Control"] == "no-store"
    row = db.session.scalars(select(ApiKey)).one()
    assert row.key_hash == hashlib.sha256(key.encode()).hexdigest()
    assert key.startswith(row.prefix)
    secret = key.removeprefix(row.prefix)
    for path in (PAGE, f"{PAGE}/{row.id}", "/admin/audit"):
        assert secret not in person.get(path).text
    logged = db.session.scalars(select(AuditEntry).where(AuditEntry.subject == f"api_key:{row.id}")).one()
    assert secret not in str(logged.detail)
    assert logged.detail["after"]["scopes"] == ["reports.write"]


def test_what_it_filed_names_it_on_the_reports_page(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    (key,) = set(KEY.findall(make(person, district).text))
    body = {"description": "路灯不亮", "latitude": MIDDLE[0], "longitude": MIDDLE[1]}
    filed = person.client.post("/api/v1/reports", json=body, headers={"Authorization": f"Bearer {key}"})
    number = filed.get_json()["number"]
    assert "智慧路灯平台" in words_of(person.get(f"/admin/reports/{number}"))
    assert reports.find(number).client_id is not None


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"name": ""}, "name"), ({"name": "长" * 81}, "name"), ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"), ({"per_minute": "0"}, "per_minute"),
        ({"per_minute": "6001"}, "per_minute"), ({"per_minute": "many"}, "per_minute"),
        ({"expires_on": "2020-01-01"}, "expires_on"), ({"expires_on": "soon"}, "expires_on"),
        ({"expires_on": "9999-12-31"}, "expires_on"), ({"unit": "999"}, "unit"), ({"unit": ""}, "unit"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_field(
    district: SmallDistrict, log_in: LogIn, fields: dict[str, object], name: str
) -> None:
    answer = make(log_in("administrator"), district, **fields)
    assert answer.status_code == 422
    assert f'id="error-{name}"' in answer.text
    assert db.session.scalar(select(ApiKey)) is None


@both_databases
def test_changing_a_key_leaves_the_key_itself_and_says_what_was_before(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    make(person, district)
    row = db.session.scalars(select(ApiKey)).one()
    digest = row.key_hash
    day = (clock.now() + timedelta(days=10)).date().isoformat()
    fields = {"name": "新名字", "scopes": ["reports.read", "numbers.read"], "per_minute": "5", "expires_on": day}
    assert person.post(f"{PAGE}/{row.id}", **fields).status_code == 302
    db.session.rollback()
    assert (row.name, row.scopes, row.per_minute, row.key_hash) == (
        "新名字",
        ["reports.read", "numbers.read"],
        5,
        digest,
    )
    # The last day is the one that was chosen, and is shown so again.
    assert f'value="{day}"' in person.get(f"{PAGE}/{row.id}").text
    logged = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "api_key.change")).one()
    assert (logged.detail["before"]["name"], logged.detail["after"]["name"]) == ("智慧路灯平台", "新名字")
    # Nothing changed, nothing logged.
    person.post(f"{PAGE}/{row.id}", **fields)
    assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "api_key.change")).all()) == 1


def test_a_revoked_key_is_over_for_good(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("administrator")
    make(person, district)
    row = db.session.scalars(select(ApiKey)).one()
    assert person.post(f"{PAGE}/{row.id}/revoke").status_code == 302
    assert person.post(f"{PAGE}/{row.id}/revoke").status_code == 409
    assert person.post(f"{PAGE}/{row.id}", name="x", scopes=["reports.read"], per_minute="1").status_code == 409
    page = words_of(person.get(PAGE))
    assert "已作废" in page
    assert district.staff["administrator"].name in page
    assert person.get(f"{PAGE}/999").status_code == 404
