"""The states of a printed code and the table of what may be done to it, by whom.

Pure: imports nothing of Flask or the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from district.people.roles import Role


class CodeState(StrEnum):
    ISSUED = "issued"  # 已生成
    PRINTED = "printed"  # 已打印
    PLACED = "placed"  # 已张贴
    REVOKED = "revoked"  # 已作废
    REPLACED = "replaced"  # 已更换


# A scanned code opens its facility in these; in the others it is refused everywhere.
LIVE = frozenset({CodeState.ISSUED, CodeState.PRINTED, CodeState.PLACED})
ENDED = frozenset(CodeState) - LIVE


class CodeAction(StrEnum):
    """What can be done to a code."""

    PRINT = "print"
    PLACE = "place"
    REPLACE = "replace"
    REVOKE = "revoke"


@dataclass(frozen=True)
class CodeTransition:
    """One row: where an action may start, and where it leads.

    roles: who may everywhere; unit_roles: who may where their unit owns or maintains the facility.
    """

    action: CodeAction
    sources: frozenset[CodeState]
    target: CodeState
    roles: frozenset[Role]
    unit_roles: frozenset[Role] = frozenset()


_KEEPS = frozenset({Role.ADMINISTRATOR})
_UNIT = frozenset({Role.HANDLER, Role.UNIT_MANAGER})

CODE_TRANSITIONS: tuple[CodeTransition, ...] = (
    CodeTransition(
        CodeAction.PRINT, frozenset({CodeState.ISSUED}), CodeState.PRINTED, _KEEPS, frozenset({Role.UNIT_MANAGER})
    ),
    # The same label once more: spoilt on the way, or faded on the post. It stays what it is.
    CodeTransition(
        CodeAction.PRINT, frozenset({CodeState.PRINTED}), CodeState.PRINTED, _KEEPS, frozenset({Role.UNIT_MANAGER})
    ),
    CodeTransition(
        CodeAction.PRINT, frozenset({CodeState.PLACED}), CodeState.PLACED, _KEEPS, frozenset({Role.UNIT_MANAGER})
    ),
    CodeTransition(CodeAction.PLACE, frozenset({CodeState.PRINTED}), CodeState.PLACED, _KEEPS, _UNIT),
    # The older codes of a facility end when a newer one hangs there, and not before.
    CodeTransition(CodeAction.REPLACE, LIVE, CodeState.REPLACED, _KEEPS, _UNIT),
    CodeTransition(CodeAction.REVOKE, LIVE, CodeState.REVOKED, _KEEPS),
)
BY_STEP: dict[tuple[CodeAction, CodeState], CodeTransition] = {
    (row.action, source): row for row in CODE_TRANSITIONS for source in row.sources
}


def step(action: CodeAction, state: CodeState) -> CodeTransition | None:
    """The row for this action on a code in this state; None where it cannot be done."""
    return BY_STEP.get((action, state))
