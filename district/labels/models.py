"""Print runs: who had which codes printed when, and where on the sheets each stands."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Code, JsonDict, Key, Moment
from district.extensions import Model


class LabelRun(Model):
    """One run of the printer. chosen: what was asked for, as `district.labels.service.Order` says it.

    asked_by_id: None for the operator's command. finished_at: None while it is made, and for ever if that failed.
    sheets: pages of the PDF; 0 where each label is a file of its own.
    """

    __tablename__ = "label_run"
    __table_args__ = (
        CheckConstraint("labels >= 0 and sheets >= 0", name="counts_not_negative"),
        CheckConstraint("finished_at is null or labels > 0", name="something_when_finished"),
    )

    id: Mapped[Key]
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    asked_at: Mapped[Moment]
    finished_at: Mapped[Moment | None]
    layout: Mapped[Code]
    chosen: Mapped[JsonDict]
    labels: Mapped[int] = mapped_column(default=0)
    sheets: Mapped[int] = mapped_column(default=0)


class LabelPrint(Model):
    """One label of a run. position: its place in the order of the crew's walk, from 1."""

    __tablename__ = "label_print"
    __table_args__ = (
        UniqueConstraint("run_id", "token"),
        CheckConstraint("position > 0", name="position_from_one"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("label_run.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str] = mapped_column(String(20), ForeignKey("facility_token.token"), index=True)
