"""A decision's unit, as it is just now: the one that the rules name, or whoever stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from district.duty import service as duty
from district.reference import Reference, UnitRef
from district.routing.rules import Decision


@dataclass(frozen=True)
class Standing:
    """unit: None where nobody is named. reason, trace: the decision's, with the stand-in told of."""

    unit: UnitRef | None
    reason: dict[str, Any]
    trace: list[dict[str, Any]]


def standing(decision: Decision, ref: Reference, at: datetime | None = None) -> Standing:
    """Who gets it. at: the moment that matters, now when left out."""
    unit = ref.units_by_code.get(decision.unit or "")
    reason, trace = decision.reason.as_json(), [dict(entry) for entry in decision.trace]
    stand_in = duty.stand_in_for(unit.id, at) if unit is not None else None
    if unit is None or stand_in is None:
        return Standing(unit, reason, trace)
    if not decision.to_triage:
        reason = {"key": "handback.reason.stand_in", "params": {"unit": stand_in.name, "away": unit.name}}
    trace.append({"rule": decision.rule, "outcome": "stand_in", "unit": stand_in.code, "away": unit.code})
    return Standing(stand_in, reason, trace)
