"""Joining a report that somebody else has filed: one tap, no key, once for each browser and each resident."""

from __future__ import annotations

from flask import request
from werkzeug.wrappers import Response

from citizen import blocked, identity, own, showing
from district.errors import NotFound
from district.reports import following
from district.reports import service as reports
from district.reports.models import Report
from district.work import unit_of_work

COOKIE = "supported"
LIVES_S = 90 * 86400
_MOST = 50


def numbers() -> list[str]:
    """The reports that this browser has joined, newest first."""
    return [number for number in request.cookies.get(COOKIE, "").split(".") if number]


def join(report: Report, *, photo_ids: tuple[int, ...] = ()) -> bool:
    """Count this browser's resident among those who have the same trouble; False where they are counted already.

    photo_ids: pictures for whoever handles it, of residents we know: whose they are must be known, or the one who
    filed the report would see them among their own. Raises NotFound for what is nobody's business, Blocked, WrongState.
    """
    is_mine = own.key_of(report) is not None
    if not is_mine and not showing.is_public(report):
        raise NotFound("errors.report_unknown")
    blocked.refuse("")
    shown = showing.joined(report)
    if is_mine or own.key_of(shown) is not None or {report.number, shown.number} & set(numbers()):
        return False
    known = identity.resident()
    with unit_of_work():
        locked = reports.lock(shown.id)
        is_new = reports.support(locked, by=known)
        if known is not None and photo_ids and is_new:
            following.add(locked, by=known, photo_ids=photo_ids)
    return is_new


def remember(response: Response, report: Report) -> None:
    """Let this browser know that it has joined the report."""
    before = [number for number in numbers() if number != report.number]
    value = ".".join([report.number, *before][:_MOST])
    response.set_cookie(COOKIE, value, max_age=LIVES_S, httponly=True, samesite="Lax", secure=request.is_secure)
