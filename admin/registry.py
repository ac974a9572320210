"""What the panel keeps beside reports: staff, units, facilities, messages that failed, the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Response, flash, redirect, render_template, request, session, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement

from admin.guard import me, pages
from admin.report_page import square_code
from admin.seeing import require_seen, seen_filters, seen_within
from admin.settings import change_address
from admin.showing import unit_name, zone
from district import audit as audit_log
from district import clock, links, sheets
from district.care import service as care
from district.changes import service as changes
from district.devices import queries as device_lists
from district.errors import BadInput, NotFound
from district.extensions import db
from district.facilities import codes, scans
from district.facilities import queries as facility_lists
from district.facilities import service as facilities
from district.facilities.code_states import LIVE, CodeAction
from district.facilities.models import Facility
from district.labels import service as labels
from district.messages import CHINESE, catalogue, has, language, speaking, t
from district.notifications import service as notifications
from district.notifications.models import Notification
from district.overview import links as wall
from district.people import queries as people_lists
from district.people import service as people
from district.people.models import AuditEntry, Staff
from district.people.roles import Role
from district.reference import reference
from district.register import service as register
from district.reports import queries, sight
from district.reports import service as reports
from district.units import queries as unit_lists
from district.work import unit_of_work

# What the audit log can be narrowed to; each has its sentences under `admin.did`.
AUDIT_SUBJECTS = (
    "report", "incident", "resident", "list", "reply_template", "staff", "facility", "device", "notification",
    "rules", "model", "unit", "calendar", "figures", "wall", "errand", "settings", "wechat_account",
    "api_key", "retention_days", "sentence", "audit",
)  # fmt: skip
_MESSAGES_A_PAGE = 50


# ---------------------------------------------------------------- staff


@pages.get("/staff")
def staff() -> ResponseReturnValue:
    """Everybody, by unit. A new one-time link is shown here, once."""
    role = request.args.get("role", "")
    words = request.args.get("q", "").strip()[:60]
    gone = request.args.get("gone") == "1"
    return render_template(
        "admin/staff.html",
        people=people_lists.staff_list(words=words, role=Role(role) if role in set(Role) else None, gone=gone),
        words=words,
        role=role,
        gone=gone,
        roles=list(Role),
        fresh=_take_fresh_link(),
        hours=people.PASSWORD_LINK_HOURS,
    )


@pages.get("/staff/new")
def add_staff() -> ResponseReturnValue:
    return _staff_form({}, {}, [])


@pages.post("/staff/new")
def create_staff() -> ResponseReturnValue:
    """A new account and the link that opens it."""
    given = request.form
    chosen = [name for name in given.getlist("roles") if name in set(Role)]
    try:
        fields: dict[str, str] = {}
        if not given.get("name", "").strip():
            fields["name"] = "admin.staff.name_missing"
        if not chosen:
            fields["roles"] = "admin.staff.roles_missing"
        if not given.get("username", "").strip().isascii() or len(given.get("username", "")) > 60:
            fields["username"] = "admin.staff.username_odd"
        if fields:
            raise BadInput(fields=fields)
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            added = people.add_staff(
                given.get("username", ""), given["name"], given.get("unit", ""), [Role(name) for name in chosen], by=by
            )
            token = people.make_password_link(added.id, by=by)
            _remember_fresh_link(added, token)
    except BadInput as error:
        return _staff_form(given.to_dict(), error.fields, chosen), 422
    return redirect(url_for("admin.staff"))


@pages.get("/staff/<int:staff_id>")
def edit_staff(staff_id: int) -> ResponseReturnValue:
    """One account: whose, which unit, which roles, limited to what."""
    found = _someone(staff_id)
    codes = {unit.id: unit.code for unit in unit_lists.all_open()}
    typed = {
        "name": found.name,
        "unit": found.unit.code,
        "roles": sorted(found.roles),
        "unit_scope": [codes[unit_id] for unit_id in found.unit_scope if unit_id in codes],
        "area_scope": found.area_scope,
    }
    return _edit_form(found, typed, {})


@pages.post("/staff/<int:staff_id>")
def save_staff(staff_id: int) -> ResponseReturnValue:
    given = request.form
    chosen = {name: given.getlist(name) for name in ("roles", "unit_scope", "area_scope")}
    try:
        with unit_of_work():
            people.change_account(
                staff_id,
                people.AccountChange(
                    name=given.get("name", ""),
                    unit_code=given.get("unit", ""),
                    roles=frozenset(Role(name) for name in chosen["roles"] if name in set(Role)),
                    unit_scope=frozenset(chosen["unit_scope"]),
                    area_scope=frozenset(chosen["area_scope"]),
                ),
                by=db.session.get_one(Staff, me().id),
            )
    except BadInput as error:
        return _edit_form(_someone(staff_id), given.to_dict() | chosen, error.fields), 422
    flash("accounts.edit.saved")
    return redirect(url_for("admin.staff"))


def _someone(staff_id: int) -> Staff:
    found = db.session.get(Staff, staff_id)
    if found is None:
        raise NotFound("errors.staff_unknown")
    return found


def _edit_form(found: Staff, typed: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    return render_template(
        "admin/staff_edit.html",
        account=found,
        is_locked=people.is_locked(found),
        typed=typed,
        errors=errors,
        roles=list(Role),
        units=unit_lists.all_open(),
        areas=[area for area in reference().areas_by_code.values() if area.level == "area"],
    )


@pages.post("/staff/<int:staff_id>/password-link")
def link_staff(staff_id: int) -> ResponseReturnValue:
    with unit_of_work():
        token = people.make_password_link(staff_id, by=db.session.get_one(Staff, me().id))
        _remember_fresh_link(db.session.get_one(Staff, staff_id), token)
    return redirect(url_for("admin.staff"))


@pages.post("/staff/<int:staff_id>/end")
def end_staff(staff_id: int) -> ResponseReturnValue:
    with unit_of_work():
        people.end_account(staff_id, by=db.session.get_one(Staff, me().id))
    flash("admin.staff.ended")
    return redirect(url_for("admin.staff"))


@pages.post("/staff/<int:staff_id>/restore")
def restore_staff(staff_id: int) -> ResponseReturnValue:
    """Back, with a new link: the old password does not count any more."""
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        back = people.restore_account(staff_id, by=by)
        token = people.make_password_link(staff_id, by=by)
        _remember_fresh_link(back, token)
    return redirect(url_for("admin.staff"))


def _remember_fresh_link(person: Staff, token: str) -> None:
    """Kept in the signed session for the one page that shows it: only the digest is in the database."""
    session["fresh_link"] = {"name": person.name, "username": person.username, "address": links.password_page(token)}


def _take_fresh_link() -> Mapping[str, str] | None:
    fresh: Mapping[str, str] | None = session.pop("fresh_link", None)
    return fresh


def _staff_form(typed: Mapping[str, str], errors: Mapping[str, str], chosen: list[str]) -> str:
    return render_template(
        "admin/staff_form.html",
        typed=typed,
        errors=errors,
        chosen=chosen,
        roles=list(Role),
        units=unit_lists.all_open(),
    )


# ---------------------------------------------------------------- units, facilities


@pages.get("/units")
def units() -> ResponseReturnValue:
    """Every unit with who is on duty and how much it has to do."""
    words = request.args.get("q", "").strip()[:60]
    rows = unit_lists.all_open()
    if words:
        rows = [unit for unit in rows if words.lower() in f"{unit.name} {unit.code}".lower()]
    return render_template(
        "admin/units.html",
        units=rows,
        words=words,
        open_work=queries.open_by_unit(seen_filters()),
        staff=unit_lists.staff_counts(),
    )


@pages.get("/facilities/<code>")
def facility(code: str) -> ResponseReturnValue:
    """One facility: what it is, its code to print, what is open there, what was done to it."""
    found = register.find(code)
    issued = facility_lists.tokens(found.id)
    in_use = next((row.token for row in issued if row.state in LIVE), None)
    return render_template(
        "admin/facility.html",
        facility=found,
        issued=issued,
        prints=labels.prints_of([row.token for row in issued]),
        code_steps={row.token: {action for action in CodeAction if codes.may(me(), action, row)} for row in issued},
        may_issue=codes.may_issue(me(), found),
        code=square_code(links.printed_facility_code(in_use)) if in_use else None,
        address=links.facility_page(in_use) if in_use else "",
        open_here=[report for report in queries.open_at_facility(found.id) if sight.may_see(me(), report)],
        log=care.log_of(found.id),
        fields=register.editable(me(), found),
        keeps=register.may_keep(me()),
        pictures=register.photos_of(found.id),
        history=register.history(found.id),
        scans=scans.of_facility(found.id),
    )


@pages.post("/facilities/<code>/revoke")
def revoke_token(code: str) -> ResponseReturnValue:
    """Take one printed code out of use."""
    found = facilities.by_code(code)
    token = request.form.get("token", "")
    if token not in {row.token for row in facility_lists.tokens(found.id)}:
        raise NotFound("errors.facility_unknown")
    with unit_of_work():
        codes.revoke(token, by=db.session.get_one(Staff, me().id), reason=request.form.get("reason", ""))
    flash("admin.facility.revoked_now")
    return redirect(url_for("admin.facility", code=code))


def _people(ids: set[int]) -> list[Staff]:
    return [person for person in (db.session.get(Staff, staff_id) for staff_id in ids) if person is not None]


# ---------------------------------------------------------------- messages, audit


@pages.get("/messages")
def messages() -> ResponseReturnValue:
    """The truth about what residents were told: counts of every state, and each message that was given up."""
    before = request.args.get("before", "")
    shown = seen_within(Notification.report_id, of=Notification)
    rows = notifications.undelivered(
        shown=shown,
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None,
        limit=_MESSAGES_A_PAGE,
    )
    return render_template(
        "admin/messages.html",
        rows=rows,
        counts=notifications.counts(shown),
        following=rows[-1][0].id if len(rows) == _MESSAGES_A_PAGE else None,
    )


@pages.post("/messages/<int:notification_id>/retry")
def retry_message(notification_id: int) -> ResponseReturnValue:
    require_seen(notifications.report_of(notification_id))
    with unit_of_work():
        notifications.try_again(notification_id, by=db.session.get_one(Staff, me().id))
    flash("admin.messages.retried")
    return redirect(url_for("admin.messages"))


@pages.get("/audit")
def audit() -> ResponseReturnValue:
    """Who did what, newest first."""
    given = _audit_given(request.args)
    before = request.args.get("before", "")
    page = people_lists.audit_page(
        **_audit_filters(given),
        shown=seen_within(people_lists.report_in_entry(), of=AuditEntry),
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None,
    )
    return render_template(
        "admin/audit.html",
        page=page,
        given=given,
        people=[*people_lists.staff_list(limit=2000), *people_lists.staff_list(gone=True, limit=2000)],
        kinds={kind: _actions_of(kind) for kind in AUDIT_SUBJECTS},
        named=_subjects(page),
    )


@pages.post("/audit/export")
def export_audit() -> ResponseReturnValue:
    """The same list as a file for a spreadsheet, page by page, however long it is. That it was taken is in the log."""
    given = _audit_given(request.form)
    filters = _audit_filters(given)
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        # What was typed may be a name; the log keeps what it was narrowed to.
        kept = {name: str(value) for name, value in filters.items() if value}
        audit_log.record(by, "audit.export", f"staff:{by.id}", narrowed=kept)
    day = f"{clock.now().astimezone(zone()):%Y%m%d}"
    return Response(
        stream_with_context(
            _audit_lines(filters, seen_within(people_lists.report_in_entry(), of=AuditEntry), language())
        ),
        mimetype="text/csv",
        headers={"Content-Disposition": f"attachment; filename=audit-{day}.csv"},
    )


def _audit_lines(filters: Mapping[str, Any], shown: ColumnElement[bool] | None, tag: str) -> Iterator[str]:
    with speaking(tag):
        heads = ("admin.audit.when", "admin.audit.who", "admin.staff.unit", "admin.audit.what", "admin.audit.on")
        # The mark by which spreadsheets know UTF-8.
        yield "\ufeff" + sheets.line([*(t(key) for key in heads), t("accounts.audit.detail")])
        before: int | None = None
        while True:
            page = people_lists.audit_page(**filters, shown=shown, before=before, limit=500)
            named = _subjects(page)
            for entry, who in page.entries:
                key = f"admin.did.{entry.action}"
                yield sheets.line(
                    [
                        f"{entry.at.astimezone(zone()):%Y-%m-%d %H:%M:%S}",
                        who.name if who else t("admin.audit.nobody"),
                        who.unit.name if who else "",
                        t(key) if has(key) else entry.action,
                        named[entry.subject][0] if entry.subject in named else entry.subject,
                        json.dumps(entry.detail, ensure_ascii=False) if entry.detail else "",
                    ]
                )
            before = page.next_before
            if before is None:
                return


def _audit_given(sent: Mapping[str, str]) -> dict[str, str]:
    return {name: sent.get(name, "").strip()[:80] for name in ("who", "what", "report", "since", "until")}


def _audit_filters(given: Mapping[str, str]) -> dict[str, Any]:
    """What the list is narrowed to. An object nobody knows leaves nothing; an action nobody knows is not asked for."""
    kind = given["what"].partition(".")[0]
    known = kind in AUDIT_SUBJECTS and (given["what"] == kind or given["what"] in _actions_of(kind))
    return {
        "staff_id": int(given["who"]) if given["who"].isascii() and given["who"].isdecimal() else None,
        "action": given["what"] if known else "",
        "subject": _object_of(given["report"]) if given["report"] else "",
        "since": _day(given["since"]),
        "until": _day(given["until"], after=1),
    }


def _object_of(words: str) -> str:
    """What the log calls the report, person or facility with this number, user name or code; `-` for none."""
    try:
        return f"report:{reports.find(words).id}"
    except NotFound:
        pass
    someone = people_lists.by_username(words)
    if someone is not None:
        return f"staff:{someone.id}"
    try:
        return f"facility:{facilities.by_code(words).id}"
    except NotFound:
        return "-"


def _actions_of(kind: str) -> list[str]:
    """Every action of this kind that has its words, such as `report.assign`."""
    start = f"admin.did.{kind}."
    return [key.removeprefix("admin.did.") for key in catalogue(CHINESE) if key.startswith(start)]


def _day(text: str, after: int = 0) -> datetime | None:
    """Midnight of a day (`2026-11-22`) in the district's zone; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone()) + timedelta(days=after)
    except ValueError:
        return None


def _subjects(page: people_lists.AuditPage) -> dict[str, tuple[str, str]]:
    """What the entries are about, as (name, address), by subject: two queries for a whole page."""
    wanted: dict[str, set[int]] = {}
    for entry, _who in page.entries:
        kind, _, key = entry.subject.partition(":")
        if key.isdecimal():
            wanted.setdefault(kind, set()).add(int(key))
    named: dict[str, tuple[str, str]] = {}
    for report_id, number in queries.numbers_of(wanted.get("report", set())).items():
        named[f"report:{report_id}"] = (number, url_for("admin.report", number=number))
    for person in _people(wanted.get("staff", set())):
        named[f"staff:{person.id}"] = (person.name, url_for("admin.staff", q=person.username))
    for version in wanted.get("rules", set()):
        said = t("rules.versions.number", number=version)
        named[f"rules:{version}"] = (said, url_for("admin.rules_version", number=version))
    for change in changes.by_ids(wanted.get("change", set())):
        named[f"change:{change.id}"] = (change.subject, change_address(change))
    for unit_id in wanted.get("unit", set()):
        named[f"unit:{unit_id}"] = (unit_name(unit_id), url_for("admin.roster"))
    for facility_id in wanted.get("facility", set()):
        found = db.session.get(Facility, facility_id)
        if found is not None:
            named[f"facility:{facility_id}"] = (found.name, url_for("admin.facility", code=found.code17))
    for device_id, code in device_lists.codes_of(wanted.get("device", set())).items():
        named[f"device:{device_id}"] = (code, url_for("admin.device", device_id=device_id))
    for link_id, name in wall.names_of(wanted.get("wall_link", set())).items():
        named[f"wall_link:{link_id}"] = (name, url_for("admin.wall_links"))
    return named


@pages.route("/<path:anything>")
def anything_else(anything: str) -> ResponseReturnValue:
    """Addresses that lead nowhere look like the rest of the panel, for those who are in it."""
    raise NotFound()
