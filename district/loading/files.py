"""Read the three kinds of file of a district's folder, keeping the line of everything."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from district.loading.problems import Report, did_you_mean, listed

_FEATURES = re.compile(r'"features"\s*:\s*\[')
_TABLE = re.compile(r"^\s*(\[\[?)\s*([^\[\]#]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")
PHONE = re.compile(r"\+?[0-9][0-9 -]{1,30}")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
HOURS = re.compile(r"([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)")


@dataclass(frozen=True)
class Bounds:
    """The rectangle every coordinate of the district lies in, WGS-84 degrees."""

    west: float
    south: float
    east: float
    north: float

    def hold(self, longitude: float, latitude: float) -> bool:
        return self.west <= longitude <= self.east and self.south <= latitude <= self.north


class Row:
    """One row of a CSV file. Each reader notes what is wrong and then gives something harmless back."""

    def __init__(self, file: str, line: int, cells: dict[str, str], report: Report) -> None:
        self.file, self.line, self._cells, self._report = file, line, cells, report

    def wrong(self, column: str, key: str, /, **params: Any) -> None:
        self._report.add(self.file, self.line, column, key, **params)

    def text(self, column: str, *, longest: int = 200, required: bool = True) -> str:
        value = self._cells.get(column, "").strip()
        if required and not value:
            self.wrong(column, "empty")
        elif len(value) > longest:
            self.wrong(column, "too_long", longest=longest, length=len(value))
        return value

    def code(self, column: str, pattern: str, example: str, *, required: bool = True) -> str:
        """Text that must match `pattern` whole."""
        value = self.text(column, longest=40, required=required)
        if value and not re.fullmatch(pattern, value):
            self.wrong(column, "bad_code", value=value, example=example)
        return value

    def one_of(self, column: str, allowed: Collection[str], *, required: bool = True) -> str:
        value = self.text(column, required=required)
        if value and value not in allowed:
            self.wrong(column, "unknown_value", value=value, allowed=listed(allowed))
        return value

    def has(self, column: str) -> bool:
        """Whether the file has this column at all."""
        return column in self._cells

    def items(self, column: str, *, any_mark: bool = False, required: bool = False) -> list[str]:
        """A `;` list without empty entries. any_mark: a lone `*` is allowed."""
        value = self.text(column, longest=20_000, required=required)
        found = [part.strip() for part in re.split("[;\uff1b]", value) if part.strip()]
        if any_mark and "*" in found and len(found) > 1:
            self.wrong(column, "star_alone", value=value)
        return found

    def whole(self, column: str, *, least: int = 1, most: int = 1_000_000) -> int:
        value = self.text(column)
        if value and not re.fullmatch(r"-?\d{1,9}", value):
            self.wrong(column, "not_a_whole_number", value=value)
        elif value:
            if not least <= int(value) <= most:
                self.wrong(column, "not_in_range", value=value, least=least, most=most)
            return int(value)
        return least

    def yes_no(self, column: str) -> bool:
        value = self.text(column, required=False)
        if value not in ("", "0", "1"):
            self.wrong(column, "unknown_value", value=value, allowed="0, 1")
        return value == "1"

    def day(self, column: str, *, required: bool = True) -> date | None:
        """A date written 2026-11-22 or 20261122."""
        value = self.text(column, required=required)
        if not value:
            return None
        digits = value.replace("-", "") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else value
        try:
            if not re.fullmatch(r"\d{8}", digits):
                raise ValueError
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            self.wrong(column, "bad_date", value=value)
            return None

    def point(self, longitude: str, latitude: str, bounds: Bounds | None) -> tuple[float, float]:
        """(longitude, latitude), both inside the district's bounds."""
        found = []
        for column in (longitude, latitude):
            value = self.text(column)
            try:
                found.append(float(value))
            except ValueError:
                if value:
                    self.wrong(column, "not_a_number", value=value)
        if len(found) < 2:
            return 0.0, 0.0
        lon, lat = found
        if bounds is not None and not bounds.hold(lon, lat):
            if bounds.hold(lat, lon):
                self.wrong(longitude, "swapped", longitude=longitude, latitude=latitude)
            else:
                inside = bounds.west <= lon <= bounds.east
                if inside:
                    self.wrong(latitude, "out_of_bounds", value=lat, least=bounds.south, most=bounds.north)
                else:
                    self.wrong(longitude, "out_of_bounds", value=lon, least=bounds.west, most=bounds.east)
        return lon, lat

    def reference(self, column: str, known: Collection[str] | None, where: str, *, required: bool = True) -> str | None:
        """A code of another file; None when empty. known: None when that file could not be read."""
        value = self.text(column, required=required)
        if value:
            self.known(column, value, known, where)
        return value or None

    def known(self, column: str, value: str, known: Collection[str] | None, where: str) -> None:
        if known is not None and value not in known:
            self.wrong(column, "unknown_reference", value=value, where=where, hint=did_you_mean(value, known))

    def phone(self, column: str) -> str:
        value = self.text(column, longest=40, required=False)
        if value and not PHONE.fullmatch(value):
            self.wrong(column, "bad_phone", value=value)
        return value

    def hours(self, column: str) -> str:
        value = self.text(column, longest=100, required=False)
        if value and not all(HOURS.fullmatch(part) for part in value.split(";")):
            self.wrong(column, "bad_hours", value=value)
        return value


class Sheet:
    """A CSV file's rows. Iterating gives only whole rows; broken ones are reported once, when read."""

    def __init__(self, name: str, rows: list[Row], columns: Sequence[str]) -> None:
        self.name, self.rows, self.columns = name, rows, columns

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def values(self, column: str) -> frozenset[str] | None:
        """Every value of a column, for references into this file; None if the column is missing."""
        if column not in self.columns:
            return None
        return frozenset(row.text(column, longest=100_000, required=False) for row in self.rows) - {""}


def read_text(folder: Path, name: str, report: Report, *, required: bool = True) -> str | None:
    """The file as text, or None where it is missing or not UTF-8. A byte-order mark is taken off."""
    path = folder / name
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if required:
            report.add(name, None, None, "missing_file", file=name)
        return None
    except OSError as error:
        report.add(name, None, None, "unreadable", reason=error.strerror or type(error).__name__)
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        report.add(name, raw.count(b"\n", 0, error.start) + 1, None, "not_utf8")
        return None


def read_sheet(
    folder: Path, name: str, columns: Sequence[str], report: Report, *, required: bool = True
) -> Sheet | None:
    """A CSV file, or None where it cannot be used at all. columns: those it must have."""
    text = read_text(folder, name, report, required=required)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    begins = 1
    try:
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if not header:
                header = [cell.strip() for cell in cells]
                for column in columns:
                    if column not in header:
                        hint = did_you_mean(column, header)
                        report.add(name, line, column, "missing_column", column=column, hint=hint)
                for column in sorted({c for c in header if c and header.count(c) > 1}):
                    report.add(name, line, column, "column_twice", column=column)
            elif "".join(cells).strip():
                if len(cells) != len(header):
                    report.add(name, line, None, "cells", count=len(cells), expected=len(header))
                else:
                    rows.append(Row(name, line, dict(zip(header, cells, strict=True)), report))
    except csv.Error as error:
        report.add(name, reader.line_num, None, "bad_csv", reason=str(error))
        return None
    if not header:
        report.add(name, 1, None, "no_header")
        return None
    if any(column not in header for column in columns):
        return None
    return Sheet(name, rows, header)


@dataclass(frozen=True)
class Feature:
    """One GeoJSON feature with the line it begins on."""

    line: int
    properties: dict[str, Any]
    geometry: Any


@dataclass(frozen=True)
class Layer:
    """A GeoJSON FeatureCollection: as it was read, and feature by feature."""

    name: str
    collection: dict[str, Any]
    features: list[Feature]


def read_layer(folder: Path, name: str, report: Report) -> Layer | None:
    """A GeoJSON FeatureCollection, or None where it cannot be used at all."""
    text = read_text(folder, name, report)
    if text is None:
        return None
    try:
        collection = json.loads(text)
    except json.JSONDecodeError as error:
        report.add(name, error.lineno, None, "bad_json", reason=error.msg, at=error.colno)
        return None
    if not isinstance(collection, dict) or not isinstance(collection.get("features"), list):
        report.add(name, 1, None, "not_a_collection")
        return None
    lines = _feature_lines(text, len(collection["features"]))
    features = []
    for line, found in zip(lines, collection["features"], strict=True):
        if isinstance(found, dict) and isinstance(found.get("properties"), dict):
            features.append(Feature(line, found["properties"], found.get("geometry")))
        else:
            report.add(name, line, "properties", "not_a_feature")
    return Layer(name, collection, features)


def _feature_lines(text: str, count: int) -> list[int]:
    """The line each feature begins on. Falls back to 1 where the file is laid out unexpectedly."""
    begin = _FEATURES.search(text)
    decoder = json.JSONDecoder()
    lines: list[int] = []
    at, line, counted_to = (begin.end() if begin else len(text)), 1, 0
    while len(lines) < count:
        at = _skip(text, at)
        try:
            _, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, IndexError):
            return lines + [1] * (count - len(lines))
        line += text.count("\n", counted_to, at)
        counted_to = at
        lines.append(line)
        at = end
    return lines


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,":
        at += 1
    return at


@dataclass(frozen=True)
class Settings:
    """district.toml: its tables, and the line of each `table.key`."""

    tables: dict[str, Any]
    lines: dict[str, int]

    def line_of(self, path: str) -> int:
        """The line of a setting, or of the nearest table around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return 1


def read_settings(folder: Path, name: str, report: Report) -> Settings | None:
    text = read_text(folder, name, report)
    if text is None:
        return None
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        report.add(name, int(line[1]) if line else text.count("\n") + 1, None, "bad_toml", reason=str(error))
        return None
    return Settings(tables, _setting_lines(text))


def _setting_lines(text: str) -> dict[str, int]:
    """Where each key stands: `limits.reopen_days`, `emergency.2.phone` for the third `[[emergency]]`."""
    lines: dict[str, int] = {}
    table = ""
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if head := _TABLE.match(line):
            table = head[2].replace('"', "")
            if head[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}.{counts[table]}"
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{key[1]}" if table else key[1], number)
    return lines
