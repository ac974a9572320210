"""The table of rights is the guard's own; and no address shows or does anything to another unit's report."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import func, select

from admin.guard import RIGHTS
from admin.rights import GROUPS, UNSHOWN
from district.extensions import db
from district.messages import LANGUAGES, speaking, t
from district.people.models import AuditEntry
from district.people.roles import Role
from district.reports import photos
from district.reports.models import Photo, Report, ReportEvent
from district.reports.states import TRANSITIONS, Action, Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.admin.test_guard import name_of, rules_of_the_panel
from tests.factories import SmallDistrict, make_report, make_staff
from tests.support.pictures import jpeg


def lines_of(page: str) -> dict[str, list[bool]]:
    """Every line of the tables: its words, and for each role whether it has the right."""
    found: dict[str, list[bool]] = {}
    for row in re.findall(r'<tr><th scope="row">(.*?)</tr>', page, re.DOTALL):
        words = re.split(r"<small>|</th>", row)[0].strip()
        found[words] = ["#check" in cell for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
    return found


def test_every_right_has_one_line_and_its_words() -> None:
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(RIGHTS.keys() - UNSHOWN), "name it in admin.rights.GROUPS"
    assert len(listed) == len(set(listed))
    for tag in LANGUAGES:
        with speaking(tag):
            words = [t(f"accounts.right.{name}") for name in listed]
        assert not [text for text in words if text.startswith("accounts.")]
        assert len(set(words)) == len(words), "two rights read the same"


def test_the_page_says_exactly_what_the_guard_does(log_in: LogIn) -> None:
    shown = lines_of(log_in("handler").get("/admin/rights").text)
    for name in (name for names in GROUPS.values() for name in names):
        assert shown[t(f"accounts.right.{name}")] == [role in RIGHTS[name] for role in Role], name


def test_the_page_says_exactly_what_the_transitions_do(log_in: LogIn) -> None:
    page = log_in("leader").get("/admin/rights").text
    shown = lines_of(page[page.index('id="rights-actions"') :])
    expected = {
        t(f"accounts.action.{row.action}"): [role in row.roles | row.unit_roles for role in Role]
        for row in TRANSITIONS
        if row.roles | row.unit_roles
    }
    assert shown == expected
    for tag in LANGUAGES:
        with speaking(tag):
            named = [t(f"accounts.action.{row.action}") for row in TRANSITIONS if row.roles | row.unit_roles]
        assert not [words for words in named if words.startswith("accounts.")]


def test_the_page_follows_the_guard(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RIGHTS, "audit", frozenset({Role.HANDLER}))
    person = log_in("handler")
    assert lines_of(person.get("/admin/rights").text)[t("accounts.right.audit")] == [
        role is Role.HANDLER for role in Role
    ]
    assert person.get("/admin/audit").status_code == 200


def marks(report: Report) -> tuple[object, ...]:
    """What would have changed if anything was done to the report, or read of it."""
    db.session.expire_all()
    row = db.session.get_one(Report, report.id)
    events = db.session.scalar(select(func.count()).select_from(ReportEvent).where(ReportEvent.report_id == row.id))
    read = select(func.count()).select_from(AuditEntry).where(AuditEntry.subject == f"report:{row.id}")
    return row.version, row.status, row.unit_id, events, db.session.scalar(read)


@pytest.mark.parametrize("role", [Role.HANDLER, Role.UNIT_MANAGER])
def test_another_units_report_is_nowhere_to_be_had(app: Flask, district: SmallDistrict, role: Role) -> None:
    """Every address with a report's number in it, found by itself, in both methods and with every action."""
    report = make_report(district, Status.IN_PROGRESS, description="别处的路灯", contact="13800138000")
    other = make_report(district, Status.IN_PROGRESS)
    number = report.number
    with unit_of_work():
        outsider = make_staff("outsider", district.street, role)
        insider = make_staff("insider", district.lamps, role)
    out, inside = Person(app).sit_down(outsider), Person(app).sit_down(insider)
    refused = Person(app).sit_down(outsider).briefly()
    before = marks(report)
    tried = 0
    for rule in rules_of_the_panel(app):
        if "number" not in rule.arguments or rule._converters["number"].__class__.__name__ == "IntegerConverter":
            continue
        actions = [str(action) for action in Action] if "action" in rule.arguments else [""]
        for action in actions:
            address = rule.rule.replace("<number>", number).replace("<action>", action)
            for method, ask in (("GET", refused.get), ("POST", refused.post)):
                if method not in rule.methods:
                    continue
                answer = ask(address)
                expected = 404 if role in RIGHTS[name_of(rule)] else 403
                assert answer.status_code == expected, (method, address)
                assert "别处的路灯" not in answer.text, address
                assert "13800138000" not in answer.text, address
                tried += 1
    assert tried > 40
    assert marks(report) == before
    # The same address opens for the unit that answers for it, so it is the unit that decided.
    assert inside.get(f"/admin/reports/{number}").status_code == 200
    assert "13800138000" in inside.post(f"/admin/reports/{number}/contact").text
    # Nor is it in any list, nor found by its number, nor joined from a report of one's own.
    for tab in ("all", "handle", "overdue"):
        assert number not in out.get(f"/admin/?tab={tab}").text
    assert out.get(f"/admin/?q={number}").status_code == 302
    assert out.get(f"/admin/reports/{number}").status_code == 404
    assert number not in out.get("/admin/nearby?latitude=50.4260&longitude=124.1262").text
    assert number in inside.get("/admin/?tab=all").text
    assert other.number in inside.get("/admin/?tab=all").text


def test_a_form_cannot_take_another_units_photo_along(app: Flask, district: SmallDistrict) -> None:
    """`kept` names pictures that one sent oneself; anybody else's are left out."""
    report = make_report(district, Status.IN_PROGRESS)
    with unit_of_work():
        outsider = make_staff("outsider", district.street, Role.HANDLER)
        insider = make_staff("insider", district.lamps, Role.HANDLER)
    picture = photos.prepare(jpeg())
    photos.keep(picture)
    with unit_of_work():
        taken = photos.add_uploaded(picture, staff=db.session.merge(outsider)).id
    person = Person(app).sit_down(insider)
    answer = person.act(report, "resolve", note="换了灯泡", kept=str(taken))
    assert answer.status_code in (302, 422)
    assert db.session.get_one(Photo, taken).report_id is None
