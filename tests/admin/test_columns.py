"""The columns of the reports list: chosen for one list, kept for oneself, saved with a list."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from district import clock
from district.extensions import db
from district.lists.columns import BY_NAME, COLUMNS, USUAL, beside
from district.messages import CHINESE, speaking, t
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn
from tests.conftest import both_databases
from tests.factories import SmallDistrict, make_report
from tests.support.desk import forms_of


def heads_of(text: str) -> list[str]:
    """What stands over the columns that can be chosen, in order."""
    found = re.findall(r'<th role="columnheader">([^<]*)</th>', text)
    return [unescape(one) for one in found[1:]]


def names(*wanted: str) -> list[str]:
    return [t(f"lists.column.{name}") for name in wanted]


@both_databases
def test_a_list_shows_the_columns_that_were_chosen_in_their_order(district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.SUBMITTED)
    with unit_of_work():
        reports.assign(
            reports.lock(report.id), district.lamps.id, by=district.staff["dispatcher"],
            other_units=[(district.street.id, "co")],
        )  # fmt: skip
    person = log_in("dispatcher")
    assert heads_of(person.get("/admin/?tab=open").text) == names(*(name for name in USUAL if name != "photo"))

    (form,) = [one for one in forms_of(person.get("/admin/?tab=open").text) if one["action"] == "/admin/columns"]
    sent = form["fields"] | {"do": "show", "cols": ["co_units", "number", "evil", "number", "status"]}
    answer = person.post("/admin/columns", **sent)
    assert answer.location == "/admin/?tab=open&order=pressing&cols=co_units.number.status"
    page = person.get(answer.location).text
    assert heads_of(page) == names("co_units", "number", "status")
    assert f"<span>{district.street.name}</span>" in page
    # Only this list: the next one is as before, and what this page leads to keeps the columns.
    assert heads_of(person.get("/admin/?tab=open").text) != heads_of(page)
    assert "tab=overdue&amp;cols=co_units.number.status" in page

    nothing = person.post("/admin/columns", **(form["fields"] | {"do": "show", "cols": []}))
    assert heads_of(person.get(nothing.location).text) == []


def test_what_somebody_is_used_to_is_theirs_alone_until_they_change_it(district: SmallDistrict, log_in: LogIn) -> None:
    make_report(district, Status.ASSIGNED)
    person, other = log_in("dispatcher"), log_in("shift_lead")
    sent = {"do": "keep", "cols": ["unit", "due"], "tab": "open", "urgency": "normal"}
    assert person.post("/admin/columns", **sent).location == "/admin/?tab=open&order=pressing&urgency=normal"
    assert heads_of(person.get("/admin/?tab=open").text) == names("unit", "due")
    assert heads_of(other.get("/admin/?tab=open").text) != names("unit", "due")
    person.post("/admin/columns", do="keep", cols=["number"])
    assert heads_of(person.get("/admin/?tab=open").text) == names("number")
    person.post("/admin/columns", do="usual", cols=["number"])
    assert heads_of(person.get("/admin/?tab=open").text) == names(*USUAL[1:])


def test_a_saved_list_comes_with_its_columns(district: SmallDistrict, log_in: LogIn) -> None:
    make_report(district, Status.ASSIGNED)
    lead, handler = log_in("shift_lead"), log_in("handler")
    lead.post("/admin/columns", do="keep", cols=["stars", "unit"])
    kept = lead.post("/admin/lists", name="星级", shared="1", tab="open")
    assert kept.location.endswith("&cols=stars.unit")
    assert kept.location.replace("&", "&amp;") in handler.get("/admin/").text
    assert heads_of(handler.get(kept.location).text) == names("stars", "unit")


@pytest.mark.parametrize("language", [CHINESE, "en"])
def test_every_column_has_its_words_and_a_cell(district: SmallDistrict, language: str) -> None:
    bare, full = make_report(district, Status.SUBMITTED).id, make_report(district, Status.CLOSED).id
    now = clock.now() + timedelta(hours=1)
    with speaking(language):
        for report_id in (bare, full):
            report = db.session.get_one(Report, report_id)
            seen = beside([report], set(BY_NAME), now=now)
            for column in COLUMNS:
                assert not column.head.startswith("lists.")
                cell = column.value(report, seen)
                assert "status." not in str(cell), column.name
        assert BY_NAME["number"].value(report, seen) == report.number
        assert BY_NAME["closed"].value(report, seen) == report.closed_at
