"""`flask district labels`: what the operator prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from district.extensions import db
from district.facilities.models import FacilityToken
from district.labels.models import LabelRun
from district.work import unit_of_work
from tests.factories import SmallDistrict, make_facility


@pytest.fixture
def lamps(app: Flask) -> list[str]:
    """The codes of two lamps: one on People's Road, one elsewhere."""
    district = SmallDistrict()
    with unit_of_work():
        return [make_facility(district.lamps, address=address).code17 for address in ("人民路1号", "建设路1号")]


def printed(app: Flask, *arguments: str) -> dict[str, object]:
    result = app.test_cli_runner().invoke(args=["district", "labels", "--json", *arguments])
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout.strip().splitlines()[-1])
    return answer


def test_what_was_asked_for_is_printed_and_written_down(app: Flask, lamps: list[str], tmp_path: Path) -> None:
    file, crew = tmp_path / "labels.pdf", tmp_path / "list.pdf"
    answer = printed(app, "--output", str(file), "--street", "人民路", "--list", str(crew))
    assert (answer["labels"], answer["pages"], answer["missing"]) == (1, 1, "")
    assert file.read_bytes().startswith(b"%PDF")
    assert crew.read_bytes().startswith(b"%PDF")
    run = db.session.scalars(db.select(LabelRun)).one()
    assert (run.asked_by_id, run.labels, run.id) == (None, 1, answer["run"])
    states = sorted(db.session.scalars(db.select(FacilityToken.state)))
    assert states == ["issued", "printed"]
    # What was printed is left out when only new ones are wanted.
    assert printed(app, "--output", str(file), "--only-new")["labels"] == 1


def test_one_facility_in_another_layout(app: Flask, lamps: list[str], tmp_path: Path) -> None:
    answer = printed(app, "--output", str(tmp_path / "a.zip"), "--facility", lamps[1], "--layout", "plate")
    assert (answer["labels"], answer["pages"]) == (1, 0)


@pytest.mark.parametrize(
    "arguments", [["--layout", "nonsense"], ["--facility", "123"], ["--type", "99999"], ["--street", "没有的路"]]
)
def test_what_cannot_be_printed_is_explained_and_nothing_is_written(
    app: Flask, lamps: list[str], tmp_path: Path, arguments: list[str]
) -> None:
    file = tmp_path / "a.pdf"
    result = app.test_cli_runner().invoke(args=["district", "labels", "--output", str(file), *arguments])
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert not file.exists()
    assert set(db.session.scalars(db.select(FacilityToken.state))) == {"issued"}


def test_the_layouts_are_named(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["district", "labels", "--layouts", "--json"])
    assert {"sheet21", "sheet12", "sheet8", "roll60", "roll80", "plate"} <= json.loads(result.stdout).keys()
