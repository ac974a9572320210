"""The demo district's own rules: everything has an answer, and the ones people would check are right."""

from __future__ import annotations

import pytest
from flask import Flask

from district.reference import Reference, reference
from district.routing.conditions import parse
from district.routing.rules import Decision, Facts, choose
from district.routing.service import decide_for, rule_book

pytestmark = pytest.mark.demo

# A compound with a property company and one without, both in 东山街道, and a place in the open there.
EAST = "232761001"


@pytest.fixture
def ref(app: Flask) -> Reference:
    return reference()


def decide(
    ref: Reference, category: str | None, area: str, text: str = "", compound: str = "", **given: str
) -> Decision:
    found = ref.categories_by_code.get(category or "")
    inside = next((c for c in ref.compounds_by_id.values() if c.area_code == area and has_property(c, compound)), None)
    company = ref.units_by_id[inside.property_unit_id].code if inside and inside.property_unit_id else None
    facts = Facts(
        text=text,
        category=found.code if found else None,
        category_major=found.major if found else None,
        category_facility_type=(found.facility_type_code or None) if found else None,
        area=area,
        compound=inside.code if inside else None,
        compound_property=company,
        **given,  # type: ignore[arg-type]
    )
    return choose(facts, rule_book(ref))


def has_property(compound: object, wanted: str) -> bool:
    if not wanted:
        return False
    return (compound.property_unit_id is not None) == (wanted == "managed")  # type: ignore[attr-defined]


def test_every_rule_can_be_read(ref: Reference) -> None:
    assert len(ref.rules) == 124
    for rule in ref.rules:
        parse(rule.condition)


def test_every_category_has_a_unit_in_every_area(ref: Reference) -> None:
    areas = [area.code for area in ref.areas_by_code.values() if area.level == "area"]
    assert len(ref.categories_by_code) == 204
    assert len(areas) == 8
    for category in ref.categories_by_code:
        for area in areas:
            for compound in ("", "managed", "abandoned"):
                decision = decide(ref, category, area, compound=compound)
                assert decision.rule is not None, (category, area)
                assert decision.unit is not None, (category, area)
                serves = ref.units_by_code[decision.unit].area_codes
                assert serves == {"*"} or area in serves, (category, area, decision.unit)


@pytest.mark.parametrize(
    ("category", "area", "text", "compound", "unit", "triage"),
    [
        ("01037", EAST, "", "", "SZ-LD", False),
        ("06010", EAST, "", "", "HW-C1", False),
        ("06010", "232761002", "", "", "HW-C2", False),
        # In the townships the township answers, whatever the department.
        ("06010", "232761200", "", "", "J200", False),
        ("06013", "232761201", "", "", "JTJ", False),
        # Inside a compound its company answers; where there is none, the street.
        ("06010", EAST, "", "managed", "WY01", False),
        ("06010", EAST, "", "abandoned", "J001", False),
        # What is being built goes to the street first, what stands to the enforcement bureau.
        ("06001", EAST, "正在盖房", "", "J001", False),
        ("06001", EAST, "院里有个违建", "", "CGJ", False),
        ("09009", EAST, "车停在人行道上", "", "CGJ", False),
        ("09009", EAST, "停在马路上", "", "JJ", False),
        ("10002", EAST, "电视线掉下来了", "", "GD", False),
        ("10002", EAST, "线掉下来了", "", "DL", False),
        ("21020", EAST, "", "", "CMD", True),
        ("06008", EAST, "", "", "CGJ", True),
        ("21047", EAST, "", "", "RSJ", False),
        (None, EAST, "", "", "J001", True),
    ],
)
def test_well_known_cases_go_where_people_expect(
    ref: Reference, category: str | None, area: str, text: str, compound: str, unit: str, triage: bool
) -> None:
    decision = decide(ref, category, area, text, compound)
    assert (decision.unit, decision.to_triage) == (unit, triage)


def test_a_scanned_lamp_goes_to_its_maintainer_but_the_rubbish_beside_it_does_not(ref: Reference) -> None:
    lamp = {"facility": "F", "facility_type": "01037", "facility_maintainer": "SZ-LD", "facility_owner": "SZ"}
    assert decide(ref, "01037", EAST, **lamp).rule == "R004"
    assert decide(ref, None, EAST, **lamp).unit == "SZ-LD"
    assert decide(ref, "06010", EAST, **lamp).unit == "HW-C1"


def test_an_emergency_without_a_category_is_only_answered(ref: Reference) -> None:
    decision = decide(ref, None, EAST, intent="emergency")
    assert (decision.rule, decision.unit, decision.to_triage) == ("R001", "CMD", True)


def test_words_alone_find_place_category_and_unit(ref: Reference) -> None:
    answer = decide_for("路灯不亮，人民路和胜利路路口")
    assert answer["place"]["kind"] == "crossing"
    assert (answer["unit"]["code"], answer["triage"]) == ("SZ-LD", False)
    assert decide_for("鑫源小区 电梯坏了")["unit"]["code"] == "WY01"
