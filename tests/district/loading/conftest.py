"""A folder that a test may spoil: a copy of the demo district."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from district import loading, messages
from district.loading import LoadResult, Problem
from district.work import unit_of_work
from tests.support import services

DEMO = Path(__file__).resolve().parents[3] / "demo"


class SpoiltFolder:
    """A copy of the demo district with the few changes a test makes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, file: str) -> list[list[str]]:
        with (self.path / file).open(encoding="utf-8", newline="") as opened:
            return list(csv.reader(opened))

    def write(self, file: str, rows: list[list[str]]) -> None:
        with (self.path / file).open("w", encoding="utf-8", newline="") as opened:
            csv.writer(opened, lineterminator="\n").writerows(rows)

    def put(self, file: str, line: int, column: str, value: str) -> None:
        """Change one cell; lines count from 1, the header."""
        rows = self.rows(file)
        rows[line - 1][rows[0].index(column)] = value
        self.write(file, rows)

    def add(self, file: str, **cells: str) -> int:
        """Add a row and give its line."""
        rows = self.rows(file)
        rows.append([cells.get(column, "") for column in rows[0]])
        self.write(file, rows)
        return len(rows)

    def drop(self, file: str, *keys: str) -> None:
        """Take out the rows whose first cell is one of `keys`."""
        rows = self.rows(file)
        self.write(file, [row for row in rows if row[0] not in keys])

    def replace(self, file: str, old: str, new: str) -> int:
        """Replace text that occurs once and give its line."""
        text = (self.path / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {file}"
        (self.path / file).write_text(text.replace(old, new), encoding="utf-8")
        return text.count("\n", 0, text.index(old)) + 1

    def change_feature(self, file: str, number: int, **properties: Any) -> int:
        """Change the properties (or `geometry`) of the feature `number` (from 0); give its line."""
        features = self.features(file)
        feature = features[number]
        if "geometry" in properties:
            feature["geometry"] = properties.pop("geometry")
        feature["properties"] |= properties
        self.write_features(file, features)
        return number + 2

    def features(self, file: str) -> list[dict[str, Any]]:
        layer = json.loads((self.path / file).read_text(encoding="utf-8"))
        return list(layer["features"])

    def keep_features(self, file: str, wanted: Callable[[int, dict[str, Any]], bool]) -> None:
        """Keep the features for which `wanted(number, properties)` holds."""
        kept = [one for number, one in enumerate(self.features(file)) if wanted(number, one["properties"])]
        self.write_features(file, kept)

    def write_features(self, file: str, features: list[dict[str, Any]]) -> None:
        lines = ['{"type": "FeatureCollection", "features": [']
        lines.append(",\n".join(json.dumps(one, ensure_ascii=False) for one in features))
        (self.path / file).write_text("\n".join([*lines, "]}"]), encoding="utf-8")

    def problems(self) -> list[Problem]:
        return loading.check_folder(self.path)

    def the_problem(self) -> Problem:
        """The one problem this folder has."""
        found = self.problems()
        assert len(found) == 1, "\n".join(str(problem) for problem in found) or "nothing was found"
        return found[0]

    def load(self) -> LoadResult:
        with unit_of_work():
            return loading.load_folder(self.path)


@pytest.fixture(scope="session")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo district with only the first few of what it has many of, so that a check is quick."""
    path = tmp_path_factory.mktemp("trimmed") / "district"
    shutil.copytree(DEMO, path)
    small = SpoiltFolder(path)
    (path / "understanding.weights").unlink()
    for file in ("facilities.csv", "gazetteer.csv", "utterances.csv", "case_standards.csv"):
        small.write(file, small.rows(file)[:31])
    known = {row[0] for row in small.rows("facilities.csv")}
    devices = small.rows("devices.csv")
    place = devices[0].index("facility_code")
    small.write("devices.csv", [devices[0], *(row for row in devices[1:] if row[place] in known)])
    grids = {row[small.rows("facilities.csv")[0].index("grid_code")] for row in small.rows("facilities.csv")}
    small.keep_features("grids.geojson", lambda n, feature: feature["level"] != "grid" or feature["code"] in grids)
    small.keep_features("basemap.geojson", lambda n, feature: n < 12)
    small.write_features("grids.geojson", [_box(feature) for feature in small.features("grids.geojson")])
    return path


def _box(feature: dict[str, Any]) -> dict[str, Any]:
    """The feature with no more of its outline than how far it reaches."""
    outline = [point for ring in feature["geometry"]["coordinates"] for point in ring]
    west, south = (min(point[axis] for point in outline) for axis in (0, 1))
    east, north = (max(point[axis] for point in outline) for axis in (0, 1))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return feature | {"geometry": {"type": "Polygon", "coordinates": [ring]}}


@pytest.fixture
def folder(trimmed: Path, tmp_path: Path) -> SpoiltFolder:
    path = tmp_path / "district"
    shutil.copytree(trimmed, path)
    return SpoiltFolder(path)


@pytest.fixture(scope="session")
def trimmed_sqlite(trimmed: Path, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the trimmed folder loaded; tests copy it."""
    place = tmp_path_factory.mktemp("loaded")
    path = place / "bihuan.db"
    shutil.copy(migrated_sqlite, path)
    with services.application(f"sqlite:///{path}", place), unit_of_work():
        loading.load_folder(trimmed)
    services.settle_sqlite(path)
    return path


@pytest.fixture
def database_url(database_url: str, database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """As everywhere; what `loaded` asks for is in it already where that is a matter of copying a file."""
    if database_kind == "sqlite" and "loaded" in request.fixturenames:
        shutil.copy(request.getfixturevalue("trimmed_sqlite"), tmp_path / "bihuan.db")
    return database_url


@pytest.fixture
def loaded(app: Flask, folder: SpoiltFolder, database_kind: str) -> SpoiltFolder:
    """The folder, and the application has loaded it once."""
    if database_kind != "sqlite":
        folder.load()
    return folder


@pytest.fixture
def whole_folder(tmp_path: Path) -> SpoiltFolder:
    """All of the demo district."""
    path = tmp_path / "whole"
    shutil.copytree(DEMO, path)
    return SpoiltFolder(path)


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    with messages.speaking("en"):
        yield
