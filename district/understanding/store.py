"""Where trained weights are kept: in the settings, so that every process has the same and a new training reaches all.

`weights` is the stamp that snapshots of the reference data carry; the weights themselves, large, stand beside it and
are read when the stamp is new to this process.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from typing import Any

from sqlalchemy import select

from district import settings
from district.extensions import db
from district.reference import Reference
from district.settings import DistrictSetting
from district.understanding.material import Danger, Material, Utterance, Written
from district.understanding.weights import UnreadableWeights, Weights

log = logging.getLogger(__name__)

STAMP = "weights"
PACKED = "weights:packed"
UTTERANCES = "weights:utterances"

_latest: tuple[str, Weights] | None = None
_lock = threading.Lock()


def keep(packed: bytes) -> None:
    """Make these the district's weights; does not commit, and the caller counts the settings' version up.

    Raises UnreadableWeights.
    """
    weights = Weights.unpack(packed)
    settings.put(STAMP, {"digest": digest_of(packed), "made_of": weights.made_of, "figures": weights.figures})
    settings.put(PACKED, base64.b64encode(packed).decode())


def digest_of(packed: bytes) -> str:
    """By which one training's weights are told from another's."""
    return hashlib.sha256(packed).hexdigest()


def drop() -> None:
    """Go back to words alone; does not commit."""
    for name in (STAMP, PACKED):
        if settings.get(name) is not None:
            settings.put(name, None)


def keep_utterances(utterances: tuple[Utterance, ...]) -> None:
    """Keep what later trainings start from; does not commit."""
    settings.put(UTTERANCES, [as_row(utterance) for utterance in utterances])


def as_row(utterance: Utterance) -> list[str]:
    """An utterance as it is kept."""
    return [utterance.text, utterance.category, utterance.intent, utterance.urgency, utterance.writer]


def material(reference: Reference) -> Material:
    """All that a new training learns from: the district's present words and its utterances."""
    rows = settings.get(UTTERANCES) or []
    return Material(written_of(reference), dangers_of(reference), tuple(Utterance(*row) for row in rows))


def written_of(reference: Reference) -> tuple[Written, ...]:
    """What is written about each category in use."""
    problems: dict[str, list[str]] = {}
    for kind in reference.facility_types_by_code.values():
        if kind.default_category_code:
            words = problems.setdefault(kind.default_category_code, [])
            words += [kind.name, *(kind.name + problem for problem in kind.problems)]
    return tuple(
        Written(
            category.code,
            category.name,
            category.name_en,
            category.keywords,
            tuple(standard.condition for standard in category.standards),
            tuple(problems.get(category.code, ())),
        )
        for category in sorted(reference.categories_by_code.values(), key=lambda one: one.code)
    )


def dangers_of(reference: Reference) -> tuple[Danger, ...]:
    return dangers_in(reference.setting("emergency", []))


def dangers_in(emergencies: list[dict[str, Any]]) -> tuple[Danger, ...]:
    """The words of each kind of emergency of district.toml."""
    return tuple(
        Danger(kind["code"], (*kind.get("words", ()), *kind.get("words_en", ())), tuple(kind.get("signs", ())))
        for kind in emergencies
    )


def version(reference: Reference) -> str:
    """Which training understands this snapshot's messages: the beginning of its digest, or `words` for none."""
    stamp = reference.setting(STAMP)
    return str(stamp["digest"])[:12] if stamp else "words"


def trained(reference: Reference) -> Weights | None:
    """The weights that go with this snapshot, or None where the district has none that can be read."""
    global _latest
    stamp = reference.setting(STAMP)
    if not stamp:
        return None
    known = _latest
    if known is None or known[0] != stamp["digest"]:
        with _lock:
            known = _latest
            if known is None or known[0] != stamp["digest"]:
                found = _read()
                if found is None:
                    return None
                known = _latest = found
    return known[1]


def _read() -> tuple[str, Weights] | None:
    started = time.perf_counter()
    with db.engine.connect() as connection:
        packed = connection.scalar(select(DistrictSetting.value).where(DistrictSetting.name == PACKED))
    raw = base64.b64decode(packed or "")
    try:
        weights = Weights.unpack(raw)
    except UnreadableWeights as error:
        log.error("the trained weights cannot be read: words alone are used", extra={"reason": str(error)})
        return None
    took_ms = round((time.perf_counter() - started) * 1000)
    log.info("trained weights read", extra={"count": len(weights), "took_ms": took_ms})
    return digest_of(raw), weights
