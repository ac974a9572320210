"""Inserting single rows without the session's bookkeeping, where every message pays for it.

A flush sorts every relationship of every class it meets; for one new row of a table with many relationships that
costs several times the INSERT itself. `insert_now` sends the INSERT and hands the object out as if it were loaded.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Insert, Table, inspect
from sqlalchemy.orm import Mapper, make_transient_to_detached

from district.extensions import Base, db

T = TypeVar("T", bound=Base)


def insert_now(row: T) -> T:
    """Insert a new object at once and keep it in the session; its id, if it counts up, is set.

    Every column that is not given takes its plain default, or null. Relationships are not looked at: give ids.
    Changes waiting in the session stay waiting, so whatever the row refers to must be in the database already.
    """
    insert, defaults, key = _plan(type(row))
    given = vars(row)
    values: dict[str, Any] = {}
    for name, default in defaults:
        value = given.get(name, default)
        values[name] = value
        given.setdefault(name, value)
    found = db.session.connection().execute(insert, values)
    if key is not None:
        given[key] = found.scalar_one()
    make_transient_to_detached(row)
    db.session.add(row)
    return row


@cache
def _plan(model: type[Any]) -> tuple[Insert, list[tuple[str, Any]], str | None]:
    """(statement, each given column with its default, the column the database counts up)."""
    mapper: Mapper[Any] = inspect(model)
    table = mapper.local_table
    assert isinstance(table, Table)
    counted = table.autoincrement_column
    defaults: list[tuple[str, Any]] = []
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        if column is counted:
            continue
        default = column.default
        if default is not None and not default.is_scalar:
            raise TypeError(f"{column} has a default that is no plain value")
        defaults.append((attribute.key, default.arg if default is not None else None))
    insert = table.insert()
    if counted is not None:
        insert = insert.returning(counted)
    return insert, defaults, counted.key if counted is not None else None
