"""The short words residents use to steer the chat. The lists are in the catalogue, under `bot.words`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

from bot.chasing import Chase, Chasing
from bot.corrections import Correction, Corrections, marks_of
from district.facilities.codes import TOKEN_LENGTH
from district.messages import LANGUAGES, catalogue

# WeChat's own faces arrive as codes such as `[微笑]`, `[Smile]` or `/::)`.
_FACE = re.compile(r"\[[^\[\]\s]{1,12}\]|/:[^\s\w]{1,4}\w?|/[a-z]{2,10}(?=\W|$)")
# Generous on purpose: a number misheard or cut short is still meant as one.
_NUMBER = re.compile(r"(?<![A-Z0-9])BH\s*-?\s*\d{6}[\d\s-]*[A-Z]?(?![A-Z0-9])", re.IGNORECASE)
_FACILITY = re.compile(r"https?://\S+|(?<!\d)\d{16,17}(?!\d)", re.IGNORECASE)
# The letters of a label, typed alone; a code of digits, typed in groups.
_TYPED = re.compile(rf"[0-9A-Z]{{{TOKEN_LENGTH}}}|\d{{16,17}}")
_CODE = re.compile(r"[0-9A-Z]{4}-?[0-9A-Z]{4}")
_LATIN = re.compile(r"[A-Za-z]{2,}")
MOST_STARS = 5
# "I give it five stars", without its spaces.
_LONGEST_STARS = 18
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")


@lru_cache(maxsize=32)
def plain(text: str) -> str:
    """Text as short words are compared: full-width forms made plain, small letters, no spaces or punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(one for one in folded if one.isalnum())


def is_only_pictures(text: str) -> bool:
    """Emoji, WeChat faces and punctuation, at least one of them a picture, and nothing to read."""
    rest, faces = _FACE.subn("", text)
    if any(one.isalnum() for one in rest):
        return False
    return faces > 0 or any(unicodedata.category(one) in ("So", "Sk", "Cn", "Co") for one in rest)


def language_of(text: str) -> str | None:
    """`zh-Hans` or `en` by the letters used; None when they do not tell."""
    if _HAN.search(text):
        return "zh-Hans"
    if typed_code(text) is not None:
        return None
    without_codes = _FACE.sub("", _FACILITY.sub("", _NUMBER.sub("", text)))
    return "en" if _LATIN.search(without_codes) else None


def typed_code(text: str) -> str | None:
    """The code of a facility that is all there is to the text: letters as one word, digits in groups as they may be."""
    folded = unicodedata.normalize("NFKC", text).strip().replace("-", "").upper()
    if folded.replace(" ", "").isdecimal():
        folded = folded.replace(" ", "")
    return folded if folded.isascii() and _TYPED.fullmatch(folded) else None


class Words:
    """What `bot.words` says in every language: a resident may mix them."""

    def __init__(self, sentences: Iterable[tuple[str, str]]) -> None:
        marks = marks_of(sentences)
        self._meanings = {key: {plain(part) for part in parts} for key, parts in marks.items()}
        self._corrections = Corrections(marks)
        self._chasing = Chasing({name: sorted(self._meanings[name]) for name in marks if name.startswith("chase_")})
        self._ordinals = tuple(map(plain, marks.get("ordinals", [])))
        self._pieces = tuple(sorted(map(plain, marks.get("pieces", [])), key=len, reverse=True))
        self._numerals = {
            # Each language counts from one to nine.
            plain(word): index % 9 + 1
            for index, word in enumerate(marks.get("numerals", []))
        }
        self._star_units = tuple(sorted(map(plain, marks.get("star_units", [])), key=len, reverse=True))
        self._again = tuple(map(plain, marks.get("again_marks", [])))
        self._star_openers = tuple(sorted(map(plain, marks.get("star_openers", [])), key=len, reverse=True))
        longest_first = sorted(map(plain, marks.get("thanks", [])), key=len, reverse=True)
        thanks = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._beside = re.compile(f"^(?:{thanks})|(?:{thanks})$")
        self._orders_to_bind = tuple(one.casefold() for one in marks.get("bind", []))
        self._place_marks = tuple(marks.get("place_marks", []))
        self._no_places = tuple(marks.get("no_places", []))
        self._particles = tuple(map(plain, marks.get("particles", [])))
        self._fillers = tuple(sorted(map(plain, marks.get("fillers", [])), key=len, reverse=True))

    def binding_code(self, text: str) -> str | None:
        """The code of "bind ABCD-EFGH", by which staff make their WeChat known; None for anything else."""
        folded = unicodedata.normalize("NFKC", text).casefold().strip()
        for order in self._orders_to_bind:
            code = folded.removeprefix(order).strip(" :").upper()
            if code != folded.upper() and _CODE.fullmatch(code):
                return code.replace("-", "")
        return None

    def means(self, meaning: str, text: str) -> bool:
        """Whether the whole text is one of the words for `meaning` (`progress`, `withdraw`, `yes`, ...)."""
        known = self._meanings.get(meaning, set())
        word = plain(text)
        if word in known:
            return True
        if not word.endswith(self._particles):
            return False
        return any(word.endswith(one) and word.removesuffix(one) in known for one in self._particles)

    def says_again(self, text: str) -> bool:
        """Whether something is still so, or is so again."""
        word = plain(text)
        return any(mark in word for mark in self._again)

    def choice(self, text: str) -> int | None:
        """The number of a list's line: a digit or numeral, alone or as in "the second one"."""
        word = plain(text)
        for ordinal in self._ordinals:
            word = word.removeprefix(ordinal)
        for piece in self._pieces:
            if word.endswith(piece) and word != piece:
                word = word.removesuffix(piece)
                break
        if word.isdecimal() and len(word) <= 2:
            return int(word)
        return self._numerals.get(word)

    def correction(self, text: str) -> Correction | None:
        """What is said to be wrong, and what is right instead."""
        return self._corrections.read(text)

    def chase(self, text: str) -> Chase | None:
        """What somebody wants who asks after a report without a word of what it was about."""
        return self._chasing.read(plain(text))

    def stars(self, text: str) -> int | None:
        """1 to 5 out of `5`, `５分`, `五星`, `5 stars`, `我给5分`, `满分`; None for anything else."""
        word = plain(text)
        if len(word) > _LONGEST_STARS:
            return None
        if self.means("best", text):
            return MOST_STARS
        for opener in self._star_openers:
            if word.startswith(opener) and word != opener:
                word = word.removeprefix(opener)
                break
        for unit in self._star_units:
            if word.endswith(unit) and word != unit:
                word = word.removesuffix(unit)
                break
        number = self.choice(word)
        return number if number is not None and 1 <= number <= MOST_STARS else None

    def without_thanks(self, text: str) -> str:
        """ "Solved, thank you" without the thanks; thanks alone are left as they are."""
        word = plain(text)
        rest = self._beside.sub("", word, count=1)
        return rest if rest and rest != word else text

    def looks_like_place(self, text: str) -> bool:
        """Whether the words sound like an address: a road, a gate, a house number."""
        folded = unicodedata.normalize("NFKC", text).lower()
        for words_ in self._no_places:
            folded = folded.replace(words_, " ")
        return any(mark in folded for mark in self._place_marks)

    def is_little(self, text: str) -> bool:
        """Too little to be a description: fewer than two letters."""
        return sum(one.isalpha() for one in text) < 2

    def without_fillers(self, text: str) -> str:
        """Plain text without "here", "at", "in front of" and their like."""
        word = plain(text)
        for filler in self._fillers:
            word = word.replace(filler, "")
        return word

    @staticmethod
    def number_in(text: str) -> str | None:
        """What looks like a report number, right or wrong, as it was typed."""
        found = _NUMBER.search(text)
        return found.group().strip() if found else None

    @staticmethod
    def without_number(text: str) -> str:
        """The text without report numbers."""
        return _NUMBER.sub(" ", text).strip(" ,，。.:：;；、")

    @staticmethod
    def without_code(text: str) -> str:
        """The text without facility codes and addresses of pages."""
        return "" if typed_code(text) is not None else _FACILITY.sub(" ", text).strip()

    @staticmethod
    def facility_in(text: str) -> str | None:
        """The code that the text is, or the first address or code of digits in it."""
        if (typed := typed_code(text)) is not None:
            return typed
        found = _FACILITY.search(text)
        return found.group() if found else None


@cache
def words() -> Words:
    """The lists of every language together."""
    prefix = "bot.words."
    return Words(
        (key.removeprefix(prefix), value)
        for tag in LANGUAGES
        for key, value in catalogue(tag).items()
        if key.startswith(prefix)
    )
