"""Connections to a database server that closes them: noticed before use, or made good at once."""

from __future__ import annotations

import psycopg
import pytest
from flask import Flask
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from district import extensions
from district.extensions import db

pytestmark = [pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True), pytest.mark.postgres]


def ask() -> int:
    """A statement on a connection of the pool."""
    try:
        return int(db.session.execute(text("select 1")).scalar_one())
    finally:
        db.session.remove()


def close_all(url: str) -> None:
    """The server ends every connection to this database but the one that asks for it."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as server:
        ended = server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
        assert ended, "nobody was connected: the test would show nothing"


def test_a_resting_connection_is_asked_first(app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "RESTED_S", 0.0)
    assert ask() == 1
    close_all(database_url)
    assert ask() == 1


def test_a_busy_connection_that_breaks_fails_once_and_the_pool_begins_anew(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extensions, "RESTED_S", 3600.0)
    assert ask() == 1
    close_all(database_url)
    with pytest.raises(OperationalError):
        ask()
    assert [ask(), ask()] == [1, 1]
