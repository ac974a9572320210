"""What the linter finds, one small set of rules each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from district.loading import read_folder
from district.loading.rule_findings import findings_of
from district.messages import LANGUAGES, catalogue
from district.reference import RuleRef
from district.routing.lint import ERROR, NOTE, WARNING, Finding, World, lint
from tests.district.routing.test_rules import UNITS, rule, unit

DEMO = Path(__file__).parents[3] / "demo"
WORLD = World(
    units=UNITS | {"CITY": unit("CITY", kind="street", area_codes=frozenset({"A1", "A2", "A3"}))},
    categories={"01037": "public", "01038": "public", "06010": "green"},
    areas=frozenset({"A1", "A2", "A3"}),
    facility_types=frozenset({"01037"}),
    backstop="CMD",
)
LAST = rule("LAST", "CMD", priority=1, mode="manual_queue")


def found(*rules: RuleRef, world: World = WORLD) -> list[Finding]:
    return [one for one in lint([*rules, LAST], world) if one.kind not in ("uncovered", "sometimes")]


def kinds(*rules: RuleRef) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.severity, one.kind, one.rules) for one in found(*rules)]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"category_codes": ("01037", "99999")}, "unknown_category"),
        ({"area_codes": ("A1", "A9")}, "unknown_area"),
        ({"facility_types": ("01037", "77")}, "unknown_type"),
        ({"condition": "category ="}, "unreadable"),
        ({"condition": "category is null and category = 01037"}, "never_true"),
        ({"condition": "area = A1 and not area in A1, A2"}, "never_true"),
        ({"condition": "facility is null and facility.type = 01037"}, "never_true"),
        ({"condition": "location.in_compound and compound is null"}, "never_true"),
        ({"condition": "month in 6..8 and month in 10..4"}, "never_true"),
        ({"condition": "time in 22:00..06:00 and time in 08:00..18:00"}, "never_true"),
        ({"condition": "text contains a and not text contains a"}, "never_true"),
        ({"category_codes": ("01037",), "condition": "category is null"}, "never_fits"),
        ({"category_codes": ("06010",), "major": "public"}, "never_fits"),
        ({"area_codes": ("A1",), "condition": "area in A2, A3"}, "never_fits"),
    ],
)
def test_a_rule_that_can_never_be_used_is_an_error(changes: dict[str, Any], kind: str) -> None:
    assert (ERROR, kind, ("R",)) in kinds(rule("R", "LAMPS", **changes))


@pytest.mark.parametrize(
    ("named", "kind"), [("NOBODY", "unknown_unit"), ("GONE", "closed_unit"), ("MONEY", "looks_on")]
)
def test_a_unit_that_cannot_be_given_a_report_is_an_error(named: str, kind: str) -> None:
    assert (ERROR, kind, ("R",)) in kinds(rule("R", named, category_codes=("01037",)))


@pytest.mark.parametrize("backstop", ["", "NOBODY", "GONE"])
def test_there_is_always_a_backstop(backstop: str) -> None:
    world = World(WORLD.units, WORLD.categories, WORLD.areas, WORLD.facility_types, backstop)
    assert [(one.severity, one.kind) for one in found(world=world)] == [(ERROR, "no_backstop")]


LAMPS = rule("R1", "LAMPS", category_codes=("01037",), priority=900)


@pytest.mark.parametrize(
    "later",
    [
        {"category_codes": ("01037",)},
        {"category_codes": ("01037",), "area_codes": ("A1",)},
        {"condition": "category = 01037"},
        {"category_codes": ("01037",), "condition": "text contains dark or month = 1"},
    ],
)
def test_a_rule_behind_a_wider_one_never_gets_its_turn(later: dict[str, Any]) -> None:
    shadowed = [one for one in found(LAMPS, rule("R2", "ROADS", **later)) if one.kind == "shadowed"]
    assert [(one.severity, one.rules) for one in shadowed] == [(WARNING, ("R2", "R1"))]


@pytest.mark.parametrize(
    "earlier",
    [
        # None of these takes everything the later one is about.
        {"category_codes": ("01038",)},
        {"area_codes": ("A1", "A2")},
        {"condition": "area is not null"},
        {"condition": "text contains dark"},
        {"facility_types": ("01037",)},
        {"role": "co"},
    ],
)
def test_a_rule_behind_a_narrower_one_gets_its_turn(earlier: dict[str, Any]) -> None:
    first = rule("R1", "LAMPS", **({"category_codes": ("01037",), "priority": 900} | earlier))
    assert "shadowed" not in [one.kind for one in found(first, rule("R2", "ROADS", category_codes=("01037",)))]


def test_a_rule_whose_unit_may_not_exist_leaves_a_turn_to_the_next() -> None:
    first = rule("R1", "@facility.maintainer_unit", category_codes=("01037",), priority=900)
    assert "shadowed" not in [one.kind for one in found(first, rule("R2", "ROADS", category_codes=("01037",)))]
    sure = rule("R1", "@facility.maintainer_unit", priority=900, condition="facility.maintainer_unit is not null")
    second = rule("R2", "ROADS", condition="facility.maintainer_unit is not null and text contains dark")
    assert (WARNING, "shadowed", ("R2", "R1")) in kinds(sure, second)


def test_several_rules_together_may_leave_nothing() -> None:
    by_area = [rule(f"R{n}", "LAMPS", priority=900, area_codes=(f"A{n}",)) for n in (1, 2, 3)]
    nowhere = rule("R4", "LAMPS", priority=900, condition="area is null")
    last = rule("R5", "ROADS", category_codes=("06010",))
    assert "shadowed" not in [one.kind for one in found(*by_area, last)]
    shadowed = [one for one in found(*by_area, nowhere, last) if one.kind == "shadowed" and one.rules[0] == "R5"]
    assert [set(one.rules) for one in shadowed] == [{"R5", "R1", "R2", "R3", "R4"}]


def test_a_default_behind_special_rules_of_the_same_unit_is_only_a_note() -> None:
    assert (NOTE, "shadowed", ("R2", "R1")) in kinds(LAMPS, rule("R2", "LAMPS", category_codes=("01037",)))
    some = rule("R3", "ROADS", category_codes=("01037", "01038"))
    assert (NOTE, "partly_shadowed", ("R3", "R1")) in kinds(LAMPS, some)


def test_rules_of_one_priority_must_not_disagree() -> None:
    one = rule("R1", "LAMPS", category_codes=("01037",), condition="text contains dark")
    assert (WARNING, "tie", ("R1", "R2")) in kinds(one, rule("R2", "ROADS", area_codes=("A1",)))
    for peaceful in (
        rule("R2", "LAMPS"),
        rule("R2", "ROADS", category_codes=("01038",)),
        rule("R2", "ROADS", condition="not text contains dark"),
        rule("R2", "ROADS", role="co"),
    ):
        assert "tie" not in [entry.kind for entry in found(one, peaceful)]


def test_what_is_left_to_the_backstop_is_said() -> None:
    rules = [
        rule("R1", "LAMPS", category_codes=("01037",)),
        rule("R2", "LAMPS", category_codes=("01038",), area_codes=("A1",)),
        LAST,
    ]
    gaps = {one.kind: dict(one.params) for one in lint(rules, WORLD) if one.kind.startswith("uncovered")}
    assert gaps == {"uncovered": {"codes": "06010"}, "uncovered_in": {"codes": "01038", "areas": "A2, A3"}}
    unsure = [rule("R1", "@compound.property", category_codes=("01037",)), LAST]
    assert [dict(one.params) for one in lint(unsure, WORLD) if one.kind == "sometimes"] == [{"codes": "01037"}]


def test_an_area_without_a_street_office_and_a_unit_outside_of_its_area() -> None:
    world = World(UNITS, WORLD.categories, frozenset({"A1", "A9"}), WORLD.facility_types, "CMD")
    street = rule("R1", "@area.street")
    assert [dict(one.params) for one in lint([street, LAST], world) if one.kind == "no_street"] == [{"areas": "A9"}]
    assert (WARNING, "not_its_area", ("R2",)) in kinds(rule("R2", "EAST", area_codes=("A1", "A2")))


def test_the_demo_has_no_error_and_its_wanted_conflicts_are_shown() -> None:
    with (DEMO / "routing_rules.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 124
    all_found = findings_of(read_folder(DEMO))
    assert [one for one in all_found if one.severity == ERROR] == []
    contested = {one.params["category"]: one.rules for one in all_found if one.kind == "contested"}
    assert {"06001", "06034", "09009", "06028", "21020"} <= contested.keys()
    assert contested["06001"] == ("R044", "R042")
    assert all(one.severity == NOTE for one in all_found if one.kind == "contested")
    assert [one.rules for one in all_found if one.severity == WARNING] == [("R050", "R048")]


def test_every_kind_of_finding_has_its_sentence() -> None:
    source = (Path(__file__).parents[3] / "district" / "routing" / "lint.py").read_text(encoding="utf-8")
    for tag in LANGUAGES:
        named = [key.removeprefix("rules.lint.") for key in catalogue(tag) if key.startswith("rules.lint.")]
        assert len(named) == 20
        assert [kind for kind in named if f'"{kind}"' not in source] == []
