"""Open reports of the same thing: what counts, what does not, and that an index finds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from district import clock, settings
from district.extensions import db
from district.quick import Quick
from district.reference import reference
from district.reports import similar
from district.reports.similar import Thing
from district.reports.states import Status
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_category, make_facility, make_report

NORTH, EAST = MIDDLE
METRE = 1 / 111_320


@pytest.fixture
def district(app: Flask) -> SmallDistrict:
    return SmallDistrict()


def thing(district: SmallDistrict, **given: Any) -> Thing:
    values: dict[str, Any] = {
        "words": "路灯不亮", "category_id": district.category.id, "latitude": NORTH, "longitude": EAST,
    } | given  # fmt: skip
    return Thing(**values)


def found(one: Thing, **later: float) -> list[int]:
    now = clock.now() + timedelta(**later)
    return [card.id for card in similar.find(one, reference(), now=now)]


def test_the_same_matter_a_few_steps_away_is_found(district: SmallDistrict) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    (card,) = similar.find(thing(district, latitude=NORTH + 30 * METRE), reference(), now=clock.now())
    assert (card.id, card.metres, card.status) == (report.id, 30, "in_progress")
    assert found(thing(district, latitude=NORTH + 80 * METRE)) == []


@pytest.mark.parametrize("status", [Status.CLOSED, Status.REJECTED, Status.WITHDRAWN])
def test_what_is_over_is_not_offered(district: SmallDistrict, status: Status) -> None:
    make_report(district, status)
    assert found(thing(district)) == []


def test_another_category_and_an_old_report_are_not_offered(district: SmallDistrict) -> None:
    with unit_of_work():
        bin_id = make_category("01042", name="垃圾箱").id
    forget_reference()
    make_report(district)
    assert found(thing(district, category_id=bin_id, words="垃圾箱满了")) == []
    assert found(thing(district), days=29) != []
    assert found(thing(district), days=31) == []


def test_before_the_category_is_known_the_wording_decides(district: SmallDistrict) -> None:
    report = make_report(district, category_code="", description="民悦园门口的路灯不亮了")
    assert found(thing(district, category_id=None, words="民悦园门口路灯不亮")) == [report.id]
    assert found(thing(district, category_id=None, words="有人乱停车")) == []


def test_a_facility_is_the_same_one_or_another(district: SmallDistrict) -> None:
    with unit_of_work():
        one, other = make_facility(district.lamps).id, make_facility(district.lamps).id
    report = make_report(district, facility_id=one, latitude=None, longitude=None)
    assert found(thing(district, facility_id=one, latitude=None, longitude=None)) == [report.id]
    assert found(thing(district, facility_id=other)) == []
    assert found(thing(district)) == [report.id]


def test_the_likeliest_three_are_offered(district: SmallDistrict) -> None:
    near = [make_report(district, latitude=NORTH + metres * METRE).id for metres in (40, 0, 20, 10)]
    assert found(thing(district)) == [near[1], near[3], near[2]]


def test_the_district_says_what_is_enough(district: SmallDistrict) -> None:
    make_report(district)
    for name, value in (("metres", 10), ("enough", 1.0), ("days", 1)):
        with unit_of_work():
            settings.put("similar", {name: value})
            settings.changed("settings")
        forget_reference()
        assert found(thing(district, latitude=NORTH + 20 * METRE), days=2) == []


@pytest.fixture
def ran(district: SmallDistrict, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Every statement, with its values, whichever way it goes to the database."""
    found: list[tuple[str, Any]] = []
    ask = Quick.ask

    def heard(quick: Quick, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        found.append((statement, values))
        return ask(quick, statement, values)

    monkeypatch.setattr(Quick, "ask", heard)
    event.listen(db.engine, "before_cursor_execute", lambda *given: found.append((given[2], given[3])))
    return found


def test_it_costs_one_statement_and_none_without_a_place(district: SmallDistrict, ran: list[tuple[str, Any]]) -> None:
    ref, somewhere, nowhere = reference(), thing(district), thing(district, latitude=None, longitude=None)
    ran.clear()
    similar.find(nowhere, ref, now=clock.now())
    assert ran == []
    similar.find(somewhere, ref, now=clock.now())
    assert len(ran) == 1


@both_databases
@pytest.mark.parametrize(
    "kind, index",
    [("place", "ix_report_open_place"), ("facility", "ix_report_facility"), ("both", "ix_report_open_place")],
)
def test_an_index_finds_them(district: SmallDistrict, ran: list[tuple[str, Any]], kind: str, index: str) -> None:
    with unit_of_work():
        facility = make_facility(district.lamps).id
    report = make_report(district, facility_id=facility)
    here = {} if kind != "facility" else {"latitude": None, "longitude": None}
    one = thing(district, facility_id=facility if kind != "place" else None, **here)
    ran.clear()
    assert found(one) == [report.id]
    (statement, values), *_ = [each for each in ran if "order by report.id desc" in each[0]]
    if db.engine.dialect.name == "sqlite":
        plan = db.session.connection().exec_driver_sql(f"explain query plan {statement}", values).all()
        assert index in str(plan), plan
        assert "SCAN" not in str(plan), plan
