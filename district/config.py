"""Settings from the environment, typed, read once when the application is built.

Development needs none of them: secrets are made up once and kept in `VAR_DIR/secrets.json`.
Production refuses to start while a real one is missing and names each.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import json
import os
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

PRODUCTION_SECRETS = (
    "SECRET_KEY",
    "PUBLIC_BASE_URL",
    "WECHAT_TOKEN",
    "WECHAT_APP_ID",
    "WECHAT_APP_SECRET",
    "WECHAT_ENCODING_AES_KEY",
)
STAND_IN_PREFIX = "/_wechat"
TEMPLATE_PREFIX = "WECHAT_TEMPLATE_"
SUBSCRIBE_PREFIX = "WECHAT_SUBSCRIBE_"
# The steps that may have a template of their own; PROGRESS serves for every step that has none.
TEMPLATE_NAMES = ("PROGRESS", "QUESTION", "DONE", "STAFF")
# What a message tells, and the template's keyword it goes into where the setting names no other.
TEMPLATE_FIELDS = {"number": "character_string1", "step": "thing2", "time": "time3"}
LASTING = "lasting"
_TEMPLATE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYWORD = re.compile(r"[a-z_]{1,30}[0-9]{1,3}")


class ConfigError(Exception):
    """The environment cannot be used; the message names every variable at fault."""


@dataclass(frozen=True)
class NoticeTemplate:
    """A template of the account's. keywords: its keyword for `number`, `step` and `time`, those that it has.

    is_lasting: one consent holds for any number of subscription notices (WeChat grants that to public services).
    """

    id: str
    keywords: Mapping[str, str]
    is_lasting: bool = False

    @classmethod
    def read(cls, text: str) -> NoticeTemplate:
        """`ID`, then where it differs from the usual `number=character_string1 step=thing2 time=time3`, then `lasting`.

        Raises ValueError for anything else.
        """
        template_id, *more = text.split()
        if not _TEMPLATE_ID.fullmatch(template_id):
            raise ValueError(template_id)
        is_lasting = LASTING in more
        named = dict(one.split("=") for one in more if one != LASTING)
        if not set(named) <= set(TEMPLATE_FIELDS) or not all(_KEYWORD.fullmatch(one) for one in named.values()):
            raise ValueError(text)
        return cls(template_id, named or TEMPLATE_FIELDS, is_lasting)


@dataclass(frozen=True)
class Config:
    """Everything the environment decides. Lengths of time in seconds unless the name says otherwise."""

    app_env: str
    host: str
    port: int
    var_dir: Path
    web_workers: int
    rq_workers: int
    secret_key: str
    public_base_url: str
    database_url: str
    redis_url: str
    photo_store: str
    errand_store: str
    wechat_token: str
    wechat_app_id: str
    wechat_app_secret: str
    wechat_encoding_aes_key: str
    wechat_mode: str
    wechat_api_base_url: str
    wechat_oauth_base_url: str
    timezone: str
    tile_url: str
    admin_password: str
    wechat_templates: dict[str, str] = field(default_factory=dict)
    wechat_subscriptions: dict[str, str] = field(default_factory=dict)

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def uses_stand_in(self) -> bool:
        """True when WeChat's API is the built-in development stand-in of this very server."""
        return not self.is_production and self.wechat_api_base_url.endswith(STAND_IN_PREFIX)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Config:
        """Read the settings.

        Raises ConfigError with one line a problem: a missing production secret, a number that is none,
        an unknown time zone, an AES key that is not 43 base64 characters, a template that cannot be read.
        """
        given = {key: value.strip() for key, value in (os.environ if env is None else env).items()}
        problems: list[str] = []
        app_env = given.get("APP_ENV") or "development"
        if app_env not in ("development", "production"):
            problems.append("APP_ENV must be development or production")
        var_dir = Path(given.get("VAR_DIR") or "var").expanduser().absolute()
        host = given.get("HOST") or "127.0.0.1"
        port = _number(given, "PORT", 8000, problems)
        web_workers = _number(given, "WEB_WORKERS", 2, problems)
        rq_workers = _number(given, "RQ_WORKERS", 2, problems)

        values = {name: given.get(name, "") for name in PRODUCTION_SECRETS}
        if app_env == "production":
            problems += [f"{name} is missing" for name in PRODUCTION_SECRETS if not values[name]]
            if (given.get("WECHAT_MODE") or "safe") != "safe":
                problems.append("WECHAT_MODE must be safe in production")
            if values["SECRET_KEY"] and len(values["SECRET_KEY"]) < 32:
                problems.append("SECRET_KEY must have at least 32 characters")
        elif not problems:
            kept = _development_secrets(var_dir)
            values = {name: value or kept.get(name, "") for name, value in values.items()}
            values["PUBLIC_BASE_URL"] = values["PUBLIC_BASE_URL"] or f"http://{_reachable(host)}:{port}"

        mode = given.get("WECHAT_MODE") or "safe"
        if mode not in ("safe", "plain"):
            problems.append("WECHAT_MODE must be safe or plain")
        if values["WECHAT_ENCODING_AES_KEY"] and not _is_aes_key(values["WECHAT_ENCODING_AES_KEY"]):
            problems.append("WECHAT_ENCODING_AES_KEY must be 43 letters and digits, as WeChat's console shows it")
        if values["PUBLIC_BASE_URL"] and not _is_web_address(values["PUBLIC_BASE_URL"]):
            problems.append("PUBLIC_BASE_URL must be an address such as https://bihuan.example.cn, without a path")
        problems.extend(
            f"{name} must be a folder" for name in ("PHOTO_STORE", "ERRAND_STORE") if "://" in given.get(name, "")
        )
        if not 0 < port < 65536:
            problems.append("PORT must be between 1 and 65535")
        zone = given.get("DISTRICT_TIMEZONE") or "Asia/Shanghai"
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            problems.append(f"DISTRICT_TIMEZONE {zone!r} is not a known time zone")
        templates = _templates(given, TEMPLATE_PREFIX, problems)
        subscriptions = _templates(given, SUBSCRIBE_PREFIX, problems)
        if problems:
            raise ConfigError("\n".join(problems))

        stand_in = f"http://{_reachable(host)}:{port}{STAND_IN_PREFIX}"
        official = "https://api.weixin.qq.com"
        api_base = given.get("WECHAT_API_BASE_URL") or (official if app_env == "production" else stand_in)
        # Only where it is set: an account whose console does not name our address would show residents an error.
        oauth_base = given.get("WECHAT_OAUTH_BASE_URL") or ("" if app_env == "production" else stand_in)
        return cls(
            app_env=app_env,
            host=host,
            port=port,
            var_dir=var_dir,
            web_workers=web_workers,
            rq_workers=rq_workers,
            secret_key=values["SECRET_KEY"],
            public_base_url=values["PUBLIC_BASE_URL"].rstrip("/"),
            database_url=_database_url(given.get("DATABASE_URL") or f"sqlite:///{var_dir / 'bihuan.db'}"),
            redis_url=given.get("REDIS_URL") or _embedded_redis_url(var_dir),
            photo_store=given.get("PHOTO_STORE") or str(var_dir / "photos"),
            errand_store=given.get("ERRAND_STORE") or str(var_dir / "errands"),
            wechat_token=values["WECHAT_TOKEN"],
            wechat_app_id=values["WECHAT_APP_ID"],
            wechat_app_secret=values["WECHAT_APP_SECRET"],
            wechat_encoding_aes_key=values["WECHAT_ENCODING_AES_KEY"],
            wechat_mode=mode,
            wechat_api_base_url=api_base.rstrip("/"),
            wechat_oauth_base_url=oauth_base.rstrip("/"),
            wechat_templates=templates,
            wechat_subscriptions=subscriptions,
            timezone=zone,
            tile_url=given.get("TILE_URL", ""),
            admin_password=given.get("ADMIN_PASSWORD", ""),
        )


def _number(given: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = given.get(name, "")
    if not text:
        return default
    if not text.isdecimal():
        problems.append(f"{name} must be a whole number, not {text!r}")
        return default
    return int(text)


def _templates(given: Mapping[str, str], prefix: str, problems: list[str]) -> dict[str, str]:
    """Template settings by the small name of their step: {"progress": "ID ..."}."""
    found = {}
    for name, value in given.items():
        if not name.startswith(prefix) or not value:
            continue
        if name.removeprefix(prefix) not in TEMPLATE_NAMES:
            problems.append(f"{name} is not known: there are {', '.join(prefix + one for one in TEMPLATE_NAMES)}")
            continue
        try:
            NoticeTemplate.read(value)
        except ValueError:
            problems.append(
                f"{name} must be a template id, then keywords where they differ, such as "
                "'ID number=character_string1 step=thing2 time=time3'"
            )
        found[name.removeprefix(prefix).lower()] = value
    return found


def _reachable(host: str) -> str:
    """A host that a browser on this machine can open when the server listens on every address."""
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host


def _is_web_address(text: str) -> bool:
    """Printed codes and links begin with it: a typing error would be on every label of the district."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.path in ("", "/") and not parts.query
        )
    except ValueError:
        return False


def _is_aes_key(key: str) -> bool:
    try:
        return len(key) == 43 and len(base64.b64decode(key + "=", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _database_url(url: str) -> str:
    """SQLAlchemy's name for psycopg 3, from the common spellings of a PostgreSQL address."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def _embedded_redis_url(var_dir: Path) -> str:
    """Where the embedded server listens: the file is written by whoever starts it."""
    address = var_dir / "valkey" / "address"
    if address.is_file():
        return address.read_text(encoding="utf-8").strip()
    return f"unix://{var_dir / 'valkey' / 'valkey.sock'}"


def _development_secrets(var_dir: Path) -> dict[str, Any]:
    """Made once and kept, so that sessions and links survive a restart."""
    var_dir.mkdir(parents=True, exist_ok=True)
    path = var_dir / "secrets.json"
    with open(var_dir / ".secrets.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_file():
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return kept
        letters = string.ascii_letters + string.digits
        made = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "WECHAT_TOKEN": "".join(secrets.choice(letters) for _ in range(24)),
            "WECHAT_APP_ID": "wxdev" + secrets.token_hex(6),
            "WECHAT_APP_SECRET": secrets.token_hex(16),
            "WECHAT_ENCODING_AES_KEY": base64.b64encode(secrets.token_bytes(32)).decode().rstrip("="),
        }
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file, indent=2)
        return made
