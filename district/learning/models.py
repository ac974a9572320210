"""What is kept of learning: versions of the model, which was in use when, each night's run, habits of dispatching.

None of these tables holds a word that a resident wrote.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import JsonDict, Key, Moment, one_of
from district.extensions import Model
from district.people.models import Staff


class ModelState(StrEnum):
    CANDIDATE = "candidate"  # better, and waiting for a person's word
    IN_USE = "in_use"
    RETIRED = "retired"
    REFUSED = "refused"  # no better than what is in use


class Origin(StrEnum):
    FOLDER = "folder"  # came with the district's folder
    LEARNT = "learnt"  # trained here, from the dispatchers' decisions


_IN_USE = text("state = 'in_use'")


class ModelVersion(Model):
    """One set of trained weights. The id is the version's number.

    digest: of the packed weights. trained_on: counts of what it learnt from. figures: what was measured, rates 0..1.
    packed: the weights; null for refused versions and for those retired long ago. why: `{key, params}` of the verdict.
    """

    __tablename__ = "model_version"
    __table_args__ = (
        UniqueConstraint("digest"),
        CheckConstraint(one_of("state", tuple(ModelState)), name="state_known"),
        CheckConstraint(one_of("origin", tuple(Origin)), name="origin_known"),
        CheckConstraint("state not in ('in_use', 'candidate') or packed is not null", name="usable_when_in_use"),
        Index("uq_model_version_in_use", "state", unique=True, sqlite_where=_IN_USE, postgresql_where=_IN_USE),
    )

    id: Mapped[Key]
    made_at: Mapped[Moment]
    origin: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    trained_on: Mapped[JsonDict]
    figures: Mapped[JsonDict]
    why: Mapped[JsonDict]
    packed: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class ModelUse(Model):
    """From when on a version was in use; the newest row is the present one. Never altered.

    by_id: who put it there, null for the nightly learning or a load. is_step_back: somebody went back to an older
    version, which stops the nightly learning from replacing it by itself.
    """

    __tablename__ = "model_use"

    id: Mapped[Key]
    version_id: Mapped[int] = mapped_column(ForeignKey("model_version.id"), index=True)
    since: Mapped[Moment] = mapped_column(index=True)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    is_step_back: Mapped[bool] = mapped_column(default=False)

    by: Mapped[Staff | None] = relationship()


class LearningRun(Model):
    """One night's learning: whoever writes the row does the work. night: the district's day, `2026-11-26`.

    outcome: `{key, params}`, empty while it runs.
    """

    __tablename__ = "learning_run"

    night: Mapped[str] = mapped_column(String(10), primary_key=True)
    started_at: Mapped[Moment]
    tries: Mapped[int] = mapped_column(Integer, default=1)
    ended_at: Mapped[Moment | None]
    outcome: Mapped[JsonDict]


class UnitHabit(Model):
    """Where reports like one another really went: the unit that most of the last ones ended with.

    The four codes say what is alike; an empty one stands for any. last: how many were looked at; times: how many of
    them `unit_id` had in the end; moved: how many of these the rules had meant for another unit or for nobody.
    rules_unit_id: whom the rules meant most often in those. is_hint: often enough that a rule should change.
    """

    __tablename__ = "unit_habit"
    __table_args__ = (CheckConstraint("times <= last and moved <= times", name="counts_fit"),)

    category_code: Mapped[str] = mapped_column(String(40), primary_key=True)
    area_code: Mapped[str] = mapped_column(String(40), primary_key=True)
    facility_type: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner_code: Mapped[str] = mapped_column(String(40), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    times: Mapped[int] = mapped_column(Integer)
    last: Mapped[int] = mapped_column(Integer)
    moved: Mapped[int] = mapped_column(Integer)
    rules_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    is_hint: Mapped[bool]
    newest_at: Mapped[Moment]
