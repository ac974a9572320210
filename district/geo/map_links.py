"""Ways on foot to a place, in the map apps that people have."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, degrees, radians
from urllib.parse import urlencode

from district.geo.datum import wgs84_to_gcj02

COMPASS = ("north", "north_east", "east", "south_east", "south", "south_west", "west", "north_west")


@dataclass(frozen=True)
class MapLink:
    """A way in somebody's map app. app: `amap`, `tencent`, `baidu`, or `own` for the phone's."""

    app: str
    url: str


def walking(latitude: float, longitude: float, name: str, *, is_apple: bool) -> list[MapLink]:
    """Ways to a WGS-84 point in Amap, Tencent's, Baidu's and the phone's own maps. is_apple: an iPhone or iPad.

    Chinese maps take GCJ-02, Apple's in China too; a `geo:` address is WGS-84 (RFC 5870).
    """
    north, east = (f"{value:.6f}" for value in wgs84_to_gcj02(latitude, longitude))
    amap = {"to": f"{east},{north},{name}", "mode": "walk", "coordinate": "gaode", "callnative": "1"}
    tencent = {"type": "walk", "to": name, "tocoord": f"{north},{east}", "referer": "bihuan"}
    baidu = {
        "location": f"{north},{east}", "title": name, "content": name, "coord_type": "gcj02", "output": "html",
        "src": "bihuan",
    }  # fmt: skip
    if is_apple:
        own = f"https://maps.apple.com/?{urlencode({'daddr': f'{north},{east}', 'dirflg': 'w'})}"
    else:
        point = f"{latitude:.6f},{longitude:.6f}"
        own = f"geo:{point}?{urlencode({'q': point})}"
    return [
        MapLink("amap", f"https://uri.amap.com/navigation?{urlencode(amap)}"),
        MapLink("tencent", f"https://apis.map.qq.com/uri/v1/routeplan?{urlencode(tencent)}"),
        MapLink("baidu", f"https://api.map.baidu.com/marker?{urlencode(baidu)}"),
        MapLink("own", own),
    ]


def direction(from_: tuple[float, float], to: tuple[float, float]) -> str:
    """Which of COMPASS somebody walks in, from one (latitude, longitude) to another close by."""
    north, east = to[0] - from_[0], (to[1] - from_[1]) * cos(radians(from_[0]))
    return COMPASS[round(degrees(atan2(east, north)) / 45) % 8]
