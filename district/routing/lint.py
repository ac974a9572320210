"""What is wrong, or worth knowing, about a set of rules before a report has met them. Pure.

Every rule is taken apart into cases: what its matchers and one alternative of its condition allow, field by field.
A case that allows nothing can never be; a case that lies inside a case of an earlier rule never gets its turn. What
cannot be compared (words in the text, one field with another) counts as equal only to itself, so a finding about two
rules may be missed but is never made up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from district.routing.conditions import MOMENTS, Condition, ConditionError, Part, parse, within
from district.routing.rules import (
    ANY,
    LOOKERS_ON,
    MAINTAINER,
    MANUAL_QUEUE,
    NONE,
    OWNER,
    PRIMARY,
    PROPERTY,
    REPLY_ONLY,
    STREET,
    STREET_KINDS,
)

if TYPE_CHECKING:
    from district.reference import RuleRef, UnitRef

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
# Two rules of one category whose priorities are this near are meant for the same reports: worth a look.
NEAR_PRIORITIES = 10
_MARKS = {MAINTAINER: "facility.maintainer_unit", OWNER: "facility.owner_unit", PROPERTY: "compound.property"}
# Whoever knows the one knows the other.
_FOLLOWS = {
    "facility.maintainer_unit": "facility",
    "facility.owner_unit": "facility",
    "facility.state": "facility",
    "facility.type": "facility",
    "category.facility_type": "category",
    "category.major": "category",
    "category.urgency": "category",
    "compound.property": "compound",
}
_IN_COMPOUND = "location.in_compound"
_NUMBERS = [f"{number:02}" for number in range(60)]
_DOMAINS: dict[str, frozenset[str]] = {
    "day": frozenset(f"{month}-{day}" for month in _NUMBERS[1:13] for day in _NUMBERS[1:32]),
    "month": frozenset(_NUMBERS[1:13]),
    "season": frozenset({"spring", "summer", "autumn", "winter"}),
    "time": frozenset(f"{hour}:{minute}" for hour in _NUMBERS[:24] for minute in _NUMBERS),
    "weekday": frozenset("1234567"),
    _IN_COMPOUND: frozenset({"yes", "no"}),
}


@dataclass(frozen=True, slots=True)
class World:
    """What rules speak of. units: closed ones included; categories: those in use, code → major; areas: the codes
    of streets and townships; backstop: the code of the unit that gets what no rule wants, or empty.
    """

    units: Mapping[str, UnitRef]
    categories: Mapping[str, str]
    areas: frozenset[str]
    facility_types: frozenset[str]
    backstop: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one or more rules. kind: a name under `rules.lint`; params: codes and words for its sentence."""

    severity: str
    kind: str
    rules: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What a field may be. values: None for anything but `excluded`."""

    null: bool = True
    values: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    def __and__(self, other: _Allowed) -> _Allowed:
        values = self.values
        if other.values is not None:
            values = other.values if values is None else values & other.values
        return _Allowed(self.null and other.null, values, self.excluded | other.excluded)

    @property
    def is_possible(self) -> bool:
        return self.null or self.values is None or bool(self.values - self.excluded)

    def may_be(self, value: str | None) -> bool:
        if value is None:
            return self.null
        return value not in self.excluded and (self.values is None or value in self.values)

    def lies_in(self, other: _Allowed) -> bool:
        if self.null and not other.null:
            return False
        if self.values is not None:
            return all(other.may_be(value) for value in self.values - self.excluded)
        return other.values is None and other.excluded <= self.excluded


_ANYTHING = _Allowed()


@dataclass(frozen=True)
class _Case:
    """Fields with what they may be, and what can only be compared with itself."""

    allowed: Mapping[str, _Allowed]
    atoms: frozenset[Part] = frozenset()

    def of(self, name: str) -> _Allowed:
        return self.allowed.get(name, _ANYTHING)

    def __and__(self, other: _Case) -> _Case:
        return _Case(
            dict(self.allowed) | {name: self.of(name) & what for name, what in other.allowed.items()},
            self.atoms | other.atoms,
        )

    @property
    def is_possible(self) -> bool:
        opposed = any(
            a.negated != b.negated
            and (a.field, a.operator, a.words, a.others) == (b.field, b.operator, b.words, b.others)
            for a, b in combinations(self.atoms, 2)
        )
        return not opposed and all(what.is_possible for what in self.allowed.values())

    def lies_in(self, other: _Case) -> bool:
        return all(self.of(name).lies_in(what) for name, what in other.allowed.items()) and all(
            any(_follows(own, atom) for own in self.atoms) for atom in other.atoms
        )


@dataclass(frozen=True)
class _Taken:
    """A rule taken apart. cases: only those that can be."""

    ref: RuleRef
    cases: tuple[_Case, ...]
    categories: frozenset[str] | None

    @property
    def answers(self) -> bool:
        return self.ref.role in (PRIMARY, NONE)


def lint(rules: Iterable[RuleRef], world: World) -> list[Finding]:
    """Everything found, errors first, then in the order in which the rules are tried."""
    ordered = sorted(rules, key=lambda ref: -ref.priority)
    found: list[Finding] = []
    if world.backstop not in world.units or world.units[world.backstop].is_closed:
        found.append(Finding(ERROR, "no_backstop", (), {"unit": world.backstop or "-"}))
    taken: list[_Taken] = []
    for ref in ordered:
        found += _names(ref, world)
        try:
            condition = parse(ref.condition)
        except ConditionError as error:
            found.append(Finding(ERROR, "unreadable", (ref.code,), {"problem": str(error)}))
            continue
        rule = _take(ref, condition, world)
        if not rule.cases:
            kind = "never_true" if not any(case.is_possible for case in _cases(condition)) else "never_fits"
            found.append(Finding(ERROR, kind, (ref.code,), {"condition": ref.condition or "-"}))
            continue
        taken.append(rule)
    answering = [rule for rule in taken if rule.answers]
    found += _shadowed(answering, world)
    found += _ties(answering)
    found += _contested(answering, world)
    found += _gaps(answering, world)
    found += _streets(taken, world)
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


# ---------------------------------------------------------------- one rule


def _names(ref: RuleRef, world: World) -> Iterator[Finding]:
    """What the rule names that does not exist or cannot be given a report."""
    for kind, codes, known in (
        ("unknown_category", ref.category_codes, world.categories),
        ("unknown_area", ref.area_codes, world.areas),
        ("unknown_type", ref.facility_types, world.facility_types),
    ):
        missing = [code for code in codes if code != ANY and code not in known]
        if missing:
            yield Finding(ERROR, kind, (ref.code,), {"codes": ", ".join(missing)})
    if ref.major != ANY and ref.major not in set(world.categories.values()):
        yield Finding(ERROR, "unknown_major", (ref.code,), {"codes": ref.major})
    for code in ref.units:
        if code.startswith("@"):
            continue
        unit = world.units.get(code)
        if unit is None:
            yield Finding(ERROR, "unknown_unit", (ref.code,), {"unit": code})
        elif unit.is_closed:
            yield Finding(ERROR, "closed_unit", (ref.code,), {"unit": unit.name})
        elif ref.role == PRIMARY and unit.role in LOOKERS_ON:
            yield Finding(ERROR, "looks_on", (ref.code,), {"unit": unit.name})
        elif ANY not in ref.area_codes and ANY not in unit.area_codes:
            elsewhere = [code for code in ref.area_codes if code in world.areas and code not in unit.area_codes]
            if elsewhere:
                params = {"unit": unit.name, "codes": ", ".join(elsewhere)}
                yield Finding(WARNING, "not_its_area", (ref.code,), params)


def _take(ref: RuleRef, condition: Condition, world: World) -> _Taken:
    matched: dict[str, _Allowed] = {}
    categories: frozenset[str] | None = None
    if ANY not in ref.category_codes or ref.major != ANY:
        of_major = frozenset(code for code, major in world.categories.items() if ref.major in (ANY, major))
        named = frozenset(ref.category_codes) if ANY not in ref.category_codes else of_major
        categories = named & of_major
        matched["category"] = _Allowed(null=False, values=categories)
    if ANY not in ref.area_codes:
        matched["area"] = _Allowed(null=False, values=frozenset(ref.area_codes) & world.areas)
    if ANY not in ref.facility_types:
        matched["facility.type"] = _Allowed(null=False, values=frozenset(ref.facility_types) & world.facility_types)
    box = _Case(matched)
    cases = [_closed(case & box) for case in _cases(condition)]
    return _Taken(ref, tuple(case for case in cases if case.is_possible), categories)


def _cases(condition: Condition) -> Iterator[_Case]:
    alternatives = condition.alternatives()
    if alternatives is None:
        # Too many to look into: the condition as a whole is comparable to itself alone.
        yield _Case({}, frozenset({Part(condition.source, "whole", frozenset(), frozenset(), (), False)}))
        return
    for parts in alternatives:
        case = _Case({})
        for part in parts:
            case &= _case_of(part)
        yield _closed(case)


def _case_of(part: Part) -> _Case:
    known = _Case({part.field: _Allowed(null=False)})
    if part.field == "text" or part.others or part.operator == "contains":
        atom = _Case({}, frozenset({part}))
        return atom if part.negated or part.field == "text" else atom & known
    if part.field in MOMENTS:
        every = _DOMAINS[part.field]
        held = every
        if part.operator == "within":
            held = frozenset(
                value for value in every
                if any(within(value, span, ends_before=part.field == "time") for span in part.spans)
            )  # fmt: skip
        elif part.operator == "null":
            held = frozenset()
        return _Case({part.field: _Allowed(null=False, values=every - held if part.negated else held)})
    if part.field == _IN_COMPOUND:
        held = frozenset({"yes"}) if part.operator == "known" else frozenset()
        values = _DOMAINS[_IN_COMPOUND] - held if part.negated else held
        return _Case({_IN_COMPOUND: _Allowed(null=False, values=values)})
    allowed = {
        ("null", False): _Allowed(values=frozenset()),
        ("null", True): _Allowed(null=False),
        ("known", False): _Allowed(null=False),
        ("known", True): _Allowed(values=frozenset()),
        ("=", False): _Allowed(null=False, values=part.words),
        ("=", True): _Allowed(excluded=part.words),
        ("!=", False): _Allowed(null=False, excluded=part.words),
        ("!=", True): _Allowed(values=part.words),
    }[part.operator, part.negated]
    return _Case({part.field: allowed})


def _closed(case: _Case) -> _Case:
    """With what follows: whoever has a maintainer is a facility, whatever is in a compound has one."""
    more: dict[str, _Allowed] = {}
    for name, above in _FOLLOWS.items():
        if name in case.allowed and not case.of(name).null:
            more[above] = _Allowed(null=False)
    if case.of(_IN_COMPOUND).values == frozenset({"yes"}):
        more["compound"] = _Allowed(null=False)
    elif case.of(_IN_COMPOUND).values == frozenset({"no"}):
        more["compound"] = _Allowed(values=frozenset())
    case &= _Case(more)
    if not case.of("compound").null:
        case &= _Case({_IN_COMPOUND: _Allowed(null=False, values=frozenset({"yes"}))})
    return case


def _follows(own: Part, wanted: Part) -> bool:
    """Whether what holds by `own` makes `wanted` hold."""
    if own == wanted:
        return True
    if own.operator == wanted.operator == "contains" and own.field == wanted.field and not own.negated:
        return not wanted.negated and all(
            any(word.casefold() in longer.casefold() for word in wanted.words) for longer in own.words
        )
    return False


# ---------------------------------------------------------------- rules among each other


def _shadowed(answering: Sequence[_Taken], world: World) -> Iterator[Finding]:
    """Rules, or some of their categories, whose every case an earlier rule takes."""
    for at, rule in enumerate(answering):
        earlier = answering[:at]
        before: dict[str, None] = {}
        if rule.categories is None:
            if _all_taken(rule.cases, earlier, world, before):
                yield _shadow("shadowed", rule, before, earlier, {})
            continue
        gone = []
        for category in sorted(rule.categories):
            taken_by: dict[str, None] = {}
            only = _Case({"category": _Allowed(null=False, values=frozenset({category}))})
            cases = [case & only for case in rule.cases]
            if _all_taken([case for case in cases if case.is_possible], earlier, world, taken_by):
                gone.append(category)
                before |= taken_by
        if len(gone) == len(rule.categories):
            yield _shadow("shadowed", rule, before, earlier, {})
        elif gone and not _say_the_same(rule, before, earlier):
            yield _shadow("partly_shadowed", rule, before, earlier, {"codes": ", ".join(gone)})


def _shadow(
    kind: str, rule: _Taken, before: Iterable[str], earlier: Sequence[_Taken], params: dict[str, str]
) -> Finding:
    first = tuple(before)
    # A general rule behind a special one that says the same is how such tables are written.
    severity = NOTE if _say_the_same(rule, first, earlier) or kind == "partly_shadowed" else WARNING
    return Finding(severity, kind, (rule.ref.code, *first), params | {"earlier": ", ".join(first)})


def _say_the_same(rule: _Taken, before: Iterable[str], earlier: Sequence[_Taken]) -> bool:
    codes = set(before)
    return all(other.ref.units == rule.ref.units for other in earlier if other.ref.code in codes)


def _all_taken(cases: Sequence[_Case], earlier: Sequence[_Taken], world: World, before: dict[str, None]) -> bool:
    """Whether earlier rules take every cell of the cases; `before` learns which."""
    for case in cases:
        for cell in _cells(case, world):
            by = _taker(cell, earlier, world)
            if by is None:
                return False
            before[by] = None
    return bool(cases)


def _cells(case: _Case, world: World) -> Iterator[_Case]:
    """The case, category by category and area by area: different rules may take different ones."""
    allowed = case.of("category")
    categories: list[str | None] = [code for code in (None, *world.categories) if allowed.may_be(code)]
    areas = [code for code in (None, *sorted(world.areas)) if case.of("area").may_be(code)]
    for category in categories:
        for area in areas:
            yield case & _Case({"category": _just(category), "area": _just(area)})


def _just(value: str | None) -> _Allowed:
    return _Allowed(values=frozenset()) if value is None else _Allowed(null=False, values=frozenset({value}))


def _taker(cell: _Case, earlier: Sequence[_Taken], world: World) -> str | None:
    for rule in earlier:
        if any(cell.lies_in(case) for case in rule.cases) and _surely_answers(rule.ref, cell, world):
            return rule.ref.code
    return None


def _surely_answers(ref: RuleRef, case: _Case, world: World) -> bool:
    """Whether the rule finds a unit (or needs none) whenever the case is given."""
    if ref.role == NONE or ref.mode in (MANUAL_QUEUE, REPLY_ONLY):
        return True
    return any(_is_sure(name, case, world) for name in ref.units)


def _is_sure(name: str, case: _Case, world: World) -> bool:
    if name == STREET:
        area = case.of("area")
        return not area.null and area.values is not None and area.values <= _served(world)
    if name in _MARKS:
        return not case.of(_MARKS[name]).null
    unit = world.units.get(name)
    return unit is not None and not unit.is_closed and unit.role not in LOOKERS_ON


def _served(world: World) -> frozenset[str]:
    """The areas that have an open street office or township."""
    return frozenset(
        area
        for unit in world.units.values()
        if unit.kind in STREET_KINDS and not unit.is_closed
        for area in (world.areas if ANY in unit.area_codes else unit.area_codes)
    )


def _meet(one: _Taken, other: _Taken, category: str | None = None) -> bool:
    """Whether one report could be both rules'."""
    only = _Case({"category": _just(category)} if category else {})
    return any((a & b & only).is_possible for a in one.cases for b in other.cases)


def _ties(answering: Sequence[_Taken]) -> Iterator[Finding]:
    """Rules of one priority that give one report to different units: the order of the file would decide."""
    by_priority: dict[int, list[_Taken]] = defaultdict(list)
    for rule in answering:
        by_priority[rule.ref.priority].append(rule)
    for priority, rules in by_priority.items():
        for one, other in combinations(rules, 2):
            if one.ref.units != other.ref.units and _meet(one, other):
                yield Finding(WARNING, "tie", (one.ref.code, other.ref.code), {"priority": str(priority)})


def _contested(answering: Sequence[_Taken], world: World) -> Iterator[Finding]:
    """Categories that rules of nearly one priority give to different units, or one unit in different ways."""
    by_category: dict[str, dict[str, None]] = {}
    named: dict[str, list[_Taken]] = defaultdict(list)
    for rule in answering:
        for category in sorted(rule.categories or ()):
            if ANY not in rule.ref.category_codes:
                named[category].append(rule)
    for category, rules in named.items():
        for one, other in combinations(rules, 2):
            differ = one.ref.units != other.ref.units
            near = 0 < one.ref.priority - other.ref.priority <= NEAR_PRIORITIES
            otherwise = not differ and one.ref.mode != other.ref.mode
            if ((differ and near) or otherwise) and _meet(one, other, category):
                by_category.setdefault(category, {}).update({one.ref.code: None, other.ref.code: None})
    for category, codes in by_category.items():
        params = {"category": category, "earlier": ", ".join(codes)}
        yield Finding(NOTE, "contested", tuple(codes), params)


def _gaps(answering: Sequence[_Taken], world: World) -> Iterator[Finding]:
    """Categories that only a rule for everything answers: nowhere, in some areas, or unless a condition holds."""
    missing: list[str] = []
    sometimes: list[str] = []
    elsewhere: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for category in sorted(world.categories):
        own = [rule for rule in answering if rule.categories is not None and category in rule.categories]
        if not own:
            missing.append(category)
            continue
        without = []
        conditional = False
        for area in sorted(world.areas):
            cell = _Case({"category": _just(category), "area": _just(area)})
            if any((case & cell).is_possible for rule in own for case in rule.cases):
                conditional = conditional or _taker(cell, own, world) is None
            else:
                without.append(area)
        if without:
            elsewhere[tuple(without)].append(category)
        elif conditional:
            sometimes.append(category)
    if missing:
        yield Finding(WARNING, "uncovered", (), {"codes": ", ".join(missing)})
    for areas, categories in elsewhere.items():
        yield Finding(WARNING, "uncovered_in", (), {"codes": ", ".join(categories), "areas": ", ".join(areas)})
    if sometimes:
        yield Finding(NOTE, "sometimes", (), {"codes": ", ".join(sometimes)})


def _streets(taken: Sequence[_Taken], world: World) -> Iterator[Finding]:
    """Areas without a street office, where rules count on there being one."""
    without = sorted(world.areas - _served(world))
    counting = tuple(rule.ref.code for rule in taken if STREET in rule.ref.units)
    if without and counting:
        yield Finding(WARNING, "no_street", counting, {"areas": ", ".join(without)})
