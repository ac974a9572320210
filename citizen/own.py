"""Which reports are this browser's own: a signed cookie of numbers and keys.

No account and no session: the cookie holds nothing but what the resident's private links hold, lives long, and is
read by nobody else. It may be emptied on the page that lists the reports.
"""

from __future__ import annotations

import hmac

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from citizen import identity
from district.reports.models import Report

COOKIE = "my_reports"
NOTICE_COOKIE = "notice"
MOST = 30
LIVES_S = 400 * 86400


def known_keys() -> dict[str, str]:
    """Keys by report number, newest first."""
    try:
        pairs = _serializer().loads(request.cookies.get(COOKIE, ""))
    except BadSignature:
        return {}
    return dict(pairs)


def remember(response: Response, report: Report) -> None:
    """Add a report to this browser's own."""
    mine = {report.number: report.access_key}
    mine.update((number, key) for number, key in known_keys().items() if number != report.number)
    _set(response, COOKIE, str(_serializer().dumps(list(mine.items())[:MOST])))


def forget(response: Response) -> None:
    """Empty the list on this browser; the reports themselves stay."""
    response.delete_cookie(COOKIE)


def right_key(report: Report, given: str | None) -> bool:
    """Whether `given` is the report's key; takes as long for every wrong one."""
    return bool(given) and hmac.compare_digest(str(given).encode(), report.access_key.encode())


def key_of(report: Report, given: str | None = None) -> str | None:
    """The report's key, when the request holds it in its address, its form or its cookie, or when whoever asks is
    known to have filed the report; else None.
    """
    if report.resident_id is not None and report.resident_id == identity.resident_id():
        return report.access_key
    for candidate in (given, known_keys().get(report.number)):
        if right_key(report, candidate):
            return report.access_key
    return None


def has_read_notice(version: int) -> bool:
    """Whether this browser was shown this version of the privacy notice."""
    return request.cookies.get(NOTICE_COOKIE) == str(version)


def note_notice(response: Response, version: int) -> None:
    """Remember that the privacy notice was shown."""
    _set(response, NOTICE_COOKIE, str(version))


def _set(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, max_age=LIVES_S, httponly=True, samesite="Lax", secure=request.is_secure)


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.config["SECRET_KEY"]), salt="my-reports")
