"""Lengthy work: asked for, done beside everything else, fetched by whoever asked, and by nobody else."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from district import clock, jobs
from district.errands import running as running_errands
from district.errands import service as errands
from district.errands.models import Errand, ErrandState
from district.errors import BadInput
from district.extensions import db
from district.people.models import AuditEntry, Staff
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.factories import SmallDistrict

pytestmark = pytest.mark.usefixtures("district")


def ask(by: Staff, **options: Any) -> int:
    with unit_of_work():
        return errands.ask("export_reports", {"n": 3}, by=by, **options).id


def state_of(errand_id: int) -> Errand:
    db.session.expire_all()
    return db.session.get_one(Errand, errand_id)


def writes(running: running_errands.Running) -> None:
    running.result("清单.csv", "text/csv").write_bytes(b"a,b\r\n")
    running.outcome["rows"] = 3


def test_it_is_done_and_fetched_by_whoever_asked(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    errand_id = ask(district.staff["handler"])
    handler, other = log_in("handler"), log_in("acceptor")
    assert "排队" in words_of(handler.get(f"/admin/tasks/{errand_id}"))
    assert handler.get(f"/admin/tasks/{errand_id}/file").status_code == 404
    assert running_errands.run_waiting(lambda name: writes) == 1
    page = words_of(handler.get(f"/admin/tasks/{errand_id}"))
    assert "已完成" in page
    assert "共 3 件" in page
    assert "共 3 件" in words_of(handler.get("/admin/tasks"))
    answer = handler.get(f"/admin/tasks/{errand_id}/file")
    assert answer.data == b"a,b\r\n"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    for path in ("", "/state", "/file"):
        assert other.get(f"/admin/tasks/{errand_id}{path}").status_code == 404
    assert other.post(f"/admin/tasks/{errand_id}/cancel").status_code == 404
    assert words_of(other.get("/admin/tasks")).count("导出案件") == 0
    acts = db.session.scalars(select(AuditEntry.action).where(AuditEntry.subject == f"errand:{errand_id}")).all()
    assert acts == ["errand.ask", "errand.fetch"]


def test_progress_is_shown_and_a_task_can_be_taken_back(district: SmallDistrict, log_in: LogIn) -> None:
    errand_id, handler = ask(district.staff["handler"]), log_in("handler")
    seen: list[str] = []

    def slow(running: running_errands.Running) -> None:
        running.say(40, 100)
        seen.append(words_of(handler.get(f"/admin/tasks/{errand_id}/state")))
        handler.post(f"/admin/tasks/{errand_id}/cancel")
        running._said_at = 0
        running.say(50, 100)
        raise AssertionError("it went on")

    running_errands.run_waiting(lambda name: slow)
    assert "40%" in seen[0]
    assert "已完成 40，共 100" in seen[0]
    assert state_of(errand_id).state == ErrandState.CANCELLED
    assert "已取消" in words_of(handler.get(f"/admin/tasks/{errand_id}"))


def test_what_goes_wrong_is_said_and_holds_nobody_up(district: SmallDistrict, log_in: LogIn) -> None:
    handler = log_in("handler")
    by = district.staff["handler"]
    first, second, third = (ask(by) for _ in range(3))
    todo: list[Any] = [ZeroDivisionError(), BadInput("errors.bad_input"), None]

    def breaks(running: running_errands.Running) -> None:
        problem = todo.pop(0)
        if problem:
            raise problem
        writes(running)

    assert running_errands.run_waiting(lambda name: breaks) == 3
    assert [state_of(one).state for one in (first, second, third)] == ["failed", "failed", "done"]
    assert "出了错" in words_of(handler.get(f"/admin/tasks/{first}"))


def test_an_unknown_kind_fails_and_is_not_tried_for_ever(district: SmallDistrict) -> None:
    errand_id = ask(district.staff["handler"])
    with unit_of_work():
        db.session.execute(update(Errand).values(kind="export_moon"))
    assert jobs.run_errands_now() == 1
    assert state_of(errand_id).state == ErrandState.FAILED


def test_a_killed_process_leaves_it_to_the_next_but_not_for_ever(district: SmallDistrict) -> None:
    errand_id = ask(district.staff["handler"])

    class Killed(BaseException):
        pass

    def dies(running: running_errands.Running) -> None:
        raise Killed()

    for _ in range(errands.MOST_ATTEMPTS):
        with pytest.raises(Killed):
            running_errands.run_waiting(lambda name: dies)
        db.session.rollback()
        assert not errands.is_waiting()
        assert running_errands.run_waiting(lambda name: writes) == 0
        with unit_of_work():
            db.session.execute(update(Errand).values(beat_at=clock.now() - errands.DEAD_AFTER - timedelta(seconds=1)))
        assert errands.is_waiting()
    running_errands.run_waiting(lambda name: dies)
    assert state_of(errand_id).state == ErrandState.FAILED
    assert not errands.is_waiting()


def test_nobody_piles_up_tasks(district: SmallDistrict) -> None:
    for _ in range(errands.MOST_OPEN):
        ask(district.staff["handler"])
    with pytest.raises(BadInput):
        ask(district.staff["handler"])
    ask(district.staff["acceptor"])


def test_an_uploaded_file_is_kept_beside_it_until_it_is_tidied_away(district: SmallDistrict) -> None:
    errand_id = ask(district.staff["handler"], given=BytesIO(b"code,name"), given_name="..\\a/路灯\n.csv")
    read: list[bytes] = []

    def reads(running: running_errands.Running) -> None:
        assert running.asked.given is not None
        read.append(running.asked.given.read_bytes())

    running_errands.run_waiting(lambda name: reads)
    assert read == [b"code,name"]
    assert state_of(errand_id).given == "路灯.csv"
    folder: Path = errands.folder_of(errand_id)
    assert folder.is_dir()
    jobs.tidy()
    assert folder.is_dir()
    with unit_of_work():
        db.session.execute(update(Errand).values(asked_at=clock.now() - errands.KEPT - timedelta(minutes=1)))
    jobs.tidy()
    assert not folder.exists()
    assert db.session.get(Errand, errand_id) is None


def test_the_bell_starts_one_process(district: SmallDistrict, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(jobs.subprocess, "Popen", lambda command, **_: started.append(command[-2:]))
    jobs.run_errands()
    assert started == []
    errand_id = ask(district.staff["handler"])
    assert "run_errands" in jobs.waiting_work()
    jobs.run_errands()
    assert started == [["district", "errands"]]
    with unit_of_work():
        db.session.execute(update(Errand).values(state="running", beat_at=clock.now()).where(Errand.id == errand_id))
    ask(district.staff["handler"])
    jobs.run_errands()
    assert len(started) == 1


class TestWithAQueueServer:
    @pytest.fixture
    def env(self, env: dict[str, str], redis_url: str) -> dict[str, str]:
        return env | {"REDIS_URL": redis_url}

    def test_bells_that_ring_while_it_starts_start_no_second_one(
        self, district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[list[str]] = []
        monkeypatch.setattr(jobs.subprocess, "Popen", lambda command, **_: started.append(command[-2:]))
        staff_id = district.staff["handler"].id
        ask(db.session.get_one(Staff, staff_id))
        for _ in range(3):
            jobs.run_errands()
        assert len(started) == 1, "the machine is busy: the first one has not begun yet"
        assert jobs.run_errands_now() == 1
        ask(db.session.get_one(Staff, staff_id))
        jobs.run_errands()
        assert len(started) == 2, "what is asked later need not wait until the first start is forgotten"
