"""Which machine sends a request of the API, by the key it shows: `Authorization: Bearer ...` or `X-API-Key: ...`."""

from __future__ import annotations

from flask import request

from district.api_keys import service as api_keys
from district.api_keys.models import Scope
from district.api_keys.service import Client, KeyRefused
from district.errors import DistrictError
from district.work import unit_of_work

_BEARER = "bearer "
_FOUND = "bihuan.api_client"


def shown_key() -> str:
    """The key as it was sent, empty for none."""
    bearer = request.headers.get("Authorization", "")
    if bearer.lower().startswith(_BEARER):
        return bearer[len(_BEARER) :].strip()
    return request.headers.get("X-API-Key", "").strip()


def client() -> Client | None:
    """Who sends this request; None without a key. Raises KeyRefused: a wrong key is never nobody's request."""
    # Asked several times for each request, by its limits too; found out once.
    if _FOUND not in request.environ:
        key = shown_key()
        try:
            request.environ[_FOUND] = api_keys.verify(key) if key else None
        except KeyRefused as error:
            request.environ[_FOUND] = error
    found: Client | KeyRefused | None = request.environ[_FOUND]
    if isinstance(found, KeyRefused):
        raise found
    return found


def permitted(scope: Scope) -> Client | None:
    """The same, of a machine that may do this; notes that its key is in use. Call it outside a unit of work.

    Raises KeyRefused and ScopeMissing.
    """
    found = client()
    if found is None:
        return None
    found.require(scope)
    if found.is_use_due:
        with unit_of_work():
            api_keys.note_use(found)
    return found


def is_known() -> bool:
    """Whether a good key was shown: its own limit counts then, and not that of an address."""
    try:
        return client() is not None
    except DistrictError:
        return False


def is_unknown() -> bool:
    return not is_known()


def own_limit() -> str:
    """What this machine's key may send."""
    found = client() if is_known() else None
    return f"{found.per_minute if found is not None else 1} per minute"


def own_name() -> str:
    """By what its requests are counted."""
    found = client() if is_known() else None
    return f"api-key:{found.id if found is not None else 0}"
