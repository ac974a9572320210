"""Asking for lengthy work, fetching what came of it, and what the process that does it writes down."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from flask import current_app
from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from district import audit, clock
from district.errands.models import ENDED, Errand, ErrandState
from district.errors import BadInput, NotFound
from district.extensions import db
from district.messages import language
from district.people.models import Staff
from district.work import hurry

KEPT = timedelta(days=7)
# Without a sign of life for so long the process is taken for dead and the errand is begun again.
DEAD_AFTER = timedelta(seconds=120)
MOST_ATTEMPTS = 3
MOST_OPEN = 5
RESULT = "result"
GIVEN = "given"


@dataclass(frozen=True)
class Claimed:
    """An errand that this process is to do. given: the uploaded file, if there is one."""

    id: int
    kind: str
    language: str
    staff_id: int
    parameters: dict[str, Any]
    folder: Path
    given: Path | None


def ask(
    kind: str, parameters: dict[str, Any], *, by: Staff, given: BinaryIO | None = None, given_name: str = ""
) -> Errand:
    """Put down what is to be done and ring. given: an uploaded file, kept beside it until it is tidied away.

    Raises BadInput when this person has too much waiting already.
    """
    waiting = db.session.scalars(select(Errand.id).where(Errand.staff_id == by.id, Errand.ended_at.is_(None))).all()
    if len(waiting) >= MOST_OPEN:
        raise BadInput("errands.too_many", n=MOST_OPEN)
    errand = Errand(
        kind=kind, staff_id=by.id, language=language(), parameters=parameters, asked_at=clock.now(),
        given=_plain_name(given_name) if given else "", outcome={}, problem={},
    )  # fmt: skip
    db.session.add(errand)
    db.session.flush()
    if given is not None:
        folder = folder_of(errand.id)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / GIVEN).open("wb") as file:
            shutil.copyfileobj(given, file)
    audit.record(by, "errand.ask", f"errand:{errand.id}", kind=kind)
    hurry("run_errands")
    return errand


def of(staff: Staff, limit: int = 50) -> list[Errand]:
    """What this person has asked for, newest first."""
    return list(
        db.session.scalars(select(Errand).where(Errand.staff_id == staff.id).order_by(Errand.id.desc()).limit(limit))
    )


def read(errand_id: int, *, by: Staff) -> Errand:
    """One errand of one's own. Raises NotFound."""
    found = db.session.get(Errand, errand_id)
    if found is None or found.staff_id != by.id:
        raise NotFound()
    return found


def cancel(errand_id: int, *, by: Staff) -> Errand:
    """Take it back. What runs stops at its next sign of life. Raises NotFound; an ended one stays as it is."""
    found = db.session.scalar(select(Errand).where(Errand.id == errand_id).with_for_update())
    if found is None or found.staff_id != by.id:
        raise NotFound()
    if not found.is_ended:
        found.state, found.ended_at = ErrandState.CANCELLED, clock.now()
        audit.record(by, "errand.cancel", f"errand:{found.id}", kind=found.kind)
    return found


def fetch(errand_id: int, *, by: Staff) -> tuple[Errand, Path]:
    """The result's file, noted in the audit log. Raises NotFound when there is none (any more)."""
    found = read(errand_id, by=by)
    path = folder_of(found.id) / RESULT
    if found.state != ErrandState.DONE or not found.file_name or not path.is_file():
        raise NotFound()
    audit.record(by, "errand.fetch", f"errand:{found.id}", kind=found.kind)
    return found, path


def folder_of(errand_id: int) -> Path:
    """The errand's own folder."""
    return Path(current_app.config["ERRAND_STORE"]) / str(errand_id)


# ---------------------------------------------------------------- doing it


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        Errand.state == ErrandState.WAITING,
        and_(Errand.state == ErrandState.RUNNING, Errand.beat_at < now - DEAD_AFTER),
    )


def is_waiting() -> bool:
    """Whether something is to be done and nobody is at it."""
    now = clock.now()
    due = db.session.scalar(select(Errand.id).where(Errand.ended_at.is_(None), _is_due(now)).limit(1))
    return due is not None and not is_running(now)


def is_running(now: datetime) -> bool:
    """Whether a process is at work and shows signs of life."""
    return (
        db.session.scalar(
            select(Errand.id)
            .where(Errand.state == ErrandState.RUNNING, Errand.ended_at.is_(None), Errand.beat_at >= now - DEAD_AFTER)
            .limit(1)
        )
        is not None
    )


def claim() -> Claimed | None:
    """Take the next errand, or one whose process died; None when nothing is left to do."""
    now = clock.now()
    errand = db.session.scalar(
        select(Errand)
        .where(Errand.ended_at.is_(None), _is_due(now))
        .order_by(Errand.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if errand is None:
        return None
    if errand.attempts >= MOST_ATTEMPTS:
        end(errand.id, ErrandState.FAILED, problem={"key": "errands.died", "params": {}})
        return claim()
    errand.state, errand.beat_at, errand.attempts = ErrandState.RUNNING, now, errand.attempts + 1
    folder = folder_of(errand.id)
    return Claimed(
        id=errand.id, kind=errand.kind, language=errand.language, staff_id=errand.staff_id,
        parameters=dict(errand.parameters), folder=folder, given=folder / GIVEN if errand.given else None,
    )  # fmt: skip


def end(errand_id: int, state: ErrandState, **values: Any) -> None:
    """Write down how it ended. An errand that was taken back meanwhile stays so."""
    db.session.execute(
        update(Errand)
        .where(Errand.id == errand_id, Errand.ended_at.is_(None))
        .values(state=state, ended_at=clock.now(), **values)
        .execution_options(synchronize_session=False)
    )


def beat(errand_id: int, done: int, total: int | None) -> bool:
    """Write down how far it is. False when it is not wanted any more."""
    values: dict[str, Any] = {"done": done, "beat_at": clock.now()}
    if total is not None:
        values["total"] = total
    changed = db.session.execute(
        update(Errand)
        .where(Errand.id == errand_id, Errand.state == ErrandState.RUNNING)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(getattr(changed, "rowcount", 0))


def forget_old() -> None:
    """Delete what nobody will fetch any more, row and files."""
    before = clock.now() - KEPT
    gone = list(db.session.scalars(select(Errand.id).where(Errand.asked_at < before, Errand.ended_at.is_not(None))))
    for errand_id in gone:
        shutil.rmtree(folder_of(errand_id), ignore_errors=True)
    db.session.execute(delete(Errand).where(Errand.id.in_(gone), Errand.state.in_(ENDED)))


def _plain_name(name: str) -> str:
    """A file's name without a path or control characters, at most 200 characters; its end is kept."""
    return re.sub(r"[\x00-\x1f\x7f/\\]", "", name.replace("\\", "/").rsplit("/", 1)[-1])[-200:] or "file"
