"""A web process is ready before its first message, and its lasting memory is left alone by the collector."""

from __future__ import annotations

import gc
from types import SimpleNamespace

from flask import Flask
from sqlalchemy import text

from district import serving
from district.extensions import db


def start(app: Flask) -> None:
    """As gunicorn does in each of its workers."""
    serving.post_worker_init(SimpleNamespace(wsgi=app))


def test_a_web_process_knows_its_district_before_the_first_message(app: Flask) -> None:
    frozen = gc.get_freeze_count()
    start(app)
    assert app.extensions["reference"].snapshot is not None
    # It stays frozen: the tests of this process, too, are quicker without it in the collector's rounds.
    assert gc.get_freeze_count() > frozen


def test_a_database_that_is_not_there_yet_keeps_no_process_from_starting(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("drop table reference_version"))
    start(app)
    assert "reference" not in app.extensions or app.extensions["reference"].snapshot is None
