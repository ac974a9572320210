"""The calendar's days as staff keep them: listed, added, removed, imported. None commits."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import delete, select

from district import audit, settings
from district.deadlines.models import CalendarDay
from district.errors import BadInput, NotFound
from district.extensions import db
from district.people.models import Staff
from district.words import clean

HOLIDAY, WORKDAY = "holiday", "workday"
KINDS = (HOLIDAY, WORKDAY)
COLUMNS = ["date", "kind", "name"]
LONGEST_NAME = 60
LARGEST_FILE = 200_000  # letters: a line has about thirty, a year about forty lines
# No holiday of the State Council is longer; more is a slip in the year.
LONGEST_RUN = 31


def years() -> list[int]:
    """The years of which days are known, newest first."""
    return sorted({day.year for day in db.session.scalars(select(CalendarDay.day))}, reverse=True)


def of_year(year: int) -> list[CalendarDay]:
    """The days of one year, in order."""
    query = select(CalendarDay).where(CalendarDay.day >= date(year, 1, 1), CalendarDay.day <= date(year, 12, 31))
    return list(db.session.scalars(query.order_by(CalendarDay.day)))


def add(by: Staff, *, first: date | None, last: date | None = None, kind: str, name: str) -> int:
    """Add a day, or every day from `first` to `last`; days that are there already are written anew. Returns how many.

    Raises BadInput, also where a year would have no working day left.
    """
    fields: dict[str, str] = {}
    name = clean(name)
    if first is None or (last is not None and not first <= last <= first + timedelta(days=LONGEST_RUN)):
        fields["day"] = "deadlines.problem.day"
    if kind not in KINDS:
        fields["kind"] = "deadlines.problem.kind"
    if not name:
        fields["name"] = "deadlines.problem.name_missing"
    elif len(name) > LONGEST_NAME:
        fields["name"] = "deadlines.problem.name_long"
    if fields or first is None:
        raise BadInput(fields=fields)
    days = [first + timedelta(days=n) for n in range(((last or first) - first).days + 1)]
    for day in days:
        _put(day, kind, name)
    _changed(by, "calendar.add", str(first), days=len(days), kind=kind)
    return len(days)


def remove(by: Staff, day: date) -> None:
    """Take a day out: it counts by its weekday again. Raises NotFound."""
    row = db.session.get(CalendarDay, day)
    if row is None:
        raise NotFound()
    db.session.delete(row)
    _changed(by, "calendar.remove", str(day))


@dataclass(frozen=True)
class FileProblem:
    """What is wrong with a file of days. key: a sentence; line: counted from 1."""

    key: str
    line: int = 0


class FileRefused(BadInput):
    """A file of days that cannot be read. Nothing was changed."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(fields={"file": problem.key})
        self.problem = problem


def read(text: str) -> dict[date, tuple[str, str]]:
    """The days of a CSV as calendar.csv of a district's folder has them: {day: (kind, name)}. Raises FileRefused."""
    rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff")[:LARGEST_FILE])))
    if not rows or [column.strip() for column in rows[0]] != COLUMNS:
        raise FileRefused(FileProblem("deadlines.problem.file_columns", 1))
    found: dict[date, tuple[str, str]] = {}
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            day_text, kind, name = (clean(cell) for cell in row)
            day = date.fromisoformat(day_text)
        except ValueError:
            raise FileRefused(FileProblem("deadlines.problem.file_row", line)) from None
        if kind not in KINDS or not name or len(name) > LONGEST_NAME:
            raise FileRefused(FileProblem("deadlines.problem.file_row", line))
        if day in found:
            raise FileRefused(FileProblem("deadlines.problem.file_twice", line))
        found[day] = (kind, name)
    if not found:
        raise FileRefused(FileProblem("deadlines.problem.file_empty", 1))
    return found


def bring(by: Staff, days: Mapping[date, tuple[str, str]]) -> list[int]:
    """Make each year that `days` names consist of just these days; other years stay. Returns the years."""
    replaced = sorted({day.year for day in days})
    for year in replaced:
        db.session.execute(
            delete(CalendarDay).where(CalendarDay.day >= date(year, 1, 1), CalendarDay.day <= date(year, 12, 31))
        )
    for day, (kind, name) in sorted(days.items()):
        db.session.add(CalendarDay(day=day, kind=kind, name=name))
    _changed(by, "calendar.import", ",".join(map(str, replaced)), days=len(days))
    return replaced


def _put(day: date, kind: str, name: str) -> None:
    row = db.session.get(CalendarDay, day)
    if row is None:
        db.session.add(CalendarDay(day=day, kind=kind, name=name))
    else:
        row.kind, row.name = kind, name


def _changed(by: Staff, action: str, subject: str, **detail: object) -> None:
    """Every process reads the calendar again, and the job works the deadlines out anew."""
    db.session.flush()
    settings.changed("settings")
    audit.record(by, action, f"calendar:{subject}", **detail)
