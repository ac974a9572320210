"""What somebody says who waits for what is already reported: "when will it be fixed", "why does nobody come". Pure.

Said without a word of what it is about, so a sentence counts only when nothing else is in it: "nobody comes to fix
it" asks after a report, "nobody empties the bin" is one. The words are in the catalogue, under `bot.words`, in every
language together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum

LONGEST = 80


class Chase(IntEnum):
    """WHEN only wants to know; URGE wants it passed on to whoever has it."""

    WHEN = 1
    URGE = 2


class Chasing:
    """Reads by these lists of plain words: `chase_when`, `chase_urge`, and `chase_around` for what may stand by."""

    def __init__(self, plain_marks: Mapping[str, list[str]]) -> None:
        whens, urges = plain_marks.get("chase_when", []), plain_marks.get("chase_urge", [])
        self._weights: dict[str, int] = dict.fromkeys(plain_marks.get("chase_around", []), 0)
        self._weights |= dict.fromkeys(whens, Chase.WHEN.value) | dict.fromkeys(urges, Chase.URGE.value)
        self._lengths = sorted({len(word) for word in self._weights})
        cores = sorted({*whens, *urges}, key=len, reverse=True)
        self._core = re.compile("|".join(map(re.escape, cores)) or r"(?!)")

    def read(self, plain_text: str) -> Chase | None:
        """None for everything that holds a word of another matter."""
        length = len(plain_text)
        if length > LONGEST or not self._core.search(plain_text):
            return None
        # At each letter that words of the lists lead up to: the most that they say.
        most: list[int | None] = [0] + [None] * length
        for start in range(length):
            so_far = most[start]
            if so_far is None:
                continue
            if plain_text[start].isdecimal():
                most[start + 1] = max(so_far, most[start + 1] or 0)
            for size in self._lengths:
                weight = self._weights.get(plain_text[start : start + size])
                if weight is not None and start + size <= length:
                    most[start + size] = max(so_far, weight, most[start + size] or 0)
        found = most[length]
        return Chase(found) if found else None
