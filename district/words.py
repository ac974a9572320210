"""What people type, made safe to keep and to show. Pure."""

from __future__ import annotations

_KEPT = "\n\t\u200d"  # the last one joins emoji


def clean(text: str) -> str:
    """Without control characters and outer blanks. Line breaks stay; any other kind of blank becomes a space.

    Control characters are more than untidy: PostgreSQL refuses the first of them, WeChat's XML most, and some turn
    the direction of what follows.
    """
    return "".join(map(_character, text)).strip()


def _character(one: str) -> str:
    # Beyond the basic plane everything stays: new emoji are unknown to Python for years.
    if one in _KEPT or one.isprintable() or one > "\uffff":
        return one
    return " " if one.isspace() and one != "\r" else ""
