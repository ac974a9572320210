"""Which unit answers for a report: pure, from facts and rules to a decision that explains itself.

Rules are tried from the highest priority down. The first whose matchers and condition hold, whose role is `primary`
(or `none`, which answers without a unit) and whose unit exists and is open, decides. Every matching co, supervise
and broadcast rule adds its units, whatever its priority. There is always an answer: the backstop unit's triage.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from district.routing.conditions import Condition, ConditionError, moment_fields, parse

if TYPE_CHECKING:
    from district.reference import RuleRef, UnitRef

log = logging.getLogger(__name__)

# A rule book remembers no more decisions than this; a district has a few thousand kinds of reports at most.
_MOST_REMEMBERED = 4096
# What no two reports share: remembered is what a condition says of it, not the words or the minute themselves.
_PASSING = frozenset({"text", "time"})
ANY = "*"
PRIMARY, CO, SUPERVISE, BROADCAST, NONE = "primary", "co", "supervise", "broadcast", "none"
AUTO, MANUAL_CONFIRM, MANUAL_QUEUE = "auto", "manual_confirm", "manual_queue"
REPLY_ONLY, TRANSFER = "reply_only", "transfer"
MAINTAINER, OWNER, STREET, PROPERTY = (
    "@facility.maintainer_unit",
    "@facility.owner_unit",
    "@area.street",
    "@compound.property",
)
STREET_KINDS = frozenset({"street", "township"})
# Units that look on: never responsible for a report.
LOOKERS_ON = frozenset({"leader", "observer"})
# A unit with several parts in a report keeps the one that asks most of it.
_STRONGEST = {CO: 0, SUPERVISE: 1, BROADCAST: 2}
_REASONS = {MAINTAINER: "facility_maintainer", OWNER: "facility_owner", STREET: "street", PROPERTY: "property"}

Trace = tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Facts:
    """What is known of a report when it is routed. Codes, or None where nothing is known.

    has_place: a point, a facility or words for a place. *_name: for the sentence people read.
    at: when it was made, in the district's own time.
    """

    intent: str = "report"
    urgency: str = "normal"
    text: str = ""
    category: str | None = None
    category_major: str | None = None
    category_facility_type: str | None = None
    category_urgency: str | None = None
    facility: str | None = None
    facility_type: str | None = None
    facility_state: str | None = None
    facility_maintainer: str | None = None
    facility_owner: str | None = None
    area: str | None = None
    compound: str | None = None
    compound_property: str | None = None
    has_place: bool = True
    at: datetime | None = None
    category_name: str = ""
    facility_name: str = ""
    area_name: str = ""
    compound_name: str = ""

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The facts by the names that conditions use."""
        return {
            "area": self.area,
            "category": self.category,
            "category.facility_type": self.category_facility_type,
            "category.major": self.category_major,
            "category.urgency": self.category_urgency,
            "compound": self.compound,
            "compound.property": self.compound_property,
            "facility": self.facility,
            "facility.maintainer_unit": self.facility_maintainer,
            "facility.owner_unit": self.facility_owner,
            "facility.state": self.facility_state,
            "facility.type": self.facility_type,
            "intent": self.intent,
            "location.in_compound": self.compound is not None,
            "text": self.text,
            "urgency": self.urgency,
            **moment_fields(self.at),
        }


@dataclass(frozen=True)
class Reason:
    """A sentence of the catalogue; params hold names and codes only."""

    key: str
    params: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "params": dict(self.params)}


@dataclass(frozen=True)
class Decision:
    """unit: responsible, or with to_triage the one proposed, or None. other_units: (unit code, role).

    trace: one entry a rule worth telling of, `{rule, outcome, ...}`; the last counts the rules that are about
    something else. outcome: `won`, `added`, `lost` with `why`, `outranked`, `backstop`, `border` (what the rules
    give on the other side of a border, with its `area`), `not_concerned`.
    """

    unit: str | None
    mode: str
    rule: str | None
    to_triage: bool
    reason: Reason
    other_units: tuple[tuple[str, str], ...] = ()
    trace: Trace = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule made ready. None for a set of codes means any."""

    ref: RuleRef
    categories: frozenset[str] | None
    types: frozenset[str] | None
    areas: frozenset[str] | None
    condition: Condition | None
    fault: str

    @property
    def answers(self) -> bool:
        """Whether it decides (rather than adds units)."""
        return self.ref.role in (PRIMARY, NONE)

    def is_about(self, facts: Facts) -> bool:
        """Whether type and area fit; the category is the index's part."""
        return (self.types is None or facts.facility_type in self.types) and (
            self.areas is None or facts.area in self.areas
        )


@dataclass(frozen=True, slots=True)
class _Concerned:
    """The rules for one category, type of facility and area, and on what else their decision depends.

    fields: what their conditions ask for; passing: the conditions that ask for what no two reports share.
    """

    rules: tuple[_Rule, ...]
    fields: tuple[str, ...]
    passing: tuple[Condition, ...]


class _CannotHaveIt(Exception):
    """A rule's unit cannot be given the report. why: a name under `routing.trace`."""

    def __init__(self, why: str, **params: str) -> None:
        super().__init__(why)
        self.reason = {"key": f"routing.trace.{why}", "params": params}


class RuleBook:
    """Immutable: the rules in force, ready to be asked.

    units: by code, closed ones included. backstop: the code of the unit that gets what no rule wants.
    """

    def __init__(self, rules: Iterable[RuleRef], units: Mapping[str, UnitRef], backstop: str) -> None:
        # Sorting is stable: of equal priorities the rule that was written first comes first.
        self._rules = tuple(_ready(ref) for ref in sorted(rules, key=lambda ref: -ref.priority))
        self._units = units
        self._backstop = backstop
        self._streets: dict[str, str] = {}
        for code in sorted(units):
            if units[code].kind in STREET_KINDS and not units[code].is_closed:
                for area in units[code].area_codes:
                    self._streets.setdefault(area, code)
        self._by_category: dict[tuple[str | None, str | None], tuple[_Rule, ...]] = {}
        self._concerned: dict[tuple[str | None, ...], _Concerned] = {}
        self._decisions: dict[tuple[Any, ...], Decision] = {}

    def __len__(self) -> int:
        return len(self._rules)

    def choose(self, facts: Facts) -> Decision:
        """The decision for these facts. Never raises, never without an answer.

        Facts that no rule can tell apart have one decision, worked out once.
        """
        about = (facts.category, facts.category_major, facts.facility_type, facts.area)
        concerned = self._concerned.get(about)
        if concerned is None:
            concerned = self._concerned_by(facts)
            if len(self._concerned) < 2 * _MOST_REMEMBERED:
                self._concerned[about] = concerned
        fields = facts.fields
        key = (
            about, facts.facility_maintainer, facts.facility_owner, facts.compound_property, facts.has_place,
            facts.category_name, facts.facility_name, facts.area_name, facts.compound_name,
            tuple([fields[name] for name in concerned.fields]),
            tuple([condition.failure(fields) for condition in concerned.passing]),
        )  # fmt: skip
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._work_out(facts, concerned.rules)
            if len(self._decisions) >= _MOST_REMEMBERED:
                self._decisions.clear()
            self._decisions[key] = decision
        return decision

    def _concerned_by(self, facts: Facts) -> _Concerned:
        rules = tuple(rule for rule in self._for_category(facts) if rule.is_about(facts))
        conditions = [rule.condition for rule in rules if rule.condition is not None]
        passing = tuple(condition for condition in conditions if condition.fields & _PASSING)
        fields = frozenset[str]().union(*(condition.fields for condition in conditions)) - _PASSING
        return _Concerned(rules, tuple(sorted(fields)), passing)

    def _work_out(self, facts: Facts, concerned: Sequence[_Rule]) -> Decision:
        trace: list[dict[str, Any]] = []
        winner: _Rule | None = None
        unit: str | None = None
        added: list[tuple[str, str]] = []
        silent = len(self._rules) - len(concerned)
        for rule in concerned:
            fails = self._failure(rule, facts)
            if fails:
                # Behind the winner, and for units that would only be added, a condition makes no difference.
                if rule.condition is None or (winner is None and rule.answers):
                    trace.append({"rule": rule.ref.code, "outcome": "lost", "why": fails})
                else:
                    silent += 1
            elif not rule.answers:
                self._add(rule, facts, added, trace)
            else:
                try:
                    units = self._primaries(rule, facts)
                except _CannotHaveIt as refusal:
                    trace.append({"rule": rule.ref.code, "outcome": "lost", "why": refusal.reason})
                    continue
                if winner is not None:
                    trace.append({"rule": rule.ref.code, "outcome": "outranked", "unit": next(iter(units), None)})
                    continue
                winner, unit = rule, next(iter(units), None)
                added += [(code, CO) for code in units[1:]]
                trace.append({"rule": rule.ref.code, "outcome": "won", "unit": unit, "mode": rule.ref.mode})
        if winner is None or winner.ref.mode == REPLY_ONLY:
            unit = self._backstop if self._is_open(self._backstop) else None
            if winner is None:
                trace.append({"rule": None, "outcome": "backstop", "unit": unit})
        if silent:
            trace.append({"rule": None, "outcome": "not_concerned", "count": silent})
        mode = winner.ref.mode if winner else MANUAL_QUEUE
        placeless = not facts.has_place and mode == AUTO
        return Decision(
            unit=unit,
            mode=mode,
            rule=winner.ref.code if winner else None,
            to_triage=placeless or unit is None or mode not in (AUTO, TRANSFER),
            reason=self._reason(winner, unit, facts, placeless=placeless),
            other_units=_parts(added, unit),
            trace=tuple(trace),
        )

    def choose_on_border(self, facts: Facts, neighbours: Mapping[str, str]) -> Decision:
        """The decision for a place on a border. neighbours: code → name of the areas on its other side.

        Where the rules give the same unit on every side it is the ordinary decision. Else nobody can tell from the
        point whose it is: a person decides, with the units of all sides proposed.
        """
        decision = self.choose(facts)
        if decision.mode == REPLY_ONLY or decision.unit is None or decision.rule is None:
            return decision
        others: list[dict[str, Any]] = []
        for area, name in neighbours.items():
            there = self.choose(replace(facts, area=area, area_name=name))
            if there.unit not in (None, decision.unit):
                others.append({"rule": there.rule, "outcome": "border", "area": area, "unit": there.unit})
        if not others:
            return decision
        names = {"unit": self._units[decision.unit].name, "other": self._units[others[0]["unit"]].name}
        won = [
            entry | {"mode": MANUAL_CONFIRM} if entry["outcome"] == "won" else entry
            for entry in decision.trace
        ]  # fmt: skip
        behind = next((at + 1 for at, entry in enumerate(won) if entry["outcome"] == "won"), len(won))
        return replace(
            decision,
            mode=MANUAL_CONFIRM,
            to_triage=True,
            reason=Reason("routing.reason.border", names) if facts.has_place else decision.reason,
            trace=(*won[:behind], *others, *won[behind:]),
        )

    def street_of(self, area: str | None) -> str | None:
        """The street office or township of an area."""
        return self._streets.get(area) if area else None

    def _for_category(self, facts: Facts) -> Sequence[_Rule]:
        key = (facts.category, facts.category_major)
        found = self._by_category.get(key)
        if found is None:
            found = tuple(
                rule
                for rule in self._rules
                if (rule.categories is None or facts.category in rule.categories)
                and rule.ref.major in (ANY, facts.category_major)
            )
            if len(self._by_category) < 10_000:
                self._by_category[key] = found
        return found

    def _failure(self, rule: _Rule, facts: Facts) -> dict[str, Any] | None:
        """Why the condition keeps the rule out, or None."""
        if rule.condition is None:
            return {"key": "routing.trace.unreadable", "params": {"problem": rule.fault}}
        if rule.condition.holds(facts.fields):
            return None
        return {"key": "routing.trace.condition", "params": {"part": rule.condition.failure(facts.fields)}}

    def _primaries(self, rule: _Rule, facts: Facts) -> list[str]:
        """The units of a rule that answers: the first is responsible, others take part. Raises _CannotHaveIt.

        Empty for a rule that leaves the choice to a person.
        """
        if rule.ref.role == NONE or rule.ref.mode in (MANUAL_QUEUE, REPLY_ONLY):
            return []
        found: list[str] = []
        refusal = _CannotHaveIt("no_unit")
        for name in rule.ref.units:
            try:
                found.append(self._unit(name, facts, primary=not found))
            except _CannotHaveIt as error:
                refusal = error
        if not found:
            raise refusal
        return found

    def _add(self, rule: _Rule, facts: Facts, added: list[tuple[str, str]], trace: list[dict[str, Any]]) -> None:
        for name in rule.ref.units:
            try:
                code = self._unit(name, facts, primary=False)
            except _CannotHaveIt as refusal:
                trace.append({"rule": rule.ref.code, "outcome": "lost", "why": refusal.reason})
                continue
            added.append((code, rule.ref.role))
            trace.append({"rule": rule.ref.code, "outcome": "added", "unit": code, "role": rule.ref.role})

    def _unit(self, name: str, facts: Facts, *, primary: bool) -> str:
        """The code of the open unit that a rule names. Raises _CannotHaveIt."""
        code: str | None = name
        if name.startswith("@"):
            code = {
                MAINTAINER: facts.facility_maintainer,
                OWNER: facts.facility_owner,
                STREET: self.street_of(facts.area),
                PROPERTY: facts.compound_property,
            }.get(name)
            if code is None:
                raise _CannotHaveIt("nobody", unit=name)
        unit = self._units.get(code or "")
        if unit is None:
            raise _CannotHaveIt("unknown_unit", unit=code or name)
        if unit.is_closed:
            raise _CannotHaveIt("closed_unit", unit=unit.name)
        if primary and unit.role in LOOKERS_ON:
            raise _CannotHaveIt("looks_on", unit=unit.name)
        return unit.code

    def _is_open(self, code: str) -> bool:
        unit = self._units.get(code)
        return unit is not None and not unit.is_closed

    def _reason(self, winner: _Rule | None, unit: str | None, facts: Facts, *, placeless: bool) -> Reason:
        if placeless:
            return Reason("routing.reason.no_place")
        if winner is None or unit is None:
            return Reason("routing.reason.backstop")
        mode, params = winner.ref.mode, {"unit": self._units[unit].name}
        if mode == REPLY_ONLY:
            return Reason("routing.reason.reply_only")
        if mode == MANUAL_CONFIRM:
            return Reason("routing.reason.confirm", params)
        if mode == TRANSFER:
            return Reason("routing.reason.transfer", params)
        found_by = next((name for name in winner.ref.units if name.startswith("@")), "")
        kind = _REASONS.get(found_by, "")
        if kind in ("facility_maintainer", "facility_owner") and facts.facility_name:
            return Reason(f"routing.reason.{kind}", params | {"facility": facts.facility_name})
        if kind == "street" and facts.area_name:
            return Reason("routing.reason.street", params | {"area": facts.area_name})
        if kind == "property" and facts.compound_name:
            return Reason("routing.reason.property", params | {"compound": facts.compound_name})
        if winner.areas is not None and facts.area_name and facts.category_name:
            return Reason(
                "routing.reason.category_area",
                params | {"category": facts.category_name, "area": facts.area_name},
            )
        if facts.category_name:
            return Reason("routing.reason.category", params | {"category": facts.category_name})
        return Reason("routing.reason.unit", params)


def choose(facts: Facts, rules: RuleBook) -> Decision:
    """The decision that `rules` make of `facts`."""
    return rules.choose(facts)


def _ready(ref: RuleRef) -> _Rule:
    condition, fault = None, ""
    try:
        condition = parse(ref.condition)
    except ConditionError as error:
        # Loading refuses such a rule; one that came in otherwise must be seen, not silently skipped.
        fault = str(error)
        log.error("a rule's condition cannot be read", extra={"rule": ref.code, "problem": fault})
    return _Rule(ref, _codes(ref.category_codes), _codes(ref.facility_types), _codes(ref.area_codes), condition, fault)


def _codes(codes: Sequence[str]) -> frozenset[str] | None:
    return None if not codes or ANY in codes else frozenset(codes)


def _parts(added: Iterable[tuple[str, str]], responsible: str | None) -> tuple[tuple[str, str], ...]:
    """Each unit once, in its strongest part, in the order the rules name them; never the responsible one."""
    strongest: dict[str, str] = {}
    for code, role in added:
        if code != responsible and _STRONGEST[role] < _STRONGEST.get(strongest.get(code, ""), 9):
            strongest[code] = role
    return tuple(strongest.items())
