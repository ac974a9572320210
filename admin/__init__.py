"""Door 3: the staff panel. Every page is behind one guard (admin.guard)."""

from __future__ import annotations

from flask import Flask

from admin import (  # noqa: F401  routes
    accuracy,
    actions,
    calendar,
    failures,
    hand_backs,
    inbox,
    login,
    merging,
    notices,
    numbers,
    registry,
    report_page,
    residents,
    roster,
    rules,
    showing,
    telephone,
    where,
)
from admin.guard import pages


def register(app: Flask) -> None:
    """Add this door to the application."""
    app.register_blueprint(pages)
