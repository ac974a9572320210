"""Who may do what, shown from the guard's table and the transitions', so that it cannot say anything else."""

from __future__ import annotations

from dataclasses import dataclass

from flask import render_template
from flask.typing import ResponseReturnValue

from admin.guard import RIGHTS, pages
from district.messages import t
from district.people.roles import Role
from district.reports.states import TRANSITIONS, Scope

# The rights in the order of the page; each has its words under `accounts.right`.
GROUPS: dict[str, tuple[str, ...]] = {
    "reports": (
        "inbox", "report", "print_report", "chat", "show_contact", "act", "field", "field_act", "take_call",
        "file_call", "keep_unit", "settle", "bulk", "do_bulk", "save_list", "drop_list", "merge", "unmerge",
        "save_columns", "export_list", "do_export",
        "errands", "cancel_errand",
        "incidents", "incident", "end_incident", "tell_incident",
        "overview", "wall", "wall_links", "make_wall_link", "end_wall_link",
        "numbers", "numbers_behind", "numbers_workbook",
        "set_tags",
    ),
    "residents": (
        "reply_templates", "reply_template", "add_reply_template", "save_reply_template", "end_reply_template",
        "block", "blocks", "unblock", "messages", "retry_message"),
    "responsibility": (
        "hand_backs", "unseen", "roster", "add_shift", "end_shift", "set_away", "end_away", "notices", "read_notices",
    ),
    "district": (
        "facilities", "facility", "edit_facility", "add_facility_photos", "add_facility", "retire_facility",
        "import_facilities", "export_facilities", "issue_code", "place_code", "revoke_token", "labels", "print_labels",
        "devices", "device", "add_device", "save_device", "retire_device", "restore_device", "import_devices",
        "label_run", "list_labels", "place_labels", "code_scans", "export_code_scans",
        "care_due", "print_due", "inspection_plans", "inspection_plan", "new_plan", "save_plan", "end_plan",
        "care_rates", "care_faults", "care_workbook", "often_repaired", "often_workbook",
        "units", "calendar", "add_day", "remove_day", "import_days", "rules",
        "rule", "rules_versions", "rules_version", "add_rule", "save_rule", "restore_rules", "try_route", "tried_route",
        "settings", "settings_units", "settings_categories", "settings_standards", "settings_types", "settings_areas",
        "settings_tags", "settings_alarms", "setting", "new_setting", "save_setting", "retire_setting",
        "restore_setting", "settings_changes", "undo_setting",
        "accuracy", "use_model", "wechat_settings", "test_wechat", "publish_menu",
        "api_keys_page", "add_api_key", "create_api_key", "api_key", "save_api_key", "revoke_api_key",
        "retention", "save_retention", "wording", "sentence", "save_sentence", "reset_sentence",
    ),
    "accounts": (
        "staff", "add_staff", "create_staff", "edit_staff", "save_staff", "link_staff", "end_staff",
        "restore_staff", "end_logins_of", "reset_codes", "audit", "export_audit", "rights",
        "my_wechat", "wechat_code",
        "unbind_wechat", "account", "change_password", "end_login", "end_other_logins", "begin_codes", "confirm_codes",
        "end_codes",
    ),
}  # fmt: skip
# Parts of pages and ways out: they go with the page they belong to and have no line of their own.
UNSHOWN = frozenset(
    {
        "live", "form", "places", "nearby", "incident_places", "anything_else", "log_out", "codes_page", "alarm",
        "facility_map", "create_facility", "save_facility", "remove_facility_photo", "restore_facility",
        "create_device", "upload_devices", "upload_facilities", "import_plan", "import_state", "run_import",
        "around_facilities", "around_reports", "bulk_result", "here", "field_ready", "next_report", "overview_data",
        "preview_reply", "list_map", "errand", "errand_state", "errand_file",
        "area_outlines", "create_plan",
        "preview_retention", "preview_sentence",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One right: what it is, which roles have it, and what narrows it (empty: nothing)."""

    words: str
    roles: frozenset[Role]
    note: str = ""


@pages.get("/rights")
def rights() -> ResponseReturnValue:
    """Roles across, rights down; what may be done to one report in a table of its own."""
    return render_template("admin/rights.html", roles=list(Role), tables=[*_of_pages(), ("actions", _of_actions())])


def _of_pages() -> list[tuple[str, list[Line]]]:
    return [
        (group, [Line(t(f"accounts.right.{name}"), RIGHTS[name]) for name in names if name in RIGHTS])
        for group, names in GROUPS.items()
    ]


def _of_actions() -> list[Line]:
    """What staff may do to a report, from the table of transitions; some only where their unit has a part in it."""
    found = []
    for row in TRANSITIONS:
        if not row.roles | row.unit_roles:
            continue
        note = "" if row.scope is Scope.ANY else t(f"accounts.scope.{row.scope}")
        if row.unit_roles:
            note = t("accounts.scope.unit_roles")
        found.append(Line(t(f"accounts.action.{row.action}"), row.roles | row.unit_roles, note))
    return found
