"""Periodic work: one list, and no job's trouble is another's."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from district import schedule
from district.extensions import db
from district.schedule import PERIODIC, Periodic

ROOT = Path(__file__).resolve().parents[2]


def test_the_list_holds_what_keeps_promises() -> None:
    every = {entry.job.__name__: entry.every_s for entry in PERIODIC}
    # A lost bell must cost seconds; a deadline is noticed within minutes.
    assert every["sweep"] <= 5
    assert every["remind_overdue"] <= 300
    assert every["tidy"] <= 86400
    assert len(every) == len(PERIODIC)


@pytest.mark.parametrize("trouble", [OperationalError("select", {}, ValueError()), ZeroDivisionError()])
def test_a_job_that_fails_is_logged_and_ends_nothing(
    app: Flask, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[str] = []
    stop = threading.Event()

    def broken() -> None:
        turns.append("broken")
        raise trouble

    def sound() -> None:
        turns.append("sound")
        if turns.count("sound") >= 3 and turns.count("broken") >= 3:
            stop.set()

    before = schedule.PERIODIC
    schedule.PERIODIC = (Periodic(broken, 0.01), Periodic(sound, 0.01))
    try:
        with caplog.at_level(logging.ERROR):
            ended = threading.Thread(target=schedule.run, args=(app,), kwargs={"stop": stop})
            ended.start()
            ended.join(timeout=120)
    finally:
        schedule.PERIODIC = before
        stop.set()
    assert not ended.is_alive()
    assert {record.job for record in caplog.records if hasattr(record, "job")} == {"broken"}


def test_the_scheduler_ends_when_it_is_asked_to(app: Flask) -> None:
    stop = threading.Event()
    stop.set()
    schedule.run(app, stop=stop)


def test_every_turn_has_a_session_of_its_own(app: Flask) -> None:
    sessions: list[int] = []

    def job() -> None:
        sessions.append(id(db.session()))
        assert not db.session().in_transaction()
        db.session.connection()

    for _ in range(2):
        schedule.run_once(Periodic(job, 1))
    assert len(sessions) == 2
    assert not db.session().in_transaction()


def test_nothing_periodic_hides_elsewhere() -> None:
    """One list in one place: no other module loops on a timer of its own."""
    found = [
        str(path.relative_to(ROOT))
        for folder in ("district", "bot", "citizen", "admin")
        for path in (ROOT / folder).rglob("*.py")
        if "threading.Timer(" in path.read_text(encoding="utf-8")
    ]
    assert json.dumps(found) == "[]"
