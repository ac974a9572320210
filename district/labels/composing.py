"""What stands where on one label: the code within its guard, and the words beside or below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from district.labels.layouts import GUARD_MM, MARGIN_MM, QUIET_SHARE, Layout
from district.labels.shapes import Box, Code, Shape, Words
from district.labels.squares import Square, runs
from district.labels.typeface import Typeface
from district.messages import t

# Smaller letters cannot be read on a post; the clear text of the code may be a little smaller than other words.
_LEAST_MM = 1.7
_LINE = 1.28
_ELLIPSIS = "…"


@dataclass(frozen=True)
class Label:
    """What one label says. address: what to type when the code is dead, without `https://`."""

    name: str
    code: str
    token: str
    address: str
    site: str
    hotline: str
    square: Square


@dataclass(frozen=True)
class _Line:
    """One text of the column. size: as much as is wished; lines: how many it may take; before: room above."""

    text: str
    size: float
    lines: int = 1
    before: float = 0.0


def compose(layout: Layout, label: Label, typeface: Typeface) -> list[Shape]:
    """The label's shapes, from its upper left corner.

    The code stands well inside the label, for edges and corners go first; around its light edge runs a thick frame,
    which takes the scratches and the tape before the three corner patterns do. A thin broken line outside shows how
    far a protecting film must reach.
    """
    quiet = layout.code * QUIET_SHARE
    guard = layout.code + 2 * quiet + GUARD_MM
    inset = MARGIN_MM + GUARD_MM / 2
    if layout.is_beside:
        left = inset
        top = max(inset, (layout.height - guard) / 2)
        column_left = left + guard + GUARD_MM / 2 + 1.8
        words = _column(layout, label, layout.width - column_left - MARGIN_MM, layout.height - 2 * MARGIN_MM)
        lines = _fitted(words, layout.width - column_left - MARGIN_MM, layout.height - 2 * MARGIN_MM, typeface)
        height = sum(line.before + line.size * _LINE for line in lines)
        column_top = max(MARGIN_MM, (layout.height - height) / 2)
        is_centred = False
    else:
        left = (layout.width - guard) / 2
        top = inset
        column_left, width = MARGIN_MM + 1, layout.width - 2 * MARGIN_MM - 2
        column_top = top + guard + GUARD_MM / 2 + 1.2
        room = layout.height - MARGIN_MM - column_top
        lines = _fitted(_column(layout, label, width, room), width, room, typeface)
        is_centred = True
    shapes: list[Shape] = [
        Box(0.6, 0.6, layout.width - 1.2, layout.height - 1.2, 0.12, 1.2, is_dashed=True),
        Box(left, top, guard, guard, GUARD_MM, 1.0),
        Code(
            left + GUARD_MM / 2 + quiet,
            top + GUARD_MM / 2 + quiet,
            layout.code,
            len(label.square),
            runs(label.square),
        ),
    ]
    y = column_top
    for line in lines:
        y += line.before
        x = (layout.width - typeface.width(line.text, line.size)) / 2 if is_centred else column_left
        shapes.append(Words(x, y + line.size * 0.95, line.size, line.text))
        y += line.size * _LINE
    return shapes


def _column(layout: Layout, label: Label, width: float, height: float) -> list[_Line]:
    """The texts in their wished sizes, which grow with the room there is."""
    unit = max(_LEAST_MM, min(width / 14.5, height / 16))
    host, _, path = label.address.partition("/")
    return [
        _Line(t("labels.print.scan"), unit * 2.6),
        _Line(label.name, unit * 1.55, lines=2, before=unit * 0.3),
        _Line(label.code, unit * 1.35, before=unit * 0.2),
        _Line(t("labels.print.dead"), unit, before=unit * 0.7),
        _Line(f"{host}/", unit * 1.05),
        _Line(path, unit * 1.35),
        _Line(t("labels.print.tamper", hotline=label.hotline), unit, lines=2, before=unit * 0.7),
        _Line(label.site, unit, before=unit * 0.5),
    ]


def _fitted(words: list[_Line], width: float, height: float, typeface: Typeface) -> list[_Line]:
    """The lines as they are set: broken, and smaller where the room asks for it."""
    shrink = 1.0
    lines: list[_Line] = []
    for _ in range(12):
        lines = [line for text in words for line in _set(text, width, shrink, typeface)]
        if sum(line.before + line.size * _LINE for line in lines) <= height:
            break
        shrink *= 0.93
    return lines


def _set(line: _Line, width: float, shrink: float, typeface: Typeface) -> Iterator[_Line]:
    size = line.size * shrink
    pieces = _broken(line.text, size, width, line.lines, typeface)
    if pieces is None:
        # Narrower letters before a cut: a code or an address must be whole.
        natural = max(typeface.width(piece, 1) for piece in _halves(line.text, line.lines))
        size = min(size, max(width / natural, _LEAST_MM * 0.8))
        pieces = _broken(line.text, size, width, line.lines, typeface)
    if pieces is None:
        pieces = _cut(line.text, size, width, line.lines, typeface)
    for number, piece in enumerate(pieces):
        yield _Line(piece, size, before=line.before * shrink if number == 0 else 0.0)


def _halves(text: str, lines: int) -> list[str]:
    each = -(-len(text) // lines) + (1 if lines > 1 else 0)
    return [text[start : start + each] for start in range(0, len(text), each)] or [""]


def _broken(text: str, size: float, width: float, lines: int, typeface: Typeface) -> list[str] | None:
    """The text in at most this many lines of this width; None when it needs more."""
    found: list[str] = []
    rest = text
    while rest:
        if len(found) == lines:
            return None
        fits = _fits(rest, size, width, typeface)
        if fits < len(rest) and len(found) + 1 < lines:
            fits = _good_break(rest, fits)
        found.append(rest[:fits].strip())
        rest = rest[fits:].strip()
    return found or [""]


def _fits(text: str, size: float, width: float, typeface: Typeface) -> int:
    """How many characters of a text go into a line; at least one."""
    used = 0.0
    for number, character in enumerate(text):
        used += typeface.width(character, size)
        if used > width + 0.01:
            return max(1, number)
    return len(text)


def _good_break(text: str, fits: int) -> int:
    """After a comma if it is not too early; else not within a word or number of Latin letters, and no line that
    begins with a closing mark.
    """
    comma = max(text.rfind(mark, 0, fits) for mark in "，、；。？")
    if comma + 1 >= fits * 0.5:
        return comma + 1
    at = fits
    while at > 1 and text[at - 1].isascii() and text[at].isascii() and text[at - 1].isalnum() and text[at].isalnum():
        at -= 1
    if at == 1:
        at = fits
    while at > 1 and text[at] in "，。、；：！？）》”…,.;:!?)":
        at -= 1
    return at


def _cut(text: str, size: float, width: float, lines: int, typeface: Typeface) -> list[str]:
    """As much of the text as there is room for, ending with an ellipsis."""
    kept = text
    while len(kept) > 1:
        kept = kept[:-1]
        found = _broken(kept + _ELLIPSIS, size, width, lines, typeface)
        if found is not None:
            return found
    return [_ELLIPSIS]
