"""A decision's trace as sentences that staff read, in the language of the moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from district.messages import ENGLISH, language, t
from district.reference import reference


def tell(trace: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each entry of a decision's trace, in its order."""
    return [_sentence(entry) for entry in trace]


def short(trace: Iterable[Mapping[str, Any]], inputs: Mapping[str, Any]) -> list[str]:
    """The decision as a story of a few sentences: what it is, where, which rule won, which ones came close."""
    entries = list(trace)
    return [_what(inputs), _where(inputs), *_winner(entries, inputs), *_others(entries)]


def _what(inputs: Mapping[str, Any]) -> str:
    ref = reference()
    category = ref.categories_by_code.get(inputs.get("category") or "")
    if category is None:
        return t("rules.story.category_none")
    name = category.name_en.replace("_", " ") if language() == ENGLISH and category.name_en else category.name
    if inputs.get("category_source") != "understood":
        return t("rules.story.category_given", category=name)
    sure = dict(map(tuple, inputs.get("candidates") or ())).get(category.code, 0.0)
    return t("rules.story.category_understood", category=name, sure=round(sure * 100))


def _where(inputs: Mapping[str, Any]) -> str:
    area = reference().areas_by_code.get(inputs.get("area") or "")
    if area is None:
        return t("rules.story.place_none")
    return t("rules.story.place_facility" if inputs.get("facility") else "rules.story.place", area=area.name)


def _winner(entries: list[Mapping[str, Any]], inputs: Mapping[str, Any]) -> list[str]:
    won = next((entry for entry in entries if entry["outcome"] == "won"), None)
    if won is None:
        return [t("rules.story.backstop")]
    border = next((entry for entry in entries if entry["outcome"] == "border"), None)
    notes = {rule.code: rule.note for rule in reference().rules}
    note = notes.get(won["rule"], "")
    told = {
        "rule": won["rule"],
        "unit": _unit_name(won.get("unit")),
        "note": t("rules.story.note", note=note) if note else "",
    }
    if not won.get("unit"):
        return [t("rules.story.won_nobody", **told)]
    by_staff = won.get("mode") not in ("auto", "transfer")
    found = [t("rules.story.won_triage" if by_staff else "rules.story.won", **told)]
    if border is not None:
        found.append(t("rules.story.border", other=_unit_name(border["unit"])))
    if not by_staff and not inputs.get("has_place"):
        found.append(t("rules.story.no_place"))
    return found


def _others(entries: list[Mapping[str, Any]]) -> list[str]:
    won = next((at for at, entry in enumerate(entries) if entry["outcome"] == "won"), len(entries))
    lost = list(dict.fromkeys(entry["rule"] for entry in entries[:won] if entry["outcome"] == "lost"))
    behind = sum(entry["outcome"] == "outranked" for entry in entries)
    found = [t("rules.story.lost", rules=t("rules.story.between").join(lost))] if lost else []
    return found + ([t("rules.story.outranked", count=behind)] if behind else [])


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
    if outcome == "border":
        area = reference().areas_by_code.get(entry["area"])
        return t("routing.trace.border", rule=rule or "-", unit=unit, area=area.name if area else entry["area"])
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
