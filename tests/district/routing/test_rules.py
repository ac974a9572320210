"""Facts and rules in, one explained decision out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from district.reference import RuleRef, UnitRef
from district.routing.rules import Facts, RuleBook, choose


def unit(code: str, **given_values: Any) -> UnitRef:
    values: dict[str, Any] = {
        "id": sum(map(ord, code)), "code": code, "name": f"name of {code}", "kind": "municipal", "role": "handler",
        "parent_id": None, "area_codes": frozenset({"*"}), "phone": "", "emergency_phone": "", "is_closed": False,
    }  # fmt: skip
    return UnitRef(**(values | given_values))


def rule(code: str, *units: str, **given_values: Any) -> RuleRef:
    values: dict[str, Any] = {
        "priority": 500, "category_codes": ("*",), "major": "*", "facility_types": ("*",), "area_codes": ("*",),
        "condition": "", "role": "primary", "mode": "auto", "note": "",
    } | given_values  # fmt: skip
    return RuleRef(code=code, units=units, **values)


UNITS = {
    found.code: found
    for found in (
        unit("CMD", kind="command_center", role="dispatcher"),
        unit("LAMPS"),
        unit("COVERS"),
        unit("ROADS"),
        unit("TELECOM"),
        unit("OUTSIDE", role="transfer"),
        unit("GONE", is_closed=True),
        unit("MONEY", role="observer"),
        unit("EAST", kind="street", area_codes=frozenset({"A1"})),
        unit("WEST", kind="township", area_codes=frozenset({"A2", "A3"})),
        unit("WY", kind="property", area_codes=frozenset({"A1"})),
    )
}


def book(*rules: RuleRef) -> RuleBook:
    return RuleBook(rules, UNITS, "CMD")


LAMP = Facts(
    category="01037", category_major="public", category_facility_type="01037", area="A1",
    category_name="street lamp", area_name="East", text="the lamp is out",
)  # fmt: skip


def outcomes(facts: Facts, *rules: RuleRef) -> dict[str | None, str]:
    return {entry["rule"]: entry["outcome"] for entry in choose(facts, book(*rules)).trace}


def test_the_highest_priority_that_matches_answers() -> None:
    decision = choose(LAMP, book(rule("low", "ROADS", priority=100), rule("high", "LAMPS", priority=900)))
    assert (decision.unit, decision.rule, decision.mode, decision.to_triage) == ("LAMPS", "high", "auto", False)


def test_of_equal_priorities_the_one_written_first_answers() -> None:
    assert choose(LAMP, book(rule("one", "ROADS"), rule("two", "LAMPS"))).rule == "one"


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({"category_codes": ("01037", "01038")}, True),
        ({"category_codes": ("01001",)}, False),
        ({"area_codes": ("A1",)}, True),
        ({"area_codes": ("A2",)}, False),
        ({"major": "public"}, True),
        ({"major": "green"}, False),
        ({"facility_types": ("01037",)}, False),
        ({"condition": "area is not null"}, True),
        ({"condition": "facility.maintainer_unit is not null"}, False),
    ],
)
def test_every_matcher_must_fit(changes: dict[str, Any], matches: bool) -> None:
    assert (choose(LAMP, book(rule("R", "LAMPS", **changes))).rule == "R") is matches


def test_what_is_unknown_matches_only_rules_for_anything() -> None:
    facts = Facts()
    assert choose(facts, book(rule("R", "LAMPS", category_codes=("01037",)))).rule is None
    assert choose(facts, book(rule("R", "LAMPS", area_codes=("A1",)))).rule is None
    assert choose(facts, book(rule("R", "LAMPS"))).rule == "R"


@pytest.mark.parametrize(
    ("mode", "unit_code", "to_triage", "reason"),
    [
        ("auto", "LAMPS", False, "routing.reason.category"),
        ("manual_confirm", "LAMPS", True, "routing.reason.confirm"),
        ("manual_queue", None, True, "routing.reason.backstop"),
        ("reply_only", "CMD", True, "routing.reason.reply_only"),
        ("transfer", "LAMPS", False, "routing.reason.transfer"),
    ],
)
def test_the_mode_says_what_becomes_of_it(mode: str, unit_code: str | None, to_triage: bool, reason: str) -> None:
    decision = choose(LAMP, book(rule("R", "LAMPS", mode=mode)))
    assert (decision.unit, decision.to_triage, decision.reason.key) == (unit_code, to_triage, reason)


def test_a_rule_that_only_replies_needs_no_unit_and_keeps_others_from_answering() -> None:
    reply = rule("R1", priority=1000, role="none", mode="reply_only", condition="category is null")
    decision = choose(replace(LAMP, category=None), book(reply, rule("R2", "LAMPS")))
    assert (decision.rule, decision.unit, decision.to_triage) == ("R1", "CMD", True)
    assert choose(LAMP, book(reply, rule("R2", "LAMPS"))).unit == "LAMPS"


MARKED = replace(
    LAMP,
    facility="F", facility_type="01037", facility_maintainer="LAMPS", facility_owner="ROADS",
    compound="XQ", compound_property="WY", facility_name="lamp", compound_name="Court",
)  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "unit_code", "reason", "params"),
    [
        ("@facility.maintainer_unit", "LAMPS", "facility_maintainer", {"facility": "lamp"}),
        ("@facility.owner_unit", "ROADS", "facility_owner", {"facility": "lamp"}),
        ("@area.street", "EAST", "street", {"area": "East"}),
        ("@compound.property", "WY", "property", {"compound": "Court"}),
    ],
)
def test_marks_stand_for_the_unit_found_when_routing(
    mark: str, unit_code: str, reason: str, params: dict[str, str]
) -> None:
    decision = choose(MARKED, book(rule("R", mark)))
    assert decision.unit == unit_code
    assert decision.reason.key == f"routing.reason.{reason}"
    assert decision.reason.params == {"unit": f"name of {unit_code}"} | params


def test_the_street_is_the_one_that_serves_the_area() -> None:
    assert book().street_of("A3") == "WEST"
    assert book().street_of("A9") is None
    assert book().street_of(None) is None


@pytest.mark.parametrize(
    ("units", "why"),
    [
        (("@facility.maintainer_unit",), "nobody"),
        (("@compound.property",), "nobody"),
        (("GONE",), "closed_unit"),
        (("MONEY",), "looks_on"),
        (("NOSUCH",), "unknown_unit"),
        (("@nonsense",), "nobody"),
        ((), "no_unit"),
    ],
)
def test_a_rule_whose_unit_cannot_have_it_loses_and_says_why(units: tuple[str, ...], why: str) -> None:
    decision = choose(LAMP, book(rule("R1", *units, priority=900), rule("R2", "ROADS")))
    assert (decision.unit, decision.rule) == ("ROADS", "R2")
    assert decision.trace[0]["outcome"] == "lost"
    assert decision.trace[0]["why"]["key"] == f"routing.trace.{why}"


def test_a_rule_that_cannot_be_read_is_seen_and_does_not_answer() -> None:
    decision = choose(LAMP, book(rule("R1", "LAMPS", condition="categry = 1", priority=900), rule("R2", "ROADS")))
    assert decision.rule == "R2"
    assert decision.trace[0]["why"]["key"] == "routing.trace.unreadable"
    late = choose(LAMP, book(rule("R2", "ROADS"), rule("R3", "LAMPS", condition="(", role="co", priority=1)))
    assert [entry["outcome"] for entry in late.trace] == ["won", "lost"]


def test_helpers_are_added_whatever_their_priority() -> None:
    rules = (
        rule("P", "LAMPS", priority=500),
        rule("C", "ROADS", priority=900, role="co"),
        rule("S", "EAST", priority=1, role="supervise"),
        rule("B", "COVERS", "TELECOM", priority=499, role="broadcast"),
        rule("N", "WY", priority=999, role="co", condition="facility is not null"),
    )
    decision = choose(LAMP, book(*rules))
    assert decision.unit == "LAMPS"
    assert decision.other_units == (
        ("ROADS", "co"), ("COVERS", "broadcast"), ("TELECOM", "broadcast"), ("EAST", "supervise")
    )  # fmt: skip


def test_a_helper_has_one_part_its_strongest_and_never_beside_the_responsible_part() -> None:
    rules = (
        rule("P", "LAMPS"),
        rule("B", "ROADS", "LAMPS", priority=900, role="broadcast"),
        rule("C", "ROADS", priority=1, role="co"),
        rule("G", "GONE", priority=1, role="co"),
    )
    decision = choose(LAMP, book(*rules))
    assert decision.other_units == (("ROADS", "co"),)
    assert outcomes(LAMP, *rules)["G"] == "lost"


def test_of_several_responsible_units_the_first_that_can_answers_and_the_rest_help() -> None:
    decision = choose(LAMP, book(rule("P", "GONE", "LAMPS", "ROADS")))
    assert decision.unit == "LAMPS"
    assert decision.other_units == (("ROADS", "co"),)


def test_without_a_rule_it_goes_to_the_backstop_unit_in_triage() -> None:
    decision = choose(LAMP, book())
    assert (decision.unit, decision.rule, decision.to_triage) == ("CMD", None, True)
    assert decision.trace == ({"rule": None, "outcome": "backstop", "unit": "CMD"},)


def test_even_without_a_backstop_unit_there_is_an_answer() -> None:
    decision = RuleBook((), UNITS, "GONE").choose(LAMP)
    assert (decision.unit, decision.to_triage) == (None, True)


def test_a_report_without_a_place_goes_to_people_with_the_unit_proposed() -> None:
    nowhere = replace(LAMP, area=None, has_place=False)
    decision = choose(nowhere, book(rule("R", "LAMPS")))
    assert (decision.unit, decision.to_triage, decision.reason.key) == ("LAMPS", True, "routing.reason.no_place")
    # What belongs elsewhere needs no place.
    assert not choose(nowhere, book(rule("R", "OUTSIDE", mode="transfer"))).to_triage


def test_the_trace_tells_who_won_who_lost_and_counts_the_rest() -> None:
    rules = (
        rule("R1", "ROADS", priority=900, condition="intent = report and facility is not null"),
        rule("R2", "LAMPS", priority=800),
        rule("R3", "COVERS", priority=700),
        rule("R4", "COVERS", priority=600, condition="facility is not null"),
        rule("R5", "COVERS", priority=950, category_codes=("01001",)),
        rule("R6", "COVERS", priority=950, area_codes=("A2",)),
    )
    assert choose(LAMP, book(*rules)).trace == (
        {
            "rule": "R1",
            "outcome": "lost",
            "why": {"key": "routing.trace.condition", "params": {"part": "facility is not null"}},
        },
        {"rule": "R2", "outcome": "won", "unit": "LAMPS", "mode": "auto"},
        {"rule": "R3", "outcome": "outranked", "unit": "COVERS"},
        {"rule": None, "outcome": "not_concerned", "count": 3},
    )


# Any rules, any facts.
codes = st.sampled_from(sorted(UNITS))
marks = st.sampled_from(["@facility.maintainer_unit", "@facility.owner_unit", "@area.street", "@compound.property"])
rules_strategy = st.builds(
    rule,
    st.uuids().map(str),
    st.one_of(codes, marks),
    priority=st.integers(0, 9),
    category_codes=st.sampled_from([("*",), ("01037",), ("01001", "01037"), ("01001",)]),
    area_codes=st.sampled_from([("*",), ("A1",), ("A2", "A3")]),
    condition=st.sampled_from(["", "", "category is null", "location.in_compound", "not (area = A1)", "broken ("]),
    role=st.sampled_from(["primary", "primary", "co", "supervise", "broadcast", "none"]),
    mode=st.sampled_from(["auto", "auto", "manual_confirm", "manual_queue", "reply_only", "transfer"]),
)
some = st.one_of(st.none(), codes)
facts_strategy = st.builds(
    Facts,
    category=st.sampled_from([None, "01037", "01001"]),
    area=st.sampled_from([None, "A1", "A2", "A9"]),
    compound=st.sampled_from([None, "XQ"]),
    compound_property=some,
    facility_maintainer=some,
    facility_owner=some,
    has_place=st.booleans(),
)


@given(st.lists(rules_strategy, max_size=12), facts_strategy)
def test_any_rules_and_facts_give_one_responsible_unit_or_triage(rules: list[RuleRef], facts: Facts) -> None:
    decision = choose(facts, book(*rules))
    assert decision.to_triage or (decision.unit is not None and not UNITS[decision.unit].is_closed)
    winners = [entry for entry in decision.trace if entry["outcome"] in ("won", "backstop")]
    assert [entry["rule"] for entry in winners] == [decision.rule]
    parts = [code for code, _ in decision.other_units]
    assert len(parts) == len(set(parts))
    assert decision.unit not in parts
    named = {entry["rule"] for entry in decision.trace if entry["rule"]}
    untold = sum(entry.get("count", 0) for entry in decision.trace)
    assert len(named) + untold == len(rules)


@given(st.lists(rules_strategy, max_size=10), facts_strategy, rules_strategy)
def test_a_rule_of_lower_priority_never_changes_who_answers(
    rules: list[RuleRef], facts: Facts, another: RuleRef
) -> None:
    before = choose(facts, book(*rules))
    if before.rule is None:
        return
    winning = next(found for found in rules if found.code == before.rule)
    lower = replace(another, priority=winning.priority - 1)
    after = choose(facts, book(*rules, lower))
    assert (after.unit, after.rule, after.mode, after.to_triage, after.reason) == (
        before.unit, before.rule, before.mode, before.to_triage, before.reason
    )  # fmt: skip


@given(st.lists(rules_strategy, max_size=10, unique_by=lambda found: found.priority), facts_strategy, st.randoms())
def test_the_order_in_which_rules_are_written_does_not_matter_when_priorities_differ(
    rules: list[RuleRef], facts: Facts, chance: Any
) -> None:
    shuffled = list(rules)
    chance.shuffle(shuffled)
    assert choose(facts, book(*rules)) == choose(facts, book(*shuffled))


# A rule book remembers its decisions

_CONDITIONS = [
    "", "text contains lamp", "not text contains lamp and intent = report", "time in 22:00..06:00", "weekday in 1..5",
    "category.facility_type = facility.type", "facility.maintainer_unit is not null", "location.in_compound",
    "urgency = critical or compound is null", "facility.state = broken", "broken (",
]  # fmt: skip
_telling_rules = st.builds(
    rule,
    st.uuids().map(str),
    st.one_of(codes, marks),
    priority=st.integers(0, 3),
    category_codes=st.sampled_from([("*",), ("01037",)]),
    facility_types=st.sampled_from([("*",), ("T1",)]),
    area_codes=st.sampled_from([("*",), ("A1",)]),
    major=st.sampled_from(["*", "public"]),
    condition=st.sampled_from(_CONDITIONS),
    role=st.sampled_from(["primary", "primary", "co", "none"]),
    mode=st.sampled_from(["auto", "auto", "manual_confirm", "reply_only"]),
)
_all_facts = st.builds(
    Facts,
    intent=st.sampled_from(["report", "consult"]),
    urgency=st.sampled_from(["normal", "critical"]),
    text=st.sampled_from(["the lamp is out", "a hole"]),
    category=st.sampled_from([None, "01037"]),
    category_major=st.sampled_from([None, "public"]),
    category_facility_type=st.sampled_from([None, "T1"]),
    facility=st.sampled_from([None, "F1"]),
    facility_type=st.sampled_from([None, "T1", "T2"]),
    facility_state=st.sampled_from([None, "broken"]),
    facility_maintainer=some,
    facility_owner=some,
    area=st.sampled_from([None, "A1", "A2"]),
    compound=st.sampled_from([None, "XQ"]),
    compound_property=some,
    has_place=st.booleans(),
    at=st.sampled_from([None, datetime(2026, 11, 26, 23, 5, tzinfo=UTC), datetime(2026, 11, 28, 12, 0, tzinfo=UTC)]),
    category_name=st.sampled_from(["", "street lamp"]),
    facility_name=st.sampled_from(["", "a lamp"]),
    area_name=st.sampled_from(["", "East"]),
    compound_name=st.sampled_from(["", "Spring"]),
)


@given(st.lists(_telling_rules, max_size=8), st.lists(_all_facts, min_size=2, max_size=20))
def test_a_book_that_was_asked_before_decides_as_a_new_one(rules: list[RuleRef], asked: list[Facts]) -> None:
    old = book(*rules)
    for facts in [*asked, *asked]:
        assert old.choose(facts) == book(*rules).choose(facts)


def test_facts_that_differ_only_in_what_no_rule_asks_for_share_one_decision() -> None:
    asked = book(rule("R1", "LAMPS", condition="text contains lamp"), rule("R2", "ROADS", priority=1))
    first = asked.choose(LAMP)
    assert asked.choose(replace(LAMP, text="this lamp flickers", facility="F9", urgency="urgent")) is first
    assert asked.choose(replace(LAMP, text="a hole")).unit == "ROADS"
