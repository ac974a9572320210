"""What each web process does once, before it answers anybody. gunicorn reads this file as its configuration."""

from __future__ import annotations

import gc
import logging
from typing import Any

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


def post_worker_init(worker: Any) -> None:
    """Read what every answer needs, then take all of it out of the garbage collector's rounds.

    Code, tables and the district's own data live as long as the process. Going through them again and again for
    garbage took a twentieth of a message's time, and a tenth of a second at once from whoever waited just then.
    """
    if isinstance(worker.wsgi, Flask) and "redis_door" in worker.wsgi.extensions:
        read_ahead(worker.wsgi)
    gc.collect()
    gc.freeze()


def read_ahead(app: Flask) -> None:
    """The reference data and the trained weights, so that the first resident need not wait for them."""
    from district.reference import reference
    from district.understanding import understand

    try:
        with app.app_context():
            understand("", reference())
    except SQLAlchemyError as error:
        # The database may come later than we; then the first answer reads them.
        log.warning("reference data not read ahead", extra={"reason": type(error).__name__})
