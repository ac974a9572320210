"""Periodic work: one list, in one place, run by `flask district schedule`.

Every entry is idempotent by a state check in the database, so that two schedulers do no harm.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from district import jobs
from district.extensions import db

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Periodic:
    """A job and how often it runs, in seconds."""

    job: Callable[[], None]
    every_s: float


PERIODIC: tuple[Periodic, ...] = (
    Periodic(jobs.sweep, 2),
    Periodic(jobs.gather_for_staff, 3),
    Periodic(jobs.report_alarms, 5),
    Periodic(jobs.remind_overdue, 60),
    Periodic(jobs.recompute_deadlines, 60),
    Periodic(jobs.give_up_questions, 300),
    Periodic(jobs.tell_unseen, 60),
    Periodic(jobs.end_incidents, 60),
    Periodic(jobs.count_numbers, 30),
    Periodic(jobs.read_facilities, 60),
    Periodic(jobs.tidy, 3600),
    Periodic(jobs.learn_nightly, 300),
)


def run(app: Flask, *, stop: threading.Event | None = None) -> None:
    """Run PERIODIC until SIGTERM or SIGINT (or `stop`). A job that fails is logged and tried at its next turn."""
    stop = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
    due = {entry: time.monotonic() for entry in PERIODIC}
    while not stop.is_set():
        for entry, moment in due.items():
            if moment <= time.monotonic() and not stop.is_set():
                with app.app_context():
                    run_once(entry)
                due[entry] = time.monotonic() + entry.every_s
        stop.wait(max(0.05, min(due.values()) - time.monotonic()))


def run_once(entry: Periodic) -> None:
    """One turn. A database or queue that is away must not end the scheduler."""
    try:
        entry.job()
    except (SQLAlchemyError, redis.RedisError) as error:
        log.error("periodic job failed", extra={"job": entry.job.__name__, "reason": type(error).__name__})
        db.session.rollback()
    except Exception:
        # The scheduler outlives any one job's defect: the others must keep running.
        log.exception("periodic job broke", extra={"job": entry.job.__name__})
        db.session.rollback()
    finally:
        db.session.remove()
