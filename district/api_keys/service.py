"""Making, changing and revoking keys of machines; and whether one that is shown at a door is good. None commits."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, select, update

from district import audit, clock
from district.api_keys.models import ApiKey, Scope
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.people.models import Staff
from district.people.roles import Role
from district.units.models import Unit

# `bhk_4f7a2c1d09be_<43 letters>`: recognised by tools that look for keys in code, found by its middle part.
_MARK = "bhk"
_KEY = re.compile(r"(bhk_[0-9a-f]{12})_[A-Za-z0-9_-]{43}")
LONGEST_NAME = 80
MOST_PER_MINUTE = 6000
USUAL_PER_MINUTE = 300
# "Last used" need not be more exact, and a row is not written for every request.
USED_EVERY = timedelta(minutes=1)


class KeyRefused(NotAllowed):
    """No key of ours, or one that opens nothing any more."""

    code = "key_refused"
    default_key = "apikeys.refused.unknown"


class ScopeMissing(NotAllowed):
    """The key is good, for other things."""

    code = "scope_missing"
    default_key = "apikeys.refused.scope"


@dataclass(frozen=True)
class Client:
    """Who holds a good key. is_use_due: that it is used wants to be noted (`note_use`)."""

    id: int
    name: str
    unit_id: int
    scopes: frozenset[Scope]
    per_minute: int
    is_use_due: bool

    def require(self, scope: Scope) -> None:
        """Raises ScopeMissing unless the key is for this."""
        if scope not in self.scopes:
            raise ScopeMissing(scope=scope.value)


def verify(key: str, scope: Scope | None = None) -> Client:
    """Who holds this key. scope: what it must be for.

    Raises KeyRefused (unknown, revoked, expired, its unit closed) and ScopeMissing. Takes the same time whether the
    key is nearly right or not at all; why a key opens nothing any more is said only to whoever has all of it.
    """
    shape = _KEY.fullmatch(key)
    row = db.session.scalar(select(ApiKey).where(ApiKey.prefix == shape[1])) if shape else None
    if not hmac.compare_digest(_digest(key), row.key_hash if row is not None else _digest("")) or row is None:
        raise KeyRefused()
    now = clock.now()
    if row.revoked_at is not None:
        raise KeyRefused("apikeys.refused.revoked")
    if row.expires_at is not None and row.expires_at <= now:
        raise KeyRefused("apikeys.refused.expired")
    if row.unit.closed_at is not None:
        raise KeyRefused("apikeys.refused.unit")
    known = frozenset(Scope(one) for one in row.scopes if one in set(Scope))
    is_due = row.last_used_at is None or now - row.last_used_at >= USED_EVERY
    client = Client(row.id, row.name, row.unit_id, known, row.per_minute, is_due)
    if scope is not None:
        client.require(scope)
    return client


def note_use(client: Client) -> None:
    """It was used just now; written at most every USED_EVERY, however many processes notice."""
    now = clock.now()
    db.session.execute(
        update(ApiKey)
        .where(
            ApiKey.id == client.id, or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USED_EVERY)
        )
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )  # fmt: skip


def create(
    *, by: Staff, name: str, unit_id: int | None, scopes: Collection[str], per_minute: int | None,
    expires_at: datetime | None,
) -> tuple[ApiKey, str]:  # fmt: skip
    """A new key: its row, and the key itself, which nobody can see again. Flushes, for the id.

    Raises NotAllowed for anybody but an administrator, and BadInput naming each field that cannot be used.
    """
    _require_keeper(by)
    name, chosen = _checked(name, scopes, per_minute, expires_at, unit_id=unit_id)
    prefix = f"{_MARK}_{secrets.token_hex(6)}"
    key = f"{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiKey(
        name=name, unit_id=unit_id, scopes=chosen, prefix=prefix, key_hash=_digest(key), per_minute=per_minute,
        created_at=clock.now(), created_by_id=by.id, expires_at=expires_at,
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    audit.record(by, "api_key.create", f"api_key:{row.id}", after=_told(row))
    return row, key


def change(
    key_id: int, *, by: Staff, name: str, scopes: Collection[str], per_minute: int | None, expires_at: datetime | None
) -> ApiKey:
    """Change what a key is called and opens; the key itself stays. Raises as `create` does, NotFound and WrongState."""
    _require_keeper(by)
    row = _live(key_id)
    before = _told(row)
    row.name, row.scopes = _checked(name, scopes, per_minute, expires_at)
    row.per_minute, row.expires_at = per_minute or row.per_minute, expires_at
    if _told(row) != before:
        audit.record(by, "api_key.change", f"api_key:{row.id}", before=before, after=_told(row))
    return row


def revoke(key_id: int, *, by: Staff) -> ApiKey:
    """From now on it opens nothing, for good. Raises NotAllowed, NotFound and WrongState."""
    _require_keeper(by)
    row = _live(key_id)
    row.revoked_at, row.revoked_by_id = clock.now(), by.id
    audit.record(by, "api_key.revoke", f"api_key:{row.id}", before=_told(row))
    return row


def listed() -> list[ApiKey]:
    """Every key there ever was: those that open something first, then by name."""
    return list(db.session.scalars(select(ApiKey).order_by(ApiKey.revoked_at.is_not(None), ApiKey.name, ApiKey.id)))


def one(key_id: int) -> ApiKey:
    """Raises NotFound."""
    row = db.session.get(ApiKey, key_id)
    if row is None:
        raise NotFound()
    return row


def is_over(row: ApiKey) -> bool:
    """Whether it opens nothing any more."""
    return row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= clock.now())


def names_of(key_ids: Collection[int]) -> dict[int, str]:
    """{id: name} of these keys, in one query."""
    if not key_ids:
        return {}
    rows = db.session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(key_ids)))
    return {row.id: row.name for row in rows}


def _require_keeper(by: Staff) -> None:
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()


def _live(key_id: int) -> ApiKey:
    row = db.session.get(ApiKey, key_id, with_for_update=True)
    if row is None:
        raise NotFound()
    if row.revoked_at is not None:
        raise WrongState("apikeys.problem.revoked")
    return row


def _checked(
    name: str, scopes: Collection[str], per_minute: int | None, expires_at: datetime | None,
    *, unit_id: int | None = -1,
) -> tuple[str, list[str]]:  # fmt: skip
    """The name, and the scopes in their own order. unit_id: -1 for one that is not chosen here."""
    wrong: dict[str, str] = {}
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        wrong["name"] = "apikeys.problem.name"
    chosen = [scope.value for scope in Scope if scope in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        wrong["scopes"] = "apikeys.problem.scopes"
    if per_minute is None or not 0 < per_minute <= MOST_PER_MINUTE:
        wrong["per_minute"] = "apikeys.problem.per_minute"
    if expires_at is not None and expires_at <= clock.now():
        wrong["expires_on"] = "apikeys.problem.expires"
    if unit_id != -1:
        unit = db.session.get(Unit, unit_id) if unit_id is not None else None
        if unit is None or unit.closed_at is not None:
            wrong["unit"] = "apikeys.problem.unit"
    if wrong:
        raise BadInput(fields=wrong)
    return name, chosen


def _told(row: ApiKey) -> dict[str, object]:
    ends = row.expires_at.astimezone(UTC).isoformat() if row.expires_at else None
    return {
        "name": row.name, "prefix": row.prefix, "unit_id": row.unit_id, "scopes": list(row.scopes),
        "per_minute": row.per_minute, "expires_at": ends,
    }  # fmt: skip


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
