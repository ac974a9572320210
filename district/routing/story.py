"""A decision's trace as sentences that staff read, in the language of the moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from district.messages import t
from district.reference import reference


def tell(trace: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each entry of a decision's trace, in its order."""
    return [_sentence(entry) for entry in trace]


def _sentence(entry: Mapping[str, Any]) -> str:
    outcome, rule = entry["outcome"], entry.get("rule") or ""
    if outcome == "not_concerned":
        return t("routing.trace.not_concerned", count=entry["count"])
    if outcome == "backstop":
        return t("handback.trace.backstop") if entry.get("unit") else t("routing.trace.backstop")
    if outcome == "lost":
        return t("routing.trace.lost", rule=rule, why=_why(entry["why"]))
    unit = _unit_name(entry.get("unit"))
    if outcome == "added":
        return t("routing.trace.added", rule=rule, unit=unit, role=t(f"routing.trace.role.{entry['role']}"))
    if outcome == "stand_in":
        return t("handback.trace.stand_in", unit=unit, away=_unit_name(entry.get("away")))
    if outcome == "outranked":
        return t("routing.trace.outranked", rule=rule, unit=unit or t("routing.trace.staff"))
    if not unit:
        return t("routing.trace.won_nobody", rule=rule)
    left_to_staff = entry.get("mode") not in ("auto", "transfer")
    return t("routing.trace.won_triage" if left_to_staff else "routing.trace.won", rule=rule, unit=unit)


def _why(reason: Mapping[str, Any]) -> str:
    params = dict(reason["params"])
    unit = params.get("unit", "")
    if unit.startswith("@"):
        params["unit"] = t(f"routing.trace.unit.{unit[1:].replace('.', '_').removesuffix('_unit')}")
    return t(reason["key"], **params)


def _unit_name(code: str | None) -> str:
    unit = reference().units_by_code.get(code or "")
    return unit.name if unit else code or ""
