"""Keys of machines. Only a digest of each is kept."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import JsonList, Key, Moment
from district.extensions import Model
from district.people.models import Staff
from district.units.models import Unit


class Scope(StrEnum):
    """What a key may open. Each has its words under `apikeys.scope`."""

    DEVICES_ALARM = "devices.alarm"
    REPORTS_READ = "reports.read"
    REPORTS_WRITE = "reports.write"
    NUMBERS_READ = "numbers.read"


class ApiKey(Model):
    """A machine of a unit, by its key. Rows are never deleted: reports and the audit log name them.

    prefix: the beginning of the key, by which people tell keys apart and we find the row; it opens nothing.
    key_hash: SHA-256 of the whole key as hex. The key is 256 random bits, so that a slow hash would gain nothing.
    scopes: values of Scope. per_minute: how many requests it may send. expires_at: from when it opens nothing, null
    for never. last_used_at: to the minute.
    """

    __tablename__ = "api_key"
    __table_args__ = (
        UniqueConstraint("prefix"),
        CheckConstraint("(revoked_at is null) = (revoked_by_id is null)", name="revoking_whole"),
        CheckConstraint("per_minute > 0", name="per_minute_positive"),
    )

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(80))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    scopes: Mapped[JsonList]
    prefix: Mapped[str] = mapped_column(String(20))
    key_hash: Mapped[str] = mapped_column(String(64))
    per_minute: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[Moment]
    created_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    expires_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    revoked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    unit: Mapped[Unit] = relationship()
    created_by: Mapped[Staff] = relationship(foreign_keys=[created_by_id])
    revoked_by: Mapped[Staff | None] = relationship(foreign_keys=[revoked_by_id])
