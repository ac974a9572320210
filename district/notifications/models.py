"""The outbox: a row is `sent` only after WeChat said so."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import JsonDict, Key, Moment, one_of
from district.extensions import Model


class Delivery(StrEnum):
    QUEUED = "queued"  # waits for its next try
    SENDING = "sending"  # a worker holds it until `next_try_at`
    SENT = "sent"  # WeChat accepted it
    FAILED = "failed"  # gave up after its tries
    NOT_POSSIBLE = "not_possible"  # no channel reaches this person now: it waits in the page


class Notification(Model):
    """Something a resident should know about a report. The page shows it whatever the delivery says.

    kind: a catalogue key's last part, e.g. `assigned`. params: what the sentence needs, no personal data.
    channel: `custom`, `subscription`, `template` or null while none was tried.
    message_id: WeChat's own id of what it accepted, to which a later word about the delivery refers.
    read_at: when the resident was told of what could not be delivered.
    """

    __tablename__ = "notification"
    __table_args__ = (
        CheckConstraint(one_of("delivery", tuple(Delivery)), name="delivery_known"),
        CheckConstraint("(sent_at is not null) = (delivery = 'sent')", name="sent_at_when_sent"),
        Index("ix_notification_report", "report_id", "id"),
        Index("ix_notification_resident", "resident_id", "id"),
        Index(
            "ix_notification_due", "next_try_at",
            sqlite_where=text("delivery in ('queued', 'sending')"),
            postgresql_where=text("delivery in ('queued', 'sending')"),
        ),
        Index(
            "ix_notification_unheard", "resident_id", "id",
            sqlite_where=text("delivery in ('failed', 'not_possible') and read_at is null"),
            postgresql_where=text("delivery in ('failed', 'not_possible') and read_at is null"),
        ),
        Index(
            "ix_notification_message", "message_id",
            sqlite_where=text("message_id is not null"), postgresql_where=text("message_id is not null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    report_id: Mapped[int] = mapped_column(ForeignKey("report.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    params: Mapped[JsonDict]
    created_at: Mapped[Moment]
    delivery: Mapped[str] = mapped_column(String(20), default=Delivery.QUEUED)
    channel: Mapped[str | None] = mapped_column(String(20))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[Moment | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    sent_at: Mapped[Moment | None]
    read_at: Mapped[Moment | None]
    message_id: Mapped[str | None] = mapped_column(String(64))


class SubscriptionGrant(Model):
    """How many subscription notices of one template a resident still agreed to (WeChat: one for each consent)."""

    __tablename__ = "subscription_grant"
    __table_args__ = (CheckConstraint("left_over >= 0", name="left_over_whole"),)

    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"), primary_key=True)
    template_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    left_over: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[Moment]


class EarlyVerdict(Model):
    """WeChat said that a message was not delivered before we had written down its id."""

    __tablename__ = "early_verdict"

    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(200))
    at: Mapped[Moment]
