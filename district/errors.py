"""What can go wrong, in four families. The domain raises them, each door puts them into words.

`key` names a sentence of the message catalogue and `params` fill its placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DistrictError(Exception):
    """Base of everything the domain refuses. Never shown raw: doors translate `key` and `params`."""

    code = "error"
    default_key = "errors.unexpected"

    def __init__(self, key: str | None = None, **params: Any) -> None:
        self.key = key or self.default_key
        self.params = params
        super().__init__(f"{self.code}: {self.key} {params or ''}".strip())


class NotFound(DistrictError):
    """The thing asked for does not exist, or not for this person."""

    code = "not_found"
    default_key = "errors.not_found"


class NotAllowed(DistrictError):
    """The person may not do this."""

    code = "not_allowed"
    default_key = "errors.not_allowed"


class WrongState(DistrictError):
    """The thing is past (or not yet at) the point where this can be done."""

    code = "wrong_state"
    default_key = "errors.wrong_state"


class StaleVersion(WrongState):
    """Somebody else changed the row since the form was opened."""

    code = "stale_version"
    default_key = "errors.stale_version"


class BadInput(DistrictError):
    """What was given cannot be used. `fields` maps a field's name to the catalogue key of what to do."""

    code = "bad_input"
    default_key = "errors.bad_input"

    def __init__(self, key: str | None = None, fields: Mapping[str, str] | None = None, **params: Any) -> None:
        super().__init__(key, **params)
        self.fields: dict[str, str] = dict(fields or {})


class TooMany(DistrictError):
    """Asked too often in a short time."""

    code = "too_many"
    default_key = "errors.too_many"
