"""Residents and staff."""

from __future__ import annotations

from flask_login import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import BigId, JsonDict, JsonList, Key, Moment, Name, one_of
from district.extensions import Model
from district.people.roles import Role
from district.units.models import Unit


class Resident(Model):
    """Somebody who reports. The openid is personal data: never logged, never shown to units.

    language: `zh-Hans` or `en`. notice_version: the privacy notice this person was shown, 0 for none.
    window_until, window_left: until when and how often WeChat lets us send customer-service messages
    (48 h and five after a message; WeChat: custom message rules since June 2023).
    tap_until, tap_left: the same after a tap on the menu, a follow or a scan (one minute and three). Two grants,
    because neither makes the other longer.
    has_unheard: something could not be delivered; it is said at the next contact.
    web_epoch: counts up to end this person's logins on the pages.
    left_digest: of the openid of somebody who left the account, by which they are known again if they come back.
    blocked_until: until when the chat answers with the hotline's number only; see `ResidentBlock`.
    """

    __tablename__ = "resident"
    __table_args__ = (
        UniqueConstraint("openid"),
        Index(
            "ix_resident_left", "left_digest",
            sqlite_where=text("left_digest is not null"), postgresql_where=text("left_digest is not null"),
        ),
    )  # fmt: skip

    id: Mapped[Key]
    openid: Mapped[str | None] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(10), default="zh-Hans")
    notice_version: Mapped[int] = mapped_column(Integer, default=0)
    is_follower: Mapped[bool] = mapped_column(default=False)
    window_until: Mapped[Moment | None]
    window_left: Mapped[int] = mapped_column(Integer, default=0)
    tap_until: Mapped[Moment | None]
    tap_left: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    has_unheard: Mapped[bool] = mapped_column(default=False, server_default=false())
    web_epoch: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    left_digest: Mapped[str | None] = mapped_column(String(64))
    blocked_until: Mapped[Moment | None]
    first_seen_at: Mapped[Moment]
    last_seen_at: Mapped[Moment]


class ResidentBlock(Model):
    """A resident is kept from filing through the chat for a stated time. Emergencies always pass.

    report_id: the report from whose page it was done, for staff to understand why. It ends at `until`, or earlier
    when it is lifted. No foreign key to the report: reports are a later subject.
    """

    __tablename__ = "resident_block"
    __table_args__ = (
        CheckConstraint("(lifted_at is null) = (lifted_by_id is null)", name="lifting_whole"),
        CheckConstraint("until > blocked_at", name="ends_after_it_began"),
        Index("ix_resident_block_resident", "resident_id", "id"),
    )

    id: Mapped[Key]
    resident_id: Mapped[int] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    report_id: Mapped[int] = mapped_column(BigId)
    reason: Mapped[str] = mapped_column(String(300))
    blocked_by_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    blocked_at: Mapped[Moment]
    until: Mapped[Moment] = mapped_column(index=True)
    lifted_at: Mapped[Moment | None]
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    blocked_by: Mapped[Staff] = relationship(foreign_keys=[blocked_by_id])
    lifted_by: Mapped[Staff | None] = relationship(foreign_keys=[lifted_by_id])


class Staff(Model, UserMixin):  # type: ignore[misc]
    """A member of staff of one unit.

    password_hash: argon2id, or null until the person has set a password through a one-time link.
    session_epoch: counts up to end every open session of this person.
    unit_scope: ids of units this person is limited to, with those under them. area_scope: codes of streets. An empty
    list limits nothing; what the roles allow is never widened.
    failed_logins: wrong tries since the last login. locked_until: until when no try counts.
    totp_sealed: the secret of the codes of an app, sealed; empty for none. totp_since: since when they are asked for;
    null while the secret waits for its first code. totp_step: the half minute whose code was used last.
    """

    __tablename__ = "staff"
    __table_args__ = (
        UniqueConstraint("username"),
        CheckConstraint("totp_since is null or totp_sealed <> ''", name="codes_have_a_secret"),
    )

    # Which of their logins asks, for as long as the request lasts; 0 outside of one.
    login_id = 0

    id: Mapped[Key]
    username: Mapped[str] = mapped_column(String(60))
    name: Mapped[Name]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    phone: Mapped[str] = mapped_column(String(40), default="")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[Moment]
    last_login_at: Mapped[Moment | None]
    left_at: Mapped[Moment | None]
    unit_scope: Mapped[JsonList] = mapped_column(default=list, server_default=text("'[]'"))
    failed_logins: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    locked_until: Mapped[Moment | None]
    totp_sealed: Mapped[str] = mapped_column(String(300), default="", server_default="")
    totp_since: Mapped[Moment | None]
    totp_step: Mapped[int] = mapped_column(BigId, default=0, server_default=text("0"))
    area_scope: Mapped[JsonList] = mapped_column(default=list, server_default=text("'[]'"))

    unit: Mapped[Unit] = relationship(lazy="joined")
    role_rows: Mapped[list[StaffRole]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(Role(row.role) for row in self.role_rows)

    @property
    def is_active(self) -> bool:
        return self.left_at is None

    def get_id(self) -> str:
        """What the session cookie holds: a later epoch, or the end of the login, makes it worthless."""
        return f"{self.id}:{self.session_epoch}:{self.login_id}"


class StaffLogin(Model):
    """One login of one person: since when, when last used, with what (`chrome/windows`), and whether it was ended.

    Neither an address nor the browser's whole description is kept.
    """

    __tablename__ = "staff_login"
    __table_args__ = (Index("ix_staff_login_open", "staff_id", "ended_at"),)

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    began_at: Mapped[Moment]
    seen_at: Mapped[Moment]
    device: Mapped[str] = mapped_column(String(40))
    ended_at: Mapped[Moment | None]


class RecoveryCode(Model):
    """A code that opens the second step once, for who has lost the telephone. Only its SHA-256 is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("staff_id", "code_hash"),)

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"))
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[Moment | None]


class StaffRole(Model):
    """One role of one person."""

    __tablename__ = "staff_role"
    __table_args__ = (CheckConstraint(one_of("role", tuple(Role)), name="role_known"),)

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)


class PasswordLink(Model):
    """A one-time link to set a password. Only the token's SHA-256 is kept."""

    __tablename__ = "password_link"
    __table_args__ = (UniqueConstraint("token_hash"),)

    id: Mapped[Key]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64))
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    made_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]


class AuditEntry(Model):
    """One act of one member of staff. Append-only; holds no resident's personal data.

    action: a dotted name that a sentence exists for, e.g. `report.assign`. subject: e.g. `report:12`.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "subject"),)

    id: Mapped[Key]
    at: Mapped[Moment] = mapped_column(index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80))
    detail: Mapped[JsonDict]
