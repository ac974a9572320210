"""devices: what speaks by itself on facilities, the kinds of alarms the district knows, and the alarms

Adds three tables and two kinds of history: a device's alarm is part of a report, and its devices are well again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
NEW_KINDS = ("device_alarm", "device_cleared")
KINDS = "kind_known"


def upgrade() -> None:
    op.create_table(
        "device_alarm_kind",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("facility_type_code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_en", sa.String(length=200), nullable=False),
        sa.Column("category_code", sa.String(length=40), nullable=False),
        sa.Column("is_critical", sa.Boolean(), nullable=False),
        sa.Column("wait_s", sa.Integer(), nullable=False),
        sa.Column("flood_threshold", sa.Integer(), nullable=False),
        sa.Column("flood_s", sa.Integer(), nullable=False),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "wait_s >= 0 and not (is_critical and wait_s > 0)",
            name=op.f("ck_device_alarm_kind_critical_never_waits"),
        ),
        sa.CheckConstraint(
            "flood_threshold = 0 or flood_threshold > 1", name=op.f("ck_device_alarm_kind_flood_of_several")
        ),
        sa.CheckConstraint("flood_s > 0", name=op.f("ck_device_alarm_kind_flood_time_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_alarm_kind")),
        sa.UniqueConstraint("code", "facility_type_code", name=op.f("uq_device_alarm_kind_code")),
    )
    op.create_table(
        "device",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("unit_id", BIG, nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("cabinet", sa.String(length=80), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=True),
        sa.Column("retired_at", MOMENT, nullable=True),
        sa.CheckConstraint("code <> ''", name=op.f("ck_device_code_given")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_device_unit_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_device_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("unit_id", "code", name=op.f("uq_device_unit_id")),
    )
    _index("ix_device_cabinet", "device", ["cabinet"], "cabinet <> ''")
    op.create_index(op.f("ix_device_facility_id"), "device", ["facility_id"])
    op.create_table(
        "device_alarm",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("device_id", BIG, nullable=False),
        sa.Column("kind_id", BIG, nullable=False),
        sa.Column("vendor_id", sa.String(length=80), nullable=True),
        sa.Column("client_id", BIG, nullable=True),
        sa.Column("raised_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("cleared_at", MOMENT, nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("again", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=300), nullable=False),
        sa.Column("report_id", BIG, nullable=True),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.CheckConstraint("how in ('', 'filed', 'joined', 'flood')", name=op.f("ck_device_alarm_how_known")),
        sa.CheckConstraint("report_id is null or how <> ''", name=op.f("ck_device_alarm_how_when_reported")),
        sa.CheckConstraint("due_at is null or cleared_at is null", name=op.f("ck_device_alarm_due_while_open")),
        sa.CheckConstraint("due_at is null or report_id is null", name=op.f("ck_device_alarm_due_until_reported")),
        sa.CheckConstraint("repeats >= 0 and again >= 0", name=op.f("ck_device_alarm_counts_not_negative")),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_device_alarm_device_id")),
        sa.ForeignKeyConstraint(["kind_id"], ["device_alarm_kind.id"], name=op.f("fk_device_alarm_kind_id")),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_device_alarm_report_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_alarm")),
    )
    op.create_index("ix_device_alarm_device", "device_alarm", ["device_id", "id"])
    op.create_index("ix_device_alarm_last", "device_alarm", ["last_at"])
    _index("uq_device_alarm_vendor", "device_alarm", ["device_id", "vendor_id"], "vendor_id is not null", unique=True)
    _index("uq_device_alarm_open", "device_alarm", ["device_id", "kind_id"], "cleared_at is null", unique=True)
    _index("ix_device_alarm_due", "device_alarm", ["due_at"], "due_at is not null")
    _index("ix_device_alarm_report", "device_alarm", ["report_id"], "report_id is not null")
    known = _kinds()
    _replace_kinds([*known, *(kind for kind in NEW_KINDS if kind not in known)])


def downgrade() -> None:
    # The table of before cannot name these lines; that something was said is what it can say.
    left = [kind for kind in _kinds() if kind not in NEW_KINDS]
    names = ", ".join(f"'{kind}'" for kind in NEW_KINDS)
    op.execute(f"update report_event set kind = 'commented' where kind in ({names})")
    _replace_kinds(left)
    op.drop_table("device_alarm")
    op.drop_table("device")
    op.drop_table("device_alarm_kind")


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _kinds() -> list[str]:
    """What the table knows now, in its order."""
    found = sa.inspect(op.get_bind()).get_check_constraints("report_event")
    (text,) = [one["sqltext"] for one in found if str(one["name"]).endswith(KINDS)]
    # Both databases write each value in quotes, the one with its type behind it.
    return str(text).split("'")[1::2]


def _replace_kinds(kinds: list[str]) -> None:
    names = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("report_event") as event:
        event.drop_constraint(op.f("ck_report_event_kind_known"), type_="check")
        event.create_check_constraint(op.f("ck_report_event_kind_known"), f"kind in ({names})")
