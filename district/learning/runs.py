"""When the district learns: once a night, by whoever comes first. The state is in the database."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import current_app
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from district import clock
from district.extensions import db
from district.learning.models import LearningRun
from district.reference import reference

# The district's hour (0 to 23) from which on it learns, where the district says nothing (`learning.hour`); the
# second: hours after which a night that nobody had time for is left out.
_HOUR, _UNTIL = 3, 4
# Whoever began and never ended was killed: somebody else tries again.
_GIVEN_UP_AFTER = timedelta(minutes=30)
_MOST_TRIES = 3


def night_of(now: datetime) -> str | None:
    """The night whose hours `now` lies in, `2026-11-26`; None in between, and where learning is switched off."""
    ref = reference()
    if not ref.setting("learning.nightly", True):
        return None
    local = now.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    hour = int(ref.setting("learning.hour", _HOUR))
    if not hour <= local.hour < hour + _UNTIL:
        return None
    return f"{local:%Y-%m-%d}"


def is_due() -> bool:
    """Whether this night's learning waits for somebody. Locks nothing."""
    now = clock.now()
    night = night_of(now)
    if night is None:
        return False
    run = db.session.get(LearningRun, night, populate_existing=True)
    return run is None or _is_abandoned(run, now)


def claim() -> str | None:
    """Take this night's learning; None when somebody has it, or it is done, or it is day. Flushes."""
    now = clock.now()
    night = night_of(now)
    if night is None:
        return None
    # Two at once: the database lets one row through.
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    made = db.session.scalar(
        insert(LearningRun)
        .values(night=night, started_at=now, tries=1, outcome={})
        .on_conflict_do_nothing()
        .returning(LearningRun.night)
    )
    if made is not None:
        return night
    run = db.session.scalar(
        select(LearningRun)
        .where(LearningRun.night == night)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if run is None or not _is_abandoned(run, now):
        return None
    run.started_at, run.tries = now, run.tries + 1
    db.session.flush()
    return night


def finish(night: str, outcome: dict[str, Any]) -> None:
    """Put down how the night ended. Flushes."""
    run = db.session.get(LearningRun, night, with_for_update=True)
    if run is not None:
        run.ended_at, run.outcome = clock.now(), outcome
        db.session.flush()


def last_run() -> LearningRun | None:
    """The newest night's."""
    return db.session.scalar(select(LearningRun).order_by(LearningRun.night.desc()).limit(1))


def _is_abandoned(run: LearningRun, now: datetime) -> bool:
    return run.ended_at is None and run.tries < _MOST_TRIES and now - run.started_at > _GIVEN_UP_AFTER
