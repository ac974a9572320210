"""How labels are arranged on what they are printed on, read from small files of data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app

from district.errors import BadInput
from district.messages import CHINESE, ENGLISH

OURS = Path(__file__).with_name("layouts.toml")
LEAST_CODE_MM = 20.0
# From a label's edge to whatever is printed: corners are the first to peel off.
MARGIN_MM = 2.0
# The line of the frame around a code.
GUARD_MM = 0.7
# The light edge of four modules, of a code whose modules are at most a 37th of its side.
QUIET_SHARE = 4 / 37


class LayoutKind(StrEnum):
    SHEET = "sheet"
    ROLL = "roll"
    PLATE = "plate"


@dataclass(frozen=True)
class Layout:
    """One way to print labels. Lengths in millimetres; `code`: the square's side without its light edge."""

    name: str
    names: Mapping[str, str]
    kind: LayoutKind
    page_width: float
    page_height: float
    width: float
    height: float
    columns: int
    rows: int
    left: float
    top: float
    gap_across: float
    gap_down: float
    code: float
    is_beside: bool

    @property
    def per_page(self) -> int:
        return self.columns * self.rows

    def place(self, number: int) -> tuple[float, float]:
        """Where the upper left corner of a page's n-th label is, counted from 0, row by row."""
        row, column = divmod(number, self.columns)
        return (
            self.left + column * (self.width + self.gap_across),
            self.top + row * (self.height + self.gap_down),
        )

    def title(self, language: str) -> str:
        return self.names.get(language) or self.names.get(CHINESE) or self.name


def layouts() -> dict[str, Layout]:
    """Ours and the district's own, by name. Raises BadInput when the district's file cannot be used."""
    own = Path(current_app.config["VAR_DIR"]) / "labels.toml"
    return _ours() | read(own) if own.exists() else dict(_ours())


def layout(name: str) -> Layout:
    """The layout of this name. Raises BadInput, which names those there are."""
    found = layouts()
    if name not in found:
        raise BadInput("labels.errors.layout", {"layout": "labels.errors.layout"}, names=", ".join(found))
    return found[name]


def read(file: Path) -> dict[str, Layout]:
    """The layouts of a file. Raises BadInput, which says what is wrong with which."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput("labels.errors.file", file=file.name, why=str(error)) from error
    return {name: _layout(name, table, file) for name, table in tables.items()}


@cache
def _ours() -> dict[str, Layout]:
    return read(OURS)


def _layout(name: str, table: Any, file: Path) -> Layout:
    try:
        kind = LayoutKind(table["kind"])
        width, height = (float(length) for length in table["label"])
        is_sheet = kind is LayoutKind.SHEET
        page_width, page_height = (float(length) for length in table["page"]) if is_sheet else (width, height)
        across, down = (float(length) for length in table.get("gap", (0, 0)))
        names = table.get("names", {})
        found = Layout(
            name=name,
            names={tag: str(names[tag]) for tag in (CHINESE, ENGLISH) if tag in names},
            kind=kind,
            page_width=page_width,
            page_height=page_height,
            width=width,
            height=height,
            columns=int(table["columns"]) if is_sheet else 1,
            rows=int(table["rows"]) if is_sheet else 1,
            left=float(table["left"]) if is_sheet else 0.0,
            top=float(table["top"]) if is_sheet else 0.0,
            gap_across=across,
            gap_down=down,
            code=float(table["code"]),
            is_beside=_is_beside(str(table.get("words", "beside"))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput("labels.errors.file", file=file.name, why=f"[{name}] {error}") from error
    _check(found, file)
    return found


def _is_beside(words: str) -> bool:
    if words not in ("beside", "below"):
        raise ValueError(words)
    return words == "beside"


def _check(found: Layout, file: Path) -> None:
    """Raises BadInput for labels that leave the sheet, or codes that are too small or leave the label."""
    block = found.code * (1 + 2 * QUIET_SHARE) + 2 * GUARD_MM + 2 * MARGIN_MM
    right, bottom = found.place(found.per_page - 1) if found.columns > 0 and found.rows > 0 else (-1.0, -1.0)
    hundredth = 0.01
    if right < 0 or right + found.width > found.page_width + hundredth or found.left < 0:
        key = "labels.errors.too_wide"
    elif bottom + found.height > found.page_height + hundredth or found.top < 0:
        key = "labels.errors.too_high"
    elif found.code < LEAST_CODE_MM:
        key = "labels.errors.code_small"
    elif block > min(found.width, found.height) + hundredth:
        key = "labels.errors.code_large"
    else:
        return
    raise BadInput(key, file=file.name, name=found.name)
