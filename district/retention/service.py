"""Asking what is over, taking it out in steps, and choosing for how many days things are kept. None commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from district import audit, clock, settings
from district.errors import BadInput, NotAllowed, NotFound
from district.extensions import db
from district.people.models import Staff
from district.people.roles import Role
from district.reference import forget as read_again
from district.reference import reference
from district.reports import photos
from district.retention.kinds import BY_NAME, KINDS, Kind, Part, before

BATCH = 500
# What the last round took out; a name with a colon stays out of the settings that every process reads.
_LAST = "retention:last"


@dataclass(frozen=True)
class Row:
    """A kind as the panel shows it. own: the district's days without the panel's. due: what would go now.

    last_at, last: when something went last, and how much.
    """

    kind: Kind
    days: int
    own: int
    due: int
    last_at: datetime | None
    last: int


def kind_of(name: str) -> Kind:
    """Raises NotFound."""
    kind = BY_NAME.get(name)
    if kind is None:
        raise NotFound()
    return kind


def days(kind: Kind) -> int:
    """For how many days this kind is kept now."""
    return kind.usual if kind.is_fixed else int(reference().setting(kind.path, kind.usual))


def own_days(kind: Kind) -> int:
    """The same by the district's folder alone, as if the panel had said nothing."""
    table: Any = settings.get(kind.path.split(".")[0], {})
    for name in kind.path.split(".")[1:]:
        table = table.get(name, {}) if isinstance(table, Mapping) else {}
    return kind.usual if kind.is_fixed or not isinstance(table, int) else table


def due(kind: Kind, days_kept: int) -> int:
    """How much would go now if it were kept for so many days."""
    moment = before(days_kept)
    return sum(
        db.session.scalar(select(func.count()).select_from(part.due(moment).order_by(None).subquery())) or 0
        for part in kind.parts
    )


def rows() -> list[Row]:
    """Every kind, with what would go now."""
    last = settings.get(_LAST, {}).get("kinds", {})
    found = []
    for kind in KINDS:
        went = last.get(kind.name, {})
        at = datetime.fromisoformat(went["at"]) if went else None
        kept = days(kind)
        found.append(Row(kind, kept, own_days(kind), due(kind, kept), at, went.get("count", 0)))
    return found


def last_round() -> datetime | None:
    """When the scheduler tidied last; None for never."""
    at = settings.get(_LAST, {}).get("at")
    return datetime.fromisoformat(at) if at else None


def find(part: Part, moment: datetime) -> list[Any]:
    """The keys of at most BATCH things that were over at `moment`."""
    return list(db.session.scalars(part.due(moment).limit(BATCH)))


def delete_files(part: Part, keys: Sequence[Any]) -> None:
    """Delete the pictures' files that go with these. Call it outside a unit of work; safe to repeat."""
    names = part.files(keys) if part.files is not None else []
    # Read, and done with the database: the store may be slow.
    db.session.rollback()
    for name in names:
        photos.store().delete(name)


def note_round(gone: Mapping[str, int]) -> None:
    """Write down that everything was gone through, and what went, by kind."""
    now = clock.now().isoformat()
    kept = dict(settings.get(_LAST, {}).get("kinds", {}))
    kept |= {name: {"at": now, "count": count} for name, count in gone.items() if count}
    settings.put(_LAST, {"at": now, "kinds": kept})


def change(name: str, days_kept: int | None, *, by: Staff) -> None:
    """Keep a kind for so many days; None for as many as the district's folder says.

    Raises NotFound, NotAllowed for anybody but an administrator, and BadInput outside the kind's bounds.
    """
    if Role.ADMINISTRATOR not in by.roles:
        raise NotAllowed()
    kind = kind_of(name)
    if kind.is_fixed:
        raise NotAllowed()
    if days_kept is not None and not kind.least <= days_kept <= kind.most:
        raise BadInput("retention.problem.days", fields={"days": "retention.problem.days"}, least=kind.least,
                       most=kind.most)  # fmt: skip
    was = days(kind)
    settings.override(kind.path, days_kept)
    becomes = own_days(kind) if days_kept is None else days_kept
    if becomes != was:
        audit.record(by, "retention_days.change", f"retention:{name}", before={"days": was}, after={"days": becomes})


def seen_at_once() -> None:
    """This process reads the new days at its next question; the others within seconds."""
    read_again()
