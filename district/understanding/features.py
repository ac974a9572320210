"""What a text is made of, as the trained weights see it: groups of letters and words, and signs that were looked for.

Training and understanding use the same function, or the weights would mean nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Part of what weights depend on: counted up when the same text would give other features.
FORMAT = 1
# Longest group, in units: a Chinese character, a Latin word, a number, a sign.
_LONGEST = 2
_UNIT = re.compile(r"[a-z]+|\d+|[^\sa-z\d]")
# Signs that only separate. Those that show what a sentence is (question, exclamation) are kept.
_SEPARATORS = frozenset(",.，。、；;：:“”\"'‘’()（）[]【】《》<>-—_~～·…/\\|*#^`")
_BEGIN, _END = "\x02", "\x03"


def units(text: str) -> list[str]:
    """The units of a text: full-width forms made plain, small letters, numbers without their value."""
    found: list[str] = []
    for unit in _UNIT.findall(unicodedata.normalize("NFKC", text).lower()):
        if unit in _SEPARATORS:
            # Groups do not reach over a pause; two pauses are one.
            if found and found[-1] != "":
                found.append("")
        elif unit[0].isdigit():
            found.append("0")
        elif len(unit) > 3 and unit.endswith("s") and unit.isascii() and not unit.endswith("ss"):
            found.append(unit[:-1])
        else:
            found.append(unit)
    return found


def features(text: str, signs: Iterable[str] = ()) -> list[str]:
    """Every feature of a text once, in a fixed order. signs: names of what was looked for and found in it."""
    row = [_BEGIN, *units(text), _END]
    found = dict.fromkeys(signs)
    count = len(row)
    for start in range(count):
        first = row[start]
        if not first:
            continue
        found[first] = None
        group = first
        for end in range(start + 1, min(start + _LONGEST, count)):
            unit = row[end]
            if not unit:
                break
            group = f"{group} {unit}" if unit.isascii() and unit.isalpha() else group + unit
            found[group] = None
    return list(found)
