"""What devices may alarm about, set by hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from district.categories.models import Category
from district.devices.models import DeviceAlarm, DeviceAlarmKind
from district.facilities.models import FacilityType
from district.loading.device_rows import ALARM_COLUMNS, FLOOD_COLUMNS, read_alarm_kind
from district.messages import t
from district.upkeep.kinds import Cells, Kind, Record, Use, count, in_use, read_row, refuse, yes_no

_KEPT = ("name", "name_en", "category_code", "is_critical", "wait_s", "flood_threshold", "flood_s")


class DeviceAlarms(Kind):
    """Kinds of alarms. One that is out of use is refused when a device sends it; what is open goes on.

    Its code has two parts, the platform's word and the type of facility: `tilt.01001`, `outage.*`.
    """

    name = "device_alarm"
    model = DeviceAlarmKind
    columns = (*ALARM_COLUMNS, *FLOOD_COLUMNS)
    code_column = "key"
    typed_in = "alarm"
    fixed = ("alarm", "facility_type")
    # Read from the table with each message.
    versions = ()

    def key(self) -> ColumnElement[str]:
        return DeviceAlarmKind.code + "." + DeviceAlarmKind.facility_type_code

    def key_of(self, row: DeviceAlarmKind) -> str:
        return f"{row.code}.{row.facility_type_code}"

    def new(self, code: str) -> DeviceAlarmKind:
        word, _, facility_type = code.partition(".")
        return DeviceAlarmKind(code=word, facility_type_code=facility_type)

    def read(self, cells: Cells) -> tuple[str, Record]:
        row, report = read_row(self.columns, cells)
        lists = {"types": t("rules.list.types"), "categories": t("rules.list.categories")}
        _, read = read_alarm_kind(row, in_use(FacilityType), in_use(Category), lists)
        refuse(report)
        return f"{read['code']}.{read['facility_type_code']}", {name: read[name] for name in _KEPT}

    def told(self, row: DeviceAlarmKind) -> Record:
        return {name: getattr(row, name) for name in _KEPT} | {"active": row.retired_at is None}

    def put(self, row: DeviceAlarmKind, record: Record) -> None:
        for name in _KEPT:
            setattr(row, name, record[name])

    def written(self, code: str, record: Record) -> dict[str, str]:
        word, _, facility_type = code.partition(".")
        return {
            "key": code,
            "alarm": word,
            "name_zh": record["name"],
            "name_en": record["name_en"],
            "facility_type": facility_type,
            "category_code": record["category_code"],
            "is_critical": yes_no(record["is_critical"]),
            "wait_s": str(record["wait_s"]),
            "flood_threshold": str(record["flood_threshold"]),
            "flood_s": str(record["flood_s"]),
        }

    def uses(self, row: DeviceAlarmKind) -> list[Use]:
        alarming: Any = (DeviceAlarm.kind_id == row.id, DeviceAlarm.cleared_at.is_(None))
        return [Use("open_alarms", count(DeviceAlarm, *alarming), False)]
