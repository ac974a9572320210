"""Bring a table in line with the records of a folder: few statements, however many rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Table, bindparam, delete, insert, select, update

from district.extensions import db


@dataclass
class Counts:
    """What became of the rows of one kind. retired: gone from the folder, so ended or taken out."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0

    @property
    def changed(self) -> bool:
        return bool(self.created or self.updated or self.retired)

    def as_json(self) -> dict[str, int]:
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "retired": self.retired,
        }


@dataclass
class Outcome:
    """Counts, and the keys behind them where somebody has to act on them."""

    counts: Counts = field(default_factory=Counts)
    created: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)


def bring_in_line(
    table: Table,
    wanted: Mapping[str, Mapping[str, Any]],
    *,
    key: tuple[str, ...],
    ended: str | None,
    loaded_before: Collection[str],
    now: datetime,
    on_insert: Mapping[str, Any] | None = None,
    may_go: Collection[str] | None = None,
) -> Outcome:
    """Insert, update and retire rows until the table says what `wanted` says.

    wanted: every column of a row, by the row's key (the `key` columns joined by `|`).
    ended: the column that holds when a row was retired, or None for rows that nothing refers to: those are
    deleted.
    loaded_before: the keys the folder brought last time. Only these can be retired for being gone, so that
    what was added elsewhere stays; and one of these that has an end was ended by somebody: it stays ended.
    may_go: the keys that may be retired, where not all may.
    """
    outcome = Outcome()
    before = set(loaded_before)
    identity = list(table.primary_key.columns)
    update_rows: list[dict[str, Any]] = []
    ended_rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for row in db.session.execute(select(table)).mappings():
        name = key_of(row, key)
        known_as = {f"_{column.name}": row[column.name] for column in identity}
        if name not in wanted:
            gone = name in before and (may_go is None or name in may_go)
            if gone and (ended is None or row[ended] is None):
                ended_rows.append(known_as)
                outcome.ended.add(name)
            continue
        seen.add(name)
        values = dict(wanted[name])
        if ended is not None and row[ended] is not None and name not in before:
            values[ended] = None
        if all(row[column] == value for column, value in values.items()):
            outcome.counts.unchanged += 1
        else:
            if ended is not None:
                values.setdefault(ended, row[ended])
            update_rows.append(known_as | {f"_new_{column}": value for column, value in values.items()})
            outcome.updated.add(name)
    inserted = [dict(on_insert or {}) | dict(values) for name, values in wanted.items() if name not in seen]
    outcome.created = set(wanted) - seen

    match = [column == bindparam(f"_{column.name}") for column in identity]
    if ended_rows:
        if ended is None:
            db.session.connection().execute(delete(table).where(*match), ended_rows)
        else:
            db.session.connection().execute(update(table).where(*match).values({ended: now}), ended_rows)
    if update_rows:
        columns = [name.removeprefix("_new_") for name in update_rows[0] if name.startswith("_new_")]
        new: dict[str, Any] = {column: bindparam(f"_new_{column}") for column in columns}
        db.session.connection().execute(update(table).where(*match).values(new), update_rows)
    if inserted:
        db.session.connection().execute(insert(table), inserted)
    outcome.counts.created = len(inserted)
    outcome.counts.updated = len(update_rows)
    outcome.counts.retired = len(ended_rows)
    return outcome


def key_of(row: Mapping[str, Any] | RowMapping, key: Iterable[str]) -> str:
    return "|".join(str(row[column]) for column in key)


def ids_by(table: Table, column: str) -> dict[str, int]:
    """Every row's id by one of its columns."""
    return {str(value): row_id for value, row_id in db.session.execute(select(table.c[column], table.c.id))}
