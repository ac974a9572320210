"""The two clocks, by the district's settings."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from district import settings
from district.categories.models import Urgency
from district.deadlines.models import CalendarDay
from district.deadlines.service import dispatch_due_at, handling_due_at
from district.extensions import db
from district.reference import forget
from district.work import unit_of_work
from tests.factories import make_category

ZONE = ZoneInfo("Asia/Shanghai")
WEDNESDAY = datetime(2026, 9, 30, 16, 0, tzinfo=ZONE)


@pytest.fixture
def limits(app: Flask) -> dict[str, int]:
    """Categories with different limits, a holiday on the day after WEDNESDAY."""
    with unit_of_work():
        settings.put("hours", {"days": [1, 2, 3, 4, 5], "work": [["08:00", "12:00"], ["13:00", "17:00"]]})
        settings.put(
            "limits",
            {
                "dispatch_minutes": {"critical": 5, "urgent": 20, "normal": 60},
                "default_handling": {"value": 3, "unit": "working_days"},
            },
        )
        settings.changed("settings")
        db.session.add(CalendarDay(day=date(2026, 10, 1), kind="holiday", name="National Day"))
        made = {
            unit: make_category(f"0100{number}", limit_value=2, limit_unit=unit).id
            for number, unit in enumerate(["hours", "working_hours", "working_days"])
        }
    forget()
    return made


@pytest.mark.parametrize(("urgency", "minutes"), [("critical", 5), ("urgent", 20), ("normal", 60)])
def test_dispatch_is_due_by_urgency_day_and_night(limits: dict[str, int], urgency: str, minutes: int) -> None:
    midnight = datetime(2026, 10, 1, 0, 0, tzinfo=ZONE)
    assert dispatch_due_at(Urgency(urgency), midnight) == midnight + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("unit", "end"),
    [
        ("hours", datetime(2026, 9, 30, 18, 0, tzinfo=ZONE)),
        # The holiday between is not counted.
        ("working_hours", datetime(2026, 10, 2, 9, 0, tzinfo=ZONE)),
        ("working_days", datetime(2026, 10, 5, 16, 0, tzinfo=ZONE)),
    ],
)
def test_handling_is_due_by_the_categorys_limit(limits: dict[str, int], unit: str, end: datetime) -> None:
    assert handling_due_at(limits[unit], Urgency.NORMAL, WEDNESDAY) == end


def test_the_limit_of_a_critical_report_runs_day_and_night(limits: dict[str, int]) -> None:
    assert handling_due_at(limits["working_hours"], Urgency.CRITICAL, WEDNESDAY) == WEDNESDAY + timedelta(hours=2)
    assert handling_due_at(limits["working_days"], Urgency.CRITICAL, WEDNESDAY) == WEDNESDAY + timedelta(days=2)


@pytest.mark.parametrize("category_id", [None, 999_999])
def test_without_a_category_the_districts_default_counts(limits: dict[str, int], category_id: int | None) -> None:
    assert handling_due_at(category_id, Urgency.NORMAL, WEDNESDAY) == datetime(2026, 10, 6, 16, 0, tzinfo=ZONE)


def test_a_district_that_says_nothing_still_has_deadlines(app: Flask) -> None:
    assert dispatch_due_at(Urgency.NORMAL, WEDNESDAY) == WEDNESDAY + timedelta(hours=2)
    assert handling_due_at(None, Urgency.NORMAL, WEDNESDAY) > WEDNESDAY + timedelta(days=4)
