"""Every migration, up and down, with rows in it, on both databases; and the newest schema is the models'."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade
from sqlalchemy import create_engine, text

from tests.migrations import rows as written
from tests.migrations.rows import Rows
from tests.migrations.schema import schema_of
from tests.support import services

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "migrations" / "versions").glob("*.py"))
NUMBERS = [path.name[:4] for path in FILES]
both_kinds = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Database:
    """An empty database that only migrations touch."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def migrate(self, act: Callable[..., None], revision: str) -> None:
        with services.application(self.url, self.folder):
            act(directory=str(ROOT / "migrations"), revision=revision)

    def look(self, act: Callable[..., Any]) -> Any:
        """Call `act` with a connection; what it writes is kept, as the application's own connections would."""
        engine = create_engine(self.url)
        try:
            with engine.begin() as connection:
                if connection.dialect.name == "sqlite":
                    assert connection.execute(text("pragma foreign_keys")).scalar_one() in (0, 1)
                return act(connection)
        finally:
            engine.dispose()


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path, worker_name: str) -> Iterator[Database]:
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path / 'bihuan.db'}", tmp_path)
        return
    request.getfixturevalue("postgres_url")
    with services.own_postgres_database(
        f"bihuan_migrations_{worker_name}_{request.node.nodeid.__hash__() & 0xFFFF:x}"
    ) as url:
        assert url is not None
        yield Database(url, tmp_path)


def rows_for(number: str) -> Rows:
    found = getattr(written, f"Migration{number}", None)
    assert found is not None, (
        f"tests/migrations/rows.py has no Migration{number}: write one that fills the schema before {number} with "
        f"rows in plain SQL and says what must be true of them after going up and down"
    )
    made: Rows = found()
    return made


@both_kinds
@pytest.mark.parametrize("number", NUMBERS)
def test_a_migration_goes_up_and_down_with_rows_in_it(database: Database, number: str) -> None:
    rows = rows_for(number)
    before = f"{int(number) - 1:04d}" if number != NUMBERS[0] else "base"
    if before != "base":
        database.migrate(upgrade, before)
    schema_before = database.look(schema_of)
    database.look(rows.load)

    database.migrate(upgrade, number)
    schema_after = database.look(schema_of)
    assert schema_after != schema_before, f"{number} changes nothing"
    database.look(rows.upgraded)

    database.migrate(downgrade, before)
    assert database.look(schema_of) == schema_before, f"going down from {number} does not lead back"
    database.look(rows.downgraded)

    database.migrate(upgrade, number)
    assert database.look(schema_of) == schema_after, f"{number} leads elsewhere the second time"


@both_kinds
def test_the_newest_schema_is_the_models_to_the_last_condition(database: Database, tmp_path: Path) -> None:
    from district.extensions import db
    from district.tables import is_compared

    database.migrate(upgrade, "head")
    migrated = database.look(schema_of)

    def differences(connection: Any) -> Any:
        how = {"compare_type": True, "include_object": is_compared}
        return compare_metadata(MigrationContext.configure(connection, opts=how), db.metadata)

    assert database.look(differences) == [], "the models have changed: write a migration"

    def start_again(connection: Any) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("drop schema public cascade"))
            connection.execute(text("create schema public"))
        else:
            connection.execute(text("pragma foreign_keys=off"))
            db.metadata.drop_all(connection)
        db.metadata.create_all(connection)

    database.look(start_again)
    by_models = database.look(schema_of)
    assert set(migrated) == set(by_models)
    for table, there in by_models.items():
        for part, wanted in there.items():
            assert migrated[table][part] == wanted, f"{table}: {part} differ between migrations and models"


@both_kinds
def test_the_application_works_on_what_migrations_made(database: Database) -> None:
    from tests.factories import SmallDistrict, make_report

    database.migrate(upgrade, "head")
    with services.application(database.url, database.folder):
        assert make_report(SmallDistrict()).number.startswith("BH")


def test_migrations_are_numbered_one_after_the_other() -> None:
    config = AlembicConfig()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [NUMBERS[-1]], (
        "two migrations have the same number before them: renumber the later one"
    )
    assert [f"{number:04d}" for number in range(1, len(FILES) + 1)] == NUMBERS
    for path, before in zip(FILES, [None, *NUMBERS], strict=False):
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+\.py", path.name), f"{path.name}: name it 0007_what_it_does.py"
        revision = script.get_revision(path.name[:4])
        assert revision is not None
        assert revision.down_revision == before, f"{path.name}: it comes after {before}"
        assert (revision.doc or "").strip(), f"{path.name}: say in a docstring what it does"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_migration_imports_nothing_of_ours_and_can_go_back(path: Path) -> None:
    """It must still run when the application has moved on."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )  # fmt: skip
        for name in names:
            line = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            assert name.split(".")[0] in ("__future__", "sqlalchemy", "alembic", "json"), f"{line} imports {name}"
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    for name in ("upgrade", "downgrade"):
        assert name in functions, f"{path.name}: write {name}()"
        assert not all(isinstance(node, ast.Pass) for node in functions[name].body), f"{path.name}: {name}() is empty"
