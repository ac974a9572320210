"""Every kind of mistake in a folder is named by its file, line and column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from district import loading, messages
from tests.district.loading.conftest import DEMO, SpoiltFolder


def test_the_demo_district_has_no_mistakes() -> None:
    assert loading.check_folder(DEMO) == []


def test_a_folder_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    (problem,) = loading.check_folder(tmp_path / "nowhere")
    assert (problem.line, problem.column) == (None, None)


@pytest.mark.parametrize(
    "file",
    [
        "district.toml", "units.csv", "staff.csv", "categories.csv", "case_standards.csv", "facility_types.csv",
        "facilities.csv", "routing_rules.csv", "gazetteer.csv", "calendar.csv", "grids.geojson", "compounds.geojson",
        "basemap.geojson",
    ],
)  # fmt: skip
def test_a_missing_file_is_named_and_causes_no_other_complaint(folder: SpoiltFolder, file: str) -> None:
    (folder.path / file).unlink()
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == (file, None, None)
    assert file in problem.message


def test_wording_may_be_missing(folder: SpoiltFolder) -> None:
    (folder.path / "wording.csv").unlink(missing_ok=True)
    assert folder.problems() == []


# file, line, column, what is written there, what the message must say
CELLS = [
    ("units.csv", 8, "parent_code", "SX", "units.csv has no 'SX'"),
    ("units.csv", 8, "parent_code", "SZ-LDD", "Did you mean 'SZ-LD'"),
    ("units.csv", 8, "role", "worker", "handler"),
    ("units.csv", 8, "unit_kind", "Municipal Works", "municipal"),
    ("units.csv", 8, "area_codes", "232761001;232761099", "232761099"),
    ("units.csv", 8, "area_codes", "*;232761001", "already means all"),
    ("units.csv", 8, "phone", "call us", "call us"),
    ("units.csv", 8, "duty_hours", "8 to 5", "08:30-12:00"),
    ("units.csv", 8, "name_zh", "", "empty"),
    ("units.csv", 8, "name_zh", "x" * 201, "201"),
    ("units.csv", 8, "code", "路灯", "SZ-LD"),
    ("units.csv", 50, "code", "WY05", "more than once"),
    ("staff.csv", 3, "unit_code", "XX", "units.csv has no 'XX'"),
    ("staff.csv", 3, "roles", "leader;king", "'king'"),
    ("staff.csv", 3, "roles", "", "empty"),
    ("staff.csv", 3, "unit_scope", "SZ;XX", "units.csv has no 'XX'"),
    ("staff.csv", 3, "area_scope", "232761001;232761099", "grids.geojson has no '232761099'"),
    ("staff.csv", 3, "username", "Leader One", "sz-ld"),
    ("staff.csv", 3, "username", "admin", "more than once"),
    ("staff.csv", 3, "demo_password", "short", "10"),
    ("categories.csv", 2, "kind", "thing", "component"),
    ("categories.csv", 2, "deadline_value", "two", "whole number"),
    ("categories.csv", 2, "deadline_value", "0", "from 1"),
    ("categories.csv", 2, "deadline_unit", "weeks", "working_days"),
    ("categories.csv", 2, "urgency", "soon", "critical"),
    ("categories.csv", 2, "default_unit_kind", "wizards", "units.csv has no 'wizards'"),
    ("categories.csv", 2, "facility_type", "99999", "facility_types.csv has no '99999'"),
    ("case_standards.csv", 2, "category_code", "99999", "categories.csv has no '99999'"),
    ("case_standards.csv", 2, "limit_value", "-3", "out of range"),
    ("case_standards.csv", 2, "limit_unit", "days", "calendar_days"),
    ("case_standards.csv", 2, "condition_zh", "", "empty"),
    ("case_standards.csv", 3, "standard_id", "01001-01", "more than once"),
    ("facility_types.csv", 2, "default_category", "00000", "categories.csv has no '00000'"),
    ("facility_types.csv", 2, "geometry", "blob", "polygon"),
    ("facilities.csv", 5, "facility_type", "77777", "facility_types.csv has no '77777'"),
    ("facilities.csv", 5, "lon", "12x", "not a number"),
    ("facilities.csv", 5, "lon", "142.07", "outside the district"),
    ("facilities.csv", 5, "lat", "5.04", "outside the district"),
    ("facilities.csv", 5, "grid_code", "000000000000000", "grids.geojson has no"),
    ("facilities.csv", 5, "area_code", "", "empty"),
    ("facilities.csv", 5, "owner_unit", "NOBODY", "units.csv has no 'NOBODY'"),
    ("facilities.csv", 5, "maintainer_unit", "NOBODY", "units.csv has no 'NOBODY'"),
    ("facilities.csv", 5, "state", "shiny", "intact"),
    ("facilities.csv", 5, "is_smart", "yes", "0, 1"),
    ("facilities.csv", 5, "init_date", "20260230", "not a date"),
    ("facilities.csv", 5, "code", "123", "2327610101000001"),
    ("facilities.csv", 5, "code17", "23276101001000001", "line 2"),
    ("routing_rules.csv", 2, "priority", "high", "whole number"),
    ("routing_rules.csv", 3, "category_codes", "21029;99999", "categories.csv has no '99999'"),
    ("routing_rules.csv", 3, "area_codes", "232761", "grids.geojson has no '232761'"),
    ("routing_rules.csv", 3, "facility_type", "99999", "facility_types.csv has no '99999'"),
    ("routing_rules.csv", 3, "unit", "STJJ", "Did you mean 'STJ'"),
    ("routing_rules.csv", 3, "unit", "@moon", "@area.street"),
    ("routing_rules.csv", 3, "unit", "", "no unit"),
    ("routing_rules.csv", 3, "unit", "GOV", "handles no reports"),
    ("routing_rules.csv", 3, "role", "boss", "primary"),
    ("routing_rules.csv", 3, "mode", "maybe", "manual_queue"),
    ("routing_rules.csv", 3, "condition", "area is not null and colour = red", "character 22"),
    ("routing_rules.csv", 3, "condition", "area is", "null"),
    ("routing_rules.csv", 3, "major", "nothing", "categories.csv has no 'nothing'"),
    ("gazetteer.csv", 4, "kind", "planet", "crossing"),
    ("gazetteer.csv", 4, "lat", "", "empty"),
    ("gazetteer.csv", 4, "community_code", "1", "grids.geojson has no '1'"),
    ("calendar.csv", 2, "date", "2026-13-01", "not a date"),
    ("calendar.csv", 2, "kind", "party", "holiday"),
    ("calendar.csv", 3, "date", "2026-01-01", "more than once"),
]


@pytest.mark.parametrize(("file", "line", "column", "value", "says"), CELLS)
def test_a_wrong_cell_is_named(folder: SpoiltFolder, file: str, line: int, column: str, value: str, says: str) -> None:
    folder.put(file, line, column, value)
    # A row that lost its code also leaves references to it behind: the cell itself must be named.
    found = [p for p in folder.problems() if (p.file, p.line, p.column) == (file, line, column)]
    assert len(found) == 1, folder.problems()
    assert says in found[0].message


@pytest.mark.parametrize(("file", "line", "column", "value", "says"), CELLS)
def test_the_same_message_exists_in_chinese(
    folder: SpoiltFolder, file: str, line: int, column: str, value: str, says: str
) -> None:
    folder.put(file, line, column, value)
    with messages.speaking("zh-Hans"):
        message = next(p.message for p in folder.problems() if (p.file, p.line, p.column) == (file, line, column))
    assert any("\u4e00" <= sign <= "\u9fff" for sign in message)
    assert "{" not in message
    assert not message.startswith("loading.")


def test_a_unit_above_itself_is_refused(folder: SpoiltFolder) -> None:
    folder.put("units.csv", 8, "parent_code", "SZ-LD")  # SZ under its own crew
    found = {(p.file, p.line, p.column) for p in folder.problems()}
    assert ("units.csv", 8, "parent_code") in found


def test_swapped_coordinates_are_recognised(folder: SpoiltFolder) -> None:
    folder.put("facilities.csv", 7, "lon", "50.43")
    folder.put("facilities.csv", 7, "lat", "124.12")
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("facilities.csv", 7, "lon")
    assert "swapped" in problem.message


def test_a_working_day_that_is_worked_anyway_is_a_slip(folder: SpoiltFolder) -> None:
    line = folder.add("calendar.csv", date="2026-11-23", kind="workday", name="调休")
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("calendar.csv", line, "kind")


def test_a_missing_column_is_named_once_with_the_likely_misspelling(folder: SpoiltFolder) -> None:
    folder.put("units.csv", 1, "unit_kind", "unit_kinds")
    found = [p for p in folder.problems() if p.file == "units.csv"]
    assert [(p.line, p.column) for p in found] == [(1, "unit_kind")]
    assert "unit_kinds" in found[0].message


def test_a_row_with_a_comma_too_many_is_named(folder: SpoiltFolder) -> None:
    rows = folder.rows("calendar.csv")
    rows[3].append("")
    folder.write("calendar.csv", rows)
    problem = folder.the_problem()
    assert (problem.file, problem.line) == ("calendar.csv", 4)


def test_lines_are_counted_through_cells_of_several_lines(folder: SpoiltFolder) -> None:
    folder.put("units.csv", 3, "note", "one\ntwo\nthree")
    folder.put("units.csv", 8, "role", "worker")
    assert folder.the_problem().line == 10


def test_a_file_saved_in_another_encoding_is_said_to_be(folder: SpoiltFolder) -> None:
    path = folder.path / "calendar.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    problem = folder.the_problem()
    assert (problem.file, problem.line) == ("calendar.csv", 2)
    assert "UTF-8" in problem.message


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(folder: SpoiltFolder) -> None:
    path = folder.path / "units.csv"
    text = path.read_text(encoding="utf-8")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert folder.problems() == []


def test_an_unclosed_quote_is_named(folder: SpoiltFolder) -> None:
    with (folder.path / "calendar.csv").open("a", encoding="utf-8") as file:
        file.write('2026-12-31,holiday,"x\n')
    assert folder.the_problem().file == "calendar.csv"


def _square(west: float, south: float, side: float) -> list[list[float]]:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


RING = _square(124.1, 50.4, 0.01)
BROKEN = [
    ({"type": "Point", "coordinates": [124.1, 50.4]}, "Point"),
    (None, "null"),
    ({"type": "Polygon", "coordinates": []}, "at least four"),
    ({"type": "Polygon", "coordinates": [RING[:3]]}, "at least four"),
    ({"type": "Polygon", "coordinates": [RING[:4]]}, "not closed"),
    ({"type": "Polygon", "coordinates": [[RING[0], RING[2], RING[1], RING[3], RING[0]]]}, "cross"),
    ({"type": "Polygon", "coordinates": [[RING[0], RING[1], RING[0], RING[1], RING[0]]]}, "encloses nothing"),
    ({"type": "Polygon", "coordinates": [[*RING[:4], ["x", 1]]]}, "not a position"),
    ({"type": "Polygon", "coordinates": [_square(50.4, 124.1, 0.01)]}, "outside the district"),
    ({"type": "MultiPolygon", "coordinates": [[RING], [RING[:4]]]}, "not closed"),
]


@pytest.mark.parametrize(("geometry", "says"), BROKEN)
def test_a_broken_polygon_is_named_by_the_line_of_its_feature(folder: SpoiltFolder, geometry: Any, says: str) -> None:
    line = folder.change_feature("compounds.geojson", 5, geometry=geometry)
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("compounds.geojson", line, "geometry")
    assert says in problem.message


def test_what_is_only_drawn_may_cross_itself_and_must_be_closed(folder: SpoiltFolder) -> None:
    crossing = [RING[0], RING[2], RING[1], RING[3], RING[0]]
    folder.change_feature("basemap.geojson", 7, geometry={"type": "Polygon", "coordinates": [crossing]})
    assert folder.problems() == []
    line = folder.change_feature(
        "basemap.geojson", 7, geometry={"type": "Polygon", "coordinates": [crossing, RING[:4]]}
    )
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("basemap.geojson", line, "geometry")
    assert "not closed" in problem.message


@pytest.mark.parametrize(
    ("file", "change", "column"),
    [
        ("compounds.geojson", {"property_unit": "WY99"}, "properties.property_unit"),
        ("compounds.geojson", {"area_code": "1"}, "properties.area_code"),
        ("compounds.geojson", {"code": "XQ001"}, "properties.code"),
        ("compounds.geojson", {"name": None}, "properties.name"),
        ("compounds.geojson", {"name": 12}, "properties.name"),
        ("grids.geojson", {"code": "23"}, "properties.code"),
        ("grids.geojson", {"parent": "1"}, "properties.parent"),
        ("grids.geojson", {"level": "planet"}, "properties.level"),
        ("basemap.geojson", {"kind": "dragon"}, "properties.kind"),
    ],
)
def test_a_wrong_property_is_named(folder: SpoiltFolder, file: str, change: dict[str, Any], column: str) -> None:
    number = 40 if file == "grids.geojson" else 7
    line = folder.change_feature(file, number, **change)
    assert (file, line, column) in {(p.file, p.line, p.column) for p in folder.problems()}


def test_geojson_that_cannot_be_read_is_named_by_line(folder: SpoiltFolder) -> None:
    lines = (folder.path / "compounds.geojson").read_text(encoding="utf-8").splitlines()
    lines[4] = lines[4][:40]
    (folder.path / "compounds.geojson").write_text("\n".join(lines), encoding="utf-8")
    problem = folder.the_problem()
    assert problem.file == "compounds.geojson"
    assert problem.line in (5, 6)


def test_json_that_is_no_collection_is_refused(folder: SpoiltFolder) -> None:
    (folder.path / "basemap.geojson").write_text(json.dumps([1, 2]), encoding="utf-8")
    assert folder.the_problem().file == "basemap.geojson"


# what is in district.toml, what takes its place, the setting that is named
SETTINGS = [
    ("reopen_days = 15", 'reopen_days = "a while"', "limits.reopen_days"),
    ("reopen_days = 15", "", "limits.reopen_days"),
    ("reopen_days = 15", "reopen_days = 15\nreopen_dais = 3", "limits.reopen_dais"),
    ('timezone = "Asia/Shanghai"', 'timezone = "Asia/Nowhere"', "district.timezone"),
    ('backstop_unit = "CMD"', 'backstop_unit = "CMX"', "routing.backstop_unit"),
    ("days = [1, 2, 3, 4, 5]", "days = [1, 8]", "hours.days"),
    ('work = [["08:30", "12:00"],', 'work = [["12:30", "12:00"],', "hours.work"),
    ("head = 4, supervision = 8", "head = 9, supervision = 8", "limits.escalate_hours"),
    ("suspend_days = 365", "suspend_days = 0", "limits.suspend_days"),
    ("dispatch_minutes = { critical = 10,", "dispatch_minutes = { critical = 0,", "limits.dispatch_minutes"),
    ("centre = { longitude = 124.1262", "centre = { longitude = 114.1262", "map.centre"),
    ("west = 123.90", "west = 125.90", "map.bounds"),
    ("photo_original = 365", "photo_original = -1", "privacy.retention_days.photo_original"),
    ('en = "Jiagedaqi District" }', 'de = "Jiagedaqi" }', "district.name"),
    ('unit = "RQ"', 'unit = "RQX"', "emergency.4.unit"),
    ('unit = "RQ"', 'unit = "SCJ"', "emergency.4.unit"),
    ('unit = "RQ"', 'unit = "RQ"\nphone = "119"', "emergency.4.phone"),
    ('categories = ["21003"]', 'categories = ["99999"]', "emergency.4.categories"),
    ('alternatives = ["03001"]', 'alternatives = ["99999"]', "facilities.alternatives"),
    ("nightly = true", 'nightly = "no"', "learning.nightly"),
    ("hour = 3", "hour = 24", "learning.hour"),
]


@pytest.mark.parametrize(("old", "new", "column"), SETTINGS)
def test_a_wrong_setting_is_named_by_its_line(folder: SpoiltFolder, old: str, new: str, column: str) -> None:
    line = folder.replace("district.toml", old, new)
    found = {p.column: p for p in folder.problems() if p.file == "district.toml"}
    assert column in found, found
    # A setting that is gone or misspelt is named where its table or itself stands.
    assert found[column].line is not None
    if new and "\n" not in new:
        assert found[column].line == line


def test_toml_that_cannot_be_read_is_named_by_line(folder: SpoiltFolder) -> None:
    line = folder.replace("district.toml", "reopen_days = 15", "reopen_days = = 15")
    problem = folder.the_problem()
    assert (problem.file, problem.line) == ("district.toml", line)


def test_wording_of_an_unknown_sentence_is_refused(folder: SpoiltFolder) -> None:
    line = folder.add("wording.csv", key="status.plain.recieved", language="zh-Hans", text="收到")
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("wording.csv", line, "key")
    assert "status.plain.received" in problem.message


@pytest.mark.parametrize(
    ("text", "says"),
    [("交给他们了", "{unit}"), ("{unit}和{friend}", "{friend}"), ("{unit", "braces")],
)
def test_wording_must_keep_its_placeholders(folder: SpoiltFolder, text: str, says: str) -> None:
    line = folder.add("wording.csv", key="status.plain.with_unit", language="zh-Hans", text=text)
    problem = folder.the_problem()
    assert (problem.file, problem.line, problem.column) == ("wording.csv", line, "text")
    assert says in problem.message


def test_every_message_about_a_folder_is_in_both_languages() -> None:
    for key in messages.catalogue("zh-Hans"):
        if key.startswith("loading."):
            assert key in messages.catalogue("en"), key


def test_all_mistakes_are_found_at_once(folder: SpoiltFolder) -> None:
    wrong: list[tuple[str, int, str]] = [
        ("units.csv", 8, "role"),
        ("staff.csv", 3, "unit_code"),
        ("facilities.csv", 9, "lat"),
        ("facilities.csv", 10, "lat"),
    ]
    for file, line, column in wrong:
        folder.put(file, line, column, "nonsense")
    assert sorted((p.file, p.line or 0, p.column or "") for p in folder.problems()) == sorted(wrong)
