"""Every sentence that a person may read, in one catalogue of two languages.

A key is `<file>.<table>.<name>` of `zh-Hans/<file>.toml` and `en/<file>.toml`. Placeholders are `str.format`'s.
A district may word a sentence its own way (wording.csv, and over it the panel): those win, language by language.
"""

from __future__ import annotations

import logging
import string
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

log = logging.getLogger(__name__)

CHINESE = "zh-Hans"
ENGLISH = "en"
LANGUAGES = (CHINESE, ENGLISH)
FOLDER = Path(__file__).parent

_language: ContextVar[str] = ContextVar("language", default=CHINESE)
_wording: Mapping[tuple[str, str], str] = MappingProxyType({})


def language() -> str:
    """The language of this request, message or job: `zh-Hans` or `en`."""
    return _language.get()


def set_language(tag: str) -> None:
    """Speak `tag` until told otherwise in this context; anything unknown means Chinese."""
    _language.set(match(tag))


@contextmanager
def speaking(tag: str) -> Iterator[None]:
    """Speak `tag` inside the block."""
    token = _language.set(match(tag))
    try:
        yield
    finally:
        _language.reset(token)


def match(tag: str | None) -> str:
    """The catalogue's language for a tag such as `en-GB` or `zh_CN`."""
    return ENGLISH if (tag or "").replace("_", "-").lower().split("-")[0] == "en" else CHINESE


@cache
def catalogue(tag: str) -> Mapping[str, str]:
    """All sentences of one language by key."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / tag).glob("*.toml")):
        with path.open("rb") as file:
            _flatten(path.stem, tomllib.load(file), found)
    return MappingProxyType(found)


def use_wording(rows: Mapping[tuple[str, str], str]) -> None:
    """Take over the district's own wording: {(language, key): text}. Unknown keys are ignored."""
    global _wording
    known = {key: text for key, text in rows.items() if key[1] in catalogue(CHINESE)}
    if known != _wording:
        _wording = MappingProxyType(known)


def own_wording() -> Mapping[tuple[str, str], str]:
    """What was taken over last; another object after each change."""
    return _wording


def t(key: str, /, **params: Any) -> str:
    """The sentence `key` in the present language, its placeholders filled.

    A missing key gives the key itself and a log line, never an error: a resident must get an answer.
    """
    tag = _language.get()
    text = _wording.get((tag, key)) or catalogue(tag).get(key)
    if text is None:
        log.error("message missing", extra={"message_key": key, "language": tag})
        text = catalogue(CHINESE).get(key)
        if text is None:
            return key
    try:
        return text.format(**params) if params or "{" in text else text
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        log.error("message not filled", extra={"message_key": key, "language": tag})
        return text


def placeholders(text: str) -> set[str]:
    """What stands between braces, with how it is to be written: `month:02d`. Raises ValueError for a stray brace."""
    return {
        f"{name}{'!' if conversion else ''}{conversion or ''}{':' if how else ''}{how or ''}"
        for _, name, how, conversion in string.Formatter().parse(text)
        if name is not None
    }


def has(key: str) -> bool:
    """Whether the catalogue knows `key`."""
    return key in catalogue(CHINESE)


def _flatten(prefix: str, table: Mapping[str, Any], into: dict[str, str]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict):
            _flatten(key, value, into)
        else:
            into[key] = str(value)
