"""Areas, compounds and named places. All geometry is WGS-84, longitude first as in GeoJSON."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Code, Degrees, JsonDict, JsonList, Key, Moment, Name, Words, one_of
from district.extensions import Model

LEVELS = ("area", "community", "grid")


class Area(Model):
    """A street or township (area, 9 digits), a community (12) or a unit grid (15).

    geometry: a GeoJSON Polygon or MultiPolygon. area_code: the street or township it lies in.
    """

    __tablename__ = "area"
    __table_args__ = (UniqueConstraint("code"), CheckConstraint(one_of("level", LEVELS), name="level_known"))

    id: Mapped[Key]
    level: Mapped[str] = mapped_column(String(20), index=True)
    code: Mapped[Code]
    name: Mapped[Name]
    parent_code: Mapped[Code]
    area_code: Mapped[Code]
    geometry: Mapped[JsonDict]
    retired_at: Mapped[Moment | None]


class Compound(Model):
    """A residential compound (小区) with its boundary and the company that looks after it, if any."""

    __tablename__ = "compound"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[Key]
    code: Mapped[Code]
    name: Mapped[Name]
    property_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    area_code: Mapped[Code]
    community_code: Mapped[Code]
    geometry: Mapped[JsonDict]
    attributes: Mapped[JsonDict]
    retired_at: Mapped[Moment | None]


class NamedPlace(Model):
    """A row of the gazetteer: a road, crossing, compound, landmark. One name may stand for several places."""

    __tablename__ = "named_place"
    __table_args__ = (Index("ix_named_place_name", "name"),)

    id: Mapped[Key]
    name: Mapped[Name]
    kind: Mapped[str] = mapped_column(String(30))
    aliases: Mapped[JsonList]
    longitude: Mapped[Degrees]
    latitude: Mapped[Degrees]
    area_code: Mapped[Code]
    community_code: Mapped[Code]
    address: Mapped[Words] = mapped_column(default="")
