"""Trained weights: packed small, read fast, asked for scores. Immutable, no library needed.

A score is a sum over the features of a text; which class each weight belongs to and the weight itself stand in two
flat arrays, so that a quarter of a million weights take a few megabytes and not tens. A feature that speaks of many
classes is kept as one long whole number besides, a lane of 32 bits for each: adding two of them adds all lanes at once.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Any

FORMAT = 1
# The heads: three questions asked of the same features.
CATEGORY, INTENT, URGENCY = HEADS = ("category", "intent", "urgency")
# The name of the class of texts that are about no category.
NO_CATEGORY = ""
# Weights are kept as whole multiples of this; those below the least change nothing and are left away.
_STEP = 0.02
_LEAST = 0.2
# Lanes hold no negative numbers, so each weight is this much more in them.
_RAISED = 32768
_LANE_BYTES = 4
# A feature that speaks of more classes than this is kept as lanes too: few features, but most of all weights.
_MANY_CLASSES = 24


class UnreadableWeights(ValueError):
    """These bytes are no weights, or of another version of this programme."""


@dataclass(frozen=True, slots=True)
class Head:
    """One question. classes: its answers in order; temperature: what makes its scores honest probabilities."""

    classes: tuple[str, ...]
    temperature: float = 1.0


class Weights:
    """made_of: the digest of all they were trained on. figures: what training measured on utterances held back."""

    def __init__(
        self,
        heads: Mapping[str, Head],
        rows: Iterable[tuple[str, Sequence[tuple[int, int]]]],
        *,
        made_of: str,
        figures: Mapping[str, Any],
    ) -> None:
        """rows: for each feature its (class, whole-number weight) pairs; classes are counted through all heads."""
        self.heads = dict(heads)
        self.made_of = made_of
        self.figures = dict(figures)
        self._spans: dict[str, tuple[int, int]] = {}
        at = 0
        for name in HEADS:
            self._spans[name] = (at, at + len(self.heads[name].classes))
            at += len(self.heads[name].classes)
        self._count = at
        self._index: dict[str, int] = {}
        starts, classes, values = array("I", [0]), array("H"), array("h")
        for feature, row in rows:
            if row:
                self._index[feature] = len(self._index)
                classes.extend(label for label, _ in row)
                values.extend(max(-32768, min(32767, value)) for _, value in row)
                starts.append(len(classes))
        self._starts, self._classes, self._values = starts, classes, values
        self._lanes: dict[int, int] = {}

    def __len__(self) -> int:
        """How many weights there are."""
        return len(self._values)

    def answers(self, features: Sequence[str]) -> dict[str, list[float]]:
        """The probability of each class of each head."""
        index, starts, classes, values, lanes = self._index, self._starts, self._classes, self._values, self._lanes
        whole, rest = 0, []
        for feature in features:
            number = index.get(feature)
            if number is None:
                continue
            begin, end = starts[number], starts[number + 1]
            if end - begin > _MANY_CLASSES:
                whole += lanes.get(number) or self._lanes_of(number)
            else:
                rest.append((begin, end))
        scores = _unlaned(whole.to_bytes(self._count * _LANE_BYTES, "little"))
        for begin, end in rest:
            for label, value in zip(classes[begin:end], values[begin:end], strict=True):
                scores[label] += value
        length = _STEP / sqrt(len(features) or 1)
        # Every lane is raised by the same amount, which changes no odds.
        return {
            name: odds(scores[begin:end], self.heads[name].temperature / length)
            for name, (begin, end) in self._spans.items()
        }

    def _lanes_of(self, number: int) -> int:
        """A feature's weights as one whole number, kept for the next text."""
        begin, end = self._starts[number], self._starts[number + 1]
        row = [_RAISED] * self._count
        for label, value in zip(self._classes[begin:end], self._values[begin:end], strict=True):
            row[label] += value
        made = int.from_bytes(b"".join(value.to_bytes(_LANE_BYTES, "little") for value in row), "little")
        self._lanes[number] = made
        return made

    def rows_of(self, head: str) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """(feature, its weights for this head alone), classes counted from the head's first."""
        begin, end = self._spans[head]
        for feature, number in self._index.items():
            span = slice(self._starts[number], self._starts[number + 1])
            row = [
                (label - begin, value)
                for label, value in zip(self._classes[span], self._values[span], strict=True)
                if begin <= label < end
            ]
            if row:
                yield feature, row

    def pack(self) -> bytes:
        """The same weights give the same bytes."""
        content = {
            "format": FORMAT,
            "made_of": self.made_of,
            "figures": self.figures,
            "heads": {name: [list(head.classes), head.temperature] for name, head in self.heads.items()},
            "features": "\n".join(self._index),
            "starts": _written(self._starts),
            "classes": _written(self._classes),
            "values": _written(self._values),
        }
        return zlib.compress(json.dumps(content, ensure_ascii=False).encode(), 9)

    @classmethod
    def unpack(cls, packed: bytes) -> Weights:
        """Raises UnreadableWeights."""
        try:
            content = json.loads(zlib.decompress(packed))
            if content["format"] != FORMAT:
                raise UnreadableWeights(f"format {content['format']}, not {FORMAT}")
            heads = {name: Head(tuple(classes), warmth) for name, (classes, warmth) in content["heads"].items()}
            made = cls(
                heads, (), made_of=content["made_of"], figures=content["figures"],
            )  # fmt: skip
            made._index = {feature: at for at, feature in enumerate(content["features"].split("\n"))}
            made._starts = _read("I", content["starts"])
            made._classes = _read("H", content["classes"])
            made._values = _read("h", content["values"])
        except (zlib.error, ValueError, KeyError, TypeError) as error:
            raise UnreadableWeights(str(error)) from error
        return made


def odds(scores: Sequence[float], temperature: float) -> list[float]:
    """Softmax: scores to probabilities. A temperature below one makes them surer."""
    highest = max(scores)
    sharpness = 1.0 / temperature
    parts = [exp((score - highest) * sharpness) for score in scores]
    share = 1.0 / sum(parts)
    return [part * share for part in parts]


def _unlaned(lanes: bytes) -> list[int]:
    numbers = array("I", lanes)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def packed_rows(rows: Sequence[Mapping[int, float]], offset: int) -> list[list[tuple[int, int]]]:
    """Trained rows as whole numbers, the negligible left away, classes counted on from `offset`."""
    return [
        [(label + offset, round(weight / _STEP)) for label, weight in sorted(row.items()) if abs(weight) >= _LEAST]
        for row in rows
    ]


def _written(numbers: array[int]) -> str:
    turned = array(numbers.typecode, numbers)
    if sys.byteorder == "big":
        turned.byteswap()
    return base64.b64encode(turned.tobytes()).decode()


def _read(typecode: str, written: str) -> array[int]:
    numbers = array(typecode)
    numbers.frombytes(base64.b64decode(written))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
