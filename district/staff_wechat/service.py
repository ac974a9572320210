"""Binding a member of staff to their WeChat, once, by a code that they send to the account. None commits."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from district import audit, clock
from district.errors import BadInput, NotFound
from district.extensions import db
from district.people.models import Staff
from district.staff_wechat.models import BindingCode, StaffMessage, StaffWeChat

CODE_LIVES = timedelta(minutes=15)
# No letters or digits that are taken for one another. Guessing one of 31^8 within a quarter of an hour is hopeless.
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXY"
CODE_LENGTH = 8


def new_code(by: Staff) -> str:
    """A code by which this person binds their WeChat, for CODE_LIVES; an earlier one is worth nothing any more."""
    code = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    db.session.execute(delete(BindingCode).where(BindingCode.staff_id == by.id))
    db.session.add(BindingCode(staff_id=by.id, code_hash=_digest(code), expires_at=clock.now() + CODE_LIVES))
    db.session.flush()
    return code


def holder(code: str) -> Staff | None:
    """Whose code this is; None for one that is unknown, used or too old, or of somebody who has left."""
    found: Staff | None = db.session.scalar(
        select(Staff)
        .join(BindingCode, BindingCode.staff_id == Staff.id)
        .where(BindingCode.code_hash == _digest(code), BindingCode.expires_at > clock.now(), Staff.left_at.is_(None))
    )
    return found


def bind(code: str, openid: str) -> Staff:
    """From now on this WeChat is that person's; whatever either was bound to before is not. The code is used up.

    Raises BadInput for a code that `holder` does not know.
    """
    staff = holder(code)
    if staff is None:
        raise BadInput("staff_wechat.code_unknown")
    db.session.execute(delete(BindingCode).where(BindingCode.staff_id == staff.id))
    db.session.execute(
        delete(StaffWeChat).where((StaffWeChat.staff_id == staff.id) | (StaffWeChat.openid == openid))
    )
    db.session.add(StaffWeChat(staff_id=staff.id, openid=openid, bound_at=clock.now()))
    audit.record(staff, "staff.wechat_bound", f"staff:{staff.id}")
    db.session.flush()
    return staff


def unbind(staff_id: int, *, by: Staff) -> None:
    """Nothing more is sent to this person's WeChat and it logs nobody in. Raises NotFound when none is bound."""
    binding = db.session.get(StaffWeChat, staff_id)
    if binding is None:
        raise NotFound()
    db.session.delete(binding)
    db.session.execute(
        delete(StaffMessage).where(StaffMessage.staff_id == staff_id, StaffMessage.next_try_at.is_not(None))
    )
    audit.record(by, "staff.wechat_unbound", f"staff:{staff_id}")
    db.session.flush()


def bound_since(staff_id: int) -> datetime | None:
    """Since when this person's WeChat is bound; None when none is."""
    return db.session.scalar(select(StaffWeChat.bound_at).where(StaffWeChat.staff_id == staff_id))


def staff_of(openid: str) -> Staff | None:
    """The member of staff who has bound this WeChat and has not left."""
    found: Staff | None = db.session.scalar(
        select(Staff)
        .join(StaffWeChat, StaffWeChat.staff_id == Staff.id)
        .where(StaffWeChat.openid == openid, Staff.left_at.is_(None))
    )
    return found


def log_in(openid: str) -> Staff | None:
    """Who comes in by this WeChat; None when nobody has bound it. Whether they may is WeChat's word, as a key's is."""
    staff = staff_of(openid)
    if staff is not None:
        staff.last_login_at = clock.now()
        audit.record(staff, "staff.login", f"staff:{staff.id}", way="wechat")
        db.session.flush()
    return staff


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().upper().replace("-", "").encode()).hexdigest()
