"""WGS-84, which we store, and GCJ-02, which WeChat and Chinese maps speak.

The formula is public knowledge: an offset polynomial around 105° E, 35° N on Krasovsky's ellipsoid of 1940.
Outside the box in which maps use GCJ-02 both functions give back what they were given.
"""

from __future__ import annotations

from math import cos, pi, radians, sin, sqrt

_A = 6378245.0
_EE = 0.00669342162296594323
# The first round is right to 4 m, each further one some hundredfold better: three end below a millimetre.
_ROUNDS = 3


def is_in_china(latitude: float, longitude: float) -> bool:
    """Whether a point lies in the box in which GCJ-02 is used."""
    return 0.8293 <= latitude <= 55.8271 and 72.004 <= longitude <= 137.8347


def wgs84_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) in degrees as Tencent's and Amap's maps draw the WGS-84 point."""
    if not is_in_china(latitude, longitude):
        return latitude, longitude
    north, east = _offset(latitude, longitude)
    return latitude + north, longitude + east


def gcj02_to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) in WGS-84 of a point that WeChat gave, right to a millimetre."""
    if not is_in_china(latitude, longitude):
        return latitude, longitude
    guess_latitude, guess_longitude = latitude, longitude
    for _ in range(_ROUNDS):
        north, east = _offset(guess_latitude, guess_longitude)
        guess_latitude, guess_longitude = latitude - north, longitude - east
    return guess_latitude, guess_longitude


def _offset(latitude: float, longitude: float) -> tuple[float, float]:
    """How far GCJ-02 lies from WGS-84 at this point, in degrees north and east."""
    x, y = longitude - 105.0, latitude - 35.0
    root = sqrt(abs(x))
    wave = (20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)) * 2.0 / 3.0
    north += (160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y * pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)) * 2.0 / 3.0
    east += (150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)) * 2.0 / 3.0

    phi = radians(latitude)
    magic = 1.0 - _EE * sin(phi) ** 2
    metres_north = (_A * (1.0 - _EE)) / (magic * sqrt(magic)) * pi / 180.0
    metres_east = _A / sqrt(magic) * cos(phi) * pi / 180.0
    return north / metres_north, east / metres_east
