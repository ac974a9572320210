"""Periods of plans: which one is today's, and which one came before it."""

from __future__ import annotations

from datetime import date

import pytest

from district.care.periods import Window, window


@pytest.mark.parametrize(
    "starts_on, every, unit, months, today, expected",
    [
        (date(2026, 1, 1), 1, "months", [], date(2026, 1, 31), Window(date(2026, 1, 1), date(2026, 1, 31))),
        (
            date(2026, 1, 1), 1, "months", [], date(2026, 3, 1),
            Window(date(2026, 3, 1), date(2026, 3, 31), date(2026, 2, 1), date(2026, 2, 28)),
        ),
        (
            date(2026, 1, 31), 1, "months", [], date(2026, 3, 1),
            Window(date(2026, 2, 28), date(2026, 3, 30), date(2026, 1, 31), date(2026, 2, 27)),
        ),
        (
            date(2026, 1, 5), 2, "weeks", [], date(2026, 1, 19),
            Window(date(2026, 1, 19), date(2026, 2, 1), date(2026, 1, 5), date(2026, 1, 18)),
        ),
        (
            date(2026, 1, 1), 3, "days", [], date(2026, 1, 6),
            Window(date(2026, 1, 4), date(2026, 1, 6), date(2026, 1, 1), date(2026, 1, 3)),
        ),
        (date(2026, 1, 1), 1, "months", [5, 6], date(2026, 4, 30), None),
        (date(2026, 1, 1), 1, "months", [5, 6], date(2026, 5, 1), Window(date(2026, 5, 1), date(2026, 5, 31))),
        (
            date(2025, 1, 1), 1, "months", [5, 6], date(2026, 5, 9),
            Window(date(2026, 5, 1), date(2026, 5, 31), date(2025, 6, 1), date(2025, 6, 30)),
        ),
        (
            date(2025, 1, 1), 1, "days", [5], date(2026, 5, 1),
            Window(date(2026, 5, 1), date(2026, 5, 1), date(2025, 5, 31), date(2025, 5, 31)),
        ),
        (date(2026, 2, 1), 1, "days", [], date(2026, 1, 31), None),
    ],
)  # fmt: skip
def test_a_day_lies_in_its_period(
    starts_on: date, every: int, unit: str, months: list[int], today: date, expected: Window | None
) -> None:
    assert window(starts_on, every, unit, months, today) == expected
