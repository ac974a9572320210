"""The figures of the page, counted on weeks small enough to count by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flask import Flask

from district import clock
from district.learning import accuracy
from district.reports import service as reports
from district.reports.models import Report
from district.routing import service as routing
from district.work import unit_of_work
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_category, make_report

ZONE = "Asia/Shanghai"
# Monday, a quarter past midnight in the district: still Sunday in UTC.
MONDAY = datetime(2026, 11, 15, 16, 15, tzinfo=UTC)


def route(district: SmallDistrict, at: datetime, **given: object) -> Report:
    with clock.frozen_at(at):
        report = make_report(district, **given)
        with unit_of_work():
            routing.route_waiting()
    return report


@both_databases
def test_every_figure_is_counted_as_the_page_says(app: Flask) -> None:
    district = SmallDistrict()
    with unit_of_work():
        make_category("01001", name="井盖异常", name_en="manhole cover", keywords=["井盖"])
    forget_reference()
    dispatcher = district.staff["dispatcher"]
    sent = [route(district, MONDAY) for _ in range(3)]
    left_to_people = route(district, MONDAY + timedelta(days=1), category_code="01001", description="井盖响")
    unknown = route(district, MONDAY + timedelta(days=2), category_code="", description="怪怪的")
    route(district, MONDAY - timedelta(hours=1))  # the week before
    with clock.frozen_at(MONDAY + timedelta(days=9)):
        with unit_of_work():
            reports.assign(reports.lock(sent[0].id), district.street.id, by=dispatcher)
        with unit_of_work():
            reports.correct(reports.lock(left_to_people.id), by=dispatcher, category_code="01037")
        with unit_of_work():
            # Of a report without a category: nothing was wrong, so nothing was corrected.
            reports.correct(reports.lock(unknown.id), by=dispatcher, category_code="01037")
    this, before = accuracy.by_week(MONDAY + timedelta(days=3), ZONE, weeks=2)
    assert (this.since.isoformat(), this.until - this.since) == ("2026-11-16T00:00:00+08:00", timedelta(weeks=1))
    assert (this.decisions, this.sent, this.triaged) == (5, 3, 2)
    assert (this.with_category, this.category_corrected, this.unit_corrected) == (4, 1, 1)
    assert (this.sent_share, this.triage_share, this.category_share, this.unit_share) == (0.6, 0.4, 0.25, 1 / 3)
    assert (before.decisions, before.unit_share) == (1, 0.0)


def test_a_week_without_reports_has_no_shares(app: Flask) -> None:
    empty = accuracy.between(MONDAY, MONDAY + timedelta(days=1))
    assert (empty.decisions, empty.sent_share, empty.category_share, empty.unit_share) == (0, None, None, None)


def test_decisions_belong_to_the_version_in_use_then(app: Flask) -> None:
    district = SmallDistrict()
    for days in (0, 1, 2, 2, 3):
        route(district, MONDAY + timedelta(days=days))

    def at(days: int) -> datetime:
        return MONDAY + timedelta(days=days, hours=-1)

    # 2 was in use for a day, then people went back to 1.
    uses = [(1, at(3), None), (2, at(2), at(3)), (1, at(0), at(2))]
    found = accuracy.by_version(uses, MONDAY - timedelta(days=30), MONDAY + timedelta(days=5))
    assert [(version, row.decisions) for version, row in found] == [(2, 2), (1, 3)]
    late = accuracy.by_version(uses, at(3), MONDAY + timedelta(days=5))
    assert [(version, row.decisions) for version, row in late] == [(1, 1)]
