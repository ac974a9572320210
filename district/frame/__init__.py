"""The HTTP frame all doors share: language, security headers, compression, photos, base map, health.

The one place in `district/` (beside `app.py`) that knows HTTP.
"""

from __future__ import annotations

from flask import Flask

from district.frame import files, health, http


def register(app: Flask) -> None:
    """Put the frame around an application."""
    http.register(app)
    app.register_blueprint(files.pages)
    app.register_blueprint(health.pages)
