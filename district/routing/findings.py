"""The linter asked about the rules in force, and its findings in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from district.messages import LANGUAGES, speaking, t
from district.reference import Reference, RuleRef, reference
from district.routing.lint import Finding, World, lint
from district.routing.service import backstop_of


def findings(rules: Iterable[RuleRef] | None = None) -> list[Finding]:
    """What the linter says about the rules in force, or about others in today's district."""
    ref = reference()
    if rules is not None:
        return lint(rules, world_of(ref))
    return ref.once("routing.findings", lambda ref: lint(ref.rules, world_of(ref)))


def world_of(ref: Reference) -> World:
    """What rules may speak of today."""
    return World(
        units=ref.units_by_code,
        categories={category.code: category.major for category in ref.categories_by_code.values()},
        areas=frozenset(area.code for area in ref.areas_by_code.values() if area.level == "area"),
        facility_types=frozenset(ref.facility_types_by_code),
        backstop=backstop_of(ref),
    )


def sentence(finding: Finding, category_names: Mapping[str, str] | None = None) -> str:
    """The finding in the language of the moment.

    category_names: by code, of a folder that is not loaded; no database is asked then.
    """
    told = _told(finding, category_names)
    return t(f"rules.lint.{finding.kind}", rule=finding.rules[0] if finding.rules else "", **told)


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding with its sentence in every language."""
    said = {}
    for tag in LANGUAGES:
        with speaking(tag):
            said[tag] = sentence(finding)
    return {
        "severity": finding.severity,
        "kind": finding.kind,
        "rules": list(finding.rules),
        "sentence": said,
    }


def _told(finding: Finding, category_names: Mapping[str, str] | None) -> dict[str, str]:
    params = dict(finding.params) | {"other": finding.rules[1] if len(finding.rules) > 1 else ""}
    code = params.get("category")
    if code and (name := _category_name(code, category_names)) is not None:
        params["category"] = f"{code} {name}"
    return params


def _category_name(code: str, names: Mapping[str, str] | None) -> str | None:
    if names is not None:
        return names.get(code)
    category = reference().categories_by_code.get(code)
    return category.name if category is not None else None
