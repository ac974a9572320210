"""The district's names, and where they stand in a text: letter for letter, by their sound, or with a slip in them."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from district.geo.measure import metres_between
from district.geo.sound import folded, spelt, syllable

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
_NAMES = WORDS["names"]
_ENDINGS = tuple(sorted(_NAMES["endings"], key=len, reverse=True))
_ENDINGS_BY_LAST = {last: [ending for ending in _ENDINGS if ending[-1] == last] for last in {e[-1] for e in _ENDINGS}}
_TELLING = frozenset(_NAMES["telling"])
_LEFT = frozenset(WORDS["role"]["left"])
_RIGHT = tuple(WORDS["role"]["right"])
_NOT_RIGHT = tuple(WORDS["role"]["not_right"])
_GONE_TO = frozenset(WORDS["role"]["gone_to"])

_SHORTEST_NAME = 2
# Names shorter than this are too easily part of another word to be guessed at.
_SHORTEST_GUESSED = 3
# So many characters before the ending must a name have for a slip that sounds otherwise to be forgiven.
_SHORTEST_MISSPELT = 3
_LONGEST_GUESSED = 12
# What remains of a name without its road is an everyday word ("农贸市场") up to this length.
_LONGEST_COMMON = 4
_DIGIT = str.maketrans("一二三四五六七八九", "123456789")
_NUMERALS = frozenset("一二三四五六七八九0123456789")
_NUMBERED = re.compile(r"[一二三四五六七八九](?=[小中期村组委社幼])")
# Kinds of which no wrong character is forgiven: their names are made of others, or too large to matter.
_NOT_GUESSED = frozenset({"crossing", "area", "community"})


def plain(text: str) -> str:
    """Text as names are compared: full-width forms made plain, lower case, no white space."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A row of the gazetteer, or a place that words describe by means of such rows. WGS-84 degrees."""

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
class Mention:
    """A name in the text, from `start` to before `end`, and the places it may stand for.

    how: `name` (letter for letter), `sound` (other characters of the same sound) or `slip` (one character wrong or
    missing). is_common: a short or everyday word ("医院"), which must be seen to be a place by what stands about it.
    """

    start: int
    end: int
    points: tuple[NamedPoint, ...]
    how: str = "name"
    is_common: bool = False

    def is_of(self, *kinds: str) -> bool:
        return any(point.kind in kinds for point in self.points)


class Names:
    """An immutable index of names and aliases."""

    def __init__(self, points: Iterable[NamedPoint]) -> None:
        self._points: dict[str, list[NamedPoint]] = {}
        self._common: set[str] = set()
        every: list[tuple[str, NamedPoint]] = []
        for point in points:
            own = plain(point.name)
            for name in dict.fromkeys((own, *map(plain, point.aliases))):
                if len(name) >= _SHORTEST_NAME:
                    every.append((name, point))
                    self._points.setdefault(name, []).append(point)
                    is_short = len(name) <= 2 and point.kind not in ("road", "river")
                    if is_short or (name != own and own.endswith(name) and point.kind != "road"):
                        self._common.add(name)
        self._add_variants(every)
        self._lengths: dict[str, list[int]] = {}
        for name in self._points:
            lengths = self._lengths.setdefault(name[0], [])
            if len(name) not in lengths:
                lengths.append(len(name))
        for lengths in self._lengths.values():
            lengths.sort(reverse=True)
        self._index_sounds(every)

    def get(self, name: str) -> Sequence[NamedPoint]:
        """The places of exactly this name, as `plain` writes it."""
        return self._points.get(name, ())

    def spelt(self, letters: str) -> Sequence[str]:
        """Names that are written so in Latin letters, without spaces."""
        return self._spelt.get(letters, ())

    def in_text(self, words: str) -> list[Mention]:
        """Names from left to right, the longest at each place; what is guessed gives way to what is certain."""
        found = self.exactly(words)
        guessed = [guess for guess in self._guessed(words) if _may_stand(guess, found)]
        if not guessed:
            return found
        guessed.sort(key=lambda mention: (mention.start - mention.end, mention.start))
        kept: list[Mention] = []
        for guess in guessed:
            if not any(guess.start < other.end and other.start < guess.end for other in kept):
                kept.append(guess)
        found = [one for one in found if not any(one.start < g.end and g.start < one.end for g in kept)]
        return sorted((*found, *kept), key=lambda mention: mention.start)

    def exactly(self, words: str) -> list[Mention]:
        """Only what is written right."""
        found: list[Mention] = []
        at = 0
        while at < len(words):
            for length in self._lengths.get(words[at], ()):
                name = words[at : at + length]
                points = self._points.get(name)
                if points is not None and len(name) == length:
                    found.append(Mention(at, at + length, tuple(points), "name", name in self._common))
                    at += length - 1
                    break
            at += 1
        return found

    # Ways to say a name that nobody writes down

    def _add_variants(self, every: Sequence[tuple[str, NamedPoint]]) -> None:
        """红旗路 for 红旗大街, 3中 for 三中, 鑫源 for 鑫源小区: where no other place bears the name already."""
        variants: dict[str, list[NamedPoint]] = {}
        roads = {name for name, point in every if point.kind == "road"}
        beginnings: dict[str, set[str]] = {}
        for name, point in every:
            if point.kind in ("compound", "road"):
                beginnings.setdefault(name[:2], set())
        for name, point in every:
            if name[:2] in beginnings:
                beginnings[name[:2]].add(point.name if point.kind not in ("gate", "building", "bus_stop") else "")
        for name, point in every:
            if point.kind == "crossing":
                continue
            counted = _NUMBERED.sub(lambda found: found[0].translate(_DIGIT), name)
            if counted != name:
                variants.setdefault(counted, []).append(point)
                if name in self._common:
                    self._common.add(counted)
            is_own = name == plain(point.name) and point.kind not in ("road", "bus_stop", "address")
            remainder = _without_road(name, roads) if is_own else ""
            if len(remainder) >= _SHORTEST_GUESSED and not remainder[0].isdecimal() and remainder not in self._points:
                variants.setdefault(remainder, []).append(point)
                if len(remainder) <= _LONGEST_COMMON:
                    self._common.add(remainder)
            if point.kind == "road":
                base, ending = _split(name, _NAMES["roads"])
                for other in _NAMES["roads"] if ending else ():
                    variants.setdefault(base + other, []).append(point)
            elif point.kind == "bus_stop":
                base, ending = _split(name, _NAMES["bus_stop"])
                for other in _NAMES["bus_stop"] if ending else ():
                    variants.setdefault(base + other, []).append(point)
            elif point.kind == "compound" and name == plain(point.name) and len(name) == 4:
                base, ending = _split(name, ["小区"])
                if ending and beginnings[base] - {""} == {point.name}:
                    variants.setdefault(base, []).append(point)
                    self._common.add(base)
        for name, points in variants.items():
            if len(name) >= _SHORTEST_NAME and name not in self._points:
                self._points[name] = list(dict.fromkeys(points))

    # Names that are not written quite right

    def _index_sounds(self, every: Sequence[tuple[str, NamedPoint]]) -> None:
        self._sounds: dict[str, list[str]] = {}
        self._sound_lengths: dict[str, list[int]] = {}
        self._less_one: dict[str, list[str]] = {}
        self._spelt: dict[str, list[str]] = {}
        seen = set()
        for name, point in every:
            if point.kind == "crossing" or name in seen:
                continue
            seen.add(name)
            if letters := spelt(name):
                self._spelt.setdefault(letters, []).append(name)
            if point.kind in _NOT_GUESSED or not _SHORTEST_GUESSED <= len(name) <= _LONGEST_GUESSED:
                continue
            sounds = [folded(character) for character in name]
            self._sounds.setdefault(" ".join(sounds), []).append(name)
            lengths = self._sound_lengths.setdefault(" ".join(sounds[:2]), [])
            if len(name) not in lengths:
                lengths.append(len(name))
            ending = _ending(name)
            if ending and len(name) - len(ending) >= _SHORTEST_MISSPELT:
                for at in range(len(name) - len(ending)):
                    if name[at] not in _TELLING:
                        self._less_one.setdefault(name[:at] + name[at + 1 :], []).append(name)

    def _guessed(self, words: str) -> list[Mention]:
        found: list[Mention] = []
        sounds = [folded(character) for character in words]
        for at in range(len(words) - 1):
            for length in self._sound_lengths.get(f"{sounds[at]} {sounds[at + 1]}", ()):
                written = words[at : at + length]
                if len(written) == length:
                    names = self._sounds.get(" ".join(sounds[at : at + length]), ())
                    self._guess(at, written, [name for name in names if _sounds_like(written, name)], "sound", found)
        for at, character in enumerate(words):
            for ending in _ENDINGS_BY_LAST.get(character, ()):
                if words.endswith(ending, 0, at + 1):
                    self._misspelt(words, at + 1, len(ending), found)
        return found

    def _misspelt(self, words: str, stop: int, ending: int, found: list[Mention]) -> None:
        """Names of several characters that end at `stop`, with one character wrong or left out."""
        for length in range(ending + _SHORTEST_MISSPELT - 1, min(_LONGEST_GUESSED, stop) + 1):
            written = words[stop - length : stop]
            names = self._less_one.get(written)
            if names:
                self._guess(stop - length, written, names, "slip", found)
            for at in range(length - ending):
                for name in self._less_one.get(written[:at] + written[at + 1 :], ()):
                    is_long = len(name) - ending > _SHORTEST_MISSPELT
                    if is_long and len(name) == length and written[at] not in _TELLING and name[:at] == written[:at]:
                        self._guess(stop - length, written, [name], "slip", found)

    def _guess(self, at: int, written: str, names: Sequence[str], how: str, found: list[Mention]) -> None:
        if not names or written in self._points:
            return
        points = tuple(dict.fromkeys(point for name in names for point in self._points[name]))
        is_common = any(name in self._common for name in names)
        found.append(Mention(at, at + len(written), points, how, is_common))


def stands_alone(words: str, start: int, end: int) -> tuple[bool, bool]:
    """Whether a short or everyday name is not the (right, left) part of a longer word there."""
    after = words[end:]
    right = not after or after.startswith(_RIGHT) or not after[0].isalnum()
    # "到医院要三十块": whoever goes there means the place, whatever follows.
    right = (right or (start > 0 and words[start - 1] in _GONE_TO)) and not after.startswith(_NOT_RIGHT)
    return start == 0 or words[start - 1] in _LEFT, right


def _may_stand(guess: Mention, certain: Sequence[Mention]) -> bool:
    """Whether a guess says more than the names that are certain: it must hold all that it touches, and more."""
    for one in certain:
        if guess.start < one.end and one.start < guess.end:
            holds = guess.start <= one.start and one.end <= guess.end
            # A slip is less likely than the shorter name, unless that only begins the longer one.
            begins = guess.start == one.start and guess.end >= one.end + 2
            if not one.is_common and (not holds or (guess.how == "slip" and not begins)):
                return False
    return True


def _split(name: str, endings: Sequence[str]) -> tuple[str, str]:
    """(what stands before the ending, the ending); the ending is empty where there is none, or nothing before it."""
    for ending in sorted(endings, key=len, reverse=True):
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            return name[: -len(ending)], ending
    return name, ""


def _without_road(name: str, roads: Collection[str]) -> str:
    """铁路桥洞 for 光明大街铁路桥洞; empty where the name does not begin with a road's."""
    for length in range(2, min(6, len(name))):
        if name[:length] in roads:
            return name[length:]
    return ""


def _ending(name: str) -> str:
    return _split(name, _ENDINGS)[1]


def _sounds_like(written: str, name: str) -> bool:
    """Whether the name may well have been meant, knowing that both have the same folded sounds."""
    wrong = [at for at in range(len(name)) if written[at] != name[at]]
    if not wrong or any({written[at], name[at]} & _NUMERALS or written[at].isascii() for at in wrong):
        return False
    ending = len(_ending(name))
    base = len(name) - ending if ending else len(name) - 1
    in_ending = [at for at in wrong if at >= base]
    if in_ending:
        # "民悦圆": then all the rest must be right.
        return len(wrong) == 1
    same = all(syllable(written[at]) == syllable(name[at]) for at in wrong)
    return same or len(wrong) < base
