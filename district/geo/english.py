"""Sentences in English about places whose names are spelt in pinyin: turned into the Chinese way to say where.

Only the words that say where are kept; what is wrong there is none of our business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from district.geo.names import WORDS, Names
from district.geo.sound import spelt

_KINDS: Mapping[str, Sequence[str]] = WORDS["english"]
_PLACES: Mapping[str, str] = WORDS["english_places"]
_LONGEST_NAME = 6  # words of pinyin
_LONGEST_KIND = 4  # words of "long distance bus station"
_MOST_NAMES = 24
_FIRST_SIGN = 0xE000  # private characters, one for each place that was understood
_COMPASS = {
    "north": "北", "south": "南", "east": "东", "west": "西", "northeast": "东北", "northwest": "西北",
    "southeast": "东南", "southwest": "西南",
}  # fmt: skip
_NUMERALS = "零一二三四五六七八九"
_TOKEN = re.compile(r"[a-z][a-z'’]*|\d+|[^\sa-z\d]")
_SHORT = re.compile(r"\b(rd|st|ave|no)\.")
_N = "([\ue000-\uf8ff])"
_D = "(north[- ]?east|north[- ]?west|south[- ]?east|south[- ]?west|north|south|east|west)(?:ern)?"
_THE = "(?:the )?"
_CROSSING = "(?:corner|crossing|intersection|junction|crossroads|crossroad)"


def _compass(word: str) -> str:
    return _COMPASS[word.replace("-", "").replace(" ", "")]


# (what English says, how to say it): each place is one character. In the order in which they are tried.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (rf"{_CROSSING} (?:of|between|at) {_N} (?:and|with|&) {_N}", "{0}和{1}路口"),
        (rf"(?:where|at) {_N} (?:meets|crosses) {_N}", "{0}和{1}路口"),
        (rf"{_N} ?(?:and|&|/|x|-) ?{_N} {_CROSSING}", "{0}和{1}路口"),
        (rf"{_N} {_N} {_CROSSING}", "{0}和{1}路口"),
        (rf"(?:^|\b(?:at|on) ){_N} (?:and|&|/) {_N}(?= ,|$)", "{0}和{1}路口"),
        (rf"{_N} ,? ?phase (\d)", "{0}{1}期"),
        (rf"{_N} (?:at|near) {_THE}{_CROSSING} (?:of|with) {_N}", "{0}和{1}路口"),
        (rf"{_N} ?,? ?(?:between|from) {_N} (?:and|to) {_N}", "{0}从{1}到{2}之间"),
        (rf"(?:between|from) {_N} (?:and|to) {_N} (?:on|along) {_N}", "{2}从{0}到{1}之间"),
        (rf"between {_N} and {_N}", "{0}和{1}之间"),
        (rf"building (?:no ?\.? ?|number )?(\d+) ?,? (?:of |in |at )?{_THE}{_N}", "{1}{0}号楼"),
        (rf"{_N} ?,? building (?:no ?\.? ?|number )?(\d+)", "{0}{1}号楼"),
        (rf"{_D} gate (?:of|to) {_THE}{_N}", "{1}{0}门"),
        (rf"{_N}(?:'s)? {_D} gate", "{0}{1}门"),
        (rf"bus stop (?:at|of|near|by|in front of) {_THE}{_N}", "{0}公交站"),
        (rf"{_N} bus stop", "{0}公交站"),
        (rf"(?:no ?\.? ?|number )?(\d+) ?,? ?{_N}", "{1}{0}号"),
        (rf"{_N} ?,? (?:no ?\.? ?|number )(\d+)", "{0}{1}号"),
        (rf"(\d+) ?(?:m|meters?|metres?) (?:to the )?{_D} (?:of|from) {_THE}{_N}", "{2}往{1}{0}米"),
        (rf"{_D} side of {_THE}{_N}", "{1}{0}侧"),
        (rf"{_D} end of {_THE}{_N}", "{1}{0}头"),
        (rf"{_D} of {_THE}{_N}", "{1}{0}侧"),
        (rf"(?:opposite|across (?:the (?:street|road) )?from|facing)(?: to)? {_THE}{_N}", "{0}对面"),
        (rf"behind {_THE}{_N}", "{0}后面"),
        (rf"(?:in front of|outside|(?:at )?the (?:gate|entrance|door) (?:of|to)) {_THE}{_N}", "{0}门口"),
        (rf"(?:near|next to|beside|by|close to) {_THE}{_N}", "{0}旁边"),
        (rf"from {_THE}{_N} to {_THE}{_N}", "从{0}去{1}"),
        (rf"(?:live|living) (?:in|at|on) {_THE}{_N}", "我住{0}"),
        (rf"(?:going|way|went|drive|walk|bus) to {_THE}{_N}", "去{0}的路上"),
        (rf"not (?:at |in )?{_THE}{_N}", "不是{0}"),
    )
)


def in_chinese(text: str, names: Names) -> str:
    """What an English sentence says about where, in Chinese; empty if it names nothing we know."""
    tokens = _TOKEN.findall(_SHORT.sub(r"\1", text.lower().replace("’", "'")))
    said: list[str] = []  # what each private character stands for
    line: list[str] = []
    at = 0
    while at < len(tokens) and len(said) < _MOST_NAMES:
        name, used = _place(tokens, at, names)
        if used:
            said.append(name)
            line.append(chr(_FIRST_SIGN + len(said) - 1))
            at += used
        else:
            line.append(tokens[at])
            at += 1
    if not said:
        return ""
    words = " ".join(line)
    changed = True
    while changed:
        changed = False
        for pattern, form in _RULES:
            found = pattern.search(words)
            if found:
                parts = [_part(group, said) for group in found.groups()]
                said.append(form.format(*parts))
                words = words[: found.start()] + chr(_FIRST_SIGN + len(said) - 1) + words[found.end() :]
                changed = True
                break
    return "，".join(said[ord(sign) - _FIRST_SIGN] for sign in re.findall(_N, words))


def is_english(text: str) -> bool:
    """Whether Latin letters make up most of the text, and more than a word or two of it."""
    letters = sum(character.isascii() and character.isalpha() for character in text)
    return letters >= 8 and letters * 2 > len(text)


def _part(group: str, said: Sequence[str]) -> str:
    if re.fullmatch(_N, group):
        return said[ord(group) - _FIRST_SIGN]
    return group if group.isdecimal() else _compass(group)


def _place(tokens: Sequence[str], at: int, names: Names) -> tuple[str, int]:
    """(the Chinese name, how many tokens it takes) of the longest name that begins here; ("", 0) for none."""
    if not tokens[at][0].isalpha():
        return "", 0
    if numbered := _numbered_school(tokens, at):
        return numbered
    most = 0
    while at + most < len(tokens) and tokens[at + most][0].isalpha() and most < _LONGEST_NAME + _LONGEST_KIND:
        most += 1
    for used in range(most, 0, -1):
        for kind in range(min(_LONGEST_KIND, used - 1), 0, -1):
            endings = _KINDS.get(" ".join(tokens[at + used - kind : at + used]))
            if endings is not None:
                letters = _letters(tokens[at : at + used - kind])
                for ending in endings:
                    if found := names.spelt(letters + spelt(ending)):
                        return found[0], used
        found = names.spelt(_letters(tokens[at : at + used])) if used <= _LONGEST_NAME else ()
        if found and len(found[0]) > 2:
            return found[0], used
        if place := _PLACES.get(" ".join(tokens[at : at + used])):
            return place, used
    return "", 0


def _numbered_school(tokens: Sequence[str], at: int) -> tuple[str, int] | None:
    found = re.match(r"(?:no|number) ?\.? ?(\d) (middle|primary) school", " ".join(tokens[at : at + 5]))
    if found is None or tokens[at] not in ("no", "number"):
        return None
    name = f"第{_NUMERALS[int(found[1])]}{'中学' if found[2] == 'middle' else '小学'}"
    return name, found[0].count(" ") + 1


def _letters(words: Sequence[str]) -> str:
    return "".join(words).replace("'", "").replace("ü", "v")
