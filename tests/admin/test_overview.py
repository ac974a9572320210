"""The wall display and its twin: whose figures, whose names, what leads where, and what is not sent again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from district import clock
from district.extensions import db
from district.overview import figures
from district.reports import service as reports
from district.reports.models import Report
from district.reports.sight import Sight
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report

# A Thursday noon in the district's zone.
NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_noon(app: Flask) -> Iterator[None]:
    figures.forget()
    with clock.frozen_at(NOON):
        yield
    figures.forget()


def at(moment: datetime, district: SmallDistrict, status: Status = Status.ASSIGNED, **given: Any) -> Report:
    with clock.frozen_at(moment):
        return make_report(district, status, **given)


def parts(person: Person, query: str = "") -> dict[str, str]:
    figures.forget()
    answer = person.get(f"/admin/district/data.json{query}")
    assert answer.status_code == 200
    assert answer.json is not None
    return dict(answer.json["parts"])


@both_databases
def test_today_is_held_against_the_same_hours_of_last_week(district: SmallDistrict) -> None:
    at(NOON - timedelta(hours=1), district)
    at(NOON - timedelta(hours=2), district, Status.CLOSED)
    at(NOON - timedelta(days=7, hours=1), district)
    # Later on that day, and on the evening before today: neither counts.
    at(NOON - timedelta(days=7) + timedelta(hours=1), district)
    at(NOON - timedelta(hours=13), district)
    seen = figures.look(Sight())
    assert seen.received == figures.Flow(today=2, last_week=1)
    assert seen.closed == figures.Flow(today=1, last_week=0)


@both_databases
def test_fourteen_days_are_counted_by_the_day_of_the_district(district: SmallDistrict) -> None:
    # 23:30 of the 24th and 00:30 of the 25th in Shanghai: both the 24th in UTC.
    at(datetime(2026, 11, 24, 15, 30, tzinfo=UTC), district)
    at(datetime(2026, 11, 24, 16, 30, tzinfo=UTC), district, Status.CLOSED)
    days = {day.day.day: (day.received, day.closed) for day in figures.look(Sight()).days}
    assert len(days) == figures.TREND_DAYS
    assert (days[24], days[25], days[26]) == ((1, 0), (1, 1), (0, 0))


@both_databases
def test_open_and_overdue_are_counted_by_unit_street_and_spot(district: SmallDistrict) -> None:
    old = at(NOON - timedelta(days=20), district)
    at(NOON - timedelta(minutes=5), district)
    at(NOON - timedelta(minutes=5), district, Status.TRIAGE, latitude=50.44)
    seen = figures.look(Sight())
    assert (seen.open, seen.overdue, seen.waiting) == (3, 1, 1)
    assert seen.units[0] == figures.Load(district.lamps.id, 2, 1)
    assert [(load.key, load.open) for load in seen.streets] == [("990000001", 3)]
    assert sorted((cell.open, cell.overdue) for cell in seen.cells) == [(1, 0), (2, 1)]
    assert max(seen.cells, key=lambda cell: cell.open).oldest == old.number
    assert seen.oldest[0].number == old.number
    assert seen.oldest[0].is_overdue


@both_databases
def test_the_share_of_solved_counts_those_who_said_no(district: SmallDistrict) -> None:
    for solved in (True, True, False):
        report = at(NOON - timedelta(hours=3), district, Status.CLOSED)
        with unit_of_work():
            reports.rate(reports.lock(report.id), by=district.resident, solved=solved, stars=5 if solved else 1)
    ratings = figures.look(Sight()).ratings
    assert (ratings.count, ratings.solved, ratings.share) == (3, 2, 66)
    assert ratings.stars == pytest.approx(3.7)


def test_screens_share_one_reading_for_a_while(district: SmallDistrict) -> None:
    assert figures.look(Sight()).open == 0
    make_report(district, Status.ASSIGNED)
    assert figures.look(Sight()).open == 0
    with clock.frozen_at(NOON + timedelta(seconds=figures.FRESH_S)):
        assert figures.look(Sight()).open == 1


def test_people_of_a_unit_see_their_own_unit_only(district: SmallDistrict, log_in: LogIn) -> None:
    mine = at(NOON - timedelta(hours=1), district)
    figures.forget()
    street = log_in("street")
    assert mine.number not in street.get("/admin/district").text
    assert '<span class="number ov-figure">0</span>' in parts(street)["tiles"]
    lamps = log_in("handler")
    assert mine.number in lamps.get("/admin/district").text
    assert "本单位一屏" in lamps.get("/admin/district").text
    assert lamps.get("/admin/wall").status_code == 403
    # Nor does the wall's data show them more.
    assert '<span class="number ov-figure">0</span>' in parts(street, "?view=wall")["tiles"]


def test_numbers_lead_to_lists_that_show_as_many(district: SmallDistrict, log_in: LogIn) -> None:
    late = at(NOON - timedelta(days=20), district)
    fresh = at(NOON - timedelta(minutes=5), district)
    person = log_in("leader")
    page = person.get("/admin/district").text
    for address in ("/admin/?tab=open&amp;unit=SZ-LD", "/admin/?tab=open&amp;area=990000001", "/admin/?tab=overdue"):
        assert f'href="{address}"' in page
    listed = person.get("/admin/?tab=open&unit=SZ-LD").text
    assert late.number in listed
    assert fresh.number in listed
    overdue = person.get("/admin/?tab=overdue").text
    assert late.number in overdue
    assert fresh.number not in overdue


def test_the_wall_shows_neither_words_nor_telephone_numbers_and_leads_nowhere(
    district: SmallDistrict, log_in: LogIn
) -> None:
    report = at(NOON - timedelta(hours=1), district, description="老王家门口", address="人民路3号 电话138 4570 1234")
    wall = log_in("leader").get("/admin/wall")
    shown = wall.text + "".join(parts(log_in("leader"), "?view=wall").values())
    assert "人民路3号" in words_of(wall)
    for secret in ("老王", "4570", report.number, report.access_key, 'href="/admin/'):
        assert secret not in shown.replace('href="/admin/static', "")


def test_a_residents_address_cannot_write_into_the_page(district: SmallDistrict, log_in: LogIn) -> None:
    at(NOON - timedelta(hours=1), district, address="<img src=x onerror=alert(1)>")
    assert "<img" not in "".join(parts(log_in("leader")).values())


def test_what_has_not_changed_is_not_sent_again(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("leader")
    first = person.get("/admin/district/data.json")
    again = person.get("/admin/district/data.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    make_report(district, Status.ASSIGNED)
    figures.forget()
    changed = person.get("/admin/district/data.json", headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    assert "no-cache" in changed.headers["Cache-Control"]


def test_the_wall_has_a_twin_for_people(district: SmallDistrict, log_in: LogIn) -> None:
    page = log_in("leader").get("/admin/wall?interactive=1").text
    assert 'class="side"' in page
    assert "data-wall" not in page


def test_how_much_is_asked_does_not_grow_with_the_work(district: SmallDistrict) -> None:
    from sqlalchemy import event

    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    def statements() -> int:
        figures.forget()
        asked.clear()
        figures.look(Sight())
        return len(asked)

    make_report(district, Status.ASSIGNED)
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        few = statements()
        for _ in range(4):
            event.remove(db.engine, "before_cursor_execute", note)
            make_report(district, Status.ASSIGNED)
            event.listen(db.engine, "before_cursor_execute", note)
        assert statements() == few <= 16
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
