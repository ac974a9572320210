"""Door 3: the staff panel. Every page is behind one guard (admin.guard)."""

from __future__ import annotations

from flask import Flask

from admin import (  # noqa: F401  routes
    account,
    accuracy,
    actions,
    api_keys,
    around,
    bulk,
    calendar,
    care,
    care_numbers,
    doors,
    errands,
    export,
    facilities,
    facility_devices,
    failures,
    field,
    hand_backs,
    inbox,
    kept_parts,
    labels,
    list_map,
    login,
    merging,
    notices,
    numbers,
    overview,
    phone,
    registry,
    replies,
    report_page,
    residents,
    retention,
    rights,
    roster,
    rules,
    saved,
    scans,
    settings,
    showing,
    staff_wechat,
    tags,
    telephone,
    together,
    wall_links,
    wechat_settings,
    where,
    wording,
)
from admin.guard import pages


def register(app: Flask) -> None:
    """Add this door to the application."""
    app.register_blueprint(pages)
