"""The demo district's gazetteer, made of its files as the running district makes it of its tables."""

from __future__ import annotations

import csv
import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from district.geo.basemap import base_map
from district.geo.gazetteer import Gazetteer, HouseNumbers, NamedPoint
from district.geo.lines import read_base_map

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "demo"


@cache
def rows() -> tuple[NamedPoint, ...]:
    with (DEMO / "gazetteer.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            NamedPoint(
                row["name"], row["kind"], float(row["lat"]), float(row["lon"]), row["area_code"],
                row["community_code"], tuple(filter(None, row["aliases"].split(";"))), row["address"],
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


@cache
def demo_gazetteer() -> Gazetteer:
    layers: list[Any] = [
        json.loads((DEMO / name).read_text(encoding="utf-8"))
        for name in ("basemap.geojson", "grids.geojson", "compounds.geojson")
    ]
    places = tomllib.loads((DEMO / "district.toml").read_text(encoding="utf-8"))["places"]
    roads, outlines = read_base_map(base_map(*layers))
    numbers = HouseNumbers(places["house_number_metres"], tuple(places["odd_house_numbers"]))
    return Gazetteer(rows(), roads=roads, outlines=outlines, numbers=numbers)
