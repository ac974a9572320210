"""Door 3: the staff panel. Every page is behind one guard (admin.guard)."""

from __future__ import annotations

from flask import Flask

from admin import actions, failures, inbox, login, merging, registry, report_page, residents, showing, telephone  # noqa: F401  routes
from admin.guard import pages


def register(app: Flask) -> None:
    """Add this door to the application."""
    app.register_blueprint(pages)
