"""The panel's doors: the menu beside every page, with what the person may open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, request, url_for

from admin.guard import is_open_to, me, pages


@dataclass(frozen=True)
class Door:
    """One line of the menu. inside: other pages that belong to it."""

    name: str
    icon: str
    inside: frozenset[str]


@dataclass(frozen=True)
class Shown:
    """A door as this page shows it. is_here: the page is behind it."""

    door: Door
    address: str
    is_here: bool


@dataclass(frozen=True)
class Group:
    """Doors that belong together, those that the person may open; is_open: shown unfolded."""

    name: str
    is_open: bool
    doors: list[Shown]


def _door(name: str, icon: str, *inside: str) -> Door:
    return Door(name, icon, frozenset(inside))


# One line for each door, in the group where people look for it.
_GROUPS: dict[str, tuple[Door, ...]] = {
    "now": (
        _door("inbox", "list-details", "report", "form", "act", "show_contact", "chat", "block"),
        _door("notices", "bell"),
        _door("take_call", "phone", "file_call"),
        _door("field", "tool"),
        _door("incidents", "git-merge", "incident"),
        _door("hand_backs", "arrow-back-up"),
        _door("unseen", "eye"),
    ),
    "district": (
        _door("overview", "map"),
        _door("numbers", "chart-bar", "numbers_behind"),
        _door("accuracy", "focus-centered"),
        _door("wall_links", "link", "make_wall_link"),
        _door("facilities", "bulb", "facility"),
        _door(
            "devices", "bolt",
            "device", "add_device", "create_device", "save_device", "import_devices", "upload_devices",
        ),
        _door(
            "care_due", "clipboard-list",
            "print_due", "inspection_plans", "inspection_plan", "new_plan", "create_plan", "save_plan",
        ),
        _door("care_rates", "shield-check", "care_faults", "often_repaired"),
        _door("labels", "qrcode", "print_labels", "label_run"),
        _door("code_scans", "camera"),
        _door("errands", "download", "errand"),
    ),
    "residents": (
        _door("messages", "send"),
        _door("reply_templates", "message-report", "reply_template", "add_reply_template", "save_reply_template"),
        _door("blocks", "lock"),
    ),
    "settings": (
        _door(
            "settings", "settings",
            "settings_units", "settings_categories", "settings_standards", "settings_types", "settings_areas",
            "settings_tags", "settings_alarms", "settings_changes", "setting", "new_setting", "save_setting",
            "wechat_settings", "test_wechat", "publish_menu", "api_keys_page", "add_api_key", "create_api_key",
            "api_key", "save_api_key", "retention", "save_retention", "wording", "sentence", "save_sentence",
        ),
        _door("units", "building-community"),
        _door("staff", "users", "add_staff", "create_staff", "edit_staff", "save_staff"),
        _door("roster", "user-check", "add_shift", "set_away"),
        _door("calendar", "calendar"),
        _door(
            "rules", "adjustments",
            "rule", "add_rule", "save_rule", "rules_versions", "rules_version", "restore_rules",
        ),
        _door("try_route", "route", "tried_route"),
        _door("rights", "key"),
        _door("audit", "history"),
    ),
}  # fmt: skip


def doors_of_mine(here: str) -> list[Group]:
    """The menu of who is at the panel, on the page `here`. A group they may open nothing of is not shown."""
    # Asked once: a person's roles are put together anew each time.
    roles = me().roles
    groups = []
    for name, doors in _GROUPS.items():
        shown = [
            Shown(door, _address(door.name), here == door.name or here in door.inside)
            for door in doors
            if is_open_to(roles, door.name)
        ]
        if shown:
            groups.append(Group(name, name == "now" or any(one.is_here for one in shown), shown))
    return groups


def _address(name: str) -> str:
    """Where a door leads. It takes nothing and stays the same, and every page asks for all of them."""
    known: dict[tuple[str, str], str] = current_app.extensions.setdefault("door_addresses", {})
    key = (request.script_root, name)
    address = known.get(key)
    if address is None:
        address = known[key] = url_for(f"admin.{name}")
    return address


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"doors_of_mine": doors_of_mine}
