"""WGS-84, which we store, GCJ-02, which WeChat and Chinese maps speak, and BD-09, which Baidu's speak.

The formula is public knowledge: an offset polynomial around 105° E, 35° N on Krasovsky's ellipsoid of 1940.
Outside the box in which maps use GCJ-02 the functions between the two give back what they were given. BD-09 is GCJ-02
moved and turned once more.
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, radians, sin, sqrt

_A = 6378245.0
_EE = 0.00669342162296594323
# The first round is right to 4 m, each further one some hundredfold better: three end below a millimetre.
_ROUNDS = 3
# Baidu's move, in degrees north and east, and the wave of its turn.
_BD_NORTH, _BD_EAST = 0.006, 0.0065
_BD_WAVE = pi * 3000.0 / 180.0


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


def gcj02_to_bd09(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) as Baidu's maps draw the GCJ-02 point."""
    far = hypot(longitude, latitude) + 0.00002 * sin(latitude * _BD_WAVE)
    angle = atan2(latitude, longitude) + 0.000003 * cos(longitude * _BD_WAVE)
    return far * sin(angle) + _BD_NORTH, far * cos(angle) + _BD_EAST


def bd09_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) in GCJ-02 of a point on Baidu's maps, right to a millimetre."""
    guess_latitude, guess_longitude = latitude - _BD_NORTH, longitude - _BD_EAST
    for _ in range(_ROUNDS):
        there_latitude, there_longitude = gcj02_to_bd09(guess_latitude, guess_longitude)
        guess_latitude += latitude - there_latitude
        guess_longitude += longitude - there_longitude
    return guess_latitude, guess_longitude


def bd09_to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """(latitude, longitude) in WGS-84 of a point on Baidu's maps."""
    return gcj02_to_wgs84(*bd09_to_gcj02(latitude, longitude))


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
