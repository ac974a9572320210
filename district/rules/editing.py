"""Changing the rules by hand: one rule at a time, checked as the folder's loader checks, each change a version.

Every verb takes `base`, the version that the person saw: when the rules have changed since, nothing is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from district import audit, clock, settings
from district.errors import BadInput, NotFound, StaleVersion
from district.extensions import db
from district.loading.files import Row
from district.loading.problems import Report
from district.loading.rule_rows import COLUMNS, KnownToRules, read_rule
from district.messages import t
from district.people.models import Staff
from district.reference import Reference, RuleRef
from district.routing.models import RoutingRule
from district.routing.rules import LOOKERS_ON
from district.rules import versions
from district.rules.models import RulesVersion


class RuleRefused(BadInput):
    """A rule that cannot be taken. problems: column → what to do about it, in the language of the moment."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__()
        self.problems = dict(problems)


class RulesChanged(StaleVersion):
    """Somebody changed the rules meanwhile. since: the versions they made; number: the one in force."""

    def __init__(self, since: Sequence[RulesVersion]) -> None:
        super().__init__("rules.stale")
        self.since = since
        self.number = since[-1].number if since else 0


def read(cells: Mapping[str, str], ref: Reference) -> RuleRef:
    """The rule that somebody wrote, column by column as in routing_rules.csv. Raises RuleRefused."""
    report = Report()
    row = Row("", 0, {name: cells.get(name, "") for name in COLUMNS}, report)
    code, record = read_rule(row, _known(ref))
    closed = [name for name in record["units"] if (unit := ref.units_by_code.get(name)) and unit.is_closed]
    if closed:
        row.wrong("unit", "closed_unit", value=closed[0])
    if report.problems:
        problems: dict[str, str] = {}
        for problem in report.problems:
            problems.setdefault(problem.column or "", problem.message)
        raise RuleRefused(problems)
    return RuleRef(
        code, record["priority"], tuple(record["category_codes"]), record["major"], tuple(record["facility_types"]),
        tuple(record["area_codes"]), record["condition"], tuple(record["units"]), record["role"], record["mode"],
        record["note"],
    )  # fmt: skip


def written(rule: RuleRef) -> dict[str, str]:
    """The rule as a person writes it, column by column."""
    return {
        "rule_id": rule.code,
        "priority": str(rule.priority),
        "category_codes": ";".join(rule.category_codes),
        "major": rule.major,
        "facility_type": ";".join(rule.facility_types),
        "area_codes": ";".join(rule.area_codes),
        "condition": rule.condition,
        "unit": ";".join(rule.units),
        "role": rule.role,
        "mode": rule.mode,
        "note": rule.note,
    }


def with_rule(rules: Sequence[RuleRef], rule: RuleRef) -> tuple[RuleRef, ...]:
    """The rules as they would be with this one added or changed, in the order in which they are tried."""
    same = next((at for at, other in enumerate(rules) if other.code == rule.code), None)
    changed = [*rules, rule] if same is None else [*rules[:same], rule, *rules[same + 1 :]]
    return tuple(sorted(changed, key=lambda one: -one.priority))


def without_rule(rules: Sequence[RuleRef], code: str) -> tuple[RuleRef, ...]:
    """The rules as they would be without this one. Raises NotFound."""
    left = tuple(rule for rule in rules if rule.code != code)
    if len(left) == len(rules):
        raise NotFound("rules.unknown")
    return left


def of_version(version: RulesVersion) -> tuple[RuleRef, ...]:
    """The rules of a kept version."""
    return tuple(
        RuleRef(
            rule["code"], rule["priority"], tuple(rule["category_codes"]), rule["major"], tuple(rule["facility_types"]),
            tuple(rule["area_codes"]), rule["condition"], tuple(rule["units"]), rule["role"], rule["mode"],
            rule["note"],
        )
        for rule in version.rules
    )  # fmt: skip


def add(rule: RuleRef, *, base: int, by: Staff) -> RulesVersion:
    """A new rule. Raises RulesChanged, and RuleRefused for a code that was ever used."""
    _hold(base)
    if db.session.scalar(select(RoutingRule.id).where(RoutingRule.code == rule.code)) is not None:
        raise RuleRefused({"rule_id": t("rules.code_taken", code=rule.code)})
    db.session.add(RoutingRule(code=rule.code, **_columns(rule)))
    return _done("add", "panel", by)


def change(rule: RuleRef, *, base: int, by: Staff) -> RulesVersion:
    """The rule of this code says this from now on.

    Raises RulesChanged, NotFound, and RuleRefused when it says so already.
    """
    _hold(base)
    row = _row(rule.code)
    columns = _columns(rule)
    if all(getattr(row, name) == value for name, value in columns.items()):
        raise RuleRefused({"": t("rules.unchanged")})
    for name, value in columns.items():
        setattr(row, name, value)
    return _done("change", "panel", by)


def retire(code: str, *, base: int, by: Staff) -> RulesVersion:
    """The rule counts no longer; loading the folder again does not bring it back. Raises RulesChanged, NotFound."""
    _hold(base)
    _row(code).retired_at = clock.now()
    return _done("retire", "panel", by)


def restore(number: int, *, base: int, by: Staff) -> RulesVersion:
    """The rules of an older version again, as a new version. Raises RulesChanged, NotFound; RuleRefused if they are
    the same as today's.
    """
    _hold(base)
    wanted = db.session.get(RulesVersion, number)
    if wanted is None:
        raise NotFound("rules.version_unknown")
    rules = {rule["code"]: rule for rule in wanted.rules}
    if not versions.difference(versions.in_force(), wanted.rules):
        raise RuleRefused({"": t("rules.unchanged")})
    now = clock.now()
    for row in db.session.scalars(select(RoutingRule)):
        rule = rules.pop(row.code, None)
        if rule is None:
            row.retired_at = row.retired_at or now
            continue
        row.retired_at = None
        for name in versions.COLUMNS:
            if getattr(row, name) != rule[name]:
                setattr(row, name, rule[name])
    for code, rule in rules.items():
        db.session.add(RoutingRule(code=code, **{name: rule[name] for name in versions.COLUMNS}))
    return _done("restore", "restored", by, restored_from=number)


def _hold(base: int) -> None:
    """Nobody else changes the rules until the commit. Raises RulesChanged unless `base` is still in force."""
    versions.hold()
    if versions.latest() is None:
        versions.keep("before")
        if base == 0:
            return
    if versions.latest_number() != base:
        raise RulesChanged(versions.since(base))


def _done(act: str, origin: str, by: Staff, *, restored_from: int | None = None) -> RulesVersion:
    db.session.flush()
    settings.changed("rules")
    version = versions.keep(origin, by, restored_from=restored_from)
    if version is None:
        raise RuleRefused({"": t("rules.unchanged")})
    audit.record(by, f"rules.{act}", f"rules:{version.number}", changes=version.changes)
    db.session.flush()
    return version


def _row(code: str) -> RoutingRule:
    row = db.session.scalar(select(RoutingRule).where(RoutingRule.code == code, RoutingRule.retired_at.is_(None)))
    if row is None:
        raise NotFound("rules.unknown")
    return row


def _columns(rule: RuleRef) -> dict[str, Any]:
    values = ((name, getattr(rule, name)) for name in versions.COLUMNS)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _known(ref: Reference) -> KnownToRules:
    return KnownToRules(
        unit_codes=ref.units_by_code.keys(),
        looking_on=frozenset(unit.code for unit in ref.units_by_code.values() if unit.role in LOOKERS_ON),
        categories=ref.categories_by_code.keys(),
        majors=frozenset(category.major for category in ref.categories_by_code.values()),
        facility_types=ref.facility_types_by_code.keys(),
        areas=frozenset(area.code for area in ref.areas_by_code.values() if area.level == "area"),
        where_units=t("rules.list.units"),
        where_categories=t("rules.list.categories"),
        where_types=t("rules.list.types"),
        where_areas=t("rules.list.areas"),
    )
