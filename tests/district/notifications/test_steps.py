"""When the quiet hours are, and that every step has its sentences."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from district.messages import has
from district.notifications.steps import STEPS, TEMPLATES, read_quiet_hours

ZONE = "Asia/Shanghai"


@pytest.mark.parametrize(
    "begins, ends, moment, over",
    [
        ("22:00", "07:30", "2026-11-25 21:59", None),
        ("22:00", "07:30", "2026-11-25 22:00", "2026-11-26 07:30"),
        ("22:00", "07:30", "2026-11-25 23:59", "2026-11-26 07:30"),
        ("22:00", "07:30", "2026-12-31 23:59", "2027-01-01 07:30"),
        ("22:00", "07:30", "2026-11-26 00:00", "2026-11-26 07:30"),
        ("22:00", "07:30", "2026-11-26 07:29", "2026-11-26 07:30"),
        ("22:00", "07:30", "2026-11-26 07:30", None),
        ("00:00", "06:00", "2026-11-26 03:00", "2026-11-26 06:00"),
        ("00:00", "06:00", "2026-11-26 23:00", None),
        ("12:00", "12:00", "2026-11-26 12:00", None),
    ],
)
def test_quiet_hours_are_the_districts(begins: str, ends: str, moment: str, over: str | None) -> None:
    zone = ZoneInfo(ZONE)
    found = read_quiet_hours(begins, ends, ZONE).until(datetime.fromisoformat(moment).replace(tzinfo=zone))
    assert found == (datetime.fromisoformat(over).replace(tzinfo=zone) if over else None)


@pytest.mark.parametrize("kind", STEPS)
def test_each_step_has_its_sentences_and_a_template_that_exists(kind: str) -> None:
    assert has(f"notifications.{kind}")
    assert has(f"notifications.short.{kind}")
    assert STEPS[kind].template in ("", *TEMPLATES)
