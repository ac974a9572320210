"""Devices for tests: on facilities of the small district, with the kinds of alarms that it knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import current_app

from district import clock, jobs
from district.api_keys import service as api_keys
from district.api_keys.models import Scope
from district.devices.models import Device, DeviceAlarmKind
from district.extensions import db
from district.facilities.models import Facility
from district.work import unit_of_work
from tests.factories import SmallDistrict, forget_reference, make_category, make_facility

WAIT_S = 60


class Field:
    """One street light with a lamp controller, a key of its unit, and four kinds of alarms.

    outage waits a minute and floods at five within two minutes; tilt is critical; low_battery is only written down.
    """

    def __init__(self, district: SmallDistrict) -> None:
        self.district = district
        with unit_of_work():
            make_category("01001", name="井盖异常", urgency="urgent")
            for code, category, critical, wait, flood in (
                ("outage", "01037", False, WAIT_S, 5), ("tilt", "01001", True, 0, 0), ("low_battery", "", False, 0, 0),
                ("leak", "01001", True, 0, 3),
            ):  # fmt: skip
                db.session.add(
                    DeviceAlarmKind(
                        code=code, facility_type_code="*", name={"outage": "不亮", "tilt": "倾斜"}.get(code, code),
                        name_en=code, category_code=category, is_critical=critical, wait_s=wait,
                        flood_threshold=flood, flood_s=120,
                    )
                )  # fmt: skip
            _, self.key = api_keys.create(
                by=district.staff["administrator"], name="路灯平台", unit_id=district.lamps.id,
                scopes=[Scope.DEVICES_ALARM.value, Scope.REPORTS_READ.value], per_minute=6000, expires_at=None,
            )  # fmt: skip
        self.facility = self.lamp("L-1")
        forget_reference()

    def lamp(self, code: str, *, cabinet: str = "", facility: Facility | None = None, **more: Any) -> Facility:
        """A device, on a new street light unless one is given."""
        with unit_of_work():
            place = facility or make_facility(self.district.lamps)
            values = {"unit_id": self.district.lamps.id, "created_at": clock.now()} | more
            db.session.add(Device(code=code, facility_id=place.id, cabinet=cabinet, model="", **values))
            db.session.flush()
            place_id = place.id
        return db.session.get_one(Facility, place_id)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


def wait_over(seconds: float = WAIT_S + 1) -> Any:
    """Later by so much: what waited is due."""
    return clock.frozen_at(clock.now() + timedelta(seconds=seconds))


def report_due() -> None:
    """The periodic job has its turn, with a session of its own, as the scheduler's has."""
    with current_app.app_context():
        jobs.report_alarms()
    db.session.rollback()
