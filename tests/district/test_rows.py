"""Rows written past the session: whole, in its transaction, and in one statement for each table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError

from district import clock
from district.extensions import db
from district.notifications.models import Notification
from district.reports import service as reports
from district.reports.models import EventKind, Report, ReportEvent, ReportUnit
from district.rows import batch, insert_values, put, send
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report

pytestmark = both_databases


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def line(report: Report, note: str) -> dict[str, Any]:
    return {
        "report_id": report.id, "at": clock.now(), "kind": EventKind.COMMENTED, "actor": "system", "note": note,
        "data": {"word": "路灯"},
    }  # fmt: skip


def notes(report: Report) -> list[str]:
    query = select(ReportEvent.note).where(ReportEvent.report_id == report.id, ReportEvent.kind == "commented")
    return list(db.session.scalars(query.order_by(ReportEvent.id)))


@contextmanager
def statements(beginning: str) -> Iterator[list[str]]:
    """The statements sent that begin so."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(beginning):
            seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def test_a_put_row_is_there_at_once_with_its_defaults(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        put(ReportEvent, **line(report, "一句"))
        row = db.session.scalars(select(ReportEvent).where(ReportEvent.note == "一句")).one()
        assert (row.is_public, row.staff_id, row.data) == (True, None, {"word": "路灯"})


def test_a_row_goes_with_its_transaction(district: SmallDistrict) -> None:
    report = make_report(district)
    with pytest.raises(RuntimeError), unit_of_work():
        put(ReportEvent, **line(report, "一句"))
        insert_values(ReportEvent, **line(report, "两句"))
        raise RuntimeError
    assert notes(report) == []


def test_what_cannot_be_kept_is_refused(district: SmallDistrict) -> None:
    report = make_report(district)
    with pytest.raises(KeyError, match="words"), unit_of_work():
        insert_values(ReportEvent, **line(report, "一句"), words="no such column")
    with pytest.raises(ValueError, match="naive"), unit_of_work():
        insert_values(ReportEvent, **line(report, "一句") | {"at": datetime(2026, 11, 27)})  # noqa: DTZ001
    assert notes(report) == []


def test_a_statement_goes_straight_to_the_driver(district: SmallDistrict) -> None:
    report = make_report(district)
    with unit_of_work():
        key = insert_values(ReportEvent, **line(report, "一句"))
        assert send("select note from report_event where id = ?", [key]) == [("一句",)]
        assert send("update report_event set note = ? where id = ?", ["改了", key]) == []
    assert notes(report) == ["改了"]


def test_a_batch_writes_each_table_once(district: SmallDistrict) -> None:
    made = [make_report(district) for _ in range(3)]
    before = {report.id: report.version for report in made}
    numbers = [report.number for report in made]
    with unit_of_work(), statements("INSERT") as inserts, statements("UPDATE") as updates:
        locked = [reports.lock(report.id) for report in made]
        with batch():
            for report in locked:
                report.address = f"人民路{report.id}号"
                put(ReportEvent, **line(report, "一句"))
                put(ReportEvent, **line(report, "两句"))
                put(ReportUnit, report_id=report.id, unit_id=district.street.id, role="co")
            assert (inserts, updates) == ([], [])
        assert (len(inserts), len(updates)) == (2, 1)
        assert [report.address for report in locked] == [f"人民路{report.id}号" for report in made]
    db.session.remove()
    for report in db.session.scalars(select(Report).order_by(Report.id)):
        assert report.number in numbers
        assert report.version == before[report.id] + 1
        assert report.address == f"人民路{report.id}号"
        assert notes(report) == ["一句", "两句"]
        assert [row.role for row in report.other_units] == ["co"]


def test_rows_whose_other_columns_changed_keep_what_they_had(district: SmallDistrict) -> None:
    first, second, third = (make_report(district) for _ in range(3))
    words = third.description
    with unit_of_work(), batch():
        reports.lock(first.id).address = "甲"
        reports.lock(second.id).description = "乙"
        reports.lock(third.id)
    assert (first.address, second.address, third.address) == ("甲", "", "")
    assert (first.description, second.description, third.description) == (words, "乙", words)
    assert first.version == second.version == third.version + 1


def test_a_batch_that_fails_writes_nothing(district: SmallDistrict) -> None:
    report = make_report(district)
    with pytest.raises(RuntimeError), unit_of_work(), batch():
        put(ReportEvent, **line(report, "一句"))
        reports.lock(report.id).address = "甲"
        raise RuntimeError
    assert (notes(report), reports.find(report.number).address) == ([], "")
    with unit_of_work():
        put(ReportEvent, **line(report, "以后的"))
    assert notes(report) == ["以后的"], "a later row must not wait for a batch that is over"


def test_the_database_still_refuses_half_a_row(district: SmallDistrict) -> None:
    report = make_report(district)
    with pytest.raises(IntegrityError), unit_of_work(), batch():
        reports.lock(report.id).unit_id = district.street.id
    with pytest.raises(IntegrityError), unit_of_work(), batch():
        put(Notification, report_id=report.id, resident_id=None, kind="x", params={}, created_at=clock.now())
    assert reports.find(report.number).unit_id is None
