"""Facilities taken over from a file, batch by batch: what is right goes in, what is wrong is explained row by row.

A row is known by its code. So a file may be loaded again, whole or mended, after an interruption or by mistake: what is
there already stays as it is, and nothing is entered twice. Each batch is the caller's one unit of work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Table, bindparam, insert, or_, select, text, update

from district import audit, clock, settings
from district.extensions import db
from district.facilities.models import Facility
from district.people.models import Staff
from district.reference import reference
from district.register.checks import COLUMN, Checked, Known, Problem, is_same_place
from district.register.columns import Plan
from district.register.models import FacilityEdit, plain
from district.register.refused import ErrorFile
from district.register.sources import RawRow, Source
from district.register.words import words_of

BATCH = 1000
# Shown beside the form; the error file has all of them.
MOST_SHOWN = 50
# What a record may say; the rest of the row is kept up by the application.
KEPT = (
    "code", "code17", "code_scheme", "type_id", "name", "address", "latitude", "longitude", "area_code", "grid_code",
    "owner_unit_id", "maintainer_unit_id", "contract_from", "contract_to", "emergency_phone", "state", "installed_on",
    "is_smart", "source",
)  # fmt: skip
_AT_FIRST: dict[str, Any] = {
    "address": "", "area_code": "", "grid_code": "", "owner_unit_id": None, "maintainer_unit_id": None,
    "contract_from": None, "contract_to": None, "emergency_phone": "", "state": "intact", "installed_on": None,
    "is_smart": False, "source": "",
}  # fmt: skip


@dataclass
class Tally:
    """What became of the rows. problems: the first MOST_SHOWN."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("read", "created", "updated", "unchanged", "refused")}
        return counts | {"problems": [[one.number, one.words()] for one in self.problems]}


class Loading:
    """One file on its way into the register.

    by: whose act it is, None for the operator's command. name: the file's, for the history.
    dry_run: everything is checked and counted, nothing is written.
    """

    def __init__(
        self,
        source: Source,
        plan: Plan,
        *,
        by: int | None,
        name: str,
        errors: ErrorFile | None = None,
        dry_run: bool = False,
    ) -> None:
        self.source, self.plan, self.by, self.name = source, plan, by, name[:200]
        self.errors, self.dry_run = errors, dry_run
        self.tally = Tally()
        self._places = {field_: source.headings.index(heading) for field_, heading in plan.columns.items()}
        # A file of a private, temporary database: which codes came before, however many they are.
        self._seen = sqlite3.connect("")
        self._seen.execute("create table seen (code text primary key, number integer) without rowid")

    def batches(self) -> Iterator[list[RawRow]]:
        """The file's rows. Give each batch to `take`. Raises BadInput where the file is broken."""
        rows = self.source.rows()
        while batch := list(islice(rows, BATCH)):
            yield batch

    def take(self, batch: Sequence[RawRow]) -> None:
        """Check these rows and, unless it is a dry run, write those that are right; inside a unit of work."""
        known = Known(reference())
        checked = [(row, Checked(row.number, self._given(row), known, self.plan.datum)) for row in batch]
        if not self.dry_run and db.session.get_bind().dialect.name == "postgresql":
            # Two loads at once would enter the same codes. On SQLite the unit of work already is alone.
            db.session.execute(text("select pg_advisory_xact_lock(hashtext('bihuan facilities'))"))
        there = self._there([one for _, one in checked])
        new: list[dict[str, Any]] = []
        changed: list[tuple[int, dict[str, Any], dict[str, Any]]] = []
        for row, one in checked:
            self.tally.read += 1
            before = self._meets(one, there)
            values = whole_record(one, before) if not one.problems else {}
            if one.problems:
                self._refuse(row, one.problems)
            elif before is None:
                new.append(values)
            elif all(before[name] == values[name] for name in KEPT):
                self.tally.unchanged += 1
            else:
                changed.append((before["id"], {name: before[name] for name in (*KEPT, "version")}, values))
        self.tally.created += len(new)
        self.tally.updated += len(changed)
        if not self.dry_run and (new or changed):
            self._write(new, changed)
            settings.changed("facilities")

    def finish(self) -> None:
        """Write down that it was done; inside a unit of work, after the last batch."""
        counts = {name: number for name, number in self.tally.as_json().items() if name != "problems"}
        by = db.session.get(Staff, self.by) if self.by is not None else None
        audit.record(by, "facility.import", f"staff:{by.id}" if by else "command:import", file=self.name, **counts)

    def _given(self, row: RawRow) -> dict[str, str]:
        return {name: row.cells[place] for name, place in self._places.items()}

    def _there(self, checked: Sequence[Checked]) -> dict[str, Mapping[str, Any]]:
        """What the register has under these codes, retired ones as well, by each of the two."""
        facility = _table()
        codes = {str(one.values[name]) for one in checked for name in ("code", "code17") if name in one.values}
        query = select(*(column for column in facility.c if column.name != "words")).where(
            or_(facility.c.code.in_(codes), facility.c.code17.in_(codes))
        )
        if not self.dry_run:
            # In one order, so that two who change the same wait for each other and no more.
            query = query.order_by(facility.c.id).with_for_update()
        found: dict[str, Mapping[str, Any]] = {}
        for row in db.session.execute(query).mappings():
            found[row["code"]] = found[row["code17"]] = dict(row)
        return found

    def _meets(self, one: Checked, there: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The facility that this row is about; None for a new one. Notes what stands in the way."""
        if "code17" not in one.values:
            return None
        given = {one.values[name]: name for name in ("code17", "code") if name != one.derived}
        meant = {there[code]["id"]: there[code] for code in given if code in there}
        before = next(iter(meant.values()), None)
        if len(meant) > 1 or (before is None and one.derived and one.values[one.derived] in there):
            one.wrong("code_other", "code_of_another", value=one.values["code"])
        elif before is not None and before["retired_at"] is not None:
            one.wrong("code", "code_retired")
        # A facility is named by one row alone, and no two rows name the same code for different ones.
        names = {before["code17"] if before is not None else one.values["code17"], *given}
        for name in names:
            earlier = self._seen.execute("select number from seen where code = ?", (name,)).fetchone()
            if earlier is not None:
                one.wrong("code", "code_twice", number=earlier[0])
                return before
        self._seen.executemany("insert into seen values (?, ?)", [(name, one.number) for name in names])
        return before

    def _refuse(self, row: RawRow, problems: Sequence[Problem]) -> None:
        self.tally.refused += 1
        room = MOST_SHOWN - len(self.tally.problems)
        self.tally.problems += problems[:room]
        if self.errors is not None:
            self.errors.add(row, [one.words() for one in problems])

    def _write(
        self, new: Sequence[dict[str, Any]], changed: Sequence[tuple[int, dict[str, Any], dict[str, Any]]]
    ) -> None:
        facility, connection, now = _table(), db.session.connection(), clock.now()
        codes, edits = _Codes(), []
        if new:
            connection.execute(
                insert(facility),
                [
                    values | {"version": 1, "words": words_of(values["name"], values["address"], connection.dialect)}
                    for values in new
                ],
            )
            made = [values["code17"] for values in new]
            ids = connection.scalars(select(facility.c.id).where(facility.c.code17.in_(made)).order_by(facility.c.id))
            edits += [{"facility_id": one, "kind": "added", "changes": {}} for one in ids]
        if changed:
            columns: dict[str, Any] = {name: bindparam(f"_{name}") for name in (*KEPT, "version")}
            by_id = facility.c.id == bindparam("_id")
            connection.execute(
                update(facility).where(by_id).values(columns),
                [
                    {f"_{name}": value for name, value in values.items()}
                    | {"_id": one, "_version": before["version"] + 1}
                    for one, before, values in changed
                ],
            )
            renamed = [
                {"_id": one, "_words": words_of(values["name"], values["address"], connection.dialect)}
                for one, before, values in changed
                if any(before[name] != values[name] for name in ("name", "address"))
            ]
            if renamed:
                connection.execute(update(facility).where(by_id).values(words=bindparam("_words")), renamed)
            edits += [
                {"facility_id": one, "kind": "changed", "changes": differences(before, values, codes)}
                for one, before, values in changed
            ]
        shared = {"at": now, "staff_id": self.by, "source": self.name, "note": ""}
        edit: Any = FacilityEdit.__table__
        connection.execute(insert(edit), [one | shared for one in edits])


def whole_record(one: Checked, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Every column of the record: what was given over what was there. Notes what is missing or does not go together."""
    if before is not None:
        values = {name: before[name] for name in KEPT} | one.values
        if one.derived:
            values[one.derived] = before[one.derived]
        if before["code_scheme"] != values["code_scheme"] and before["code17"] == values["code17"]:
            # Named by its other code: that is no change.
            values |= {name: before[name] for name in ("code", "code_scheme")}
        if "latitude" in one.values and is_same_place(values, before):
            values |= {name: before[name] for name in ("latitude", "longitude")}
        has_moved = not is_same_place(values, before)
    else:
        values = _AT_FIRST | one.values
        if "type_id" not in values:
            found = one.type_by_code()
            if found is None:
                one.wrong("type", "type_missing")
            values["type_id"] = found
        if "latitude" not in values:
            one.wrong("longitude", "place_missing")
        values.setdefault("name", "")
        has_moved = "latitude" in values
    if not values["name"] and values["type_id"] is not None:
        kind = reference().facility_types_by_id[values["type_id"]]
        values["name"] = f"{kind.name} {values['code17'][11:].lstrip('0') or '0'}"
    one.find_area(values, again=has_moved)
    one.check_whole(values)
    return values


class _Codes:
    """Ids as the codes that the history keeps."""

    def __init__(self) -> None:
        ref = reference()
        self._types, self._units = ref.facility_types_by_id, ref.units_by_id

    def of(self, column: str, value: Any) -> Any:
        if value is None:
            return None
        if column == "type_id":
            return self._types[value].code if value in self._types else str(value)
        if column in ("owner_unit_id", "maintainer_unit_id"):
            return self._units[value].code if value in self._units else str(value)
        return plain(value)


def differences(before: Mapping[str, Any], after: Mapping[str, Any], codes: _Codes | None = None) -> dict[str, Any]:
    """{field: [before, after]} of what is not the same, as the history keeps it."""
    codes = codes or _Codes()
    names = {column: name for name, column in COLUMN.items()}
    found: dict[str, Any] = {}
    for column in KEPT:
        if before[column] != after[column]:
            found[names.get(column, column)] = [codes.of(column, before[column]), codes.of(column, after[column])]
    return found


def _table() -> Table:
    found: Any = Facility.__table__
    return found  # type: ignore[no-any-return]
