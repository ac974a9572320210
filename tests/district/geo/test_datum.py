"""GCJ-02 there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from district.geo.datum import gcj02_to_wgs84, is_in_china, wgs84_to_gcj02
from district.geo.measure import metres_between

in_china = st.tuples(st.floats(18.0, 53.0), st.floats(74.0, 135.0))


@pytest.mark.parametrize(
    ("wgs84", "gcj02"),
    [
        # The published check value, and two more worked out with an independent implementation.
        ((39.908721, 116.397499), (39.9101245, 116.4037426)),
        ((50.426000, 124.126000), (50.4276768, 124.1336086)),
        ((22.543096, 114.057865), (22.5403788, 114.0629790)),
    ],
)
def test_known_points_are_shifted_as_maps_shift_them(wgs84: tuple[float, float], gcj02: tuple[float, float]) -> None:
    assert wgs84_to_gcj02(*wgs84) == pytest.approx(gcj02, abs=1e-7)


@given(in_china)
def test_there_and_back_is_the_same_point(point: tuple[float, float]) -> None:
    assert metres_between(*gcj02_to_wgs84(*wgs84_to_gcj02(*point)), *point) < 0.001


@given(in_china)
def test_the_shift_is_never_more_than_seven_hundred_metres(point: tuple[float, float]) -> None:
    assert metres_between(*wgs84_to_gcj02(*point), *point) < 700


@pytest.mark.parametrize("point", [(51.5, -0.12), (0.5, 100.0), (56.0, 100.0), (40.0, 140.0), (-33.9, 151.2)])
def test_points_outside_china_stay_where_they_are(point: tuple[float, float]) -> None:
    assert not is_in_china(*point)
    assert wgs84_to_gcj02(*point) == point
    assert gcj02_to_wgs84(*point) == point
