"""The map beside the reports list: what it counts is the list, as far as the reader sees."""

from __future__ import annotations

from typing import Any

import pytest

from district.extensions import db
from district.lists import map as listed
from district.reports.models import Report
from district.reports.queries import Filters
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.admin.test_inbox import counted_queries
from tests.admin.test_inbox import listed as numbers_on
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, make_report

HERE = (MIDDLE[0], MIDDLE[1])
THERE = (MIDDLE[0] + 0.03, MIDDLE[1] + 0.03)


def put(report: Report, place: tuple[float, float] | None, urgency: str = "normal") -> str:
    with unit_of_work():
        found = db.session.get_one(Report, report.id)
        found.latitude, found.longitude = place or (None, None)
        found.urgency = urgency
        return found.number


def spots_of(person: Person, query: str) -> list[dict[str, Any]]:
    answer = person.get(f"/admin/list-map.json?{query}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json["spots"]
    return found


def box(place: tuple[float, float], size: float = 0.01) -> str:
    return f"{place[1] - size},{place[0] - size},{place[1] + size},{place[0] + size}"


@both_databases
def test_the_map_counts_the_list_where_its_window_is(district: SmallDistrict, log_in: LogIn) -> None:
    for _ in range(3):
        put(make_report(district, Status.ASSIGNED), HERE)
    alone = put(make_report(district, Status.TRIAGE), THERE, "critical")
    put(make_report(district, Status.ASSIGNED), None)
    put(make_report(district, Status.CLOSED), HERE)
    person = log_in("dispatcher")

    whole = person.get("/admin/list-map.json?tab=open").json
    assert sorted(spot["count"] for spot in whole["spots"]) == [1, 3]
    west, south, east, north = whole["extent"]
    assert (west, south, east, north) == pytest.approx((HERE[1], HERE[0], THERE[1], THERE[0]))
    (one,) = [spot for spot in whole["spots"] if spot["count"] == 1]
    assert (one["number"], one["url"], one["kind"]) == (alone, f"/admin/reports/{alone}", "critical")
    assert whole["note"] == ""

    assert [spot["count"] for spot in spots_of(person, f"tab=open&shown={box(HERE)}")] == [3]
    assert [spot["count"] for spot in spots_of(person, f"tab=all&shown={box(HERE)}")] == [4]
    assert [spot["number"] for spot in spots_of(person, f"tab=open&urgency=critical&shown={box(THERE)}")] == [alone]
    assert spots_of(person, "tab=overdue") == []


@both_databases
def test_only_what_the_map_shows(district: SmallDistrict, log_in: LogIn) -> None:
    here = put(make_report(district, Status.ASSIGNED), HERE)
    put(make_report(district, Status.ASSIGNED), THERE)
    put(make_report(district, Status.ASSIGNED), None)
    person = log_in("dispatcher")
    page = person.get(f"/admin/?tab=open&view=map&box={box(HERE)}").text
    assert numbers_on(page) == [here]
    assert "只看地图上这一片" in page
    assert f'data-at="{HERE[0]},{HERE[1]}"' in page
    assert len(spots_of(person, f"tab=open&box={box(HERE)}")) == 1


@pytest.mark.parametrize("value", ["", "1,2,3", "a,b,c,d", "2,2,1,3", "nan,1,2,3", "1,nan,inf,3", "200,1,201,2"])
def test_a_box_that_is_none_narrows_nothing(district: SmallDistrict, log_in: LogIn, value: str) -> None:
    number = put(make_report(district, Status.ASSIGNED), HERE)
    person = log_in("dispatcher")
    assert numbers_on(person.get("/admin/", query_string={"tab": "open", "box": value}).text) == [number]
    assert len(spots_of(person, f"tab=open&shown={value}")) == 1


def test_nobody_finds_others_work_on_the_map(district: SmallDistrict, log_in: LogIn) -> None:
    put(make_report(district, Status.ASSIGNED), HERE)
    assert len(spots_of(log_in("handler"), "tab=all")) == 1
    assert spots_of(log_in("street"), "tab=all") == []


def test_the_map_takes_two_queries_and_looks_at_the_newest_of_a_long_list(
    district: SmallDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (HERE, THERE, THERE):
        put(make_report(district, Status.ASSIGNED), place)
    with counted_queries() as seen:
        assert sum(spot.count for spot in listed.spots(Filters(), None).spots) == 3
    assert len(seen) == 2
    monkeypatch.setattr(listed, "MOST_REPORTS", 2)
    found = listed.spots(Filters(), None)
    assert found.is_part
    assert [spot.count for spot in found.spots] == [2]
