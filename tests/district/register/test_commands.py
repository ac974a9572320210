"""`flask district facilities import` and `export`."""

from __future__ import annotations

import json
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select

from district.extensions import db
from district.facilities.models import Facility
from district.people.models import AuditEntry
from tests.district.register.conftest import Write, code, row
from tests.factories import SmallDistrict


def run(app: Flask, *args: str) -> tuple[int, str]:
    answer = app.test_cli_runner().invoke(args=["district", "facilities", *args])
    return answer.exit_code, answer.stdout


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Facility)) or 0


def test_a_file_in_and_out(app: Flask, district: SmallDistrict, write: Write, tmp_path: Path) -> None:
    path = str(write([row(1), row(2, state="odd"), row(3)]))
    exit_code, said = run(app, "import", path, "--dry-run", "--json")
    found = json.loads(said)
    assert (exit_code, found["created"], found["refused"], count()) == (0, 2, 1, 0)
    assert found["problems"][0][0] == 3
    found = json.loads(run(app, "import", path, "--json")[1])
    assert (found["read"], found["created"], found["updated"], found["refused"], count()) == (3, 2, 0, 1, 2)
    assert code(2) in Path(found["errors_file"]).read_text(encoding="utf-8-sig")
    assert json.loads(run(app, "import", path, "--json")[1])["unchanged"] == 2
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "facility.import")).first()
    assert entry is not None
    assert (entry.staff_id, entry.detail["created"]) == (None, 2)
    out = tmp_path / "out.geojson"
    assert json.loads(run(app, "export", str(out), "--type", "01037", "--json")[1]) == {"written": 2}
    again = json.loads(run(app, "import", str(out), "--json")[1])
    assert (again["unchanged"], again["refused"], again["errors_file"]) == (2, 0, None)


def test_columns_are_named_by_hand(app: Flask, district: SmallDistrict, write: Write) -> None:
    path = str(write([[*row(1), "这是名字"]], headings=["牌号", *"abcdefgh", "甲"]))
    assert run(app, "import", path)[0] == 2, "no heading says which column is the code"
    chosen = ["--map", "code=牌号", "--map", "name=甲", "--map", "longitude=d", "--map", "latitude=e"]
    assert json.loads(run(app, "import", path, "--json", *chosen)[1])["created"] == 1
    assert db.session.scalars(select(Facility.name)).one() == "这是名字"
    assert json.loads(run(app, "import", path, "--json")[1])["unchanged"] == 1, "they are remembered"
    for wrong in ("name", "name=乙", "odd=甲"):
        assert run(app, "import", path, "--map", wrong)[0] == 2
