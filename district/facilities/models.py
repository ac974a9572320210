"""Facilities, their types, their printed tokens and their maintenance log."""

from __future__ import annotations

from datetime import date
from typing import cast

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from district.columns import Code, Degrees, JsonList, Key, Moment, Name, Words, few, one_of
from district.extensions import Model
from district.facilities.code_states import CodeState
from district.units.models import Unit

FACILITY_STATES = ("intact", "damaged", "missing", "disused", "removed")
# 16 digits: district, major, subtype of two digits, number. 17 digits: the same with a subtype of three.
CODE_SCHEMES = ("16", "17")
CHECK_RESULTS = ("fine", "faulty", "not_found", "unreachable")
_IN_USE = text("retired_at is null")
_NOT_INTACT = text("state <> 'intact'")
_UNREAD = text("words is null")


class FacilityType(Model):
    """A kind of facility. problems: what residents usually report about it, in Chinese, most usual first.

    gives_light: it counts for the share of lights that are lit (district.care.rates).
    """

    __tablename__ = "facility_type"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[Key]
    code: Mapped[Code]
    major: Mapped[Name]
    name: Mapped[Name]
    name_en: Mapped[Name]
    geometry: Mapped[str] = mapped_column(String(20))
    default_unit_kind: Mapped[str] = mapped_column(String(40))
    is_smart: Mapped[bool] = mapped_column(default=False)
    gives_light: Mapped[bool] = mapped_column(default=False, server_default=false())
    problems: Mapped[JsonList]
    default_category_code: Mapped[str] = mapped_column(String(40), default="")
    retired_at: Mapped[Moment | None]


class Facility(Model):
    """One street light, cover, toilet.

    code: 16 digits (old scheme), or the same 17 where the old scheme has no number for its subtype. code17: 17 digits,
    the printed one. code_scheme: in which of the two the district keeps it; the other one follows from it.
    area_code, grid_code: found from the place. contract_from, contract_to: the maintainer's, both days included.
    emergency_phone: the maintainer's line for this facility; empty: the unit's own. version: counts up by each edit.
    words: what it is found by (district.search.tokens of name and address); null: not read yet.
    retired_at: when it was taken out of the register.
    """

    __tablename__ = "facility"
    __table_args__ = (
        UniqueConstraint("code"),
        UniqueConstraint("code17"),
        CheckConstraint(one_of("state", FACILITY_STATES), name="state_known"),
        CheckConstraint(one_of("code_scheme", CODE_SCHEMES), name="code_scheme_known"),
        CheckConstraint(
            "contract_from is null or contract_to is null or contract_from <= contract_to", name="contract_in_order"
        ),
        Index("ix_facility_place", "latitude", "longitude", sqlite_where=_IN_USE, postgresql_where=_IN_USE),
        Index("ix_facility_type", "type_id", "id"),
        Index("ix_facility_area", "area_code", "id"),
        Index("ix_facility_state", "state", "id", sqlite_where=_NOT_INTACT, postgresql_where=_NOT_INTACT),
        Index("ix_facility_unread", "id", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
        Index("ix_facility_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    id: Mapped[Key]
    code: Mapped[Code]
    code17: Mapped[Code]
    code_scheme: Mapped[str] = mapped_column(String(4), default="17", server_default="17")
    type_id: Mapped[int] = mapped_column(ForeignKey("facility_type.id"))
    name: Mapped[Name]
    address: Mapped[Words] = mapped_column(default="")
    latitude: Mapped[Degrees]
    longitude: Mapped[Degrees]
    grid_code: Mapped[Code]
    area_code: Mapped[Code]
    owner_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    maintainer_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    is_smart: Mapped[bool] = mapped_column(default=False)
    installed_on: Mapped[date | None]
    contract_from: Mapped[date | None]
    contract_to: Mapped[date | None]
    emergency_phone: Mapped[str] = mapped_column(String(40), default="", server_default="")
    source: Mapped[str] = mapped_column(String(40), default="")
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    words: Mapped[str | None] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"), deferred=True)
    retired_at: Mapped[Moment | None]

    type: Mapped[FacilityType] = relationship(lazy="joined")
    owner: Mapped[Unit | None] = relationship(foreign_keys=[owner_unit_id])
    maintainer: Mapped[Unit | None] = relationship(foreign_keys=[maintainer_unit_id])


class FacilityHeap(Model):
    """How many facilities of the register stand on a small square of the ground: the map adds squares up.

    north, east: which square, in steps of a STEPS_A_DEGREEth of a degree from the south pole and from 180 degrees
    west. amount: so many more, or fewer; latitude_sum, longitude_sum: their places added up, each in parts of a
    PARTS_A_DEGREEth of a degree from there. The database writes a row of its own for each facility that comes, goes
    or is moved, so that nobody waits for anybody; `district.facilities.heaps` makes one row of those of a square.
    """

    __tablename__ = "facility_heap"
    __table_args__ = (Index("ix_facility_heap_square", "north", "east"),)

    id: Mapped[Key]
    north: Mapped[int]
    east: Mapped[int]
    amount: Mapped[int]
    latitude_sum: Mapped[int] = mapped_column(BigInteger)
    longitude_sum: Mapped[int] = mapped_column(BigInteger)


# A step is about fifty metres: some ten thousand squares in a district, and a map of some kilometres can be cut
# at their edges.
STEPS_A_DEGREE = 2048
PARTS_A_DEGREE = 10_000_000
_MOVED = " or ".join(f"old.{name} {{differs}} new.{name}" for name in ("latitude", "longitude", "retired_at"))


def _line(row: str, sign: str, whole: str) -> str:
    """The statement that counts one facility. row: `new` or `old`; sign: of the amount; whole: rounds a number down."""
    places = [
        sign_ + whole.format(f"({row}.{name} + {turn}) * {parts}")
        for parts, sign_ in ((STEPS_A_DEGREE, ""), (PARTS_A_DEGREE, sign))
        for name, turn in (("latitude", 90), ("longitude", 180))
    ]
    return (
        "insert into facility_heap (north, east, amount, latitude_sum, longitude_sum) "
        f"select {places[0]}, {places[1]}, {sign}1, {places[2]}, {places[3]} where {row}.retired_at is null; "
    )


def keeping(dialect: str) -> tuple[str, ...]:
    """What makes the database keep FacilityHeap in step with Facility."""
    if dialect == "sqlite":
        whole = "cast({} as integer)"
        take, add = _line("old", "-", whole), _line("new", "", whole)
        return (
            f"create trigger facility_heap_added after insert on facility begin {add}end",
            f"create trigger facility_heap_gone after delete on facility begin {take}end",
            "create trigger facility_heap_moved after update of latitude, longitude, retired_at on facility "
            f"when {_MOVED.format(differs='is not')} begin {take}{add}end",
        )
    whole = "cast(floor({}) as bigint)"
    take, add = _line("old", "-", whole), _line("new", "", whole)
    called = "for each row {}execute function keep_facility_heap()"
    return (
        "create function keep_facility_heap() returns trigger language plpgsql as $$ begin "
        f"if tg_op <> 'INSERT' then {take}end if; if tg_op <> 'DELETE' then {add}end if; return null; end $$",
        f"create trigger facility_heap_added after insert on facility {called.format('')}",
        f"create trigger facility_heap_gone after delete on facility {called.format('')}",
        "create trigger facility_heap_moved after update of latitude, longitude, retired_at on facility "
        + called.format(f"when ({_MOVED.format(differs='is distinct from')}) "),
    )


def _kept_by_the_database() -> None:
    facilities, heaps = cast(Table, Facility.__table__), cast(Table, FacilityHeap.__table__)
    # Made after it and emptied before it: facilities that go leave a row there.
    facilities.add_is_dependent_on(heaps)
    for dialect in ("sqlite", "postgresql"):
        for statement in keeping(dialect):
            ddl = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            event.listen(facilities, "after_create", ddl)
    gone = DDL("drop function if exists keep_facility_heap() cascade")  # type: ignore[no-untyped-call]
    event.listen(facilities, "before_drop", gone.execute_if(dialect="postgresql"))


_kept_by_the_database()


class FacilityToken(Model):
    """What a printed code holds: random, short, unguessable, revocable. 10 base-32 characters, stored in capitals.

    A facility may have several over time, also several in use: the old label hangs until the new one does.
    state: see `district.facilities.code_states`; the moments and the state agree. printed_at: the first time.
    reason: why it was revoked, or why a new one was asked for. replaced_by: the code that hangs in its stead.
    last_scanned_on: the district's day on which it last opened its facility's page, see `district.facilities.scans`.
    """

    __tablename__ = "facility_token"
    __table_args__ = (
        few("ix_facility_token_placed", "facility_id", "token", where="state = 'placed'"),
        CheckConstraint(one_of("state", CodeState), name="state_known"),
        CheckConstraint(
            "state not in ('issued', 'printed', 'placed') or (state = 'issued') = (printed_at is null)",
            name="printed_at_when_printed",
        ),
        CheckConstraint(
            "state not in ('issued', 'printed', 'placed') or (state = 'placed') = (placed_at is not null)",
            name="placed_at_when_placed",
        ),
        CheckConstraint("(state = 'revoked') = (revoked_at is not null)", name="revoked_at_when_revoked"),
        CheckConstraint("(state = 'replaced') = (replaced_at is not null)", name="replaced_at_when_replaced"),
        CheckConstraint("(state = 'replaced') = (replaced_by is not null)", name="replaced_by_when_replaced"),
    )

    token: Mapped[str] = mapped_column(String(20), primary_key=True)
    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default=CodeState.ISSUED, server_default=CodeState.ISSUED)
    issued_at: Mapped[Moment]
    printed_at: Mapped[Moment | None]
    placed_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    replaced_at: Mapped[Moment | None]
    replaced_by: Mapped[str | None] = mapped_column(ForeignKey("facility_token.token"))
    issued_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    placed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    reason: Mapped[Words] = mapped_column(default="", server_default="")
    last_scanned_on: Mapped[date | None]

    facility: Mapped[Facility] = relationship()


class FacilityScanDay(Model):
    """How often codes of a facility were scanned on one day of the district; nothing about by whom."""

    __tablename__ = "facility_scan_day"
    __table_args__ = (
        CheckConstraint("scans > 0", name="scans_positive"),
        Index("ix_facility_scan_day_day", "day"),
    )

    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    scans: Mapped[int]


class CodeGuessDay(Model):
    """How many codes that are none were tried on one day of the district, by door. door: see `scans.Door`."""

    __tablename__ = "code_guess_day"
    __table_args__ = (CheckConstraint("wrong > 0", name="wrong_positive"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    door: Mapped[str] = mapped_column(String(20), primary_key=True)
    wrong: Mapped[int]


class MaintenanceEntry(Model):
    """What staff did to a facility, newest matters most. kind: `repair`, `inspection`, `note`.

    Of an inspection: result (CHECK_RESULTS), null for those from before there were any; problem: what was wrong, in
    the words of the type; plan_id: the plan it counts for; metres: how far from the facility its person stood, null
    where they gave no position; is_far: farther than a check may be made from (district.reports.spot).
    """

    __tablename__ = "maintenance_entry"
    __table_args__ = (
        CheckConstraint("kind in ('repair', 'inspection', 'note')", name="kind_known"),
        CheckConstraint(one_of("result", CHECK_RESULTS), name="result_known"),
        CheckConstraint("result is null or kind = 'inspection'", name="result_of_inspection"),
        CheckConstraint("plan_id is null or result is not null", name="plan_with_result"),
        CheckConstraint("not is_far or metres is not null", name="far_by_metres"),
        # Whether a facility was looked at in a plan's period: one row of an index for each facility asked about.
        few(
            "ix_maintenance_entry_plan", "plan_id", "facility_id", "at",
            where="plan_id is not null and result <> 'unreachable'",
        ),
        few("ix_maintenance_entry_missing", "facility_id", "at", where="result = 'not_found'"),
        few("ix_maintenance_entry_repair", "at", "facility_id", where="kind = 'repair'"),
    )  # fmt: skip

    id: Mapped[Key]
    facility_id: Mapped[int] = mapped_column(ForeignKey("facility.id"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str] = mapped_column(String(20))
    note: Mapped[Words]
    at: Mapped[Moment]
    result: Mapped[str | None] = mapped_column(String(20))
    problem: Mapped[Name] = mapped_column(default="", server_default="")
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("inspection_plan.id"))
    metres: Mapped[int | None]
    is_far: Mapped[bool] = mapped_column(default=False, server_default=false())
