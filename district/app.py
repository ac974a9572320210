"""The core application: configuration, extensions, logging, commands. No doors."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from district import logs, storage
from district.config import Config
from district.extensions import db, init_redis, limiter, login_manager, migrate, prepare_server, prepare_sqlite

ROOT = Path(__file__).resolve().parent.parent


def create_core(config: Config) -> Flask:
    """An application that jobs and commands can use; `wsgi.create_app` adds the doors."""
    app = Flask("bihuan", root_path=str(ROOT), static_folder="static", template_folder="district/frame/templates")
    logs.set_up_logging()
    app.config.update(settings_of(config))

    from district import cli, frame, tables  # noqa: F401  tables: the metadata must be whole
    from district.people import service as _people  # noqa: F401  registers the session's loader

    # Before all that may refuse a request, so that the refusal is said in its language.
    app.before_request(frame.http.choose_language)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine, config)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"), compare_type=True, render_as_batch=True)
    login_manager.init_app(app)
    limiter.init_app(app)
    init_redis(app, config.redis_url)
    app.extensions["photo_store"] = storage.make_store(config.photo_store)

    frame.register(app)
    cli.register(app)
    return app


def settings_of(config: Config) -> dict[str, object]:
    """What Flask and its extensions read in `app.config`."""
    templates, subscriptions = dict(config.wechat_templates), dict(config.wechat_subscriptions)
    if config.uses_stand_in:
        # The stand-in knows these templates, so that later steps arrive in the chat window too.
        templates.setdefault("progress", "STAND_IN_PROGRESS")
        subscriptions.setdefault("progress", "STAND_IN_NOTICE")
    return {
        "BIHUAN": config,
        "SECRET_KEY": config.secret_key,
        "PUBLIC_BASE_URL": config.public_base_url,
        "VAR_DIR": str(config.var_dir),
        "ERRAND_STORE": config.errand_store,
        "DISTRICT_TIMEZONE": config.timezone,
        "TILE_URL": config.tile_url,
        "WECHAT_TEMPLATES": templates,
        "WECHAT_SUBSCRIPTIONS": subscriptions,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(config),
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": config.public_base_url.startswith("https://"),
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        # A page asks for news all the time: an answer that changes nothing must not put an older session back over
        # the one that a form has just written (its "done" would be lost).
        "SESSION_REFRESH_EACH_REQUEST": False,
        "REMEMBER_COOKIE_DURATION": timedelta(days=0),
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,
        "MAX_CONTENT_LENGTH": 48 * 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 2 * 1024 * 1024,
        "RATELIMIT_STORAGE_URI": _limits_address(config),
        "RATELIMIT_STORAGE_OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
        if not config.redis_url.startswith("memory")
        else {},
        "RATELIMIT_SWALLOW_ERRORS": True,
        "COMPRESS_MIMETYPES": [
            "text/html", "text/css", "application/json", "application/javascript", "text/javascript",
            "image/svg+xml", "application/geo+json",
        ],
        "COMPRESS_ALGORITHM": ["br", "gzip"],
        "COMPRESS_BR_LEVEL": 4,
    }  # fmt: skip


def prepare_engine(engine: Engine, config: Config) -> None:
    """What this database needs of every connection."""
    if config.uses_sqlite:
        prepare_sqlite(engine)
    else:
        prepare_server(engine)


def _engine_options(config: Config) -> dict[str, object]:
    if config.uses_sqlite:
        database = make_url(config.database_url).database
        if database:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        # As many connections as threads: one that is opened anew each time costs more than a message.
        return {"pool_size": 16, "pool_use_lifo": True, "connect_args": {"timeout": 15, "check_same_thread": False}}
    # `prepare_server` resets them.
    return {"pool_size": 10, "max_overflow": 10, "pool_use_lifo": True, "pool_reset_on_return": None}


def _limits_address(config: Config) -> str:
    """Where rate limits are counted; `redis+unix://` is the limits library's name for a socket."""
    if config.redis_url.startswith("unix://"):
        return "redis+unix://" + config.redis_url.removeprefix("unix://")
    return config.redis_url
