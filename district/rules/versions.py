"""Keeping every version of the rules. Verbs flush and never commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from district import clock
from district.extensions import db
from district.people.models import Staff
from district.routing.models import RoutingRule
from district.rules.models import RulesVersion
from district.settings import ReferenceVersion

# What a rule says, in the order in which people read it.
COLUMNS = (
    "priority", "category_codes", "major", "facility_types", "area_codes", "condition", "units", "role", "mode", "note",
)  # fmt: skip

Rule = Mapping[str, Any]


def keep(origin: str, by: Staff | None = None, *, restored_from: int | None = None) -> RulesVersion | None:
    """Keep the rules that the table holds now as a version, with what differs from the version before.

    Call it after the reference data's version was counted up. None when nothing differs.
    """
    db.session.flush()
    before = latest()
    rules = in_force()
    changes = difference(before.rules if before else (), rules)
    if before is not None and not changes:
        return None
    number = db.session.scalar(select(ReferenceVersion.number).where(ReferenceVersion.name == "rules")) or 0
    version = RulesVersion(
        # A district without a single counted change has number 0; whatever is kept later must have a higher one.
        number=max(number, before.number + 1 if before else 0),
        at=clock.now(),
        staff_id=by.id if by else None,
        origin=origin,
        restored_from=restored_from,
        rules=rules,
        changes=changes if before else [],
    )
    db.session.add(version)
    db.session.flush()
    return version


def in_force() -> list[dict[str, Any]]:
    """The rules in force as versions keep them, first tried first."""
    rows = db.session.execute(
        select(RoutingRule.__table__)
        .where(RoutingRule.retired_at.is_(None))
        .order_by(RoutingRule.priority.desc(), RoutingRule.id)
    ).mappings()
    return [{"code": row["code"]} | {name: row[name] for name in COLUMNS} for row in rows]


def difference(before: Iterable[Rule], after: Iterable[Rule]) -> list[dict[str, Any]]:
    """What became of each rule that is not the same: `{code, before, after}`, None where there is none."""
    old, new = ({rule["code"]: dict(rule) for rule in rules} for rules in (before, after))
    return [
        {"code": code, "before": old.get(code), "after": new.get(code)}
        for code in sorted(old.keys() | new.keys())
        if old.get(code) != new.get(code)
    ]


def latest() -> RulesVersion | None:
    """The version in force; None where none was kept yet."""
    return db.session.scalar(select(RulesVersion).order_by(RulesVersion.number.desc()).limit(1))


def in_force_at(number: int) -> RulesVersion | None:
    """The version that a decision made under this number was made under; None for one older than all that were kept."""
    return db.session.scalar(
        select(RulesVersion).where(RulesVersion.number <= number).order_by(RulesVersion.number.desc()).limit(1)
    )


def hold() -> None:
    """Nobody else changes the rules until the commit."""
    db.session.get(ReferenceVersion, "rules", with_for_update=True, populate_existing=True)


def latest_number() -> int:
    """The number of the version in force, 0 where none was kept yet."""
    return db.session.scalar(select(func.max(RulesVersion.number))) or 0


def since(number: int) -> Sequence[RulesVersion]:
    """The versions after `number`, oldest first."""
    return db.session.scalars(
        select(RulesVersion).where(RulesVersion.number > number).order_by(RulesVersion.number)
    ).all()


def page(*, before: int | None = None, limit: int = 30) -> Sequence[RulesVersion]:
    """Versions, newest first. before: only those with a lower number."""
    query = select(RulesVersion).order_by(RulesVersion.number.desc()).limit(limit)
    return db.session.scalars(query.where(RulesVersion.number < before) if before is not None else query).all()
