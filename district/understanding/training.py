"""Train the weights from a district's material, in plain Python, with nothing to install.

Softmax regression by gradient steps over sparse features. Gradients of classes that are as good as ruled out are
left away, which keeps the rows of weights short and every step cheap. The same material gives the same weights.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any

from district.geo.gazetteer import plain
from district.understanding import weights as weighing
from district.understanding.features import features
from district.understanding.material import Material, Signs, Utterance, mended
from district.understanding.weights import CATEGORY, HEADS, INTENT, NO_CATEGORY, URGENCY, Head, Weights

# A class is pushed down only where the model still gives it at least this much.
_WORTH_A_STEP = 0.02
_ROUNDS = {CATEGORY: 5, INTENT: 5, URGENCY: 10}
_RATE = {CATEGORY: 8.0, INTENT: 8.0, URGENCY: 2.0}
# Rarity tells categories apart; what people want they say in frequent words.
_RARITY = {CATEGORY: 2.0, INTENT: 0.5, URGENCY: 1.0}
# Rare intents and urgencies count more than their number, by this root of their share.
_BALANCE = {CATEGORY: 0.0, INTENT: 0.5, URGENCY: 0.5}
# How much a line counts by where it comes from.
_NAME, _KEYWORD, _PROBLEM, _STANDARD = 1.0, 1.0, 0.5, 0.5
# A group of letters that nobody wrote in the district's words is learnt from residents only when this many used it.
SAID_BY = 3
# A category is acted on without a person when, of the answers that are so sure, this part is right.
_RIGHT_ENOUGH = 7 / 8
_LIMITS = tuple(n / 100 for n in range(50, 96, 5))
_ENOUGH_ANSWERS = 100
# One part in this many is held back to learn how sure the answers are.
_PARTS = 5
_SEED = 1
_TEMPERATURES = tuple(0.3 * 1.1**n for n in range(24))

Rows = list[dict[int, float]]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from. features: numbers, each once. weight: how much it counts."""

    features: tuple[int, ...]
    label: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What staff decided a text is about. weight: how much it counts beside an utterance.

    whose: tells people apart. What only few of them say (a name, a house) is not learnt.
    """

    text: str
    category: str
    weight: float
    whose: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What weights that have not seen an utterance say about it: the probability of each class of each head."""

    utterance: Utterance
    odds: dict[str, dict[str, float]]

    def truth(self, head: str) -> str:
        said: str = getattr(self.utterance, head)
        return said


def train(examples: Sequence[Example], features: int, classes: int, *, rounds: int, rate: float, rarity: float) -> Rows:
    """Weights by feature and class; the same examples give the same weights.

    rarity: how much faster rare features are learned than frequent ones.
    """
    rows: Rows = [{} for _ in range(features)]
    speeds = _speeds(examples, features, rarity)
    order = list(range(len(examples)))
    shuffle = random.Random(_SEED).shuffle
    steps, step = rounds * max(1, len(examples)), 0
    for _ in range(rounds):
        shuffle(order)
        for place in order:
            example = examples[place]
            length = 1.0 / sqrt(len(example.features) or 1)
            pace = rate * (1.0 - step / steps) * example.weight * length
            step += 1
            scores = [0.0] * classes
            mine = [rows[feature] for feature in example.features]
            for row in mine:
                for label, weight in row.items():
                    scores[label] += weight
            highest = max(scores)
            odds = [exp((score - highest) * length) for score in scores]
            total = sum(odds)
            label = example.label
            wrong = 1.0 - odds[label] / total
            if wrong < _WORTH_A_STEP:
                continue
            least, unit = _WORTH_A_STEP * total, pace / total
            changes = [(other, -unit * odd) for other, odd in enumerate(odds) if odd > least and other != label]
            changes.append((label, pace * wrong))
            for feature, row in zip(example.features, mine, strict=True):
                speed = speeds[feature]
                for other, change in changes:
                    row[other] = row.get(other, 0.0) + change * speed
    return rows


def _speeds(examples: Sequence[Example], features: int, rarity: float) -> list[float]:
    """How fast each feature is learned: a power of its rarity, as if features were weighted by it."""
    seen = Counter(feature for example in examples for feature in example.features)
    rarest = log(1 + len(examples)) + 1
    return [((log((1 + len(examples)) / (1 + seen[feature])) + 1) / rarest) ** rarity for feature in range(features)]


class _Numbers(dict[str, int]):
    """Numbers each new feature as it is asked for."""

    def __missing__(self, feature: str) -> int:
        number = self[feature] = len(self)
        return number


def learn(material: Material, tell: Progress = lambda part: None) -> Weights:
    """Weights trained on all of the material, honest about how sure they are.

    How sure is measured on utterances held back. tell: is told the name of each part of the work as it begins.
    """
    answers = held_back(material, tell=tell)
    known = {written.code for written in material.categories}
    temperatures = {name: temperature_of(answers, name, known) for name in HEADS}
    tell("*")
    figures = figures_of(answers) | calibration_of(category_odds(answers, temperatures[CATEGORY], known))
    return fit(material, material.utterances, temperatures, figures)


def fit(material: Material, utterances: Sequence[Utterance], temperatures: Mapping[str, float] | None = None,
        figures: Mapping[str, Any] | None = None, *, lessons: Sequence[Lesson] = (),
        others: Weights | None = None) -> Weights:  # fmt: skip
    """Weights trained on the district's words and these utterances.

    lessons: teach the category alone, nobody decides about intent and urgency. others: whose weights for these two are
    taken over as they are.
    """
    known = {written.code for written in material.categories}
    classes: dict[str, tuple[str, ...]] = {
        CATEGORY: (NO_CATEGORY, *sorted(known)),
        INTENT: tuple(sorted({utterance.intent for utterance in utterances})) or ("report",),
        URGENCY: tuple(sorted({utterance.urgency for utterance in utterances})) or ("normal",),
    }
    if others is not None:
        classes |= {name: others.heads[name].classes for name in (INTENT, URGENCY)}
    look = signs_of(material)
    number = _Numbers()

    def numbered(text: str) -> tuple[int, ...]:
        text = mended(text)
        return tuple(number[feature] for feature in features(text, look.of(plain(text))))

    texts = [numbered(utterance.text) for utterance in utterances]
    examples: dict[str, list[Example]] = {name: [] for name in HEADS}
    places = {name: {label: place for place, label in enumerate(classes[name])} for name in HEADS}
    for code, text, weight in _written(material):
        examples[CATEGORY].append(Example(numbered(text), places[CATEGORY][code], weight))
    balance = {name: _balance(name, utterances) for name in HEADS}
    for utterance, row in zip(utterances, texts, strict=True):
        category = utterance.category if utterance.category in known else NO_CATEGORY
        for name, label in ((CATEGORY, category), (INTENT, utterance.intent), (URGENCY, utterance.urgency)):
            examples[name].append(Example(row, places[name][label], balance[name].get(label, 1.0)))
    for lesson, row in _taught(lessons, look, number):
        if lesson.category in known:
            examples[CATEGORY].append(Example(row, places[CATEGORY][lesson.category], lesson.weight))
    taken = {name: list(others.rows_of(name)) for name in (INTENT, URGENCY)} if others is not None else {}
    for rows_taken in taken.values():
        for feature, _ in rows_taken:
            _ = number[feature]
    whole: list[list[tuple[int, int]]] = [[] for _ in number]
    offset = 0
    for name in HEADS:
        if name in taken:
            for feature, weighed in taken[name]:
                whole[number[feature]] += [(label + offset, value) for label, value in weighed]
            offset += len(classes[name])
            continue
        rows = train(
            examples[name],
            len(number),
            len(classes[name]),
            rounds=_ROUNDS[name],
            rate=_RATE[name],
            rarity=_RARITY[name],
        )
        for one, more in zip(whole, weighing.packed_rows(rows, offset), strict=True):
            one += more
        offset += len(classes[name])
    honest = dict(temperatures or {})
    if others is not None:
        honest |= {name: others.heads[name].temperature for name in (INTENT, URGENCY)}
    heads = {name: Head(classes[name], honest.get(name, 1.0)) for name in HEADS}
    made_of = Material(material.categories, material.dangers, tuple(utterances)).digest()
    return Weights(heads, zip(number, whole, strict=True), made_of=made_of, figures=figures or {})  # fmt: skip


def _balance(head: str, utterances: Sequence[Utterance]) -> dict[str, float]:
    """How much an utterance of each class counts."""
    counts = Counter(getattr(utterance, head) for utterance in utterances)
    most = max(counts.values(), default=1)
    return {label: (most / count) ** _BALANCE[head] for label, count in counts.items()}


def _taught(lessons: Sequence[Lesson], look: Signs, number: _Numbers) -> Iterable[tuple[Lesson, tuple[int, ...]]]:
    """Each lesson with the features that may be learnt from it: known ones, and those that several people used."""
    texts = [(lesson, features(mended(lesson.text), look.of(plain(mended(lesson.text))))) for lesson in lessons]
    users: dict[str, set[str]] = {}
    for lesson, found in texts:
        for feature in found:
            if feature not in number:
                users.setdefault(feature, set()).add(lesson.whose)
    for feature, whose in users.items():
        if len(whose) >= SAID_BY:
            _ = number[feature]
    for lesson, found in texts:
        yield lesson, tuple(number[feature] for feature in found if feature in number)


def held_back(material: Material, *, by_writer: bool = False, tell: Progress = lambda part: None,
              lessons: Sequence[Lesson] = (), others: Weights | None = None) -> list[Answer]:  # fmt: skip
    """What weights say about utterances they were not trained on.

    One part in five, by weights trained on the others; or by_writer: each writer's, by those trained on the other
    writers', which says more about a hand that nobody has seen, and takes a training for each. lessons, others: as in
    `fit`.
    """
    found: list[Answer] = []
    look = signs_of(material)
    for name, inside, outside in _folds(material.utterances, by_writer=by_writer):
        tell(name)
        made = fit(material, inside, lessons=lessons, others=others)
        for utterance in outside:
            text = mended(utterance.text)
            odds = made.answers(features(text, look.of(plain(text))))
            named = {head: dict(zip(made.heads[head].classes, odds[head], strict=True)) for head in HEADS}
            found.append(Answer(utterance, named))
    return found


def temperature_of(answers: Sequence[Answer], head: str, known: set[str]) -> float:
    """What makes the probabilities of utterances held back as honest as one number can."""

    def surprise(temperature: float) -> float:
        total = 0.0
        for answer in answers:
            odds = answer.odds[head]
            truth = answer.truth(head)
            if truth not in odds:
                truth = NO_CATEGORY if head == CATEGORY else ""
            if truth in odds:
                total -= log(max(_warmed(odds, temperature)[truth], 1e-9))
        return total

    return min(_TEMPERATURES, key=surprise) if answers else 1.0


def _warmed(odds: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Probabilities as another temperature would have made them of the same scores."""
    raised = {label: sure ** (1.0 / temperature) for label, sure in odds.items()}
    total = sum(raised.values())
    return {label: sure / total for label, sure in raised.items()}


def figures_of(answers: Sequence[Answer]) -> dict[str, float]:
    """What held-back utterances say of the weights: shares of right answers."""
    about = [answer for answer in answers if answer.utterance.category]
    best = {id(answer): sorted(answer.odds[CATEGORY], key=lambda code: -answer.odds[CATEGORY][code])[:3]
            for answer in about}  # fmt: skip
    return {
        "category_top1": _share(answer.utterance.category == best[id(answer)][0] for answer in about),
        "category_top3": _share(answer.utterance.category in best[id(answer)] for answer in about),
        "intent": _share(
            max(answer.odds[INTENT], key=answer.odds[INTENT].__getitem__) == answer.utterance.intent
            for answer in answers
        ),
    }


def category_odds(answers: Sequence[Answer], temperature: float, known: set[str]) -> list[tuple[float, bool]]:
    """Of each answer: how sure the likeliest category is, and whether it is right."""
    found = []
    for answer in answers:
        odds = _warmed(answer.odds[CATEGORY], temperature)
        best = max((code for code in odds if code != NO_CATEGORY), key=odds.__getitem__, default=NO_CATEGORY)
        truth = answer.utterance.category if answer.utterance.category in known else NO_CATEGORY
        found.append((odds.get(best, 0.0), best == truth))
    return found


def calibration_of(answers: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """How honest confidences are, from (confidence, was it right).

    calibration_error: the mean distance, in tenths of confidence weighted by their number, between how sure the answers
    were and how many were right. sure_enough: from which confidence on enough are right to act without a person; left
    out where too few answers were given to tell.
    """
    if not answers:
        return {}
    error = 0.0
    for tenth in range(10):
        part = [(sure, right) for sure, right in answers if min(9, int(sure * 10)) == tenth]
        error += abs(sum(sure for sure, _ in part) - sum(right for _, right in part))
    found = {"calibration_error": round(error / len(answers), 4)}
    if len(answers) < _ENOUGH_ANSWERS:
        return found
    limit = _LIMITS[-1]
    for candidate in reversed(_LIMITS):
        surer = [right for sure, right in answers if sure >= candidate]
        if sum(surer) < _RIGHT_ENOUGH * len(surer):
            break
        limit = candidate
    return found | {"sure_enough": limit}


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return round(sum(found) / max(1, len(found)), 4)


def signs_of(material: Material) -> Signs:
    """What is looked for in a text, by the words of this material."""
    return Signs((word for written in material.categories for word in written.keywords), material.dangers)


def _folds(
    utterances: Sequence[Utterance], *, by_writer: bool
) -> Iterable[tuple[str, list[Utterance], list[Utterance]]]:
    """(name, to learn from, to ask about)."""
    writers = sorted({utterance.writer for utterance in utterances})
    if by_writer and len(writers) > 1:
        for writer in writers:
            others = [utterance for utterance in utterances if utterance.writer != writer]
            yield writer, others, [utterance for utterance in utterances if utterance.writer == writer]
    elif len(utterances) >= _PARTS:
        mixed = list(utterances)
        random.Random(_SEED).shuffle(mixed)
        yield f"{_PARTS - 1}/{_PARTS}", [one for at, one in enumerate(mixed) if at % _PARTS], mixed[::_PARTS]


def _written(material: Material) -> Iterable[tuple[str, str, float]]:
    """(category, text, how much it counts) of everything the district has written about its categories."""
    for written in material.categories:
        yield written.code, written.name, _NAME
        yield written.code, written.name_en.replace("_", " "), _NAME
        for texts, weight in (
            (written.keywords, _KEYWORD),
            (written.problems, _PROBLEM),
            (written.conditions, _STANDARD),
        ):
            for text in texts:
                yield written.code, text, weight
