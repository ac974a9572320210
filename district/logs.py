"""Structured logs: one JSON object a line, English, ids only, no personal data."""

from __future__ import annotations

import logging
import re
import sys

from pythonjsonlogger.json import JsonFormatter

# What must never reach a log even by mistake: openids, telephone numbers, tokens and keys in addresses.
_SECRETS = re.compile(
    r"(?P<name>access_token|secret|appsecret|key|openid|token|signature|echostr|code)=[^&\s\"']+"
    r"|\bo[A-Za-z0-9_-]{27}\b|\b1[3-9]\d{9}\b"
)


def redact(text: str) -> str:
    """`text` without openids, mobile numbers and secrets in query strings."""
    return _SECRETS.sub(lambda found: f"{found['name']}=***" if found["name"] else "***", text)


class RedactingFilter(logging.Filter):
    """Redacts the finished message and every string given as extra."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        for name, value in list(record.__dict__.items()):
            if isinstance(value, str) and name not in ("msg", "levelname", "name", "pathname", "funcName"):
                record.__dict__[name] = redact(value)
        return True


class RedactingJsonFormatter(JsonFormatter):
    """A traceback may quote an address with its secrets: redact it too."""

    def formatException(self, ei: object) -> str:
        return redact(super().formatException(ei))  # type: ignore[arg-type]


def set_up_logging(level: int = logging.INFO) -> None:
    """Log to standard error; safe to call more than once."""
    root = logging.getLogger()
    if any(getattr(handler, "is_bihuan", False) for handler in root.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.is_bihuan = True  # type: ignore[attr-defined]
    handler.setFormatter(
        RedactingJsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields={"asctime": "at"})
    )
    handler.addFilter(RedactingFilter())
    root.addHandler(handler)
    root.setLevel(level)
    for noisy in ("urllib3", "rq", "rq.worker", "PIL", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
