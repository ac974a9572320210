"""The rows that were refused, in a file of the same kind with a column that says why: mend it and load it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import xlsxwriter

from district import sheets
from district.messages import t
from district.register.columns import is_reason
from district.register.sources import RawRow, Source

# The mark by which spreadsheets know UTF-8.
_MARK = "\ufeff"


class Writer(Protocol):
    def row(self, cells: Sequence[str], feature: dict[str, Any] | None) -> None: ...

    def close(self) -> None: ...


class ErrorFile:
    """Made when the first row is refused; there is none when all were right. A context manager: closes at the end."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self._source = path, source
        self._kept = [place for place, heading in enumerate(source.headings) if not is_reason(heading)]
        self._writer: Writer | None = None

    @property
    def is_there(self) -> bool:
        return self._writer is not None

    def add(self, row: RawRow, reasons: Sequence[str]) -> None:
        if self._writer is None:
            headings = [self._source.headings[place] for place in self._kept]
            self._writer = _writer_for(self.path, self._source, [*headings, t("register.reason")])
        reason = " ".join(reasons)
        feature = row.feature
        if feature is not None:
            properties = {
                name: value for name, value in (feature.get("properties") or {}).items() if not is_reason(name)
            }
            feature = feature | {"properties": properties | {t("register.reason"): reason}}
        self._writer.row([*(row.cells[place] for place in self._kept), reason], feature)

    def __enter__(self) -> ErrorFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _writer_for(path: Path, source: Source, headings: Sequence[str]) -> Writer:
    if source.kind == "xlsx":
        return XlsxWriter(path, headings)
    if source.kind == "geojson":
        return GeoJsonWriter(path)
    return CsvWriter(path, headings, source.delimiter)


class CsvWriter:
    """UTF-8 with its mark; cells that a spreadsheet would calculate are guarded."""

    def __init__(self, path: Path, headings: Sequence[str], delimiter: str = ",") -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._delimiter = delimiter
        self._file.write(_MARK + sheets.line(headings, delimiter))

    def row(self, cells: Sequence[str], feature: dict[str, Any] | None = None) -> None:
        self._file.write(sheets.line(cells, self._delimiter))

    def close(self) -> None:
        self._file.close()


class XlsxWriter:
    """Every cell is text, so that codes keep their digits; rows leave memory as they are written."""

    def __init__(self, path: Path, headings: Sequence[str]) -> None:
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_formulas": False})
        self._sheet = self._book.add_worksheet()
        self._text = self._book.add_format({"num_format": "@"})
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(headings) - 1, 20, self._text)
        self._at = 0
        self._write(headings, self._book.add_format({"bold": True, "num_format": "@"}))

    def _write(self, cells: Sequence[str], style: Any) -> None:
        for place, cell in enumerate(cells):
            if cell:
                self._sheet.write_string(self._at, place, cell, style)
        self._at += 1

    def row(self, cells: Sequence[str], feature: dict[str, Any] | None = None) -> None:
        self._write(cells, self._text)

    def close(self) -> None:
        self._book.close()


class GeoJsonWriter:
    """A feature a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._file.write('{"type": "FeatureCollection", "features": [')
        self._between = "\n"

    def row(self, cells: Sequence[str], feature: dict[str, Any] | None) -> None:
        self._file.write(self._between + json.dumps(feature, ensure_ascii=False))
        self._between = ",\n"

    def close(self) -> None:
        self._file.write("\n]}\n")
        self._file.close()
