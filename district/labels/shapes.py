"""What a label is drawn with. Lengths in millimetres from the label's upper left corner, x to the right, y down."""

from __future__ import annotations

from dataclasses import dataclass

from district.labels.squares import Run


@dataclass(frozen=True)
class Words:
    """One line of text on its baseline. size: of the letters, millimetres."""

    x: float
    y: float
    size: float
    text: str


@dataclass(frozen=True)
class Code:
    """The dark modules of a square. size: its side without the light edge; modules: along one side."""

    x: float
    y: float
    size: float
    modules: int
    runs: list[Run]


@dataclass(frozen=True)
class Box:
    """An empty frame with round corners; x, y, width and height are those of the middle of its line."""

    x: float
    y: float
    width: float
    height: float
    line: float
    radius: float = 0.0
    is_dashed: bool = False


@dataclass(frozen=True)
class Stroke:
    """A straight line."""

    x: float
    y: float
    to_x: float
    to_y: float
    line: float


Shape = Words | Code | Box | Stroke
