"""Statements past SQLAlchemy and past psycopg's cursor, for what every message and every filed report pays for.

They run inside the transaction of the unit of work, on its own connection. On PostgreSQL each is prepared once a
connection and then only its name and its values go to the server: psycopg's cursor rewrites, adapts and dispatches
in Python, which costs more than the server's answer. SQLite's cursor is already little more than the call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from itertools import count
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.json import Json, Jsonb
from sqlalchemy import Connection, Engine, event

Row = tuple[Any, ...]
_INFO = "quick statements"
_READY = "quick statements' door"
_UNSURE = "quick statements may be gone"
_FINE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


def quick_on(connection: Connection) -> Quick:
    """Asks on this connection. Made once for each of the driver's connections, and gone with it."""
    info = connection.connection.info
    ready: Quick | None = info.get(_READY)
    if ready is None:
        ready = info[_READY] = Quick(connection)
    return ready


class Quick:
    """Asks on the connection of a unit of work. `quick_on` gives the one that is there already; who makes another
    closes it."""

    __slots__ = ("_cursor", "_info", "_prepared", "_server")

    def __init__(self, connection: Connection) -> None:
        opened = connection.connection
        driver = opened.driver_connection
        self._cursor: Any = None
        self._server: Any = None
        if isinstance(driver, psycopg.Connection):
            self._server = driver.pgconn
            self._info: dict[Any, Any] = opened.info
            self._prepared: dict[str, tuple[bytes, list[Callable[[bytes], Any]] | None]] = self._info.setdefault(
                _INFO, {}
            )
        else:
            self._cursor = opened.cursor()

    def close(self) -> None:
        if self._cursor is not None:
            self._cursor.close()

    def ask(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows that a statement gives, [] if it gives none. Its parameters are written `?`, in order.

        Values are words, whole numbers, fractions, truth, bytes, moments, days, JSON as psycopg wraps it, or None.
        Raises what the driver raises (`psycopg.Error`, `sqlite3.Error`); TypeError for another kind of value.
        """
        if self._server is None:
            self._cursor.execute(statement, values)
            # Read to the end: SQLite cannot commit while a statement is half read.
            return list(self._cursor.fetchall()) if self._cursor.description is not None else []
        sent = [None if value is None else _WRITTEN[type(value)](value) for value in values]
        if self._server.transaction_status == TransactionStatus.IDLE:
            _check(self._server.exec_(b"BEGIN"))
        if self._info.pop(_UNSURE, False):
            self._look_what_is_left()
        known = self._prepared.get(statement)
        if known is None:
            known = self._prepare(statement)
        result = self._server.exec_prepared(known[0], sent)
        _check(result)
        if result.status != ExecStatus.TUPLES_OK:
            return []
        readers = known[1]
        if readers is None:
            readers = [_READ[result.ftype(column)] for column in range(result.nfields)]
            self._prepared[statement] = (known[0], readers)
        get = result.get_value
        return [
            tuple(None if (held := get(row, column)) is None else read(held) for column, read in enumerate(readers))
            for row in range(result.ntuples)
        ]

    def _look_what_is_left(self) -> None:
        result = self._server.exec_(b"select name from pg_prepared_statements")
        _check(result)
        left = {result.get_value(row, 0) for row in range(result.ntuples)}
        for statement in [one for one, (name, _) in self._prepared.items() if name not in left]:
            del self._prepared[statement]

    def _prepare(self, statement: str) -> tuple[bytes, None]:
        name, spelt = _spelt(statement)
        _check(self._server.prepare(name, spelt))
        self._prepared[statement] = (name, None)
        return name, None


def watch(engine: Engine) -> None:
    """Look what a connection still has prepared after psycopg may have made the server forget: at a roll back."""

    @event.listens_for(engine, "rollback")
    def on_rollback(connection: Connection) -> None:
        # One that broke is given up with all it had.
        if not connection.invalidated:
            connection.info[_UNSURE] = True

    @event.listens_for(engine, "rollback_savepoint")
    def on_rollback_savepoint(connection: Connection, _name: str, _context: None) -> None:
        if not connection.invalidated:
            connection.info[_UNSURE] = True

    @event.listens_for(engine, "reset")
    def on_reset(connection: Any, record: Any, _state: Any) -> None:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            record.info[_UNSURE] = True


def _check(result: Any) -> None:
    if result.status not in _FINE:
        error = error_from_result(result)
        # Without a state the server said nothing: it is gone.
        raise error if error.sqlstate else psycopg.OperationalError(str(error))


_numbers = count(1)


@cache
def _spelt(statement: str) -> tuple[bytes, bytes]:
    """A name for the statement, and how PostgreSQL itself spells its parameters."""
    first, *rest = statement.split("?")
    spelt = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
    return f"bihuan_{next(_numbers)}".encode(), spelt.encode()


class _Written(dict[type[Any], Callable[[Any], bytes]]):
    """How a value of each type goes to the server, as text; a type met first is looked for among its bases."""

    def __missing__(self, kind: type[Any]) -> Callable[[Any], bytes]:
        for base in kind.__mro__:
            if base in self:
                self[kind] = self[base]
                return self[base]
        raise TypeError(f"a value of type {kind.__name__} cannot be sent")


_WRITTEN = _Written(
    {
        str: lambda value: value.encode(),
        bool: lambda value: b"t" if value else b"f",
        int: lambda value: b"%d" % value,
        float: lambda value: repr(float(value)).encode(),
        bytes: lambda value: b"\\x" + value.hex().encode(),
        datetime: lambda value: value.isoformat().encode(),
        date: lambda value: value.isoformat().encode(),
        Json: lambda value: json.dumps(value.obj, ensure_ascii=False).encode(),
        Jsonb: lambda value: json.dumps(value.obj, ensure_ascii=False).encode(),
    }
)


def _moment(held: bytes) -> datetime:
    return datetime.fromisoformat(held.decode()).astimezone(UTC)


# How a column of each type is read: the types' numbers are PostgreSQL's own (pg_type.dat).
_READ: dict[int, Callable[[bytes], Any]] = {
    16: lambda held: held == b"t",
    **dict.fromkeys((20, 21, 23), int),
    **dict.fromkeys((25, 1043, 705), bytes.decode),
    **dict.fromkeys((114, 3802), json.loads),
    701: float,
    1082: lambda held: date.fromisoformat(held.decode()),
    1184: _moment,
}
