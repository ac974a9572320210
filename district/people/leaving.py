"""A resident leaves the account and perhaps comes back: their openid goes, their cases stay.

What is kept is a digest under the secret key. It leads back to nobody; only whoever follows the account anew brings
the openid along that has this digest, and finds their reports again.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import current_app
from sqlalchemy import exists, select, update
from sqlalchemy.orm import aliased

from district.extensions import db
from district.people.models import Resident


def leave(resident: Resident) -> None:
    """Forget who this is. resident: locked. Nothing can be sent to them, and no login of theirs holds."""
    if resident.openid is None:
        return
    resident.left_digest = _digest(resident.openid)
    resident.openid = None
    resident.is_follower = False
    resident.window_until = resident.tap_until = None
    resident.window_left = resident.tap_left = 0
    resident.web_epoch += 1


def come_back(openid: str) -> None:
    """Whoever left under this openid is known by it again, unless they already wrote as somebody new."""
    other = aliased(Resident)
    left = select(Resident.id).where(Resident.left_digest == _digest(openid)).order_by(Resident.id.desc()).limit(1)
    db.session.execute(
        update(Resident)
        .where(Resident.id == left.scalar_subquery(), ~exists().where(other.openid == openid))
        .values(openid=openid, left_digest=None)
        .execution_options(synchronize_session=False)
    )


def has_left(openid: str) -> bool:
    """Whether this is the openid of somebody who left and has not come back."""
    return db.session.scalar(select(Resident.id).where(Resident.left_digest == _digest(openid)).limit(1)) is not None


def end_web_logins(resident: Resident) -> None:
    """No page knows this resident any more until they log in anew. resident: locked."""
    resident.web_epoch += 1


def _digest(openid: str) -> str:
    key = f"left the account:{current_app.config['SECRET_KEY']}".encode()
    return hmac.new(key, openid.encode(), hashlib.sha256).hexdigest()
