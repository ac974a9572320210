"""The audit log: found by person, action, object and time; taken along as a file that calculates nothing."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from district import audit, clock, sheets
from district.extensions import db
from district.people.models import AuditEntry
from district.people.roles import Role
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.factories import SmallDistrict, make_facility, make_report, make_staff


def exported(person: Person, **narrowed: str) -> list[dict[str, str]]:
    answer = person.post("/admin/audit/export", **narrowed)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    text = answer.get_data().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def acts(district: SmallDistrict) -> dict[str, str]:
    """Somebody of each kind did something: report, facility, account."""
    report = make_report(district, Status.SUBMITTED)
    with unit_of_work():
        facility = make_facility(district.lamps)
        audit.record(district.staff["dispatcher"], "report.assign", f"report:{report.id}")
        audit.record(district.staff["dispatcher"], "report.comment", f"report:{report.id}")
        audit.record(district.staff["verifier"], "facility.note", f"facility:{facility.id}")
        audit.record(district.staff["administrator"], "staff.end", f"staff:{district.staff['street'].id}")
        code = facility.code17
    with clock.frozen_at(clock.now() - timedelta(days=3)), unit_of_work():
        audit.record(district.staff["verifier"], "report.verify", f"report:{report.id}")
    return {"report": report.number, "facility": code}


@pytest.mark.parametrize(
    ("narrowed", "said"),
    [
        ({}, ["核查通过", "停用账号", "记备注", "写备注", "派遣"]),
        ({"what": "report"}, ["核查通过", "写备注", "派遣"]),
        ({"what": "report.assign"}, ["派遣"]),
        ({"what": "facility"}, ["记备注"]),
        ({"who": "dispatcher"}, ["写备注", "派遣"]),
        ({"report": "report"}, ["核查通过", "写备注", "派遣"]),
        ({"report": "facility"}, ["记备注"]),
        ({"report": "street"}, ["停用账号"]),
        ({"report": "no-such-thing"}, []),
        ({"since": "today"}, ["停用账号", "记备注", "写备注", "派遣"]),
        ({"until": "yesterday"}, ["核查通过"]),
        ({"who": "verifier", "what": "report"}, ["核查通过"]),
    ],
)
def test_the_file_holds_what_the_page_is_narrowed_to(
    district: SmallDistrict, log_in: LogIn, acts: dict[str, str], narrowed: dict[str, str], said: list[str]
) -> None:
    today = clock.now().astimezone()
    filled = {
        name: acts.get(value, value) if name == "report"
        else str(district.staff[value].id) if name == "who"
        else f"{today - timedelta(days=value == 'yesterday'):%Y-%m-%d}" if name in ("since", "until")
        else value
        for name, value in narrowed.items()
    }  # fmt: skip
    inspector = log_in("inspector")
    page = inspector.get("/admin/audit", query_string=filled)
    assert page.text.count("<td data-label") == 4 * len(said)
    rows = exported(inspector, **filled)
    # The page had not yet the line that the export itself writes.
    assert [row["操作"] for row in rows if row["操作"] != "导出操作记录"] == said


def test_who_took_the_log_along_is_in_the_log(district: SmallDistrict, log_in: LogIn, acts: dict[str, str]) -> None:
    exported(log_in("inspector"), what="report.assign", report=acts["report"])
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "audit.export")).one()
    assert entry.staff_id == district.staff["inspector"].id
    assert entry.detail["narrowed"]["action"] == "report.assign"
    assert entry.detail["narrowed"]["subject"].startswith("report:")
    assert "导出操作记录" in log_in("leader").get("/admin/audit?what=audit").text


def test_a_leader_reads_and_does_not_take_along(log_in: LogIn) -> None:
    leader = log_in("leader")
    assert "/admin/audit/export" not in leader.get("/admin/audit").text
    assert leader.post("/admin/audit/export").status_code == 403


def test_a_name_cannot_become_a_formula(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        odd = make_staff("odd", district.lamps, Role.HANDLER)
        odd.name = '=HYPERLINK("http://evil.test","x")'
        audit.record(odd, "report.comment", "report:1")
    (row,) = exported(log_in("administrator"), who=str(odd.id))
    assert row["人员"] == '\'=HYPERLINK("http://evil.test","x")'


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_calculated(cell: str) -> None:
    (read,) = csv.reader(io.StringIO(sheets.line([cell, "x"]), newline=""))
    assert read == [f"'{cell}", "x"]


def test_a_long_log_is_written_whole_and_in_order(district: SmallDistrict, log_in: LogIn) -> None:
    """Longer than one page of it is read at a time."""
    with unit_of_work():
        db.session.add_all(
            AuditEntry(at=clock.now(), staff_id=None, action="model.use", subject=f"model:{number}", detail={})
            for number in range(10_000, 11_203)
        )
    rows = exported(log_in("administrator"), what="model")
    assert [row["对象"] for row in rows] == [f"model:{number}" for number in range(11_202, 9_999, -1)]
