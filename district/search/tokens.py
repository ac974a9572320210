"""What a text is searched by, and how a query is read. Pure; the same for storing and for asking.

Chinese has no blanks between words: it is kept as every two neighbouring letters, and the last letter of a run once
more by itself. So any part of a sentence is found, one letter as well, and a longer part is its pairs in a row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Positions of PostgreSQL's tsvector end at 16383; a report is far shorter.
MOST_TOKENS = 6000
MOST_WORDS = 8
MOST_LETTERS = 200
# Blocks written without blanks: kana and Chinese, Hangul, and what was added to Chinese since.
_DENSE = ((0x3005, 0x3007), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x323AF))
_QUOTED = re.compile(r'"([^"]*)"?|(\S+)')
# Quotation marks as Chinese keyboards write them; NFKC leaves them alone.
_MARKS = str.maketrans(dict.fromkeys("\u201c\u201d\u300c\u300d\u300e\u300f", '"'))


@dataclass(frozen=True)
class Wanted:
    """Tokens that stand one after the other. is_open: the last one may go on."""

    tokens: tuple[str, ...]
    is_open: bool


def tokens(text: str) -> list[str]:
    """The tokens of a text in order: letters and digits only, small, full width made half."""
    found: list[str] = []
    for run in _runs(text):
        if _is_dense(run[0]):
            found += [run[place : place + 2] for place in range(len(run) - 1)]
            found.append(run[-1])
        else:
            found.append(run)
    return found[:MOST_TOKENS]


def read_query(text: str) -> list[Wanted]:
    """What all must be found for this query: each word, and each part in quotation marks, in a row.

    A word need not be whole at its end; what stands in quotation marks must be, as far as it is not Chinese.
    """
    wanted = []
    for quoted, word in _QUOTED.findall(text[:MOST_LETTERS].translate(_MARKS)):
        one = _in_a_row(quoted or word, is_quoted=bool(quoted))
        if one is not None and one not in wanted:
            wanted.append(one)
    return wanted[:MOST_WORDS]


def _in_a_row(part: str, *, is_quoted: bool) -> Wanted | None:
    runs = list(_runs(part))
    if not runs:
        return None
    *earlier, last = runs
    found = [token for run in earlier for token in tokens(run)]
    if not _is_dense(last[0]):
        return Wanted((*found, last), is_open=not is_quoted)
    if len(last) == 1:
        # It is stored with its neighbour, or alone where nothing follows it.
        return Wanted((*found, last), is_open=True)
    pairs = [last[place : place + 2] for place in range(len(last) - 1)]
    return Wanted((*found, *pairs), is_open=False)


def _runs(text: str) -> Iterator[str]:
    """Stretches of one kind of letters."""
    run = ""
    for letter in unicodedata.normalize("NFKC", text).casefold():
        if not letter.isalnum():
            if run:
                yield run
            run = ""
        elif run and _is_dense(letter) != _is_dense(run[0]):
            yield run
            run = letter
        else:
            run += letter
    if run:
        yield run


@lru_cache(maxsize=10_000)
def _is_dense(letter: str) -> bool:
    number = ord(letter)
    return any(first <= number <= last for first, last in _DENSE)
