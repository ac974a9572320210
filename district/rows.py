"""Writing rows without the session's bookkeeping, where every message or every routed report pays for it.

A flush sorts every relationship of every class it meets; for one new row of a table with many relationships that
costs several times the INSERT itself. Here the INSERT goes past it (`district.quick`), inside the session's
transaction. A `batch` gathers what it makes and changes, and writes each table with one statement at its end, where
a flush would send an UPDATE for every single row.

Relationships are not looked at: give ids. Whatever a row refers to must be in the database already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, Insert, Table, Update, bindparam, inspect
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.compiler import Compiled, SQLCompiler
from sqlalchemy.types import TypeEngine

from district import work
from district.columns import UtcDateTime, naive_text
from district.extensions import Base, db
from district.quick import quick_on

Process = Callable[[Any], Any] | None

# What the present batch has made so far, as values by table's class.
_gathered: ContextVar[dict[type[Base], list[dict[str, Any]]] | None] = ContextVar("gathered", default=None)


def insert_values(model: type[Base], **values: Any) -> Any:
    """Insert a row that nobody needs as an object; the id that the database gave it, None if it gives none.

    What is not given takes its plain default, or null.
    """
    connection = work.connection()
    plan = _plan(model, connection.dialect)
    return _send(connection, plan, values)


def send(statement: str, values: Sequence[Any]) -> list[Any]:
    """Send a statement past the session, its parameters written `?`; the rows it gives, else none.

    Moments, JSON and the like are not converted: use it where numbers and words are all there is.
    """
    return quick_on(work.connection()).ask(statement, values)


def moment_for(connection: Connection, moment: datetime) -> Any:
    """An aware moment as `district.columns.UtcDateTime` keeps it."""
    return moment if connection.dialect.name == "postgresql" else naive_text(moment)


def moment_from(kept: Any) -> datetime:
    """A moment as the driver gives it, aware and in UTC."""
    moment: datetime = datetime.fromisoformat(kept) if isinstance(kept, str) else kept
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def put(model: type[Base], **values: Any) -> None:
    """Insert a row of which nobody needs the id: at once, or within a `batch` at its end."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.setdefault(model, []).append(values)
        return
    insert_values(model, **values)


def put_all(model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows of which nobody needs the ids, by one statement; like `put` within a `batch`."""
    gathered = _gathered.get()
    if gathered is not None:
        gathered.setdefault(model, []).extend(rows)
    elif rows:
        _insert_many(work.connection(), model, rows)


@contextmanager
def batch() -> Iterator[None]:
    """Write what is `put` and what is changed inside all at once at the end; nothing when an error leaves it.

    The changed rows must be locked. Each is read again when somebody asks for it; its version counts up by one, as
    in a flush.
    """
    gathered: dict[type[Base], list[dict[str, Any]]] = {}
    token = _gathered.set(gathered)
    try:
        with db.session.no_autoflush:
            yield
            connection = work.connection()
            _write_changes(connection)
            for model, rows in gathered.items():
                _insert_many(connection, model, rows)
    finally:
        _gathered.reset(token)


_ROW_KEY = "key_of_the_row"
# psycopg's spelling of a parameter.
_NAMED = re.compile(r"%\((\w+)\)s")


def _write_changes(connection: Connection) -> None:
    """One UPDATE for all rows of a table whose same columns have changed."""
    changed: dict[tuple[Table, frozenset[str]], list[dict[str, Any]]] = {}
    for row in db.session.dirty:
        state = inspect(row)
        values = {name: state.dict[name] for name in state.committed_state if name in state.mapper.column_attrs}
        if values:
            version = state.mapper.version_id_col
            if version is not None:
                values[version.key] = state.dict[version.key] + 1
            (key,) = state.identity
            changed.setdefault((state.mapper.local_table, frozenset(values)), []).append({_ROW_KEY: key, **values})
    # All of them at once: to expire a single one goes through all of its relationships.
    db.session.expire_all()
    for (table, names), parameters in changed.items():
        _send_many(connection, _update(table, names, connection.dialect), parameters)


def _insert_many(connection: Connection, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    plan = _plan(model, connection.dialect)
    _send_many(connection, plan.many, [plan.defaults | row for row in rows])


@dataclass(frozen=True)
class _Many:
    """A statement for many rows. columns: (name, how the driver wants the value), in the statement's order."""

    sql: str
    columns: tuple[tuple[str, Process], ...]
    by_name: bool


def _send_many(connection: Connection, statement: _Many, rows: Sequence[dict[str, Any]]) -> None:
    """What SQLAlchemy would do for each value of each row is known beforehand: only the conversion is left."""
    converted: list[Any] = [
        [row[name] if process is None else process(row[name]) for name, process in statement.columns] for row in rows
    ]
    if statement.by_name:
        names = [name for name, _ in statement.columns]
        connection.exec_driver_sql(statement.sql, [dict(zip(names, row, strict=True)) for row in converted])
    else:
        connection.exec_driver_sql(statement.sql, [tuple(row) for row in converted])


def _ready(statement: Insert | Update, types: Mapping[str, TypeEngine[Any]], dialect: Dialect) -> _Many:
    """types: of every parameter, by its name."""
    compiled = statement.compile(dialect=dialect, column_keys=[name for name in types if name != _ROW_KEY])
    by_name = not compiled.positional
    order = list(types) if by_name else list(compiled.positiontup or ())
    return _Many(
        str(compiled),
        tuple((name, _process(types[name], dialect)) for name in order),
        by_name,
    )


_updates: dict[tuple[Table, frozenset[str], str], _Many] = {}


def _update(table: Table, names: frozenset[str], dialect: Dialect) -> _Many:
    """Sets `names` of the row whose primary key is the parameter _ROW_KEY."""
    found = _updates.get((table, names, dialect.name))
    if found is None:
        (key,) = table.primary_key.columns
        types = {name: table.c[name].type for name in sorted(names)}
        statement = (
            table.update()
            .where(key == bindparam(_ROW_KEY, type_=key.type))
            .values({name: bindparam(name, type_=kind) for name, kind in types.items()})
        )
        found = _ready(statement, types | {_ROW_KEY: key.type}, dialect)
        _updates[table, names, dialect.name] = found
    return found


@dataclass(frozen=True)
class _Plan:
    """How a table's rows are inserted. defaults: what a column holds that is not given, by its name.

    sql: with its parameters written `?`. places: of each column, its parameter and how the driver wants its value.
    ready: all parameters, made of the defaults. is_counted: the database gives an id.
    many: the same for many rows, of which it gives no ids.
    """

    sql: str
    defaults: dict[str, Any]
    places: dict[str, tuple[int, Process]]
    ready: tuple[Any, ...]
    is_counted: bool
    many: _Many


_plans: dict[tuple[type[Any], str], _Plan] = {}


def _plan(model: type[Any], dialect: Dialect) -> _Plan:
    """Made once for each table and kind of database."""
    plan = _plans.get((model, dialect.name))
    if plan is None:
        plan = _plans[model, dialect.name] = _make(model, dialect)
    return plan


def _make(model: type[Any], dialect: Dialect) -> _Plan:
    mapper: Mapper[Any] = inspect(model)
    table = mapper.local_table
    assert isinstance(table, Table)
    counted = table.autoincrement_column
    defaults: dict[str, Any] = {}
    processes: dict[str, Process] = {}
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        if column is counted:
            continue
        if attribute.key != column.key:
            raise TypeError(f"{column} goes by another name")
        default = column.default
        if default is not None and not default.is_scalar:
            raise TypeError(f"{column} has a default that is no plain value")
        if column.nullable and isinstance(column.type, JSON):
            raise TypeError(f"{column} would hold the word null instead of nothing")
        defaults[column.key] = default.arg if default is not None else None
        processes[column.key] = _process(column.type, dialect)
    insert = table.insert()
    many = _ready(insert, {name: table.c[name].type for name in defaults}, dialect)
    if counted is not None:
        insert = insert.returning(counted)
    sql, order = _marked(insert.compile(dialect=dialect, column_keys=list(defaults)))
    return _Plan(
        sql,
        defaults,
        {name: (place, processes[name]) for place, name in enumerate(order)},
        tuple(_processed(defaults[name], processes[name]) for name in order),
        counted is not None,
        many,
    )


def _process(kind: TypeEngine[Any], dialect: Dialect) -> Process:
    """How the driver wants a value of this type; None: as it is."""
    if isinstance(kind, UtcDateTime) and dialect.name == "sqlite":
        # The same text as SQLAlchemy's, which it makes in three steps: every row holds several moments.
        return lambda moment: None if moment is None else naive_text(moment)
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _processed(value: Any, process: Process) -> Any:
    return value if process is None else process(value)


def _marked(compiled: Compiled) -> tuple[str, tuple[str, ...]]:
    """A compiled statement with its parameters written `?`, and their names in order."""
    assert isinstance(compiled, SQLCompiler)
    if compiled.positional:
        return str(compiled), tuple(compiled.positiontup or ())
    return _NAMED.sub("?", str(compiled)), tuple(_NAMED.findall(str(compiled)))


def _send(connection: Connection, plan: _Plan, given: dict[str, Any]) -> Any:
    """The INSERT itself; the id the database gave, if it gives one."""
    values = list(plan.ready)
    for name, value in given.items():
        place, process = plan.places[name]
        values[place] = _processed(value, process)
    rows = quick_on(connection).ask(plan.sql, values)
    return rows[0][0] if plan.is_counted else None
