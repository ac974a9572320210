"""How well a text fits each category, from the categories' own names, keywords and case standards.

Two kinds of evidence add up: whole keywords found in the text, the longer and rarer the stronger, and letter groups
(two and three long) shared with everything the district has written about the category. No training, no model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import log, sqrt

from district.geo.gazetteer import plain
from district.reference import CategoryRef, FacilityTypeRef

GROUPS = (2, 3)
# How much a letter group counts by where it is written.
_NAME, _KEYWORD, _PROBLEM, _STANDARD = 2.0, 2.0, 1.0, 0.5
_KEYWORD_STRENGTH = 0.55
_SHARPNESS = 3.0
# A text that shares this much with the best category is as sure as it gets.
_ENOUGH = 0.9
# Shared letter groups alone, without one whole keyword, are never more than a guess.
_GUESS = 0.6


class Lexicon:
    """Immutable: what is written about each category in use."""

    def __init__(self, categories: Iterable[CategoryRef], types: Iterable[FacilityTypeRef]) -> None:
        problems: dict[str, list[str]] = {}
        for kind in types:
            if kind.default_category_code:
                words = problems.setdefault(kind.default_category_code, [])
                words += [kind.name, *(kind.name + problem for problem in kind.problems)]
        self._codes: list[str] = []
        written: list[Counter[str]] = []
        keywords: dict[str, list[int]] = {}
        for category in categories:
            number = len(self._codes)
            self._codes.append(category.code)
            groups: Counter[str] = Counter()
            for strength, texts in (
                (_NAME, (category.name, category.name_en.replace("_", " "))),
                (_KEYWORD, category.keywords),
                (_PROBLEM, problems.get(category.code, ())),
                (_STANDARD, tuple(standard.condition for standard in category.standards)),
            ):
                for text in texts:
                    for group in _groups(plain(text)):
                        groups[group] += strength  # type: ignore[assignment]  # counts are weighted
            written.append(groups)
            for keyword in {plain(word) for word in (*category.keywords, category.name_en.replace("_", " "))}:
                if keyword:
                    keywords.setdefault(keyword, []).append(number)
        spread = Counter(group for groups in written for group in groups)
        count = max(1, len(written))
        self._groups: dict[str, list[tuple[int, float]]] = {}
        for number, groups in enumerate(written):
            weights = {g: (1 + log(1 + n)) * log(1 + count / spread[g]) for g, n in groups.items()}
            # The root of the length, not the length: much written about a category must not hide it.
            length = sqrt(sqrt(sum(weight * weight for weight in weights.values()))) or 1.0
            for group, weight in weights.items():
                self._groups.setdefault(group, []).append((number, weight / length))
        self._keywords: dict[str, list[tuple[str, list[int], float]]] = {}
        for keyword, numbers in keywords.items():
            weight = _KEYWORD_STRENGTH * len(keyword) ** 1.5 / sqrt(len(numbers))
            self._keywords.setdefault(keyword[:2], []).append((keyword, numbers, weight))

    def __len__(self) -> int:
        """How many categories it knows."""
        return len(self._codes)

    def rank(self, text: str, limit: int = 3) -> tuple[tuple[str, float], ...]:
        """The likeliest categories as (code, confidence 0..1), likeliest first; none when nothing fits."""
        words = plain(text)
        scores: dict[int, float] = {}
        named: set[int] = set()
        groups = set(_groups(words))
        for group in groups:
            for number, weight in self._groups.get(group, ()):
                scores[number] = scores.get(number, 0.0) + weight
        for start in range(len(words)):
            for keyword, numbers, weight in self._keywords.get(words[start : start + 2], ()):
                if words.startswith(keyword, start):
                    named.update(numbers)
                    for number in numbers:
                        scores[number] = scores.get(number, 0.0) + weight
        if not scores:
            return ()
        best = sorted(scores, key=lambda number: (-scores[number], self._codes[number]))[: max(limit, 8)]
        top = scores[best[0]]
        # Relative to the best: a long text raises every score alike.
        odds = [(scores[number] / top) ** _SHARPNESS for number in best]
        enough = min(1.0, top / (_ENOUGH * (1 + log(1 + len(groups)))))
        total = sum(odds)
        sure = [
            (self._codes[number], round(enough * (1.0 if number in named else _GUESS) * odd / total, 3))
            for number, odd in zip(best, odds, strict=True)
        ]
        return tuple(sorted(sure, key=lambda found: -found[1])[:limit])


def _groups(words: str) -> Iterable[str]:
    for size in GROUPS:
        for start in range(len(words) - size + 1):
            yield words[start : start + size]
