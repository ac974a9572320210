"""One application for many tests of a process, set back to its beginnings and pointed to the next test's database.

Making one means adding some three hundred addresses: with a new one for each test that was a twentieth of the run.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from flask import Flask
from sqlalchemy import Engine, create_engine
from sqlalchemy.util import LRUCache

from admin.kept_parts import KeptParts
from district import app as core
from district import storage
from district.config import Config
from district.extensions import db, init_redis, limiter
from wsgi import create_app

# For each kind of database, the dialect of the first engine and the statements compiled for it.
_spoken: dict[str, tuple[Any, Any]] = {}


def _share_statements(engine: Engine) -> None:
    """Let each test's engine use the statements that earlier ones of this process compiled.

    SQLAlchemy keeps compiled statements by engine and dialect; neither the words nor the dialect know which database
    they go to.
    """
    name = engine.dialect.name
    if name not in _spoken:
        # A dialect learns at its first connection what server it speaks to.
        engine.connect().close()
        _spoken[name] = (engine.dialect, LRUCache(5000))
    dialect, statements = _spoken[name]
    engine.dialect = engine.pool._dialect = dialect
    engine._compiled_cache = statements


@dataclass
class _Kept:
    """An application and what it was like before its first test."""

    app: Flask
    likeness: Config
    settings: dict[str, Any]
    extensions: dict[str, Any]


_kept: _Kept | None = None


def _likeness(config: Config) -> Config:
    """What decides how an application is made: all but where its files and its rows are."""
    return replace(config, var_dir=Path(), database_url="", photo_store="", errand_store="")


def application_for(config: Config) -> Flask:
    """An application as `create_app` makes it: the one that this process made before, if it would come out the same."""
    global _kept
    if _kept is None or _kept.likeness != _likeness(config):
        app = create_app(config)
        # What holds nothing of a test: each would only find it out anew.
        app.extensions |= {"door_addresses": {}, "kept_parts": KeptParts()}
        _kept = _Kept(app, _likeness(config), dict(app.config), dict(app.extensions))
    app = _kept.app
    app.config.clear()
    app.config.update(_kept.settings)
    app.config.update(core.settings_of(config))
    app.extensions.clear()
    app.extensions.update(_kept.extensions)
    app.extensions["photo_store"] = storage.make_store(config.photo_store)
    init_redis(app, config.redis_url)
    # What has been counted belongs to the process, not to an application: begin anew.
    limiter.init_app(app)
    with app.app_context():
        cast(MutableMapping[str | None, Engine], db.engines)[None] = _engine_for(config)
    return app


# An engine for each database server's database of this process: its connections know the tables already.
_servers: dict[str, Engine] = {}


def _engine_for(config: Config) -> Engine:
    engine = _servers.get(config.database_url)
    if engine is None:
        options = cast(dict[str, Any], core.settings_of(config)["SQLALCHEMY_ENGINE_OPTIONS"])
        engine = create_engine(config.database_url, **options)
        core.prepare_engine(engine, config)
        _share_statements(engine)
        if not config.uses_sqlite:
            _servers[config.database_url] = engine
    return engine


def end() -> None:
    """What the last test left open. A file's connections are closed; a server's wait for the next test."""
    db.session.remove()
    if db.engine.dialect.name == "sqlite":
        db.engine.dispose()


def forget() -> None:
    """The next test gets a new one, with new connections: what is done to these cannot be taken back."""
    global _kept
    _kept = None
    for engine in _servers.values():
        engine.dispose()
    _servers.clear()
