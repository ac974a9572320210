"""Doing lengthy work, in a process of its own (`flask district errands`).

The bell `run_errands` starts one process that does what waits, one after another, so that neither the web nor the
workers lend their time and memory to it. Each kind of work is a module of `district.errands.kinds`, whose `do`
opens its own units of work, one a batch, and says how far it is. It may be killed at any moment and begun again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from district.errands import service
from district.errands.models import ErrandState
from district.errands.service import RESULT, Claimed
from district.errors import DistrictError
from district.extensions import db
from district.messages import speaking
from district.work import unit_of_work

log = logging.getLogger(__name__)

# Progress is written down no more often than this.
SAY_EVERY_S = 1.0


class Cancelled(Exception):
    """Whoever asked for the errand does not want it any more."""


@dataclass
class Running:
    """What a kind is given: what was asked, a place for the result, a way to say how far it is."""

    asked: Claimed
    # Counts for the sentence `errands.outcome.<kind>`.
    outcome: dict[str, int | str] = field(default_factory=dict)
    file_name: str = ""
    file_type: str = ""
    _said_at: float = 0.0

    def say(self, done: int, total: int | None = None) -> None:
        """How far it is, in the kind's own units. Call it often, outside a unit of work; it writes once a second.

        Raises Cancelled.
        """
        now = time.monotonic()
        if now - self._said_at < SAY_EVERY_S:
            return
        self._said_at = now
        with unit_of_work():
            is_wanted = service.beat(self.asked.id, done, total)
        if not is_wanted:
            raise Cancelled()

    def result(self, file_name: str, file_type: str) -> Path:
        """Where to write the result. file_name: what it is called by whoever fetches it."""
        self.file_name, self.file_type = file_name, file_type
        self.asked.folder.mkdir(parents=True, exist_ok=True)
        return self.asked.folder / RESULT


Do = Callable[[Running], None]


def run_waiting(find: Callable[[str], Do]) -> int:
    """Do what waits, one after another; give back how many were begun.

    find: gives what does a kind; raises NotFound for an unknown one.
    """
    begun = 0
    while True:
        with unit_of_work():
            asked = service.claim()
        if asked is None:
            return begun
        _run(find, Running(asked))
        db.session.remove()
        begun += 1


def _run(find: Callable[[str], Do], running: Running) -> None:
    asked = running.asked
    problem: dict[str, Any] = {"key": "errands.broken", "params": {}}
    try:
        with speaking(asked.language):
            find(asked.kind)(running)
    except Cancelled:
        log.info("errand taken back", extra={"errand": asked.id})
        return
    except DistrictError as error:
        problem = {"key": error.key, "params": {name: str(value) for name, value in error.params.items()}}
    except Exception:
        # Nobody sees this process: what goes wrong must be on the page, and in the log for whoever runs the place.
        log.exception("errand broken", extra={"errand": asked.id})
    else:
        size = (asked.folder / RESULT).stat().st_size if running.file_name else 0
        with unit_of_work():
            service.end(
                asked.id, ErrandState.DONE, outcome=dict(running.outcome), file_name=running.file_name,
                file_type=running.file_type, file_bytes=size,
            )  # fmt: skip
        return
    db.session.rollback()
    with unit_of_work():
        service.end(asked.id, ErrandState.FAILED, problem=problem, outcome=dict(running.outcome))
