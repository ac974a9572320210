"""The whole application: the core and its three doors. Importing this module builds nothing.

`gunicorn "wsgi:create_app()"` and `flask --app wsgi` both find `create_app`.
"""

from __future__ import annotations

from flask import Flask

import admin
import bot
import citizen
from district.app import create_core
from district.config import Config


def create_app(config: Config | None = None) -> Flask:
    """Build the application from `config`, or from the environment.

    Raises district.config.ConfigError naming every setting that is missing or wrong.
    """
    app = create_core(config or Config.from_env())
    for door in (citizen, bot, admin):
        door.register(app)
    return app
