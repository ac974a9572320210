"""Scans in the panel: on a record, codes that nobody scans by street, the same as a file, within one's sight."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import select

from district import clock, jobs
from district.errands.models import Errand
from district.extensions import db
from district.facilities import codes, scans
from district.facilities import service as facilities
from district.facilities.models import Facility, FacilityToken
from district.messages import t
from district.people.models import AuditEntry
from district.people.roles import Role
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_area, make_facility, make_staff


@pytest.fixture
def hung(district: SmallDistrict) -> dict[str, str]:
    """Three lamps whose labels have hung for 40 days, one of them scanned, one in another street of another unit."""
    with unit_of_work():
        make_area("990000002", name="远方街道")
    forget_reference()
    found = {}
    for name, area, unit in (
        ("没扫灯", "990000001", district.lamps), ("扫过灯", "990000001", district.lamps),
        ("远方灯", "990000002", district.street),
    ):  # fmt: skip
        with unit_of_work():
            facility = make_facility(unit, name=name, area_code=area)
            token = found[name] = str(facilities.token_of(facility.id))
            codes.mark_printed([token])
        with clock.frozen_at(clock.now() - timedelta(days=40)), unit_of_work():
            codes.place(token, by=district.staff["administrator"])
    with unit_of_work():
        scans.count(found["扫过灯"], db.session.get_one(FacilityToken, found["扫过灯"]).facility_id)
    return found


def page(person: Person, query: str = "") -> str:
    return words_of(person.get(f"/admin/facilities/scans{query}"))


@both_databases
def test_codes_that_nobody_scans_are_listed_street_by_street(
    district: SmallDistrict, hung: dict[str, str], log_in: LogIn
) -> None:
    words = page(log_in("leader"))
    assert "没扫灯" in words
    assert "远方灯" in words
    assert "扫过灯" not in words
    assert "远方街道 1 1 100%" in words
    assert " 2 1 50%" in words
    assert words.index("100%") < words.index("50%")
    narrowed = page(log_in("leader"), "?area=990000002")
    assert "没扫灯" not in narrowed
    assert "50%" in narrowed, "streets are still compared"
    assert t("scans.none") in page(log_in("leader"), "?days=90")
    assert "没扫灯" in page(log_in("leader"), "?days=abc&type=nothing&area=nowhere&after=x")


@both_databases
def test_nobody_sees_further_than_they_may(
    app: Flask, district: SmallDistrict, hung: dict[str, str], log_in: LogIn
) -> None:
    own = page(log_in("handler"))
    assert "没扫灯" in own
    assert "远方灯" not in own
    assert "100%" not in own
    with unit_of_work():
        limited = make_staff("limited", district.command, Role.LEADER)
        limited.area_scope = ["990000002"]
    person = Person(app).sit_down(limited)
    far = page(person, "?area=990000001")
    assert "没扫灯" not in far
    assert "50%" not in far
    assert "远方灯" in page(person)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@both_databases
def test_the_list_is_taken_along_as_a_file(
    district: SmallDistrict, hung: dict[str, str], log_in: LogIn, kind: str
) -> None:
    manager = log_in("unit_manager")
    assert manager.post("/admin/facilities/scans/export", kind="pdf").status_code == 422
    answer = manager.post("/admin/facilities/scans/export", kind=kind)
    assert answer.status_code == 302
    jobs.run_errands_now()
    errand = db.session.scalars(select(Errand)).one()
    assert errand.outcome == {"written": 1}, "the other street's lamp is another unit's"
    content = manager.get(f"/admin/tasks/{errand.id}/file").get_data()
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    else:
        sheet = openpyxl.load_workbook(io.BytesIO(content)).active
        rows = [[str(cell or "") for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[0] == [t(f"scans.column.{name}") for name in
                       ("street", "type", "code", "name", "address", "unit", "token", "since", "state")]  # fmt: skip
    facility = db.session.scalars(select(Facility).where(Facility.name == "没扫灯")).one()
    assert rows[1][2:4] == [facility.code17, "没扫灯"]
    assert rows[1][6] == hung["没扫灯"]
    assert len(rows) == 2
    assert db.session.scalars(select(AuditEntry.action).where(AuditEntry.action == "facility.export_unscanned")).one()


def test_whoever_only_looks_takes_nothing_along(district: SmallDistrict, hung: dict[str, str], log_in: LogIn) -> None:
    verifier = log_in("verifier")
    assert "/admin/facilities/scans/export" not in verifier.get("/admin/facilities/scans").text
    assert verifier.post("/admin/facilities/scans/export", kind="csv").status_code == 403


@both_databases
def test_a_record_shows_how_often_it_was_scanned(district: SmallDistrict, hung: dict[str, str], log_in: LogIn) -> None:
    def record(name: str) -> str:
        code = db.session.scalars(select(Facility.code17).where(Facility.name == name)).one()
        return log_in("leader").get(f"/admin/facilities/{code}").text

    assert t("scans.card.total", n=1, days=30) in record("扫过灯")
    assert t("scans.card.last", day=scans.today()) in record("扫过灯")
    assert "<rect" in record("扫过灯").split('class="scan-days"')[1]
    assert t("scans.card.never") in record("没扫灯")


def test_wrong_codes_are_shown_to_administrators(district: SmallDistrict, log_in: LogIn) -> None:
    administrator = log_in("administrator")
    assert t("scans.no_guesses", days=30) in page(administrator)
    for _ in range(3):
        administrator.client.get("/f/GUESSED001")
    administrator.client.get("/api/v1/facilities/GUESSED001")
    assert "扫码网页 3 次，接口 1 次" in page(administrator)
    assert "试错" not in page(log_in("leader"))
