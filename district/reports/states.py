"""Statuses, their families, and the table of who may move a report from where to where.

Pure: imports nothing of Flask or the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from district.people.roles import Role


class Status(StrEnum):
    SUBMITTED = "submitted"  # 待派遣
    TRIAGE = "triage"  # 待研判
    ASSIGNED = "assigned"  # 已派遣
    IN_PROGRESS = "in_progress"  # 处置中
    RESOLVED = "resolved"  # 待核查
    CLOSED = "closed"  # 已结案
    REJECTED = "rejected"  # 不予受理
    MERGED = "merged"  # 已并案
    SUSPENDED = "suspended"  # 挂账
    WITHDRAWN = "withdrawn"  # 已撤回


# Families: lists and counts name these, never single statuses.
WAITING_FOR_DISPATCH = frozenset({Status.SUBMITTED, Status.TRIAGE})
WITH_UNIT = frozenset({Status.ASSIGNED, Status.IN_PROGRESS})
OPEN = WAITING_FOR_DISPATCH | WITH_UNIT | {Status.RESOLVED, Status.SUSPENDED}
ENDED = frozenset({Status.CLOSED, Status.REJECTED, Status.MERGED, Status.WITHDRAWN})
# A closed report may be reopened for so long, where the district does not say otherwise.
DEFAULT_REOPEN_DAYS = 15
# A unit is set exactly in these.
HAS_UNIT = frozenset({Status.ASSIGNED, Status.IN_PROGRESS, Status.RESOLVED, Status.CLOSED, Status.SUSPENDED})


class PlainStatus(StrEnum):
    """The five words a resident sees."""

    RECEIVED = "received"  # 已收到
    WITH_UNIT = "with_unit"  # 已派给{unit}
    BEING_HANDLED = "being_handled"  # 处理中
    SOLVED = "solved"  # 已解决
    NOT_ACCEPTED = "not_accepted"  # 未受理


PLAIN: dict[Status, PlainStatus] = {
    Status.SUBMITTED: PlainStatus.RECEIVED,
    Status.TRIAGE: PlainStatus.RECEIVED,
    Status.ASSIGNED: PlainStatus.WITH_UNIT,
    Status.IN_PROGRESS: PlainStatus.BEING_HANDLED,
    Status.RESOLVED: PlainStatus.BEING_HANDLED,
    Status.SUSPENDED: PlainStatus.BEING_HANDLED,
    Status.CLOSED: PlainStatus.SOLVED,
    Status.REJECTED: PlainStatus.NOT_ACCEPTED,
    Status.WITHDRAWN: PlainStatus.NOT_ACCEPTED,
    Status.MERGED: PlainStatus.RECEIVED,
}


class Action(StrEnum):
    """What can be done to a report."""

    ASSIGN = "assign"
    SEND_TO_TRIAGE = "send_to_triage"
    ACCEPT = "accept"
    HAND_BACK = "hand_back"
    UPHOLD_HAND_BACK = "uphold_hand_back"
    REFUSE_HAND_BACK = "refuse_hand_back"
    RESOLVE = "resolve"
    VERIFY = "verify"
    REFUSE_VERIFICATION = "refuse_verification"
    REJECT = "reject"
    REOPEN = "reopen"
    RATE = "rate"
    WITHDRAW = "withdraw"
    CORRECT = "correct"
    COMMENT = "comment"
    ASK = "ask"
    ANSWER = "answer"
    WITHDRAW_QUESTION = "withdraw_question"
    FINISH_PART = "finish_part"
    CHOOSE_STANDARD = "choose_standard"
    ASK_EXTENSION = "ask_extension"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_EXTENSION = "refuse_extension"
    SUSPEND = "suspend"
    RESUME = "resume"
    MERGE = "merge"
    UNMERGE = "unmerge"
    REPLY = "reply"
    ADD_CO = "add_co"
    REMOVE_CO = "remove_co"
    SPLIT = "split"
    CALL_BACK = "call_back"


class Who(StrEnum):
    """Actors that are not a role: the automatic router, and the resident who owns the report."""

    SYSTEM = "system"
    RESIDENT = "resident"


class Scope(StrEnum):
    """Which staff of a role: anybody, those of the responsible unit (or above it), of a co-unit whose part is not
    done, or those with no part in it.
    """

    ANY = "any"
    RESPONSIBLE_UNIT = "responsible_unit"
    CO_UNIT = "co_unit"
    NOT_INVOLVED = "not_involved"


@dataclass(frozen=True)
class Transition:
    """One row: an action, where it may start, where it leads (None: the status stays), and who may.

    scope narrows `roles`; `unit_roles` may besides, where their unit answers for the report.
    """

    action: Action
    sources: frozenset[Status]
    target: Status | None
    roles: frozenset[Role] = frozenset()
    who: frozenset[Who] = frozenset()
    scope: Scope = Scope.ANY
    unit_roles: frozenset[Role] = frozenset()


_COMMAND = frozenset({Role.DISPATCHER, Role.SHIFT_LEAD})
_UNIT = frozenset({Role.HANDLER, Role.UNIT_MANAGER})
_CLOCK_RUNS = WAITING_FOR_DISPATCH | WITH_UNIT
_CHECKERS = frozenset({Role.VERIFIER, Role.ACCEPTOR, Role.SHIFT_LEAD, Role.INSPECTOR})

TRANSITIONS: tuple[Transition, ...] = (
    Transition(Action.ASSIGN, WAITING_FOR_DISPATCH | WITH_UNIT, Status.ASSIGNED, _COMMAND, frozenset({Who.SYSTEM})),
    Transition(Action.SEND_TO_TRIAGE, frozenset({Status.SUBMITTED}), Status.TRIAGE, who=frozenset({Who.SYSTEM})),
    Transition(Action.ACCEPT, frozenset({Status.ASSIGNED}), Status.IN_PROGRESS, _UNIT, scope=Scope.RESPONSIBLE_UNIT),
    Transition(Action.HAND_BACK, WITH_UNIT, None, _UNIT, scope=Scope.RESPONSIBLE_UNIT),
    Transition(Action.UPHOLD_HAND_BACK, WITH_UNIT, Status.ASSIGNED, _COMMAND),
    Transition(Action.REFUSE_HAND_BACK, WITH_UNIT, None, _COMMAND),
    Transition(Action.RESOLVE, WITH_UNIT, Status.RESOLVED, _UNIT, scope=Scope.RESPONSIBLE_UNIT),
    # With a category that needs no verification, resolving leads straight to CLOSED.
    Transition(Action.VERIFY, frozenset({Status.RESOLVED}), Status.CLOSED, _CHECKERS, scope=Scope.NOT_INVOLVED),
    Transition(
        Action.REFUSE_VERIFICATION,
        frozenset({Status.RESOLVED}),
        Status.IN_PROGRESS,
        _CHECKERS,
        scope=Scope.NOT_INVOLVED,
    ),
    Transition(Action.REJECT, WAITING_FOR_DISPATCH, Status.REJECTED, _COMMAND | {Role.ACCEPTOR}),
    Transition(
        Action.REOPEN,
        frozenset({Status.CLOSED}),
        Status.ASSIGNED,
        frozenset({Role.ACCEPTOR, Role.SHIFT_LEAD, Role.INSPECTOR}),
        frozenset({Who.RESIDENT}),
    ),
    Transition(Action.RATE, frozenset({Status.CLOSED}), None, who=frozenset({Who.RESIDENT})),
    # What the resident says on the telephone counts as a rating; "not solved" reopens it.
    Transition(Action.CALL_BACK, frozenset({Status.CLOSED}), None, frozenset({Role.ACCEPTOR, Role.SHIFT_LEAD})),
    Transition(
        Action.WITHDRAW,
        WAITING_FOR_DISPATCH | {Status.ASSIGNED},
        Status.WITHDRAWN,
        who=frozenset({Who.RESIDENT}),
    ),
    # Once it is with a unit, what was set right is looked at again by the router, never swapped silently.
    Transition(
        Action.CORRECT, WAITING_FOR_DISPATCH | WITH_UNIT, None, _COMMAND | {Role.ACCEPTOR}, frozenset({Who.RESIDENT})
    ),
    Transition(
        Action.COMMENT,
        OPEN | {Status.CLOSED, Status.MERGED},
        None,
        frozenset(Role) - {Role.LEADER, Role.ADMINISTRATOR},
        frozenset({Who.RESIDENT}),
    ),
    # Waiting for the resident is a flag with a paused clock: none of these moves the status.
    Transition(Action.ASK, _CLOCK_RUNS, None, _COMMAND | {Role.ACCEPTOR}, unit_roles=_UNIT),
    Transition(Action.ANSWER, _CLOCK_RUNS, None, who=frozenset({Who.RESIDENT})),
    Transition(Action.WITHDRAW_QUESTION, _CLOCK_RUNS, None, _COMMAND | {Role.ACCEPTOR}, unit_roles=_UNIT),
    Transition(Action.FINISH_PART, WITH_UNIT | {Status.RESOLVED}, None, _UNIT, scope=Scope.CO_UNIT),
    # An asked extension is a flag; the clock runs on until it is granted.
    Transition(Action.CHOOSE_STANDARD, _CLOCK_RUNS, None, _COMMAND | {Role.ACCEPTOR}),
    Transition(Action.ASK_EXTENSION, WITH_UNIT, None, _UNIT, scope=Scope.RESPONSIBLE_UNIT),
    Transition(Action.GRANT_EXTENSION, WITH_UNIT, None, _COMMAND),
    Transition(Action.REFUSE_EXTENSION, WITH_UNIT, None, _COMMAND),
    Transition(Action.SUSPEND, WITH_UNIT, Status.SUSPENDED, _COMMAND),
    # A report that the unit had not accepted yet goes back to ASSIGNED.
    Transition(
        Action.RESUME,
        frozenset({Status.SUSPENDED}),
        Status.IN_PROGRESS,
        _COMMAND,
        frozenset({Who.SYSTEM}),
        unit_roles=_UNIT,
    ),
    Transition(Action.MERGE, WAITING_FOR_DISPATCH | WITH_UNIT, Status.MERGED, _COMMAND, frozenset({Who.SYSTEM})),
    # It is routed again, as if it had just come in.
    Transition(Action.UNMERGE, frozenset({Status.MERGED}), Status.SUBMITTED, _COMMAND),
    Transition(
        Action.REPLY, OPEN | {Status.CLOSED, Status.REJECTED}, None, _COMMAND | {Role.ACCEPTOR}, unit_roles=_UNIT
    ),
    Transition(Action.ADD_CO, WITH_UNIT, None, _COMMAND),
    Transition(Action.REMOVE_CO, WITH_UNIT, None, _COMMAND),
    # What was two things becomes two reports; this one stays where it is.
    Transition(Action.SPLIT, WAITING_FOR_DISPATCH | WITH_UNIT, None, _COMMAND),
)
BY_ACTION: dict[Action, Transition] = {row.action: row for row in TRANSITIONS}
