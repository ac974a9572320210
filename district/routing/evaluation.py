"""How well messages are understood and routed, measured on messages whose meaning people have written down.

Right and wrong are defined so that whoever measures again gets the same figures: see docs/understanding.md.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from district.errors import BadInput
from district.geo.measure import metres_between
from district.reference import Reference, reference
from district.routing.rules import AUTO, Decision
from district.routing.service import Considered, consider
from district.understanding import Intent
from district.understanding.training import calibration_of

ACCEPTABLE = "also_acceptable_or_secondary"
# The two mean the same to whoever reads the figures: nothing is wanted.
_ALIKE = {Intent.CHITCHAT: Intent.THANKS}
_CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Message:
    """One message with its meaning. category: a code or a word for none; point: (longitude, latitude, metres).

    intent "", is_critical and needs_clarification None: the file does not say.
    """

    text: str
    category: str
    acceptable: frozenset[str]
    intent: str
    is_critical: bool | None
    needs_clarification: bool | None
    point: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates are 0..1, None where the file has nothing to judge by."""

    n: int
    intent: float | None
    category_top1: float | None
    category_top3: float | None
    critical_recall: float | None
    critical_precision: float | None
    clarification_f1: float | None
    unit_accuracy: float | None
    wrong_unit_rate: float | None
    place_accuracy: float | None
    place_wrong_rate: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """confused_*: (expected, found, how often), most often first.

    calibration_error: how far confidences are from the share that is right (see training.calibration_of); None where
    the file has nothing to judge by.
    """

    figures: Figures
    confused_intents: tuple[tuple[str, str, int], ...]
    confused_categories: tuple[tuple[str, str, int], ...]
    calibration_error: float | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    message: Message
    considered: Considered
    # Where a row names a real category: (right, sent by itself to another unit).
    unit: tuple[bool, bool] | None


def read(path: Path) -> list[Message]:
    """The messages of a CSV file. What it has no column for is not judged.

    Raises BadInput for a file without texts, or with a point that is none.
    """
    with path.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        if "text" not in (reader.fieldnames or ()):
            raise BadInput(fields={"file": "errors.evaluation_columns"})
        return [_message(row) for row in reader]


def has_points(path: Path) -> bool:
    """Whether the file says where its messages are about."""
    with path.open(encoding="utf-8-sig", newline="") as opened:
        return {"lon", "lat", "tolerance_m"} <= set(csv.DictReader(opened).fieldnames or ())


def evaluate(messages: Sequence[Message], *, with_places: bool) -> Evaluation:
    """Understand and route every message, and compare. Files nothing.

    with_places: whether the messages' points are known, so that a place where there is none is a mistake.
    """
    ref = reference()
    judged = [_judge(message, ref) for message in messages]
    figures = Figures(
        n=len(judged),
        intent=_share(
            _alike(one.considered.understood.intent) == _alike(one.message.intent)
            for one in judged
            if one.message.intent
        ),
        category_top1=_share(_hit(one, 1) for one in judged if one.unit),
        category_top3=_share(_hit(one, 3) for one in judged if one.unit),
        critical_recall=_share(_is_critical(one) for one in judged if one.message.is_critical),
        critical_precision=_share(
            one.message.is_critical for one in judged if one.message.is_critical is not None and _is_critical(one)
        ),
        clarification_f1=_f1(
            (one.message.needs_clarification, one.considered.understood.needs_clarification)
            for one in judged
            if one.message.needs_clarification is not None
        ),
        unit_accuracy=_share(one.unit[0] for one in judged if one.unit),
        wrong_unit_rate=_share(one.unit[1] for one in judged if one.unit),
        place_accuracy=_share(_is_placed(one) for one in judged if with_places and one.message.point),
        place_wrong_rate=_share(_is_misplaced(one) for one in judged) if with_places else None,
    )
    intents = Counter(
        (_alike(one.message.intent), _alike(one.considered.understood.intent)) for one in judged if one.message.intent
    )
    categories = Counter(
        (one.message.category, next(iter(one.considered.understood.candidates), ("", 0.0))[0])
        for one in judged
        if one.unit and not _hit(one, 1)
    )
    sure = [(one.considered.understood.confidence, _hit(one, 1)) for one in judged if one.unit]
    return Evaluation(figures, _most(intents), _most(categories), calibration_of(sure).get("calibration_error"))


def _message(row: dict[str, str]) -> Message:
    point = None
    if (row.get("lon") or "").strip():
        try:
            point = (float(row["lon"]), float(row["lat"]), float(row["tolerance_m"]))
        except (KeyError, ValueError) as error:
            raise BadInput(fields={"file": "errors.evaluation_point"}) from error
    category, intent, urgency, unclear = (
        (row.get(name) or "").strip() for name in ("expected_category", "intent", "urgency", "needs_clarification")
    )
    return Message(
        row["text"],
        category,
        frozenset(code.strip() for code in (row.get(ACCEPTABLE) or "").split(";") if code.strip()),
        intent,
        urgency == _CRITICAL if urgency else None,
        unclear == "1" if unclear else None,
        point,
    )


def _judge(message: Message, ref: Reference) -> _Judged:
    centre = ref.setting("map.centre") or {}
    # Where the text names no place inside the district, the middle of the map stands for it.
    considered = consider(message.text, fallback=centre)
    if message.category not in ref.categories_by_code:
        return _Judged(message, considered, None)
    expected = consider(message.text, category_code=message.category, fallback=centre).decision
    return _Judged(message, considered, _judge_unit(message, considered.decision, expected))


def _judge_unit(message: Message, found: Decision, expected: Decision) -> tuple[bool, bool]:
    if found.to_triage:
        return expected.mode != AUTO or bool(message.needs_clarification), False
    is_same = found.unit == expected.unit
    return is_same, not is_same


def _hit(one: _Judged, among: int) -> bool:
    wanted = {one.message.category, *one.message.acceptable}
    return any(code in wanted for code, _ in one.considered.understood.candidates[:among])


def _is_critical(one: _Judged) -> bool:
    return one.considered.understood.urgency.value == _CRITICAL


def _is_placed(one: _Judged) -> bool:
    place = one.considered.found.place
    if place is None or one.message.point is None:
        return False
    longitude, latitude, tolerance_m = one.message.point
    return metres_between(latitude, longitude, place.latitude, place.longitude) <= tolerance_m


def _is_misplaced(one: _Judged) -> bool:
    return one.considered.found.place is not None and not _is_placed(one)


def _alike(intent: str) -> str:
    return _ALIKE.get(intent, intent)


def _share(hits: Iterable[bool]) -> float | None:
    found = list(hits)
    return round(sum(found) / len(found), 4) if found else None


def _f1(pairs: Iterable[tuple[bool, bool]]) -> float | None:
    counts = Counter(pairs)
    hit, missed, false = counts[True, True], counts[True, False], counts[False, True]
    return round(2 * hit / (2 * hit + missed + false), 4) if hit + missed else None


def _most(pairs: Counter[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    wrong = [(expected, found, count) for (expected, found), count in pairs.items() if expected != found]
    return tuple(sorted(wrong, key=lambda one: (-one[2], one)))
