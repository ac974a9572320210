"""Structured logs: one JSON object a line, English, ids only, no personal data."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from pythonjsonlogger.json import JsonFormatter

# What must never reach a log even by mistake: openids, telephone numbers, tokens and keys in addresses and in JSON.
# No \b around digits: between a Chinese character and a digit there is no word boundary.
_SECRETS = re.compile(
    r"""(?P<name>(?:access_|refresh_)?token|(?:app)?secret|password|key|openid|signature|echostr|ticket|code)
        (?P<sign>\\?["']?\s*(?:=|%3D|:\s*(?=\\?["']))\s*\\?["']?)[^&\s"'\\,;}]+
      | (?<![A-Za-z0-9_-])o[A-Za-z0-9_-]{27}(?![A-Za-z0-9_-])
      | (?<!\d)(?:\+?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str) -> str:
    """`text` without openids, mobile numbers and secrets in addresses and JSON."""
    return _SECRETS.sub(lambda found: f"{found['name']}{found['sign']}***" if found["name"] else "***", text)


def _redacted(value: Any) -> Any:
    """`value` with every string in it redacted, down to any depth of a log's extras."""
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(inner) for inner in value]
    return redact(str(value))


# What the program says of itself; exc_info is redacted when it is written out.
_OUR_OWN = frozenset(logging.makeLogRecord({}).__dict__) - {"stack_info"}


class RedactingFilter(logging.Filter):
    """Redacts the finished message and everything given as extra."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        for name, value in list(record.__dict__.items()):
            if name not in _OUR_OWN:
                record.__dict__[name] = _redacted(value)
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
