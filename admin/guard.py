"""The one guard of the panel: who is let in, who may open which page, stated as data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, logout_user

from district import clock
from district.errors import NotAllowed
from district.frame import oauth
from district.labels.service import MAY_PRINT
from district.learning.versions import MAY_CHOOSE
from district.overview.links import MAY_SHARE
from district.people import logins
from district.people import service as people
from district.people.blocks import MAY_BLOCK
from district.people.models import Staff
from district.people.roles import Role
from district.work import unit_of_work

pages = Blueprint(
    "admin", __name__, url_prefix="/admin", template_folder="templates", static_folder="static",
    static_url_path="/static",
)  # fmt: skip

# The only endpoints that answer to somebody who has not logged in.
OPEN = frozenset(
    {
        "log_in", "log_in_code", "set_password", "static", "wechat_start", "wechat_done",
        # Nobody's data is in them: the panel on a phone's home screen, and a wall display with its own link.
        "manifest", "worker", "offline", "wall_by_link", "wall_by_link_data",
    }
)  # fmt: skip

_EVERYBODY = frozenset(Role)
_ACTS = _EVERYBODY - {Role.LEADER, Role.ADMINISTRATOR}
_COMMAND = frozenset({Role.ACCEPTOR, Role.DISPATCHER, Role.SHIFT_LEAD})
_OVERSIGHT = frozenset({Role.ADMINISTRATOR, Role.LEADER, Role.INSPECTOR})
_KEEPS = frozenset({Role.ADMINISTRATOR})
# Managers those of their own unit, and not everything of them (district.register.service).
_KEEPS_FACILITIES = frozenset({Role.ADMINISTRATOR, Role.UNIT_MANAGER})
_KEEPS_REPLIES = frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEAD})
_KEEPS_ROSTER = frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEAD, Role.UNIT_MANAGER})
# The whole district's to these; a unit's people see their own unit's (admin.numbers).
_READS_NUMBERS = _OVERSIGHT | {Role.SHIFT_LEAD, Role.UNIT_MANAGER, Role.HANDLER}
# A unit's people go to what is theirs, the others see to it that they do (district.care.due).
_INSPECTS = _OVERSIGHT | {Role.HANDLER, Role.UNIT_MANAGER}
_GOES_OUT = frozenset({Role.HANDLER, Role.UNIT_MANAGER, Role.VERIFIER, Role.INSPECTOR})

# Every other endpoint and the roles that may ask for it; one that is not here is refused to all.
# What somebody may do to one report is the table of transitions' business (district.reports.states).
RIGHTS: dict[str, frozenset[Role]] = {
    "inbox": _EVERYBODY,
    "live": _EVERYBODY,
    "list_map": _EVERYBODY,
    "save_list": _EVERYBODY,
    "drop_list": _EVERYBODY,
    "save_columns": _EVERYBODY,
    "export_list": _EVERYBODY,
    "do_export": _EVERYBODY,
    "bulk": _ACTS,
    "do_bulk": _ACTS,
    "bulk_result": _ACTS,
    "errands": _EVERYBODY,
    "errand": _EVERYBODY,
    "errand_state": _EVERYBODY,
    "errand_file": _EVERYBODY,
    "cancel_errand": _EVERYBODY,
    "report": _EVERYBODY,
    "print_report": _EVERYBODY,
    "form": _ACTS,
    "act": _ACTS,
    "show_contact": _ACTS,
    "chat": _EVERYBODY,
    "block": MAY_BLOCK,
    "blocks": MAY_BLOCK,
    "unblock": MAY_BLOCK,
    "take_call": frozenset({Role.ACCEPTOR, Role.SHIFT_LEAD}),
    "file_call": frozenset({Role.ACCEPTOR, Role.SHIFT_LEAD}),
    "places": _EVERYBODY,
    "nearby": _EVERYBODY,
    "facilities": _EVERYBODY,
    "facility": _EVERYBODY,
    "revoke_token": _KEEPS,
    "issue_code": _KEEPS | {Role.UNIT_MANAGER, Role.HANDLER},
    "place_code": _KEEPS | {Role.UNIT_MANAGER, Role.HANDLER},
    "labels": MAY_PRINT,
    "print_labels": MAY_PRINT,
    "label_run": MAY_PRINT,
    "list_labels": MAY_PRINT,
    "place_labels": MAY_PRINT,
    "facility_map": _EVERYBODY,
    "code_scans": _EVERYBODY,
    "export_code_scans": _OVERSIGHT | {Role.UNIT_MANAGER},
    "add_facility": _KEEPS,
    "create_facility": _KEEPS,
    "edit_facility": _KEEPS_FACILITIES,
    "save_facility": _KEEPS_FACILITIES,
    "add_facility_photos": _KEEPS_FACILITIES,
    "remove_facility_photo": _KEEPS_FACILITIES,
    "retire_facility": _KEEPS,
    "restore_facility": _KEEPS,
    "import_facilities": _KEEPS,
    "upload_facilities": _KEEPS,
    "import_plan": _KEEPS,
    "import_state": _KEEPS,
    "run_import": _KEEPS,
    "devices": _EVERYBODY,
    "device": _EVERYBODY,
    "add_device": _KEEPS,
    "create_device": _KEEPS,
    "save_device": _KEEPS,
    "retire_device": _KEEPS,
    "restore_device": _KEEPS,
    "import_devices": _KEEPS,
    "upload_devices": _KEEPS,
    "export_facilities": _OVERSIGHT | {Role.UNIT_MANAGER},
    "care_due": _INSPECTS,
    "print_due": _INSPECTS,
    "inspection_plans": _INSPECTS,
    "inspection_plan": _INSPECTS,
    "new_plan": _KEEPS_FACILITIES,
    "create_plan": _KEEPS_FACILITIES,
    "save_plan": _KEEPS_FACILITIES,
    "end_plan": _KEEPS_FACILITIES,
    "care_rates": _READS_NUMBERS,
    "care_faults": _READS_NUMBERS,
    "care_workbook": _READS_NUMBERS,
    "often_repaired": _READS_NUMBERS,
    "often_workbook": _READS_NUMBERS,
    "units": _EVERYBODY,
    "keep_unit": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "hand_backs": _OVERSIGHT | _COMMAND | {Role.UNIT_MANAGER},
    "unseen": _OVERSIGHT | _COMMAND | {Role.UNIT_MANAGER},
    "roster": _OVERSIGHT | _COMMAND | {Role.UNIT_MANAGER},
    "add_shift": _KEEPS_ROSTER,
    "end_shift": _KEEPS_ROSTER,
    "set_away": _KEEPS_ROSTER,
    "end_away": _KEEPS_ROSTER,
    "messages": _OVERSIGHT | _COMMAND,
    "retry_message": frozenset({Role.ADMINISTRATOR, Role.SHIFT_LEAD, Role.DISPATCHER}),
    "notices": _EVERYBODY,
    "read_notices": _EVERYBODY,
    "calendar": _EVERYBODY,
    "add_day": _KEEPS,
    "remove_day": _KEEPS,
    "import_days": _KEEPS,
    "staff": _KEEPS | {Role.LEADER},
    "add_staff": _KEEPS,
    "create_staff": _KEEPS,
    "edit_staff": _KEEPS,
    "save_staff": _KEEPS,
    "link_staff": _KEEPS,
    "end_staff": _KEEPS,
    "restore_staff": _KEEPS,
    "audit": _OVERSIGHT,
    "export_audit": frozenset({Role.ADMINISTRATOR, Role.INSPECTOR}),
    "rights": _EVERYBODY,
    "rules": _COMMAND | _OVERSIGHT,
    "rule": _COMMAND | _OVERSIGHT,
    "rules_versions": _COMMAND | _OVERSIGHT,
    "rules_version": _COMMAND | _OVERSIGHT,
    "add_rule": _KEEPS,
    "save_rule": _KEEPS,
    "restore_rules": _KEEPS,
    "try_route": _COMMAND | _OVERSIGHT,
    "tried_route": _COMMAND | _OVERSIGHT,
    "accuracy": _OVERSIGHT | _COMMAND,
    "use_model": MAY_CHOOSE,
    "settle": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "log_out": _EVERYBODY,
    "account": _EVERYBODY,
    "change_password": _EVERYBODY,
    "end_login": _EVERYBODY,
    "end_other_logins": _EVERYBODY,
    "begin_codes": _EVERYBODY,
    "codes_page": _EVERYBODY,
    "confirm_codes": _EVERYBODY,
    "end_codes": _EVERYBODY,
    "end_logins_of": _KEEPS,
    "reset_codes": _KEEPS,
    "merge": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "unmerge": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "incidents": _EVERYBODY,
    "incident": _EVERYBODY,
    "incident_places": _EVERYBODY,
    "end_incident": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "tell_incident": frozenset({Role.DISPATCHER, Role.SHIFT_LEAD}),
    "my_wechat": _EVERYBODY,
    "wechat_code": _EVERYBODY,
    "unbind_wechat": _EVERYBODY,
    "overview": _EVERYBODY,
    "overview_data": _EVERYBODY,
    "wall": _COMMAND | _OVERSIGHT,
    "wall_links": MAY_SHARE,
    "make_wall_link": MAY_SHARE,
    "end_wall_link": MAY_SHARE,
    "field": _GOES_OUT,
    "field_ready": _GOES_OUT,
    "field_act": _GOES_OUT,
    "numbers": _READS_NUMBERS,
    "numbers_behind": _READS_NUMBERS,
    "numbers_workbook": _READS_NUMBERS,
    "anything_else": _EVERYBODY,
    "here": _EVERYBODY,
    "around_reports": _EVERYBODY,
    "around_facilities": _EVERYBODY,
    "alarm": _EVERYBODY,
    "next_report": _EVERYBODY,
    "preview_reply": _ACTS,
    "wechat_settings": _KEEPS,
    "test_wechat": _KEEPS,
    "publish_menu": _KEEPS,
    "api_keys_page": _KEEPS,
    "add_api_key": _KEEPS,
    "create_api_key": _KEEPS,
    "api_key": _KEEPS,
    "save_api_key": _KEEPS,
    "revoke_api_key": _KEEPS,
    "retention": _KEEPS,
    "preview_retention": _KEEPS,
    "save_retention": _KEEPS,
    "wording": _KEEPS,
    "sentence": _KEEPS,
    "preview_sentence": _KEEPS,
    "save_sentence": _KEEPS,
    "reset_sentence": _KEEPS,
    "reply_templates": _KEEPS_REPLIES,
    "add_reply_template": _KEEPS_REPLIES,
    "reply_template": _KEEPS_REPLIES,
    "save_reply_template": _KEEPS_REPLIES,
    "end_reply_template": _KEEPS_REPLIES,
    "settings": _OVERSIGHT,
    "settings_units": _OVERSIGHT,
    "settings_categories": _OVERSIGHT,
    "settings_standards": _OVERSIGHT,
    "settings_types": _OVERSIGHT,
    "settings_areas": _OVERSIGHT,
    "settings_tags": _OVERSIGHT,
    "settings_alarms": _OVERSIGHT,
    "settings_changes": _OVERSIGHT,
    "area_outlines": _OVERSIGHT,
    "setting": _OVERSIGHT,
    "new_setting": _KEEPS,
    "save_setting": _KEEPS,
    "retire_setting": _KEEPS,
    "restore_setting": _KEEPS,
    "undo_setting": _KEEPS,
    "set_tags": _ACTS,
}
_NOBODY: frozenset[Role] = frozenset()
# Somebody without any role can still leave.
_ALWAYS = frozenset({"log_out"})
# What an open page asks for all the time, whether anybody is there or not.
_BY_ITSELF = frozenset({"live", "alarm", "here", "overview_data"})


def me() -> Staff:
    """Who is logged in. Behind the guard there is always somebody."""
    # The person, not flask_login's stand-in for them, which finds out who it is at every attribute: a page asks
    # hundreds of times.
    return cast(Staff, current_user._get_current_object())


def can(name: str) -> bool:
    """Whether the person may ask for this endpoint: for links and buttons."""
    who = me()
    return bool(who.is_authenticated and is_open_to(who.roles, name))


def is_open_to(roles: frozenset[Role], name: str) -> bool:
    """Whether somebody with these roles may ask for this endpoint."""
    return not RIGHTS.get(name, _NOBODY).isdisjoint(roles)


@pages.before_request
def guard() -> ResponseReturnValue | None:
    """Refuse everything that is not on one of the two lists above."""
    name = (request.endpoint or "").removeprefix("admin.")
    if name in OPEN:
        return None
    if not current_user.is_authenticated or _is_too_old():
        return _ask_to_log_in()
    if name not in _ALWAYS and not can(name):
        raise NotAllowed()
    if name not in _BY_ITSELF:
        _note_seen()
    if request.method in ("GET", "HEAD"):
        # A page asks for every report on it whether the person may see it.
        people.hold_units()
    return None


@pages.teardown_request
def _let_go(_error: BaseException | None) -> None:
    people.let_units_go()


def safe_next(target: str | None) -> str:
    """Where to go after logging in: a page of this site, or the inbox."""
    home = url_for("admin.inbox")
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return home
    if any(ord(letter) < 0x20 or letter == "\\" for letter in target):
        return home
    parts = urlsplit(target)
    return home if parts.scheme or parts.netloc else target


def typed_fields() -> list[tuple[str, str]]:
    """What somebody had typed into a form that cannot be taken: to be shown, so that it can be copied."""
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if value.strip() and name in ("note", "text", "reason", "ruling", "description", "address")
    ]


def _note_seen() -> None:
    """When this login was last used. What a page asks for by itself does not count."""
    last = session.get("seen", 0)
    if clock.now().timestamp() - last >= logins.SEEN_EVERY.total_seconds():
        with unit_of_work():
            logins.note_seen(me().login_id)
        session["seen"] = clock.now().timestamp()


def _is_too_old() -> bool:
    """A login lasts as long as the settings say, however busy the page's polling is."""
    try:
        since = datetime.fromtimestamp(float(session.get("since", 0)), UTC)
    except (TypeError, ValueError, OverflowError):
        return True
    return clock.now() - since > current_app.permanent_session_lifetime


def _is_page() -> bool:
    """Whether a person opens or sends this, rather than a page that is open asking for a part of itself."""
    # Every browser names HTML for a page, and for nothing else.
    accepted = request.headers.get("Accept", "text/html")
    return "text/html" in accepted and "X-Requested-With" not in request.headers


def _ask_to_log_in() -> ResponseReturnValue:
    if request.headers.get("HX-Request"):
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        target = f"{shown.path}?{shown.query}" if shown.query else shown.path
        return "", 204, {"HX-Redirect": url_for("admin.log_in", next=safe_next(target))}
    if not _is_page():
        # Its page may have been left for the login, whose session a late answer must not touch.
        return "", 401
    logout_user()
    session.clear()
    if request.method in ("GET", "HEAD"):
        target = request.full_path.rstrip("?")
        if oauth.is_possible() and oauth.PANEL_TRIED_COOKIE not in request.cookies:
            return redirect(url_for("admin.wechat_start", next=target))
        return redirect(url_for("admin.log_in", next=None if target == url_for("admin.inbox") else target))
    # Somebody's words must not be lost because their login ended while they wrote.
    answer = render_template("admin/problem.html", key="admin.problem.logged_out", typed=typed_fields(), login=True)
    return answer, 401
