"""What must hold for any rules and any report."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from district.reference import RuleRef
from district.routing.lint import World, lint
from district.routing.rules import LOOKERS_ON, Facts, RuleBook, choose
from tests.district.routing.test_rules import UNITS

AREAS = ("A1", "A2", "A3")
MAJORS = {"01037": "public", "01038": "public", "06010": "green"}
CONDITIONS = (
    "", "area is not null", "text contains lamp", "text contains lamp|dark", "not text contains dark",
    "category is null", "category is null and category = 01037", "location.in_compound",
    "compound.property is not null", "compound.property is null and location.in_compound",
    "facility.maintainer_unit is not null", "facility.maintainer_unit is null", "category.major = public",
    "area = A1 or area = A2", "area != A1", "not (area = A1 or text contains lamp)", "time in 22:00..06:00",
    "time in 23:00..05:00", "not time in 22:00..06:00", "month in 10..4", "weekday in 1..5 and season = winter",
)  # fmt: skip
MODES = ("auto", "auto", "manual_confirm", "manual_queue", "reply_only", "transfer")
MARKS = ("@facility.maintainer_unit", "@facility.owner_unit", "@area.street", "@compound.property")


class Picker:
    """Chooses by the bytes it was given, one after the other: a draw for each choice costs ten times as much."""

    def __init__(self, chosen: bytes) -> None:
        self._bytes = iter(chosen)

    def one_of(self, *values: Any) -> Any:
        return values[next(self._bytes) % len(values)]

    def some(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """One or two of them."""
        return tuple(dict.fromkeys(self.one_of(*values) for _ in range(self.one_of(1, 1, 2))))


def rule_of(chosen: bytes) -> RuleRef:
    pick = Picker(chosen)
    return RuleRef(
        code="",
        priority=pick.one_of(*range(5)),
        category_codes=pick.some(tuple(MAJORS)) if pick.one_of(False, True) else ("*",),
        major=pick.one_of("*", "*", "*", "public", "green"),
        facility_types=pick.one_of(("*",), ("*",), ("01037",)),
        area_codes=pick.some(AREAS) if pick.one_of(False, False, True) else ("*",),
        condition=pick.one_of(*[""] * 10, *CONDITIONS),
        units=pick.some((*UNITS, *UNITS, *MARKS, "NOBODY")),
        role=pick.one_of("primary", "primary", "primary", "none", "co", "supervise", "broadcast"),
        mode=pick.one_of(*MODES),
        note="",
    )


def report_of(chosen: bytes) -> Facts:
    pick = Picker(chosen)
    category = pick.one_of(None, *MAJORS)
    facility = pick.one_of(None, "F")
    compound = pick.one_of(None, "C")
    return Facts(
        text=pick.one_of("", "lamp", "dark lamp", "dark"),
        category=category,
        category_major=MAJORS.get(category or ""),
        facility=facility,
        facility_type=facility and "01037",
        facility_maintainer=facility and pick.one_of(None, "LAMPS", "GONE"),
        facility_owner=facility and pick.one_of(None, "ROADS"),
        area=pick.one_of(None, *AREAS),
        compound=compound,
        compound_property=compound and pick.one_of(None, "WY"),
        has_place=pick.one_of(False, True),
        at=pick.one_of(
            datetime(2026, 1, 5, 23, 30),  # noqa: DTZ001
            datetime(2026, 7, 4, 12, 0),  # noqa: DTZ001
            datetime(2026, 11, 26, 5, 30),  # noqa: DTZ001
        ),
    )


MOST_RULES, PER_RULE = 8, 17


def rules() -> st.SearchStrategy[list[RuleRef]]:
    def made(count: int, chosen: bytes) -> list[RuleRef]:
        parts = (chosen[number * PER_RULE : (number + 1) * PER_RULE] for number in range(count))
        return [replace(rule_of(part), code=f"R{number}") for number, part in enumerate(parts)]

    length = MOST_RULES * PER_RULE
    return st.builds(made, st.integers(0, MOST_RULES), st.binary(min_size=length, max_size=length))


def reports() -> st.SearchStrategy[Facts]:
    return st.binary(min_size=10, max_size=10).map(report_of)


@settings(max_examples=400)
@given(rules(), reports())
def test_there_is_one_primary_unit_or_a_person_decides(given_rules: list[RuleRef], facts: Facts) -> None:
    decision = choose(facts, RuleBook(given_rules, UNITS, "CMD"))
    assert decision.unit is not None or decision.to_triage
    if decision.unit is not None:
        assert not UNITS[decision.unit].is_closed
        assert UNITS[decision.unit].role not in LOOKERS_ON
    others = [code for code, _ in decision.other_units]
    assert decision.unit not in others
    assert len(others) == len(set(others))


@settings(max_examples=400)
@given(rules(), reports())
def test_the_trace_names_the_rule_that_won_and_counts_all(given_rules: list[RuleRef], facts: Facts) -> None:
    decision = choose(facts, RuleBook(given_rules, UNITS, "CMD"))
    won = [entry for entry in decision.trace if entry["outcome"] == "won"]
    backstop = [entry for entry in decision.trace if entry["outcome"] == "backstop"]
    assert [entry["rule"] for entry in won] == ([decision.rule] if decision.rule else [])
    assert len(won) + len(backstop) == 1
    told = {entry["rule"] for entry in decision.trace if entry["rule"]}
    counted = sum(entry.get("count", 0) for entry in decision.trace)
    assert len(told) + counted == len(given_rules)


@settings(max_examples=300)
@given(rules(), reports())
def test_a_rule_below_the_winner_changes_nothing(given_rules: list[RuleRef], facts: Facts) -> None:
    *rest, added = given_rules or [None]
    decision = choose(facts, RuleBook(rest, UNITS, "CMD"))
    winner = next((rule for rule in rest if rule.code == decision.rule), None)
    if winner is None or added is None:
        return
    # Of equal priorities the one written first counts: behind the winner means written later, too.
    below = replace(added, priority=min(added.priority, winner.priority))
    after = choose(facts, RuleBook([*rest, below], UNITS, "CMD"))
    assert (after.unit, after.rule, after.mode, after.to_triage, after.reason) == (
        decision.unit, decision.rule, decision.mode, decision.to_triage, decision.reason
    )  # fmt: skip
    if below.role in ("primary", "none"):
        assert after.other_units == decision.other_units


@settings(max_examples=220)
@given(rules(), st.lists(reports(), min_size=8, max_size=8))
def test_a_rule_that_the_linter_calls_idle_never_wins(given_rules: list[RuleRef], facts: list[Facts]) -> None:
    world = World(UNITS, MAJORS, frozenset(AREAS), frozenset({"01037"}), "CMD")
    idle: set[str] = set()
    partly: set[tuple[str, str]] = set()
    for finding in lint(given_rules, world):
        if finding.kind in ("shadowed", "never_true", "never_fits"):
            idle.add(finding.rules[0])
        elif finding.kind == "partly_shadowed":
            partly |= {(finding.rules[0], code) for code in finding.params["codes"].split(", ")}
    book = RuleBook(given_rules, UNITS, "CMD")
    for one in facts:
        rule = choose(one, book).rule
        assert rule not in idle
        assert (rule, one.category) not in partly


@settings(max_examples=220)
@given(rules(), reports(), st.sampled_from([("A1", "A2"), ("A3", "A1")]))
def test_on_a_border_both_sides_agree_on_what_is_left_to_people(
    given_rules: list[RuleRef], facts: Facts, sides: tuple[str, str]
) -> None:
    """Whichever side the point is counted to: either both give it to one unit, or a person decides."""
    book = RuleBook(given_rules, UNITS, "CMD")
    here, there = sides
    one = book.choose_on_border(replace(facts, area=here), {there: there})
    other = book.choose_on_border(replace(facts, area=there), {here: here})
    if not one.to_triage and not other.to_triage:
        assert one.unit == other.unit
