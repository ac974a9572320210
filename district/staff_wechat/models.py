"""A member of staff's own WeChat, and the outbox of what goes there."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import BigId, JsonDict, Key, Moment, one_of
from district.extensions import Model
from district.notifications.models import Delivery


class StaffWeChat(Model):
    """The WeChat that one member of staff has bound. openid: as the official account knows them; never shown."""

    __tablename__ = "staff_wechat"
    __table_args__ = (UniqueConstraint("openid"),)

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    openid: Mapped[str] = mapped_column(String(64))
    bound_at: Mapped[Moment]


class BindingCode(Model):
    """A code for one use that binds whoever sends it to the account. Only its SHA-256 is kept."""

    __tablename__ = "staff_binding_code"
    __table_args__ = (UniqueConstraint("code_hash"),)

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[Moment]


class StaffMessage(Model):
    """Something one member of staff should know, to be sent to their WeChat; `sent` only when WeChat said so.

    kind: names the sentence `staff_wechat.told.<kind>`, else that of a notice; params fill it, with no resident's
    personal data. about_at: the moment it is about, so that one event is told once.
    """

    __tablename__ = "staff_message"
    __table_args__ = (
        CheckConstraint(one_of("delivery", tuple(Delivery)), name="delivery_known"),
        CheckConstraint("(sent_at is not null) = (delivery = 'sent')", name="sent_at_when_sent"),
        UniqueConstraint("staff_id", "report_id", "kind", "about_at"),
        Index(
            "ix_staff_message_due", "next_try_at",
            sqlite_where=text("delivery in ('queued', 'sending')"),
            postgresql_where=text("delivery in ('queued', 'sending')"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    report_id: Mapped[int] = mapped_column(BigId, ForeignKey("report.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    params: Mapped[JsonDict]
    about_at: Mapped[Moment]
    created_at: Mapped[Moment] = mapped_column(index=True)
    delivery: Mapped[str] = mapped_column(String(20), default=Delivery.QUEUED)
    channel: Mapped[str | None] = mapped_column(String(20))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[Moment | None]
    last_error: Mapped[str] = mapped_column(String(200), default="")
    sent_at: Mapped[Moment | None]
