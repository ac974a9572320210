"""roster.csv: who is on duty and who stands in, from the folder."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select

from district import clock
from district.duty.models import DutyShift, UnitAbsence
from district.extensions import db
from district.units.models import Unit
from district.work import unit_of_work
from tests.district.loading.conftest import SpoiltFolder


def count() -> tuple[int, int]:
    shifts = db.session.scalar(select(func.count()).select_from(DutyShift)) or 0
    return shifts, db.session.scalar(select(func.count()).select_from(UnitAbsence)) or 0


def test_loading_replaces_what_it_brought_and_leaves_the_panels_rows(app: Flask, folder: SpoiltFolder) -> None:
    assert folder.load().counts["roster"]["created"] == 49
    assert count() == (48, 1)
    row = db.session.scalars(select(DutyShift).order_by(DutyShift.id)).first()
    assert row is not None
    assert (row.starts_at.astimezone(UTC), row.from_file) == (datetime(2026, 11, 23, 0, 30, tzinfo=UTC), True)
    with unit_of_work():
        now = clock.now()
        unit = db.session.scalars(select(Unit).where(Unit.code == "SZ")).one()
        db.session.add(
            DutyShift(unit_id=unit.id, name="临时", phone="1", starts_at=now, ends_at=datetime(2100, 1, 1, tzinfo=UTC))
        )
    folder.drop("roster.csv", "CMD")
    assert folder.load().counts["roster"] == {"created": 0, "updated": 0, "unchanged": 43, "retired": 6}
    assert count() == (43, 1)
    assert not folder.load().changed
    (folder.path / "roster.csv").unlink()
    folder.load()
    assert count() == (1, 0)


@pytest.mark.parametrize(
    ("column", "value", "part"),
    [
        ("unit_code", "XX", "units.csv has no 'XX'"),
        ("kind", "holiday", "'holiday'"),
        ("starts_at", "2026-13-01 08:30", "is not a time"),
        ("ends_at", "2026-11-01 08:30", "the end after the beginning"),
        ("ends_at", "", "empty"),
        ("phone", "", "empty"),
        ("name", "", "empty"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: SpoiltFolder, column: str, value: str, part: str) -> None:
    folder.put("roster.csv", 2, column, value)
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("roster.csv", 2, column)
    assert part in str(problem)
