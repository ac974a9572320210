"""The wall display without a login: by a link that ends, shows nothing of persons, and cannot be guessed."""

# ruff: noqa: F811  fixtures of another module

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from district import clock
from district.extensions import db
from district.overview import figures, links
from district.overview.models import WallLink
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.admin.test_browser import (  # noqa: F401  fixtures
    address,
    backstage,
    browser,
    database,
    new_report,
)
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report, make_staff
from tests.support.browser import Watched, live_server
from tests.support.limits import CountedTogether


def make_link(person: Person, name: str = "一楼大厅", days: str = "30") -> str:
    """Make a link as the page does; the path that the next page shows."""
    answer = person.post("/admin/wall-links", name=name, days=days)
    assert answer.location == "/admin/wall-links", answer.text[:500]
    page = person.get("/admin/wall-links").text
    return re.findall(r'id="fresh-link">https?://[^/]+(/admin/wall/[^<]+)<', page)[0]


@both_databases
def test_a_screen_shows_the_wall_by_its_link_until_it_is_turned_off(
    district: SmallDistrict, log_in: LogIn, nobody: Person
) -> None:
    make_report(district, Status.ASSIGNED)
    figures.forget()
    admin = log_in("administrator")
    path = make_link(admin)
    screen = nobody.get(path)
    assert screen.status_code == 200
    assert "Set-Cookie" not in screen.headers
    data = nobody.get(f"{path}/data.json")
    assert '<span class="number ov-figure">1</span>' in data.json["parts"]["tiles"]
    # The address is shown once, and only its digest is kept.
    page = admin.get("/admin/wall-links").text
    assert path not in page
    assert "一楼大厅" in page
    row = db.session.scalars(select(WallLink)).one()
    token = path.rpartition("/")[2]
    assert token not in row.token_hash
    assert len(token) * 6 >= 128
    assert row.seen_at is not None
    admin.post(f"/admin/wall-links/{row.id}/end")
    assert nobody.get(path).status_code == 404
    assert "已停用或到期" in words_of(nobody.get(path))
    assert (nobody.get(f"{path}/data.json").status_code, nobody.get(f"{path}/data.json").data) == (410, b"")
    assert admin.post(f"/admin/wall-links/{row.id}/end").status_code == 409
    told = db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("wall.%"))).all()
    assert told == ["wall.link_make", "wall.link_end"]
    log = words_of(log_in("inspector").get("/admin/audit?what=wall"))
    assert "生成大屏链接" in log
    assert "一楼大厅" in log


def test_a_link_ends_by_itself(district: SmallDistrict, log_in: LogIn, nobody: Person) -> None:
    path = make_link(log_in("leader"), days="1")
    assert nobody.get(path).status_code == 200
    with clock.frozen_at(clock.now() + timedelta(days=1, minutes=1)):
        assert nobody.get(path).status_code == 404
        assert "已到期" in words_of(log_in("leader").get("/admin/wall-links"))


def test_a_screen_learns_nothing_of_persons_and_leads_nowhere(
    district: SmallDistrict, log_in: LogIn, nobody: Person
) -> None:
    report = make_report(district, Status.ASSIGNED, description="老王家门口", address="人民路3号 电话138 4570 1234")
    figures.forget()
    path = make_link(log_in("administrator"))
    shown = nobody.get(path).text + nobody.get(f"{path}/data.json").text
    assert "人民路3号" in shown
    for secret in ("老王", "4570", report.number, report.access_key, "员工"):
        assert secret not in shown
    assert [one for one in re.findall(r'(?:href|action)="(/[^"]*)"', shown) if "/static/" not in one] == []
    # Nor do other addresses open with it.
    assert nobody.get("/admin/district/data.json").status_code == 302
    assert nobody.get(f"{path}/x").status_code == 302


@pytest.mark.parametrize(
    ("fields", "said"), [({"name": " "}, "哪块屏幕"), ({"name": "长" * 41}, "40"), ({"days": "3650"}, "有效期"),
                         ({"days": "x"}, "有效期")],
)  # fmt: skip
def test_a_mistake_is_named_and_makes_no_link(
    district: SmallDistrict, log_in: LogIn, fields: dict[str, str], said: str
) -> None:
    answer = log_in("administrator").post("/admin/wall-links", **({"name": "大厅", "days": "30"} | fields))
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert db.session.query(WallLink).count() == 0


def test_who_sees_a_part_of_the_district_shares_none_of_it(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    make_link(log_in("administrator"))
    with unit_of_work():
        someone = make_staff("limited", district.command, Role.LEADER)
        someone.area_scope = ["990000001"]
    person = Person(app).sit_down(someone)
    assert person.post("/admin/wall-links", name="大厅", days="30").status_code == 403
    row = db.session.scalars(select(WallLink)).one()
    assert person.post(f"/admin/wall-links/{row.id}/end").status_code == 403
    assert links.holds(db.session.get_one(WallLink, row.id))
    page = words_of(person.get("/admin/wall-links"))
    assert "您的账号只看一部分" in page


class TestLimits(CountedTogether):
    def test_tokens_cannot_be_tried_in_masses(self, district: SmallDistrict, log_in: LogIn, nobody: Person) -> None:
        path = make_link(log_in("administrator"))
        # A screen that is right may ask as often as it likes.
        assert {nobody.get(f"{path}/data.json").status_code for _ in range(40)} == {200}
        tried = [nobody.get(f"/admin/wall/guess-{number}/data.json").status_code for number in range(25)]
        assert tried == [410] * 20 + [429] * 5


@pytest.mark.browser
def test_a_screen_goes_on_after_the_server_was_started_again_and_goes_dark_when_its_link_ends(
    browser: object,
    backstage: Flask,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "FRESH_S", 0)
    with backstage.app_context(), unit_of_work():
        admin = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
        row, token = links.make("大厅", days=30, by=admin)
        link_id = row.id
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, locale="zh-CN")  # type: ignore[attr-defined]
    figure = "+document.querySelector('[data-part=tiles] .ov-tile:nth-child(3) .ov-figure').textContent"
    with live_server(f"sqlite:///{database}", database.parent) as url:
        watched = Watched(context, url)
        page = watched.open(f"/admin/wall/{token}")
        before = int(page.evaluate(figure))
        port = int(url.rpartition(":")[2])
    with page.expect_event("requestfailed", timeout=60_000):
        pass
    new_report(backstage, assigned=True)
    with live_server(f"sqlite:///{database}", database.parent, port=port):
        watched.until(f"{figure} > {before}")
        assert page.locator("#overview-stale").is_hidden()
        with backstage.app_context(), unit_of_work():
            admin = db.session.scalars(select(Staff).where(Staff.username == "admin")).one()
            links.end(link_id, by=admin)
        watched.until("Boolean(document.querySelector('.wall-over'))")
        assert page.locator("[data-part]").count() == 0
    context.close()
