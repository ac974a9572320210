"""Flask extensions, created bare and bound to an application by `create_core`."""

from __future__ import annotations

import sqlite3
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import psycopg
import redis
from flask import Flask, current_app
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from psycopg.pq import TransactionStatus
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Connection, Engine, MetaData, event
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from district import quick


class Base(DeclarativeBase):
    """Every table's base. Constraints get names, so that migrations can change them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# The connection of the unit of work that is open here, if one is.
held_connection: ContextVar[Connection | None] = ContextVar("held_connection", default=None)


class JoiningSession(Session):
    """Joins the open unit of work's transaction when it is first used in it, and costs nothing before."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        return held_connection.get() or super().get_bind(*args, **kwargs)


db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"class_": JoiningSession})
if TYPE_CHECKING:
    # What `db.Model` is to a reader of types: the base with its typed columns.
    Model = Base
else:
    Model = db.Model
migrate = Migrate()
login_manager = LoginManager()
limiter = Limiter(key_func=get_remote_address, headers_enabled=False, in_memory_fallback_enabled=True)


# How long a writer waits for another on SQLite, unless its unit of work says otherwise.
PATIENCE_MS = 15_000


def prepare_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, a patient lock, and transactions that SQLAlchemy begins itself.

    A unit of work that writes asks for BEGIN IMMEDIATE: a deferred transaction that turns into a writing
    one fails at once when another writer came first, whatever the busy timeout.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA wal_autocheckpoint=4000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        mode, patience_ms = options.get("sqlite_begin", "DEFERRED"), options.get("sqlite_patience_ms", PATIENCE_MS)
        if connection.info.get("patience_ms", PATIENCE_MS) != patience_ms:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={patience_ms}")
            connection.info["patience_ms"] = patience_ms
        # The driver itself: this runs for every message, and there is nothing for SQLAlchemy to prepare.
        statement = f"BEGIN {mode}"
        try:
            connection.connection.driver_connection.execute(statement)  # type: ignore[union-attr]
        except sqlite3.OperationalError as error:
            raise OperationalError(statement, None, error) from error


# A connection that rested longer than this is asked whether it still works before it is used.
RESTED_S = 5.0


def prepare_server(engine: Engine) -> None:
    """Notice connections that the database server has closed, without a round trip before each busy use.

    A connection used a moment ago nearly surely works; if it does not, its error makes the pool begin anew, and
    whoever met it tries again. SQLAlchemy's own `pool_pre_ping` asks every time, and its own reset rolls back every
    time, also what has just been committed.
    """

    quick.watch(engine)

    @event.listens_for(engine, "reset")
    def on_reset(connection: psycopg.Connection[Any], _record: Any, _state: Any) -> None:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.rollback()

    @event.listens_for(engine, "checkin")
    def on_checkin(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["rested_since"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: ConnectionPoolEntry, _fairy: PoolProxiedConnection) -> None:
        if time.monotonic() - record.info.get("rested_since", time.monotonic()) < RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the database server closed a resting connection") from error


class RedisDoor:
    """The queue server's connection, one pool an application, that gives up quickly and says so.

    A server that hangs is worse than one that is gone: WeChat's message has its answer well within a second even then.
    After a failure it is not tried again for a second: a resident's message must not wait for a dead server.
    """

    REST_AFTER_FAILURE_S = 1.0

    def __init__(self, url: str) -> None:
        self.connection: redis.Redis = redis.Redis.from_url(
            url,
            socket_connect_timeout=0.3,
            socket_timeout=0.4,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=30,
        )
        self._down_until = 0.0
        # When this process last rang each bell (time.monotonic).
        self.rung_at: dict[str, float] = {}

    @property
    def is_resting(self) -> bool:
        return time.monotonic() < self._down_until

    def failed(self) -> None:
        self._down_until = time.monotonic() + self.REST_AFTER_FAILURE_S


def redis_door() -> RedisDoor:
    """The present application's connection to Redis or Valkey."""
    door: RedisDoor = current_app.extensions["redis_door"]
    return door


def init_redis(app: Flask, url: str) -> None:
    app.extensions["redis_door"] = RedisDoor(url)
