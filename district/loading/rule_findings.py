"""What the linter says about the rules of a folder that is not loaded yet."""

from __future__ import annotations

from district.loading.folder import Folder
from district.reference import RuleRef, UnitRef
from district.routing.lint import Finding, World, lint


def findings_of(folder: Folder) -> list[Finding]:
    """The findings about a folder that can be loaded; see `district.routing.lint`."""
    units = {
        code: UnitRef(
            number, code, unit["name"], unit["kind"], unit["role"], None, frozenset(unit["area_codes"]), unit["phone"],
            unit["emergency_phone"], False,
        )
        for number, (code, unit) in enumerate(folder.units.items())
    }  # fmt: skip
    rules = [
        RuleRef(
            code, rule["priority"], tuple(rule["category_codes"]), rule["major"], tuple(rule["facility_types"]),
            tuple(rule["area_codes"]), rule["condition"], tuple(rule["units"]), rule["role"], rule["mode"],
            rule["note"],
        )
        for code, rule in folder.rules.items()
    ]  # fmt: skip
    world = World(
        units=units,
        categories={code: category["major"] for code, category in folder.categories.items()},
        areas=frozenset(code for code, area in folder.areas.items() if area["level"] == "area"),
        facility_types=frozenset(folder.facility_types),
        backstop=str(folder.settings.get("routing", {}).get("backstop_unit", "")),
    )
    return lint(rules, world)
