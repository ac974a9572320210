"""Every action, from every status, by everybody: who may, where it leads, and that nobody else can.

The tables below are written by hand from the district's rules, not read from `states.TRANSITIONS`: what they
hold against the code is the meaning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from district import clock
from district.categories.models import LimitUnit
from district.errors import NotAllowed, WrongState
from district.extensions import db
from district.people.models import Resident, Staff
from district.people.roles import Role
from district.replies import service as replies
from district.reports import calling, extensions, guards, merging, parts, questions, splitting, standards
from district.reports import service as reports
from district.reports.models import HandBack, Report, ReportEvent, ReportUnit
from district.reports.states import ENDED, OPEN, PLAIN, TRANSITIONS, Action, Status
from district.work import unit_of_work
from tests.support import services
from tests.support.stands import STANDS, Stands

# Who may do it, wherever the report stands. `bureau` is above the responsible unit, `crew` below it.
WHO = {
    "assign": "system dispatcher shift_lead",
    "send_to_triage": "system",
    "accept": "handler unit_manager bureau",
    "hand_back": "handler unit_manager bureau",
    "uphold_hand_back": "dispatcher shift_lead",
    "refuse_hand_back": "dispatcher shift_lead",
    "resolve": "handler unit_manager bureau",
    "verify": "verifier acceptor shift_lead inspector",
    "refuse_verification": "verifier acceptor shift_lead inspector",
    "reject": "dispatcher shift_lead acceptor",
    "reopen": "resident key_holder acceptor shift_lead inspector insider co_insider",
    "rate": "resident key_holder",
    "withdraw": "resident key_holder",
    "correct": "resident key_holder dispatcher shift_lead acceptor",
    "comment": (
        "resident key_holder acceptor dispatcher shift_lead verifier inspector handler unit_manager bureau crew"
        " other_unit co_handler insider co_insider"
    ),
    "ask": "acceptor dispatcher shift_lead handler unit_manager bureau",
    "answer": "resident key_holder",
    "withdraw_question": "acceptor dispatcher shift_lead handler unit_manager bureau",
    "finish_part": "co_handler",
    "choose_standard": "acceptor dispatcher shift_lead",
    "ask_extension": "handler unit_manager bureau",
    "grant_extension": "dispatcher shift_lead",
    "refuse_extension": "dispatcher shift_lead",
    "suspend": "dispatcher shift_lead",
    "resume": "system dispatcher shift_lead handler unit_manager bureau",
    "merge": "system dispatcher shift_lead",
    "unmerge": "dispatcher shift_lead",
    "reply": "acceptor dispatcher shift_lead handler unit_manager bureau",
    "add_co": "dispatcher shift_lead",
    "remove_co": "dispatcher shift_lead",
    "split": "dispatcher shift_lead",
    "call_back": "acceptor shift_lead",
}  # fmt: skip

# Who may do it only where it is with their unit, and so not before it has one.
_UNIT = {"handler", "unit_manager", "bureau"}
ONLY_WITH_UNIT = {"ask": _UNIT, "withdraw_question": _UNIT, "reply": _UNIT}

# Where it may start, and where that leads. `+` marks a report whose hand-back awaits its ruling, `?` one whose
# resident was asked something, `!` one for which more time was asked.
FROM = {
    "assign": {
        "submitted": "assigned", "triage": "assigned", "assigned": "assigned", "in_progress": "assigned",
        "triage?": "assigned", "assigned?": "assigned", "in_progress?": "assigned", "assigned!": "assigned",
    },
    "send_to_triage": {"submitted": "triage"},
    "accept": {"assigned": "in_progress", "assigned?": "in_progress", "assigned!": "in_progress"},
    "hand_back": {
        "assigned": "assigned", "in_progress": "in_progress", "assigned?": "assigned", "in_progress?": "in_progress",
        "assigned!": "assigned",
    },
    "uphold_hand_back": {"assigned+": "assigned", "in_progress+": "assigned"},
    "refuse_hand_back": {"assigned+": "assigned", "in_progress+": "in_progress"},
    "resolve": {
        "assigned": "resolved", "in_progress": "resolved", "assigned?": "resolved", "in_progress?": "resolved",
        "assigned!": "resolved",
    },
    "verify": {"resolved": "closed"},
    "refuse_verification": {"resolved": "in_progress"},
    "reject": {"submitted": "rejected", "triage": "rejected", "triage?": "rejected"},
    "reopen": {"closed": "assigned"},
    "rate": {"closed": "closed"},
    "withdraw": {
        "submitted": "withdrawn", "triage": "withdrawn", "assigned": "withdrawn", "assigned+": "withdrawn",
        "triage?": "withdrawn", "assigned?": "withdrawn", "assigned!": "withdrawn",
    },
    "correct": {
        "submitted": "submitted", "triage": "triage", "triage?": "triage", "assigned": "assigned",
        "in_progress": "in_progress", "assigned+": "assigned", "in_progress+": "in_progress", "assigned?": "assigned",
        "in_progress?": "in_progress", "assigned!": "assigned",
    },
    "finish_part": {
        "assigned": "assigned", "in_progress": "in_progress", "assigned+": "assigned", "in_progress+": "in_progress",
        "assigned?": "assigned", "in_progress?": "in_progress", "assigned!": "assigned", "resolved": "resolved",
    },
    "comment": {
        "submitted": "submitted", "triage": "triage", "assigned": "assigned", "assigned+": "assigned",
        "in_progress": "in_progress", "in_progress+": "in_progress", "resolved": "resolved",
        "suspended": "suspended", "closed": "closed", "triage?": "triage", "assigned?": "assigned",
        "in_progress?": "in_progress", "assigned!": "assigned", "merged": "merged",
    },
    "ask": {
        "submitted": "submitted", "triage": "triage", "assigned": "assigned", "in_progress": "in_progress",
        "assigned!": "assigned",
    },
    "answer": {"triage?": "triage", "assigned?": "assigned", "in_progress?": "in_progress"},
    "withdraw_question": {"triage?": "triage", "assigned?": "assigned", "in_progress?": "in_progress"},
    "choose_standard": {
        "submitted": "submitted", "triage": "triage", "assigned": "assigned", "in_progress": "in_progress",
        "triage?": "triage", "assigned?": "assigned", "in_progress?": "in_progress", "assigned+": "assigned",
        "in_progress+": "in_progress", "assigned!": "assigned",
    },
    "ask_extension": {
        "assigned": "assigned", "in_progress": "in_progress", "assigned?": "assigned", "in_progress?": "in_progress",
    },
    "grant_extension": {"assigned!": "assigned"},
    "refuse_extension": {"assigned!": "assigned"},
    "suspend": {
        "assigned": "suspended", "in_progress": "suspended", "assigned?": "suspended", "in_progress?": "suspended",
    },
    "resume": {"suspended": "assigned"},
    "merge": {
        "submitted": "merged", "triage": "merged", "assigned": "merged", "in_progress": "merged", "assigned+": "merged",
        "in_progress+": "merged", "triage?": "merged", "assigned?": "merged", "in_progress?": "merged",
        "assigned!": "merged",
    },
    "unmerge": {"merged": "submitted"},
    "reply": {
        "submitted": "submitted", "triage": "triage", "assigned": "assigned", "assigned+": "assigned",
        "in_progress": "in_progress", "in_progress+": "in_progress", "resolved": "resolved",
        "suspended": "suspended", "closed": "closed", "rejected": "rejected", "triage?": "triage",
        "assigned?": "assigned", "in_progress?": "in_progress", "assigned!": "assigned",
    },
    "add_co": {
        "assigned": "assigned", "in_progress": "in_progress", "assigned+": "assigned", "in_progress+": "in_progress",
        "assigned?": "assigned", "in_progress?": "in_progress", "assigned!": "assigned",
    },
    "remove_co": {
        "assigned": "assigned", "in_progress": "in_progress", "assigned+": "assigned", "in_progress+": "in_progress",
        "assigned?": "assigned", "in_progress?": "in_progress", "assigned!": "assigned",
    },
    "split": {
        "submitted": "submitted", "triage": "triage", "triage?": "triage",
        "assigned": "assigned", "in_progress": "in_progress", "assigned+": "assigned", "in_progress+": "in_progress",
        "assigned?": "assigned", "in_progress?": "in_progress", "assigned!": "assigned",
    },
    "call_back": {"closed": "closed"},
}  # fmt: skip

EVERYBODY = [
    "system", "key_holder", "resident", "other_resident", "acceptor", "dispatcher", "shift_lead", "verifier",
    "inspector", "leader", "administrator", "handler", "unit_manager", "bureau", "crew", "other_unit", "co_handler",
    "insider", "co_insider", "departed",
]  # fmt: skip


def call(machine: Stands, action: str) -> Callable[[Report, Any], object]:
    other_id = machine.other.id
    calls: dict[str, Callable[[Report, Any], object]] = {
        "assign": lambda report, by: reports.assign(report, other_id, by=by),
        # The router's alone: the verb takes no actor.
        "send_to_triage": lambda report, by: reports.send_to_triage(report, reason={"key": "k", "params": {}}),
        "accept": lambda report, by: reports.accept(report, by=by),
        "hand_back": lambda report, by: reports.hand_back(report, by=by, reason="不归我们"),
        "uphold_hand_back": lambda report, by: reports.uphold_hand_back(report, by=by, unit_id=other_id),
        "refuse_hand_back": lambda report, by: reports.refuse_hand_back(report, by=by, ruling="还是你们办"),
        "resolve": lambda report, by: reports.resolve(report, by=by, note="修好了"),
        "verify": lambda report, by: reports.verify(report, by=by),
        "refuse_verification": lambda report, by: reports.refuse_verification(report, by=by, note="还不亮"),
        "reject": lambda report, by: reports.reject(report, by=by, reason="不在本区"),
        "reopen": lambda report, by: reports.reopen(report, by=by, text="又不亮了"),
        "rate": lambda report, by: reports.rate(report, by=by, solved=True, stars=5),
        "withdraw": lambda report, by: reports.withdraw(report, by=by),
        "correct": lambda report, by: reports.correct(report, by=by, address="人民路2号"),
        "comment": lambda report, by: reports.comment(report, by=by, text="补充一句"),
        "ask": lambda report, by: questions.ask(report, by=by, text="哪一盏灯？"),
        "answer": lambda report, by: questions.answer(report, by=by, text="门口那盏"),
        "finish_part": lambda report, by: parts.finish_part(report, by=by, note="我们的部分好了"),
        "withdraw_question": lambda report, by: questions.withdraw_question(report, by=by),
        "choose_standard": lambda report, by: standards.choose(report, by=by, standard_code=""),
        "ask_extension": lambda report, by: extensions.ask(
            report, by=by, reason="等配件", more=2, unit=LimitUnit.WORKING_DAYS
        ),
        "grant_extension": lambda report, by: extensions.grant(report, by=by),
        "refuse_extension": lambda report, by: extensions.refuse(report, by=by, ruling="抓紧办"),
        "suspend": lambda report, by: reports.suspend(
            report, by=by, reason="等开春", until=clock.now() + timedelta(days=30)
        ),
        "resume": lambda report, by: reports.resume(report, by=by),
        "merge": lambda report, by: merging.merge(report.id, machine.another_id, by=by),
        "unmerge": lambda report, by: merging.unmerge(report.id, by=by),
        "reply": lambda report, by: replies.reply(report, by=by, text="明天来修"),
        "add_co": lambda report, by: parts.add(report, by=by, unit_id=other_id),
        "remove_co": lambda report, by: parts.remove(
            report, by=by, unit_id=machine.people["co_handler"].unit_id, reason="不用了"
        ),
        "call_back": lambda report, by: calling.call_back(report, by=by, is_reached=True),
        "split": lambda report, by: splitting.split(report, by=by, description="还有一个井盖坏了"),
    }
    return calls[action]


@pytest.fixture(scope="module")
def machine(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stands]:
    folder = tmp_path_factory.mktemp("machine")
    shutil.copy(migrated_sqlite, folder / "bihuan.db")
    with services.application(f"sqlite:///{folder / 'bihuan.db'}", folder):
        yield Stands()


class Undo(Exception):
    """Takes back what a cell did, so that the next finds the report as it was."""


@contextmanager
def undone() -> Iterator[Session]:
    """A unit of work that always ends by taking everything back."""
    with suppress(Undo), unit_of_work() as session:
        yield session
        raise Undo


def history_of(report: Report) -> int:
    """How many lines its history has. Asked of the driver: it is asked ten thousand times."""
    driver: Any = db.session.connection().connection.driver_connection
    found: int = driver.execute("select count(*) from report_event where report_id = ?", (report.id,)).fetchone()[0]
    return found


@pytest.mark.parametrize("stand", STANDS)
@pytest.mark.parametrize("action", [action.value for action in Action])
def test_the_action_goes_where_the_table_says_for_those_it_names(machine: Stands, action: str, stand: str) -> None:
    target = FROM[action].get(stand)
    wrong: list[str] = []
    act = call(machine, action)
    names = ["system"] if action == "send_to_triage" else EVERYBODY
    with undone() as session:
        # Everybody in one go, not each when first asked about.
        session.scalars(select(Staff).execution_options(populate_existing=True)).all()
        report = reports.lock(machine.reports[stand])
        lines = history_of(report)
        allowed = set(WHO[action].split()) if target is not None else set()
        if report.unit_id is None:
            allowed -= ONLY_WITH_UNIT.get(action, set())
        # Those who may not come first, one after the other: a refusal leaves nothing to take back.
        for name in sorted(names, key=lambda name: name in allowed):
            by = machine.people[name]
            before = (report.status, report.version)
            if (stand, name) not in machine.offered:
                machine.offered[stand, name] = frozenset(guards.possible(by, report))
            offered = Action(action) in machine.offered[stand, name]
            if offered != (name in allowed):
                wrong.append(f"{name}: guards.possible says {offered}")
            if name not in allowed:
                try:
                    act(report, by)
                    wrong.append(f"{name}: leads to {report.status}, the table refuses it")
                except (NotAllowed, WrongState):
                    if session.dirty or session.new or history_of(report) != lines:
                        wrong.append(f"{name}: refused, but something was changed first")
                # What was done in spite of all would mix with what the next does.
                assert not wrong, wrong
                continue
            report = reports.lock(machine.reports[stand])
            savepoint = session.begin_nested()
            # The session sets its savepoint when it is first used, and verbs also write past it.
            session.connection()
            try:
                act(report, by)
                session.flush()
                got: str | None = report.status
            except (NotAllowed, WrongState):
                got = None
            savepoint.rollback()
            session.refresh(report)
            if got != target:
                wrong.append(f"{name}: leads to {got}, the table says {target}")
            assert (report.status, report.version) == before
    assert not wrong, f"{action} from {stand}:\n  " + "\n  ".join(wrong)


@pytest.mark.parametrize("action", [action.value for action in Action if action is not Action.SEND_TO_TRIAGE])
def test_every_act_of_a_member_of_staff_or_a_resident_writes_its_line_of_history(machine: Stands, action: str) -> None:
    stand = next(iter(FROM[action]))
    name = WHO[action].split()[0]
    if name == "system":
        name = WHO[action].split()[1]
    with undone() as session:
        report = reports.lock(machine.reports[stand])
        newest = session.scalars(select(ReportEvent.id).order_by(ReportEvent.id.desc()).limit(1)).one()
        before = report.status
        call(machine, action)(report, machine.people[name])
        session.flush()
        events = session.scalars(
            select(ReportEvent).where(ReportEvent.report_id == report.id, ReportEvent.id > newest)
        ).all()
        assert events, f"{action} left no line in the history"
        by = machine.people[name]
        for event in events:
            assert event.actor == ("staff" if isinstance(by, Staff) else "resident")
            assert event.staff_id == (by.id if isinstance(by, Staff) else None)
        if report.status != before:
            assert (events[-1].from_status, events[-1].to_status) == (before, report.status)


def test_whoever_resolved_cannot_verify_even_from_another_unit(machine: Stands) -> None:
    with undone() as session:
        report = reports.lock(machine.reports["in_progress"])
        bureau: Staff = machine.people["bureau"]
        reports.resolve(report, by=bureau, note="修好了")
        bureau.role_rows = [*bureau.role_rows, *_roles(Role.VERIFIER)]
        session.flush()
        assert bureau.unit_id not in guards.involved_units(report)
        with pytest.raises(NotAllowed):
            reports.verify(report, by=bureau)


def test_somebody_of_a_co_unit_cannot_verify_but_of_a_supervising_unit_can(machine: Stands) -> None:
    with undone() as session:
        report = reports.lock(machine.reports["resolved"])
        co_insider: Staff = machine.people["co_insider"]
        with pytest.raises(NotAllowed):
            reports.verify(report, by=co_insider)
        session.execute(update(ReportUnit).values(role="supervise"))
        reports.verify(report, by=co_insider)
        assert report.status == Status.CLOSED


def test_a_second_hand_back_by_the_same_unit_is_refused(machine: Stands) -> None:
    with undone():
        report = reports.lock(machine.reports["assigned+"])
        reports.refuse_hand_back(report, by=machine.people["dispatcher"], ruling="归你们")
        with pytest.raises(WrongState) as refused:
            reports.hand_back(report, by=machine.people["handler"], reason="还是不归")
        assert refused.value.key == "errors.handed_back_already"


def test_withdrawing_ends_a_hand_back_that_awaited_its_ruling(machine: Stands) -> None:
    with undone() as session:
        report = reports.lock(machine.reports["assigned+"])
        reports.withdraw(report, by=machine.people["resident"])
        session.flush()
        assert not report.hand_back_pending
        waiting = select(HandBack).where(HandBack.ruled_at.is_(None), HandBack.report_id == report.id)
        assert session.scalar(waiting) is None


def test_the_hand_written_tables_name_every_action_and_nobody_unknown() -> None:
    assert set(WHO) == set(FROM) == {action.value for action in Action} == {row.action.value for row in TRANSITIONS}
    for names in WHO.values():
        assert set(names.split()) <= set(EVERYBODY)
    for targets in FROM.values():
        assert set(targets) <= set(STANDS)


def test_families_hold_every_status_once() -> None:
    assert set(Status) == OPEN | ENDED
    assert not OPEN & ENDED
    assert set(PLAIN) == set(Status)


def _roles(*roles: Role) -> list[Any]:
    from district.people.models import StaffRole

    return [StaffRole(role=role) for role in roles]


def test_the_resident_of_another_report_sees_no_buttons(machine: Stands) -> None:
    stranger: Resident = machine.people["other_resident"]
    for report_id in machine.reports.values():
        assert guards.possible(stranger, db.session.get_one(Report, report_id)) == []
