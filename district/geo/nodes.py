"""What a sentence is made of for `district.geo.reading`: named places, and what is found of them in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from district.geo.names import NamedPoint
from district.geo.town import Spot

# A place named more closely by another one this near ("at the crossing, in front of the store").
CLOSER_M = 300.0
# Names farther apart in the text than so many characters are not tied together by what stands between them.
LONGEST_GAP = 12


class Part(IntEnum):
    """What a named place is to the sentence; the least counts most."""

    HERE = 0
    PASSED = 1
    HOME = 2
    ON_THE_WAY = 3
    NOT_MEANT = 4


@dataclass(frozen=True, slots=True)
class Found:
    """What the words name. place: the one place, if they name one; candidates: likeliest first, it included.

    how: `name`, `sound` or `slip` (see `Mention`), `crossing`, `stretch`, `number`, `beside` (a side, a distance, the
    other side of the road), `part` (a gate, a house, a bus stop); empty without a place. confidence: 0 to 1.
    precision_m: how far the true place may well be from it. span: from where to before where the words stand in
    `plain(text)`; None in a language that is read by translating it.
    """

    place: NamedPoint | None = None
    candidates: tuple[NamedPoint, ...] = ()
    how: str = ""
    confidence: float = 0.0
    precision_m: float = 0.0
    span: tuple[int, int] | None = None


@dataclass(slots=True)
class Node:
    """A name, or names tied together, with what stands behind it."""

    start: int
    end: int
    points: tuple[NamedPoint, ...]
    how: str = "name"
    name: str = ""
    # How the least certain of the roads was read that cross there.
    heard: str = "name"
    is_common: bool = False
    is_office: bool = False
    part: Part = Part.HERE
    # Words behind it that say that a place is meant ("in front of").
    is_related: bool = False
    is_built: bool = False
    # It only says which of several others is meant.
    is_context: bool = False
    is_uncertain: bool = False
    then: Callable[[NamedPoint], Spot | None] | None = None
    then_how: str = ""
    spot: Spot | None = None
    options: tuple[NamedPoint, ...] = field(default=())

    @property
    def road(self) -> NamedPoint | None:
        """The road, if that is all the name can mean."""
        first = self.points[0]
        if first.kind != "road" or any(point.kind != "road" for point in self.points):
            return None
        return first


def number_of(words: str) -> int:
    """12, 十二, 一百二十, 两百; "七八十" is taken for its first part. 0 for nothing that can be read."""
    if words.isdecimal():
        return int(words) if len(words) < 6 else 0
    total, digit = 0, 0
    for character in words:
        if character in "零一二三四五六七八九两":
            digit = 2 if character == "两" else "零一二三四五六七八九".index(character)
        else:
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[character]
            digit = 0
    return total + digit
