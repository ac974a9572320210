"""How a picture looks, in 64 bits: two photos of one thing differ in few of them, whatever their size and quality.

A difference hash: the picture in grey, nine columns by eight rows; each bit says whether a field is brighter than the
one to its right.
"""

from __future__ import annotations

from PIL import Image

BITS = 64
# At most this many bits apart, two pictures are taken for the same scene; unrelated ones differ in half of them.
ALIKE_BITS = 10
_COLUMNS, _ROWS = 9, 8


def look_of(picture: Image.Image) -> str:
    """The look of a picture as 16 hexadecimal digits."""
    small = picture.convert("L").resize((_COLUMNS, _ROWS), Image.Resampling.BILINEAR).tobytes()
    bits = 0
    for row in range(_ROWS):
        for column in range(_COLUMNS - 1):
            at = row * _COLUMNS + column
            bits = bits << 1 | (small[at] > small[at + 1])
    return f"{bits:016x}"


def apart(one: str, other: str) -> int:
    """In how many of the 64 bits two looks differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def alike(ones: tuple[str, ...], others: tuple[str, ...]) -> float:
    """How much the most alike pair of two reports' pictures agrees: 1 for the same picture, 0 for unlike ones.

    A picture without any drawing in it (a dark night, a white wall) is like every other one and says nothing.
    """
    best = min((apart(a, b) for a in ones for b in others if _says_something(a) and _says_something(b)), default=BITS)
    return max(0.0, 1.0 - best / (ALIKE_BITS + 1))


def _says_something(look: str) -> bool:
    return 4 <= int(look, 16).bit_count() <= BITS - 4
