"""What a message means: what its writer wants, which category it is about, how urgent it is, what it leaves open.

One linear model over groups of letters, trained from the district's own words (`training`), asks three questions of
the same features; words of danger and the map's names complete it. A district without trained weights is understood
by its words alone (`lexicon`). The same analysis serves the chat, the pages and routing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from heapq import nlargest
from typing import Any

from district.categories.models import Urgency
from district.geo.gazetteer import Found, plain
from district.messages import CHINESE, ENGLISH
from district.reference import CategoryRef, Reference
from district.understanding.features import features
from district.understanding.lexicon import Lexicon
from district.understanding.material import Signs, any_of, intents_in, language, mended
from district.understanding.store import dangers_in, trained
from district.understanding.weights import CATEGORY, INTENT, NO_CATEGORY, URGENCY, Weights

# From here on a category may be filed and routed without anybody looking at it first.
SURE_ENOUGH = 0.7
# From here on a category's own urgency is believed.
LIKELY = 0.5
# How likely a text must be to be critical: a danger that is missed weighs about seven false alarms. Less is asked of
# a text with a word of danger in it, more of one without the least sign (exclamation marks alone are none).
_CRITICAL = 0.12
_WITH_WORDS = 0.5
_WITHOUT_SIGNS = 2.0
# Whoever asks, suggests, thanks or takes back talks of a danger more often than from one.
_CRITICAL_ALL_THE_SAME = 0.9
_CANDIDATES = 3
# A category below this is not worth naming; a report below the second is not known to be about anything.
_WORTH_TELLING = 0.02
_ABOUT_SOMETHING = 0.15
# What a message may leave open.
LOCATION, CASE_NUMBER, WHAT = "location", "case_no", "category"
# The number of a report, as people copy it (see district.reports.numbers, which a higher storey owns).
_NUMBER = re.compile(r"BH\d{8}", re.IGNORECASE)


class Intent:
    """The names an intent may have."""

    REPORT = "report"
    CONSULT = "consult"
    SUGGEST = "suggest"
    PRAISE = "praise"
    COMPLAINT = "complaint"
    FOLLOWUP = "followup"
    WITHDRAW = "withdraw"
    THANKS = "thanks"
    TRANSFER = "transfer"
    CHITCHAT = "chitchat"
    ABUSE = "abuse"
    SPAM = "spam"
    EMERGENCY = "emergency"


INTENTS = tuple(value for name, value in vars(Intent).items() if name.isupper())
_NOT_HAPPENING = frozenset(
    {Intent.CONSULT, Intent.SUGGEST, Intent.PRAISE, Intent.THANKS, Intent.WITHDRAW, Intent.SPAM, Intent.CHITCHAT}
)
# Somebody may have to go there.
_NEEDS_SOMEBODY = frozenset({Intent.REPORT, Intent.COMPLAINT, Intent.ABUSE, Intent.EMERGENCY})


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was understood, with how sure it is.

    intent: see design section 5. candidates: (category code, confidence 0..1), likeliest first, at most three.
    danger: the code of the kind of emergency that was recognised (district.toml), or None. missing: what has to be
    asked before anybody can act, of LOCATION, CASE_NUMBER and WHAT.
    """

    intent: str
    urgency: Urgency
    candidates: tuple[tuple[str, float], ...]
    language: str
    danger: str | None
    missing: tuple[str, ...] = ()
    # From which confidence on the category may be acted on: measured when the weights were trained.
    sure_enough: float = SURE_ENOUGH

    @property
    def category(self) -> str | None:
        """The code of the likeliest category if it is sure enough to act on."""
        return self.candidates[0][0] if self.confidence >= self.sure_enough else None

    @property
    def confidence(self) -> float:
        return self.candidates[0][1] if self.candidates else 0.0

    @property
    def needs_clarification(self) -> bool:
        return bool(self.missing)


def understand(text: str, reference: Reference, *, has_place: bool | None = None) -> Understanding:
    """Make out what a resident means. Empty text is a report of nothing known.

    has_place: whether the place is known from elsewhere; left out, the map's names are looked for in the text.
    """
    knowledge = reference.once("understanding.knowledge", _Knowledge)
    text = mended(text)
    words = plain(text)
    understood = knowledge.understand(text, words)
    missing = _missing(understood, text, words, reference, has_place)
    return replace(understood, missing=missing) if missing else understood


def things_in(text: str, reference: Reference) -> list[str]:
    """The keywords of the district's categories in a text, each once."""
    return reference.once("understanding.knowledge", _Knowledge).signs.keywords(plain(text))


def reader_by(weights: Weights | None, reference: Reference) -> Callable[[str], Understanding]:
    """Reads texts by these weights instead of the district's present ones: to judge them before they count.

    What a message leaves open is not looked for.
    """
    knowledge = _Knowledge(reference, weights, is_given=True)

    def read(text: str) -> Understanding:
        text = mended(text)
        return knowledge.understand(text, plain(text))

    return read


def language_of(text: str) -> str:
    """The language to answer in: English for a text in Latin letters without one Chinese character."""
    if any("\u3400" <= letter <= "\u9fff" for letter in text):
        return CHINESE
    return ENGLISH if sum(letter.isascii() and letter.isalpha() for letter in text) >= 3 else CHINESE


class _Knowledge:
    """All that one state of the district knows about words, made once."""

    def __init__(self, reference: Reference, weights: Weights | None = None, *, is_given: bool = False) -> None:
        self.categories = reference.categories_by_code
        emergencies: list[dict[str, Any]] = reference.setting("emergency", [])
        self.kinds = {kind["code"]: kind for kind in emergencies}
        self.weights = weights if is_given else trained(reference)
        self.sure_enough = float(self.weights.figures.get("sure_enough", SURE_ENOUGH)) if self.weights else SURE_ENOUGH
        unknown: Iterable[CategoryRef] = self.categories.values()
        if self.weights is not None:
            known = set(self.weights.heads[CATEGORY].classes)
            unknown = [category for category in unknown if category.code not in known]
        types = reference.facility_types_by_code.values()
        self.lexicon = Lexicon(unknown, types)
        self.signs = Signs(
            (word for category in self.categories.values() for word in category.keywords),
            dangers_in(emergencies),
        )

    def understand(self, text: str, words: str) -> Understanding:
        if self.weights is None:
            return self._by_words(text, words)
        return self._by_weights(text, words, self.weights)

    def _by_weights(self, text: str, words: str, weights: Weights) -> Understanding:
        signs = self.signs.of(words)
        odds = weights.answers(features(text, signs))
        candidates = self._candidates(weights.heads[CATEGORY].classes, odds[CATEGORY], text)
        intents = dict(zip(weights.heads[INTENT].classes, odds[INTENT], strict=True))
        urgencies = dict(zip(weights.heads[URGENCY].classes, odds[URGENCY], strict=True))
        critical = urgencies.pop(Urgency.CRITICAL, 0.0)
        danger = next((self.kinds[code] for code in self.signs.dangers(signs)), None)
        hinted = danger or next((self.kinds[code] for code in self.signs.hints(signs)), None)
        share = _WITH_WORDS if danger else 1.0 if hinted else _WITHOUT_SIGNS
        wanted = max(intents, key=intents.__getitem__)
        if critical >= (_CRITICAL_ALL_THE_SAME if wanted in _NOT_HAPPENING else _CRITICAL * share):
            urgency = Urgency.CRITICAL
            danger = danger or self._danger_of(candidates) or hinted
        else:
            urgency = Urgency(max(urgencies, key=urgencies.__getitem__)) if urgencies else Urgency.NORMAL
            danger = None
            # What is not critical is no emergency, however it is put.
            intents.pop(Intent.EMERGENCY, None)
        intent = max(intents, key=intents.__getitem__, default=Intent.REPORT)
        return Understanding(
            intent, urgency, candidates, language_of(text), danger["code"] if danger else None,
            sure_enough=self.sure_enough,
        )  # fmt: skip

    def _candidates(self, classes: Sequence[str], odds: Sequence[float], text: str) -> tuple[tuple[str, float], ...]:
        """The likeliest categories in use. Those the weights have never heard of are judged by their words."""
        # Hardly any of the hundreds is worth telling, so these are sorted out before they are put in order.
        likely = [(sure, code) for sure, code in zip(odds, classes, strict=True) if sure >= _WORTH_TELLING]
        found = [
            (code, round(sure, 3))
            for sure, code in nlargest(_CANDIDATES + 2, likely)
            if code != NO_CATEGORY and code in self.categories
        ]
        if self.lexicon:
            new = [(code, sure) for code, sure in self.lexicon.rank(text, _CANDIDATES) if sure >= LIKELY]
            rest = 1.0 - max((sure for _, sure in new), default=0.0)
            found = sorted([*new, *((code, round(sure * rest, 3)) for code, sure in found)], key=lambda one: -one[1])
        return tuple(found[:_CANDIDATES])

    def _by_words(self, text: str, words: str) -> Understanding:
        candidates = self.lexicon.rank(text, _CANDIDATES)
        best, confidence = candidates[0] if candidates else (None, 0.0)
        intent = _intent(words)
        urgency = Urgency.NORMAL
        said = self.signs.dangers(self.signs.of(words))
        danger = self.kinds[said[0]] if said else self._danger_of(candidates)
        if danger is not None:
            urgency = Urgency.CRITICAL
            if "phone" in danger and intent == Intent.REPORT:
                # A national number means that life may depend on it; a unit's own line is for a report that hurries.
                intent = Intent.EMERGENCY
        elif best is not None and confidence >= LIKELY:
            urgency = self.categories[best].urgency
        return Understanding(intent, urgency, candidates, language_of(text), danger["code"] if danger else None)

    def _danger_of(self, candidates: Sequence[tuple[str, float]]) -> dict[str, Any] | None:
        """The kind of emergency that the likeliest category itself means."""
        if not candidates or candidates[0][1] < LIKELY:
            return None
        return next((kind for kind in self.kinds.values() if candidates[0][0] in kind.get("categories", ())), None)


def _intent(words: str) -> str:
    """The intent by words alone. Words of politeness count only when hardly anything else is said."""
    limits = language()["limits"]
    for name in intents_in(words):
        if name not in limits["polite"] or len(words) <= limits["polite_longest"]:
            return name
    return Intent.REPORT


def _missing(
    understood: Understanding, text: str, words: str, reference: Reference, has_place: bool | None
) -> tuple[str, ...]:
    """What has to be asked: the place where somebody may have to go, the number of a report, or what it is about."""
    intent, sure = understood.intent, understood.confidence
    if intent in (Intent.FOLLOWUP, Intent.WITHDRAW):
        is_open = has_place is None and not _NUMBER.search(text) and reference.gazetteer.find(text) == Found()
        return (CASE_NUMBER,) if is_open else ()
    missing: list[str] = []
    if intent in _NEEDS_SOMEBODY:
        is_about = sure >= _ABOUT_SOMETHING
        if intent in (Intent.REPORT, Intent.COMPLAINT) and not is_about:
            missing.append(WHAT)
        elif not is_about:
            return ()
    elif intent != Intent.CONSULT or sure < LIKELY:
        return ()
    code = understood.candidates[0][0] if understood.candidates else ""
    if intent == Intent.CONSULT and reference.categories_by_code[code].urgency == Urgency.NORMAL:
        # A question about what is out of order is a report in other words; other questions need no place.
        return ()
    if code in reference.setting("understanding.placeless", ()) and sure >= LIKELY:
        return tuple(missing)
    if has_place is None:
        has_place = bool(_scanned().search(words)) or reference.gazetteer.find(text) != Found()
    return tuple(missing) if has_place else (LOCATION, *missing)


@cache
def _scanned() -> re.Pattern[str]:
    """Words of somebody who scanned a facility's code, which says where it is."""
    return any_of(language()["scanned"]["words"])
