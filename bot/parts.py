"""Several problems in one message: where it may be cut. Pure; what a piece is about is asked of the caller.

Careful, because a wrong cut tears one report in two: a text is cut only where every piece has a category of its own
and all of them differ. Pieces that say nothing by themselves stay with the one before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

# "1." "2、" "（3）" and circled figures at the beginning of what they number.
_NUMBERED = re.compile(r"(?:^|(?<=[\s，,。.;；：:!！?？]))\s*[（(]?[1-9][)）.、．](?!\d)\s*|[①-⑨]\s*")
_SENTENCE = re.compile(r"[。；;！!？?\n]+|\.\s+")
_CLAUSE = re.compile(r"[，,、。；;！!？?\n]+|\.\s+")
SHORTEST = 3
MOST = 5


def may_hold_several(text: str, things_in: Callable[[str], Iterable[str]]) -> bool:
    """Whether looking closer is worth it: most messages are one or two clauses, and looking costs.

    things_in: the things that a clause names. Two clauses are two problems only when each names one of its own.
    """
    if len(text) < 2 * SHORTEST:
        return False
    if _SENTENCE.search(text.rstrip("。；;！!？?\n. ")) or len(_NUMBERED.findall(text)) >= 2:
        return True
    clauses = _cut(_CLAUSE, text)
    if len(clauses) != 2:
        return len(clauses) > 2
    first, second = (set(things_in(clause)) for clause in clauses)
    return bool(first - second and second - first)


def split(text: str, category_of: Callable[[str], str | None]) -> list[str]:
    """The problems a message tells of, in its own words and order; the whole message alone when it tells of one."""
    numbered = [piece.strip() for piece in _NUMBERED.split(text) if len(piece.strip()) >= SHORTEST]
    for pieces in (numbered, _cut(_SENTENCE, text), _cut(_CLAUSE, text)):
        found = _joined(pieces, category_of) if 2 <= len(pieces) <= 4 * MOST else []
        if 2 <= len(found) <= MOST:
            return found
    return [text]


def _cut(pause: re.Pattern[str], text: str) -> list[str]:
    return [piece.strip() for piece in pause.split(text) if piece.strip()]


def _joined(pieces: list[str], category_of: Callable[[str], str | None]) -> list[str]:
    """Pieces with what belongs to them, or nothing when two would be about the same."""
    told: list[tuple[str, str]] = []
    waiting: list[str] = []
    for piece in pieces:
        category = category_of(piece) if len(piece) >= SHORTEST else None
        if category is None or (told and told[-1][1] == category):
            if told:
                told[-1] = (f"{told[-1][0]}，{piece}", told[-1][1])
            else:
                waiting.append(piece)
            continue
        told.append(("，".join([*waiting, piece]), category))
        waiting = []
    categories = [category for _, category in told]
    return [words for words, _ in told] if len(set(categories)) == len(categories) else []
