"""Rules are changed one at a time, every version is kept, and nobody undoes another's change unseen."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from district.errors import NotFound
from district.extensions import db
from district.people.models import AuditEntry
from district.reference import RuleRef, forget, reference
from district.reports.states import Status
from district.routing import service as routing
from district.routing.dry_run import Place, dry_run
from district.rules import editing, versions
from district.rules.editing import RuleRefused, RulesChanged
from district.rules.models import RulesVersion
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report, make_rule

NEW = {
    "rule_id": "N1", "priority": "700", "category_codes": "01037", "major": "*", "facility_type": "*",
    "area_codes": "*", "condition": "text contains 倾斜", "unit": "@area.street", "role": "primary", "mode": "auto",
    "note": "歪了的街道先看",
}  # fmt: skip


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def written(**changes: str) -> RuleRef:
    return editing.read(NEW | changes, reference())


def do(verb: Any, *args: Any, district: SmallDistrict, base: int | None = None) -> RulesVersion:
    with unit_of_work():
        made = verb(
            *args,
            base=versions.latest_number() if base is None else base,
            by=db.session.merge(district.staff["administrator"]),
        )
    forget_reference()
    version: RulesVersion = made
    return version


def codes() -> list[str]:
    return [rule.code for rule in reference().rules]


@both_databases
def test_a_new_rule_counts_at_once_and_every_version_is_kept_whole(district: SmallDistrict) -> None:
    first = do(editing.add, written(), district=district)
    assert codes() == ["N1", "R1", "R2", "R3"]
    assert routing.decide_for("路灯倾斜", 50.426, 124.1262, category_code="01037")["unit"]["code"] == "J001"
    second = do(editing.change, written(condition="", unit="CMD"), district=district)
    third = do(editing.retire, "R1", district=district)
    assert codes() == ["N1", "R2", "R3"]
    assert first.number < second.number < third.number == reference().rules_version
    kept = db.session.scalars(select(RulesVersion).order_by(RulesVersion.number)).all()
    assert [version.origin for version in kept] == ["before", "panel", "panel", "panel"]
    assert [[rule["code"] for rule in version.rules] for version in kept] == [
        ["R1", "R2", "R3"], ["N1", "R1", "R2", "R3"], ["N1", "R1", "R2", "R3"], ["N1", "R2", "R3"]
    ]  # fmt: skip
    assert [[change["code"] for change in version.changes] for version in kept] == [[], ["N1"], ["N1"], ["R1"]]
    (changed,) = second.changes
    assert (changed["before"]["units"], changed["after"]["units"]) == (["@area.street"], ["CMD"])
    assert third.changes[0]["after"] is None


@both_databases
def test_an_older_version_can_be_brought_back_as_a_new_one(district: SmallDistrict) -> None:
    do(editing.add, written(), district=district)
    wanted = versions.in_force()
    number = versions.latest_number()
    do(editing.change, written(note="另一句"), district=district)
    do(editing.retire, "R2", district=district)
    do(editing.add, written(rule_id="N2"), district=district)
    restored = do(editing.restore, number, district=district)
    assert versions.in_force() == wanted
    assert (restored.origin, restored.restored_from) == ("restored", number)
    assert {change["code"] for change in restored.changes} == {"N1", "N2", "R2"}
    with pytest.raises(RuleRefused):
        do(editing.restore, number, district=district)
    with pytest.raises(NotFound):
        do(editing.restore, 9999, district=district)


def test_the_audit_log_holds_before_and_after(district: SmallDistrict) -> None:
    do(editing.add, written(), district=district)
    version = do(editing.change, written(priority="800"), district=district)
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action.like("rules.%"))).all()
    assert [entry.action for entry in entries] == ["rules.add", "rules.change"]
    assert entries[1].staff_id == district.staff["administrator"].id
    assert entries[1].subject == f"rules:{version.number}"
    (change,) = entries[1].detail["changes"]
    assert (change["before"]["priority"], change["after"]["priority"]) == (700, 800)


def test_what_others_changed_meanwhile_is_shown_instead_of_being_undone(district: SmallDistrict) -> None:
    do(editing.add, written(), district=district)
    base = versions.latest_number()
    other = do(editing.change, written(note="先改的"), district=district)
    for verb, what in ((editing.change, written(note="后改的")), (editing.add, written(rule_id="N2")),
                       (editing.retire, "N1"), (editing.restore, base)):  # fmt: skip
        with pytest.raises(RulesChanged) as refused:
            do(verb, what, district=district, base=base)
        assert [version.number for version in refused.value.since] == [other.number]
        assert refused.value.number == other.number
    assert reference().rules[0].note == "先改的"


@both_databases
def test_of_two_at_the_same_time_one_is_refused(app: Flask, district: SmallDistrict) -> None:
    do(editing.add, written(), district=district)
    base = versions.latest_number()
    rules = [written(note=f"第{number}人") for number in range(2)]
    start, outcomes = threading.Barrier(2), []
    by_id = district.staff["administrator"].id
    db.session.remove()

    def save(rule: RuleRef) -> None:
        from district.people.models import Staff

        with app.app_context():
            start.wait()
            try:
                with unit_of_work():
                    editing.change(rule, base=base, by=db.session.get_one(Staff, by_id))
                outcomes.append("saved")
            except RulesChanged:
                outcomes.append("refused")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=save, args=(rule,)) for rule in rules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["refused", "saved"]


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"rule_id": "编号一"}, "rule_id"),
        ({"priority": "high"}, "priority"),
        ({"category_codes": "99999"}, "category_codes"),
        ({"category_codes": "*;01037"}, "category_codes"),
        ({"major": "没有这类"}, "major"),
        ({"facility_type": "77"}, "facility_type"),
        ({"area_codes": "1"}, "area_codes"),
        ({"condition": "text contains"}, "condition"),
        ({"condition": "time in 25:00..06:00"}, "condition"),
        ({"unit": "NOPE"}, "unit"),
        ({"unit": "@somebody"}, "unit"),
        ({"unit": ""}, "unit"),
        ({"role": "king"}, "role"),
        ({"mode": "later"}, "mode"),
    ],
)
def test_a_mistake_is_said_in_the_column_where_it_is(
    district: SmallDistrict, changes: dict[str, str], column: str
) -> None:
    with pytest.raises(RuleRefused) as refused:
        written(**changes)
    assert list(refused.value.problems) == [column]


def test_a_code_is_used_once_and_saving_nothing_is_said(district: SmallDistrict) -> None:
    do(editing.add, written(), district=district)
    do(editing.retire, "N1", district=district)
    with pytest.raises(RuleRefused) as refused:
        do(editing.add, written(), district=district)
    assert list(refused.value.problems) == ["rule_id"]
    for verb, what in ((editing.change, written()), (editing.retire, "N1")):
        with pytest.raises(NotFound):
            do(verb, what, district=district)
    same = next(rule for rule in reference().rules if rule.code == "R1")
    with pytest.raises(RuleRefused):
        do(editing.change, same, district=district)


def test_what_a_rule_says_reads_back_as_it_was_written(district: SmallDistrict) -> None:
    assert editing.written(written()) == NEW


@both_databases
def test_a_dry_run_counts_who_would_move_and_moves_nobody(district: SmallDistrict) -> None:
    bent = make_report(district, description="路灯倾斜了")
    make_report(district, description="路灯不亮")
    with unit_of_work():
        routing.route_waiting()
    trial = dry_run(editing.with_rule(reference().rules, written()))
    assert (trial.examined, [move.report.number for move in trial.moves]) == (2, [bent.number])
    assert trial.counts == ((Place("SZ-LD", False), Place("J001", False), 1),)
    assert (trial.moves[0].rule_before, trial.moves[0].rule_after) == ("R1", "N1")
    by_hand = dry_run(editing.without_rule(reference().rules, "R1"))
    assert by_hand.counts == ((Place("SZ-LD", False), Place("J001", True), 2),)
    assert dry_run(reference().rules).moves == ()
    assert dry_run(editing.without_rule(reference().rules, "R1"), limit=1).examined == 1
    db.session.refresh(bent)
    assert (bent.status, bent.unit_id) == (Status.ASSIGNED, district.lamps.id)
    assert codes() == ["R1", "R2", "R3"]


def test_the_order_of_equal_priorities_is_that_of_writing(district: SmallDistrict) -> None:
    with unit_of_work():
        make_rule("A9", "CMD", priority=500)
    forget()
    rules = editing.with_rule(reference().rules, replace(written(), priority=500))
    assert [rule.code for rule in rules] == ["R1", "A9", "N1", "R2", "R3"]
    do(editing.add, replace(written(), priority=500), district=district)
    assert codes() == [rule.code for rule in rules]
