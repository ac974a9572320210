"""Keeping access tokens and secrets out of the logs: they stand in addresses, and libraries log addresses."""

from __future__ import annotations

import logging
import re

_SECRET = re.compile(
    r"(?i)\b(access_token|secret|appsecret|ticket|code|refresh_token)(=|\"?\s*:\s*\"?)([^&\s\"',}]+)"
)


def redact(text: str) -> str:
    """`text` with the values of access_token=..., secret=... and their like replaced by stars."""
    return _SECRET.sub(r"\1\2***", text)


class Redact(logging.Filter):
    """Rewrites a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        safe = redact(message)
        if safe != message:
            record.msg, record.args = safe, ()
        return True


def protect_library_logs() -> None:
    """Put the filter on the loggers that print addresses. Safe to call twice."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry", "requests", "wechatpy.client.base"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, Redact) for one in logger.filters):
            logger.addFilter(Redact())
