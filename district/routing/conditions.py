"""The language in which a routing rule says when it applies. Pure: text → tree → yes or no.

    intent = emergency and category is null
    facility.maintainer_unit is not null and (category is null or category.facility_type = facility.type)
    text contains workshop|"building site" or area in 232761001, 232761002

A condition is built of comparisons with `and`, `or`, `not` and parentheses; `and` binds closer than `or`.

- `FIELD is null`, `FIELD is not null`: nothing is known of it.
- `FIELD = X`, `FIELD != X`, `FIELD in X, Y` (or `in (X, Y)`): X is a word, a "text" or the name of another field.
  What is unknown is equal to nothing, and not unequal either.
- `text contains X|Y`: one of the words occurs in what the resident wrote; large and small letters are the same.
- `FIELD` alone: it is true, or known.
- `time`, `weekday`, `month` and `day` are when the report was made, in the district's own time. They take spans, which
  may run over the end: `time in 22:00..06:00`, `weekday in 1..5` (1 is Monday), `month in 10..4`,
  `day in 10-15..04-30`. A span of times ends before its second time, other spans hold both ends.
  `season` is spring, summer, autumn or winter (winter: December to February).

An empty condition always holds. Errors carry the position in the text, counted from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

# What a condition may ask for; values are codes, texts or truth values, None where nothing is known.
FIELDS = frozenset(
    {
        "area",
        "category",
        "category.facility_type",
        "category.major",
        "category.urgency",
        "compound",
        "compound.property",
        "day",
        "facility",
        "facility.maintainer_unit",
        "facility.owner_unit",
        "facility.state",
        "facility.type",
        "intent",
        "location.in_compound",
        "month",
        "season",
        "text",
        "time",
        "urgency",
        "weekday",
    }
)
# How a moment is written, field by field: what a condition may compare it with, and the facts hold.
MOMENTS: Mapping[str, re.Pattern[str]] = {
    "day": re.compile(
        r"(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|[12]\d)"
    ),
    "month": re.compile(r"0?[1-9]|1[0-2]"),
    "season": re.compile("spring|summer|autumn|winter"),
    "time": re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"),
    "weekday": re.compile("[1-7]"),
}
SEASONS = ("winter", "spring", "summer", "autumn")
_WORDS = frozenset({"and", "or", "not", "is", "null", "in", "contains"})
_TOKEN = re.compile(r'\s*(?:(?P<sign>!=|[()=,|])|"(?P<quoted>[^"]*)"|(?P<word>[^\s()=!,|"]+))')
_DEEPEST = 50

Facts = Mapping[str, Any]


def moment_fields(at: datetime | None) -> dict[str, str | None]:
    """The fields of a moment in the district's own time; all unknown without one."""
    if at is None:
        return dict.fromkeys(MOMENTS)
    return {
        "day": f"{at.month:02}-{at.day:02}",
        "month": f"{at.month:02}",
        "season": SEASONS[at.month % 12 // 3],
        "time": f"{at.hour:02}:{at.minute:02}",
        "weekday": str(at.isoweekday()),
    }


class ConditionError(ValueError):
    """A condition that cannot be read. problem: in English; position: where in the text, from 0."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(f"{problem} at position {position}")
        self.problem, self.position = problem, position


@dataclass(frozen=True, slots=True)
class _Token:
    """kind: `sign`, `quoted`, `word` or `end`."""

    kind: str
    text: str
    at: int

    @property
    def is_name(self) -> bool:
        return self.kind == "word" and self.text not in _WORDS

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text == word


class _Node(Protocol):
    """A part of a condition. start, end: where it stands in the text."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    def holds(self, facts: Facts) -> bool: ...

    def parts(self) -> tuple[_Node, ...]: ...


@dataclass(frozen=True, slots=True)
class _Value:
    """A literal, or the name of another field."""

    text: str
    is_field: bool

    def of(self, facts: Facts) -> Any:
        return facts.get(self.text) if self.is_field else self.text


@dataclass(frozen=True, slots=True)
class _Comparison:
    """operator: `known`, `null`, `=`, `!=`, `contains` or `within` (one of the spans: first and last)."""

    field: str
    operator: str
    values: tuple[_Value, ...]
    start: int
    end: int
    spans: tuple[tuple[str, str], ...] = ()

    def holds(self, facts: Facts) -> bool:
        value = facts.get(self.field)
        if self.operator == "known":
            return bool(value)
        if self.operator == "null":
            return value is None
        if value is None:
            return False
        if self.operator == "within":
            return any(within(value, span, ends_before=self.field == "time") for span in self.spans)
        if self.operator == "contains":
            text = str(value).casefold()
            return any(word.text.casefold() in text for word in self.values)
        others = [other for other in (word.of(facts) for word in self.values) if other is not None]
        if self.operator == "!=":
            return bool(others) and value not in others
        return value in others

    def parts(self) -> tuple[_Node, ...]:
        return ()


def within(value: str, span: tuple[str, str], *, ends_before: bool) -> bool:
    """Whether a moment's value lies in a span that may run over the end of the day or year."""
    first, last = span
    if first == last:
        return value == first
    is_before_end = value < last if ends_before else value <= last
    return (first <= value and is_before_end) if first < last else (first <= value or is_before_end)


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Node
    start: int
    end: int

    def holds(self, facts: Facts) -> bool:
        return not self.inner.holds(facts)

    def parts(self) -> tuple[_Node, ...]:
        return (self.inner,)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Parts joined by `and` (every) or `or` (any)."""

    every: bool
    inner: tuple[_Node, ...]
    start: int
    end: int

    def holds(self, facts: Facts) -> bool:
        if self.every:
            return all(part.holds(facts) for part in self.inner)
        return any(part.holds(facts) for part in self.inner)

    def parts(self) -> tuple[_Node, ...]:
        return self.inner


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read."""

    source: str
    _root: _Node | None

    def holds(self, facts: Facts) -> bool:
        """Whether it is true of the facts: {field: value}; a field left out is unknown."""
        return self._root is None or self._root.holds(facts)

    def failure(self, facts: Facts) -> str:
        """The smallest part that by itself kept the condition from holding; empty when it holds."""
        node = self._root
        if node is None or node.holds(facts):
            return ""
        while isinstance(node, _Joined) and node.every:
            node = next(part for part in node.inner if not part.holds(facts))
        return self.source[node.start : node.end]

    def alternatives(self, most: int = 64) -> tuple[tuple[Part, ...], ...] | None:
        """The condition as alternatives, of each of which every part must hold; None when that makes more than `most`.

        One empty alternative for the empty condition.
        """
        return _alternatives(self._root, False, most) if self._root is not None else ((),)

    @property
    def fields(self) -> frozenset[str]:
        """Every field it asks for."""
        return frozenset(_fields(self._root)) if self._root is not None else frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """One comparison of an alternative. negated: it must not hold. others: fields among the values."""

    field: str
    operator: str
    words: frozenset[str]
    others: frozenset[str]
    spans: tuple[tuple[str, str], ...]
    negated: bool


def _alternatives(node: _Node, negated: bool, most: int) -> tuple[tuple[Part, ...], ...] | None:
    if isinstance(node, _Not):
        return _alternatives(node.inner, not negated, most)
    if isinstance(node, _Comparison):
        words = frozenset(value.text for value in node.values if not value.is_field)
        others = frozenset(value.text for value in node.values if value.is_field)
        return ((Part(node.field, node.operator, words, others, node.spans, negated),),)
    found = [_alternatives(part, negated, most) for part in node.parts()]
    whole = [alternatives for alternatives in found if alternatives is not None]
    if len(whole) < len(found):
        return None
    every = isinstance(node, _Joined) and node.every != negated
    joined: tuple[tuple[Part, ...], ...] = ((),) if every else ()
    for alternatives in whole:
        joined = tuple(a + b for a in joined for b in alternatives) if every else joined + alternatives
        if len(joined) > most:
            return None
    return joined


@lru_cache(maxsize=4096)
def parse(text: str) -> Condition:
    """Read a condition. Raises ConditionError."""
    return Condition(text, _Parser(text).whole())


def _fields(node: _Node) -> Iterator[str]:
    if isinstance(node, _Comparison):
        yield node.field
        yield from (value.text for value in node.values if value.is_field)
    for part in node.parts():
        yield from _fields(part)


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise ConditionError("a quotation mark without its pair" if text[at] == '"' else "an unexpected sign", at)
        kind = match.lastgroup or "word"
        start = match.start(kind) - (kind == "quoted")
        yield _Token(kind, match.group(kind), start)
        at = match.end()
    yield _Token("end", "", len(text))


class _Parser:
    """Recursive descent; each method reads one line of the grammar and stops behind it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> _Node | None:
        if self._here.kind == "end":
            return None
        node = self._either()
        if self._here.kind != "end":
            raise ConditionError('"and", "or" or the end is needed', self._here.at)
        return node

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    @property
    def _behind(self) -> int:
        """Where the token just read ends."""
        token = self._tokens[self._at - 1]
        return token.at + len(token.text) + 2 * (token.kind == "quoted")

    def _next(self) -> _Token:
        token = self._here
        self._at += 1
        return token

    def _skips(self, text: str, kind: str = "word") -> bool:
        """Step over a word or sign if it is the next one."""
        if self._here.kind == kind and self._here.text == text:
            self._at += 1
            return True
        return False

    def _either(self) -> _Node:
        """either = both { "or" both }"""
        return self._join("or", self._both)

    def _both(self) -> _Node:
        """both = single { "and" single }"""
        return self._join("and", self._single)

    def _join(self, word: str, read: Any) -> _Node:
        start = self._here.at
        parts = [read()]
        while self._skips(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else _Joined(word == "and", tuple(parts), start, self._behind)

    def _single(self) -> _Node:
        """single = "not" single | "(" either ")" | comparison"""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ConditionError("too deeply nested", self._here.at)
        start = self._here.at
        node: _Node
        if self._skips("not"):
            inner = self._single()
            node = _Not(inner, start, self._behind)
        elif self._skips("(", "sign"):
            node = self._either()
            if not self._skips(")", "sign"):
                raise ConditionError('")" is needed', self._here.at)
        else:
            node = self._comparison()
        self._depth -= 1
        return node

    def _comparison(self) -> _Node:
        """comparison = field [ "is" ["not"] "null" | ("=" | "!=") value | "in" list | "contains" words ]"""
        token = self._here
        if not token.is_name:
            raise ConditionError("a field is needed", token.at)
        if token.text not in FIELDS:
            raise ConditionError(f'unknown field "{token.text}"', token.at)
        self._next()
        field, start = token.text, token.at
        if self._skips("is"):
            unknown = not self._skips("not")
            if not self._skips("null"):
                raise ConditionError('"null" is needed', self._here.at)
            node: _Node = _Comparison(field, "null", (), start, self._behind)
            return node if unknown else _Not(node, start, self._behind)
        if field in MOMENTS:
            return self._moment(field, start)
        for sign in ("=", "!="):
            if self._skips(sign, "sign"):
                value = self._value()
                return _Comparison(field, sign, (value,), start, self._behind)
        if self._skips("in"):
            bracket = self._skips("(", "sign")
            values = self._list(",")
            if bracket and not self._skips(")", "sign"):
                raise ConditionError('")" is needed', self._here.at)
            return _Comparison(field, "=", values, start, self._behind)
        if self._skips("contains"):
            values = tuple(_Value(value.text, False) for value in self._list("|"))
            return _Comparison(field, "contains", values, start, self._behind)
        return _Comparison(field, "known", (), start, self._behind)

    def _moment(self, field: str, start: int) -> _Node:
        """moment = ["=" | "!=" | "in"] span { "," span }; without a sign: whether the moment is known."""
        unequal = self._skips("!=", "sign")
        if not (unequal or self._skips("=", "sign") or self._skips("in")):
            return _Comparison(field, "known", (), start, self._behind)
        bracket = self._skips("(", "sign")
        spans = [self._span(field)]
        while self._skips(",", "sign"):
            spans.append(self._span(field))
        if bracket and not self._skips(")", "sign"):
            raise ConditionError('")" is needed', self._here.at)
        node: _Node = _Comparison(field, "within", (), start, self._behind, tuple(spans))
        return _Not(node, start, self._behind) if unequal else node

    def _span(self, field: str) -> tuple[str, str]:
        """span = value [".." value]"""
        at = self._here.at
        first, dots, last = self._value().text.partition("..")
        for text in (first, last) if dots else (first,):
            if not MOMENTS[field].fullmatch(text) or (text == "24:00" and text is first):
                raise ConditionError(f'"{text}" is no {field}', at)
        if field == "month":
            first, last = first.zfill(2), last.zfill(2)
        return first, last if dots else first

    def _list(self, between: str) -> tuple[_Value, ...]:
        values = [self._value()]
        while self._skips(between, "sign"):
            values.append(self._value())
        return tuple(values)

    def _value(self) -> _Value:
        token = self._here
        if token.kind == "quoted":
            if not token.text:
                raise ConditionError("an empty text", token.at)
        elif not token.is_name:
            raise ConditionError("a value is needed", token.at)
        self._next()
        return _Value(token.text, token.kind == "word" and token.text in FIELDS)
