"""Troubles that others have with routing, and that must not come back here."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from district.extensions import db
from district.reference import RuleRef, reference
from district.reports.states import Status
from district.routing import findings
from district.routing import service as routing
from district.routing.models import RoutingDecision
from district.routing.rules import Facts, RuleBook, choose
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.routing.test_properties import reports, rules
from tests.district.routing.test_rules import UNITS
from tests.factories import SmallDistrict, forget_reference, make_category, make_report, make_rule


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def test_a_category_that_belongs_to_nobody_in_particular_is_noticed_before_a_report_comes(
    district: SmallDistrict,
) -> None:
    """Elsewhere nobody can tell which body a category goes to."""
    assert [one.kind for one in findings.findings()] == []
    with unit_of_work():
        make_category("06010", name="暴露垃圾", kind="matter", keywords=["垃圾"])
    forget_reference()
    assert [(one.kind, dict(one.params)) for one in findings.findings()] == [("uncovered", {"codes": "06010"})]
    with unit_of_work():
        make_rule("R6", "@area.street", category_codes=["06010"], priority=400)
    forget_reference()
    assert [one for one in findings.findings() if one.kind == "uncovered"] == []


@both_databases
def test_a_report_that_comes_with_place_and_category_is_routed_once(district: SmallDistrict) -> None:
    """Elsewhere both fire the rules, one after the other, and the last one wins."""
    with unit_of_work():
        make_rule("A1", "@area.street", priority=800, area_codes=["990000001"])
    forget_reference()
    report = make_report(district)
    for _ in range(3):
        with unit_of_work():
            routing.route_waiting()
    db.session.refresh(report)
    assert (report.status, report.unit_id) == (Status.ASSIGNED, district.street.id)
    assert db.session.scalar(select(func.count()).select_from(RoutingDecision)) == 1


@settings(max_examples=100)
@given(rules(), reports(), st.randoms(use_true_random=False))
def test_the_order_in_which_rules_were_written_or_facts_became_known_is_nothing(
    given_rules: list[RuleRef], facts: Facts, chance: random.Random
) -> None:
    """With a priority of its own for each rule, the same report goes to the same unit whatever came first."""
    import dataclasses

    apart = [dataclasses.replace(rule, priority=number) for number, rule in enumerate(given_rules)]
    shuffled = list(apart)
    chance.shuffle(shuffled)
    one, other = (choose(facts, RuleBook(some, UNITS, "CMD")) for some in (apart, shuffled))
    assert (one.unit, one.rule, one.to_triage, one.reason) == (other.unit, other.rule, other.to_triage, other.reason)


@pytest.mark.parametrize("asked", [{"text": "门口路灯不亮了"}, {"text": "", "category_code": "01037"}])
def test_anybody_can_ask_who_handles_a_case(district: SmallDistrict, asked: dict[str, Any]) -> None:
    """Elsewhere staff do not know which department handles what."""
    answer = routing.decide_for(latitude=50.426, longitude=124.1262, **asked)
    assert answer["unit"] == {"code": "SZ-LD", "name": "路灯班组"}
    assert "路灯班组" in answer["reason"]
    assert [entry["rule"] for entry in answer["trace"] if entry["outcome"] == "won"] == ["R1"]
    assert reference().rules[0].code == "R1"
