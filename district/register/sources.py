"""Files of facilities read row by row: CSV in the usual encodings, XLSX, GeoJSON. None is held in memory as a whole."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

from district import sheets
from district.errors import BadInput

# A point's columns, for files that keep the place apart from what they say about it.
LONGITUDE, LATITUDE = "@longitude", "@latitude"
_CHUNK = 256 * 1024
_LONGEST_FEATURE = 8 * 1024 * 1024
_LARGEST_UNPACKED = 2 * 1024**3
_MOST_COLUMNS = 200
# The properties of so many features make the columns.
_FEATURES_READ_AHEAD = 300
_FEATURES = re.compile(r'"features"\s*:\s*\[')


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in its file. number: the line, or the how-manieth feature. feature: GeoJSON's own."""

    number: int
    cells: tuple[str, ...]
    feature: dict[str, Any] | None = None


class Source(Protocol):
    """A file that was opened. kind: `csv`, `xlsx` or `geojson`; delimiter: a CSV file's own."""

    kind: str
    headings: tuple[str, ...]
    delimiter: str

    def rows(self) -> Iterator[RawRow]:
        """From the first to the last, without those that are empty. Raises BadInput where the file is broken."""
        ...

    def share(self) -> float:
        """How much of it has been read, 0 to 1."""
        ...


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The file's reader, by what is in it rather than by its name. Raises BadInput when it is none of the three."""
    with path.open("rb") as file:
        start = file.read(4096)
        file.seek(0)
        if not start.strip():
            raise BadInput("register.file.empty")
        if start.startswith(b"PK"):
            with _workbook(file) as rows:
                yield rows
            return
        if start.startswith(b"\xd0\xcf\x11\xe0"):
            raise BadInput("register.file.old_excel")
        encoding = _encoding_of(file)
        is_json = start.decode(encoding, "ignore").lstrip("\ufeff \t\r\n").startswith("{")
        text = io.TextIOWrapper(file, encoding=encoding, newline=None if is_json else "")
        try:
            yield (_GeoJson if is_json else _Csv)(text, file, path.stat().st_size)
        finally:
            # The file is closed by whoever opened it.
            text.detach()


def _encoding_of(file: BinaryIO) -> str:
    """UTF-8 with or without its mark, UTF-16 with it, else GB18030, which older Chinese programmes write."""
    start = file.read(4)
    file.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        candidates = ["utf-16"]
    elif start.startswith(codecs.BOM_UTF8):
        candidates = ["utf-8-sig"]
    else:
        candidates = ["utf-8", "gb18030"]
    for name in candidates:
        decoder = codecs.getincrementaldecoder(name)("strict")
        try:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        finally:
            file.seek(0)
        return name
    raise BadInput("register.file.encoding")


def _named(cells: Sequence[str]) -> tuple[str, ...]:
    """Headings to choose from: each has a name, and none has another's."""
    if len(cells) > _MOST_COLUMNS:
        raise BadInput("register.file.many_columns", most=_MOST_COLUMNS)
    found: list[str] = []
    for place, cell in enumerate(cells, 1):
        name = " ".join(cell.split()) or f"#{place}"
        found.append(name if name not in found else f"{name} #{place}")
    return tuple(found)


class _Csv:
    kind = "csv"

    def __init__(self, text: TextIO, file: BinaryIO, size: int) -> None:
        self._text, self._file, self._size = text, file, size
        head = self._text.readline(1_000_000)
        # Some programmes say in a first line of its own which mark stands between cells.
        self.delimiter = max(",;\t", key=head.count)
        self._skipped = 0
        if head.lower().startswith("sep="):
            self.delimiter, self._skipped = head[4:5], 1
            head = self._text.readline(1_000_000)
        self._text.seek(0)
        for _ in range(self._skipped):
            self._text.readline()
        self._reader = csv.reader(self._text, delimiter=self.delimiter)
        try:
            self.headings = _named([sheets.unguarded(cell) for cell in next(self._reader)])
        except (csv.Error, StopIteration) as error:
            raise BadInput("register.file.broken", number=1) from error

    def rows(self) -> Iterator[RawRow]:
        width = len(self.headings)
        before = self._reader.line_num
        try:
            for cells in self._reader:
                number, before = before + 1 + self._skipped, self._reader.line_num
                if any(cell.strip() for cell in cells):
                    read = [sheets.unguarded(cell.strip()) for cell in cells[:width]]
                    yield RawRow(number, tuple(read + [""] * (width - len(read))))
        except csv.Error as error:
            raise BadInput("register.file.broken", number=before + 1 + self._skipped) from error

    def share(self) -> float:
        return min(1.0, self._file.tell() / self._size) if self._size else 1.0


@contextmanager
def _workbook(file: BinaryIO) -> Iterator[Source]:
    # Not with the module: it brings much with it, and every process of the application would wait for it at its start.
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(file) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > _LARGEST_UNPACKED:
                raise BadInput("register.file.too_large")
        file.seek(0)
        with warnings.catch_warnings():
            # About styles and the like, which nobody asks here.
            warnings.simplefilter("ignore")
            book = load_workbook(file, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise BadInput("register.file.no_workbook") from error
    try:
        yield _Xlsx(book)
    finally:
        book.close()


class _Xlsx:
    """The first sheet of a workbook."""

    kind = "xlsx"
    delimiter = ","

    def __init__(self, book: Any) -> None:
        if not book.worksheets:
            raise BadInput("register.file.empty")
        sheet = book.worksheets[0]
        self._most = sheet.max_row or 0
        # What a sheet says of its own size is often wrong.
        sheet.reset_dimensions()
        self._read = 0
        self._rows = sheet.iter_rows(values_only=True)
        for cells in self._rows:
            self._read += 1
            if any(cell is not None for cell in cells):
                self.headings = _named([_as_text(cell) for cell in _without_empty_end(cells)])
                return
        raise BadInput("register.file.empty")

    def rows(self) -> Iterator[RawRow]:
        width = len(self.headings)
        for cells in self._rows:
            self._read += 1
            read = [_as_text(cell).strip() for cell in cells[:width]]
            if any(read):
                yield RawRow(self._read, tuple(read + [""] * (width - len(read))))

    def share(self) -> float:
        return min(1.0, self._read / self._most) if self._most else 0.0


def _without_empty_end(cells: Sequence[Any]) -> list[Any]:
    found = list(cells)
    while found and found[-1] is None:
        found.pop()
    return found


def _as_text(value: Any) -> str:
    """A cell's or a property's value as somebody would have typed it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        if abs(value) >= 1e15:
            # A code that was kept as a number has lost its last digits: it must not look like a whole one.
            return f"{value:.5E}"
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


class _GeoJson:
    kind = "geojson"
    delimiter = ","

    def __init__(self, text: TextIO, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._features = _features(text)
        self._ahead = list(islice(self._features, _FEATURES_READ_AHEAD))
        if not self._ahead:
            raise BadInput("register.file.no_features")
        names = dict.fromkeys(str(name) for feature in self._ahead for name in _properties(feature))
        self._names = tuple(names)
        self.headings = (*_named(self._names), LONGITUDE, LATITUDE)

    def rows(self) -> Iterator[RawRow]:
        number = 0
        while self._ahead:
            number += 1
            yield self._row(number, self._ahead.pop(0))
        for feature in self._features:
            number += 1
            yield self._row(number, feature)

    def _row(self, number: int, feature: dict[str, Any]) -> RawRow:
        properties = _properties(feature)
        point = _point_of(feature.get("geometry"))
        cells = [_as_text(properties.get(name)).strip() for name in self._names]
        return RawRow(number, (*cells, *(point or ("", ""))), feature)

    def share(self) -> float:
        return min(1.0, self._file.tell() / self._size) if self._size else 1.0


def _properties(feature: dict[str, Any]) -> dict[str, Any]:
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def _point_of(geometry: Any) -> tuple[str, str] | None:
    """The point itself, the middle corner of a line, the mean of an outline's corners."""
    if not isinstance(geometry, dict):
        return None
    kind: Any = geometry.get("type")
    found: Any = geometry.get("coordinates")
    try:
        if kind == "Point":
            return _as_text(found[0]), _as_text(found[1])
        if kind == "LineString":
            middle = found[len(found) // 2]
            return _as_text(middle[0]), _as_text(middle[1])
        if kind in ("Polygon", "MultiPolygon", "MultiPoint", "MultiLineString"):
            corners = found if kind == "MultiPoint" else found[0][0] if kind == "MultiPolygon" else found[0]
            middle = [sum(corner[at] for corner in corners) / len(corners) for at in (0, 1)]
            return f"{middle[0]:.7f}", f"{middle[1]:.7f}"
    except (TypeError, KeyError, IndexError, ZeroDivisionError):
        return None
    return None


def _features(text: TextIO) -> Iterator[dict[str, Any]]:
    """The features of a collection one after the other, with no more of the file in memory than one of them."""
    decoder = json.JSONDecoder()
    buffer, at = text.read(_CHUNK), 0
    begin = _FEATURES.search(buffer)
    while begin is None:
        more = text.read(_CHUNK)
        if not more or len(buffer) > _LONGEST_FEATURE:
            raise BadInput("register.file.no_features")
        buffer += more
        begin = _FEATURES.search(buffer)
    at, number, want = begin.end(), 0, _CHUNK
    while True:
        at = _skip(buffer, at)
        if at < len(buffer) and buffer[at] == "]":
            return
        try:
            feature, end = decoder.raw_decode(buffer, at)
        except json.JSONDecodeError as error:
            more = text.read(want)
            if not more or len(buffer) - at > _LONGEST_FEATURE:
                raise BadInput("register.file.broken", number=number + 1) from error
            # Twice as much each time, so that a very long one is not begun again for every little piece.
            buffer, at, want = buffer[at:] + more, 0, want * 2
            continue
        number, at, want = number + 1, end, _CHUNK
        if not isinstance(feature, dict):
            raise BadInput("register.file.broken", number=number)
        yield feature
        if at > _CHUNK:
            buffer, at = buffer[at:], 0


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at
