"""Train a model on the district's words and its dispatchers' decisions, and judge it against the one in use.

Computes only: opens no transaction, writes nothing. Times and memory are bounded by `lessons`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from district.categories.models import Urgency
from district.learning.lessons import Decided, Lessons
from district.reference import Reference
from district.understanding import Understanding, store, training
from district.understanding.material import Material
from district.understanding.service import reader_by
from district.understanding.weights import CATEGORY, HEADS, INTENT, Weights

# Fewer decisions tell nothing: to judge by, and corrections to learn from.
LEAST_HELD_BACK = 30
LEAST_CORRECTED = 10
# How much better the category must be on held-back decisions, and by how many of them.
_MARGIN, _FEWEST_MORE = 0.01, 3
# A difference is believed when chance alone would make it in fewer than one of twenty nights (one-sided sign test).
_BEYOND_CHANCE = 1.65
# How much of the shipped utterances held back may be lost.
_TOLERANCE = 0.01


class Verdict:
    """Why a training ended as it did; each has its sentence under `learning.verdict`."""

    BETTER = "better"
    NO_UTTERANCES = "no_utterances"
    FEW = "few"
    NOTHING_NEW = "nothing_new"
    NOT_BETTER = "not_better"
    CHANCE = "chance"
    FORGETS = "forgets"
    CRITICAL = "critical"


# What could not even be trained.
IDLE = frozenset({Verdict.NO_UTTERANCES, Verdict.FEW, Verdict.NOTHING_NEW})


@dataclass(frozen=True, slots=True)
class Study:
    """What came of it. weights: None where nothing was trained. against: the digest of the weights it was judged by.

    made_of: tells whether the same would be learnt again. figures: rates 0..1 and counts.
    """

    verdict: str
    made_of: str
    against: str
    trained_on: dict[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    weights: Weights | None = None

    @property
    def why(self) -> dict[str, Any]:
        """`{key, params}`: the verdict as a sentence of the catalogue."""
        return {"key": f"learning.verdict.{self.verdict}", "params": {}}


def study(lessons: Lessons, ref: Reference, *, known: Sequence[str] = (),
          tell: Callable[[str], None] = lambda part: None) -> Study:  # fmt: skip
    """Learn, and judge. known: `made_of` of what was studied before and is not studied again."""
    started = time.perf_counter()
    material = store.material(ref)
    present = store.trained(ref)
    against = (ref.setting(store.STAMP) or {}).get("digest", "")
    made_of = _digest(lessons, material)
    counts: dict[str, Any] = {"utterances": len(material.utterances), **lessons.counts, "made_of": made_of}
    verdict = _idle(lessons, material, made_of in known)
    if verdict:
        return Study(verdict, made_of, against, counts)
    weights, baseline = _train(lessons, material, present, tell)
    figures = {**weights.figures, **_compare(lessons.held_back, material, present, weights, ref)}
    figures |= {"shipped_before": baseline, "shipped_after": weights.figures["category_top1"]}
    figures["took_s"] = round(time.perf_counter() - started, 1)
    return Study(_judge(figures), made_of, against, counts, figures, weights)


def is_worth_training(lessons: Lessons, ref: Reference, known: Sequence[str]) -> bool:
    """Whether `study` would train, which takes a while."""
    material = store.material(ref)
    return not _idle(lessons, material, _digest(lessons, material) in known)


def _idle(lessons: Lessons, material: Material, is_known: bool) -> str:
    if not material.utterances:
        return Verdict.NO_UTTERANCES
    counts = lessons.counts
    if counts["held_back"] < LEAST_HELD_BACK or counts["corrected"] < LEAST_CORRECTED:
        return Verdict.FEW
    return Verdict.NOTHING_NEW if is_known else ""


def _train(
    lessons: Lessons, material: Material, present: Weights | None, tell: Callable[[str], None]
) -> tuple[Weights, float]:
    """New weights, and what the present ones reach on the shipped utterances held back (category, first choice).

    Only the category is learnt from decisions. Intent and urgency are taken over as long as the district's own words
    are the same, which also keeps every danger recognised as it was.
    """
    taught = [one.lesson() for one in lessons.taught]
    is_same = present is not None and present.made_of == material.digest() and "category_top1" in present.figures
    others = present if is_same else None
    answers = training.held_back(material, tell=tell, lessons=taught, others=others)
    codes = {written.code for written in material.categories}
    temperatures = {name: training.temperature_of(answers, name, codes) for name in HEADS}
    figures: dict[str, Any] = training.figures_of(answers)
    figures |= training.calibration_of(training.category_odds(answers, temperatures[CATEGORY], codes))
    if present is not None and others is not None:
        # What was taken over knows these utterances: only what was measured when it had not seen them counts.
        figures[INTENT] = present.figures.get(INTENT)
        # Against the best there was: small losses must not add up from night to night.
        baseline = max(present.figures["category_top1"], present.figures.get("first_top1", 0.0))
    else:
        tell("shipped")
        baseline = training.figures_of(training.held_back(material))["category_top1"]
    figures["first_top1"] = baseline
    tell("*")
    return training.fit(material, material.utterances, temperatures, figures, lessons=taught, others=others), baseline


def _compare(
    held_back: Sequence[Decided], material: Material, present: Weights | None, weights: Weights, ref: Reference
) -> dict[str, Any]:
    """Both models on decisions that neither has learnt from, and on every danger of the shipped utterances."""
    before, after = reader_by(present, ref), reader_by(weights, ref)
    hits: dict[str, list[bool]] = {"before_top1": [], "after_top1": [], "before_top3": [], "after_top3": []}
    for one in held_back:
        for name, read in (("before", before), ("after", after)):
            codes = [code for code, _ in read(one.text).candidates]
            hits[f"{name}_top1"].append(codes[:1] == [one.category])
            hits[f"{name}_top3"].append(one.category in codes)
    pairs = list(zip(hits["before_top1"], hits["after_top1"], strict=True))
    dangers = [utterance.text for utterance in material.utterances if utterance.urgency == Urgency.CRITICAL]
    return {
        **{name: _share(found) for name, found in hits.items()},
        "gained": sum(new and not old for old, new in pairs),
        "lost": sum(old and not new for old, new in pairs),
        "critical_before": _share([_is_critical(before(text)) for text in dangers]),
        "critical_after": _share([_is_critical(after(text)) for text in dangers]),
    }


def _judge(figures: dict[str, Any]) -> str:
    """Promoted only if better, and nowhere worse."""
    gained, lost = figures["gained"], figures["lost"]
    if figures["critical_after"] < figures["critical_before"]:
        return Verdict.CRITICAL
    if figures["shipped_after"] < figures["shipped_before"] - _TOLERANCE:
        return Verdict.FORGETS
    if gained - lost < _FEWEST_MORE or figures["after_top1"] - figures["before_top1"] < _MARGIN:
        return Verdict.NOT_BETTER
    if gained - lost < _BEYOND_CHANCE * sqrt(gained + lost):
        return Verdict.CHANCE
    return Verdict.BETTER


def _is_critical(understood: Understanding) -> bool:
    return understood.urgency is Urgency.CRITICAL


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def _digest(lessons: Lessons, material: Material) -> str:
    """The same for the same decisions and words."""
    content = [[one.report_id, one.category, one.is_corrected] for one in (*lessons.taught, *lessons.held_back)]
    whole = json.dumps([material.digest(), content])
    return hashlib.sha256(whole.encode()).hexdigest()
