"""A look at another resident's pictures, for whoever is asked in the chat whether theirs is the same thing.

The address shows the pictures for a few days and opens nothing else. It is signed, not kept.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from flask import current_app

from district import clock, links

LASTS = timedelta(days=3)
# 80 bits: nobody guesses one in the days it lasts, and three addresses still fit into one answer.
LETTERS = 20


def address(number: str) -> str:
    """The report's public page with the pictures that its resident sent."""
    until = int((clock.now() + LASTS).timestamp())
    return f"{links.report_page(number)}?look={until:x}.{_signature(number, until)}"


def is_valid(number: str, given: str | None) -> bool:
    """Whether `given`, from the page's address, is ours, for this report, and not yet over."""
    until_text, _, signature = (given or "").partition(".")
    try:
        until = int(until_text, 16)
        is_over = clock.now() > datetime.fromtimestamp(until, UTC)
    except (ValueError, OverflowError, OSError):
        return False
    return not is_over and hmac.compare_digest(signature.encode(), _signature(number, until).encode())


def _signature(number: str, until: int) -> str:
    secret = b"bihuan look " + str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(secret, f"{number} {until}".encode(), hashlib.sha256).hexdigest()[:LETTERS]
