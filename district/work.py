"""One unit of work for each message, request or job: everything commits together, then the bells ring.

The database is the truth and the queue only a doorbell. `hurry` remembers a bell; it is rung after the
commit and may be lost: the sweep rings again for whatever still waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import cast

import redis
from flask import current_app
from rq import Queue
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import TimeoutError
from sqlalchemy.orm import Session

from district.extensions import db, held_connection, redis_door

log = logging.getLogger(__name__)

# Every bell and the queue whose workers answer it. Names may not change while old jobs wait.
BELLS: dict[str, str] = {
    "route_reports": "routing",
    "fetch_photos": "outside",
    "deliver_notifications": "outside",
    "tell_staff": "outside",
    "learn": "outside",
    "index_reports": "outside",
    "run_errands": "outside",
}
# A bell already rung and not yet answered is not rung again; a lost one may ring again after this long.
BELL_HELD_S = 5
# In a rush one process does not ring for every single message: who comes so soon after the last ring is nearly
# always drained with it, and for the rare one that is not the sweep rings a moment later.
ECHO_S = 0.15

_bells: ContextVar[set[str] | None] = ContextVar("bells", default=None)


def bell_key(name: str) -> str:
    return f"bihuan:bell:{name}"


def _writers_turn(engine: Engine) -> threading.Lock | None:
    """SQLite lets one write at a time. A process's threads wait for each other here, where waiting costs
    nothing and is fair; the file's own lock is polled, ever more seldom, and starves whoever waits long.

    None for a database that locks rows.
    """
    if engine.dialect.name != "sqlite":
        return None
    turn: threading.Lock = current_app.extensions.setdefault("writers_turn", threading.Lock())
    return turn


@contextmanager
def unit_of_work(*, patience_s: float | None = None) -> Iterator[Session]:
    """Open the one writing transaction of a message, request or job; commit it; ring the bells.

    Only doors, jobs and commands call this. Raises RuntimeError when one is already open.
    On SQLite it begins with BEGIN IMMEDIATE, so that reads inside it stay true until the commit.
    patience_s: how long to wait there for another writer before giving up; who has a deadline waits less.
    """
    if _bells.get() is not None:
        raise RuntimeError("a unit of work is already open: verbs must not open their own")
    engine = db.engine
    turn = _writers_turn(engine)
    if turn is not None and not turn.acquire(timeout=15 if patience_s is None else patience_s):
        raise TimeoutError("another writer of this process holds the database")
    bells: set[str] = set()
    token = _bells.set(bells)
    try:
        with _transaction(engine, patience_s):
            yield cast(Session, db.session)
    finally:
        _bells.reset(token)
        if turn is not None:
            turn.release()
    for name in sorted(bells):
        ring(name)


@contextmanager
def _transaction(engine: Engine, patience_s: float | None) -> Iterator[None]:
    """A writing transaction on a connection of its own, which the session joins if it is used."""
    if db.session.registry.has() and db.session().in_transaction():
        # What was read before (who is logged in) belongs to an older snapshot: read it again inside.
        db.session.rollback()
    options: dict[str, object] = {"sqlite_begin": "IMMEDIATE"}
    if patience_s is not None:
        options["sqlite_patience_ms"] = int(patience_s * 1000)
    with engine.connect() as opened:
        opened = opened.execution_options(**options)
        transaction = opened.begin()
        token = held_connection.set(opened)
        try:
            yield
            if _session_is_used():
                # Flushes; the transaction itself is committed below.
                db.session.commit()
            transaction.commit()
        except BaseException:
            if _session_is_used():
                db.session.rollback()
            if transaction.is_active:
                transaction.rollback()
            raise
        finally:
            held_connection.reset(token)


def _session_is_used() -> bool:
    return db.session.registry.has() and db.session().in_transaction()


def connection() -> Connection:
    """The connection of this unit of work, for statements past the session; outside one, the session's own.

    The session finds out anew each time which engine and transaction are meant; a message asks several times.
    """
    return held_connection.get() or db.session.connection()


def hurry(name: str) -> None:
    """Ring the bell `name` once this unit of work is committed.

    Raises KeyError for an unknown bell and RuntimeError outside a unit of work.
    """
    if name not in BELLS:
        raise KeyError(name)
    bells = _bells.get()
    if bells is None:
        raise RuntimeError("hurry() needs an open unit of work")
    bells.add(name)


def ring(name: str, *, again: bool = False) -> bool:
    """Enqueue the job that drains `name`, unless one already waits. True when the bell is known to ring.

    again: ring even if a bell is being held (the sweep, when work has waited too long).
    A queue server that is away is not an error: the work waits in the database.
    """
    door = redis_door()
    if door.is_resting:
        return False
    now = time.monotonic()
    if not again and now - door.rung_at.get(name, -ECHO_S) < ECHO_S:
        return True
    try:
        first = door.connection.set(bell_key(name), "1", nx=not again, ex=BELL_HELD_S)
        if first:
            queue = Queue(BELLS[name], connection=door.connection)
            queue.enqueue(f"district.jobs.{name}", result_ttl=0, failure_ttl=3600, job_timeout=300)
        door.rung_at[name] = now
        return True
    except (redis.ConnectionError, redis.TimeoutError) as error:
        door.failed()
        log.warning("bell not rung", extra={"bell": name, "reason": type(error).__name__})
        return False


def answered(name: str) -> None:
    """Let the bell ring again. A job calls this before it looks at the table, never after."""
    redis_door().rung_at.pop(name, None)
    try:
        redis_door().connection.delete(bell_key(name))
    except (redis.ConnectionError, redis.TimeoutError):
        redis_door().failed()
