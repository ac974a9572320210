"""Words → place, by the district's own list of names.

The longest name wins at every point of the text. A place is asserted only when the words name one: several
candidates are handed back to be asked about, never guessed, and a long road is no point.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from district.geo.measure import metres_between

# Kinds too large to be the place of a report; they still narrow down what else was named.
LARGE = frozenset({"road", "river", "area", "community"})
# A road no longer than this is a place all the same.
SHORT_ROAD_M = 350.0
# Two names within this distance mean one place ("the bank beside the school").
TOGETHER_M = 150.0
# How far behind two roads a word such as "crossing" still belongs to them.
_CROSSING_WITHIN = 5
_MOST_CANDIDATES = 6
_SHORTEST_NAME = 2

_WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
_JOINERS = frozenset(_WORDS["joiners"])
_CROSSING = tuple(_WORDS["crossing"])


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A row of the gazetteer, WGS-84 degrees."""

    name: str
    kind: str
    latitude: float
    longitude: float
    area_code: str = ""
    community_code: str = ""
    aliases: tuple[str, ...] = ()
    address: str = ""

    def metres_to(self, other: NamedPoint) -> float:
        return metres_between(self.latitude, self.longitude, other.latitude, other.longitude)


@dataclass(frozen=True, slots=True)
class Found:
    """What the words name. place: the one place, if they name one; candidates: likeliest first, it included."""

    place: NamedPoint | None = None
    candidates: tuple[NamedPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class _Mention:
    """A name in the text, and the places it may stand for."""

    start: int
    end: int
    points: tuple[NamedPoint, ...]

    def is_of(self, kind: str) -> bool:
        return any(point.kind == kind for point in self.points)


class Gazetteer:
    """An immutable index over the district's named places."""

    def __init__(self, points: Iterable[NamedPoint]) -> None:
        self._by_name: dict[str, list[NamedPoint]] = {}
        roads: dict[str, NamedPoint] = {}
        crossings: list[NamedPoint] = []
        for point in points:
            for name in dict.fromkeys(plain(word) for word in (point.name, *point.aliases)):
                if len(name) >= _SHORTEST_NAME:
                    self._by_name.setdefault(name, []).append(point)
            if point.kind == "road":
                roads[plain(point.name)] = point
            elif point.kind == "crossing":
                crossings.append(point)
        self._lengths: dict[str, list[int]] = {}
        for name in self._by_name:
            lengths = self._lengths.setdefault(name[0], [])
            if len(name) not in lengths:
                lengths.append(len(name))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)
        self._crossings: dict[frozenset[str], NamedPoint] = {}
        self._road_metres: dict[str, float] = {}
        for crossing in crossings:
            name = plain(crossing.name)
            crossed = [road for road in roads if road in name]
            # A road whose name is part of another's (one that another only lengthens) is not meant by it.
            crossed = [road for road in crossed if not any(road != other and road in other for other in crossed)]
            if len(crossed) == 2:
                self._crossings.setdefault(frozenset(crossed), crossing)
            for road in crossed:
                # A road's point is its middle: a crossing so far from it makes the road twice as long.
                reach = 2 * crossing.metres_to(roads[road])
                self._road_metres[road] = max(self._road_metres.get(road, 0.0), reach)

    def find(self, text: str) -> Found:
        """The place the text names, or the candidates to ask about."""
        words = plain(text)
        mentions = self._mentions(words)
        if not mentions:
            return Found()
        crossing = self._crossing(words, mentions)
        if crossing is not None:
            return Found(crossing, (crossing,))
        narrowed = [self._narrow(mention, mentions) for mention in mentions]
        exact = [points for points in narrowed if any(self._is_point(point) for point in points)]
        certain = list(dict.fromkeys(points[0] for points in exact if len(points) == 1))
        everything = list(dict.fromkeys(point for points in (*exact, *narrowed) for point in points))
        if certain:
            # The longest name says most: a gate rather than its compound.
            best = max(certain, key=lambda point: len(point.name))
            unsure = [points for points in exact if len(points) > 1]
            apart = any(point.metres_to(best) > TOGETHER_M for point in certain)
            doubtful = any(all(point.metres_to(best) > TOGETHER_M for point in points) for points in unsure)
            ordered = [best, *(point for point in everything if point is not best)]
            return Found(None if apart or doubtful else best, tuple(ordered[:_MOST_CANDIDATES]))
        return Found(None, tuple(everything[:_MOST_CANDIDATES]))

    def _mentions(self, words: str) -> list[_Mention]:
        """Names from left to right, the longest at each place."""
        found: list[_Mention] = []
        at = 0
        while at < len(words):
            for length in self._lengths.get(words[at], ()):
                points = self._by_name.get(words[at : at + length])
                if points is not None:
                    found.append(_Mention(at, at + length, tuple(points)))
                    at += length - 1
                    break
            at += 1
        return found

    def _crossing(self, words: str, mentions: list[_Mention]) -> NamedPoint | None:
        """Where the text names two roads one after the other and says that it means where they meet."""
        for first, second in pairwise(mentions):
            if not (first.is_of("road") and second.is_of("road")):
                continue
            after = words[second.end : second.end + _CROSSING_WITHIN]
            if words[first.end : second.start] not in _JOINERS or not any(word in after for word in _CROSSING):
                continue
            found = {
                crossing
                for one in first.points
                for other in second.points
                if (crossing := self._crossings.get(frozenset((plain(one.name), plain(other.name))))) is not None
            }
            if len(found) == 1:
                return found.pop()
        return None

    def _narrow(self, mention: _Mention, mentions: list[_Mention]) -> tuple[NamedPoint, ...]:
        """Those of a mention's places that fit what else the text names; all when none or every one does."""
        points = mention.points
        if len(points) == 1:
            return points
        # A name may stand for a place and a large thing of that name: the place is meant.
        small = tuple(point for point in points if self._is_point(point)) or points
        others = [point for other in mentions if other is not mention for point in other.points]
        fitting = tuple(point for point in small if any(_belongs(point, other) for other in others))
        return fitting or small

    def _is_point(self, point: NamedPoint) -> bool:
        if point.kind == "road":
            return self._road_metres.get(plain(point.name), SHORT_ROAD_M + 1) <= SHORT_ROAD_M
        return point.kind not in LARGE


def plain(text: str) -> str:
    """Text as names are compared: full-width forms made plain, lower case, no white space."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def _belongs(point: NamedPoint, other: NamedPoint) -> bool:
    """Whether `point` lies on, in or at `other`, by its address or its area."""
    if other.kind == "area":
        return bool(other.area_code) and point.area_code == other.area_code
    if other.kind == "community":
        return bool(other.community_code) and point.community_code == other.community_code
    return other.name in point.address or other.name in point.name
