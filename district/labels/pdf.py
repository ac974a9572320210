"""Writes PDF pages straight to a file: whatever their number, only where each begins is kept in memory.

The typeface is embedded at the end, cut down to what was used, so that the file prints the same everywhere.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable
from typing import BinaryIO

from district.labels.shapes import Box, Code, Shape, Stroke, Words
from district.labels.typeface import STAND_IN, Typeface

POINTS_A_MM = 72 / 25.4
# How far a quarter of a circle's handles are from its ends, for a radius of 1.
_ROUND = 0.5523
_CATALOGUE, _PAGES, _FONT, _CID_FONT, _DESCRIPTOR, _FILE, _UNICODE, _INFO = range(1, 9)


class Document:
    """A PDF being written. Use `page` for each page, then `close` once."""

    def __init__(self, file: BinaryIO, typeface: Typeface, *, title: str) -> None:
        self._file = file
        self._typeface = typeface
        self._title = title
        self._place = 0
        self._starts = array("Q", [0] * (_INFO + 1))
        self._page_numbers = array("L")
        self._used: dict[int, str] = {}
        self._write(b"%PDF-1.6\n%\xe4\xb8\xad\xe6\x96\x87\n")

    @property
    def pages(self) -> int:
        return len(self._page_numbers)

    def page(self, width: float, height: float, shapes: Iterable[tuple[float, float, Shape]]) -> None:
        """A page in millimetres. shapes: each with where its label's upper left corner is, from the page's."""
        drawn = "\n".join(self._drawn(shape, x, y) for x, y, shape in shapes)
        # From millimetres down from the top to points up from the bottom.
        scale = POINTS_A_MM
        content = f"q {scale:.6f} 0 0 {-scale:.6f} 0 {height * scale:.3f} cm\n{drawn}\nQ"
        body = zlib.compress(content.encode("ascii"), 6)
        number = self._next()
        self._object(number, f"<</Length {len(body)}/Filter/FlateDecode>>", body)
        page = self._next()
        self._page_numbers.append(page)
        self._object(
            page,
            f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {width * scale:.3f} {height * scale:.3f}]"
            f"/Resources<</Font<</F {_FONT} 0 R>>>>/Contents {number} 0 R>>",
        )

    def close(self) -> None:
        """Write the typeface and the table of contents. The file itself stays open."""
        self._write_font()
        kids = " ".join(f"{number} 0 R" for number in self._page_numbers)
        self._object(_PAGES, f"<</Type/Pages/Count {self.pages}/Kids[{kids}]>>")
        self._object(_CATALOGUE, f"<</Type/Catalog/Pages {_PAGES} 0 R/Lang(zh-CN)>>")
        title = (b"\xfe\xff" + self._title.encode("utf-16-be")).hex().upper()
        self._object(_INFO, f"<</Title<{title}>/Producer(Bihuan)>>")
        start = self._place
        lines = [f"xref\n0 {len(self._starts)}\n0000000000 65535 f \n"]
        lines += [f"{place:010d} 00000 n \n" for place in self._starts[1:]]
        self._write("".join(lines).encode("ascii"))
        trailer = f"<</Size {len(self._starts)}/Root {_CATALOGUE} 0 R/Info {_INFO} 0 R>>"
        self._write(f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode("ascii"))

    def _drawn(self, shape: Shape, x: float, y: float) -> str:
        if isinstance(shape, Words):
            # The page is upside down: letters are turned back.
            at = f"{shape.size:.3f} 0 0 {-shape.size:.3f} {x + shape.x:.3f} {y + shape.y:.3f}"
            return f"BT /F 1 Tf {at} Tm <{self._glyphs(shape.text)}> Tj ET"
        if isinstance(shape, Code):
            scale = shape.size / shape.modules
            squares = " ".join(f"{column} {row} {width} 1 re" for row, column, width in shape.runs)
            return f"q {scale:.5f} 0 0 {scale:.5f} {x + shape.x:.3f} {y + shape.y:.3f} cm {squares} f Q"
        if isinstance(shape, Stroke):
            ends = f"{x + shape.x:.3f} {y + shape.y:.3f} m {x + shape.to_x:.3f} {y + shape.to_y:.3f} l"
            return f"{shape.line:.3f} w {ends} S"
        dashes = "[0.8 0.8] 0 d" if shape.is_dashed else "[] 0 d"
        return f"{shape.line:.3f} w {dashes} {_rounded(shape, x, y)} S [] 0 d"

    def _glyphs(self, text: str) -> str:
        numbers = []
        for character in text:
            glyph = self._typeface.glyph(character)
            if glyph not in self._used:
                self._used[glyph] = STAND_IN if self._typeface.lacks(character) else character
            numbers.append(f"{glyph:04X}")
        return "".join(numbers)

    def _write_font(self) -> None:
        face, used = self._typeface, sorted(self._used)
        name = "BIHUAN+NotoSansSC-Medium"
        thousand = 1000 / face.em
        box = " ".join(str(round(edge * thousand)) for edge in face.box)
        widths = " ".join(f"{glyph}[{round(face.advance(glyph) * thousand)}]" for glyph in used)
        self._object(
            _FONT,
            f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H"
            f"/DescendantFonts[{_CID_FONT} 0 R]/ToUnicode {_UNICODE} 0 R>>",
        )
        self._object(
            _CID_FONT,
            f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
            f"/Supplement 0>>/FontDescriptor {_DESCRIPTOR} 0 R/DW 1000/W[{widths}]/CIDToGIDMap/Identity>>",
        )
        self._object(
            _DESCRIPTOR,
            f"<</Type/FontDescriptor/FontName/{name}/Flags 4/FontBBox[{box}]/ItalicAngle 0"
            f"/Ascent {round(face.ascent * thousand)}/Descent {round(face.descent * thousand)}/CapHeight 733"
            f"/StemV 100/FontFile2 {_FILE} 0 R>>",
        )
        cut = face.cut(used)
        body = zlib.compress(cut, 9)
        self._object(_FILE, f"<</Length {len(body)}/Length1 {len(cut)}/Filter/FlateDecode>>", body)
        body = zlib.compress(self._unicode(used), 9)
        self._object(_UNICODE, f"<</Length {len(body)}/Filter/FlateDecode>>", body)

    def _unicode(self, used: list[int]) -> bytes:
        """What each glyph means, for whoever copies or searches the text."""
        lines = [f"<{glyph:04X}> <{self._used[glyph].encode('utf-16-be').hex().upper()}>" for glyph in used]
        # At most a hundred lines are allowed in one block.
        blocks = [lines[start : start + 100] for start in range(0, len(lines), 100)]
        maps = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
        return (
            "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
            "/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
            "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
            "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
            f"{maps}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
        ).encode("ascii")

    def _next(self) -> int:
        self._starts.append(0)
        return len(self._starts) - 1

    def _object(self, number: int, words: str, stream: bytes | None = None) -> None:
        self._starts[number] = self._place
        self._write(f"{number} 0 obj\n{words}\n".encode("ascii"))
        if stream is not None:
            self._write(b"stream\n")
            self._write(stream)
            self._write(b"\nendstream\n")
        self._write(b"endobj\n")

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._place += len(content)


def _rounded(box: Box, x: float, y: float) -> str:
    left, top, radius = x + box.x, y + box.y, box.radius
    right, bottom = left + box.width, top + box.height
    if not radius:
        return f"{left:.3f} {top:.3f} {box.width:.3f} {box.height:.3f} re"
    k = radius * (1 - _ROUND)
    return (
        f"{left + radius:.3f} {top:.3f} m {right - radius:.3f} {top:.3f} l "
        f"{right - k:.3f} {top:.3f} {right:.3f} {top + k:.3f} {right:.3f} {top + radius:.3f} c "
        f"{right:.3f} {bottom - radius:.3f} l "
        f"{right:.3f} {bottom - k:.3f} {right - k:.3f} {bottom:.3f} {right - radius:.3f} {bottom:.3f} c "
        f"{left + radius:.3f} {bottom:.3f} l "
        f"{left + k:.3f} {bottom:.3f} {left:.3f} {bottom - k:.3f} {left:.3f} {bottom - radius:.3f} c "
        f"{left:.3f} {top + radius:.3f} l "
        f"{left:.3f} {top + k:.3f} {left + k:.3f} {top:.3f} {left + radius:.3f} {top:.3f} c h"
    )
