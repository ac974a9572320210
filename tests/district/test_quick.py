"""Statements past the drivers' cursors: they read back what was written, and fail as the drivers do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from district import clock
from district.extensions import db
from district.quick import Quick
from district.reports.states import Status
from district.work import connection, unit_of_work
from tests.conftest import both_databases

NOW = datetime(2026, 11, 26, 23, 59, 59, 120, tzinfo=timezone(timedelta(hours=8)))


def ask(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    quick = Quick(connection())
    try:
        return quick.ask(statement, values)
    finally:
        quick.close()


@pytest.fixture
def table(app: Flask) -> Iterator[str]:
    with unit_of_work():
        db.session.execute(text("create table kept (id integer primary key, words text unique)"))
    yield "kept"
    db.session.rollback()
    with unit_of_work():
        db.session.execute(text("drop table kept"))


@pytest.mark.postgres
@pytest.mark.parametrize(
    "kind, value",
    [
        ("text", "路灯不亮 % ? ' \\ \x7f"), ("text", ""), ("text", None), ("varchar", Status.ASSIGNED),
        ("bigint", 2**40),
        ("integer", -7), ("smallint", 0), ("boolean", True), ("boolean", False), ("double precision", 124.12620000001),
        ("double precision", -1e-9), ("timestamptz", NOW), ("timestamptz", NOW.replace(microsecond=0)),
        ("timestamptz", NOW.replace(microsecond=500000)), ("date", date(2026, 2, 28)),
        ("jsonb", Jsonb({"词": ["灯", None, 1.5]})), ("json", Jsonb([])), ("json", '{"a": 1}'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_every_kind_of_value_comes_back_as_it_was(app: Flask, kind: str, value: Any) -> None:
    meant = {Jsonb: lambda: value.obj, str: lambda: {"a": 1} if kind == "json" else value}.get(
        type(value), lambda: value
    )()
    with unit_of_work():
        for _ in range(3):
            assert ask(f"select cast(? as {kind}), ?::text", value, "x") == [(meant, "x")]
    if isinstance(meant, datetime):
        with unit_of_work():
            ((found, _),) = ask(f"select cast(? as {kind}), ?::text", value, "x")
        assert found.tzinfo is UTC


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_bytes_are_written_whole(app: Flask) -> None:
    with unit_of_work():
        assert ask("select octet_length(?::bytea), encode(?::bytea, 'hex')", b"\x00\\'", b"\x00\xff") == [(3, "00ff")]


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_what_it_cannot_write_it_says(app: Flask) -> None:
    with unit_of_work(), pytest.raises(TypeError, match="list"):
        ask("select ?", ["a"])


@both_databases
def test_many_rows_and_none(table: str) -> None:
    with unit_of_work():
        assert ask("insert into kept (id, words) values (?, ?), (?, ?)", 1, "甲", 2, None) == []
        assert ask("select id, words from kept order by id") == [(1, "甲"), (2, None)]
        assert ask("select id from kept where id > ?", 5) == []
        assert ask("update kept set words = ? where id = ? returning words", "乙", 2) == [("乙",)]


@both_databases
def test_an_error_is_the_drivers_own_and_undoes_the_unit_of_work(table: str) -> None:
    with pytest.raises(db.engine.dialect.loaded_dbapi.IntegrityError), unit_of_work():
        ask("insert into kept (id, words) values (?, ?)", 1, "甲")
        ask("insert into kept (id, words) values (?, ?)", 2, "甲")
    with unit_of_work():
        assert ask("select id from kept where id < ?", 9) == []
        ask("insert into kept (id, words) values (?, ?)", 2, "甲")
    with unit_of_work():
        assert ask("select id from kept where id < ?", 9) == [(2,)]


@both_databases
def test_it_goes_on_after_a_savepoint_is_undone(table: str) -> None:
    for number in (1, 2):
        with unit_of_work():
            ask("insert into kept (id, words) values (?, ?)", number, None)
            with pytest.raises(ZeroDivisionError), db.session.begin_nested():
                db.session.connection()  # makes the savepoint
                ask("insert into kept (id, words) values (?, ?)", number + 10, None)
                raise ZeroDivisionError
            ask("update kept set words = ? where id = ?", f"丙{number}", number)
    with unit_of_work():
        assert ask("select id, words from kept order by id") == [(1, "丙1"), (2, "丙2")]


@pytest.mark.own_application
@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
@pytest.mark.parametrize("by_psycopg", [False, True])
def test_after_a_roll_back_it_knows_what_the_server_still_knows(app: Flask, by_psycopg: bool) -> None:
    for word in "ab":
        with pytest.raises(ZeroDivisionError), unit_of_work():
            assert ask("select ?::text", word) == [(word,)]
            if by_psycopg:
                # Having prepared something itself, psycopg makes the server forget everything at a roll back.
                for _ in range(9):
                    db.session.execute(text("select 1"))
            raise ZeroDivisionError
    with unit_of_work():
        assert ask("select ?::text", "c") == [("c",)]
        ((many,),) = ask("select count(*) from pg_prepared_statements where name like 'bihuan%'")
    assert many == 2


@pytest.mark.postgres
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_lost_connection_is_the_drivers_error_and_the_next_one_works(app: Flask) -> None:
    with pytest.raises((psycopg.OperationalError, OperationalError)), unit_of_work():
        ((pid,),) = ask("select pg_backend_pid()")
        with psycopg.connect(app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", ""), autocommit=True) as other:
            other.execute("select pg_terminate_backend(%s)", (pid,))
        ask("select ?::text", "a")
    with unit_of_work():
        assert ask("select ?::text", clock.now().tzname()) == [("UTC",)]
