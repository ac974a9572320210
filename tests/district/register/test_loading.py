"""Facilities from files: what is right goes in, what is wrong is explained, again and again."""

from __future__ import annotations

import csv
import random
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select

from district import sheets
from district.errors import BadInput
from district.extensions import db
from district.facilities import queries
from district.facilities.models import Facility
from district.geo.datum import gcj02_to_bd09, wgs84_to_gcj02
from district.register import loading as loadings
from district.register import service as register
from district.register.columns import Datum, Plan, guess, plan_of, remember
from district.register.export import export
from district.register.models import FacilityEdit
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.district.register.conftest import HEADINGS, Load, Write, code, row
from tests.factories import MIDDLE, SmallDistrict

BAD = {
    "code_missing": {"code": ""},
    "code_wrong": {"code": "1234"},
    "code_shortened": {"code": "2.32761E+16"},
    "type_unknown": {"type": "没有的"},
    "unit_unknown": {"maintainer": "没有的"},
    "place_swapped": {"longitude": str(MIDDLE[0]), "latitude": str(MIDDLE[1])},
    "place_outside": {"longitude": "116.4", "latitude": "39.9"},
    "place_missing": {"longitude": "", "latitude": ""},
    "place_half": {"latitude": ""},
    "number_wrong": {"latitude": "50度"},
    "day_wrong": {"installed_on": "昨天"},
    "state_unknown": {"state": "还行"},
    "too_long": {"name": "长" * 201},
}


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Facility)) or 0


@both_databases
@pytest.mark.parametrize("kind", ["csv", "xlsx", "geojson"])
def test_a_file_goes_in_and_a_second_time_changes_nothing(
    load: Load, write: Write, district: SmallDistrict, kind: str
) -> None:
    path = write([row(1), row(2, state="破损")], kind)
    tally = load(path).tally
    assert (tally.read, tally.created, tally.refused) == (2, 2, 0)
    first, second = db.session.scalars(select(Facility).order_by(Facility.code17))
    assert (first.code17, first.code, first.code_scheme) == (code(1), "2327610137000001", "17")
    assert (first.name, first.state, second.state) == ("1 号路灯", "intact", "damaged")
    assert (first.maintainer_unit_id, first.owner_unit_id) == (district.lamps.id, None)
    assert (first.area_code, first.installed_on) == ("990000001", date(2024, 5, 1))
    assert queries.search(words="人民路 2 号路灯").facilities == [second]
    again = load(path).tally
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)
    assert [edit.kind for edit in register.history(first.id)] == ["added"]


@both_databases
def test_five_in_a_hundred_are_bad_the_good_ones_go_in_and_the_mended_file_brings_the_rest(
    load: Load, write: Write
) -> None:
    rows = [row(number) for number in range(1, 201)]
    wrong = random.Random(7).sample(range(200), 10)
    for place, what in zip(wrong, BAD.values(), strict=False):
        rows[place] = row(place + 1, **what)
    loaded = load(write(rows))
    assert (loaded.tally.read, loaded.tally.created, loaded.tally.refused) == (200, 190, 10)
    assert {one.number for one in loaded.tally.problems} == {place + 2 for place in wrong}
    assert loaded.errors is not None
    with loaded.errors.open(encoding="utf-8-sig", newline="") as file:
        told = list(csv.DictReader(file))
    assert list(told[0]) == [*HEADINGS, "不能导入的原因"]
    assert all(one["不能导入的原因"] for one in told)
    # Mended as people do: in that very file, with the reasons left where they are.
    mended = {place: row(place + 1) for place in wrong}
    lines = [[*mended[place], told[at]["不能导入的原因"]] for at, place in enumerate(sorted(wrong))]
    again = load(write(lines, headings=[*HEADINGS, "不能导入的原因"], name="mended.csv"))
    assert (again.tally.created, again.tally.refused, again.errors) == (10, 0, None)
    assert count() == 200
    whole = load(write([row(number) for number in range(1, 201)], name="whole.csv")).tally
    assert (whole.created, whole.updated, whole.unchanged) == (0, 0, 200)


@pytest.mark.parametrize("what", list(BAD))
def test_each_mistake_is_named(load: Load, write: Write, what: str) -> None:
    loaded = load(write([row(1, **BAD[what]), row(2)]))
    assert [one.key for one in loaded.tally.problems] == [what]
    assert loaded.tally.created == 1
    assert loaded.tally.problems[0].words()


def test_the_refused_rows_come_back_in_the_kind_of_file_they_came_in(load: Load, write: Write) -> None:
    for kind in ("xlsx", "geojson"):
        loaded = load(write([row(1, state="还行"), row(2)], kind, name=f"bad.{kind}"))
        assert loaded.errors is not None
        again = load(loaded.errors)
        assert [one.key for one in again.tally.problems] == ["state_unknown"], "it is read again, without its reason"
        assert again.errors is not None
        with again.errors.open("rb") as file:
            assert file.read().count("不能导入的原因".encode()) <= 1


@both_databases
def test_killed_in_the_middle_it_is_run_again_and_nothing_is_there_twice(
    load: Load, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loadings, "BATCH", 10)
    path = write([row(number) for number in range(1, 36)])
    with pytest.raises(KeyboardInterrupt):
        load(path, stop_after=2)
    assert count() == 20
    tally = load(path).tally
    assert (tally.created, tally.unchanged, count()) == (15, 20, 35)
    assert db.session.scalar(select(func.count()).select_from(FacilityEdit)) == 35


def test_a_dry_run_counts_and_explains_and_writes_nothing(load: Load, write: Write) -> None:
    tally = load(write([row(1), row(2, state="还行")]), dry_run=True).tally
    assert (tally.created, tally.refused) == (1, 1)
    assert count() == 0


def test_an_empty_cell_leaves_what_is_there_and_a_dash_takes_it_away(load: Load, write: Write) -> None:
    load(write([row(1)]))
    tally = load(write([row(1, address="", maintainer="-", installed_on="-", name="新名")])).tally
    assert tally.updated == 1
    found = db.session.scalars(select(Facility)).one()
    assert (found.address, found.maintainer_unit_id, found.installed_on) == ("人民路北侧", None, None)
    assert (found.name, found.version) == ("新名", 2)
    newest = register.history(found.id)[0]
    assert (newest.kind, newest.source) == ("changed", "facilities.csv")
    assert newest.changes == {
        "name": ["1 号路灯", "新名"], "maintainer": ["SZ-LD", None], "installed_on": ["2024-05-01", None],
    }  # fmt: skip
    assert queries.search(words="新名").facilities == [found]
    assert queries.search(words="号路灯").facilities == []


def test_a_code_stands_for_one_facility_whatever_the_file_says(load: Load, write: Write) -> None:
    old = "2327610137000001"
    tally = load(write([row(1), row(2), row(1, name="又来"), row(3, code=old)])).tally
    assert [(one.number, one.key) for one in tally.problems] == [(4, "code_twice"), (5, "code_twice")]
    # By its other code it is the same one.
    again = load(write([row(1, code=old, name="改名")])).tally
    assert (again.created, again.updated) == (0, 1)
    assert db.session.scalars(select(Facility).order_by(Facility.id)).first().code_scheme == "17"  # type: ignore[union-attr]
    both = load(
        write([[*row(9), old], [*row(2), ""]], headings=[*HEADINGS, "旧编码"], name="both.csv"),
    ).tally
    assert [one.key for one in both.problems] == []
    assert (both.updated, both.unchanged) == (1, 1), "the old code says which one has a new one"
    clash = load(write([[*row(9), "2327610137000002"]], headings=[*HEADINGS, "旧编码"])).tally
    assert [one.key for one in clash.problems] == ["code_of_another"]


def test_a_subtype_of_three_digits_has_no_older_code(load: Load, write: Write) -> None:
    load(write([row(1, code="23276101137000001")]))
    found = db.session.scalars(select(Facility)).one()
    assert (found.code, found.code17) == ("23276101137000001", "23276101137000001")


def test_what_was_taken_out_stays_out(load: Load, write: Write, district: SmallDistrict) -> None:
    load(write([row(1)]))
    with unit_of_work():
        register.retire(code(1), by=district.staff["administrator"], reason="拆除")
    assert [one.key for one in load(write([row(1)])).tally.problems] == ["code_retired"]


@pytest.mark.parametrize("datum", list(Datum))
def test_coordinates_are_kept_in_wgs84_whatever_the_map_they_came_from(load: Load, write: Write, datum: Datum) -> None:
    place = MIDDLE
    if datum is not Datum.WGS84:
        place = wgs84_to_gcj02(*place)
    if datum is Datum.BD09:
        place = gcj02_to_bd09(*place)
    path = write([row(1, latitude=repr(place[0]), longitude=repr(place[1]))])
    plan = Plan(guess(HEADINGS).columns, datum)
    load(path, plan=plan)
    found = db.session.scalars(select(Facility)).one()
    assert (found.latitude, found.longitude) == pytest.approx(MIDDLE, abs=2e-7)
    assert load(path, plan=plan).tally.unchanged == 1


@both_databases
@pytest.mark.parametrize("kind", ["csv", "xlsx", "geojson"])
def test_what_is_exported_is_imported_unchanged(load: Load, write: Write, tmp_path: Path, kind: str) -> None:
    odd = [
        row(1, name="=HYPERLINK(1)", address="'-引号"), row(2, code="2327610137000002", state="废弃"),
        row(3, code="23276101137000003", maintainer=""),
    ]  # fmt: skip
    quoted = [[sheets.guarded(cell) for cell in cells] for cells in odd]
    assert load(write(quoted)).tally.created == 3
    before = {one.code17: register.form_of(one) for one in db.session.scalars(select(Facility))}
    assert before[code(1)]["name"] == "=HYPERLINK(1)"
    path = tmp_path / f"out.{kind}"
    assert list(export(path, queries.ids_of(queries.Wanted()))) == [3]
    tally = load(path).tally
    assert (tally.read, tally.unchanged, tally.refused) == (3, 3, 0), tally.problems
    if kind == "csv":
        assert b",=" not in path.read_bytes()


def test_an_export_has_only_what_was_asked_for(load: Load, write: Write, tmp_path: Path) -> None:
    load(write([row(1), row(2, state="破损")]))
    assert list(export(tmp_path / "some.csv", queries.ids_of(queries.Wanted(state="damaged")))) == [1]
    assert "2 号路灯" in (tmp_path / "some.csv").read_text(encoding="utf-8")
    assert list(export(tmp_path / "none.csv", queries.ids_of(queries.Wanted(state="missing")))) == []
    with pytest.raises(BadInput):
        list(export(tmp_path / "odd.txt", queries.ids_of(queries.Wanted())))


class TestColumns:
    def test_they_are_guessed_in_both_languages(self, district: SmallDistrict) -> None:
        chinese = guess(["序号", "ObjID", "部件名称", "经度", "纬度", "养护单位名称", "合同到期"])
        assert chinese.columns == {
            "code": "ObjID", "name": "部件名称", "longitude": "经度", "latitude": "纬度",
            "maintainer": "养护单位名称", "contract_to": "合同到期",
        }  # fmt: skip
        english = guess(
            ["code", "code17", "facility_type", "Name", "lon", "lat", "owner_unit", "init_date", "grid_code"]
        )
        assert english.columns == {
            "code": "code17", "code_other": "code", "type": "facility_type", "name": "Name", "longitude": "lon",
            "latitude": "lat", "owner": "owner_unit", "installed_on": "init_date",
        }  # fmt: skip

    def test_what_somebody_chose_is_remembered(self, district: SmallDistrict) -> None:
        headings = ["牌号", "编码", "X", "Y"]
        plan = plan_of({"code": "牌号", "longitude": "X", "latitude": "Y"}, "gcj02", headings)
        with unit_of_work():
            remember(plan, headings)
        assert guess(headings) == plan, "the column that means nothing is left alone as well"
        assert guess(["编号"]).columns == {"code": "编号"}

    def test_a_plan_that_cannot_work_says_where(self, district: SmallDistrict) -> None:
        with pytest.raises(BadInput) as caught:
            plan_of({"name": "A", "address": "A", "state": "Z", "latitude": "B", "odd": "B"}, "mars", ["A", "B"])
        assert set(caught.value.fields) == {"code", "name", "address", "state", "latitude", "longitude", "odd", "datum"}
