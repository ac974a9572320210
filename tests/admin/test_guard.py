"""Nobody gets past the one guard, and everybody gets exactly their pages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from admin.guard import OPEN, RIGHTS
from district import clock
from district.api_keys import service as api_keys
from district.bulk import service as bulk_runs
from district.care.models import InspectionPlan
from district.devices.models import Device
from district.extensions import db
from district.labels.models import LabelRun
from district.people import codes
from district.people.models import Staff
from district.people.roles import Role
from district.replies.models import ReplyTemplate
from district.reports.models import Incident
from district.reports.states import Status
from district.rules import versions
from district.work import unit_of_work
from tests.admin.conftest import LogIn, Person
from tests.factories import SmallDistrict, errand_done, make_facility, make_report, make_staff

ROLES = [role.value for role in Role]


def rules_of_the_panel(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]


def filled(rule: Rule) -> str:
    """An address of this rule, with values that mean nothing."""
    values: dict[str, Any] = {
        name: 1 if rule._converters[name].__class__.__name__ == "IntegerConverter" else "x" for name in rule.arguments
    }
    return re.sub(r"<(?:[^:>]+:)?([^>]+)>", lambda found: str(values[found[1]]), rule.rule)


def name_of(rule: Rule) -> str:
    return rule.endpoint.removeprefix("admin.")


def test_every_address_of_the_panel_is_on_one_of_the_two_lists(app: Flask) -> None:
    unnamed = [rule.endpoint for rule in rules_of_the_panel(app) if name_of(rule) not in OPEN | RIGHTS.keys()]
    assert unnamed == [], "name them in admin.guard.RIGHTS"


def test_no_list_names_an_address_that_does_not_exist(app: Flask) -> None:
    assert (OPEN | RIGHTS.keys()) - {name_of(rule) for rule in rules_of_the_panel(app)} == set()


def test_the_open_list_is_short() -> None:
    coming_in = {"log_in", "log_in_code", "set_password", "wechat_start", "wechat_done"}
    of_nobody = {"static", "manifest", "worker", "offline", "wall_by_link", "wall_by_link_data"}
    assert coming_in | of_nobody == OPEN


def test_nobody_gets_anything_without_logging_in(app: Flask, district: SmallDistrict, nobody: Person) -> None:
    tried = 0
    for rule in rules_of_the_panel(app):
        if name_of(rule) in OPEN:
            continue
        if "GET" in rule.methods:
            answer = nobody.get(filled(rule))
            assert answer.status_code in (302, 308), rule
            assert answer.status_code == 308 or answer.location.startswith("/admin/login"), rule
            tried += 1
        if "POST" in rule.methods:
            answer = nobody.post(filled(rule), note="x")
            assert answer.status_code == 401, rule
            tried += 1
    assert tried >= len(RIGHTS)


def test_an_endpoint_nobody_gave_rights_to_is_refused_to_all(app: Flask, log_in: LogIn, monkeypatch: Any) -> None:
    monkeypatch.delitem(RIGHTS, "units")
    for who in ("administrator", "shift_lead", "leader"):
        assert log_in(who).get("/admin/units").status_code == 403


@pytest.mark.parametrize("role", ROLES)
def test_each_role_opens_exactly_its_pages(app: Flask, district: SmallDistrict, role: str) -> None:
    report = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        facility = make_facility(district.lamps)
        code = facility.code17
        incident = Incident(
            report_id=report.id, category_id=district.category.id, latitude=50.4, longitude=124.1, radius_m=150,
            members=1, since=clock.now(), opened_at=clock.now(), last_at=clock.now(),
        )  # fmt: skip
        db.session.add(incident)
        # Their unit has the report, so that only the role decides.
        someone = make_staff("someone", district.lamps, Role(role))
        codes.begin(someone)
        kept = versions.keep("before")
        template = ReplyTemplate(code="R1", title="已安排", words="已安排", category_codes=[], statuses=[])
        db.session.add(template)
        machine, _ = api_keys.create(
            by=district.staff["administrator"], name="平台", unit_id=district.lamps.id, scopes=["reports.write"],
            per_minute=60, expires_at=None,
        )  # fmt: skip
        bulk_runs.begin("a-form-of-mine", "comment", by=someone)
        errand = errand_done(someone)
        run = LabelRun(asked_by_id=someone.id, asked_at=clock.now(), layout="sheet21", chosen={"layout": "sheet21"})
        plan = InspectionPlan(
            code="P1", name="路灯月检", type_codes=["01037"], area_codes=[], crew="maintainer", every=1,
            every_unit="months", months=[], starts_on=clock.now().date(), created_at=clock.now(),
        )  # fmt: skip
        db.session.add_all([run, plan])
        db.session.flush()
        run_id = run.id
        device = Device(unit_id=district.lamps.id, code="L-1", facility_id=facility.id, created_at=clock.now())
        db.session.add(device)
        db.session.flush()
        device_id = device.id
        checked = errand_done(someone, "check_facilities", given="code,name\n")
    person = Person(app).sit_down(someone)
    addresses = {
        "inbox": "/admin/",
        "live": "/admin/live",
        "bulk": f"/admin/bulk?do=comment&row={report.number}",
        "bulk_result": "/admin/bulk/a-form-of-mine",
        "errands": "/admin/tasks",
        "errand": f"/admin/tasks/{errand.id}",
        "errand_state": f"/admin/tasks/{errand.id}/state",
        "errand_file": f"/admin/tasks/{errand.id}/file",
        "report": f"/admin/reports/{report.number}",
        "print_report": f"/admin/reports/{report.number}/print",
        "form": f"/admin/reports/{report.number}/do/comment",
        "chat": f"/admin/reports/{report.number}/chat",
        "blocks": "/admin/blocks",
        "take_call": "/admin/reports/new",
        "places": "/admin/places?place=x",
        "nearby": "/admin/nearby?latitude=50.4&longitude=124.1",
        "facilities": "/admin/facilities",
        "facility": f"/admin/facilities/{code}",
        "labels": "/admin/labels",
        "code_scans": "/admin/facilities/scans",
        "label_run": f"/admin/labels/{run_id}",
        "facility_map": "/admin/facilities/map.json?box=50,124,51,125",
        "care_due": "/admin/care/due",
        "print_due": "/admin/care/due/print",
        "inspection_plans": "/admin/care/plans",
        "inspection_plan": f"/admin/care/plans/{plan.id}",
        "new_plan": "/admin/care/plans/new",
        "care_rates": "/admin/care/rates",
        "care_faults": "/admin/care/rates/behind",
        "care_workbook": "/admin/care/rates/workbook",
        "often_repaired": "/admin/care/repeated",
        "often_workbook": "/admin/care/repeated/workbook",
        "add_facility": "/admin/facilities/new",
        "edit_facility": f"/admin/facilities/{code}/edit",
        "import_facilities": "/admin/facilities/import",
        "devices": "/admin/devices",
        "device": f"/admin/devices/{device_id}",
        "add_device": "/admin/devices/new",
        "import_devices": "/admin/devices/import",
        "import_plan": f"/admin/facilities/import/{checked.id}",
        "import_state": f"/admin/facilities/import/{checked.id}/state",
        "notices": "/admin/notices",
        "my_wechat": "/admin/wechat",
        "calendar": "/admin/calendar",
        "alarm": "/admin/alarm",
        "around_reports": f"/admin/reports/{report.number}/around/reports.json",
        "around_facilities": f"/admin/reports/{report.number}/around/facilities.json",
        "next_report": "/admin/next",
        "reply_templates": "/admin/reply-templates",
        "add_reply_template": "/admin/reply-templates/new",
        "reply_template": f"/admin/reply-templates/{template.id}",
        "units": "/admin/units",
        "hand_backs": "/admin/hand-backs",
        "unseen": "/admin/unseen",
        "roster": "/admin/roster",
        "messages": "/admin/messages",
        "staff": "/admin/staff",
        "add_staff": "/admin/staff/new",
        "account": "/admin/account",
        "codes_page": "/admin/account/codes",
        "audit": "/admin/audit",
        "edit_staff": f"/admin/staff/{someone.id}",
        "rights": "/admin/rights",
        "rules": "/admin/rules",
        "rule": "/admin/rules/one/R1",
        "add_rule": "/admin/rules/new",
        "rules_versions": "/admin/rules/versions",
        "rules_version": f"/admin/rules/versions/{kept.number if kept else 0}",
        "try_route": "/admin/where",
        "accuracy": "/admin/accuracy",
        "numbers": "/admin/numbers",
        "numbers_behind": "/admin/numbers/behind/received",
        "numbers_workbook": "/admin/numbers/workbook",
        "incidents": "/admin/incidents",
        "incident": f"/admin/incidents/{incident.id}",
        "incident_places": f"/admin/incidents/{incident.id}/places.json",
        "overview": "/admin/district",
        "overview_data": "/admin/district/data.json",
        "wall": "/admin/wall",
        "list_map": "/admin/list-map.json",
        "export_list": "/admin/export",
        "wall_links": "/admin/wall-links",
        "field": "/admin/field",
        "field_ready": "/admin/field/ready",
        "settings": "/admin/settings",
        "settings_units": "/admin/settings/units",
        "settings_categories": "/admin/settings/categories",
        "settings_standards": "/admin/settings/standards",
        "settings_types": "/admin/settings/facility-types",
        "settings_areas": "/admin/settings/areas",
        "settings_tags": "/admin/settings/tags",
        "settings_alarms": "/admin/settings/alarms",
        "settings_changes": "/admin/settings/changes",
        "area_outlines": "/admin/settings/area-outlines.json?level=area",
        "setting": "/admin/settings/units/one/SZ-LD",
        "new_setting": "/admin/settings/units/new",
        "wechat_settings": "/admin/settings/wechat",
        "wording": "/admin/settings/wording",
        "sentence": "/admin/settings/wording/bot.filed.done",
        "retention": "/admin/settings/retention",
        "preview_retention": "/admin/settings/retention/contact/preview?days=90",
        "api_keys_page": "/admin/settings/api-keys",
        "add_api_key": "/admin/settings/api-keys/new",
        "api_key": f"/admin/settings/api-keys/{machine.id}",
    }
    reading = {name_of(rule) for rule in rules_of_the_panel(app) if "GET" in rule.methods} - OPEN - {"anything_else"}
    assert set(addresses) == reading
    theirs = {name for name in addresses if Role(role) in RIGHTS[name]}
    # Nobody looks at what a refusal says.
    refused = Person(app).sit_down(someone).briefly()
    assert {name: person.get(addresses[name]).status_code for name in theirs} == dict.fromkeys(theirs, 200)
    others = addresses.keys() - theirs
    assert {name: refused.get(addresses[name]).status_code for name in others} == dict.fromkeys(others, 403)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_send_exactly_its_forms(app: Flask, district: SmallDistrict, role: str) -> None:
    report = make_report(district, Status.ASSIGNED)
    with unit_of_work():
        code = make_facility(district.lamps).code17
        someone = make_staff("someone", district.lamps, Role(role))
    person = Person(app).sit_down(someone).briefly()
    addresses = {
        "act": f"/admin/reports/{report.number}/do/comment",
        "do_bulk": "/admin/bulk",
        "cancel_errand": "/admin/tasks/999/cancel",
        "save_list": "/admin/lists",
        "drop_list": "/admin/lists/999/drop",
        "save_columns": "/admin/columns",
        "do_export": "/admin/export",
        "show_contact": f"/admin/reports/{report.number}/contact",
        "block": f"/admin/reports/{report.number}/block",
        "unblock": "/admin/blocks/999/end",
        "file_call": "/admin/reports/new",
        "revoke_token": f"/admin/facilities/{code}/revoke",
        "issue_code": f"/admin/facilities/{code}/codes",
        "place_code": f"/admin/facilities/{code}/placed",
        "print_labels": "/admin/labels",
        "list_labels": "/admin/labels/999/list",
        "place_labels": "/admin/labels/999/placed",
        "create_plan": "/admin/care/plans/new",
        "save_plan": "/admin/care/plans/999",
        "end_plan": "/admin/care/plans/999/end",
        "create_facility": "/admin/facilities/new",
        "save_facility": f"/admin/facilities/{code}/edit",
        "add_facility_photos": f"/admin/facilities/{code}/photos",
        "remove_facility_photo": f"/admin/facilities/{code}/photos/remove",
        "retire_facility": f"/admin/facilities/{code}/retire",
        "restore_facility": f"/admin/facilities/{code}/restore",
        "upload_facilities": "/admin/facilities/import",
        "create_device": "/admin/devices/new",
        "save_device": "/admin/devices/999",
        "retire_device": "/admin/devices/999/retire",
        "restore_device": "/admin/devices/999/restore",
        "upload_devices": "/admin/devices/import",
        "run_import": "/admin/facilities/import/999",
        "export_facilities": "/admin/facilities/export",
        "export_code_scans": "/admin/facilities/scans/export",
        "retry_message": "/admin/messages/999/retry",
        "keep_unit": f"/admin/reports/{report.number}/keep-unit",
        "read_notices": "/admin/notices/read",
        "wechat_code": "/admin/wechat/code",
        "unbind_wechat": "/admin/wechat/unbind",
        "add_shift": "/admin/roster/shifts",
        "end_shift": "/admin/roster/shifts/999/end",
        "set_away": "/admin/roster/away",
        "end_away": "/admin/roster/away/999/end",
        "create_staff": "/admin/staff/new",
        "export_audit": "/admin/audit/export",
        "save_staff": "/admin/staff/999",
        "change_password": "/admin/account/password",
        "end_login": "/admin/account/logins/999999/end",
        "end_other_logins": "/admin/account/logins/end-others",
        "confirm_codes": "/admin/account/codes/confirm",
        "begin_codes": "/admin/account/codes",
        "end_codes": "/admin/account/codes/end",
        "end_logins_of": "/admin/staff/999/end-logins",
        "reset_codes": "/admin/staff/999/reset-codes",
        "link_staff": "/admin/staff/999/password-link",
        "end_staff": "/admin/staff/999/end",
        "restore_staff": "/admin/staff/999/restore",
        "save_rule": "/admin/rules/save",
        "restore_rules": "/admin/rules/versions/999/restore",
        "tried_route": "/admin/where",
        "use_model": "/admin/accuracy/models/999/use",
        "field_act": f"/admin/field/{report.number}/resolve",
        "settle": f"/admin/reports/{report.number}/settle",
        "add_day": "/admin/calendar/add",
        "remove_day": "/admin/calendar/remove",
        "import_days": "/admin/calendar/import",
        "merge": f"/admin/reports/{report.number}/merge",
        "unmerge": f"/admin/reports/{report.number}/unmerge",
        "end_incident": "/admin/incidents/999/end",
        "tell_incident": "/admin/incidents/999/tell",
        "here": f"/admin/reports/{report.number}/here",
        "preview_reply": f"/admin/reports/{report.number}/reply-preview",
        "save_reply_template": "/admin/reply-templates/save",
        "end_reply_template": "/admin/reply-templates/999/end",
        "make_wall_link": "/admin/wall-links",
        "end_wall_link": "/admin/wall-links/999/end",
        "save_setting": "/admin/settings/units/save",
        "retire_setting": "/admin/settings/units/one/NONE/retire",
        "restore_setting": "/admin/settings/units/one/NONE/restore",
        "undo_setting": "/admin/settings/changes/999/undo",
        "set_tags": f"/admin/reports/{report.number}/tags",
        "test_wechat": "/admin/settings/wechat/test",
        "publish_menu": "/admin/settings/wechat/menu",
        "preview_sentence": "/admin/settings/wording/bot.filed.done/preview",
        "save_sentence": "/admin/settings/wording/bot.filed.done",
        "reset_sentence": "/admin/settings/wording/bot.filed.done/reset",
        "save_retention": "/admin/settings/retention/contact",
        "create_api_key": "/admin/settings/api-keys/new",
        "save_api_key": "/admin/settings/api-keys/999",
        "revoke_api_key": "/admin/settings/api-keys/999/revoke",
    }
    sending = {name_of(rule) for rule in rules_of_the_panel(app) if "POST" in rule.methods} - OPEN - {"log_out"}
    assert set(addresses) == sending
    refused = {name for name, address in addresses.items() if person.post(address).status_code == 403}
    may_not = {name for name in addresses if Role(role) not in RIGHTS[name]}
    if role in ("verifier", "inspector"):
        # The page is theirs, the telephone number is not: that refusal is the domain's.
        may_not.add("show_contact")
    assert refused == may_not


def test_a_leader_can_send_nothing_but_the_log_out() -> None:
    sending = {
        "act", "add_day", "add_facility_photos", "add_shift", "block", "create_facility", "create_staff",
        "do_bulk", "end_away", "end_incident", "end_shift",
        "end_staff", "file_call", "import_days", "keep_unit", "link_staff", "merge", "remove_day",
        "restore_facility", "restore_rules", "restore_staff", "retire_facility", "retry_message", "revoke_token",
        "run_import", "save_facility", "save_rule", "set_away", "upload_facilities",
        "show_contact", "tell_incident", "unblock", "unmerge", "create_device", "retire_device", "upload_devices",
    }  # fmt: skip
    assert all(Role.LEADER not in RIGHTS[name] for name in sending)


def test_somebody_without_a_role_sees_nothing_and_can_leave(app: Flask, district: SmallDistrict) -> None:
    with unit_of_work():
        new_one = make_staff("new-one", district.lamps)
    person = Person(app).sit_down(new_one)
    assert person.get("/admin/").status_code == 403
    assert person.post("/admin/logout").status_code == 302


def test_an_unknown_address_looks_like_the_panel(log_in: LogIn) -> None:
    answer = log_in("dispatcher").get("/admin/no/such/page")
    assert answer.status_code == 404
    assert "/admin/logout" in answer.text


def test_a_session_ends_with_its_time_however_busy_it_was(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("dispatcher")
    with clock.frozen_at(clock.now() + timedelta(hours=11, minutes=59)):
        assert person.get("/admin/").status_code == 200
    with clock.frozen_at(clock.now() + timedelta(hours=12, minutes=1)):
        assert person.get("/admin/").status_code == 302


def test_ending_the_sessions_of_a_person_ends_them_at_once(district: SmallDistrict, log_in: LogIn) -> None:
    person = log_in("handler")
    with unit_of_work():
        db.session.get_one(Staff, district.staff["handler"].id).session_epoch += 1
    assert person.get("/admin/").status_code == 302


def test_what_was_written_is_shown_when_the_login_had_ended(nobody: Person) -> None:
    answer = nobody.post("/admin/reports/BH20261122-0001A/do/resolve", note="已更换灯泡 <b>")
    assert answer.status_code == 401
    assert "已更换灯泡 &lt;b&gt;" in answer.text


def test_polling_after_the_login_ended_leads_to_the_login_page(nobody: Person) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://district.test/admin/?tab=open"}
    answer = nobody.get("/admin/live", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/admin/login?next=/admin/?tab%3Dopen"


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/admin/alarm", {"Accept": "application/json"}), ("/admin/live", {"HX-Request": "true", "Accept": "*/*"}),
     ("/admin/", {"Accept": "text/html", "X-Requested-With": "fetch"}),
     ("/admin/next", {"Accept": "*/*"})],
)  # fmt: skip
def test_what_a_page_had_asked_for_does_not_touch_the_session_of_the_next_login(
    app: Flask, district: SmallDistrict, path: str, headers: dict[str, str]
) -> None:
    """The page asks, its person logs out, and the answer comes when the browser has the login page's session: were it
    to lead to the login page, or to end the session, the form on the screen would be refused as too old."""
    person = Person(app, "dispatcher")
    with person.client.session_transaction() as session:
        before = dict(session)
    person.post("/admin/logout")
    with person.client.session_transaction() as session:
        session.update(before)
    answer = person.get(path, headers=headers)
    assert answer.status_code == (204 if "HX-Request" in headers else 401)
    assert "Set-Cookie" not in answer.headers
    # Whoever opens a page is led to the login, and leaves the old session behind.
    page = person.get("/admin/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.location == "/admin/login"
    assert "session=;" in page.headers["Set-Cookie"]


def test_pages_of_the_panel_are_kept_by_no_cache_and_framed_by_nobody_else(log_in: LogIn) -> None:
    answer = log_in("dispatcher").get("/admin/")
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy


def test_no_page_has_inline_scripts_styles_or_handlers(app: Flask, district: SmallDistrict, log_in: LogIn) -> None:
    report = make_report(district, Status.RESOLVED)
    person = log_in("administrator")
    lead = log_in("shift_lead")
    pages = [person.get(path) for path in ("/admin/", "/admin/staff", "/admin/staff/new", "/admin/audit")]
    pages += [lead.get(f"/admin/reports/{report.number}{part}") for part in ("", "/print", "/do/verify")]
    pages += [lead.get("/admin/reports/new"), Person(app).get("/admin/login")]
    for page in pages:
        assert page.status_code == 200
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page.text)
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", page.text)
