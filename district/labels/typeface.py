"""The typeface of labels: measured, cut down to the characters of one file, or drawn as outlines.

It comes with the program (fonts/, SIL Open Font License), for a machine needs no Chinese font to print Chinese. Only
what TrueType files like that one have is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "fonts" / "NotoSansSC-Medium-subset.ttf"
# Shown where a name has a character the typeface lacks.
STAND_IN = "〓"
# Tables that a font inside a PDF needs; glyf and loca are made anew.
_KEPT = ("head", "hhea", "hmtx", "maxp")
_MAGIC = 0xB1B0AFBA


class Typeface:
    """A TrueType font file. Lengths are in font units, of which `em` make the size of the letters."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        count = struct.unpack_from(">H", content, 4)[0]
        self._tables: dict[str, tuple[int, int]] = {}
        for number in range(count):
            tag, _, offset, length = struct.unpack_from(">4sLLL", content, 12 + 16 * number)
            self._tables[tag.decode("ascii")] = (offset, length)
        head, hhea = self._tables["head"][0], self._tables["hhea"][0]
        self.em: int = struct.unpack_from(">H", content, head + 18)[0]
        self.box: tuple[int, int, int, int] = struct.unpack_from(">4h", content, head + 36)
        self.ascent, self.descent = struct.unpack_from(">hh", content, hhea + 4)
        self.glyphs: int = struct.unpack_from(">H", content, self._tables["maxp"][0] + 4)[0]
        long_offsets = struct.unpack_from(">h", content, head + 50)[0]
        place = self._tables["loca"][0]
        if long_offsets:
            self._offsets = struct.unpack_from(f">{self.glyphs + 1}L", content, place)
        else:
            self._offsets = tuple(2 * n for n in struct.unpack_from(f">{self.glyphs + 1}H", content, place))
        self._widths = self._read_widths(struct.unpack_from(">H", content, hhea + 34)[0])
        self._glyph_of = self._read_characters()

    def glyph(self, character: str) -> int:
        """The glyph of a character; that of the stand-in where there is none."""
        return self._glyph_of.get(ord(character)) or self._glyph_of[ord(STAND_IN)]

    def lacks(self, text: str) -> set[str]:
        """The characters of a text that the typeface does not have."""
        return {character for character in text if ord(character) not in self._glyph_of}

    def advance(self, glyph: int) -> int:
        return self._widths[glyph]

    def width(self, text: str, size: float) -> float:
        """How long a text is, in the unit of `size`."""
        return sum(self._widths[self.glyph(character)] for character in text) * size / self.em

    def cut(self, glyphs: Iterable[int]) -> bytes:
        """A font file with these glyphs alone; their numbers stay."""
        kept = {0}
        waiting = list(glyphs)
        while waiting:
            glyph = waiting.pop()
            if glyph not in kept:
                kept.add(glyph)
                waiting += [part for part, _, _ in self._parts(glyph)]
        outlines, offsets = bytearray(), [0]
        for glyph in range(self.glyphs):
            if glyph in kept:
                outlines += self._outline(glyph)
                outlines += bytes(-len(outlines) % 4)
            offsets.append(len(outlines))
        tables = {tag: self._table(tag) for tag in _KEPT}
        # Offsets in loca are long ones from here on.
        tables["head"] = tables["head"][:50] + struct.pack(">h", 1) + tables["head"][52:]
        tables["glyf"], tables["loca"] = bytes(outlines), struct.pack(f">{len(offsets)}L", *offsets)
        return _font_file(tables)

    def path(self, text: str, x: float, y: float, size: float) -> str:
        """A text's outlines as the data of an SVG path, its baseline beginning at (x, y), y downwards."""
        scale = size / self.em
        drawn = []
        for character in text:
            glyph = self.glyph(character)
            for contour in self._contours(glyph):
                drawn.append(_curve([(x + px * scale, y - py * scale, on) for px, py, on in contour]))
            x += self._widths[glyph] * scale
        return "".join(drawn)

    def _table(self, tag: str) -> bytes:
        offset, length = self._tables[tag]
        return self._content[offset : offset + length]

    def _outline(self, glyph: int) -> bytes:
        start = self._tables["glyf"][0]
        return self._content[start + self._offsets[glyph] : start + self._offsets[glyph + 1]]

    def _read_widths(self, measured: int) -> list[int]:
        start = self._tables["hmtx"][0]
        widths = [struct.unpack_from(">H", self._content, start + 4 * number)[0] for number in range(measured)]
        return widths + [widths[-1]] * (self.glyphs - measured)

    def _read_characters(self) -> dict[int, int]:
        """Unicode to glyph, from the map of the whole of Unicode, or else of its first plane."""
        start = self._tables["cmap"][0]
        count = struct.unpack_from(">H", self._content, start + 2)[0]
        for number in range(count):
            place = start + struct.unpack_from(">HHL", self._content, start + 4 + 8 * number)[2]
            if struct.unpack_from(">H", self._content, place)[0] == 12:
                return self._read_groups(place)
        for number in range(count):
            place = start + struct.unpack_from(">HHL", self._content, start + 4 + 8 * number)[2]
            if struct.unpack_from(">H", self._content, place)[0] == 4:
                return self._read_segments(place)
        raise ValueError("the typeface has no map of Unicode")

    def _read_groups(self, place: int) -> dict[int, int]:
        found = {}
        for number in range(struct.unpack_from(">L", self._content, place + 12)[0]):
            first, last, glyph = struct.unpack_from(">LLL", self._content, place + 16 + 12 * number)
            for character in range(first, last + 1):
                found[character] = glyph + character - first
        return found

    def _read_segments(self, place: int) -> dict[int, int]:
        count = struct.unpack_from(">H", self._content, place + 6)[0] // 2
        ends = place + 14
        starts = ends + 2 * count + 2
        deltas, ranges = starts + 2 * count, starts + 4 * count
        found = {}
        for number in range(count):
            end, start, delta, there = (
                struct.unpack_from(">H", self._content, table + 2 * number)[0]
                for table in (ends, starts, deltas, ranges)
            )
            for character in range(start, min(end, 0xFFFE) + 1):
                glyph = character
                if there:
                    listed = ranges + 2 * number + there + 2 * (character - start)
                    glyph = struct.unpack_from(">H", self._content, listed)[0]
                    if not glyph:
                        continue
                if glyph := (glyph + delta) & 0xFFFF:
                    found[character] = glyph
        return found

    def _parts(self, glyph: int) -> list[tuple[int, float, float]]:
        """The glyphs that one is put together from, each with how far it is moved."""
        outline = self._outline(glyph)
        if len(outline) < 10 or struct.unpack_from(">h", outline)[0] >= 0:
            return []
        parts, place, goes_on = [], 10, True
        while goes_on:
            flags, part = struct.unpack_from(">HH", outline, place)
            moved = struct.unpack_from(">hh" if flags & 1 else ">bb", outline, place + 4)
            parts.append((part, *(moved if flags & 2 else (0, 0))))
            place += 8 if flags & 1 else 6
            place += 2 if flags & 0x08 else 4 if flags & 0x40 else 8 if flags & 0x80 else 0
            goes_on = bool(flags & 0x20)
        return parts

    def _contours(self, glyph: int) -> list[list[tuple[float, float, bool]]]:
        """Closed lines of points (x, y, whether the line goes through it)."""
        outline = self._outline(glyph)
        if not outline:
            return []
        count = struct.unpack_from(">h", outline)[0]
        if count < 0:
            return [
                [(x + dx, y + dy, on) for x, y, on in contour]
                for part, dx, dy in self._parts(glyph)
                for contour in self._contours(part)
            ]
        ends = struct.unpack_from(f">{count}H", outline, 10)
        place = 10 + 2 * count
        place += 2 + struct.unpack_from(">H", outline, place)[0]
        points = ends[-1] + 1 if ends else 0
        flags: list[int] = []
        while len(flags) < points:
            flag = outline[place]
            place += 1
            times = 1
            if flag & 8:
                times += outline[place]
                place += 1
            flags += [flag] * times
        xs, place = _coordinates(outline, place, flags, 0x02, 0x10)
        ys, place = _coordinates(outline, place, flags, 0x04, 0x20)
        found: list[list[tuple[float, float, bool]]] = []
        start = 0
        for end in ends:
            found.append([(xs[n], ys[n], bool(flags[n] & 1)) for n in range(start, end + 1)])
            start = end + 1
        return found


@cache
def typeface() -> Typeface:
    """The one that labels are printed in."""
    return Typeface(FILE.read_bytes())


def _coordinates(outline: bytes, place: int, flags: list[int], short: int, same: int) -> tuple[list[int], int]:
    found, at = [], 0
    for flag in flags:
        if flag & short:
            at += outline[place] if flag & same else -outline[place]
            place += 1
        elif not flag & same:
            at += struct.unpack_from(">h", outline, place)[0]
            place += 2
        found.append(at)
    return found, place


def _curve(points: list[tuple[float, float, bool]]) -> str:
    """A closed line through points and around the others, which pull it; between two of these it goes halfway."""
    whole: list[tuple[float, float, bool]] = []
    for number, (x, y, on) in enumerate(points):
        before = points[number - 1]
        if not on and not before[2]:
            whole.append(((x + before[0]) / 2, (y + before[1]) / 2, True))
        whole.append((x, y, on))
    first = next((number for number, point in enumerate(whole) if point[2]), None)
    if first is None:
        return ""
    whole = [*whole[first:], *whole[: first + 1]]
    drawn, number = [f"M{whole[0][0]:.3f} {whole[0][1]:.3f}"], 1
    while number < len(whole):
        x, y, on = whole[number]
        if on:
            drawn.append(f"L{x:.3f} {y:.3f}")
            number += 1
        else:
            drawn.append(f"Q{x:.3f} {y:.3f} {whole[number + 1][0]:.3f} {whole[number + 1][1]:.3f}")
            number += 2
    return "".join(drawn) + "Z"


def _font_file(tables: dict[str, bytes]) -> bytes:
    power = len(tables).bit_length() - 1
    header = struct.pack(">LHHHH", 0x00010000, len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    place = len(header) + 16 * len(tables)
    entries, bodies, head_at = b"", b"", 0
    for tag in sorted(tables):
        body = tables[tag]
        if tag == "head":
            body = body[:8] + bytes(4) + body[12:]
            head_at = place + len(bodies)
        padded = body + bytes(-len(body) % 4)
        entries += struct.pack(">4sLLL", tag.encode("ascii"), _sum(padded), place + len(bodies), len(body))
        bodies += padded
    file = bytearray(header + entries + bodies)
    struct.pack_into(">L", file, head_at + 8, (_MAGIC - _sum(bytes(file))) & 0xFFFFFFFF)
    return bytes(file)


def _sum(padded: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}L", padded)
    return sum(words) & 0xFFFFFFFF
