"""The second step of logging in: a six-figure code of an app (TOTP, RFC 6238), or one of the recovery codes.

The secret is kept sealed, of the recovery codes only digests. None commits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

import pyotp
from sqlalchemy import delete, select

from district import audit, clock, sealed
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.people.models import RecoveryCode, Staff
from district.people.roles import Role

STEP_S = 30
RECOVERY_CODES = 8
# Base 32 without what is easily confused; 16 letters are 80 bits, so a plain digest cannot be turned back.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def begin(staff: Staff) -> None:
    """A new secret that counts for nothing until its first code is given. Raises WrongState when codes are on."""
    if staff.totp_since is not None:
        raise WrongState()
    staff.totp_sealed = sealed.seal(pyotp.random_base32())


def secret_of(staff: Staff) -> str:
    """The secret, to be typed into an app; empty when there is none."""
    return sealed.open_sealed(staff.totp_sealed)


def address_of(staff: Staff, *, district: str) -> str:
    """What the square code for the app holds. district: the name the app shows beside the user name."""
    return pyotp.TOTP(secret_of(staff)).provisioning_uri(name=staff.username, issuer_name=district)


def confirm(staff: Staff, code: str) -> list[str]:
    """The app gives codes: from now on they are asked for. Returns the recovery codes, to be shown once.

    Raises WrongState where nothing was begun, BadInput for a wrong code.
    """
    if staff.totp_since is not None or not staff.totp_sealed:
        raise WrongState()
    if not _is_code(staff, code):
        raise BadInput(fields={"code": "errors.code_wrong"})
    staff.totp_since = clock.now()
    audit.record(staff, "staff.code_on", f"staff:{staff.id}")
    return _new_recovery_codes(staff)


def fits(staff: Staff, code: str) -> bool:
    """Whether this code opens the second step; each opens it once. Uses it up; takes a recovery code as well."""
    if staff.totp_since is None:
        return False
    if _is_code(staff, code):
        return True
    row = db.session.scalar(
        select(RecoveryCode)
        .where(
            RecoveryCode.staff_id == staff.id,
            RecoveryCode.code_hash == _digest(code),
            RecoveryCode.used_at.is_(None),
        )
        .with_for_update()
    )
    if row is None:
        return False
    row.used_at = clock.now()
    audit.record(staff, "staff.recovery_used", f"staff:{staff.id}")
    return True


def codes_left(staff_id: int) -> int:
    """How many recovery codes are unused."""
    query = select(RecoveryCode.id).where(RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))
    return len(db.session.scalars(query).all())


def reset(staff_id: int, *, by: Staff) -> Staff:
    """No codes are asked for any more: the telephone is lost, or the person does without.

    by: the person, or an administrator. Raises NotAllowed, NotFound.
    """
    if by.id != staff_id and Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    staff = db.session.get(Staff, staff_id, with_for_update=True)
    if staff is None:
        raise NotFound("errors.staff_unknown")
    was_on = staff.totp_since is not None
    staff.totp_since, staff.totp_sealed, staff.totp_step = None, "", 0
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff_id))
    if was_on:
        audit.record(by, "staff.code_off", f"staff:{staff_id}")
    return staff


def _is_code(staff: Staff, code: str) -> bool:
    """Whether it is the app's code of now, the step before or after; one that was used, or an older one, is not."""
    secret = secret_of(staff)
    typed = "".join(code.split())
    if not secret or len(typed) != 6 or not (typed.isascii() and typed.isdecimal()):
        return False
    app = pyotp.TOTP(secret, interval=STEP_S)
    now = int(clock.now().timestamp()) // STEP_S
    for step in (now, now - 1, now + 1):
        if step > staff.totp_step and hmac.compare_digest(app.generate_otp(step), typed):
            staff.totp_step = step
            return True
    return False


def _new_recovery_codes(staff: Staff) -> list[str]:
    made = [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4)) for _ in range(RECOVERY_CODES)
    ]
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    db.session.add_all(RecoveryCode(staff_id=staff.id, code_hash=_digest(code)) for code in made)
    return made


def _digest(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter in _LETTERS)
    return hashlib.sha256(plain.encode()).hexdigest()
