"""What these tests share: a small district with two kinds of facility, and files of facilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from flask import Flask

from district.extensions import db
from district.facilities.models import FacilityType
from district.register import sources
from district.register.columns import Plan, guess
from district.register.loading import Loading, Tally
from district.register.refused import ErrorFile
from district.work import unit_of_work
from tests.factories import MIDDLE, SmallDistrict, forget_reference

HEADINGS = ("部件编码", "类型", "名称", "地址", "经度", "纬度", "养护单位", "状态", "安装日期")


def code(number: int) -> str:
    return f"23276101037{number:06d}"


def row(number: int, **changes: str) -> list[str]:
    """A right row, as people write it."""
    values = {
        "code": code(number), "type": "路灯", "name": f"{number} 号路灯", "address": "人民路北侧",
        "longitude": f"{MIDDLE[1] + number * 1e-5:.6f}", "latitude": f"{MIDDLE[0]:.6f}", "maintainer": "路灯班组",
        "state": "完好", "installed_on": "2024/5/1",
    }  # fmt: skip
    return list((values | changes).values())


def with_kinds(made: SmallDistrict) -> SmallDistrict:
    """The small district with lamps and covers among its kinds of facility."""
    with unit_of_work():
        for number, name in (("01037", "路灯"), ("01001", "供水井盖")):
            db.session.add(
                FacilityType(
                    code=number, major="市政公用设施", name=name, name_en=f"type {number}", geometry="point",
                    default_unit_kind="municipal", problems=[], default_category_code="01037",
                )
            )  # fmt: skip
    forget_reference()
    return made


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return with_kinds(SmallDistrict())


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows as a file of one kind."""

    def written(
        rows: Sequence[Sequence[Any]], kind: str = "csv", headings: Sequence[str] = HEADINGS, **how: Any
    ) -> Path:
        path = tmp_path / how.get("name", f"facilities.{kind}")
        if kind == "csv":
            lines = [how.get("delimiter", ",").join(map(str, cells)) for cells in (headings, *rows)]
            path.write_bytes("\n".join([*lines, ""]).encode(how.get("encoding", "utf-8")))
        elif kind == "xlsx":
            book = xlsxwriter.Workbook(str(path))
            sheet = book.add_worksheet()
            for at, cells in enumerate((headings, *rows)):
                for place, cell in enumerate(cells):
                    sheet.write(at, place, cell)
            book.close()
        else:
            features = [
                {
                    "type": "Feature",
                    "properties": {
                        name: cell for name, cell in zip(headings, cells, strict=True) if name not in ("经度", "纬度")
                    },
                    "geometry": {"type": "Point", "coordinates": [float(cells[4]), float(cells[5])]},
                }
                for cells in rows
            ]
            path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False))
        return path

    return written


@dataclass
class Loaded:
    tally: Tally
    errors: Path | None


Load = Callable[..., Loaded]


@pytest.fixture
def load(district: SmallDistrict, tmp_path: Path) -> Load:
    """Take a file over as the command does. stop_after: end in the middle, after so many batches."""

    def loaded(path: Path, *, dry_run: bool = False, plan: Plan | None = None, stop_after: int = 10**9) -> Loaded:
        errors = tmp_path / f"errors-{path.name}"
        with sources.opened(path) as source, ErrorFile(errors, source) as refused:
            loading = Loading(
                source, plan or guess(source.headings), by=district.staff["administrator"].id, name=path.name,
                errors=refused, dry_run=dry_run,
            )  # fmt: skip
            for number, batch in enumerate(loading.batches()):
                if number >= stop_after:
                    raise KeyboardInterrupt
                with unit_of_work():
                    loading.take(batch)
        return Loaded(loading.tally, errors if refused.is_there else None)

    return loaded
