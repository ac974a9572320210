"""A place in the address of a map's page, as residents forward it. Pure: nothing is opened, nothing is asked.

Chinese map services write GCJ-02 in their links, in many spellings and in both orders. Which number is the latitude
is told by its size: no latitude of China is as large as any longitude of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote_plus, urlsplit

# Names that carry both numbers, and pairs of names that carry one each (latitude first).
_BOTH = (
    "q", "coord", "coords", "location", "position", "ll", "center", "point", "dest", "p", "to", "tocoord", "marker",
)  # fmt: skip
_PAIRS = (("lat", "lng"), ("lat", "lon"), ("latitude", "longitude"), ("pointy", "pointx"), ("y", "x"), ("lat", "long"))
_NAMES = ("title", "name", "poiname", "label", "keyword", "addr", "address")
# Writes a datum of its own, some six hundred metres off: such a link is asked about rather than believed.
_OTHER_DATUM = re.compile(r"(^|\.)baidu\.com$|^j\.map\.baidu", re.IGNORECASE)
_TWO_NUMBERS = re.compile(r"(-?\d{1,3}\.\d{2,})\s*[,，|;]\s*(-?\d{1,3}\.\d{2,})")
_AT = re.compile(r"/@(-?\d{1,3}\.\d{2,}),(-?\d{1,3}\.\d{2,})")
_ADDRESS = re.compile(r"(?:https?|geo|androidamap|iosamap|qqmap):[^\s<>\"，。；、）)]+", re.IGNORECASE)
_TITLE = re.compile(r"(?:^|;)title:([^;|]+)")
LONGEST_NAME = 60


@dataclass(frozen=True)
class LinkedPlace:
    """GCJ-02 degrees and the name the link gives, "" for none."""

    latitude: float
    longitude: float
    name: str = ""


def address_in(text: str) -> str | None:
    """The first address in a text."""
    found = _ADDRESS.search(text)
    return found.group() if found else None


def read(address: str) -> LinkedPlace | None:
    """The place an address holds in its parameters; None when it holds none, or one of another datum."""
    try:
        parts = urlsplit(address.strip())
        values = {name.lower(): found[0] for name, found in parse_qs(parts.query or parts.fragment).items()}
    except ValueError:
        return None
    if _OTHER_DATUM.search(parts.hostname or "") or values.get("coord_type", "").lower().startswith("bd"):
        return None
    point = _point(parts.path if parts.scheme == "geo" else "", unquote_plus(address), values)
    if point is None:
        return None
    name = next((values[one] for one in _NAMES if values.get(one)), "")
    title = _TITLE.search(values.get("marker", ""))
    return LinkedPlace(*point, name=(title[1] if title else name).strip()[:LONGEST_NAME])


def _point(geo: str, address: str, values: dict[str, str]) -> tuple[float, float] | None:
    for first, second in _PAIRS:
        if first in values and second in values:
            found = _ordered(values[first], values[second])
            if found is not None:
                return found
    for text in (geo, *(values[name] for name in _BOTH if name in values)):
        numbers = _TWO_NUMBERS.search(text)
        if numbers and (found := _ordered(numbers[1], numbers[2])):
            return found
    at = _AT.search(address)
    return _ordered(at[1], at[2]) if at else None


def _ordered(first: str, second: str) -> tuple[float, float] | None:
    """(latitude, longitude) within China's box, whichever came first."""
    try:
        one, other = float(first), float(second)
    except ValueError:
        return None
    for latitude, longitude in ((one, other), (other, one)):
        if 3 <= latitude <= 54 and 73 <= longitude <= 136:
            return latitude, longitude
    return None
