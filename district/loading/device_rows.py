"""Read device_alarms.csv and devices.csv: what devices alarm about, and which stand where."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from district.loading.files import Row

ALARM_COLUMNS = ("alarm", "name_zh", "name_en", "facility_type", "category_code", "is_critical", "wait_s")
# These may be left out.
FLOOD_COLUMNS = ("flood_threshold", "flood_s")
DEVICE_COLUMNS = ("device", "unit_code", "facility_code", "cabinet", "model")
DEFAULT_FLOOD_S = 120
_DAY_S = 86_400


def read_alarm_kind(
    row: Row, types: Collection[str] | None, categories: Collection[str] | None, where: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """The kind's key `code|type` and its record; what is wrong is noted in the row's report, column by column.

    where: what a mistake calls the lists of `types` and `categories`.
    """
    code = row.code("alarm", r"[a-z][a-z0-9_]{0,39}", "outage")
    kind = row.text("facility_type", longest=40) or "*"
    if kind != "*":
        row.known("facility_type", kind, types, where["types"])
    is_critical = row.yes_no("is_critical")
    wait_s = _number(row, "wait_s", least=0, most=_DAY_S, otherwise=0)
    if is_critical and wait_s:
        row.wrong("wait_s", "critical_waits", value=wait_s)
    threshold = _number(row, "flood_threshold", least=0, most=10_000, otherwise=0)
    if threshold == 1:
        row.wrong("flood_threshold", "flood_of_one")
    record = {
        "code": code,
        "facility_type_code": kind,
        "name": row.text("name_zh", longest=40),
        "name_en": row.text("name_en", longest=60),
        "category_code": row.reference("category_code", categories, where["categories"], required=False) or "",
        "is_critical": is_critical,
        "wait_s": wait_s,
        "flood_threshold": threshold,
        "flood_s": _number(row, "flood_s", least=1, most=_DAY_S, otherwise=DEFAULT_FLOOD_S),
    }
    return f"{code}|{kind}" if code else "", record


def read_device(
    row: Row, units: Collection[str] | None, facilities: Collection[str] | None, where: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """The device's key `unit|code` and its record, references still as codes; mistakes as above."""
    code = row.text("device", longest=80)
    unit = row.reference("unit_code", units, where["units"]) or ""
    record = {
        "code": code,
        "unit_code": unit,
        "facility_code": row.reference("facility_code", facilities, where["facilities"]) or "",
        "cabinet": row.text("cabinet", longest=80, required=False),
        "model": row.text("model", longest=80, required=False),
    }
    return f"{unit}|{code}" if code and unit else "", record


def _number(row: Row, column: str, *, least: int, most: int, otherwise: int) -> int:
    """A whole number, or `otherwise` for an empty cell or a missing column."""
    return row.whole(column, least=least, most=most) if row.text(column, required=False) else otherwise
