"""What somebody with bad intent would try: forged forms, planted sessions, other people's ids, hostile words."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.routing import Rule

from admin.guard import OPEN
from district import clock, settings
from district.bulk import service as bulk_runs
from district.categories.models import Category
from district.duty import service as duty
from district.duty.models import DutyShift, UnitAbsence
from district.extensions import db
from district.facilities.models import Facility, FacilityToken
from district.frame.http import csrf
from district.geo.models import Area
from district.notices import service as notices
from district.notices.models import StaffNotice
from district.people import logins
from district.people.models import AuditEntry, Staff, StaffLogin
from district.people.roles import Role
from district.replies.models import ReplyTemplate
from district.reports import photos, questions
from district.reports import service as reports
from district.reports.models import Incident, Report
from district.reports.states import Status
from district.routing.models import RoutingRule
from district.saved import service as saved
from district.saved.models import SavedList
from district.units.models import Unit
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.admin.test_guard import filled, name_of, rules_of_the_panel
from tests.factories import PASSWORD, SmallDistrict, forget_reference, make_facility, make_report, make_staff
from tests.support.pictures import jpeg

# ---------------------------------------------------------------- forged forms

# Taken without a token of ours, and why that is safe: none of them acts for whoever the browser is logged in as.
WITHOUT_TOKEN = {
    "api",  # programs, with a report's key
    "report_page",  # a report's key is in the form
    "citizen.pages.file_report", "citizen.pages.forget_mine", "citizen.facility_page.report_here",
    "citizen.facility_page.join_here",  # anybody may
    "wechat_stand_in",  # development's own WeChat
}  # fmt: skip


@pytest.fixture
def protected(app: Flask) -> Iterator[None]:
    """The protection against forged forms is on, as it is outside of tests."""
    app.config["WTF_CSRF_ENABLED"] = True
    yield
    app.config["WTF_CSRF_ENABLED"] = False


def everything(app: Flask, district: SmallDistrict) -> Person:
    """Somebody who may do all there is."""
    with unit_of_work():
        someone = make_staff("everything", district.command, *Role)
    return Person(app).sit_down(someone)


def count_of_acts() -> int:
    return db.session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_no_form_of_the_panel_is_taken_without_its_token(app: Flask, district: SmallDistrict, protected: None) -> None:
    """Every address that takes a form, found by itself; nothing is done and nobody is logged out."""
    person = everything(app, district).briefly()
    other = Person(app).sit_down(district.staff["shift_lead"])
    stranger = re.search(r'name="csrf_token" value="([^"]+)"', other.get("/admin/reports/new").text)
    assert stranger
    before, tried = count_of_acts(), 0
    for rule in rules_of_the_panel(app):
        if "POST" not in rule.methods:
            continue
        for token in ({}, {"csrf_token": "made-up"}, {"csrf_token": stranger[1]}):
            answer = person.post(filled(rule), note="x", **token)
            assert answer.status_code == 400, (rule.rule, token)
            tried += 1
    assert tried > 150
    assert count_of_acts() == before
    assert person.get("/admin/").status_code == 200


def test_what_needs_no_token_is_on_a_short_list(app: Flask) -> None:
    free = {*csrf._exempt_views, *(str(getattr(one, "name", one)) for one in csrf._exempt_blueprints)}
    assert free <= WITHOUT_TOKEN, "say here why it is safe"
    assert not any(name.startswith("admin") for name in free)


def test_every_other_form_of_the_house_needs_a_token(app: Flask, district: SmallDistrict, protected: None) -> None:
    names = {name.rpartition(".")[2] for name in WITHOUT_TOKEN}
    tried = 0
    for rule in app.url_map.iter_rules():
        blueprint, _, view = rule.endpoint.rpartition(".")
        if "POST" not in rule.methods or rule.rule.startswith("/admin") or blueprint in WITHOUT_TOKEN or view in names:
            continue
        if rule.endpoint.startswith("wechat.") or blueprint in ("wechat", "chat") or rule.rule == "/wechat":
            # Signed by WeChat; the development window is not there in production.
            continue
        answer = Person(app).post(filled(rule))
        assert answer.status_code in (400, 404), (rule.rule, answer.status_code)
        tried += 1
    assert tried >= 1


# ---------------------------------------------------------------- planted sessions


def cookie_of(person: Person) -> str:
    found = person.client.get_cookie("session")
    return found.value if found else ""


def with_cookie(app: Flask, value: str) -> Person:
    person = Person(app)
    person.client.set_cookie("session", value)
    return person


def test_the_session_from_before_the_login_opens_nothing(app: Flask, district: SmallDistrict, nobody: Person) -> None:
    """Somebody plants their own session in a colleague's browser and waits for the login."""
    nobody.get("/admin/login")
    with nobody.client.session_transaction() as session:
        session["planted"] = True
    planted = cookie_of(nobody)
    assert nobody.post("/admin/login", username="dispatcher", password=PASSWORD).status_code == 302
    own = cookie_of(nobody)
    assert own
    assert own != planted
    assert nobody.get("/admin/").status_code == 200
    assert with_cookie(app, planted).get("/admin/").status_code == 302


def test_each_login_is_one_of_its_own_and_ends_for_good(app: Flask, district: SmallDistrict) -> None:
    first, second = Person(app, "dispatcher"), Person(app, "dispatcher")
    taken = cookie_of(first)
    with first.client.session_transaction() as one, second.client.session_transaction() as other:
        assert one["_user_id"] != other["_user_id"]
    first.post("/admin/logout")
    # A copy of the cookie that was kept is worth nothing any more; the colleague's other desk goes on.
    assert with_cookie(app, taken).get("/admin/").status_code == 302
    assert second.get("/admin/").status_code == 200


def test_a_cookie_that_was_changed_is_nobodys(app: Flask, district: SmallDistrict) -> None:
    payload, _, rest = cookie_of(Person(app, "dispatcher")).rpartition(".")
    assert with_cookie(app, f"{payload}.{rest[::-1]}").get("/admin/").status_code == 302


# ---------------------------------------------------------------- other people's things


def test_what_belongs_to_others_is_neither_shown_nor_changed(app: Flask, district: SmallDistrict) -> None:
    """One of each kind of thing, belonging to the lamps' unit or to somebody there; somebody of the street tries."""
    report = make_report(district, Status.IN_PROGRESS, description="别处的路灯")
    now = clock.now()
    manager = district.staff["unit_manager"]
    with unit_of_work():
        facility = make_facility(district.lamps)
        incident = Incident(
            report_id=report.id, category_id=district.category.id, latitude=50.4, longitude=124.1, radius_m=150,
            members=1, since=now, opened_at=now, last_at=now,
        )  # fmt: skip
        db.session.add(incident)
        shift = duty.add_shift(district.lamps.id, "张三", "13900000000", now, now + timedelta(days=1), by=manager)
        away = duty.set_away(district.lamps.id, district.command.id, now, None, by=manager)
        kept = saved.save("我们的", "tab=open", by=manager)
        bulk_runs.begin("their-own-token-1", "comment", by=manager)
        login = logins.begin(manager.id, device="chrome/windows")
        notices.tell("handed_back", [manager.id], report_id=report.id)
        outsider = make_staff("outsider", district.street, Role.UNIT_MANAGER)
        picture = photos.prepare(jpeg())
        photos.keep(picture)
        loose = photos.add_uploaded(picture, staff=manager)
    notice = db.session.scalars(select(StaffNotice.id).where(StaffNotice.staff_id == manager.id)).one()
    ids = {
        "token": db.session.scalars(select(FacilityToken.token).where(FacilityToken.facility_id == facility.id)).one(),
        "facility": facility.code17, "incident": incident.id, "shift": shift.id, "away": away.id, "list": kept.id,
        "login": login.id, "photo": loose.id, "number": report.number,
    }  # fmt: skip
    person = Person(app).sit_down(outsider)
    for address in (
        "/admin/reports/{number}", "/admin/incidents/{incident}", "/admin/incidents/{incident}/places.json",
        "/admin/bulk/their-own-token-1", "/admin/reports/{number}/around/reports.json",
    ):  # fmt: skip
        answer = person.get(address.format(**ids))
        assert answer.status_code in (403, 404), address
        assert "别处的路灯" not in answer.text
    for address in ("/admin/incidents", "/admin/roster", "/admin/", "/admin/hand-backs", "/admin/unseen"):
        answer = person.get(address)
        assert answer.status_code in (200, 403), address
        assert not re.search(r"别处的路灯|13900000000|我们的", answer.text), address
    for address, fields in (
        ("/admin/reports/{number}/do/resolve", {"note": "x"}), ("/admin/field/{number}/resolve", {"note": "x"}),
        ("/admin/lists/{list}/drop", {}), ("/admin/roster/shifts/{shift}/end", {}),
        ("/admin/roster/away/{away}/end", {}),
        ("/admin/account/logins/{login}/end", {}), ("/admin/facilities/{facility}/revoke", {"token": ids["token"]}),
        ("/admin/incidents/{incident}/end", {}), ("/admin/reports/{number}/contact", {}),
        ("/admin/roster/shifts", {"unit": str(district.lamps.id), "name": "x", "phone": "1",
                                  "starts_at": "2030-01-01T08:00", "ends_at": "2030-01-02T08:00"}),
        ("/admin/bulk", {"do": "comment", "token": "their-own-token-1", "row": report.number, "text": "x"}),
    ):  # fmt: skip
        answer = person.post(address.format(**ids), **fields)
        assert answer.status_code in (403, 404), (address, answer.status_code)
    person.post("/admin/notices/read", only=str(notice))
    db.session.expire_all()
    assert db.session.get_one(StaffNotice, notice).read_at is None
    assert db.session.get_one(Report, report.id).status == Status.IN_PROGRESS
    assert db.session.get(SavedList, ids["list"])
    assert db.session.get(DutyShift, ids["shift"])
    assert db.session.get(UnitAbsence, ids["away"])
    assert db.session.get_one(StaffLogin, ids["login"]).ended_at is None
    assert db.session.scalars(select(FacilityToken.revoked_at).where(FacilityToken.token == ids["token"])).one() is None
    assert db.session.scalar(select(func.count()).select_from(DutyShift)) == 1


# ---------------------------------------------------------------- hostile words

# Breaks out of text, of attributes in either quote, of a script's JSON; and would be calculated by a spreadsheet.
HOSTILE = "=1+1\"'></script></title></textarea><img src=x onerror=bhx()><script>bhx()</script>{{7*7}}"


class Reader(HTMLParser):
    """Notes what of the hostile words became part of a page's own structure."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.script = tag if tag == "script" else ""
        if any(name.startswith("on") for name in given) or (tag == "img" and given.get("src") == "x"):
            self.wrong.append(self.get_starttag_text() or tag)
        if any(value.strip().lower().startswith("javascript:") for value in given.values()):
            self.wrong.append(self.get_starttag_text() or tag)

    def handle_data(self, data: str) -> None:
        if self.script and "bhx()" in data and "<script" in data.lower():
            self.wrong.append(data[:120])
        elif self.script and data.strip() == "bhx()":
            self.wrong.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.script = ""


def wrong_in(page: str) -> list[str]:
    reader = Reader()
    reader.feed(page)
    return reader.wrong


def test_the_reader_finds_what_it_looks_for() -> None:
    assert wrong_in(f"<p>{HOSTILE}</p>")
    assert wrong_in(f'<input value="{HOSTILE}">')
    assert wrong_in('<a href=" javascript:bhx()">x</a>')
    assert not wrong_in("<p>&lt;script&gt;bhx()</p>")


def hostile_district(district: SmallDistrict) -> list[Report]:
    """Everything that has a name has a hostile one; reports in several states with hostile words of all who speak."""
    open_one = make_report(district, Status.RESOLVED, description=HOSTILE, address=HOSTILE, contact=HOSTILE[:90])
    asked = make_report(district, Status.ASSIGNED, description=HOSTILE)
    handed = make_report(district, Status.ASSIGNED, description=HOSTILE)
    lead, handler = district.staff["shift_lead"], district.staff["handler"]
    now = clock.now()
    with unit_of_work():
        reports.comment(reports.lock(open_one.id), by=district.resident, text=HOSTILE)
        reports.comment(reports.lock(open_one.id), by=lead, text=HOSTILE)
        questions.ask(reports.lock(asked.id), by=lead, text=HOSTILE)
        reports.hand_back(reports.lock(handed.id), by=handler, reason=HOSTILE, reason_code="not_our_duty")
        saved.save(HOSTILE[:20], "tab=open", by=lead, is_shared=True)
        db.session.add(ReplyTemplate(code="R1", title=HOSTILE[:60], words=HOSTILE, category_codes=[], statuses=[]))
        make_facility(district.lamps, name=HOSTILE, address=HOSTILE)
        duty.add_shift(district.lamps.id, HOSTILE[:30], "<b>1", now, now + timedelta(days=1), by=lead)
        db.session.add(Incident(
            report_id=open_one.id, category_id=district.category.id, latitude=50.4, longitude=124.1, radius_m=150,
            members=1, since=now, opened_at=now, last_at=now,
        ))  # fmt: skip
        # From files of the district: names that an administrator loaded without looking.
        for row in db.session.scalars(select(Unit)):
            row.name = HOSTILE
        for row in db.session.scalars(select(Staff)):
            row.name = HOSTILE[:30]
        db.session.get_one(Category, district.category.id).name = HOSTILE[:60]
        db.session.scalars(select(Area)).one().name = HOSTILE[:60]
        for rule in db.session.scalars(select(RoutingRule)):
            rule.note = HOSTILE
        for name in ("units", "categories", "map", "rules"):
            settings.changed(name)
    forget_reference()
    return [open_one, asked, handed]


def addresses(app: Flask, rows: list[Report]) -> Iterator[str]:
    """Every page and answer of the panel, with real things in its address."""
    real: dict[str, Any] = {
        "incident_id": db.session.scalars(select(Incident.id)).first(),
        "code": db.session.scalars(select(Facility.code17)).first(), "action": "comment", "figure": "received",
        "template_id": db.session.scalars(select(ReplyTemplate.id)).first(),
        "staff_id": db.session.scalars(select(Staff.id)).first(), "rule_code": "R1", "anything": "<script>bhx()",
    }  # fmt: skip

    def of(rule: Rule, number: str) -> str:
        values = real | {"number": number}
        return re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda found: str(values.get(found[1], 1)), rule.rule)

    for rule in rules_of_the_panel(app):
        if "GET" in rule.methods and name_of(rule) not in OPEN:
            for row in rows if "number" in rule.arguments else rows[:1]:
                yield of(rule, row.number)


def test_hostile_words_stay_words_on_every_page(app: Flask, district: SmallDistrict) -> None:
    rows = hostile_district(district)
    person = everything(app, district)
    wrong, shown = [], 0
    for address in addresses(app, rows):
        for query in ("", f"?q={HOSTILE}&place={HOSTILE}&tab=all&note={HOSTILE}"):
            answer = person.get(address + query)
            if answer.mimetype == "text/html":
                wrong += [f"{address}: {one}" for one in wrong_in(answer.text)]
                shown += "bhx()" in answer.text
            elif answer.mimetype not in ("application/json", "text/css", "text/javascript"):
                assert answer.status_code in (200, 302, 404, 308), address
            assert answer.headers.get("X-Content-Type-Options") == "nosniff", address
    # It must really have been there: on lists, reports, registers, maps and rules.
    assert shown > 40
    assert not wrong, "\n".join(wrong)


def test_hostile_words_stay_words_for_residents(app: Flask, district: SmallDistrict) -> None:
    rows = hostile_district(district)
    token = db.session.scalars(select(FacilityToken.token)).first()
    person = Person(app)
    pages = [f"/r/{row.number}?key={row.access_key}" for row in rows] + [f"/r/{rows[0].number}", f"/f/{token}"]
    pages += ["/", "/nearby", "/report", f"/r?number={HOSTILE}", f"/report?facility={HOSTILE}"]
    shown = 0
    for address in pages:
        answer = person.get(address)
        assert wrong_in(answer.text) == [], address
        shown += "bhx()" in answer.text
    assert shown >= 4


def test_a_pictures_name_is_never_kept(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.IN_PROGRESS)
    name = '"><script>bhx()</script>.jpg'
    answer = log_in("handler").act(report, "resolve", note="好了", photos=(io.BytesIO(jpeg()), name, "image/jpeg"))
    assert answer.status_code == 302
    page = log_in("dispatcher").get(f"/admin/reports/{report.number}")
    assert "/photos/" in page.text or "photo" in page.text
    assert "bhx()" not in page.text
    # What says it is a picture and is a page is no picture.
    again = make_report(district, Status.IN_PROGRESS)
    page_as_picture = (io.BytesIO(b"<html><script>bhx()</script>"), "a.jpg", "image/jpeg")
    assert log_in("handler").act(again, "resolve", note="好了", photos=page_as_picture).status_code == 422


def test_files_for_spreadsheets_calculate_nothing(app: Flask, district: SmallDistrict) -> None:
    hostile_district(district)
    exported = everything(app, district).post("/admin/audit/export")
    cells = [cell for line in exported.text.splitlines() for cell in line.split(",")]
    assert "bhx()" in exported.text
    assert not [cell for cell in cells if cell.strip('"\ufeff').startswith("=")]
