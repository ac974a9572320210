"""Codes that people bring: looked up for every page and call, limited and counted where they are wrong.

Only wrong codes count against the limit: a square full of people may scan the same code through one address. All doors
count together, so that nobody guesses faster by asking at another one. Whoever has reached the limit is not told of
right codes either: the answer would be the very thing that is guessed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import g, request
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from district.errors import NotFound
from district.extensions import db, limiter
from district.facilities import codes, scans
from district.facilities import service as facilities
from district.facilities.models import Facility
from district.facilities.scans import Door
from district.work import unit_of_work

log = logging.getLogger(__name__)

LIMIT, SCOPE = "20 per minute; 100 per hour", "facility-codes"
# Counting must not keep anybody waiting for their page: where others write, a scan is left out.
PATIENCE_S = 0.25


def _is_refused(response: Response) -> bool:
    return response.status_code in (404, 410)


def _is_wrong(_response: Response) -> bool:
    return bool(g.get("wrong_code"))


# For the addresses that hold a code.
guesses = limiter.shared_limit(LIMIT, scope=SCOPE, deduct_when=_is_refused)


@limiter.shared_limit(LIMIT, scope=SCOPE, deduct_when=_is_wrong)
def _within_limit() -> None:
    """Raise 429 for whoever has tried too many."""


def given(code: str, door: Door) -> Facility:
    """The facility of a code that came beside other things: a token, or a code of either scheme.

    Raises NotFound and Revoked, which count, and 429 for whoever has tried too many.
    """
    g.wrong_code = False
    _within_limit()
    try:
        return facilities.by_token_or_code(code)
    except NotFound:
        g.wrong_code = True
        note_guess(door)
        raise


def note_guess(door: Door) -> None:
    """Write down that a code was none. Outside a unit of work; what cannot be written now is left out."""
    _write(lambda: scans.count_guess(door), "guess")


def note_scan(code: str) -> None:
    """Write down that somebody opened a facility with its code: call it last, with nothing of the database at hand.

    Staff's own visits do not count, nor does what a browser fetches before anybody wants it.
    """
    ahead = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    if request.method != "GET" or "prefetch" in ahead or getattr(current_user, "is_authenticated", False):
        return
    row = codes.of(code)
    if row is not None:
        token, facility_id = row.token, row.facility_id
        _write(lambda: scans.count(token, facility_id), "scan")


def _write(count: Callable[[], None], what: str) -> None:
    try:
        with unit_of_work(patience_s=PATIENCE_S):
            count()
    except SQLAlchemyError as error:
        log.warning("not counted", extra={"what": what, "reason": type(error).__name__})
        db.session.rollback()
