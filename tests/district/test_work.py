"""The unit of work: all or nothing, and bells only after the commit."""

from __future__ import annotations

from functools import partial

import pytest
from flask import Flask
from rq import Queue
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from district import clock, settings
from district.extensions import db, redis_door
from district.people.models import Resident
from district.settings import DistrictSetting
from district.work import BELLS, answered, hurry, ring, unit_of_work
from tests import factories
from tests.conftest import NOBODY_LISTENS, both_databases
from tests.factories import SmallDistrict, make_report
from tests.support.threads import in_thread, in_threads


@pytest.fixture
def queue(env: dict[str, str], redis_url: str, app: Flask) -> Queue:
    """The routing queue of an application with a queue server."""
    return Queue("routing", connection=redis_door().connection)


@pytest.fixture
def env(env: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "queue" not in request.fixturenames:
        return env
    import redis

    url: str = request.getfixturevalue("redis_url")
    redis.Redis.from_url(url).flushdb()
    return env | {"REDIS_URL": url}


def names(queue: Queue) -> list[str]:
    return [job.func_name for job in queue.jobs]


def test_the_bell_rings_after_the_commit_and_not_before(app: Flask, queue: Queue) -> None:
    with unit_of_work():
        settings.put("a", 1)
        hurry("route_reports")
        assert names(queue) == []
    assert names(queue) == ["district.jobs.route_reports"]
    assert settings.get("a") == 1


def test_a_unit_of_work_that_fails_leaves_nothing_and_rings_nothing(app: Flask, queue: Queue) -> None:
    with pytest.raises(ZeroDivisionError), unit_of_work():
        settings.put("a", 1)
        hurry("route_reports")
        raise ZeroDivisionError
    assert settings.get("a") is None
    assert names(queue) == []


@both_databases
def test_a_commit_that_fails_rings_nothing(app: Flask, queue: Queue) -> None:
    with unit_of_work():
        factories.make_resident("oSame")
    with pytest.raises(IntegrityError), unit_of_work() as session:
        now = clock.now()
        session.add(Resident(openid="oSame", first_seen_at=now, last_seen_at=now))
        hurry("route_reports")
    assert names(queue) == []


def test_a_bell_rings_once_until_it_is_answered(app: Flask, queue: Queue) -> None:
    for _ in range(3):
        with unit_of_work():
            hurry("route_reports")
            hurry("route_reports")
    assert names(queue) == ["district.jobs.route_reports"]
    answered("route_reports")
    with unit_of_work():
        hurry("route_reports")
    assert len(names(queue)) == 2


def test_each_bell_goes_to_its_own_queue(app: Flask, queue: Queue) -> None:
    for name in BELLS:
        assert ring(name)
    for name, queue_name in BELLS.items():
        assert f"district.jobs.{name}" in names(Queue(queue_name, connection=redis_door().connection))


def test_an_unknown_bell_and_a_bell_outside_a_unit_of_work_are_mistakes(app: Flask) -> None:
    with pytest.raises(RuntimeError):
        hurry("route_reports")
    with pytest.raises(KeyError), unit_of_work():
        hurry("route_report")


def test_a_verb_cannot_open_its_own_unit_of_work(app: Flask) -> None:
    with unit_of_work():
        settings.put("a", 1)
        with pytest.raises(RuntimeError), unit_of_work():
            settings.put("b", 1)
        settings.put("c", 1)
    assert [settings.get(name) for name in "abc"] == [1, None, 1]
    with unit_of_work():
        settings.put("d", 1)
    assert settings.get("d") == 1


def test_without_a_queue_server_the_work_is_kept_and_nobody_hears_of_it(app: Flask) -> None:
    assert app.config["BIHUAN"].redis_url == NOBODY_LISTENS
    with unit_of_work():
        settings.put("a", 1)
        hurry("route_reports")
    assert settings.get("a") == 1
    assert redis_door().is_resting
    assert ring("route_reports") is False
    answered("route_reports")


def test_a_unit_of_work_sees_what_others_have_just_committed(app: Flask) -> None:
    """What was read before it began is read again inside: on SQLite it would be an older snapshot."""
    with unit_of_work():
        settings.put("a", 1)
    kept = db.session.get_one(DistrictSetting, "a")
    assert kept.value == 1

    def elsewhere() -> None:
        with app.app_context(), unit_of_work():
            settings.put("a", 2)

    in_thread(elsewhere)
    with unit_of_work():
        assert kept.value == 2


@both_databases
def test_many_writers_at_once_all_succeed_and_lose_nothing(app: Flask) -> None:
    """Threads of two applications: two processes share nothing but the database, and neither do these."""
    from wsgi import create_app

    other = create_app(app.config["BIHUAN"])
    with unit_of_work():
        settings.put("count", 0)

    def count_up(of: Flask) -> None:
        with of.app_context():
            for _ in range(10):
                with unit_of_work() as session:
                    row = session.scalars(
                        select(DistrictSetting).where(DistrictSetting.name == "count").with_for_update()
                    ).one()
                    row.value = row.value + 1
            db.session.remove()

    in_threads([partial(count_up, of) for of in (app, other) * 3])
    with other.app_context():
        db.engine.dispose()
    db.session.expire_all()
    assert settings.get("count") == 60


@both_databases
def test_reports_filed_at_once_all_get_numbers_of_their_own(app: Flask) -> None:
    from district.reports.models import Report

    district = SmallDistrict()
    make_report(district)
    db.session.remove()

    def file_some() -> None:
        with app.app_context():
            from district.reports import service as reports
            from district.reports.models import Source

            for _ in range(8):
                with unit_of_work():
                    reports.submit(reports.NewReport(source=Source.API, description="路灯不亮"), by=None)
            db.session.remove()

    in_threads([file_some] * 6)
    numbers = db.session.scalars(select(Report.number)).all()
    assert len(numbers) == len(set(numbers)) == 49


def test_a_queue_server_that_hangs_is_not_waited_for_long(app: Flask) -> None:
    """WeChat's message has its answer well within a second, whatever happens."""
    given = redis_door().connection.connection_pool.connection_kwargs
    assert given["socket_timeout"] + given["socket_connect_timeout"] < 1


def test_sqlite_is_set_up_for_many_readers_and_one_writer(app: Flask) -> None:
    with db.engine.connect() as connection:
        pragma = {
            name: connection.execute(text(f"pragma {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert pragma == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 15000, "synchronous": 1}


def test_a_reader_is_not_kept_waiting_by_a_writer(app: Flask) -> None:
    with unit_of_work():
        settings.put("a", 1)
    seen: list[object] = []

    def read() -> None:
        with app.app_context():
            seen.append(settings.get("a"))
            db.session.remove()

    with unit_of_work() as session:
        settings.put("a", 2)
        session.flush()
        in_thread(read)
    assert seen == [1]
