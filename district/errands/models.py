"""The table of lengthy work."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import BigId, JsonDict, Key, Moment, UtcDateTime, few, one_of
from district.extensions import Model
from district.people.models import Staff


class ErrandState(StrEnum):
    """How far an errand has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (ErrandState.DONE, ErrandState.FAILED, ErrandState.CANCELLED)


class Errand(Model):
    """One piece of lengthy work.

    kind: a name in `district.errands.service.KINDS`.
    parameters: what the kind needs, as plain JSON; nobody's personal data.
    language: in which the result is written.
    given: the name of an uploaded file in the errand's folder, or empty.
    done, total: progress in the kind's own units; total is null while it is not known.
    attempts: how often it was begun; a killed process leaves it to the next.
    beat_at: the last sign of life.
    outcome: counts for the sentence that says what came of it, e.g. `{"rows": 120, "bad": 3}`.
    problem: `{"key": …, "params": {…}}` of the sentence that says why it failed; empty otherwise.
    file_name, file_type, file_bytes: the result that can be fetched; an empty name is none.
    """

    __tablename__ = "errand"
    __table_args__ = (
        CheckConstraint(one_of("state", tuple(ErrandState)), name="state"),
        CheckConstraint("(state in ('done', 'failed', 'cancelled')) = (ended_at is not null)", name="ended"),
        CheckConstraint("done >= 0 and (total is null or total >= 0)", name="progress"),
        few("ix_errand_open", "id", where="ended_at is null"),
    )  # fmt: skip

    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(40))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    language: Mapped[str] = mapped_column(String(10))
    parameters: Mapped[JsonDict]
    given: Mapped[str] = mapped_column(String(200), default="")
    state: Mapped[str] = mapped_column(String(10), default=ErrandState.WAITING)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[Moment] = mapped_column(index=True)
    beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    outcome: Mapped[JsonDict] = mapped_column(default=dict)
    problem: Mapped[JsonDict] = mapped_column(default=dict)
    file_name: Mapped[str] = mapped_column(String(200), default="")
    file_type: Mapped[str] = mapped_column(String(100), default="")
    file_bytes: Mapped[int] = mapped_column(BigId, default=0)

    staff: Mapped[Staff] = relationship()

    @property
    def is_ended(self) -> bool:
        return self.state in ENDED

    @property
    def percent(self) -> int | None:
        """Whole per cent of the way, or None while the length of the way is not known."""
        if self.state == ErrandState.DONE:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else None
