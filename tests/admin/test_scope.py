"""Somebody limited to units or streets: sees those and nothing else, everywhere."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from district import jobs
from district.extensions import db
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_area, make_report, make_staff, make_unit

HERE, THERE = "990000001", "990000002"
ELSEWHERE = {"latitude": 50.60, "longitude": 124.40}


@pytest.fixture
def two_streets(district: SmallDistrict) -> dict[str, Report]:
    """A second street far away; one report in each, both with the lamps unit, and one still without a unit."""
    with unit_of_work():
        make_area(THERE, middle=(ELSEWHERE["latitude"], ELSEWHERE["longitude"]), name="远方街道")
    forget_reference()
    here = make_report(district, Status.ASSIGNED)
    there = make_report(district, Status.ASSIGNED, **ELSEWHERE)
    loose = make_report(district, Status.SUBMITTED)
    assert (here.area_code, there.area_code, loose.unit_id) == (HERE, THERE, None)
    return {"here": here, "there": there, "loose": loose}


def limited(app: Flask, district: SmallDistrict, role: Role, **limits: list[Any]) -> Person:
    with unit_of_work():
        someone = make_staff("limited", district.lamps if role is Role.HANDLER else district.command, role)
        for name, value in limits.items():
            setattr(someone, name, value)
    return Person(app).sit_down(someone)


def seen(person: Person, reports: dict[str, Report]) -> set[str]:
    """Which of the reports this person finds in the list of all, having asked that each page agrees with it."""
    listed = person.get("/admin/?tab=all").text
    found = {name for name, report in reports.items() if report.number in listed}
    opened = {
        name for name, report in reports.items() if person.get(f"/admin/reports/{report.number}").status_code == 200
    }
    assert found == opened
    return found


@both_databases
def test_limited_to_a_street_one_sees_that_street(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report]
) -> None:
    person = limited(app, district, Role.DISPATCHER, area_scope=[HERE])
    assert seen(person, two_streets) == {"here", "loose"}
    there = two_streets["there"].number
    assert person.get(f"/admin/reports/{there}/print").status_code == 404
    assert person.post(f"/admin/reports/{there}/contact").status_code == 404
    assert person.act(two_streets["there"], "comment", note="x").status_code == 404
    assert there not in person.get("/admin/unseen").text


def test_the_counts_of_the_tabs_are_those_of_the_street(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report], log_in: LogIn
) -> None:
    def count(person: Person) -> str:
        return words_of(person.get("/admin/?tab=accept")).partition("待接手")[2].split()[0]

    assert count(log_in("shift_lead")) == "2"
    assert count(limited(app, district, Role.SHIFT_LEAD, area_scope=[HERE])) == "1"


def test_limited_to_units_one_sees_them_and_those_under_them(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report]
) -> None:
    with unit_of_work():
        above = make_unit("SZ", name="市政局")
        db.session.get_one(type(above), district.lamps.id).parent_id = above.id
        above_id = above.id
    forget_reference()
    assert seen(limited(app, district, Role.INSPECTOR, unit_scope=[above_id]), two_streets) == {"here", "there"}
    with unit_of_work():
        db.session.scalars(select(Staff).where(Staff.username == "limited")).one().unit_scope = [district.street.id]
    person = Person(app).sit_down(db.session.scalars(select(Staff).where(Staff.username == "limited")).one())
    assert seen(person, two_streets) == set()


def test_units_and_streets_narrow_together(app: Flask, district: SmallDistrict, two_streets: dict[str, Report]) -> None:
    person = limited(app, district, Role.LEADER, unit_scope=[district.lamps.id], area_scope=[THERE])
    assert seen(person, two_streets) == {"there"}


def test_a_limit_never_shows_more_than_the_role_does(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report]
) -> None:
    """A handler limited to a unit that is not theirs sees nothing, and certainly not everything."""
    person = limited(app, district, Role.HANDLER, unit_scope=[district.street.id])
    assert seen(person, two_streets) == set()


def received(person: Person, kind: str, by: str) -> list[tuple[str, str]]:
    """The lines of the figures' table and the whole, with how much came in."""
    page = person.get(f"/admin/numbers?kind={kind}&by={by}").text
    table = page.partition('<table class="numbers wide">')[2].partition("</table>")[0]
    lines = re.findall(r'<tr><th scope="row">(.*?)</th><td class="right">(.*?)</td>', table, re.DOTALL)
    return [(name, re.sub(r"<small.*?</small>|<[^>]+>", "", cell)) for name, cell in lines]


@both_databases
@pytest.mark.parametrize("by", ["unit", "street", "category"])
def test_the_figures_are_those_of_the_street(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report], log_in: LogIn, by: str
) -> None:
    jobs.count_numbers()

    parts = {"unit": ["路灯班组", "没有责任单位"], "street": ["中心街道"], "category": ["路灯异常"]}[by]
    leader = received(log_in("leader"), "month", by)
    person = limited(app, district, Role.LEADER, area_scope=[HERE])
    mine = received(person, "month", by)
    assert dict(leader)["合计"] == "3"
    assert dict(mine)["合计"] == "2"
    assert dict(mine)["全区"] == "3"
    assert {name for name, _ in mine} == {*parts, "合计", "全区"}
    assert sum(int(n) for name, n in mine if name in parts) == 2
    behind = person.get("/admin/numbers/behind/received?kind=month").text
    assert two_streets["here"].number in behind
    assert two_streets["there"].number not in behind
    drawn = json.loads(person.get("/admin/numbers").text.partition('id="course-data">')[2].partition("</script>")[0])
    assert drawn["lines"][0]["values"][-1] == 2
    for kind in ("day", "week", "year"):
        assert received(person, kind, by) == mine


@both_databases
def test_figures_of_units_and_streets_together(
    app: Flask, district: SmallDistrict, two_streets: dict[str, Report]
) -> None:
    jobs.count_numbers()
    person = limited(app, district, Role.LEADER, unit_scope=[district.lamps.id], area_scope=[THERE])
    said = words_of(person.get("/admin/numbers?kind=month&by=category"))
    assert "路灯班组 1" in said
    assert "合计 1" in said
    behind = person.get("/admin/numbers/behind/received?kind=month").text
    assert two_streets["there"].number in behind
    assert behind.count("/admin/reports/BH") == 1


class TestForm:
    def fields(self, **changes: Any) -> dict[str, Any]:
        return {"name": "员工street", "unit": "J001", "roles": ["handler"]} | changes

    def test_an_administrator_limits_somebody_and_the_log_says_from_what_to_what(
        self, app: Flask, district: SmallDistrict, two_streets: dict[str, Report], log_in: LogIn
    ) -> None:
        dispatcher = district.staff["dispatcher"]
        person = log_in("dispatcher")
        assert seen(person, two_streets) == {"here", "there", "loose"}
        admin = log_in("administrator")
        form = self.fields(name="小陈", unit="CMD", roles=["dispatcher"], area_scope=[THERE])
        assert admin.post(f"/admin/staff/{dispatcher.id}", **form).location == "/admin/staff"
        assert seen(person, two_streets) == {"there"}
        assert "范围受限" in words_of(admin.get("/admin/staff?q=小陈"))
        page = admin.get(f"/admin/staff/{dispatcher.id}").text
        assert f'value="{THERE}" checked' in page
        assert f'value="{HERE}">' in page
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "staff.change")).one()
        assert (entry.detail["before"]["area_scope"], entry.detail["after"]["area_scope"]) == ([], [THERE])
        # The same once more changes nothing and says nothing.
        admin.post(f"/admin/staff/{dispatcher.id}", **form)
        assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.action == "staff.change")).all()) == 1

    @pytest.mark.parametrize(
        ("changes", "said"),
        [({"name": " "}, "请填写姓名"), ({"roles": []}, "请至少选一个角色"), ({"unit": "nope"}, "没有这个单位"),
         ({"unit_scope": ["nope"]}, "没有这个单位"), ({"area_scope": ["1"]}, "没有这个街道")],
    )  # fmt: skip
    def test_a_mistake_is_named_and_nothing_changes(
        self, district: SmallDistrict, log_in: LogIn, changes: dict[str, Any], said: str
    ) -> None:
        street = district.staff["street"]
        answer = log_in("administrator").post(f"/admin/staff/{street.id}", **self.fields(**changes))
        assert answer.status_code == 422
        assert said in answer.text
        db.session.expire_all()
        row = db.session.get_one(Staff, street.id)
        assert (row.roles, row.unit_scope, row.area_scope) == ({Role.HANDLER}, [], [])

    def test_nobody_takes_the_administrators_role_from_themselves(self, district: SmallDistrict, log_in: LogIn) -> None:
        own = district.staff["administrator"].id
        answer = log_in("administrator").post(f"/admin/staff/{own}", name="x", unit="CMD", roles=["leader"])
        assert answer.status_code == 403
        assert log_in("administrator").get("/admin/staff/new").status_code == 200
