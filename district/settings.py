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


# What the panel says instead of the district's folder: {dotted path: value}. Loading the folder again leaves it.
PANEL = "panel"


def override(path: str, value: Any | None) -> None:
    """Say another value for a setting of district.toml, such as `privacy.retention_days.contact`; None takes it back.

    Every process reads it at its next look at the reference data; does not commit.
    """
    # Counting up locks: of two who change settings at once the second sees what the first wrote.
    changed("settings")
    row = db.session.get(DistrictSetting, PANEL, populate_existing=True)
    said = {name: kept for name, kept in (row.value if row is not None else {}).items() if name != path}
    put(PANEL, said if value is None else said | {path: value})


def with_overrides(tables: dict[str, Any]) -> dict[str, Any]:
    """The settings with what the panel says in its place. Changes nothing that it was given."""
    said = tables.get(PANEL, {})
    made = {name: value for name, value in tables.items() if name != PANEL}
    for path, value in said.items():
        table, names = made, path.split(".")
        for name in names[:-1]:
            inner = table.get(name)
            table[name] = dict(inner) if isinstance(inner, dict) else {}
            table = table[name]
        table[names[-1]] = value
    return made
