"""How names sound: so that a name spelt with other characters of the same sound, or in Latin letters, is known again.

Toneless syllables of Mandarin, one reading a character. `folded` makes those equal that many speakers, and their
telephones' input methods, do not tell apart: zh/z, ch/c, sh/s, n/l at the beginning, ing/in, eng/en and ang/an at
the end.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

_LEVEL_ONE = range(0xB0A1, 0xD7FA)  # where GB 2312 keeps its characters in the order of their syllables


def _code(character: str) -> int:
    """The character's place in GB 2312; 0 for one that is not in it."""
    try:
        code = character.encode("gb2312")
    except UnicodeEncodeError:
        return 0
    return int.from_bytes(code) if len(code) == 2 else 0


def _read() -> tuple[list[int], list[str], dict[str, str]]:
    table = tomllib.loads((Path(__file__).parent / "syllables.toml").read_text(encoding="utf-8"))
    first = table["first"].split()
    more = {character: syllable for syllable, some in table["more"].items() for character in some}
    return [_code(word[-1]) for word in first], [word[:-1] for word in first], more


_STARTS, _SYLLABLES, _MORE = _read()


@lru_cache(maxsize=30_000)
def syllable(character: str) -> str:
    """`min` for 民; empty for what is no character we know the sound of."""
    code = _code(character)
    if code in _LEVEL_ONE:
        return _SYLLABLES[bisect_right(_STARTS, code) - 1]
    return _MORE.get(character, "")


@lru_cache(maxsize=30_000)
def folded(character: str) -> str:
    """The syllable with what is easily confused made equal; the character itself where it has no known sound."""
    sound = syllable(character)
    if not sound:
        return character
    if sound[:2] in ("zh", "ch", "sh"):
        sound = sound[0] + sound[2:]
    elif sound[0] == "n":
        sound = "l" + sound[1:]
    if sound.endswith(("ing", "eng", "ang")):
        sound = sound[:-1]
    return sound


def spelt(name: str) -> str:
    """The name as it is written in Latin letters without spaces: `renminlu`; empty if a character is unknown."""
    sounds = [character if character.isascii() else syllable(character) for character in name]
    return "".join(sounds) if all(sounds) else ""
