"""Residents become known, staff log in and set passwords."""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db, login_manager
from district.geo.models import Area
from district.people import codes
from district.people.models import PasswordLink, Resident, Staff, StaffLogin, StaffRole
from district.people.roles import Role
from district.units.models import Unit

PASSWORD_LINK_HOURS = 24
SHORTEST_PASSWORD = 10
# What people here choose first; the library's own lists are of English and of leaked passwords.
COMMON_HERE = ("bihuan", "chengguan", "zhihui", "woaini", "woaizhongguo", "nihao", "mima", "guanliyuan")
_LONGEST_CHECKED = 72
# Wrong tries in a row, of password or code, and how long the account then rests.
LOCK_AFTER = 10
LOCK_FOR = timedelta(minutes=30)
# Raised whenever the privacy notice says something new: everybody sees it once again.
NOTICE_VERSION = 2
# WeChat lets us send this many customer-service messages this long after each act (wechat.md 3.2).
MESSAGE_GRANT = (5, timedelta(hours=48))
TAP_GRANT = (3, timedelta(minutes=1))
# A grant that ends sooner is not used any more: the message would arrive too late.
GRANT_MARGIN = timedelta(seconds=5)

_hasher = PasswordHasher()


def know_resident(openid: str, *, language: str = "zh-Hans") -> Resident:
    """The resident with this openid, made at the first contact. Flushes, for the id."""
    resident = db.session.scalar(select(Resident).where(Resident.openid == openid))
    if resident is None:
        now = clock.now()
        made = Resident(openid=openid, language=language, first_seen_at=now, last_seen_at=now)
        try:
            with db.session.begin_nested():
                db.session.add(made)
            return made
        except IntegrityError:
            # Two first messages at once: the other one was quicker.
            resident = db.session.scalars(select(Resident).where(Resident.openid == openid)).one()
    return resident


def grant_sending(resident: Resident, *, tap: bool = False, at: datetime | None = None) -> None:
    """Note that WeChat lets us send customer-service messages from `at` (now) on, after a message or a tap.

    A grant is renewed by the next act of its kind, not added up, and never makes the other kind's longer.
    """
    begins = at or clock.now()
    messages, length = TAP_GRANT if tap else MESSAGE_GRANT
    if tap:
        resident.tap_until, resident.tap_left = begins + length, messages
    else:
        resident.window_until, resident.window_left = begins + length, messages


def take_grant(resident: Resident, now: datetime, *, keeps: int = 0) -> bool | None:
    """Use up one customer-service message of a locked resident's, of the grant that ends first.

    keeps: as many must be left in the long grant afterwards. None when none can be sent; else whether it was a tap's.
    """
    if _tap_left(resident, now) > 0:
        resident.tap_left -= 1
        return True
    if _window_left(resident, now) > keeps:
        resident.window_left -= 1
        return False
    return None


def _tap_left(resident: Resident, now: datetime) -> int:
    return resident.tap_left if resident.tap_until is not None and resident.tap_until > now + GRANT_MARGIN else 0


def _window_left(resident: Resident, now: datetime) -> int:
    held = resident.window_until is not None and resident.window_until > now + GRANT_MARGIN
    return resident.window_left if held else 0


def _decoy() -> str:
    """A hash of no password, put together and not computed: checked when the name is unknown, so that a wrong name
    takes as long as a wrong password."""
    salt, hashed = (
        b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (_hasher.salt_len, _hasher.hash_len)
    )
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${hashed}"


def log_in(username: str, password: str) -> Staff | None:
    """The member of staff, or None for a wrong name or password. Takes as long either way; does not commit.

    After LOCK_AFTER wrong tries in a row the account is locked for LOCK_FOR, for the right password as well. Where
    codes are on (`totp_since`), the login is complete only with `give_code`.
    """
    staff: Staff | None = db.session.scalar(
        select(Staff)
        .where(Staff.username == username.strip().lower(), Staff.left_at.is_(None))
        .with_for_update(of=Staff)
    )
    kept = staff.password_hash if staff is not None and staff.password_hash else _decoy()
    try:
        _hasher.verify(kept, password)
    except (VerificationError, InvalidHashError):
        audit.record(None, "staff.login_failed", f"staff:{staff.id if staff else 'unknown'}")
        if staff is not None:
            _count_failure(staff)
        return None
    if staff is None or staff.password_hash is None or is_locked(staff):
        return None
    if _hasher.check_needs_rehash(kept):
        staff.password_hash = _hasher.hash(password)
    if staff.totp_since is None:
        _note_login(staff)
    return staff


def give_code(staff_id: int, code: str) -> Staff | None:
    """The second step of a login whose password was right: the member of staff, or None for a wrong code."""
    staff = db.session.get(Staff, staff_id, with_for_update={"of": Staff})
    if staff is None or staff.left_at is not None or is_locked(staff):
        return None
    if not codes.fits(staff, code):
        audit.record(None, "staff.login_failed", f"staff:{staff_id}", code=True)
        _count_failure(staff)
        return None
    _note_login(staff)
    return staff


def is_locked(staff: Staff) -> bool:
    """Whether the account rests after too many wrong tries."""
    return staff.locked_until is not None and staff.locked_until > clock.now()


def _count_failure(staff: Staff) -> None:
    if is_locked(staff):
        return
    staff.failed_logins += 1
    if staff.failed_logins >= LOCK_AFTER:
        staff.failed_logins, staff.locked_until = 0, clock.now() + LOCK_FOR
        audit.record(None, "staff.locked", f"staff:{staff.id}")


def _note_login(staff: Staff) -> None:
    staff.failed_logins, staff.locked_until = 0, None
    staff.last_login_at = clock.now()
    audit.record(staff, "staff.login", f"staff:{staff.id}")


def hash_password(password: str) -> str:
    """An argon2id hash. Raises BadInput for a password that is too short or too plain."""
    if len(password) < SHORTEST_PASSWORD or len(set(password)) < 5:
        raise BadInput(fields={"password": "errors.password_weak"})
    return _hasher.hash(password)


def check_strength(password: str, staff: Staff) -> None:
    """Raises BadInput for a password that is easily guessed, by what is common or by who the person is."""
    # Its lists of words are only needed where somebody chooses a password.
    from zxcvbn import zxcvbn

    own = [staff.username, staff.name, staff.unit.name if staff.unit else "", *COMMON_HERE]
    contains_name = len(staff.username) > 3 and staff.username in password.lower()
    if contains_name or zxcvbn(password[:_LONGEST_CHECKED], user_inputs=own)["score"] < 3:
        raise BadInput(fields={"password": "errors.password_guessable"})


def change_password(staff_id: int, old: str, new: str, *, keep_login: int) -> Staff:
    """Somebody logged in chooses another password; every other login of theirs ends.

    Raises BadInput for a wrong old password or a weak new one.
    """
    staff = db.session.get_one(Staff, staff_id, with_for_update={"of": Staff})
    require_password(staff, old, field="old")
    set_password(staff, new)
    audit.record(staff, "staff.password_set", f"staff:{staff.id}")
    # The new epoch ended all; the one that asks goes on under it.
    kept = db.session.get(StaffLogin, keep_login)
    if kept is not None and kept.staff_id == staff.id:
        kept.ended_at = None
    return staff


def require_password(staff: Staff, password: str, *, field: str) -> None:
    """Raises BadInput, naming `field`, unless this is the person's password."""
    try:
        _hasher.verify(staff.password_hash or _decoy(), password)
    except (VerificationError, InvalidHashError):
        raise BadInput(fields={field: "errors.password_old_wrong"}) from None


def set_password(staff: Staff, password: str) -> None:
    """Set the password and end every open session of this person. Raises BadInput for a weak one."""
    hashed = hash_password(password)
    check_strength(password, staff)
    staff.password_hash = hashed
    staff.failed_logins, staff.locked_until = 0, None
    db.session.execute(
        update(StaffLogin)
        .where(StaffLogin.staff_id == staff.id, StaffLogin.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
    staff.session_epoch += 1


def add_staff(username: str, name: str, unit_code: str, roles: Iterable[Role], *, by: Staff | None) -> Staff:
    """A new member of staff without a password: they set it through a one-time link. Flushes, for the id."""
    username = username.strip().lower()
    unit = db.session.scalar(select(Unit).where(Unit.code == unit_code, Unit.closed_at.is_(None)))
    fields: dict[str, str] = {}
    if not username or db.session.scalar(select(Staff.id).where(Staff.username == username)) is not None:
        fields["username"] = "errors.username_taken"
    if unit is None:
        fields["unit"] = "errors.unit_unknown"
    if fields or unit is None:
        raise BadInput(fields=fields)
    staff = Staff(username=username, name=name.strip() or username, unit_id=unit.id, created_at=clock.now())
    staff.role_rows = [StaffRole(role=role) for role in dict.fromkeys(roles)]
    db.session.add(staff)
    db.session.flush()
    audit.record(by, "staff.add", f"staff:{staff.id}", roles=sorted(staff.roles), unit=unit_code)
    return staff


@dataclass(frozen=True, kw_only=True)
class AccountChange:
    """What an account is to be: whose, of which unit, with which roles, limited to which units and streets (codes)."""

    name: str
    unit_code: str
    roles: frozenset[Role]
    unit_scope: frozenset[str] = frozenset()
    area_scope: frozenset[str] = frozenset()


def change_account(staff_id: int, change: AccountChange, *, by: Staff) -> Staff:
    """Give an account another name, unit, other roles or limits; what was and what is goes to the audit log.

    It holds from the person's next request on. Raises NotAllowed for anybody but an administrator, and for taking the
    administrator's role from oneself; NotFound; BadInput.
    """
    staff = _account(staff_id, by)
    if staff.id == by.id and Role.ADMINISTRATOR not in change.roles:
        raise NotAllowed("errors.own_role")
    units = {unit.code: unit for unit in db.session.scalars(select(Unit).where(Unit.closed_at.is_(None)))}
    areas = set(db.session.scalars(select(Area.code).where(Area.level == "area")))
    fields: dict[str, str] = {}
    if not change.name.strip():
        fields["name"] = "admin.staff.name_missing"
    if change.unit_code not in units:
        fields["unit"] = "errors.unit_unknown"
    if not change.roles:
        fields["roles"] = "admin.staff.roles_missing"
    if change.unit_scope - units.keys():
        fields["unit_scope"] = "errors.unit_unknown"
    if change.area_scope - areas:
        fields["area_scope"] = "errors.area_unknown"
    if fields:
        raise BadInput(fields=fields)
    before = _described(staff)
    staff.name, staff.unit_id = change.name.strip()[:60], units[change.unit_code].id
    staff.unit = units[change.unit_code]
    staff.unit_scope = sorted(units[code].id for code in change.unit_scope)
    staff.area_scope = sorted(change.area_scope)
    kept = {row.role: row for row in staff.role_rows}
    staff.role_rows = [kept.get(role) or StaffRole(role=role) for role in sorted(change.roles)]
    after = _described(staff)
    if after != before:
        audit.record(by, "staff.change", f"staff:{staff_id}", before=before, after=after)
    return staff


def _described(staff: Staff) -> dict[str, Any]:
    """An account as the audit log keeps it: its name, and ids and codes for the rest."""
    return {
        "name": staff.name, "unit_id": staff.unit_id, "roles": sorted(staff.roles),
        "unit_scope": list(staff.unit_scope), "area_scope": list(staff.area_scope),
    }  # fmt: skip


def end_account(staff_id: int, *, by: Staff) -> Staff:
    """Somebody has left: no login, no open session, no link works from now on; what they did stays theirs.

    Raises NotAllowed for anybody but an administrator, and for one's own account; NotFound.
    """
    staff = _account(staff_id, by)
    if staff.id == by.id:
        raise NotAllowed("errors.own_account")
    if staff.left_at is None:
        staff.left_at = clock.now()
        staff.session_epoch += 1
        _end_links(staff_id)
        audit.record(by, "staff.end", f"staff:{staff_id}")
    return staff


def restore_account(staff_id: int, *, by: Staff) -> Staff:
    """Somebody is back: the old password is gone, a new link sets one. Raises NotAllowed, NotFound."""
    staff = _account(staff_id, by)
    if staff.left_at is not None:
        staff.left_at, staff.password_hash = None, None
        audit.record(by, "staff.restore", f"staff:{staff_id}")
    return staff


def _account(staff_id: int, by: Staff) -> Staff:
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    staff = db.session.get(Staff, staff_id, with_for_update=True)
    if staff is None:
        raise NotFound("errors.staff_unknown")
    return staff


def _end_links(staff_id: int) -> None:
    db.session.execute(
        update(PasswordLink)
        .where(PasswordLink.staff_id == staff_id, PasswordLink.used_at.is_(None))
        .values(used_at=clock.now())
    )


def make_password_link(staff_id: int, *, by: Staff | None) -> str:
    """A token that lets its holder set this person's password once, within a day. Older links end.

    by: an administrator, or None from the command line. Raises NotAllowed, NotFound.
    """
    if by is not None and Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    staff = db.session.get(Staff, staff_id)
    if staff is None or staff.left_at is not None:
        raise NotFound()
    now = clock.now()
    _end_links(staff_id)
    token = secrets.token_urlsafe(24)
    db.session.add(
        PasswordLink(
            staff_id=staff_id,
            token_hash=_digest(token),
            made_by_id=by.id if by else None,
            made_at=now,
            expires_at=now + timedelta(hours=PASSWORD_LINK_HOURS),
        )
    )
    audit.record(by, "staff.password_link", f"staff:{staff_id}")
    return token


def staff_of_password_link(token: str) -> Staff:
    """Whose password this link sets. Raises NotFound when it is unknown, used or too old."""
    link = _password_link(token)
    staff = db.session.get(Staff, link.staff_id)
    if staff is None or staff.left_at is not None:
        raise NotFound("errors.link_ended")
    return staff


def use_password_link(token: str, password: str) -> Staff:
    """Set the password by a one-time link. Raises NotFound for a dead link, BadInput for a weak password."""
    link = _password_link(token, lock=True)
    staff = staff_of_password_link(token)
    set_password(staff, password)
    link.used_at = clock.now()
    audit.record(staff, "staff.password_set", f"staff:{staff.id}")
    return staff


def _password_link(token: str, *, lock: bool = False) -> PasswordLink:
    query = select(PasswordLink).where(PasswordLink.token_hash == _digest(token))
    link = db.session.scalar(query.with_for_update() if lock else query)
    if link is None or link.used_at is not None or link.expires_at < clock.now():
        raise NotFound("errors.link_ended")
    return link


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# Built once, and with all in one question: every request of the panel begins with it.
_OF_LOGIN = (
    select(Staff)
    .join(StaffLogin, StaffLogin.staff_id == Staff.id)
    .where(
        Staff.id == bindparam("staff_id"), Staff.left_at.is_(None), Staff.session_epoch == bindparam("epoch"),
        StaffLogin.id == bindparam("login_id"), StaffLogin.ended_at.is_(None),
    )
    .options(joinedload(Staff.role_rows))
)  # fmt: skip
_PARENTS = select(Unit.id, Unit.parent_id)


@login_manager.user_loader  # type: ignore[untyped-decorator]
def _load_staff(session_id: str) -> Staff | None:
    """Who a session cookie belongs to: None when the person left or the session was ended."""
    parts = session_id.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
        return None
    staff_id, epoch, login_id = (int(part) for part in parts)
    asked = {"staff_id": staff_id, "epoch": epoch, "login_id": login_id}
    staff: Staff | None = db.session.scalars(_OF_LOGIN, asked).unique().one_or_none()
    if staff is not None:
        staff.login_id = login_id
    return staff


# Which units are under each, for whoever asks several times and is to hear the same; None where nobody holds them.
_held_below: ContextVar[dict[int, frozenset[int]] | None] = ContextVar("held_below", default=None)


def hold_units() -> None:
    """From now on, until `let_units_go`, `unit_and_below` looks each unit up once: for what changes no unit."""
    _held_below.set({})


def let_units_go() -> None:
    _held_below.set(None)


def unit_and_below(unit_id: int) -> frozenset[int]:
    """The unit and every unit under it, as ids."""
    held = _held_below.get()
    found = held.get(unit_id) if held is not None else None
    if found is None:
        found = _below(unit_id)
        if held is not None:
            held[unit_id] = found
    return found


def _below(unit_id: int) -> frozenset[int]:
    pairs = db.session.execute(_PARENTS).all()
    found = {unit_id}
    while True:
        more = {child for child, parent in pairs if parent in found} - found
        if not more:
            return frozenset(found)
        found |= more
