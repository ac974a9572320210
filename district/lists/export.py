"""A list of reports as a file: streamed by key, in the memory of one batch, whatever its length.

What is in it is what the person who asked sees when it is written. Residents' telephone numbers and names are in it
only where that person may read them and has asked for them; in words that people have written, what points to a person
is left out otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import func, select
from xlsxwriter import Workbook

from district import audit, clock, sealed, sheets
from district.errors import BadInput
from district.extensions import db
from district.lists.columns import BY_NAME, WRITTEN, Beside, Column, Value, beside
from district.messages import t
from district.people.models import Staff
from district.reports import queries, sight
from district.reports.models import Report
from district.reports.queries import Box, Filters, Queue
from district.reports.states import Status
from district.understanding.personal import without_personal

CSV, XLSX = "csv", "xlsx"
MIMES = {CSV: "text/csv", XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
BATCH = 500
# A sheet of a workbook holds 1,048,576 lines (Excel's limit); the rest goes to the next sheet.
MOST_LINES = 1_000_000
# A cell of a workbook holds so many letters (Excel's limit).
_MOST_LETTERS = 32_000
# How far somebody sees is worked out when the file is written, never taken from what was asked.
_BY_SIGHT = frozenset({"units", "areas", "verifier_unit_id"})
_MOMENTS = frozenset({"since", "until", "closed_since", "closed_until"})


@dataclass(frozen=True)
class Asked:
    """What somebody wants as a file. columns: names. numbers: of the ticked reports; empty for the whole list."""

    file: str
    columns: tuple[str, ...]
    filters: Filters
    numbers: tuple[str, ...] = ()
    with_contact: bool = False

    def plain(self) -> dict[str, Any]:
        """As plain JSON, with what differs from an empty filter only."""
        filters = {}
        for one in fields(Filters):
            value = getattr(self.filters, one.name)
            if one.name not in _BY_SIGHT and value != one.default:
                filters[one.name] = _plain(value)
        return {
            "file": self.file, "columns": list(self.columns), "filters": filters, "numbers": list(self.numbers),
            "with_contact": self.with_contact,
        }  # fmt: skip

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Asked:
        """What `plain` gave."""
        found = {name: _read(name, value) for name, value in plain["filters"].items()}
        return cls(
            plain["file"], tuple(plain["columns"]), Filters(**found), tuple(plain["numbers"]), plain["with_contact"]
        )


def checked(asked: Asked, *, by: Staff) -> Asked:
    """`asked`, when it can be done: a known kind of file and at least one column. Raises BadInput.

    Contacts are left out for somebody who may not read them.
    """
    columns = tuple(name for name in asked.columns if name in BY_NAME and not BY_NAME[name].is_picture)
    if asked.file not in MIMES:
        raise BadInput(fields={"file": "lists.export.choose_file"})
    if not columns:
        raise BadInput(fields={"cols": "lists.export.choose_columns"})
    return replace(asked, columns=columns, with_contact=asked.with_contact and may_ask_contact(by))


def may_ask_contact(staff: Staff) -> bool:
    """Whether there are reports whose resident's telephone number this person may read."""
    return bool(staff.roles & (sight.READS_CONTACT | sight.OF_A_UNIT))


def zone() -> ZoneInfo:
    """The district's time zone."""
    return ZoneInfo(current_app.config["DISTRICT_TIMEZONE"])


def write(path: Path, asked: Asked, staff_id: int, say: Callable[[int, int | None], None]) -> tuple[int, int]:
    """Write the file; (how many reports it holds, how many contacts). say: told after each batch how far it is.

    Opens a short transaction for each batch, none while the file is written.
    """
    columns = [BY_NAME[name] for name in asked.columns]
    heads = [column.head for column in columns] + ([t("lists.export.contact")] if asked.with_contact else [])
    staff = db.session.get_one(Staff, staff_id)
    seen = sight.sight_of(staff)
    filters = replace(asked.filters, units=seen.units, areas=seen.areas, verifier_unit_id=staff.unit_id)
    total = len(asked.numbers) or _count(filters)
    db.session.rollback()
    rows = contacts = 0
    now = clock.now()
    widths = [column.width for column in columns]
    with closing(_book(path, asked.file, heads, widths)) as book:
        for batch in _batches(asked, filters):
            staff = db.session.get_one(Staff, staff_id)
            if asked.numbers:
                batch = [report for report in batch if sight.may_see(staff, report)]
            lines, found = _lines(batch, columns, beside(batch, set(asked.columns), now=now), asked, staff)
            # The session keeps nothing that nobody holds: only one batch is ever in memory.
            db.session.rollback()
            for line in lines:
                book.add(line)
            rows, contacts = rows + len(lines), contacts + found
            say(rows, max(total, rows))
    return rows, contacts


def note_contacts(staff: Staff, errand_id: int, contacts: int) -> None:
    """Whoever has read so many telephone numbers at once is in the audit log."""
    audit.record(staff, "report.contacts_exported", f"errand:{errand_id}", contacts=contacts)


def _count(filters: Filters) -> int:
    return db.session.scalar(queries.narrowed(select(func.count()).select_from(Report), filters)) or 0


def _batches(asked: Asked, filters: Filters) -> Iterator[Sequence[Report]]:
    if asked.numbers:
        for start in range(0, len(asked.numbers), BATCH):
            found = queries.by_numbers(asked.numbers[start : start + BATCH])
            yield sorted(found, key=lambda report: -report.id)
        return
    before: int | None = None
    while True:
        page = queries.newest(filters, before=before, limit=BATCH)
        before = page.next_before
        yield page.reports
        if before is None:
            return


def _lines(
    batch: Sequence[Report], columns: Sequence[Column], seen: Beside, asked: Asked, staff: Staff
) -> tuple[list[list[Value]], int]:
    lines: list[list[Value]] = []
    contacts = 0
    for report in batch:
        line = [_cell(column, report, seen, asked.with_contact) for column in columns]
        if asked.with_contact:
            contact = ""
            if report.contact_sealed and sight.may_read_contact(staff, report):
                contact = sealed.open_sealed(report.contact_sealed)
                contacts += 1
            line.append(contact)
        lines.append(line)
    return lines, contacts


def _cell(column: Column, report: Report, seen: Beside, with_contact: bool) -> Value:
    value = column.value(report, seen)
    if isinstance(value, str) and column.name in WRITTEN and not with_contact:
        return without_personal(value)
    return value


# ---------------------------------------------------------------- the two kinds of file


class _Book(Protocol):
    def add(self, line: Sequence[Value]) -> None: ...

    def close(self) -> None: ...


def _book(path: Path, kind: str, heads: Sequence[str], widths: Sequence[int]) -> _Book:
    return _Csv(path, heads) if kind == CSV else _Xlsx(path, heads, widths)


class _Csv:
    """With a mark at its beginning, by which spreadsheets see that it is UTF-8."""

    def __init__(self, path: Path, heads: Sequence[str]) -> None:
        self._zone = zone()
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self.add(heads)

    def add(self, line: Sequence[Value]) -> None:
        self._file.write(sheets.line([self._words(value) for value in line]))

    def close(self) -> None:
        self._file.close()

    def _words(self, value: Value) -> str:
        if isinstance(value, datetime):
            return f"{value.astimezone(self._zone):%Y-%m-%d %H:%M:%S}"
        return "" if value is None else str(value)


class _Xlsx:
    """Lines go to a file of their own as they come and are packed at the end: memory stays as it is."""

    def __init__(self, path: Path, heads: Sequence[str], widths: Sequence[int]) -> None:
        self._zone, self._heads, self._widths = zone(), heads, widths
        self._book = Workbook(
            str(path),
            {
                "constant_memory": True,
                "tmpdir": str(path.parent),
                "strings_to_formulas": False,
                "strings_to_urls": False,
            },
        )
        self._bold = self._book.add_format({"bold": True, "bg_color": "#E5F4EB", "border": 1})
        self._moment = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._sheets = 0
        self._begin()

    def _begin(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(t("lists.export.sheet", n=self._sheets))
        for place, width in enumerate(self._widths):
            self._sheet.set_column(place, place, width)
        self._sheet.freeze_panes(1, 0)
        self._line = 0
        for place, head in enumerate(self._heads):
            self._sheet.write_string(0, place, head, self._bold)

    def add(self, line: Sequence[Value]) -> None:
        if self._line >= MOST_LINES:
            self._begin()
        self._line += 1
        for place, value in enumerate(line):
            if isinstance(value, datetime):
                local = value.astimezone(self._zone).replace(tzinfo=None)
                self._sheet.write_datetime(self._line, place, local, self._moment)
            elif isinstance(value, int):
                self._sheet.write_number(self._line, place, value)
            elif value:
                self._sheet.write_string(self._line, place, value[:_MOST_LETTERS])

    def close(self) -> None:
        self._book.close()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Box):
        return [value.west, value.south, value.east, value.north]
    if isinstance(value, bool | int | str):
        return value
    return sorted(value)


def _read(name: str, value: Any) -> Any:
    if name in _MOMENTS:
        return datetime.fromisoformat(value)
    if name == "box":
        return Box(*value)
    if name == "queues":
        return tuple(Queue(one) for one in value)
    if name == "statuses":
        return tuple(Status(one) for one in value)
    return tuple(value) if isinstance(value, list) else value
