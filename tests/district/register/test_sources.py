"""Files as people have them: encodings, kinds, damage."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from district import sheets
from district.errors import BadInput
from district.register import sources
from tests.district.register.conftest import HEADINGS, Write, row

CODE = HEADINGS.index("部件编码")


def read(path: Path) -> list[sources.RawRow]:
    with sources.opened(path) as source:
        return list(source.rows())


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read(path)
    return caught.value.key


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_text_is_read_in_whatever_encoding_and_with_whatever_mark_between(
    write: Write, encoding: str, delimiter: str
) -> None:
    path = write([row(1), row(2)], encoding=encoding, delimiter=delimiter)
    with sources.opened(path) as source:
        assert (source.kind, source.headings) == ("csv", HEADINGS)
        rows = list(source.rows())
        assert source.share() == 1.0
    assert [list(one.cells) for one in rows] == [row(1), row(2)]
    assert [one.number for one in rows] == [2, 3]


@pytest.mark.parametrize("kind", ["xlsx", "geojson"])
def test_workbooks_and_features_say_the_same_as_text(write: Write, kind: str) -> None:
    with sources.opened(write([row(1), row(2)], kind)) as source:
        assert source.kind == kind
        rows = [dict(zip(source.headings, one.cells, strict=True)) for one in source.rows()]
    assert [one["名称"] for one in rows] == ["1 号路灯", "2 号路灯"]
    place = (sources.LONGITUDE, sources.LATITUDE) if kind == "geojson" else ("经度", "纬度")
    assert [float(rows[1][name]) for name in place] == [float(row(2)[4]), float(row(2)[5])]


def test_a_workbook_keeps_digits_and_days_and_owns_up_to_a_code_that_is_a_number(write: Write) -> None:
    cells: list[object] = [*row(1)]
    cells[CODE], cells[8] = int(row(1)[CODE]), 45000
    read_back = read(write([cells, row(2)], "xlsx"))
    assert "E+" in read_back[0].cells[CODE]
    assert read_back[1].cells[CODE] == row(2)[CODE]
    assert sources._as_text(datetime(2026, 5, 1)) == "2026-05-01"  # noqa: DTZ001 - as workbooks have it
    assert [sources._as_text(value) for value in (3.0, 124.126, True, None)] == ["3", "124.126", "1", ""]


def test_rows_that_are_short_long_or_empty(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text('编码,名称\n\n1\n ,\n2,"两\n行",多的\n3,c\n', encoding="utf-8")
    assert [(one.number, one.cells) for one in read(path)] == [(3, ("1", "")), (5, ("2", "两\n行")), (7, ("3", "c"))]


def test_headings_each_get_a_name_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("名称,,名称\na,b,c\n", encoding="utf-8")
    with sources.opened(path) as source:
        assert source.headings == ("名称", "#2", "名称 #3")


def test_features_are_read_in_pieces_however_they_are_laid_out(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_CHUNK", 7)
    rows = [row(number) for number in range(1, 40)]
    assert len(read(write(rows, "geojson"))) == 39
    laid_out = tmp_path / "laid.geojson"
    shapes = [
        ({"type": "LineString", "coordinates": [[0, 0], [1, 2], [3, 3]]}, ("1", "2")),
        ({"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2]]]}, ("1.0000000", "1.0000000")),
        ({"type": "Point", "coordinates": []}, ("", "")),
        (None, ("", "")),
    ]
    features = [{"type": "Feature", "geometry": shape, "properties": {"a": {"b": 1}}} for shape, _ in shapes]
    laid_out.write_text(json.dumps({"name": "x", "features": features}, indent=3))
    assert [one.cells[-2:] for one in read(laid_out)] == [point for _, point in shapes]


def test_what_cannot_be_read_says_what_to_do_instead(write: Write, tmp_path: Path) -> None:
    def file(content: bytes) -> Path:
        path = tmp_path / "odd"
        path.write_bytes(content)
        return path

    assert refusal(file(b"")) == "register.file.empty"
    assert refusal(file(b"\xd0\xcf\x11\xe0\xa1\xb1")) == "register.file.old_excel"
    assert refusal(file(b"PK\x03\x04 no book")) == "register.file.no_workbook"
    assert refusal(file(b"\xff\xfe\x00\xd8\x00\xd8")) == "register.file.encoding"
    assert refusal(file(b'{"type": "Feature"}')) == "register.file.no_features"
    assert refusal(file(b'{"features": []}')) == "register.file.no_features"
    assert refusal(file(b'{"features": [{"properties": {"a": 1}}, {"prop')) == "register.file.broken"
    assert refusal(file(b"a,b\n" + b'1,"' + b"x" * 200_000)) == "register.file.broken"


def test_what_a_spreadsheet_would_calculate_comes_back_as_it_was() -> None:
    for cell in ("=1+1", "-5", "'=quoted", "''=twice", "'plain", "plain", "＝宽", ""):
        line = sheets.line([cell, "x"])
        assert not line.startswith(("=", "-", "＝"))
        assert sheets.unguarded(sheets.guarded(cell)) == cell
