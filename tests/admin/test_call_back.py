"""Residents who cannot be asked in WeChat are called back after closing, and what they say counts."""

from __future__ import annotations

import re
from datetime import timedelta

from flask import Flask
from sqlalchemy import select

from district import clock, sealed
from district.extensions import db
from district.people.models import AuditEntry, Resident
from district.reports.models import Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.admin.test_inbox import counts_on, listed
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report


def closed(district: SmallDistrict, *, contact: bool = True, in_wechat: bool = False, days_ago: float = 1) -> Report:
    report = make_report(district, Status.CLOSED)
    with unit_of_work():
        found = db.session.get_one(Report, report.id)
        found.contact_sealed = sealed.seal("13812345678") if contact else ""
        found.closed_at = clock.now() - timedelta(days=days_ago)
        now = clock.now()
        resident = Resident(openid=f"o{report.id}", is_follower=in_wechat, first_seen_at=now, last_seen_at=now)
        db.session.add(resident)
        db.session.flush()
        found.resident_id = resident.id
    return db.session.get_one(Report, report.id)


@both_databases
def test_who_is_to_be_called(district: SmallDistrict, log_in: LogIn) -> None:
    later, first = closed(district), closed(district, days_ago=3)
    wanted = [first.number, later.number]
    closed(district, contact=False)
    closed(district, in_wechat=True)
    closed(district, days_ago=16)
    for who in ("acceptor", "shift_lead"):
        page = log_in(who).get("/admin/?tab=call_back").text
        # Those first whose days for reopening end first.
        assert listed(page) == wanted
        assert counts_on(page)["call_back"] == 2
    assert "call_back" not in counts_on(log_in("dispatcher").get("/admin/").text)


def test_a_long_list_of_calls_goes_on_where_it_ended(district: SmallDistrict, log_in: LogIn, app: Flask) -> None:

    numbers = [closed(district, days_ago=day / 4).number for day in range(1, 28)][::-1]
    person = log_in("acceptor")
    first = person.get("/admin/?tab=call_back").text
    (more,) = set(re.findall(r'hx-get="([^"]+after=[^"]+)"', first))
    rest = person.get(more.replace("&amp;", "&")).text
    assert listed(first) + listed(rest) == numbers


@both_databases
def test_what_the_resident_says_counts_as_a_rating(district: SmallDistrict, log_in: LogIn) -> None:
    report = closed(district)
    person = log_in("acceptor")
    assert person.act(report, "call_back").status_code == 422
    assert person.act(report, "call_back", said="solved", stars="9").status_code == 422
    assert person.act(report, "call_back", said="solved", stars="4", text="修得快").status_code == 302
    db.session.refresh(report)
    assert (report.solved, report.stars, report.rating_text, report.status) == (True, 4, "修得快", Status.CLOSED)
    assert listed(person.get("/admin/?tab=call_back").text) == []
    assert person.act(report, "call_back", said="solved").status_code == 409
    done = select(AuditEntry.action).where(AuditEntry.subject == f"report:{report.id}")
    assert "report.call_back" in db.session.scalars(done).all()


def test_not_solved_goes_back_to_the_unit(district: SmallDistrict, log_in: LogIn) -> None:
    report = closed(district)
    unit_id = report.unit_id
    assert log_in("shift_lead").act(report, "call_back", said="not_solved", stars="5").status_code == 302
    db.session.refresh(report)
    assert (report.status, report.unit_id, report.reopen_count) == (Status.ASSIGNED, unit_id, 1)
    rated = select(ReportEvent).where(ReportEvent.report_id == report.id, ReportEvent.kind == "rated")
    assert db.session.scalars(rated).one().data["solved"] is False


@both_databases
def test_who_does_not_answer_is_called_again_another_day(district: SmallDistrict, log_in: LogIn) -> None:
    report = closed(district)
    person = log_in("acceptor")
    assert person.act(report, "call_back", said="no_answer", text="无人接听").status_code == 302
    assert "电话没人接" in words_of(person.get(f"/admin/reports/{report.number}"))
    assert listed(person.get("/admin/?tab=call_back").text) == []
    line = db.session.scalars(select(ReportEvent).where(ReportEvent.report_id == report.id)).all()[-1]
    assert not line.is_public
    with clock.frozen_at(clock.now() + timedelta(hours=21)):
        assert listed(log_in("acceptor").get("/admin/?tab=call_back").text) == [report.number]
