"""The language of conditions: what holds, what does not, and what cannot be read."""

from __future__ import annotations

import csv
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from district.routing.conditions import FIELDS, MOMENTS, Condition, ConditionError, moment_fields, parse

LAMP = {
    "intent": "report",
    "category": "01037",
    "category.facility_type": "01037",
    "facility.type": "01037",
    "facility.maintainer_unit": "SZ-LD",
    "area": "232761001",
    "location.in_compound": False,
    "text": "楼下KTV太吵，还有施工",
}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("", True),
        ("   ", True),
        ("intent = report", True),
        ("intent = emergency", False),
        ("intent != emergency", True),
        ("category is null", False),
        ("category is not null", True),
        ("facility.owner_unit is null", True),
        ("facility.owner_unit is not null", False),
        ("category.facility_type = facility.type", True),
        ("area in 232761001, 232761002", True),
        ("area in (232761002, 232761003)", False),
        ("location.in_compound", False),
        ("not location.in_compound", True),
        ("facility.maintainer_unit", True),
        ("text contains 广场舞|ktv|唱歌", True),
        ("text contains 邻居|装修", False),
        ('text contains "KTV太吵"', True),
        ('intent = "report"', True),
        ("intent = emergency or category = 01037", True),
        ("intent = emergency and category = 01037", False),
        # `and` binds closer than `or`.
        ("category = 01037 or intent = emergency and area is null", True),
        ("(category = 01037 or intent = emergency) and area is null", False),
        ("not (intent = emergency or area is null)", True),
        ("not intent = emergency and area is not null", True),
    ],
)
def test_conditions_hold_as_they_read(condition: str, holds: bool) -> None:
    assert parse(condition).holds(LAMP) is holds


@pytest.mark.parametrize("condition", ["category = 01037", "category != 01037", "category in 01037", "category"])
def test_what_is_unknown_is_neither_equal_nor_unequal(condition: str) -> None:
    assert not parse(condition).holds({})
    assert not parse(condition).holds({"category": None})


def test_two_unknown_fields_are_not_equal() -> None:
    assert not parse("category.facility_type = facility.type").holds({})
    assert not parse("category.facility_type != facility.type").holds({"category.facility_type": "01037"})


@pytest.mark.parametrize(
    ("condition", "position"),
    [
        ("categry = 1", 0),
        ("intent =", 8),
        ("intent = and", 9),
        ("intent report", 7),
        ("(intent = report", 16),
        ("intent = report)", 15),
        ("intent is", 9),
        ("intent is not report", 14),
        ("area in ", 8),
        ("area in (1", 10),
        ("text contains a||b", 16),
        ('text contains "', 14),
        ('text contains ""', 14),
        ("intent ! report", 7),
        ("and intent = report", 0),
        ("intent = report and", 19),
        ("not", 3),
        ("= report", 0),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(condition: str, position: int) -> None:
    with pytest.raises(ConditionError) as error:
        parse(condition)
    assert error.value.position == position


def test_a_condition_nested_without_end_is_refused() -> None:
    with pytest.raises(ConditionError, match="nested"):
        parse("(" * 2000 + "intent" + ")" * 2000)
    with pytest.raises(ConditionError, match="nested"):
        parse("not " * 2000 + "intent")


@pytest.mark.parametrize(
    ("condition", "failure"),
    [
        ("intent = emergency and category is null", "intent = emergency"),
        ("intent = report and category is null", "category is null"),
        ("area is not null and (location.in_compound or text contains 雪)", "location.in_compound or text contains 雪"),
        ("not area is not null", "not area is not null"),
        ("intent = report", ""),
    ],
)
def test_the_part_that_failed_is_named(condition: str, failure: str) -> None:
    assert parse(condition).failure(LAMP) == failure


def test_fields_are_listed_for_whoever_checks_rules() -> None:
    condition = parse("category.facility_type = facility.type and not (text contains area or intent = area)")
    assert condition.fields == {"category.facility_type", "facility.type", "text", "intent", "area"}


@pytest.mark.parametrize(
    ("condition", "moments", "others"),
    [
        ("time in 22:00..06:00", ["2026-11-26T22:00", "2026-11-26T05:59"], ["2026-11-26T06:00", "2026-11-26T21:59"]),
        ("time in 08:30..12:00, 13:30..17:30", ["2026-11-26T08:30"], ["2026-11-26T12:00", "2026-11-26T17:30"]),
        ("time in 18:00..24:00", ["2026-11-26T23:59"], ["2026-11-26T00:00"]),
        # 26 November 2026 is a Thursday.
        ("weekday in 1..5", ["2026-11-26T12:00"], ["2026-11-28T12:00", "2026-11-29T12:00"]),
        ("weekday in (6, 7)", ["2026-11-28T12:00"], ["2026-11-26T12:00"]),
        ("month in 10..4", ["2026-11-26T12:00", "2027-04-30T12:00"], ["2026-05-01T12:00", "2026-09-30T12:00"]),
        ("month = 11", ["2026-11-26T12:00"], ["2026-01-11T11:11"]),
        ("month != 11", ["2026-01-11T11:11"], ["2026-11-26T12:00"]),
        ("day in 10-15..04-30", ["2026-10-15T00:00", "2027-04-30T23:59"], ["2026-10-14T23:59", "2027-05-01T00:00"]),
        ("season = winter", ["2026-12-01T00:00", "2027-02-28T00:00"], ["2026-11-30T23:59", "2027-03-01T00:00"]),
        ("season in spring, summer", ["2026-03-01T00:00", "2026-08-31T00:00"], ["2026-09-01T00:00"]),
        ("time", ["2026-11-26T12:00"], []),
    ],
)
def test_a_rule_may_be_for_some_hours_days_and_months(condition: str, moments: list[str], others: list[str]) -> None:
    def holds(moment: str) -> bool:
        return parse(condition).holds(moment_fields(datetime.fromisoformat(moment)))

    assert [moment for moment in moments if not holds(moment)] == []
    assert [moment for moment in others if holds(moment)] == []
    # What is not known holds for no span.
    assert not parse("time in 00:00..24:00").holds(moment_fields(None))


@pytest.mark.parametrize(
    ("condition", "position"),
    [("time in 25:00..06:00", 8), ("time = 24:00", 7), ("weekday = 8", 10), ("month in 1..13", 9), ("day = 02-30", 6),
     ("season = wet", 9), ("time contains 8", 5), ("time =", 6)],
)  # fmt: skip
def test_a_moment_that_does_not_exist_is_refused(condition: str, position: int) -> None:
    with pytest.raises(ConditionError) as refused:
        parse(condition)
    assert refused.value.position == position


def test_every_condition_of_the_demo_can_be_read() -> None:
    demo = Path(__file__).parents[3] / "demo" / "routing_rules.csv"
    with demo.open(encoding="utf-8", newline="") as file:
        conditions = [row["condition"] for row in csv.DictReader(file)]
    assert len([parse(condition) for condition in conditions if condition]) >= 20


# A generator that knows both a condition's text and its truth.
values: st.SearchStrategy[Any] = st.sampled_from([None, "01037", "report"])
facts = st.fixed_dictionaries(dict.fromkeys(sorted(FIELDS - {"text"} - MOMENTS.keys()), values))


@st.composite
def conditions_with_truth(draw: st.DrawFn, given_facts: dict[str, Any], depth: int = 0) -> tuple[str, bool]:
    form = draw(st.sampled_from(["null", "known", "equal", "not", "and", "or"] if depth < 4 else ["null", "equal"]))
    field = draw(st.sampled_from(sorted(given_facts)))
    if form == "null":
        return f"{field} is null", given_facts[field] is None
    if form == "known":
        return f"{field} is not null", given_facts[field] is not None
    if form == "equal":
        word = draw(st.sampled_from(["01037", "report"]))
        return f"{field} = {word}", given_facts[field] == word
    first, truth = draw(conditions_with_truth(given_facts, depth + 1))
    if form == "not":
        return f"not ({first})", not truth
    second, other = draw(conditions_with_truth(given_facts, depth + 1))
    return f"({first}) {form} ({second})", (truth and other) if form == "and" else (truth or other)


@given(facts, st.data())
def test_any_combination_holds_exactly_when_it_should(given_facts: dict[str, Any], data: st.DataObject) -> None:
    text, truth = data.draw(conditions_with_truth(given_facts))
    condition = parse(text)
    assert condition.holds(given_facts) is truth
    assert bool(condition.failure(given_facts)) is not truth


@given(st.text(alphabet='ab .|()="!,\n areaintextcontainsandornotisnull', max_size=40))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    try:
        condition = parse(text)
    except ConditionError as refused:
        position = refused.position
    else:
        assert isinstance(condition, Condition)
        position = len(condition.failure({}))
    assert 0 <= position <= len(text)
