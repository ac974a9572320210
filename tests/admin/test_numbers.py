"""The page of figures: who sees which, what a number leads to, the workbook."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest
from sqlalchemy import event, select

from admin import numbers
from district import clock, jobs
from district.extensions import db
from district.people.models import AuditEntry, Resident
from district.reports import service as reports
from district.reports.states import Status
from district.units.models import Unit
from district.work import unit_of_work
from tests.admin.conftest import LogIn, words_of
from tests.conftest import both_databases
from tests.factories import SmallDistrict, forget_reference, make_report

# In the district's zone the month has just begun.
NOW = datetime(2026, 11, 1, 2, tzinfo=UTC)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    moment = [NOW]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


@pytest.fixture
def busy(district: SmallDistrict, watch: list[datetime]) -> SmallDistrict:
    """October: two closed. November: six closed and rated, one open, one with the street's unit."""
    watch[0] -= timedelta(days=3)
    for _ in range(2):
        make_report(district, Status.CLOSED)
    watch[0] = NOW
    for turn in range(6):
        report = make_report(district, Status.CLOSED)
        with unit_of_work():
            owner = db.session.get_one(Resident, district.resident.id)
            reports.rate(reports.lock(report.id), by=owner, solved=turn < 5, stars=5 if turn < 3 else 3)
    other = make_report(district, Status.SUBMITTED)
    with unit_of_work():
        reports.assign(reports.lock(other.id), district.street.id, by=reports.SYSTEM)
    jobs.count_numbers()
    return district


def test_a_leader_reads_the_month_beside_the_month_before(busy: SmallDistrict, log_in: LogIn) -> None:
    said = words_of(log_in("leader").get("/admin/numbers?kind=month"))
    for words in ("2026 年 11 月", "路灯班组", "中心街道办", "83.3%", "5 / 6", "50.0%", "3 / 6", "样本不足", "▲"):
        assert words in said
    # October as it was, and by street and category.
    said = words_of(log_in("leader").get("/admin/numbers?kind=month&on=2026-10-15&by=street"))
    assert "2026 年 10 月" in said
    assert "中心街道 2" in said
    assert "路灯异常 7" in words_of(log_in("leader").get("/admin/numbers?by=category"))
    for kind in ("day", "week", "dekad", "year"):
        assert log_in("leader").get(f"/admin/numbers?kind={kind}&sort=median&up=1").status_code == 200
    # What nobody can ask for is answered with what can be.
    assert "2026 年 11 月" in words_of(log_in("leader").get("/admin/numbers?kind=x&on=x&by=x&sort=x"))
    assert "2026 年 11 月" in words_of(log_in("leader").get("/admin/numbers?on=2030-01-01"))


def test_every_number_says_what_it_means(busy: SmallDistrict, log_in: LogIn) -> None:
    for language, words in (("zh-Hans", "24 小时内（昼夜计）签收或办完"), ("en", "within 24 hours")):
        said = words_of(log_in("inspector").get(f"/admin/numbers?lang={language}"))
        assert words in said


def test_a_number_leads_to_its_reports(busy: SmallDistrict, log_in: LogIn) -> None:
    lead = log_in("shift_lead")
    page = lead.get("/admin/numbers?kind=month").text
    address = f"/admin/numbers/behind/received?key={busy.street.id}&amp;kind=month&amp;on=2026-11-01&amp;by=unit"
    assert address in page
    behind = lead.get(address.replace("&amp;", "&"))
    assert behind.text.count("/admin/reports/BH") == 1
    assert lead.get("/admin/numbers/behind/received?kind=month").text.count("/admin/reports/BH") == 7
    assert lead.get("/admin/numbers/behind/median?kind=month").text.count("/admin/reports/BH") == 6
    assert "没有案卷" in words_of(lead.get("/admin/numbers/behind/received?by=unit&key=none"))
    assert lead.get("/admin/numbers/behind/nothing").status_code == 404


@both_databases
def test_the_list_behind_a_number_goes_on_page_by_page(
    busy: SmallDistrict, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "_PAGE", 3)
    leader = log_in("leader")
    address, seen = "/admin/numbers/behind/received?kind=year&by=unit&sort=closed", []
    for expected in (3, 3, 3):
        page = leader.get(address, headers={"HX-Target": "more"} if seen else {}).text
        assert ("<html" in page) == (not seen)
        found = re.findall(r"/admin/reports/(BH[\w-]+)", page)
        assert len(found) == expected
        seen += found
        following = re.search(r'hx-get="([^"]+)"', page)
        assert (following is None) == (len(seen) == 9)
        address = unescape(following[1]) if following else ""
    assert len(set(seen)) == 9
    # Newest first, and of one part only where one was asked for.
    assert seen == sorted(seen, reverse=True)
    of_street = leader.get(f"/admin/numbers/behind/received?kind=year&by=unit&key={busy.street.id}").text
    assert 'id="more"' not in of_street
    for nonsense in ("x", "20261101.x", "99999999.1", "20261101." + "9" * 30):
        assert leader.get(f"/admin/numbers/behind/received?kind=year&after={nonsense}").status_code == 200


def test_the_table_takes_few_statements_however_much_there_is(busy: SmallDistrict, log_in: LogIn) -> None:
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for username in ("leader", "unit_manager"):
        person = log_in(username)
        for address in ("kind=month", "kind=year&by=category", "kind=dekad&by=street"):
            statements.clear()
            assert person.get(f"/admin/numbers?{address}").status_code == 200
            asked = [one for one in statements if "number_" in one]
            assert len(asked) == 4, asked


def test_people_of_a_unit_see_their_own_and_those_below(busy: SmallDistrict, log_in: LogIn) -> None:
    manager = log_in("unit_manager")
    said = words_of(manager.get("/admin/numbers?by=category"))
    assert "路灯班组" in said
    assert "中心街道办" not in said
    assert "按类别" not in said
    assert "全区" in said
    assert manager.get("/admin/numbers/behind/received").text.count("/admin/reports/BH") == 6
    # The number of all together is linked to exactly that.
    assert "/admin/numbers/behind/received?kind=month" in manager.get("/admin/numbers").text
    key = busy.street.id
    assert "没有案卷" in words_of(manager.get(f"/admin/numbers/behind/received?by=unit&key={key}"))
    # Whoever leads the unit above has theirs, too.
    with unit_of_work():
        db.session.get_one(Unit, busy.street.id).parent_id = busy.lamps.id
    forget_reference()
    assert "中心街道办" in words_of(manager.get("/admin/numbers"))


def test_the_workbook_says_the_same(busy: SmallDistrict, log_in: LogIn) -> None:
    answer = log_in("administrator").get("/admin/numbers/workbook?kind=month")
    assert answer.mimetype.endswith("spreadsheetml.sheet")
    with ZipFile(BytesIO(answer.data)) as book:
        strings = ["".join(node.itertext()) for node in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    assert {"路灯班组", "中心街道办", "推诿率", "数字 2026 年 11 月"} <= set(strings)
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    values = {cell.get("r"): cell.findtext(f"{space}v") for cell in sheet.iter(f"{space}c")}
    assert values["B4"] == "7"  # all together: received
    assert strings[int(values["A4"] or 0)] == "合计"
    logged = db.session.scalars(select(AuditEntry.action)).all()
    assert "figures.export" in logged


def test_nothing_counted_yet_is_said(district: SmallDistrict, log_in: LogIn) -> None:
    said = words_of(log_in("leader").get("/admin/numbers"))
    assert "还没有统计过" in said
    assert "这个时段没有数字" in said


def test_others_do_not_see_the_numbers(district: SmallDistrict, log_in: LogIn) -> None:
    assert log_in("verifier").get("/admin/numbers").status_code == 403
