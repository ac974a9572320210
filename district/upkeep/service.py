"""Adding, changing and retiring what the district is made of, one thing at a time, and taking that back.

Nothing is ever deleted: old reports go on naming what is out of use. Every change is written down with its before and
after, and every process reads the new state within two seconds. Verbs flush and never commit.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, or_, select

from district import clock, settings
from district.changes import service as changes
from district.changes.models import Change
from district.errors import DistrictError, NotFound, StaleVersion, WrongState
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.rules import versions as rules_versions
from district.upkeep.alarms import DeviceAlarms
from district.upkeep.areas import Areas
from district.upkeep.categories import Categories, FacilityTypes, Standards
from district.upkeep.kinds import Cells, Kind, Record, RecordRefused, Use
from district.upkeep.tags import Tags
from district.upkeep.units import Units

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Units(), Categories(), Standards(), FacilityTypes(), Areas(), Tags(), DeviceAlarms())
}
PAGE = 30


class ThingChanged(StaleVersion):
    """Somebody changed it since the form was opened. now: what it says now, column by column; base: of now."""

    def __init__(self, now: Mapping[str, str], base: str) -> None:
        super().__init__("upkeep.stale")
        self.now, self.base = now, base


class Doubtful(DistrictError):
    """It can be taken and looks like a mistake. doubts: sentences; sure: what to say to have it all the same."""

    code = "doubtful"
    default_key = "upkeep.doubt.title"

    def __init__(self, doubts: Sequence[str], sure: str) -> None:
        super().__init__()
        self.doubts, self.sure = doubts, sure


class InUse(WrongState):
    """It cannot be retired while these use it."""

    def __init__(self, uses: Sequence[Use]) -> None:
        super().__init__("upkeep.in_use", uses=uses_in_words(uses))
        self.uses = uses


class CannotUndo(WrongState):
    """A change cannot be taken back; the key says why."""


@dataclass(frozen=True)
class Thing:
    """One thing as a page shows it. cells: column by column as people write it. base: stands for this state."""

    kind: Kind
    code: str
    cells: Mapping[str, str]
    active: bool
    base: str


@dataclass(frozen=True)
class Page:
    """One page of a list by code. next_after: the code to ask for the next page with, "" at the end."""

    things: list[Thing]
    next_after: str


def kind_of(name: str) -> Kind:
    """Raises NotFound."""
    if name not in KINDS:
        raise NotFound()
    return KINDS[name]


def listed(
    kind: Kind, *, words: str = "", active: bool = True, after: str = "", limit: int = PAGE, **same: str
) -> Page:
    """Things by code. words: part of the code or name. active: those in use, or those that are not.

    same: columns of the table and their value.
    """
    table = kind.model
    ended = getattr(table, kind.ended)
    query = select(table).where(ended.is_(None) if active else ended.is_not(None))
    for name, value in same.items():
        query = query.where(getattr(table, name) == value)
    if words:
        named = table.condition if kind.name == "standard" else table.name
        query = query.where(
            or_(
                func.lower(named).contains(words.lower(), autoescape=True),
                func.lower(kind.key()).contains(words.lower(), autoescape=True),
            )
        )
    if after:
        query = query.where(kind.key() > after)
    rows = list(db.session.scalars(query.order_by(kind.key()).limit(limit + 1)))
    more = len(rows) > limit
    return Page([_thing(kind, row) for row in rows[:limit]], kind.key_of(rows[limit - 1]) if more else "")


def thing(kind: Kind, code: str) -> Thing:
    """One thing. Raises NotFound."""
    return _thing(kind, _row(kind, code))


def uses(kind: Kind, code: str) -> list[Use]:
    """Where it is used now, without what does not use it. Raises NotFound."""
    return [use for use in kind.uses(_row(kind, code)) if use.count]


def uses_in_words(found: Sequence[Use]) -> str:
    return t("admin.between").join(t(f"upkeep.use.{use.name}", n=use.count) for use in found)


def save(kind: Kind, cells: Cells, *, base: str, sure: str = "", by: Staff) -> Change | None:
    """Add the thing (base empty), or change the one of this code; None when it says so already.

    base: the state that the form was opened on. sure: what `Doubtful` said, when the person has seen its doubts.
    Raises RecordRefused, ThingChanged, Doubtful, NotFound.
    """
    rules_versions.hold()
    if not base:
        if kind.name == "tag":
            cells = {**cells, "code": f"T{secrets.token_hex(4)}"}
        code, record = kind.read(cells)
        _ask(kind, code, record, sure)
        return _add(kind, code, record, by=by)
    row = _row(kind, cells.get(kind.code_column, ""), lock=True)
    now = _thing(kind, row)
    if now.base != base:
        raise ThingChanged(now.cells, now.base)
    if not now.active:
        raise WrongState("upkeep.is_retired")
    before = kind.told(row)
    code, record = kind.read({**cells, **{name: now.cells[name] for name in (kind.code_column, *kind.fixed)}})
    if record == {name: value for name, value in before.items() if name != "active"}:
        return None
    _ask(kind, code, record, sure)
    return _write(kind, row, record | {"active": True}, act="change", by=by)


def retire(kind: Kind, code: str, *, base: str, by: Staff) -> Change:
    """Take it out of use. Raises NotFound, ThingChanged, InUse, and WrongState when it is out of use already."""
    rules_versions.hold()
    row = _row(kind, code, lock=True)
    now = _thing(kind, row)
    if not now.active:
        raise WrongState("upkeep.is_retired")
    if now.base != base:
        raise ThingChanged(now.cells, now.base)
    return _retire(kind, row, act="retire", by=by)


def restore(kind: Kind, code: str, *, by: Staff) -> Change:
    """Take it into use again, as it was. Raises NotFound, WrongState when it is in use; RecordRefused when what it
    says would not be taken any more.
    """
    rules_versions.hold()
    row = _row(kind, code, lock=True)
    record = kind.told(row)
    if record["active"]:
        raise WrongState("upkeep.is_active")
    kind.read(kind.written(code, record))
    return _write(kind, row, record | {"active": True}, act="restore", by=by)


def undo(change_id: int, *, by: Staff) -> Change:
    """Take a change back: the thing says again what it said before; what was added is taken out of use.

    Raises NotFound, and CannotUndo with the reason: it was taken back already, the thing has changed since, what it
    said before would not be taken any more, or something that must stay would have to go.
    """
    rules_versions.hold()
    try:
        change = changes.to_undo(change_id)
    except WrongState as error:
        raise CannotUndo(error.key) from error
    kind = kind_of(change.kind)
    row = _row(kind, change.subject, lock=True)
    told, after = kind.told(row), change.after or {}
    # Fields that came later are not in it.
    if not after or {name: told.get(name) for name in after} != after:
        raise CannotUndo("upkeep.undo.changed_since")
    before = dict(change.before) if change.before is not None else None
    try:
        if before is None or not before["active"]:
            return _retire(kind, row, act="undo", by=by, undoes=change)
        # The same checks as for a form: what was right then may name what is gone now.
        kind.read(kind.written(change.subject, before))
    except RecordRefused as error:
        raise CannotUndo("upkeep.undo.not_valid", reason=" ".join(error.problems.values())) from error
    except InUse as error:
        raise CannotUndo("upkeep.undo.in_use", uses=error.params["uses"]) from error
    return _write(kind, row, before, act="undo", by=by, undoes=change)


def differences(change: Change) -> list[tuple[str, str, str]]:
    """What a change changed, as (column, before, after) in the words of the form; `active` last."""
    kind = KINDS[change.kind]
    told = [kind.written(change.subject, dict(one)) if one else {} for one in (change.before, change.after)]
    names = [name for name in kind.columns if name != kind.code_column]
    found = [(name, told[0].get(name, ""), told[1].get(name, "")) for name in names]
    shown = [(name, before, after) for name, before, after in found if before != after]
    active = [bool(one and one["active"]) for one in (change.before, change.after)]
    if change.before is not None and active[0] != active[1]:
        shown.append(("active", "1" if active[0] else "", "1" if active[1] else ""))
    return shown


def act_of(change: Change) -> str:
    """What kind of change it was: `add`, `change`, `retire` or `restore`."""
    if change.before is None or change.after is None:
        return "add" if change.before is None else "retire"
    before, after = bool(change.before.get("active")), bool(change.after.get("active"))
    return "change" if before == after else "restore" if after else "retire"


def _add(kind: Kind, code: str, record: Record, *, by: Staff) -> Change:
    if db.session.scalar(select(kind.model.id).where(kind.key() == code)) is not None:
        raise RecordRefused({kind.typed_in or kind.code_column: t("upkeep.code_taken", code=code)})
    row = kind.new(code)
    # A parent is looked up while the row is written, which must not be sent half written.
    with db.session.no_autoflush:
        kind.put(row, record)
    db.session.add(row)
    _follow(kind)
    return changes.record(by, kind.name, code, act="add", before=None, after=kind.told(row))


def _retire(kind: Kind, row: Any, *, act: str, by: Staff, undoes: Change | None = None) -> Change:
    in_the_way = [use for use in kind.uses(row) if use.blocks and use.count]
    if in_the_way:
        raise InUse(in_the_way)
    return _write(kind, row, kind.told(row) | {"active": False}, act=act, by=by, undoes=undoes)


def _write(kind: Kind, row: Any, record: Record, *, act: str, by: Staff, undoes: Change | None = None) -> Change:
    before = kind.told(row)
    active = record["active"]
    if active:
        with db.session.no_autoflush:
            kind.put(row, record)
    if active != before["active"]:
        setattr(row, kind.ended, None if active else clock.now())
    _follow(kind)
    return changes.record(by, kind.name, kind.key_of(row), act=act, before=before, after=kind.told(row), undoes=undoes)


def _follow(kind: Kind) -> None:
    """What must follow a change: every process reads it, and our map is drawn anew."""
    db.session.flush()
    kind.settle()
    settings.changed(*kind.versions)


def _ask(kind: Kind, code: str, record: Record, sure: str) -> None:
    doubts = kind.doubts(code, record)
    mark = _mark([code, record, doubts])
    if doubts and sure != mark:
        raise Doubtful(doubts, mark)


def _row(kind: Kind, code: str, *, lock: bool = False) -> Any:
    """The row of this code; of two schemes with the same one, that in use."""
    ended = getattr(kind.model, kind.ended)
    query = select(kind.model).where(kind.key() == code).order_by(ended.is_not(None), kind.model.id).limit(1)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = db.session.scalar(query)
    if row is None:
        raise NotFound()
    return row


def _thing(kind: Kind, row: Any) -> Thing:
    record = kind.told(row)
    code = kind.key_of(row)
    return Thing(kind, code, kind.written(code, record), record["active"], _mark(record))


def _mark(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]
