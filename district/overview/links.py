"""The wall display without a login: a link for one screen, with an end, that can be turned off. None commits."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select, update

from district import audit, clock
from district.errors import BadInput, NotAllowed, NotFound, WrongState
from district.extensions import db
from district.overview.models import WallLink
from district.people.models import Staff
from district.people.roles import Role
from district.reports.sight import sight_of
from district.words import clean

# Who may make and end links; the panel's guard reads this, too.
MAY_SHARE = frozenset({Role.ADMINISTRATOR, Role.LEADER})
# What can be chosen from, in days.
LENGTHS = (1, 30, 90, 365)
LONGEST_NAME = 40
# "Last seen" need not be more exact: a screen asks four times a minute.
SEEN_EVERY = timedelta(minutes=1)
_TOKEN_BYTES = 24
_MOST = 200


def make(name: str, *, days: int, by: Staff) -> tuple[WallLink, str]:
    """A new link and its token, which can be read only now. days: one of LENGTHS. Flushes, for the id.

    What it shows is the whole district: only who sees all of it may make one. Raises NotAllowed, BadInput.
    """
    _require(by)
    name = clean(name)
    fields: dict[str, str] = {}
    if not name or len(name) > LONGEST_NAME:
        fields["name"] = "overview.links.name_wrong"
    if days not in LENGTHS:
        fields["days"] = "overview.links.days_wrong"
    if fields:
        raise BadInput(fields=fields)
    token, now = secrets.token_urlsafe(_TOKEN_BYTES), clock.now()
    row = WallLink(
        name=name, token_hash=_digest(token), made_by_id=by.id, made_at=now, expires_at=now + timedelta(days=days)
    )
    db.session.add(row)
    db.session.flush()
    audit.record(by, "wall.link_make", f"wall_link:{row.id}", name=name, days=days)
    return row, token


def end(link_id: int, *, by: Staff) -> WallLink:
    """Turn a link off at once. Raises NotAllowed, NotFound, WrongState when it holds no more."""
    _require(by)
    row = db.session.get(WallLink, link_id, with_for_update={"of": WallLink})
    if row is None:
        raise NotFound()
    if not holds(row):
        raise WrongState()
    row.ended_at, row.ended_by_id = clock.now(), by.id
    audit.record(by, "wall.link_end", f"wall_link:{row.id}", name=row.name)
    return row


def newest() -> list[WallLink]:
    """All links, newest first; of very many the last ones."""
    return list(db.session.scalars(select(WallLink).order_by(WallLink.id.desc()).limit(_MOST)))


def find(token: str) -> WallLink | None:
    """The link with this token, while it holds; None for any other."""
    row = db.session.scalar(select(WallLink).where(WallLink.token_hash == _digest(token)))
    return row if row is not None and holds(row) else None


def names_of(ids: Collection[int]) -> dict[int, str]:
    """Which screen each of these links is for."""
    rows = db.session.execute(select(WallLink.id, WallLink.name).where(WallLink.id.in_(ids))) if ids else ()
    return {row.id: row.name for row in rows}


def holds(row: WallLink) -> bool:
    """Whether the link shows anything now."""
    return row.ended_at is None and row.expires_at > clock.now()


def is_seen(row: WallLink) -> bool:
    """Whether that a screen asked just now is already written down."""
    return row.seen_at is not None and row.seen_at > clock.now() - SEEN_EVERY


def note_seen(link_id: int) -> None:
    """A screen asked by this link just now."""
    db.session.execute(update(WallLink).where(WallLink.id == link_id).values(seen_at=clock.now()))


def _require(by: Staff) -> None:
    if by.left_at is not None or not by.roles & MAY_SHARE or not sight_of(by).is_whole:
        raise NotAllowed()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
