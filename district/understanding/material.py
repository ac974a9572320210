"""What a district has written: the words of its categories and dangers, and how its residents talk."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from district.geo.gazetteer import plain
from district.understanding import features

# Signs are told from groups of letters by this mark, which no text can hold: it is a separator there.
_MARK = "|"
# What `*` stands for: a few letters of the same sentence.
_GAP = r"[^。！？!?;；]{0,8}?"


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message as a resident might write it, and what it means.

    category: a code, or "" when it is about none. writer: whose hand it is, for cross-validation.
    """

    text: str
    category: str
    intent: str
    urgency: str
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What the district has written about one category."""

    code: str
    name: str
    name_en: str
    keywords: tuple[str, ...]
    conditions: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Danger:
    """A kind of emergency of district.toml. words mean it; signs (with `*` for a gap) may, weighed with the rest."""

    code: str
    words: tuple[str, ...]
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """All that understanding learns from."""

    categories: tuple[Written, ...]
    dangers: tuple[Danger, ...]
    utterances: tuple[Utterance, ...] = ()

    def digest(self) -> str:
        """The same for the same material, read by the same programme."""
        parts: tuple[Written | Danger | Utterance, ...] = (*self.categories, *self.dangers, *self.utterances)
        # A dataclass's own `astuple` copies every word first, which took a fifth of checking a folder.
        names = {kind: [each.name for each in fields(kind)] for kind in (Written, Danger, Utterance)}
        values = [[getattr(part, name) for name in names[type(part)]] for part in parts]
        content = [features.FORMAT, language(), values]
        whole = json.dumps(content, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()


class Signs:
    """Immutable: what is looked for in every text, whole: keywords, words of intent, words of danger."""

    def __init__(self, keywords: Iterable[str], dangers: Iterable[Danger]) -> None:
        self._keywords: dict[str, list[str]] = {}
        for keyword in sorted({plain(word) for word in keywords} - {""}):
            self._keywords.setdefault(keyword[:2], []).append(keyword)
        dangers = list(dangers)
        self._dangers = [(one.code, any_of(one.words), any_of((*one.words, *one.signs))) for one in dangers]
        self._any_danger = any_of(word for one in dangers for word in (*one.words, *one.signs))

    def of(self, words: str) -> list[str]:
        """The names of the signs in a text (as `plain` makes it), always in the same order."""
        found = [f"{_MARK}{keyword}" for keyword in self.keywords(words)]
        found += [f"{_MARK}i:{name}" for name in intents_in(words)]
        found += [f"{_MARK}h:{name}" for name, hints in _hints() if hints.search(words)]
        # Most texts have a sign of none, and are not searched twice for each.
        for code, said, meant in self._dangers if self._any_danger.search(words) else ():
            if surely(said, words):
                found.append(f"{_MARK}d:{code}")
            if surely(meant, words):
                # All kinds share a sign: what one kind teaches helps the rarer ones.
                found += [f"{_MARK}s:{code}", f"{_MARK}s"]
        return found

    @staticmethod
    def dangers(signs: Iterable[str]) -> list[str]:
        """The codes of the dangers whose words are among the signs `of` a text, in the district's order."""
        return [sign[3:] for sign in signs if sign.startswith(f"{_MARK}d:")]

    @staticmethod
    def hints(signs: Iterable[str]) -> list[str]:
        """The codes of the dangers of which there is any sign at all, in the district's order."""
        return [sign[3:] for sign in signs if sign.startswith(f"{_MARK}s:")]

    def keywords(self, words: str) -> list[str]:
        """The keywords in a text, each once."""
        found: dict[str, None] = {}
        for start in range(len(words)):
            for head in (words[start : start + 2], words[start : start + 1]):
                for keyword in self._keywords.get(head, ()):
                    if words.startswith(keyword, start):
                        found[keyword] = None
        return list(found)


def any_of(words: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds any of `words`, in a fifth of the time of looking for each. `*` in a word is a gap."""
    known = dict.fromkeys(plain(word) for word in words)
    return re.compile("|".join(re.escape(word).replace(r"\*", _GAP) for word in known if word) or r"(?!)")


def surely(signs: re.Pattern[str], words: str) -> bool:
    """Whether a sign is in the text without a word of doubt right before it or over its end."""
    return any(
        not _doubts().search(words[max(0, found.start() - 8) : found.start()])
        and not _turns().match(words, found.end() - 1)
        for found in signs.finditer(words)
    )


def mended(text: str) -> str:
    """The text with frequent slips of the pen put right, and without "I want to report" before what is reported."""
    if _slips().search(text):
        slips = language()["typos"]
        text = _slips().sub(lambda found: slips[found[0]], text)
    opener = _opener().match(text)
    if opener and len(plain(text[opener.end() :])) >= language()["opener"]["least"]:
        return text[opener.end() :]
    return text


@cache
def language() -> Mapping[str, Any]:
    """The words of the language, not of one district."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


@cache
def _doubts() -> re.Pattern[str]:
    return re.compile("(?:" + "|".join(re.escape(plain(word)) for word in language()["doubt"]["before"]) + ")$")


@cache
def _turns() -> re.Pattern[str]:
    return any_of(language()["doubt"]["after"])


@cache
def _slips() -> re.Pattern[str]:
    return any_of(language()["typos"])


@cache
def _opener() -> re.Pattern[str]:
    words = language()["opener"]

    def one_of(name: str) -> str:
        return "(?:" + "|".join(re.escape(word) for word in sorted(words[name], key=len, reverse=True)) + ")"

    one, says, wants = one_of("one"), one_of("says"), one_of("wants")
    about = rf"{one}?{one_of('thing')}?"
    asks = rf"{one_of('who')}?(?:{wants}{says}|{one_of('alone')}){about}|{says}{one}{one_of('thing')}?"
    first = rf"(?:{asks})(?!{one_of('unless')})|{one_of('whole')}\b"
    return re.compile(rf"\s*(?:{first})[\s,，.。:：;；!！、]*", re.IGNORECASE)


@cache
def _intents() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((entry["name"], any_of(entry["words"])) for entry in language()["intent"])


@cache
def _hints() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((entry["name"], any_of(entry["hints"])) for entry in language()["intent"])


def intents_in(words: str) -> list[str]:
    """The intents with a word in the text, in the order of words.toml."""
    return [name for name, signs in _intents() if signs.search(words)]
