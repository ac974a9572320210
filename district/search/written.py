"""Tokens as the two databases keep them and as they are asked for. Tokens are letters and digits: nothing to mask."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from district.search.tokens import Wanted


def stored(found: Sequence[str], *, on_sqlite: bool) -> str:
    """What is written into a column of words: on PostgreSQL with positions."""
    if on_sqlite:
        return " ".join(found)
    return " ".join(f"'{token}':{place}" for place, token in enumerate(found, 1))


def fts5(wanted: Collection[Wanted]) -> str:
    """SQLite's query for all of these."""
    return " AND ".join(f'"{" ".join(one.tokens)}"{" *" if one.is_open else ""}' for one in wanted)


def tsquery(wanted: Collection[Wanted]) -> str:
    """PostgreSQL's query for all of these."""
    parts = []
    for one in wanted:
        words = " <-> ".join(f"'{token}'" for token in one.tokens)
        parts.append(f"({words}{':*' if one.is_open else ''})")
    return " & ".join(parts)
