"""A list of reports as a file: what is in it, what is not, and for whom."""

from __future__ import annotations

import csv
import gc
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from district import clock, jobs, sealed
from district.errands.models import Errand, ErrandState
from district.extensions import db
from district.lists import export
from district.people.models import AuditEntry
from district.reports import queries
from district.reports import service as reports
from district.reports.models import Report
from district.reports.queries import Box, Filters, Queue
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report

PHONE = "13812345678"


def put(report: Report, **values: Any) -> str:
    with unit_of_work():
        found = db.session.get_one(Report, report.id)
        for name, value in values.items():
            setattr(found, name, value)
        return found.number


def fetch(person: Person, **fields: Any) -> bytes:
    """Ask as the page's form does, let it be written, and fetch it."""
    asked = person.post("/admin/export", **({"file": "csv", "cols": ["number"]} | fields))
    assert asked.status_code == 302, words_of(asked)
    assert jobs.run_errands_now() == 1
    answer = person.get(f"{asked.location}/file")
    assert answer.status_code == 200, words_of(person.get(asked.location))
    return answer.data


def lines_of(data: bytes) -> list[list[str]]:
    assert data.startswith(b"\xef\xbb\xbf"), "a spreadsheet would not see that it is UTF-8"
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))


def cells_of(data: bytes, sheet: int = 1) -> list[list[tuple[str, str]]]:
    """The lines of a sheet, each cell as (kind, value): `n` number, `inlineStr` words."""
    with ZipFile(io.BytesIO(data)) as book:
        tree = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    return [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.findall("x:c", space)]
        for row in tree.iterfind(".//x:row", space)
    ]


@both_databases
def test_the_whole_list_with_its_columns_and_no_more(district: SmallDistrict, log_in: LogIn) -> None:
    wanted = [make_report(district, Status.ASSIGNED).number for _ in range(3)]
    make_report(district, Status.TRIAGE)
    person, lamps = log_in("dispatcher"), district.lamps.name
    page = person.get("/admin/export?tab=accept&cols=number.unit")
    assert "目前 3 件" in words_of(page)
    assert 'value="unit" checked' in page.text
    lines = lines_of(fetch(person, tab="accept", cols=["unit", "number", "submitted", "photo"]))
    assert lines[0] == ["责任单位", "编号", "上报时间"]
    assert [line[1] for line in lines[1:]] == wanted[::-1]
    assert {line[0] for line in lines[1:]} == {lamps}
    newest = db.session.scalars(select(Report).where(Report.number == wanted[-1])).one()
    local = newest.submitted_at.astimezone(export.zone())
    assert datetime.fromisoformat(lines[1][2]).replace(tzinfo=local.tzinfo) == local.replace(microsecond=0)
    assert "共 3 件" in words_of(person.get("/admin/tasks"))


@both_databases
def test_only_the_ticked_ones_and_only_what_is_seen(district: SmallDistrict, log_in: LogIn) -> None:
    one, two = (make_report(district, Status.ASSIGNED).number for _ in range(2))
    foreign = make_report(district, Status.TRIAGE).number
    handler, street = log_in("handler"), log_in("street")
    assert "导出选中的 2 件" in words_of(handler.get("/admin/export", query_string={"row": [one, foreign]}))
    assert lines_of(fetch(handler, row=[one, foreign]))[1:] == [[one]]
    assert {line[0] for line in lines_of(fetch(handler, tab="all"))[1:]} == {one, two}
    assert lines_of(fetch(street, tab="all"))[1:] == []


def test_what_points_to_a_person_stays_out_unless_it_is_asked_for_by_somebody_who_may(
    district: SmallDistrict, log_in: LogIn
) -> None:
    number = put(
        make_report(district, Status.ASSIGNED), description=f"路灯不亮，请打{PHONE}",
        contact_sealed=sealed.seal(PHONE),
    )  # fmt: skip
    acceptor, leader = log_in("acceptor"), log_in("leader")
    columns = ["number", "description"]
    assert PHONE not in fetch(acceptor, tab="all", cols=columns).decode()
    lines = lines_of(fetch(acceptor, tab="all", cols=columns, contact="1"))
    assert lines[0][-1] == "联系方式"
    assert lines[1] == [number, f"路灯不亮，请打{PHONE}", PHONE]
    noted = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "report.contacts_exported")).all()
    assert [entry.detail["contacts"] for entry in noted] == [1]

    assert 'name="contact"' not in leader.get("/admin/export").text
    data = fetch(leader, tab="all", cols=columns, contact="1").decode()
    assert PHONE not in data
    assert "联系方式" not in data
    asked = select(AuditEntry).where(AuditEntry.action == "report.export").order_by(AuditEntry.id)
    assert [entry.detail["contact"] for entry in db.session.scalars(asked)] == [False, True, False]


def test_a_unit_exports_the_contacts_of_its_own_reports_only(district: SmallDistrict, log_in: LogIn) -> None:
    own = put(make_report(district, Status.ASSIGNED), contact_sealed=sealed.seal(PHONE))
    helped = make_report(district, Status.SUBMITTED)
    with unit_of_work():
        reports.assign(
            reports.lock(helped.id), district.street.id, by=district.staff["dispatcher"],
            other_units=[(district.lamps.id, "co")],
        )  # fmt: skip
    helped_number = put(helped, contact_sealed=sealed.seal("13900000000"))
    lines = lines_of(fetch(log_in("handler"), tab="all", contact="1"))
    assert sorted(lines[1:]) == sorted([[own, PHONE], [helped_number, ""]])


def test_nothing_in_a_file_is_calculated(district: SmallDistrict, log_in: LogIn) -> None:
    put(make_report(district, Status.ASSIGNED), description="=HYPERLINK(1)", address="@SUM(A1)")
    person = log_in("dispatcher")
    assert lines_of(fetch(person, cols=["description", "place"], tab="all"))[1] == ["'=HYPERLINK(1)", "'@SUM(A1)"]
    data = fetch(person, cols=["description", "place"], tab="all", file="xlsx")
    assert cells_of(data)[1] == [("inlineStr", "=HYPERLINK(1)"), ("inlineStr", "@SUM(A1)")]
    with ZipFile(io.BytesIO(data)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_a_workbook_holds_numbers_and_moments_of_the_district(
    district: SmallDistrict, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = clock.now().replace(microsecond=0)
    for count in (2, 3):
        put(make_report(district, Status.ASSIGNED), reopen_count=count, submitted_at=at)
    monkeypatch.setattr(export, "MOST_LINES", 1)
    data = fetch(log_in("dispatcher"), tab="all", file="xlsx", cols=["reopened", "submitted", "facility"])
    days = (at.astimezone(export.zone()).replace(tzinfo=None) - datetime(1899, 12, 30)).total_seconds() / 86400  # noqa: DTZ001 - as Excel counts
    for sheet, count in ((1, "3"), (2, "2")):
        heads, line = cells_of(data, sheet)
        assert [words for _, words in heads] == ["重开次数", "上报时间", "设施编码"]
        assert line[0] == ("n", count)
        assert line[1][0] == "n"
        assert float(line[1][1]) == pytest.approx(days, abs=1 / 86400)
        assert len(line) == 2


def test_a_long_list_is_read_by_key_and_tells_how_far_it_is(
    district: SmallDistrict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        make_report(district, Status.ASSIGNED)
    monkeypatch.setattr(export, "BATCH", 2)
    said: list[tuple[int, int | None]] = []
    asked = export.Asked("csv", ("number",), Filters())
    staff_id = district.staff["dispatcher"].id
    made = tmp_path / "made.csv"
    assert export.write(made, asked, staff_id, lambda done, total: said.append((done, total))) == (5, 0)
    assert said == [(2, 5), (4, 5), (5, 5)]
    assert len(set(made.read_text().splitlines())) == 6
    # One batch is in memory, never all.
    gc.collect()
    assert [one for one in db.session if isinstance(one, Report)] == []


def test_what_was_asked_survives_the_way_through_the_database() -> None:
    now = clock.now()
    filters = Filters(
        queues=(Queue.ACCEPT,), statuses=(Status.CLOSED,), since=now, closed_until=now, unit_ids=(2, 1),
        category_ids=frozenset({5}), words="路灯", overdue=True, has_photo=False, rating="low", category_id=7,
        box=Box(1, 2, 3, 4),
    )  # fmt: skip
    asked = export.Asked("xlsx", ("number", "unit"), filters, ("BH1",), True)
    again = export.Asked.of_plain(json.loads(json.dumps(asked.plain())))
    assert (again.file, again.columns, again.numbers, again.with_contact) == (
        "xlsx",
        ("number", "unit"),
        ("BH1",),
        True,
    )
    for name in ("queues", "statuses", "since", "closed_until", "box", "words", "overdue", "has_photo", "rating"):
        assert getattr(again.filters, name) == getattr(filters, name), name
    assert set(again.filters.unit_ids) == {1, 2}
    assert set(again.filters.category_ids) == {5}
    assert str(queries.narrowed(select(Report.id), again.filters)) == str(queries.narrowed(select(Report.id), filters))


def test_what_cannot_be_written_is_said(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("dispatcher")
    for fields, said in (
        ({"file": "exe", "cols": ["number"]}, "请选择文件格式"),
        ({"file": "csv"}, "请至少选择一列"),
        ({"file": "csv", "cols": ["photo"]}, "请至少选择一列"),
    ):
        answer = person.post("/admin/export", **fields)
        assert answer.status_code == 422
        assert said in words_of(answer)
    assert db.session.scalars(select(Errand)).all() == []


def test_somebody_who_has_left_gets_nothing(district: SmallDistrict, log_in: LogIn) -> None:
    make_report(district, Status.ASSIGNED)
    person = log_in("dispatcher")
    asked = person.post("/admin/export", file="csv", cols=["number"])
    with unit_of_work():
        district.staff["dispatcher"].left_at = clock.now()
    jobs.run_errands_now()
    db.session.expire_all()
    (errand,) = db.session.scalars(select(Errand))
    assert errand.state == ErrandState.FAILED
    assert re.search(r"/admin/tasks/\d+$", asked.location)
