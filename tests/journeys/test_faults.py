"""Whatever dies, hangs or lies: nothing that a resident said is lost, nothing is done twice, nothing false is shown."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import pytest

from tests.journeys.conftest import Filed, System, filed_by, somewhere
from tests.support.running import eventually
from tests.support.wechat_platform import Phone

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]
on_servers = pytest.mark.parametrize(
    "whole_system", [pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.redis])], indirect=True
)
SEND = "/cgi-bin/message/custom/send"
T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], these: Iterable[T]) -> list[R]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(act, these))


def report_something(phone: Phone) -> Filed:
    """Words and a place; every message is acknowledged, and the number comes at once."""
    assert phone.says("路灯不亮了，晚上黑得看不见路").problems == []
    return filed_by(phone.is_at(*somewhere()))


def all_routed(system: System, filed: list[Filed]) -> None:
    """Each has its unit, and got it once."""
    for one in filed:
        system.wait_for(one, "assigned")
    assert [system.history(one).count("routed") for one in filed] == [1] * len(filed)


# The queue server


def test_fifty_reports_while_the_queue_server_is_away(system: System) -> None:
    phones = [system.phone() for _ in range(50)]
    # The scheduler sleeps too: it would route by itself, which is the next test.
    with system.part_asleep("scheduler"), system.queue_away():
        filed = at_once(report_something, phones)
        assert len({one.number for one in filed}) == 50
        # The limits of the API count in the queue server: asking is slow while it is away, so only some are asked.
        assert {system.status(one) for one in filed[::20]} == {"submitted"}
    all_routed(system, filed)
    for phone, one in zip(phones, filed, strict=True):
        system.wait_told(phone, one.number)
    assert [len(system.told(phone)) for phone in phones] == [1] * 50


def test_while_the_queue_server_is_away_the_scheduler_routes_by_itself(system: System) -> None:
    phone = system.phone()
    with system.queue_away():
        filed = report_something(phone)
        system.wait_for(filed, "assigned")
    system.wait_told(phone, filed.number)
    assert system.history(filed).count("routed") == 1


# The workers


def workers(system: System) -> dict[str, int]:
    return {name: pid for name, pid in system.bihuan.parts().items() if name.startswith("worker")}


def test_workers_killed_in_the_middle_of_their_work(system: System) -> None:
    phones = [system.phone() for _ in range(70)]
    with system.part_asleep("worker", "scheduler"):
        filed = at_once(report_something, phones)
        numbers = {one.number for one in filed}
    # They wake up and begin; as soon as one has done something, all are killed.
    before = workers(system)

    def some_are_routed() -> bool:
        rows = system.sql("select number from report where status = 'assigned'")
        return any(row.number in numbers for row in rows)

    eventually(some_are_routed, "the work has begun")
    for pid in before.values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    all_routed(system, filed)
    # What they were sending when they died belongs to nobody for a minute; that minute is over now.
    system.sql("update notification set next_try_at = created_at where delivery = 'sending'")
    for phone, one in zip(phones, filed, strict=True):
        system.wait_told(phone, one.number)
    eventually(lambda: not set(before.values()) & set(workers(system).values()), "workers were started again")


def test_a_worker_killed_before_it_could_begin(system: System) -> None:
    """The bell has rung, the job is in its hands, and it dies."""
    with system.part_asleep("worker", "scheduler"):
        filed = report_something(system.phone())
        for pid in workers(system).values():
            os.kill(pid, signal.SIGKILL)
    all_routed(system, [filed])


# WeChat's API


def closed_for(system: System, phone: Phone) -> Filed:
    filed = report_something(phone)
    system.wait_for(filed, "assigned")
    return filed


def outbox(system: System, filed: Filed) -> list[tuple[str, int]]:
    rows = system.sql(
        "select n.delivery, n.tries from notification n join report r on r.id = n.report_id where r.number = :number",
        number=filed.number,
    )
    return [(row.delivery, row.tries) for row in rows]


@pytest.mark.parametrize(
    "fault",
    [{"http": 500}, {"errcode": -1}, {"raw": "<html>busy</html>"}, {"errcode": 45011}, {"errcode": 40001}],
    ids=["http-500", "busy", "no-json", "too-often", "token-refused"],
)
def test_a_wechat_that_fails_is_asked_again_and_the_message_arrives_once(
    system: System, fault: dict[str, object]
) -> None:
    phone = system.phone()
    system.wechat.fault(SEND, times=10_000, **fault)
    filed = closed_for(system, phone)
    eventually(lambda: outbox(system, filed) == [("queued", 1)], "a first try has failed")
    assert system.told(phone) == []
    assert filed.number in system.browser().page(f"/r/{filed.number}?key={filed.key}"), "the page has it meanwhile"
    system.wechat.control("faults-off", {})
    system.hurry_outbox()
    system.wait_told(phone, filed.number)
    eventually(lambda: outbox(system, filed) == [("sent", 2)], "the outbox knows")
    assert len(system.told(phone)) == 1


@on_servers  # eight seconds of waiting need not be spent twice
def test_a_wechat_that_never_answers_in_time_is_not_waited_for(system: System) -> None:
    phone, other = system.phone(), system.phone()
    system.wechat.fault(SEND, delay=12.0, times=1, raw="late")
    filed = closed_for(system, phone)
    # Meanwhile others are answered and routed.
    all_routed(system, [report_something(other)])
    eventually(lambda: outbox(system, filed) == [("queued", 1)], "the try was given up")
    system.hurry_outbox()
    system.wait_told(phone, filed.number)
    eventually(lambda: outbox(system, filed) == [("sent", 2)], "the outbox knows")


def test_a_wechat_that_always_refuses_ends_in_failed_and_is_shown_as_such(system: System) -> None:
    phone = system.phone()
    failed_before = system.metric('bihuan_notifications{delivery="failed"}')
    sent_before = len(system.wechat.control("sent"))
    system.wechat.fault("*", http=503, times=10_000)
    filed = closed_for(system, phone)
    eventually(lambda: outbox(system, filed) == [("queued", 1)], "the first try has failed")
    system.hurry_outbox()
    eventually(lambda: outbox(system, filed) == [("queued", 2)], "the second try has failed")
    # The hours until its last try are over.
    system.sql("update notification set tries = 6, next_try_at = created_at where delivery = 'queued'")
    eventually(lambda: outbox(system, filed) == [("failed", 7)], "it was given up")
    assert system.metric('bihuan_notifications{delivery="failed"}') == failed_before + 1
    assert filed.number in system.desk("shift1").page("/admin/messages")
    system.wechat.control("faults-off", {})
    assert system.told(phone) == []
    assert len(system.wechat.control("sent")) == sent_before
    # A person may try once more.
    page = system.desk("shift1")
    row = system.sql(
        "select n.id from notification n join report r on r.id = n.report_id where r.number = :number",
        number=filed.number,
    )[0]
    assert page.press("/admin/messages", f"/admin/messages/{row.id}/retry") in (200, 302)
    system.wait_told(phone, filed.number)


def test_a_token_that_was_taken_away_is_fetched_anew(system: System) -> None:
    system.wechat.control("tokens", {"how": "invalid"})
    phone = system.phone()
    filed = closed_for(system, phone)
    system.wait_told(phone, filed.number)
    eventually(lambda: outbox(system, filed) == [("sent", 1)], "without a second try")


# The resident's side


def test_one_message_delivered_four_times_at_once_is_one_report(system: System) -> None:
    phone = system.phone()
    phone.says("路灯不亮了，晚上黑得看不见路")
    north, east = somewhere()
    place = phone.message("location", Location_X=north, Location_Y=east, Scale=16, Label="")
    answers = phone.deliver_at_once(place, 4)
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.problems for answer in answers] == [[]] * 4
    said = {answer.xml for answer in answers if answer.xml}
    assert len(said) == 1, "every delivery that is answered gets the same reply"
    filed = next(filed_by(answer) for answer in answers if answer.xml)
    rows = system.sql(
        "select count(*) as n from report join resident on resident.id = report.resident_id where openid = :openid",
        openid=phone.openid,
    )
    assert rows[0].n == 1
    # A fifth, later one as well: WeChat repeats what it believes lost.
    assert phone.deliver(place).xml in said
    all_routed(system, [filed])


def test_two_people_of_one_unit_press_the_same_button_at_once(system: System) -> None:
    from tests.journeys.test_report import handler_of

    filed = report_something(system.phone())
    unit = system.wait_for(filed, "assigned")["unit"]
    desks = [system.desk(handler_of(unit["code"])) for _ in range(2)]
    start = threading.Barrier(2)
    answers: list[int] = []

    def press(desk: object) -> None:
        start.wait()
        answers.append(desk.do(filed.number, "accept").status_code)  # type: ignore[attr-defined]

    threads = [threading.Thread(target=press, args=(desk,)) for desk in desks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers)[0] == 302
    assert set(answers) <= {302, 409}
    assert system.history(filed).count("accepted") == 1


@on_servers
def test_the_web_server_killed_comes_back_and_knows_everything(system: System) -> None:
    filed = report_something(system.phone())
    os.kill(system.bihuan.parts()["web"], signal.SIGKILL)
    system.wait_ready()
    assert system.report(filed)["number"] == filed.number
    all_routed(system, [filed])
