"""What somebody means who says that something was understood wrongly. Pure.

"It is not the lamp, it is the cover", "wrong place", "change it to ...". The words for it are in the catalogue, under
`bot.words`, in every language together.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_GAP = r"[\s,，.。;；:：、!！—-]*"
LONGEST = 160


@dataclass(frozen=True)
class Correction:
    """about: `place`, `what`, or "" when only the words after it tell. old, new: as written, "" when not said."""

    about: str = ""
    old: str = ""
    new: str = ""


class Corrections:
    """Reads corrections by these lists of words: `wrong_place`, `wrong_what`, `not_this`, `but_that`, `change_to`,
    `here`."""

    def __init__(self, marks: Mapping[str, list[str]]) -> None:
        def one_of(name: str) -> str:
            words = sorted(map(_folded, marks.get(name, [])), key=len, reverse=True)
            return "(?:" + ("|".join(re.escape(word) for word in words) or r"(?!)") + ")"

        but = rf"{one_of('but_that')}\s*"
        self._here = frozenset(map(_folded, marks.get("here", [])))
        self._place = re.compile(rf"^{one_of('wrong_place')}{_GAP}(?:{but})?(.*)$")
        self._exchange = re.compile(rf"^{one_of('not_this')}\s*([^,，.。;；!！?？]{{1,20}}?){_GAP}{but}(.+)$")
        self._change = re.compile(rf"^{one_of('change_to')}\s*(.+)$")
        self._what = re.compile(rf"^{one_of('wrong_what')}{_GAP}(?:{but})?(.*)$")

    def read(self, text: str) -> Correction | None:
        """None for everything that corrects nothing."""
        said = _folded(text).strip().rstrip("。.!！~～")
        if not said or len(said) > LONGEST:
            return None
        if found := self._exchange.match(said):
            old, new = found[1].strip(), found[2].strip()
            return Correction("place" if old in self._here else "", old, new)
        if found := self._place.match(said):
            return Correction("place", "", found[1].strip())
        if found := self._change.match(said):
            return Correction("", "", found[1].strip())
        if found := self._what.match(said):
            return Correction("" if found[1] else "what", "", found[1].strip())
        return None


def mend(words: str, correction: Correction, said: str) -> str:
    """A description set right: the wrong word exchanged where it stands, else what was said put behind it."""
    if correction.old and correction.old in words:
        return words.replace(correction.old, correction.new)
    return "\n".join(dict.fromkeys(part for part in (words, said) if part))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


def marks_of(sentences: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """`a|b|c` of every language, by the list's name."""
    marks: dict[str, list[str]] = {}
    for key, value in sentences:
        marks.setdefault(key, []).extend(part for part in (one.strip() for one in value.split("|")) if part)
    return marks
