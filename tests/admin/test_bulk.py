"""One act on many reports: the preview says what cannot be done, each row is done by itself, and once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import func, select

from district.extensions import db
from district.people.models import Staff
from district.reports import service as reports
from district.reports.models import EventKind, Report, ReportEvent
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report
from tests.support.desk import forms_of


def form_of(person: Person, action: str, numbers: list[str]) -> dict[str, Any]:
    """The fields of the preview's form as a browser would send them untouched."""
    page = person.get("/admin/bulk", query_string={"do": action, "row": numbers})
    assert page.status_code == 200
    (form,) = [one for one in forms_of(page.text) if one["method"] == "post" and one["action"] == "/admin/bulk"]
    ticked = re.findall(r'name="row" value="([^"]+)" checked', page.text)
    fields: dict[str, Any] = form["fields"]
    return fields | {"row": ticked, "shown": numbers}


def status_of(number: str) -> str:
    db.session.rollback()
    return db.session.scalars(select(Report.status).where(Report.number == number)).one()


@both_databases
class TestBulk:
    def test_each_is_assigned_and_what_cannot_be_says_why(self, district: SmallDistrict, log_in: LogIn) -> None:
        one, two, over = (
            make_report(district, status).number for status in (Status.TRIAGE, Status.SUBMITTED, Status.CLOSED)
        )
        person = log_in("dispatcher")
        page = person.get("/admin/bulk", query_string={"do": "assign", "row": [one, two, over]})
        assert "选中 3 件，其中 2 件可以这样办" in words_of(page)
        form = form_of(person, "assign", [one, two, over])
        assert form["row"] == [one, two]
        assert status_of(one) == Status.TRIAGE
        # Sent although it was greyed out.
        answer = person.post("/admin/bulk", **form | {"row": [one, two, over], "unit": str(district.lamps.id)})
        assert answer.status_code == 302
        said = words_of(person.get(answer.location))
        assert "办好 2 件，1 件没有办成" in said
        assert [status_of(number) for number in (one, two, over)] == [Status.ASSIGNED, Status.ASSIGNED, Status.CLOSED]

    def test_a_form_that_is_sent_twice_acts_once(self, district: SmallDistrict, log_in: LogIn) -> None:
        report = make_report(district, Status.ASSIGNED)
        report_id, number = report.id, report.number
        person = log_in("dispatcher")
        form = form_of(person, "comment", [number]) | {"text": "明天来修", "public": "1"}
        for _ in range(2):
            assert person.post("/admin/bulk", **form).status_code == 302
        said = select(func.count()).where(
            ReportEvent.report_id == report_id, ReportEvent.kind == EventKind.COMMENTED, ReportEvent.note == "明天来修"
        )
        assert db.session.scalar(said) == 1

    def test_a_row_that_somebody_changed_meanwhile_is_left_alone(self, district: SmallDistrict, log_in: LogIn) -> None:
        mine, moved = make_report(district, Status.ASSIGNED), make_report(district, Status.ASSIGNED)
        moved_id, numbers = moved.id, [mine.number, moved.number]
        person, other_id = log_in("unit_manager"), district.staff["dispatcher"].id
        form = form_of(person, "accept", numbers)
        with unit_of_work():
            by = db.session.get_one(Staff, other_id)
            reports.correct(reports.lock(moved_id), by=by, address="换了地方")
        answer = person.post("/admin/bulk", **form)
        assert "办好 1 件，1 件没有办成" in words_of(person.get(answer.location))
        assert [status_of(number) for number in numbers] == [Status.IN_PROGRESS, Status.ASSIGNED]

    def test_others_join_the_one_that_is_named(self, district: SmallDistrict, log_in: LogIn) -> None:
        numbers = [make_report(district, Status.TRIAGE).number for _ in range(3)]
        person = log_in("shift_lead")
        form = form_of(person, "merge", numbers)
        answer = person.post("/admin/bulk", **form | {"into": numbers[1]})
        assert answer.status_code == 302
        assert [status_of(number) for number in numbers] == [Status.MERGED, Status.TRIAGE, Status.MERGED]


@pytest.mark.parametrize(
    ("action", "fields", "said"),
    [
        ("assign", {"note": "请尽快去看"}, "请尽快去看"),
        ("comment", {"text": " "}, "请写几句话"),
        ("reject", {"reason": ""}, ""),
        ("merge", {"into": "BH20260101-0001A"}, "并入哪一件"),
        ("assign", {"row": [], "note": "请尽快去看"}, "请至少选一件"),
    ],
)
def test_what_is_missing_is_said_and_nothing_typed_is_lost(
    district: SmallDistrict, log_in: LogIn, action: str, fields: dict[str, Any], said: str
) -> None:
    number = make_report(district, Status.TRIAGE).number
    person = log_in("shift_lead")
    answer = person.post("/admin/bulk", **form_of(person, action, [number]) | fields)
    assert answer.status_code == 422
    assert said in words_of(answer)
    assert number in answer.text
    assert status_of(number) == Status.TRIAGE


def test_nobody_acts_on_what_they_may_not_see_nor_reads_others_results(district: SmallDistrict, log_in: LogIn) -> None:
    number = make_report(district, Status.ASSIGNED).number
    street = log_in("street")
    page = street.get("/admin/bulk", query_string={"do": "comment", "row": [number]})
    assert f'value="{number}"' not in page.text
    form = {"do": "comment", "row": [number], "shown": [number], "token": "made-up-token", f"version-{number}": "1"}
    answer = street.post("/admin/bulk", **form, text="听说了")
    assert number not in street.get(answer.location).text
    assert log_in("dispatcher").get(answer.location).status_code == 404
    db.session.rollback()
    assert db.session.scalar(select(func.count()).where(ReportEvent.note == "听说了")) == 0
    assert street.get("/admin/bulk?do=merge").status_code == 404
    assert log_in("leader").get("/admin/bulk?do=comment").status_code == 403


def test_the_list_offers_what_ones_role_may_do(district: SmallDistrict, log_in: LogIn) -> None:
    number = make_report(district, Status.ASSIGNED).number
    page = log_in("handler").get("/admin/").text
    assert f'name="row" value="{number}"' in page
    assert "批量接手" in page
    assert "批量派遣" not in page
    assert 'id="bulk"' not in log_in("leader").get("/admin/?tab=all").text
