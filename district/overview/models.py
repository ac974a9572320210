"""Links by which a wall display is shown without a login."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Key, Moment, Name
from district.extensions import Model
from district.people.models import Staff


class WallLink(Model):
    """One screen's way to the wall display, without a login.

    name: which screen it is for, "一楼大厅". token_hash: SHA-256 of the token, which is in the link and nowhere else.
    ended_at: when somebody turned it off before it ran out. seen_at: when a screen last asked by it.
    """

    __tablename__ = "wall_link"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        CheckConstraint("expires_at > made_at", name="ends_after_it_began"),
        CheckConstraint("(ended_at is null) = (ended_by_id is null)", name="ended_by_somebody"),
    )

    id: Mapped[Key]
    name: Mapped[Name]
    token_hash: Mapped[str] = mapped_column(String(64))
    made_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    seen_at: Mapped[Moment | None]

    made_by: Mapped[Staff] = relationship(foreign_keys=[made_by_id], lazy="joined")
    ended_by: Mapped[Staff | None] = relationship(foreign_keys=[ended_by_id])
