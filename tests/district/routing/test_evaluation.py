"""Figures: each is counted as docs/understanding.md says, on a file small enough to count by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from district import messages
from district.errors import BadInput
from district.routing import evaluation

pytestmark = pytest.mark.demo
HEADER = "id,text,expected_category,also_acceptable_or_secondary,intent,urgency,needs_clarification"
ROWS = [
    "1,人民路的路灯不亮了,01037,,report,normal,0",
    "2,人民路井盖没了，是个大窟窿,01001,01023,report,critical,0",
    "3,路灯坏了,06042,,report,normal,1",
    "4,你好,CHITCHAT,,thanks,normal,0",
]


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "messages.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_every_figure_is_counted_as_it_is_defined(app: Flask, tmp_path: Path) -> None:
    found = evaluation.evaluate(evaluation.read(write(tmp_path, *ROWS)), with_places=False)
    figures = found.figures
    assert (figures.n, figures.intent) == (4, 1.0)
    assert (figures.category_top1, figures.critical_recall, figures.critical_precision) == (0.6667, 1.0, 1.0)
    assert figures.clarification_f1 == 1.0
    assert 0 < (found.calibration_error or 0) < 0.4
    assert (figures.place_accuracy, figures.place_wrong_rate) == (None, None)
    assert [pair[:2] for pair in found.confused_categories] == [("06042", "01037")]
    # Row 2 went to the street office (nobody's cover) though the water company was expected; row 3 to the lamps' unit.
    assert (figures.unit_accuracy, figures.wrong_unit_rate) == (0.3333, 0.6667)


def test_points_judge_the_place_that_was_asserted(app: Flask, tmp_path: Path) -> None:
    header = f"{HEADER},lon,lat,tolerance_m"
    rows = [
        "1,知青广场太吵,06028,,report,normal,0,{},{},50",
        "2,知青广场太吵,06028,,report,normal,0,124.0,50.4,50",
        "3,知青广场太吵,06028,,report,normal,0,,,",
        "4,太吵了,06028,,report,normal,1,,,",
    ]
    from district.reference import reference

    square = reference().gazetteer.find("知青广场").place
    assert square is not None
    rows[0] = rows[0].format(square.longitude, square.latitude)
    path = write(tmp_path, *rows, header=header)
    assert evaluation.has_points(path)
    figures = evaluation.evaluate(evaluation.read(path), with_places=True).figures
    assert (figures.place_accuracy, figures.place_wrong_rate) == (0.5, 0.5)


def test_nothing_to_judge_by_is_null_and_not_zero(app: Flask, tmp_path: Path) -> None:
    figures = evaluation.evaluate(evaluation.read(write(tmp_path, ROWS[3])), with_places=False).figures
    assert (figures.category_top1, figures.critical_recall, figures.unit_accuracy) == (None, None, None)


def test_a_file_of_places_alone_is_judged_by_its_places_alone(app: Flask, tmp_path: Path) -> None:
    path = write(tmp_path, "知青广场太吵,124.0,50.4,50", header="text,lon,lat,tolerance_m")
    figures = evaluation.evaluate(evaluation.read(path), with_places=True).figures
    assert (figures.place_accuracy, figures.place_wrong_rate) == (0.0, 1.0)
    assert (figures.intent, figures.critical_precision, figures.clarification_f1) == (None, None, None)


def test_a_file_that_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        evaluation.read(write(tmp_path, "1,a", header="id,words"))
    with pytest.raises(BadInput):
        evaluation.read(write(tmp_path, f"{ROWS[0]},x,y,z", header=f"{HEADER},lon,lat,tolerance_m"))


def test_the_command_prints_json_and_a_table(app: Flask, tmp_path: Path) -> None:
    path = write(tmp_path, *ROWS)
    # Commands speak the terminal's language; the tests after this one do not.
    with messages.speaking("en"):
        run = app.test_cli_runner().invoke(args=["district", "evaluate", str(path), "--json"])
        table = app.test_cli_runner().invoke(args=["district", "evaluate", str(path)])
    assert run.exit_code == 0, run.output
    printed = json.loads(run.stdout.strip().splitlines()[-1])
    assert list(printed) == [
        "n", "intent", "category_top1", "category_top3", "critical_recall", "critical_precision", "clarification_f1",
        "unit_accuracy", "wrong_unit_rate", "place_accuracy", "place_wrong_rate",
    ]  # fmt: skip
    assert table.exit_code == 0
    assert "06042" in table.stdout
