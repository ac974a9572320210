"""The placeholders of replies: which there are, and what they say about a report. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from district.errors import BadInput
from district.messages import LANGUAGES, catalogue

# Each is written by this name or by its word of the catalogue, in any language (`reply.placeholder.*`).
PLACEHOLDERS = ("number", "unit", "due", "category", "place", "status")
_BRACES = re.compile(r"\{([^{}]*)\}")


@cache
def _names() -> Mapping[str, str]:
    """Every way to write a placeholder, by which one it means."""
    words = {catalogue(tag)[f"reply.placeholder.{name}"]: name for tag in LANGUAGES for name in PLACEHOLDERS}
    return words | {name: name for name in PLACEHOLDERS}


def unknown_in(text: str) -> list[str]:
    """Placeholders of `text` that nothing fills, as they were written; stray braces count as one."""
    names = [found[1].strip() for found in _BRACES.finditer(text)]
    stray = re.findall(r"[{}]", _BRACES.sub("", text))
    return [f"{{{name}}}" for name in names if name not in _names()] + stray[:1]


def fill(text: str, values: Mapping[str, str]) -> tuple[str, list[str]]:
    """`text` with what is known put in; and the placeholders that have nothing to say yet, which stay as written."""
    empty: list[str] = []

    def put(found: re.Match[str]) -> str:
        name = _names().get(found[1].strip(), "")
        value = values.get(name, "")
        if not value:
            empty.append(found[0])
            return found[0]
        return value

    return _BRACES.sub(put, text), empty


def check(text: str, field: str) -> None:
    """Raise BadInput when `text` has a placeholder that nothing fills."""
    unknown = unknown_in(text)
    if unknown:
        raise UnknownPlaceholder(field, unknown[0])


class UnknownPlaceholder(BadInput):
    """`name`: the placeholder as it was written."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__("reply.problem.unknown", fields={field: "reply.problem.unknown_field"}, name=name)


class EmptyPlaceholder(BadInput):
    """The report has nothing to say there yet, such as a unit before it is assigned."""

    def __init__(self, field: str, name: str) -> None:
        super().__init__("reply.problem.empty", fields={field: "reply.problem.empty_field"}, name=name)
