"""The squares that the map adds up: kept by the database, made one by the scheduler, equal to a recount."""

from __future__ import annotations

import random
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update

from district import clock, jobs
from district.extensions import db
from district.facilities import heaps, queries
from district.facilities.models import Facility, FacilityHeap, FacilityToken, keeping
from district.facilities.queries import Box, Wanted
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_facility

DISTRICT = Box(MIDDLE[0] - 0.1, MIDDLE[1] - 0.1, MIDDLE[0] + 0.1, MIDDLE[1] + 0.1)


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def somewhere(world: random.Random) -> dict[str, Any]:
    return {
        "latitude": MIDDLE[0] + round(world.uniform(-0.06, 0.06), 3),
        "longitude": MIDDLE[1] + round(world.uniform(-0.06, 0.06), 3),
    }


def rows() -> int:
    found = db.session.scalar(select(func.count()).select_from(FacilityHeap)) or 0
    db.session.rollback()
    return found


@both_databases
def test_whatever_happens_to_facilities_the_squares_say_what_a_recount_says(district: SmallDistrict) -> None:
    world, ids = random.Random(3), []
    for turn in range(60):
        with unit_of_work():
            ids.append(make_facility(**somewhere(world)).id)
            one = world.choice(ids)
            change = world.choice(({}, somewhere(world), {"retired_at": clock.now()}, {"retired_at": None}))
            db.session.execute(update(Facility).where(Facility.id == one).values(name=f"灯{turn}", **change))
        if turn % 20 == 19:
            with unit_of_work():
                db.session.execute(delete(FacilityToken).where(FacilityToken.facility_id == ids[-1]))
                db.session.delete(db.session.get_one(Facility, ids.pop()))
            assert heaps.differences() == []
            jobs.read_facilities()
            assert heaps.differences() == []
    squares = select(func.count()).select_from(select(FacilityHeap.north, FacilityHeap.east).distinct().subquery())
    assert db.session.scalar(squares) == rows()
    # A square that nothing stands on any more has no row.
    with unit_of_work():
        db.session.execute(update(Facility).values(retired_at=clock.now()))
    jobs.read_facilities()
    assert rows() == 0
    assert heaps.differences() == []


@both_databases
def test_heaps_of_a_whole_district_are_those_of_its_facilities(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = random.Random(5)
    with unit_of_work():
        for _ in range(80):
            make_facility(**somewhere(world))
    monkeypatch.setattr(queries, "MOST_DOTS", 20)
    dots, found = queries.on_map(Wanted(), DISTRICT, 30)
    assert dots == []
    assert sum(one.count for one in found) == 80
    assert len(found) <= 40
    for place in ("latitude", "longitude"):
        middle = sum(getattr(one, place) * one.count for one in found) / 80
        assert abs(middle - (db.session.scalar(select(func.avg(getattr(Facility, place)))) or 0)) < 1e-6
    jobs.read_facilities()
    assert sorted(queries.on_map(Wanted(), DISTRICT, 30)[1], key=str) == sorted(found, key=str)
    # They stay what they are while the map is moved, and what is narrowed is read from the facilities.
    moved = Box(DISTRICT.south + 0.002, DISTRICT.west + 0.002, DISTRICT.north + 0.002, DISTRICT.east + 0.002)
    assert sorted(queries.on_map(Wanted(), moved, 30)[1], key=str) == sorted(found, key=str)
    assert sum(one.count for one in queries.on_map(Wanted(type_code="01037"), DISTRICT, 30)[1]) == 80


@both_databases
def test_what_differs_is_found_and_mended(app: Flask, district: SmallDistrict) -> None:
    with unit_of_work():
        make_facility()
    run = app.test_cli_runner()
    assert run.invoke(args=["district", "facilities", "check"]).exit_code == 0
    with unit_of_work():
        db.session.execute(update(FacilityHeap).values(amount=FacilityHeap.amount + 1))
    answer = run.invoke(args=["district", "facilities", "check", "--json"])
    assert (answer.exit_code, answer.output.strip()) == (1, '{"differences": 1, "is_mended": false}')
    assert run.invoke(args=["district", "facilities", "check", "--mend"]).exit_code == 0
    assert heaps.differences() == []
    assert rows() == 1


@both_databases
def test_the_migrated_database_counts_as_the_models_say(district: SmallDistrict) -> None:
    if db.engine.dialect.name == "sqlite":
        made = text(
            "select sql from sqlite_master where type = 'trigger' and name like 'facility_heap_%' order by rowid"
        )
        assert db.session.scalars(made).all() == [
            one.replace("create trigger", "CREATE TRIGGER") for one in keeping("sqlite")
        ]
        return
    body = db.session.scalar(text("select prosrc from pg_proc where proname = 'keep_facility_heap'"))
    assert body == keeping("postgresql")[0].split("$$")[1]
    triggers = text("select tgname from pg_trigger where tgname like 'facility_heap_%' order by tgname")
    assert db.session.scalars(triggers).all() == [f"facility_heap_{one}" for one in ("added", "gone", "moved")]
