"""What a facility's record holds, and which column of somebody's file is which of it."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from district import settings
from district.errors import BadInput
from district.messages import LANGUAGES, catalogue

# In the order of the export and of every form. What the place tells (street, grid) is no field.
FIELDS = (
    "code", "code_other", "type", "name", "address", "longitude", "latitude", "owner", "maintainer", "contract_from",
    "contract_to", "emergency_phone", "state", "installed_on", "is_smart", "source",
)  # fmt: skip
# The headings of a file's columns as they were chosen before. The colon keeps it out of every process's memory.
REMEMBERED = "register:mapping"
_MOST_REMEMBERED = 300


class Datum(StrEnum):
    """What a file's coordinates are measured in. CGCS2000 lies within centimetres of WGS-84."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


@dataclass(frozen=True)
class Plan:
    """From which heading each field is read, and the coordinates' datum."""

    columns: Mapping[str, str]
    datum: Datum = Datum.WGS84

    def as_json(self) -> dict[str, Any]:
        return {"columns": dict(self.columns), "datum": self.datum.value}


def plan_of(given: Mapping[str, str], datum: str, headings: Sequence[str]) -> Plan:
    """The plan that somebody chose: {field: heading}, empty headings left out. Raises BadInput, naming the field."""
    columns = {name: heading for name, heading in given.items() if heading}
    wrong = {name: "register.plan.no_such_column" for name, heading in columns.items() if heading not in headings}
    wrong |= {name: "register.plan.no_such_field" for name in columns if name not in FIELDS}
    if "code" not in columns:
        wrong["code"] = "register.plan.code_missing"
    if ("longitude" in columns) != ("latitude" in columns):
        wrong["latitude" if "longitude" in columns else "longitude"] = "register.plan.half_a_place"
    twice = [heading for heading in columns.values() if list(columns.values()).count(heading) > 1]
    wrong |= {name: "register.plan.column_twice" for name, heading in columns.items() if heading in twice}
    if datum not in set(Datum):
        wrong["datum"] = "errors.bad_input"
    if wrong:
        raise BadInput(next(iter(wrong.values())) if len(wrong) == 1 else "register.plan.wrong", fields=wrong)
    return Plan(columns, Datum(datum))


def guess(headings: Sequence[str]) -> Plan:
    """The plan that fits these headings: as they were chosen before, else by what such columns are usually called."""
    before = settings.get(REMEMBERED) or {}
    chosen: dict[str, str] = {}
    free = list(headings)
    kept = before.get("columns", {})
    for heading in headings:
        name = kept.get(heading)
        if name in FIELDS and name not in chosen:
            chosen[name] = heading
            free.remove(heading)
    for name in FIELDS:
        if name in chosen:
            continue
        plain = {_plain(heading): heading for heading in reversed(free)}
        found = next((plain[words] for words in _names(name) if words in plain), None)
        # A column that somebody said means nothing to us is not guessed again.
        if found is not None and not (found in kept and kept[found] == ""):
            chosen[name] = found
            free.remove(found)
    datum = before.get("datum") if any(heading in kept for heading in headings) else None
    return Plan(chosen, Datum(datum) if datum in set(Datum) else Datum.WGS84)


def remember(plan: Plan, headings: Sequence[str]) -> None:
    """Read files with the same headings the same way next time."""
    names = {heading: name for name, heading in plan.columns.items()}
    kept: dict[str, str] = dict((settings.get(REMEMBERED) or {}).get("columns", {}))
    for heading in headings:
        kept.pop(heading, None)
        kept[heading] = names.get(heading, "")
    newest = dict(list(kept.items())[-_MOST_REMEMBERED:])
    settings.put(REMEMBERED, {"columns": newest, "datum": plan.datum.value})


def is_reason(heading: str) -> bool:
    """Whether a column only says why a row was refused the last time."""
    return _plain(heading) in {_plain(words) for words in _known()["ignored"]["reason"]}


def yes_or_no(text: str) -> bool | None:
    """What a yes or no means in either language; None for anything else."""
    words = _known()["words"]
    return True if text.casefold() in words["yes"] else False if text.casefold() in words["no"] else None


@cache
def _known() -> Mapping[str, Any]:
    with (Path(__file__).parent / "headings.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def _names(name: str) -> tuple[str, ...]:
    """What a field's column may be called, surest first."""
    own = [catalogue(tag)[f"register.field.{name}"] for tag in LANGUAGES]
    return tuple(dict.fromkeys(_plain(words) for words in [*_known()["fields"][name], *own, name]))


def _plain(heading: str) -> str:
    return re.sub(r"[\s_\-()*:/.]+", "", unicodedata.normalize("NFKC", heading).casefold())
