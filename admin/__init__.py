"""Door 3: the staff panel. Every page is behind one guard (admin.guard)."""

from __future__ import annotations

from flask import Flask

from admin import (  # noqa: F401  routes
    account,
    accuracy,
    actions,
    around,
    bulk,
    calendar,
    errands,
    facilities,
    failures,
    field,
    hand_backs,
    inbox,
    login,
    merging,
    notices,
    numbers,
    overview,
    registry,
    replies,
    report_page,
    residents,
    rights,
    roster,
    rules,
    saved,
    showing,
    staff_wechat,
    telephone,
    together,
    where,
)
from admin.guard import pages


def register(app: Flask) -> None:
    """Add this door to the application."""
    app.register_blueprint(pages)
