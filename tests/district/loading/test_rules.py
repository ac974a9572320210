"""Rules that come by file: checked, told about, kept as a version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from district.extensions import db
from district.people.models import Staff
from district.reference import forget, reference
from district.rules import editing, versions
from district.rules.models import RulesVersion
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.loading.conftest import SpoiltFolder
from tests.support import services


@both_databases
def test_each_load_that_changes_rules_keeps_a_version(app: Flask, loaded: SpoiltFolder) -> None:
    (first,) = versions.page()
    assert (first.origin, first.staff_id, len(first.rules), first.changes) == ("folder", None, 124, [])
    loaded.load()
    assert len(versions.page()) == 1
    loaded.put("routing_rules.csv", 3, "note", "another note")
    loaded.drop("routing_rules.csv", "R050")
    loaded.load()
    second = versions.latest()
    assert second is not None
    assert second.number > first.number
    assert {change["code"]: change["after"] is None for change in second.changes} == {"R002": False, "R050": True}
    # What the panel changes is a version in the same row, and the folder's next load says what it undoes.
    forget()
    with unit_of_work():
        admin = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
        rule = next(rule for rule in reference().rules if rule.code == "R070")
        typed = editing.written(rule) | {"unit": "XF"}
        editing.change(editing.read(typed, reference()), base=second.number, by=admin)
    loaded.load()
    kept = db.session.scalars(select(RulesVersion).order_by(RulesVersion.number)).all()
    assert [version.origin for version in kept] == ["folder", "folder", "panel", "folder"]
    (undone,) = kept[-1].changes
    assert (undone["before"]["units"], undone["after"]["units"]) == (["XF"], ["RQ"])


def test_check_says_what_the_linter_finds(app: Flask, folder: SpoiltFolder) -> None:
    runner = app.test_cli_runner()
    clean = runner.invoke(args=["district", "check", str(folder.path)])
    assert clean.exit_code == 0
    assert "R050" in clean.stderr
    folder.put("routing_rules.csv", 3, "condition", "category is null and category = 21029")
    wrong = runner.invoke(args=["district", "check", str(folder.path), "--json"])
    assert wrong.exit_code == 1
    (problem,) = json.loads(wrong.stdout)
    assert (problem["file"], problem["column"]) == ("routing_rules.csv", "R002")


def test_a_folder_is_checked_where_there_is_no_database_yet(folder: SpoiltFolder, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    with services.application(f"sqlite:///{empty / 'nothing.db'}", empty) as bare:
        said = bare.test_cli_runner().invoke(args=["district", "check", str(folder.path)])
    assert said.exit_code == 0, said.output
    assert "R050" in said.stderr


def test_lint_answers_in_both_languages_and_fails_for_errors(app: Flask, folder: SpoiltFolder) -> None:
    runner = app.test_cli_runner()
    loaded = runner.invoke(args=["district", "load", str(folder.path)])
    assert loaded.exit_code == 0
    assert "R050" in loaded.stderr
    forget()
    run = runner.invoke(args=["district", "rules", "lint", "--json"])
    assert run.exit_code == 0
    found = json.loads(run.stdout)
    shadowed = next(one for one in found if one["severity"] == "warning")
    assert shadowed["rules"] == ["R050", "R048"]
    assert "永远轮不到" in shadowed["sentence"]["zh-Hans"]
    assert "never gets its turn" in shadowed["sentence"]["en"]
    contested = {one["rules"][0] for one in found if one["kind"] == "contested"}
    assert {"R044", "R048", "R045", "R057", "R090"} <= contested
    folder.put("routing_rules.csv", 3, "condition", "month in 6..8 and month in 10..12")
    folder.load()
    forget()
    assert runner.invoke(args=["district", "rules", "lint"]).exit_code == 1


@pytest.mark.parametrize(
    ("column", "value"), [("condition", "time in 22:00..06:00 and month in 10..4"), ("condition", "weekday in 6..7")]
)
def test_a_rule_may_be_for_some_times(folder: SpoiltFolder, column: str, value: str) -> None:
    folder.put("routing_rules.csv", 3, column, value)
    assert folder.problems() == []


def test_how_near_is_on_the_border_is_the_districts_to_say(folder: SpoiltFolder) -> None:
    line = folder.replace("district.toml", "[routing]\n", "[routing]\nborder_metres = 5\n")
    assert folder.problems() == []
    folder.replace("district.toml", "border_metres = 5", "border_metres = -1")
    assert (folder.the_problem().line, folder.the_problem().column) == (line + 1, "routing.border_metres")
