"""The district's own settings: data, loaded from its folder, kept in one table.

Versions (`version:rules`, `version:map`, ...) count up when reference data changes; each process compares
them to know when to read that data again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Integer, String, select
from sqlalchemy.orm import Mapped, mapped_column

from district.columns import Json
from district.extensions import Model, db


class DistrictSetting(Model):
    """One named setting with any JSON value, e.g. `district` → the table of district.toml."""

    __tablename__ = "district_setting"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[Any] = mapped_column(Json)


class ReferenceVersion(Model):
    """How often a kind of reference data has changed: `rules`, `map`, `categories`, `wording`, `settings`."""

    __tablename__ = "reference_version"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, default=1)


def get(name: str, default: Any = None) -> Any:
    """The setting's value, or `default` where it was never loaded."""
    row = db.session.get(DistrictSetting, name)
    return default if row is None else row.value


def put(name: str, value: Any) -> None:
    """Set a setting; does not commit."""
    row = db.session.get(DistrictSetting, name)
    if row is None:
        db.session.add(DistrictSetting(name=name, value=value))
    elif row.value != value:
        row.value = value


def versions() -> dict[str, int]:
    """Every kind's version, in one query."""
    rows = db.session.execute(select(ReferenceVersion.name, ReferenceVersion.number))
    return {row.name: row.number for row in rows}


def changed(*names: str) -> None:
    """Count up the versions of these kinds, so that every process reads them again; does not commit."""
    for name in names:
        row = db.session.get(ReferenceVersion, name, with_for_update=True)
        if row is None:
            db.session.add(ReferenceVersion(name=name, number=1))
        else:
            row.number += 1
