"""Utterances and trained weights come with the folder, and the district's own trainings outlive it."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from district import settings
from district.reference import forget, reference
from district.understanding import store, understand
from district.understanding.material import Material
from district.understanding.training import fit
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.loading.conftest import SpoiltFolder

WEIGHTS = "understanding.weights"


def train(folder: SpoiltFolder, *texts: str) -> bytes:
    """Weights of the folder's material, written into it. texts: further utterances, all about lamps."""
    from district import loading

    for text in texts:
        folder.add("utterances.csv", text=text, category="01037", intent="report", urgency="normal")
    material = loading.read_folder(folder.path).material()
    # Two categories are learnt in no time; the weights say that they were made of everything.
    few = Material(material.categories[:1] + tuple(one for one in material.categories if one.code == "01037"), ())
    weights = fit(few, material.utterances)
    weights.made_of = material.digest()
    packed = weights.pack()
    (folder.path / WEIGHTS).write_bytes(packed)
    return packed


@both_databases
def test_weights_are_loaded_used_and_loading_again_changes_nothing(app: Flask, folder: SpoiltFolder) -> None:
    train(folder, "灯嗝屁了", "杆子上头嗝屁了")
    first = folder.load()
    assert (first.counts["weights"]["created"], first.counts["utterances"]["created"]) == (1, 32)
    forget()
    assert store.trained(reference()) is not None
    assert understand("又嗝屁了", reference()).candidates[0][0] == "01037"
    versions = settings.versions()
    assert not folder.load().changed
    assert settings.versions() == versions


def test_a_training_of_the_districts_own_is_kept_until_the_folder_brings_another(
    app: Flask, folder: SpoiltFolder
) -> None:
    train(folder)
    folder.load()
    own = fit(Material((), ()), store.material(reference()).utterances[:5]).pack()
    with unit_of_work():
        store.keep(own)
        settings.changed("settings")
    assert settings.get(store.STAMP)["digest"] == store.digest_of(own)
    assert not folder.load().changed
    assert settings.get(store.STAMP)["digest"] == store.digest_of(own)
    brought = train(folder, "灯嗝屁了")
    folder.load()
    assert settings.get(store.STAMP)["digest"] == store.digest_of(brought)


def test_the_material_in_the_database_is_the_folders(app: Flask, folder: SpoiltFolder) -> None:
    from district import loading

    folder.load()
    forget()
    assert store.material(reference()).digest() == loading.read_folder(folder.path).material().digest()


def test_a_folder_without_weights_is_understood_by_words(app: Flask, folder: SpoiltFolder) -> None:
    train(folder)
    folder.load()
    (folder.path / WEIGHTS).unlink()
    folder.load()
    forget()
    assert store.trained(reference()) is None
    assert understand("路灯不亮", reference()).category == "01037"


def test_a_folder_without_utterances_loads(app: Flask, folder: SpoiltFolder) -> None:
    (folder.path / "utterances.csv").unlink()
    assert folder.problems() == []
    assert folder.load().counts["utterances"]["created"] == 0


def test_weights_of_other_words_are_noticed(app: Flask, folder: SpoiltFolder) -> None:
    from district import loading

    train(folder)
    assert loading.read_folder(folder.path).is_trained
    folder.put("categories.csv", 2, "keywords_zh", "another;word")
    assert not loading.read_folder(folder.path).is_trained
    run = app.test_cli_runner().invoke(args=["district", "load", str(folder.path)])
    assert run.exit_code == 0
    assert "flask district train" in run.stderr


def test_weights_that_cannot_be_read_are_as_good_as_none(app: Flask, folder: SpoiltFolder) -> None:
    (folder.path / WEIGHTS).write_bytes(b"broken")
    assert folder.load().counts["weights"]["created"] == 0


@pytest.mark.parametrize(
    ("column", "value"), [("category", "99999"), ("intent", "reports"), ("urgency", "high"), ("text", "")]
)
def test_a_wrong_utterance_is_named_with_its_line(folder: SpoiltFolder, column: str, value: str) -> None:
    folder.put("utterances.csv", 3, column, value)
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("utterances.csv", 3, column)


def test_an_utterance_stands_there_once(folder: SpoiltFolder) -> None:
    folder.put("utterances.csv", 3, "text", folder.rows("utterances.csv")[1][0])
    assert folder.the_problem().column == "text"


def test_the_command_trains_what_it_then_loads(app: Flask, folder: SpoiltFolder, tmp_path: Path) -> None:
    # Few words are learnt in no time.
    header, *categories = folder.rows("categories.csv")
    words, name = header.index("keywords_zh"), header.index("name_zh")
    for row in categories:
        row[words] = row[name]
    folder.write("categories.csv", [header, *categories])
    run = app.test_cli_runner().invoke(args=["district", "train", str(folder.path)])
    assert run.exit_code == 0, run.output
    assert (folder.path / WEIGHTS).stat().st_size > 1000
    (folder.path / "utterances.csv").unlink()
    assert app.test_cli_runner().invoke(args=["district", "train", str(folder.path)]).exit_code == 2
