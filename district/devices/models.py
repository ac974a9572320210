"""Devices, the kinds of alarms that the district knows, and the alarms themselves."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import BigId, Code, Key, Moment, Name, few
from district.extensions import Model
from district.facilities.models import Facility
from district.units.models import Unit

# How an alarm came to its report: it was filed for it, joined one of its facility, or is part of a cabinet's.
HOW_REPORTED = ("filed", "joined", "flood")


class DeviceAlarmKind(Model):
    """What devices alarm about, as the district says (`device_alarms.csv`).

    code: the platform's word, such as `tilt`. facility_type_code: for which facilities this row is, `*` for all others.
    category_code: as what it is reported; empty for what is only written down. wait_s: how long it must last before it
    is reported, in seconds; what is critical never waits. flood_threshold: so many devices of one cabinet within
    flood_s seconds are one report, 0 for never.
    """

    __tablename__ = "device_alarm_kind"
    __table_args__ = (
        UniqueConstraint("code", "facility_type_code"),
        CheckConstraint("wait_s >= 0 and not (is_critical and wait_s > 0)", name="critical_never_waits"),
        CheckConstraint("flood_threshold = 0 or flood_threshold > 1", name="flood_of_several"),
        CheckConstraint("flood_s > 0", name="flood_time_positive"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    facility_type_code: Mapped[str] = mapped_column(String(40), default="*")
    name: Mapped[Name]
    name_en: Mapped[Name]
    category_code: Mapped[str] = mapped_column(String(40), default="")
    is_critical: Mapped[bool]
    wait_s: Mapped[int] = mapped_column(Integer)
    flood_threshold: Mapped[int] = mapped_column(Integer)
    flood_s: Mapped[int] = mapped_column(Integer)
    retired_at: Mapped[Moment | None]


class Device(Model):
    """Something on a facility that speaks by itself. Rows are never deleted: alarms and the audit log name them.

    code: what its platform calls it, unique among those of unit_id, the unit whose keys speak for it. cabinet: what it
    hangs on (控制箱, gateway), in the platform's words; empty for nothing. model: maker and type, for people.
    last_seen_at: to the minute.
    """

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("unit_id", "code"),
        CheckConstraint("code <> ''", name="code_given"),
        few("ix_device_cabinet", "cabinet", where="cabinet <> ''"),
    )

    id: Mapped[Key]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    code: Mapped[str] = mapped_column(String(80))
    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id"), index=True)
    cabinet: Mapped[str] = mapped_column(String(80), default="")
    model: Mapped[str] = mapped_column(String(80), default="")
    created_at: Mapped[Moment]
    last_seen_at: Mapped[Moment | None]
    retired_at: Mapped[Moment | None]

    unit: Mapped[Unit] = relationship()
    facility: Mapped[Facility] = relationship()


class DeviceAlarm(Model):
    """One trouble of one device, from when it was raised until it was cleared; at most one of a kind is open.

    vendor_id: the platform's own number of it, null for none; the same one again is the same alarm. client_id: the key
    that brought it (`api_key`). raised_at, cleared_at, last_at: the device's own times, UTC. due_at: when it becomes a
    report if it is still open then; null once it has, or never will. again: how often it was cleared and came back.
    repeats: how often it was said while it was open. message: the platform's words for people, with the value.
    """

    __tablename__ = "device_alarm"
    __table_args__ = (
        CheckConstraint("how in ('', 'filed', 'joined', 'flood')", name="how_known"),
        CheckConstraint("report_id is null or how <> ''", name="how_when_reported"),
        CheckConstraint("due_at is null or cleared_at is null", name="due_while_open"),
        CheckConstraint("due_at is null or report_id is null", name="due_until_reported"),
        CheckConstraint("repeats >= 0 and again >= 0", name="counts_not_negative"),
        Index("ix_device_alarm_device", "device_id", "id"),
        Index(
            "uq_device_alarm_vendor", "device_id", "vendor_id", unique=True,
            sqlite_where=text("vendor_id is not null"), postgresql_where=text("vendor_id is not null"),
        ),
        Index(
            "uq_device_alarm_open", "device_id", "kind_id", unique=True,
            sqlite_where=text("cleared_at is null"), postgresql_where=text("cleared_at is null"),
        ),
        few("ix_device_alarm_due", "due_at", where="due_at is not null"),
        few("ix_device_alarm_report", "report_id", where="report_id is not null"),
        Index("ix_device_alarm_last", "last_at"),
    )  # fmt: skip

    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    kind_id: Mapped[int] = mapped_column(ForeignKey("device_alarm_kind.id"))
    vendor_id: Mapped[str | None] = mapped_column(String(80))
    client_id: Mapped[int | None] = mapped_column(BigId)
    raised_at: Mapped[Moment]
    last_at: Mapped[Moment]
    cleared_at: Mapped[Moment | None]
    due_at: Mapped[Moment | None]
    repeats: Mapped[int] = mapped_column(Integer, default=0)
    again: Mapped[int] = mapped_column(Integer, default=0)
    message: Mapped[str] = mapped_column(String(300), default="")
    report_id: Mapped[int | None] = mapped_column(ForeignKey("report.id", ondelete="SET NULL"))
    how: Mapped[str] = mapped_column(String(10), default="")

    device: Mapped[Device] = relationship()
    kind: Mapped[DeviceAlarmKind] = relationship()
