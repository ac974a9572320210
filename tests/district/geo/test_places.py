"""Sentences as residents write them, against the demo district: how many places are found, how few are made up.

`places.csv` was written beside the code; `places_blind.csv` after it, by the same hand, and was first run as it
stood (`docs/places.md` has that first figure). Both keep floors, so that a change that mends one sentence and
breaks ten is seen.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

import pytest

from district.geo.gazetteer import Found
from district.geo.measure import metres_between
from tests.district.geo.demo import ROOT, demo_gazetteer

DATA = ROOT / "tests" / "data"
SETS = ("places.csv", "places_blind.csv")
LEAST_FOUND, MOST_WRONG = 0.85, 0.05


@dataclass(frozen=True)
class Sentence:
    """A row: where the place truly is, or None where none may be asserted."""

    text: str
    point: tuple[float, float] | None
    tolerance_m: float
    note: str

    def is_met_by(self, found: Found) -> bool:
        if self.point is None or found.place is None:
            return self.point is None and found.place is None
        return metres_between(*self.point, found.place.latitude, found.place.longitude) <= self.tolerance_m


def sentences(name: str) -> list[Sentence]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return [
            Sentence(
                row["text"],
                (float(row["lat"]), float(row["lon"])) if row["lon"] else None,
                float(row["tolerance_m"] or 0),
                row["note"],
            )
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("name", SETS)
def test_most_places_are_found_and_few_are_made_up(name: str) -> None:
    rows = sentences(name)
    found = {row.text: demo_gazetteer().find(row.text) for row in rows}
    with_point = [row for row in rows if row.point]
    missed = [row for row in with_point if not row.is_met_by(found[row.text])]
    wrong = [row for row in rows if found[row.text].place is not None and not row.is_met_by(found[row.text])]
    accuracy = 1 - len(missed) / len(with_point)
    told = "\n".join(f"{row.note}: {row.text} -> {found[row.text].place}" for row in [*wrong, *missed])
    assert accuracy >= LEAST_FOUND, f"{accuracy:.3f} found in {name}:\n{told}"
    assert len(wrong) / len(rows) <= MOST_WRONG, f"{len(wrong)} of {len(rows)} wrong in {name}:\n{told}"


def test_the_sets_are_large_and_hold_no_sentence_twice() -> None:
    texts = [row.text for name in SETS for row in sentences(name)]
    assert len(texts) == len(set(texts))
    assert len(sentences("places.csv")) >= 200
    assert len(sentences("places_blind.csv")) >= 80


@pytest.mark.parametrize(
    "text",
    [row.text for name in SETS for row in sentences(name)],
)
def test_what_is_found_says_how_and_where_in_the_text(text: str) -> None:
    found = demo_gazetteer().find(text)
    if found.place is None:
        assert (found.how, found.confidence, found.precision_m, found.span) == ("", 0.0, 0.0, None)
    else:
        assert found.candidates[0] == found.place
        assert found.how
        assert 0 < found.confidence <= 1
        assert found.precision_m > 0
        assert found.span is None or 0 <= found.span[0] < found.span[1] <= len(text)


def test_a_message_of_no_place_at_all_asserts_none() -> None:
    with (DATA / "messages_dev.csv").open(encoding="utf-8", newline="") as file:
        texts = {row["id"]: row["text"] for row in csv.DictReader(file)}
    for number in ("M002", "M018", "M046", "M079", "M137", "M176", "M190", "M207", "M237", "M249", "M277", "M289"):
        assert demo_gazetteer().find(texts[number]).place is None, texts[number]
