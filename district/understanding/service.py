"""What a message means: what its writer wants, which category it is about, how urgent it is.

The first version knows only words: the district's own for categories and dangers, the language's for intents.
Whatever replaces it keeps `understand` and `Understanding`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from district.categories.models import Urgency
from district.geo.gazetteer import plain
from district.messages import CHINESE, ENGLISH
from district.reference import Reference
from district.understanding.lexicon import Lexicon

# From here on a category may be filed and routed without anybody looking at it first.
SURE_ENOUGH = 0.7
# From here on a category's own urgency is believed.
LIKELY = 0.5
# Words of danger count whatever the category; this many candidates may confirm a danger by category.
_CANDIDATES = 3


class Intent:
    """The names an intent may have."""

    REPORT = "report"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was understood, with how sure it is.

    intent: see design section 5. candidates: (category code, confidence 0..1), likeliest first, at most three.
    danger: the code of the kind of emergency that was recognised (district.toml), or None.
    """

    intent: str
    urgency: Urgency
    candidates: tuple[tuple[str, float], ...]
    language: str
    danger: str | None

    @property
    def category(self) -> str | None:
        """The code of the likeliest category if it is sure enough to act on."""
        return self.candidates[0][0] if self.confidence >= SURE_ENOUGH else None

    @property
    def confidence(self) -> float:
        return self.candidates[0][1] if self.candidates else 0.0


def understand(text: str, reference: Reference) -> Understanding:
    """Make out what a resident means; pure but for the words it is given. Empty text is a report of nothing known."""
    words = plain(text)
    lexicon = reference.once("understanding.lexicon", _make_lexicon)
    candidates = lexicon.rank(text, _CANDIDATES)
    best, confidence = candidates[0] if candidates else (None, 0.0)
    danger = _danger(words, best if confidence >= LIKELY else None, reference)
    intent = _intent(words)
    urgency = Urgency.NORMAL
    if danger is not None:
        urgency = Urgency.CRITICAL
        if "phone" in danger and intent == Intent.REPORT:
            # A national number means that life may depend on it; a unit's own line is for a report that hurries.
            intent = Intent.EMERGENCY
    elif best is not None and confidence >= LIKELY:
        urgency = reference.categories_by_code[best].urgency
    return Understanding(intent, urgency, candidates, language_of(text), danger["code"] if danger else None)


def language_of(text: str) -> str:
    """The language to answer in: English for a text in Latin letters without one Chinese character."""
    if any("\u3400" <= letter <= "\u9fff" for letter in text):
        return CHINESE
    return ENGLISH if sum(letter.isascii() and letter.isalpha() for letter in text) >= 3 else CHINESE


def _make_lexicon(reference: Reference) -> Lexicon:
    return Lexicon(reference.categories_by_code.values(), reference.facility_types_by_code.values())


def _danger(words: str, category: str | None, reference: Reference) -> dict[str, Any] | None:
    """The first kind of emergency whose words are in the text, else the one that the category itself means."""
    kinds = reference.once("understanding.dangers", _make_dangers)
    for kind, signs in kinds:
        if signs.search(words):
            return kind
    return next((kind for kind, _ in kinds if category is not None and category in kind.get("categories", ())), None)


def _make_dangers(reference: Reference) -> list[tuple[dict[str, Any], re.Pattern[str]]]:
    """Each kind of emergency of district.toml with its words as texts are compared."""
    return [
        (kind, _any_of(plain(word) for word in (*kind.get("words", ()), *kind.get("words_en", ()))))
        for kind in reference.setting("emergency", [])
    ]


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds any of `words`, in a fifth of the time of looking for each."""
    return re.compile("|".join(re.escape(word) for word in words if word) or r"(?!)")


@cache
def _intents() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((entry["name"], _any_of(plain(word) for word in entry["words"])) for entry in _language()["intent"])


@cache
def _language() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


def _intent(words: str) -> str:
    polite, longest = _language()["limits"]["polite"], _language()["limits"]["polite_longest"]
    for name, signs in _intents():
        if name in polite and len(words) > longest:
            continue
        if signs.search(words):
            return name
    return Intent.REPORT
