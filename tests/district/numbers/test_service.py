"""The sums: kept up to date by what happens, equal to a recount, the same when counted twice."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, insert, select, update

from district import clock, jobs, settings
from district.errors import DistrictError
from district.extensions import db
from district.numbers import service as figures
from district.numbers.models import NumberCell, NumberFact
from district.people.models import Resident
from district.reports import merging
from district.reports import service as reports
from district.reports.models import HandBack, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report

START = datetime(2026, 11, 2, 1, tzinfo=UTC)


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """A clock that only the test moves: `watch[0]`."""
    moment = [START]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


def amounts(dimension: str = "district", key: str = "", grain: str = "m") -> dict[str, int]:
    query = select(NumberCell.measure, NumberCell.amount).where(
        NumberCell.grain == grain, NumberCell.dimension == dimension, NumberCell.key == key, NumberCell.amount != 0
    )
    found: dict[str, int] = {}
    for measure, amount in db.session.execute(query):
        found[measure] = found.get(measure, 0) + amount
    return found


def proved(now: datetime) -> figures.Proof:
    proof = figures.prove(now)
    assert proof.wrong == []
    assert proof.moved == 0
    return proof


WHAT_HAPPENS: dict[str, tuple[str, ...]] = {
    "": ("file",),
    "submitted": ("assign", "assign", "assign", "merge", "withdraw", "reject", "correct"),
    "assigned": ("accept", "accept", "resolve", "hand_back", "uphold", "refuse", "assign", "suspend", "merge",
                 "withdraw", "correct"),
    "in_progress": ("resolve", "resolve", "hand_back", "uphold", "refuse", "suspend", "merge", "correct"),
    "resolved": ("verify", "verify", "refuse_verification"),
    "closed": ("rate", "rate", "reopen"),
    "merged": ("unmerge", "file"),
    "suspended": ("resume", "file"),
    "withdrawn": ("file",),
    "rejected": ("file",),
}  # fmt: skip


def something_happens(district: SmallDistrict, world: random.Random, at: list[datetime]) -> None:
    """Something happens to some report that can happen to it; what the verbs refuse has not happened."""
    staff, units = district.staff, [district.lamps.id, district.street.id]
    there = [(row.id, row.status) for row in db.session.execute(select(Report.id, Report.status))]
    ids = [key for key, _ in there]
    db.session.rollback()
    chosen, status = world.choice(there) if there and world.random() < 0.85 else (0, "")
    act = world.choice(WHAT_HAPPENS[status])
    if act == "file":
        code = world.choice(("01037", ""))
        place: dict[str, Any] = {} if world.random() < 0.7 else {"latitude": None, "longitude": None}
        make_report(district, Status.SUBMITTED, category_code=code, **place)
        return
    with unit_of_work():
        report = reports.lock(chosen)
        people: dict[int | None, Any] = {district.lamps.id: staff["handler"], district.street.id: staff["street"]}
        owner = db.session.get_one(Resident, district.resident.id)
        hand = people.get(report.unit_id, staff["handler"])
        try:
            with db.session.begin_nested():
                if act == "assign":
                    reports.assign(report, world.choice(units), by=staff["dispatcher"])
                elif act == "accept":
                    reports.accept(report, by=hand)
                elif act == "resolve":
                    reports.resolve(report, by=hand, note="好了")
                elif act == "verify":
                    reports.verify(report, by=staff["verifier"])
                elif act == "refuse_verification":
                    reports.refuse_verification(report, by=staff["verifier"], note="没好")
                elif act == "hand_back":
                    reports.hand_back(report, by=hand, reason="不归我们")
                elif act == "uphold":
                    reports.uphold_hand_back(report, by=staff["shift_lead"], unit_id=world.choice(units))
                elif act == "refuse":
                    reports.refuse_hand_back(report, by=staff["shift_lead"], ruling="归你们")
                elif act == "rate":
                    reports.rate(report, by=owner, solved=world.random() < 0.6, stars=world.choice((None, 2, 5)))
                elif act == "reopen":
                    reports.reopen(report, by=owner, text="又坏了")
                elif act == "withdraw":
                    reports.withdraw(report, by=owner)
                elif act == "merge":
                    merging.merge(report.id, min(ids), by=staff["shift_lead"])
                elif act == "unmerge":
                    merging.unmerge(report.id, by=staff["shift_lead"])
                elif act == "suspend":
                    reports.suspend(report, by=staff["shift_lead"], reason="等零件", until=at[0] + timedelta(days=2))
                elif act == "resume":
                    reports.resume(report, by=staff["shift_lead"])
                elif act == "correct":
                    reports.correct(report, by=staff["dispatcher"], category_code="01037", address="人民路")
                else:
                    reports.reject(report, by=staff["dispatcher"], reason="不属于本区")
        except DistrictError:
            db.session.expire_all()


@pytest.mark.parametrize(
    ("database_kind", "seed"),
    [("sqlite", 0), ("sqlite", 1), pytest.param("postgresql", 2, marks=pytest.mark.postgres)],
    indirect=["database_kind"],
)
def test_whatever_happens_the_sums_are_those_of_a_recount(
    district: SmallDistrict, watch: list[datetime], seed: int
) -> None:
    world = random.Random(seed)
    for turn in range(140):
        watch[0] += timedelta(minutes=world.choice((1, 30, 240, 900)))
        something_happens(district, world, watch)
        if turn % 20 == 19:
            jobs.count_numbers()
            proved(watch[0])
    jobs.count_numbers()
    proof = proved(watch[0])
    assert proof.facts > 60
    # Nothing is left out: what the tables say by themselves is what the sums say.
    there = amounts()
    assert there["received"] == len(db.session.scalars(select(Report.id)).all())
    kinds = list(db.session.scalars(select(ReportEvent.kind)))
    assert there["assigned"] == sum(kinds.count(kind) for kind in ("routed", "assigned", "reassigned"))
    assert there.get("closed", 0) == kinds.count("verified")
    assert there.get("reopened", 0) == kinds.count("reopened")
    assert there.get("rated", 0) == kinds.count("rated")
    assert there.get("handed_back", 0) == len(db.session.scalars(select(HandBack.id)).all())
    # Every dimension adds up to the whole, by days as by months and years.
    for grain in ("d", "m", "y"):
        for dimension in ("unit", "street", "category"):
            keys = set(db.session.scalars(select(NumberCell.key).where(NumberCell.dimension == dimension)))
            added: dict[str, int] = {}
            for key in keys:
                for measure, amount in amounts(dimension, key, grain).items():
                    added[measure] = added.get(measure, 0) + amount
            assert added == there
    # Made anew it is the same again.
    kept = _everything()
    with unit_of_work():
        figures.forget()
    jobs.count_numbers()
    assert _everything() == kept


def _everything() -> list[Any]:
    query = select(*list(NumberCell.__table__.c)).where(NumberCell.amount != 0)
    found = sorted(tuple(row) for row in db.session.execute(query))
    db.session.rollback()
    return found


@both_databases
def test_counting_twice_changes_nothing(district: SmallDistrict, watch: list[datetime]) -> None:
    make_report(district, Status.CLOSED)
    jobs.count_numbers()
    kept = _everything()
    jobs.count_numbers()
    assert _everything() == kept
    assert amounts("unit", str(district.lamps.id)) == {
        "received": 1, "assigned": 1, "responded": 1, "closed": 1, "handling": 1,
    }  # fmt: skip


def test_a_deadline_that_passes_counts_without_anything_happening(
    district: SmallDistrict, watch: list[datetime]
) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    jobs.count_numbers()
    assert "overdue" not in amounts()
    assert report.handling_due_at is not None
    watch[0] = report.handling_due_at
    jobs.count_numbers()
    assert "overdue" not in amounts()
    watch[0] += timedelta(seconds=1)
    jobs.count_numbers()
    assert amounts("unit", str(district.lamps.id))["overdue"] == 1
    proved(watch[0])


def test_a_line_that_was_committed_late_is_counted(district: SmallDistrict, watch: list[datetime]) -> None:
    """A long transaction may write a line whose number is smaller than those that are counted already."""
    late = make_report(district, Status.CLOSED)
    make_report(district)
    of_closing = ReportEvent.report_id == late.id, ReportEvent.kind == "verified"
    line = dict(db.session.execute(select(*ReportEvent.__table__.c).where(*of_closing)).one()._mapping)
    db.session.rollback()
    with unit_of_work():
        db.session.execute(delete(ReportEvent).where(*of_closing))
    jobs.count_numbers()
    assert amounts()["received"] == 2
    assert "closed" not in amounts()
    with unit_of_work():
        db.session.execute(insert(ReportEvent).values(line))
    watch[0] += timedelta(minutes=5)
    jobs.count_numbers()
    assert amounts()["closed"] == 1
    proved(watch[0])


@both_databases
def test_a_recount_finds_what_is_wrong(app: Flask, district: SmallDistrict, watch: list[datetime]) -> None:
    make_report(district, Status.CLOSED)
    run = app.test_cli_runner()
    jobs.count_numbers()
    assert run.invoke(args=["district", "numbers", "check"]).exit_code == 0
    with unit_of_work():
        db.session.execute(update(NumberCell).where(NumberCell.measure == "closed").values(amount=7))
    answer = run.invoke(args=["district", "numbers", "check", "--period", "2026-11"])
    assert answer.exit_code == 1
    assert "closed" in answer.output
    assert run.invoke(args=["district", "numbers", "check", "--period", "2025"]).exit_code == 0
    assert run.invoke(args=["district", "numbers", "check", "--period", "soon"]).exit_code == 2
    with unit_of_work():
        db.session.execute(update(NumberFact).where(NumberFact.measure == "closed").values(measure="reopened"))
    assert run.invoke(args=["district", "numbers", "rebuild"]).exit_code == 0
    assert run.invoke(args=["district", "numbers", "check"]).exit_code == 0


def test_other_terms_count_everything_anew(district: SmallDistrict, watch: list[datetime]) -> None:
    report = make_report(district, Status.CLOSED)
    with unit_of_work():
        reports.rate(
            reports.lock(report.id), by=db.session.get_one(Resident, district.resident.id), solved=True, stars=4
        )
    jobs.count_numbers()
    assert amounts()["satisfied"] == 1
    with unit_of_work():
        settings.put("numbers", {"satisfied_stars": 5})
        settings.changed("settings")
    forget_reference()
    jobs.count_numbers()
    assert "satisfied" not in amounts()
    assert amounts()["starred"] == 1
    proved(watch[0])
