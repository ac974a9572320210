"""Which resident this browser belongs to, when it is WeChat's own and has logged in: one signed cookie.

Never required for anything: whoever is not known uses the pages as everybody else does.
"""

from __future__ import annotations

from flask import current_app, g, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from district.extensions import db
from district.people.models import Resident

COOKIE = "resident"
LIVES_S = 30 * 86400


def resident_id() -> int | None:
    """The resident who opened this page, None for somebody unknown. Looked up once a request.

    Who left the account, or took back what they allowed us, is unknown.
    """
    if "resident_id" not in g:
        g.resident_id = _read()
    known: int | None = g.resident_id
    return known


def resident() -> Resident | None:
    """The same as an actor for the verbs, which ask for the id alone."""
    known = resident_id()
    return Resident(id=known) if known is not None else None


def log_in(response: Response, known: Resident) -> None:
    """Let this browser be `known`'s from now on."""
    value = str(_serializer().dumps([known.id, known.web_epoch]))
    response.set_cookie(COOKIE, value, max_age=LIVES_S, httponly=True, samesite="Lax", secure=request.is_secure)


def log_out(response: Response) -> None:
    response.delete_cookie(COOKIE)


def _read() -> int | None:
    if COOKIE not in request.cookies:
        return None
    try:
        known, epoch = _serializer().loads(request.cookies[COOKIE], max_age=LIVES_S)
    except (BadSignature, ValueError, TypeError):
        return None
    row = db.session.get(Resident, known) if isinstance(known, int) else None
    return row.id if row is not None and row.openid is not None and row.web_epoch == epoch else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.config["SECRET_KEY"]), salt="resident")
