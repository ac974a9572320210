"""Distances on the ground between points that lie close together."""

from __future__ import annotations

from math import cos, hypot, radians

METRES_A_DEGREE = 111_320.0


def metres_between(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Metres between two points, right to a percent or so within a city."""
    north = (other_latitude - latitude) * METRES_A_DEGREE
    east = (other_longitude - longitude) * METRES_A_DEGREE * cos(radians((latitude + other_latitude) / 2))
    return hypot(north, east)
