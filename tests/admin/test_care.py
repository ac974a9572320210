"""What is due for inspection, the plans it follows from, shares in order, and what is repaired again and again."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import delete

from admin.showing import zone
from district import clock, settings
from district.care import service as care
from district.care.models import InspectionPlan
from district.changes.models import Change
from district.extensions import db
from district.facilities.models import Facility, FacilityToken, FacilityType, MaintenanceEntry
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reports import merging
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Status
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person, words_of
from tests.conftest import both_databases
from tests.factories import MIDDLE, SmallDistrict, forget_reference, make_area, make_facility, make_report, make_staff

THERE = "990000002"
# A day in the middle of a month whose months before and after are whole.
NOON = datetime(2026, 5, 15, 4, tzinfo=clock.now().tzinfo)


@pytest.fixture
def lamps(district: SmallDistrict) -> list[Facility]:
    """Three lamps of the lamps' unit here, one in the other street, one of nobody's."""
    with unit_of_work():
        make_area(THERE, middle=(50.60, 124.40), name="远方街道")
        made = [make_facility(district.lamps, name=f"灯{number}") for number in "甲乙丙"]
        made.append(make_facility(district.lamps, name="远灯", area_code=THERE, latitude=50.6, longitude=124.4))
        made.append(make_facility(None, name="野灯", owner_unit_id=district.street.id))
    forget_reference()
    return made


def plan(code: str = "LD", **given: Any) -> InspectionPlan:
    values: dict[str, Any] = {
        "name": f"计划{code}", "type_codes": ["01037"], "area_codes": [], "crew": "maintainer", "every": 1,
        "every_unit": "months", "months": [], "starts_on": date(2026, 1, 1), "created_at": NOON - timedelta(days=130),
    } | given  # fmt: skip
    with unit_of_work():
        row = InspectionPlan(code=code, **values)
        db.session.add(row)
    return row


def checked(facility: Facility, by: Staff, result: str = "fine", code: str = "LD", at: datetime = NOON) -> None:
    with clock.frozen_at(at), unit_of_work():
        care.check_in(
            db.session.get_one(Facility, facility.id), by=by, result=result, plan_code=code,
            note="看过" if result == "faulty" else "",
        )  # fmt: skip


def due_names(person: Person, query: str = "") -> list[str]:
    with clock.frozen_at(NOON):
        page = person.get(f"/admin/care/due{query}")
    assert page.status_code == 200
    return [name for name in ("灯甲", "灯乙", "灯丙", "远灯", "野灯") if name in words_of(page)]


# ---------------------------------------------------------------- what is due


@both_databases
def test_a_unit_sees_what_is_due_of_its_own(
    app: Flask, district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    plan()
    assert due_names(log_in("handler")) == ["灯甲", "灯乙", "灯丙", "远灯"]
    assert due_names(log_in("street")) == ["野灯"]
    assert due_names(log_in("administrator")) == ["灯甲", "灯乙", "灯丙", "远灯", "野灯"]


@both_databases
def test_what_was_checked_in_this_period_is_not_due_any_more(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    plan()
    handler = district.staff["handler"]
    checked(lamps[0], handler)
    checked(lamps[1], handler, "faulty")
    checked(lamps[2], handler, "unreachable")
    checked(lamps[3], handler, at=NOON - timedelta(days=20))
    assert due_names(log_in("handler")) == ["灯丙", "远灯"]


@both_databases
def test_what_was_missed_last_time_as_well_is_marked(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    plan()
    checked(lamps[0], district.staff["handler"], at=NOON - timedelta(days=20))
    with unit_of_work():
        db.session.get_one(Facility, lamps[1].id).installed_on = date(2026, 5, 2)
    assert due_names(log_in("handler"), "?late=1") == ["灯丙", "远灯"]
    with clock.frozen_at(NOON):
        page = words_of(log_in("handler").get("/admin/care/due"))
    assert page.count(t("care.due.late")) == 2 + 1


def test_nobody_has_missed_what_was_over_before_there_was_a_plan(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    plan(created_at=NOON)
    assert due_names(log_in("handler")) == ["灯甲", "灯乙", "灯丙", "远灯"]
    assert due_names(log_in("handler"), "?late=1") == []


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"months": [6]}, []),
        ({"starts_on": date(2026, 6, 1)}, []),
        ({"ended_at": NOON}, []),
        ({"type_codes": ["99999"]}, []),
        ({"area_codes": [THERE]}, ["远灯"]),
    ],
)
def test_a_plan_covers_what_it_says(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn, given: dict[str, Any], expected: list[str]
) -> None:
    plan(**given)
    assert due_names(log_in("handler")) == expected


def test_what_is_out_of_use_is_looked_at_by_nobody(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    plan()
    with unit_of_work():
        db.session.get_one(Facility, lamps[0].id).state = "disused"
        db.session.get_one(Facility, lamps[1].id).retired_at = NOON
        db.session.get_one(Facility, lamps[2].id).installed_on = date(2026, 6, 1)
    assert due_names(log_in("handler")) == ["远灯"]


def test_a_plan_of_one_unit_sends_that_unit(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    plan("ALL", crew="all", unit_id=district.street.id)
    plan("OWN", crew="own", unit_id=district.street.id)
    assert due_names(log_in("handler")) == []
    assert due_names(log_in("street"), "?plan=OWN") == ["野灯"]
    assert due_names(log_in("street"), "?plan=ALL") == ["灯甲", "灯乙", "灯丙", "远灯", "野灯"]


def test_the_list_ends_where_a_persons_sight_does(app: Flask, district: SmallDistrict, lamps: list[Facility]) -> None:
    plan()
    with unit_of_work():
        there, own = make_staff("there", district.lamps, Role.HANDLER), make_staff("own", district.command, Role.LEADER)
        there.area_scope, own.unit_scope = [THERE], [district.street.id]
    assert due_names(Person(app).sit_down(there)) == ["远灯"]
    assert due_names(Person(app).sit_down(own)) == ["野灯"]
    with clock.frozen_at(NOON):
        page = words_of(Person(app).sit_down(there).get("/admin/care/plans"))
    assert t("care.plan.done_of", done=0, total=1) in page


@both_databases
def test_it_is_searched_narrowed_and_leafed_through(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan()
    person = log_in("handler")
    assert due_names(person, f"?q={lamps[1].code17}") == ["灯乙"]
    assert due_names(person, f"?area={THERE}") == ["远灯"]
    with clock.frozen_at(NOON):
        with unit_of_work():
            for number in range(31):
                make_facility(district.lamps, name=f"多{number}", area_code="990000009")
        first = person.get("/admin/care/due").text
        assert first.count('class="work-row') == 30
        following = first.split("btn-more")[1].split('href="')[1].split('"')[0]
        assert person.get(following).text.count('class="work-row') == 5
        assert person.get("/admin/care/due?after=nonsense").status_code == 200


@both_databases
def test_the_nearest_come_first(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    plan()
    with unit_of_work():
        db.session.get_one(Facility, lamps[2].id).latitude = MIDDLE[0] + 0.001
    with clock.frozen_at(NOON):
        page = words_of(log_in("handler").get(f"/admin/care/due?near={MIDDLE[0] + 0.002},{MIDDLE[1]}"))
    assert page.index("灯丙") < page.index("灯甲") < page.index("灯乙")
    assert "远灯" not in page
    assert t("admin.call.metres", n=111) in page


def test_a_row_leads_to_the_page_of_its_label(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    plan()
    with clock.frozen_at(NOON):
        page = log_in("handler").get("/admin/care/due").text
        record = log_in("leader").get("/admin/care/due").text
    assert 'class="work-link" href="/f/testtok' in page
    with unit_of_work():
        db.session.execute(delete(FacilityToken).where(FacilityToken.facility_id == lamps[0].id))
    with clock.frozen_at(NOON):
        # Without a label it is opened by its number.
        assert f'class="work-link" href="/f/{lamps[0].code17}"' in log_in("handler").get("/admin/care/due").text
    assert f'href="/admin/facilities/{lamps[0].code17}"' in record


def test_the_list_can_be_taken_on_paper(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    plan()
    with clock.frozen_at(NOON):
        page = words_of(log_in("handler").get("/admin/care/due/print"))
    assert page.count("☐") == 4
    assert "远方街道" in page


# ---------------------------------------------------------------- plans


def form(**given: Any) -> dict[str, Any]:
    return {
        "code": "GC-W", "name": "路灯周检", "facility_types": ["01037"], "area_codes": ["990000001"],
        "crew": "own", "unit": "SZ-LD", "every": "2", "every_unit": "weeks", "months": ["4", "5"],
        "starts_on": "2026-04-06",
    } | given  # fmt: skip


@both_databases
def test_a_plan_is_made_changed_and_ended(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    person = log_in("administrator")
    made = person.post("/admin/care/plans/new", **form())
    assert made.status_code == 302
    row = db.session.query(InspectionPlan).one()
    assert (row.type_codes, row.area_codes, row.unit_id, row.every, row.every_unit, row.months, row.starts_on) == (
        ["01037"], ["990000001"], district.lamps.id, 2, "weeks", [4, 5], date(2026, 4, 6),
    )  # fmt: skip
    changed = person.post(made.location, **form(name="路灯双周检", version="1", crew="maintainer", unit=""))
    assert changed.status_code == 302
    page = words_of(person.get(made.location))
    assert "路灯周检 → 路灯双周检" in page
    stale = person.post(made.location, **form(version="1", name="又改"))
    assert stale.status_code == 409
    assert t("care.plan.stale") in words_of(stale)
    assert "又改" in stale.text
    assert person.post(f"{made.location}/end").status_code == 302
    db.session.expire_all()
    assert row.ended_at is not None
    assert (row.crew, row.unit_id, row.name) == ("maintainer", None, "路灯双周检")
    assert [one.kind for one in db.session.query(Change)] == ["inspection_plan"] * 3
    assert person.post(made.location, **form(version="3")).status_code == 409


@pytest.mark.parametrize(
    "given, column",
    [
        ({"name": ""}, "name"), ({"facility_types": []}, "facility_types"), ({"every": "0"}, "every"),
        ({"facility_types": ["77"]}, "facility_types"), ({"every_unit": "moons"}, "every_unit"),
        ({"every": "200", "every_unit": "weeks"}, "every"),
        ({"crew": "own", "unit": ""}, "unit"), ({"crew": "nobody"}, "crew"), ({"months": ["13"]}, "months"),
        ({"starts_on": "soon"}, "starts_on"), ({"code": "x y"}, "code"), ({"area_codes": ["1"]}, "area_codes"),
    ],
)  # fmt: skip
def test_what_a_plan_cannot_say_is_said_beside_the_field(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn, given: dict[str, Any], column: str
) -> None:
    answer = log_in("administrator").post("/admin/care/plans/new", **form(**given))
    assert answer.status_code == 422
    assert f'id="error-{column}"' in answer.text
    assert db.session.query(InspectionPlan).count() == 0


def test_a_code_is_given_once(district: SmallDistrict, lamps: list[Facility], log_in: LogIn) -> None:
    person = log_in("administrator")
    person.post("/admin/care/plans/new", **form())
    assert person.post("/admin/care/plans/new", **form(name="另一个")).status_code == 422


def test_a_manager_plans_for_their_own_unit_alone(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    person = log_in("unit_manager")
    for refused in ({"unit": "J001"}, {"crew": "maintainer"}, {"crew": "all"}):
        assert person.post("/admin/care/plans/new", **form(**refused)).status_code == 403
    assert person.post("/admin/care/plans/new", **form()).status_code == 302
    strangers = plan("J", crew="own", unit_id=district.street.id)
    with clock.frozen_at(NOON):
        page = words_of(person.get(f"/admin/care/plans/{strangers.id}"))
    assert t("care.plan.none_here") in page
    others = plan("ALL", crew="all", unit_id=district.lamps.id)
    assert person.post(f"/admin/care/plans/{others.id}", **form(version="1")).status_code == 403
    assert person.post(f"/admin/care/plans/{others.id}/end").status_code == 403
    assert 'name="every"' not in person.get(f"/admin/care/plans/{others.id}").text
    assert db.session.query(InspectionPlan).count() == 3


# ---------------------------------------------------------------- shares


def lights(district: SmallDistrict, count: int = 5, **given: Any) -> list[Facility]:
    with unit_of_work():
        made = [make_facility(district.lamps, name=f"亮{number}", **given) for number in range(count)]
        db.session.query(FacilityType).update({"gives_light": True})
        settings.changed("categories")
    forget_reference()
    return made


def broken(
    district: SmallDistrict, facility: Facility, start: datetime, end: datetime | None = None,
    status: Status = Status.IN_PROGRESS,
) -> Report:  # fmt: skip
    """A report on it from `start`, resolved at `end`."""
    report = make_report(district, Status.RESOLVED if end else status, facility_id=facility.id)
    with unit_of_work():
        row = db.session.get_one(Report, report.id)
        row.submitted_at = start
        if end:
            row.resolved_at = end
    return report


def local(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=zone())


def rates(person: Person, query: str) -> str:
    with clock.frozen_at(local(6, 10)):
        page = person.get(f"/admin/care/rates{query}")
    assert page.status_code == 200
    return words_of(page)


@both_databases
def test_the_share_is_time_without_a_fault_of_the_time_in_use(
    app: Flask, district: SmallDistrict, log_in: LogIn
) -> None:
    """Five lamps in April, 150 days: 3 days, two at once, from the month before, and one that still is not fixed."""
    made = lights(district)
    broken(district, made[0], local(4, 10), local(4, 13))
    broken(district, made[1], local(4, 1), local(4, 3))
    broken(district, made[1], local(4, 2), local(4, 4))
    broken(district, made[2], local(3, 20), local(4, 2))
    broken(district, made[3], local(4, 28))
    broken(district, made[4], local(5, 2), local(5, 3))
    # 3 + 3 + 1 + 3 = 10 of 150 days.
    page = rates(log_in("leader"), "?on=2026-04-15")
    assert page.count("93.33%") == 6
    assert "中心街道 5 1 4 93.33% 5 93.33%" in page
    with clock.frozen_at(local(6, 10)):
        behind = words_of(log_in("leader").get("/admin/care/rates/behind?on=2026-04-15&by=street&key=990000001"))
    assert [name for name in ("亮0", "亮1", "亮2", "亮3", "亮4") if name in behind] == ["亮0", "亮1", "亮2", "亮3"]
    assert t("numbers.span.days", n="3.0") in behind
    assert behind.count(t("care.faults.open")) == 1


@both_databases
@pytest.mark.parametrize("status", [Status.REJECTED, Status.WITHDRAWN])
def test_what_was_refused_or_taken_back_was_no_fault(district: SmallDistrict, log_in: LogIn, status: Status) -> None:
    made = lights(district)
    broken(district, made[0], local(4, 10), status=status)
    assert "100.00%" in rates(log_in("leader"), "?on=2026-04-15")


@both_databases
def test_a_merged_report_is_fixed_when_its_eldest_is(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district)
    eldest = broken(district, made[0], local(4, 1))
    joined = broken(district, made[1], local(4, 4))
    with unit_of_work():
        merging.merge(joined.id, eldest.id, by=district.staff["dispatcher"])
        reports.resolve(reports.lock(eldest.id), by=district.staff["handler"], note="好了")
        db.session.get_one(Report, eldest.id).resolved_at = local(4, 7)
    # 6 + 3 of 150 days.
    assert "94.00%" in rates(log_in("leader"), "?on=2026-04-15")


@both_databases
def test_time_before_and_after_a_facility_does_not_count(district: SmallDistrict, log_in: LogIn) -> None:
    """Of April's 30 days one lamp has 10, one 20, four have 30: 150 days, 2 and 4 of them out of order."""
    made = lights(district)
    with unit_of_work():
        db.session.get_one(Facility, made[0].id).installed_on = date(2026, 4, 21)
        make_facility(district.lamps, name="废灯", state="disused")
        make_facility(district.lamps, name="第六盏")
    broken(district, made[0], local(4, 1), local(4, 23))
    broken(district, made[1], local(4, 17))
    with unit_of_work():
        db.session.get_one(Facility, made[1].id).retired_at = local(4, 21)
    page = rates(log_in("leader"), "?on=2026-04-15")
    assert "中心街道 5 0 2 96.00% 5 96.00%" in page


@both_databases
def test_what_was_not_found_is_out_of_order_until_it_is(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district)
    handler = district.staff["handler"]
    for result, at in (("not_found", local(4, 1)), ("unreachable", local(4, 2)), ("fine", local(4, 4))):
        checked(made[0], handler, result, "", at)
    assert "98.00%" in rates(log_in("leader"), "?on=2026-04-15")


def test_of_too_few_nothing_is_said(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district, 4)
    broken(district, made[0], local(4, 10))
    page = rates(log_in("leader"), "?on=2026-04-15")
    assert t("numbers.page.too_few") in page
    assert "%" not in page.split(t("numbers.page.meanings"))[0]


def test_it_is_divided_by_unit_and_type_and_lights_are_apart(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district)
    with unit_of_work():
        kind = FacilityType(
            code="03001", major="市容", name="公厕", name_en="toilet", geometry="point", default_unit_kind="municipal",
            problems=[], default_category_code="",
        )  # fmt: skip
        db.session.add(kind)
        db.session.flush()
        for _ in range(5):
            row = make_facility(None, owner_unit_id=district.street.id)
            row.type_id = kind.id
        settings.changed("categories")
    forget_reference()
    broken(district, made[0], local(4, 1), local(4, 16))
    assert "路灯班组 5 0 1 90.00% 5 90.00%" in rates(log_in("leader"), "?on=2026-04-15&by=unit")
    page = rates(log_in("leader"), "?on=2026-04-15&by=type")
    assert "公厕 5 0 0 100.00%" in page
    assert "合计 10 0 1 95.00% 5 90.00%" in page


def test_a_running_period_is_counted_until_now(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district)
    broken(district, made[0], local(6, 1))
    assert "80.00%" in rates(log_in("leader"), "?on=2026-06-01")


def test_the_figures_end_where_a_persons_sight_does(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    with unit_of_work():
        make_area(THERE, middle=(50.60, 124.40), name="远方街道")
    lights(district)
    far = lights(district, area_code=THERE)
    broken(district, far[0], local(4, 1), local(4, 16))
    with unit_of_work():
        here = make_staff("here", district.command, Role.LEADER)
        here.area_scope = ["990000001"]
    person = Person(app).sit_down(here)
    page = rates(person, "?on=2026-04-15")
    assert "远方街道" not in page
    assert "合计 5 0 0 100.00%" in page
    with clock.frozen_at(local(6, 10)):
        for query in ("", f"&by=street&key={THERE}"):
            assert far[0].name not in words_of(person.get(f"/admin/care/rates/behind?on=2026-04-15{query}"))
    assert "远方街道 5 0 1 90.00%" in rates(log_in("leader"), "?on=2026-04-15")
    assert t("care.rates.empty") in rates(log_in("street"), "?on=2026-04-15")


def test_the_table_can_be_taken_along(district: SmallDistrict, log_in: LogIn) -> None:
    made = lights(district)
    broken(district, made[0], local(4, 1), local(4, 16))
    with clock.frozen_at(local(6, 10)):
        answer = log_in("leader").get("/admin/care/rates/workbook?on=2026-04-15")
    sheet = load_workbook(BytesIO(answer.data)).worksheets[0]
    rows = list(sheet.iter_rows(min_row=3, values_only=True))
    assert rows[0][0] == t("care.by.street")
    assert rows[2] == ("中心街道", 5, 0, 1, pytest.approx(0.9), 5, pytest.approx(0.9))


# ---------------------------------------------------------------- again and again


@both_databases
def test_what_is_repaired_again_and_again_is_listed(district: SmallDistrict, log_in: LogIn) -> None:
    """A report, its reopening and a repair of its own are three; a repair that resolved its report is none."""
    often, twice = lights(district, 2)
    handler = district.staff["handler"]
    report = make_report(district, Status.CLOSED, facility_id=often.id)
    with unit_of_work():
        reports.reopen(reports.lock(report.id), by=district.staff["acceptor"], text="又不亮了")
    with unit_of_work():
        care.repair(db.session.get_one(Facility, often.id), by=handler, note="紧了螺丝")
    number = make_report(district, Status.IN_PROGRESS, facility_id=twice.id).number
    with unit_of_work():
        care.repair(db.session.get_one(Facility, twice.id), by=handler, note="换了灯", resolve=[number])
    person = log_in("leader")
    page = words_of(person.get("/admin/care/repeated"))
    assert often.name in page
    assert twice.name not in page
    assert "路灯班组 1 1 1 3" in page
    assert twice.name not in words_of(person.get("/admin/care/repeated?times=2"))
    assert often.name not in words_of(person.get("/admin/care/repeated?times=4"))
    sheet = load_workbook(BytesIO(person.get("/admin/care/repeated/workbook").data)).worksheets[0]
    assert [row[0] for row in sheet.iter_rows(min_row=4, values_only=True)] == [often.name]


def test_it_ends_where_a_persons_sight_does(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    (often,) = lights(district, 1)
    for _ in range(3):
        make_report(district, Status.IN_PROGRESS, facility_id=often.id)
    assert often.name in words_of(log_in("unit_manager").get("/admin/care/repeated"))
    assert often.name not in words_of(log_in("street").get("/admin/care/repeated"))


def test_the_log_of_a_record_tells_what_a_check_found(
    district: SmallDistrict, lamps: list[Facility], log_in: LogIn
) -> None:
    checked(lamps[0], district.staff["handler"], "unreachable", "")
    page = words_of(log_in("leader").get(f"/admin/facilities/{lamps[0].code17}"))
    assert t("care.result.unreachable") in page
    assert t("care.place.unknown") in page
    assert db.session.query(MaintenanceEntry).count() == 1
