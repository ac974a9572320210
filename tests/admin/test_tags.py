"""Labels: made in the settings, put on reports by those who may, and found again."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from district import settings
from district.extensions import db
from district.people.models import AuditEntry
from district.reports.models import Report
from district.reports.states import Status
from district.tags.models import ReportTag, Tag
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report


def make_tag(code: str = "T00000001", name: str = "创城", **given: object) -> Tag:
    with unit_of_work():
        tag = Tag(code=code, name=name, **({"colour": "blue", "roles": []} | given))
        db.session.add(tag)
        settings.changed("settings")
    forget_reference()
    return tag


def tags_of(report: Report) -> set[str]:
    db.session.rollback()
    query = select(Tag.name).join(ReportTag, ReportTag.tag_id == Tag.id).where(ReportTag.report_id == report.id)
    return set(db.session.scalars(query))


def put(person: Person, report: Report, *chosen: str, had: tuple[str, ...] = ()) -> int:
    return person.post(f"/admin/reports/{report.number}/tags", tag=list(chosen), had=list(had)).status_code


class TestMaking:
    @both_databases
    def test_a_label_is_made_changed_and_taken_back(self, district: SmallDistrict, log_in: LogIn) -> None:
        admin = log_in("administrator")
        made = admin.post("/admin/settings/tags/save", name="汛期", colour="teal", roles=["dispatcher", "shift_lead"])
        assert made.status_code == 302
        tag = db.session.scalars(select(Tag)).one()
        assert (tag.name, tag.colour, tag.roles) == ("汛期", "teal", ["dispatcher", "shift_lead"])
        page = admin.get(made.location)
        base = re.search(r'name="base" value="([^"]+)"', page.text)
        assert base is not None
        change = {"name": "防汛", "colour": "red", "of": tag.code, "base": base[1]}
        assert admin.post("/admin/settings/tags/save", **change).status_code == 302
        words = words_of(admin.get(made.location))
        assert re.search(r"名称 改前： 汛期 → 改后： 防汛", words)
        assert re.search(r"颜色 改前： 青 → 改后： 红", words)

    @pytest.mark.parametrize(
        ("fields", "column"),
        [
            ({"name": "", "colour": "blue"}, "name"),
            ({"name": "长" * 21, "colour": "blue"}, "name"),
            ({"name": "创城", "colour": "blue"}, "name"),
            ({"name": "新的", "colour": "plaid"}, "colour"),
            ({"name": "新的", "colour": "blue", "roles": ["king"]}, "roles"),
        ],
    )
    def test_a_label_that_will_not_do_is_refused(
        self, district: SmallDistrict, log_in: LogIn, fields: dict[str, object], column: str
    ) -> None:
        make_tag()
        answer = log_in("administrator").post("/admin/settings/tags/save", **fields)
        assert (answer.status_code, f'id="error-{column}"' in answer.text) == (422, True)
        assert len(db.session.scalars(select(Tag)).all()) == 1


class TestOnReports:
    @both_databases
    def test_it_is_put_on_shown_found_and_taken_off(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_tag()
        report, other = make_report(district, Status.TRIAGE), make_report(district, Status.TRIAGE)
        person = log_in("dispatcher")
        assert put(person, report, "T00000001") == 302
        assert tags_of(report) == {"创城"}
        assert re.search(r'class="tag-chip tag-blue">创城', person.get(f"/admin/reports/{report.number}").text)
        listed = person.get("/admin/?tab=all&tag=T00000001").text
        assert report.number in listed
        assert other.number not in listed
        assert "tag-chip" in listed
        assert put(person, report, had=("T00000001",)) == 302
        assert tags_of(report) == set()
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "report.tags")).all()
        assert [(entry.detail["added"], entry.detail["removed"]) for entry in entries] == [
            (["创城"], []),
            ([], ["创城"]),
        ]

    def test_what_others_did_meanwhile_stays(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_tag()
        make_tag("T00000002", "汛期")
        report = make_report(district, Status.TRIAGE)
        assert put(log_in("dispatcher"), report, "T00000001") == 302
        assert put(log_in("shift_lead"), report, "T00000002") == 302, "from a page that did not show the other one"
        assert tags_of(report) == {"创城", "汛期"}
        assert put(log_in("shift_lead"), report, "T00000001", had=("T00000001",)) == 302
        assert tags_of(report) == {"创城", "汛期"}

    def test_a_label_for_some_roles_is_for_them_alone(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_tag(roles=["shift_lead"])
        report = make_report(district, Status.TRIAGE)
        dispatcher = log_in("dispatcher")
        assert 'value="T00000001"' not in dispatcher.get(f"/admin/reports/{report.number}").text
        assert put(dispatcher, report, "T00000001") == 403
        assert put(log_in("shift_lead"), report, "T00000001") == 302
        assert put(dispatcher, report, had=("T00000001",)) == 403
        assert tags_of(report) == {"创城"}

    def test_a_label_out_of_use_comes_off_and_not_on(self, district: SmallDistrict, log_in: LogIn) -> None:
        tag = make_tag()
        report, other = make_report(district, Status.TRIAGE), make_report(district, Status.TRIAGE)
        person = log_in("dispatcher")
        put(person, report, "T00000001")
        with unit_of_work():
            db.session.get_one(Tag, tag.id).retired_at = report.submitted_at
            settings.changed("settings")
        forget_reference()
        assert put(person, other, "T00000001") == 302
        assert tags_of(other) == set()
        assert "创城" in person.get(f"/admin/reports/{report.number}").text, "it stays where it is"
        assert put(person, report, had=("T00000001",)) == 302
        assert tags_of(report) == set()

    def test_another_units_report_cannot_be_marked(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_tag()
        report = make_report(district, Status.ASSIGNED)
        assert put(log_in("street"), report, "T00000001") == 404
        assert put(log_in("handler"), report, "T00000001") == 302
        assert put(log_in("leader"), report, "T00000001") == 403

    def test_residents_are_told_nothing_of_it(self, district: SmallDistrict, log_in: LogIn) -> None:
        make_tag(name="重点盯办")
        report = make_report(district, Status.ASSIGNED)
        put(log_in("dispatcher"), report, "T00000001")
        answer = log_in("dispatcher").client.get(f"/r/{report.number}?key={report.access_key}")
        assert answer.status_code == 200
        assert report.number in answer.text
        assert "重点盯办" not in answer.text
