"""What other rules would have done with the latest reports. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from district.reference import RuleRef, reference
from district.reports.models import Report
from district.routing.rules import Decision, RuleBook
from district.routing.service import backstop_of, decide_again, rule_book

REPORTS = 500


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report goes. unit: a code, or None; to_triage: a person decides, with the unit as a proposal."""

    unit: str | None
    to_triage: bool


@dataclass(frozen=True, slots=True)
class Move:
    """One report that would go elsewhere. rule_*: the rules that win before and after."""

    report: Report
    before: Place
    after: Place
    rule_before: str | None
    rule_after: str | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """examined: how many reports were looked at. moves: newest first. counts: from, to, how many, most first."""

    examined: int
    moves: tuple[Move, ...]
    counts: tuple[tuple[Place, Place, int], ...]


def dry_run(rules: Sequence[RuleRef], limit: int = REPORTS) -> DryRun:
    """Hold the latest `limit` reports, as they are known today, against today's rules and against these."""
    ref = reference()
    books = [rule_book(ref), RuleBook(rules, ref.units_by_code, backstop_of(ref))]
    decided = decide_again(limit, books)
    moves = tuple(
        Move(report, _place(old), _place(new), old.rule, new.rule)
        for report, (old, new) in decided
        if _place(old) != _place(new)
    )
    counts = Counter((move.before, move.after) for move in moves)
    return DryRun(len(decided), moves, tuple((before, after, n) for (before, after), n in counts.most_common()))


def _place(decision: Decision) -> Place:
    return Place(decision.unit, decision.to_triage)
