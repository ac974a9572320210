"""Every migration, up and down, with rows in it, on both databases; and the newest schema is the models'."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from alembic import util
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Connection, Engine, create_engine, inspect, make_url, text

from district.app import create_core
from district.extensions import db
from tests.migrations import rows as written
from tests.migrations.rows import Rows
from tests.migrations.schema import schema_of
from tests.support import services

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "migrations" / "versions").glob("*.py"))
NUMBERS = [path.name[:4] for path in FILES]
both_kinds = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Database:
    """An empty database that only migrations touch."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    @cached_property
    def _core(self) -> Flask:
        return create_core(services.config_for(self.url, self.folder))

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self.url)

    def migrate(self, act: Callable[..., None], revision: str) -> None:
        with self._core.app_context():
            act(directory=str(ROOT / "migrations"), revision=revision)

    def look(self, act: Callable[..., Any]) -> Any:
        """Call `act` with a connection; what it writes is kept, as the application's own connections would."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                assert connection.execute(text("pragma foreign_keys")).scalar_one() in (0, 1)
            return act(connection)

    def close(self) -> None:
        """Nobody is connected any more. Whoever looks again connects again."""
        self._engine.dispose()
        with self._core.app_context():
            db.engine.dispose()


@contextmanager
def new_database(kind: str, name: str, folder: Path, *, like: Database | None = None) -> Iterator[Database]:
    """An empty database, or a copy of another one that nobody is connected to; gone afterwards."""
    if like is not None:
        like.close()
    if kind == "postgresql":
        template = make_url(like.url).database if like is not None else None
        with services.own_postgres_database(f"bihuan_{name}_{os.getpid()}", template=template) as url:
            assert url is not None
            with closing(Database(url, folder)) as database:
                yield database
        return
    path = folder / "bihuan.db"
    if like is not None:
        services.settle_sqlite(like.folder / "bihuan.db")
        shutil.copy(like.folder / "bihuan.db", path)
    with closing(Database(f"sqlite:///{path}", folder)) as database:
        yield database


class Walked:
    """Empty databases that go up step by step, one of each kind, so that no test has to begin from nothing."""

    def __init__(self, folders: pytest.TempPathFactory, open_until_the_end: ExitStack) -> None:
        self._folders, self._open = folders, open_until_the_end
        self._at: dict[str, tuple[str, Database]] = {}
        self._made = 0

    def at(self, kind: str, revision: str) -> Database:
        """The one of this kind, gone up to `revision`; "" for one without tables. To be copied, not changed."""
        number, walked = self._at.get(kind, ("", None))
        if walked is None or number > revision:
            self._made += 1
            name = f"walked{self._made}_{revision}"
            number, walked = "", self._open.enter_context(new_database(kind, name, self._folders.mktemp("walked")))
        if number != revision:
            walked.migrate(upgrade, revision)
        self._at[kind] = (revision, walked)
        return walked

    @contextmanager
    def onward(self, kind: str, before: str, number: str) -> Iterator[Database]:
        """One gone up to `before`, to be taken to `number`, whatever rows it then holds.

        A file is copied. A server takes far longer to copy a database than to empty it: there it is the walked one
        itself, and the next test goes on from where this one ends, unless it fails.
        """
        database = self.at(kind, before)
        if kind == "sqlite":
            with new_database(kind, number, self._folders.mktemp("onward"), like=database) as copy:
                yield copy
            return
        del self._at[kind]
        yield database
        database.look(delete_everything)
        self._at[kind] = (number, database)


def delete_everything(connection: Connection) -> None:
    """Every row on a server but the migration's number, whatever refers to it."""
    connection.exec_driver_sql("set local session_replication_role = replica")
    for name in set(inspect(connection).get_table_names()) - {"alembic_version"}:
        connection.exec_driver_sql(f'delete from "{name}"')


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    with ExitStack() as stack:
        yield Walked(tmp_path_factory, stack)


@pytest.fixture(scope="module", autouse=True)
def _files_read_once() -> Iterator[None]:
    """Alembic reads every migration anew at each step, six thousand files in all; env.py alone does something then."""
    load = util.load_python_file
    kept: dict[tuple[str, str], Any] = {}

    def loaded(folder: Any, name: str) -> Any:
        if name == "env.py":
            return load(folder, name)
        known = (str(folder), name)
        if known not in kept:
            kept[known] = load(folder, name)
        return kept[known]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(util, "load_python_file", loaded)
        yield


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        request.getfixturevalue("postgres_url")  # skips where no server answers
    return str(request.param)


@pytest.fixture
def newest(kind: str, walked: Walked, tmp_path: Path) -> Iterator[Database]:
    """All migrations done, no rows."""
    with new_database(kind, "newest", tmp_path, like=walked.at(kind, NUMBERS[-1])) as database:
        yield database


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
def test_a_migration_goes_up_and_down_with_rows_in_it(kind: str, walked: Walked, number: str) -> None:
    before = f"{int(number) - 1:04d}" if number != NUMBERS[0] else ""
    with walked.onward(kind, before, number) as database:
        goes_up_and_down(database, number, before or "base", rows_for(number))


def goes_up_and_down(database: Database, number: str, before: str, rows: Rows) -> None:
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
def test_the_newest_schema_is_the_models_to_the_last_condition(newest: Database) -> None:
    from district.tables import is_compared

    migrated = newest.look(schema_of)

    def differences(connection: Any) -> Any:
        how = {"compare_type": True, "include_object": is_compared}
        return compare_metadata(MigrationContext.configure(connection, opts=how), db.metadata)

    assert newest.look(differences) == [], "the models have changed: write a migration"

    def start_again(connection: Any) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("drop schema public cascade"))
            connection.execute(text("create schema public"))
        else:
            connection.execute(text("pragma foreign_keys=off"))
            db.metadata.drop_all(connection)
        db.metadata.create_all(connection)

    newest.look(start_again)
    by_models = newest.look(schema_of)
    assert set(migrated) == set(by_models)
    for table, there in by_models.items():
        for part, wanted in there.items():
            assert migrated[table][part] == wanted, f"{table}: {part} differ between migrations and models"


CHANGES = (
    "alter table two add column more text",
    "alter table two add column counted integer not null default 7",
    "create unique index ix_two_word on two (word)",
    "create index ix_two_some on two (word) where amount > 3",
    "create table four (id integer primary key)",
    "alter table two rename column word to words",
    "alter table two rename to five",
)
WORDS_CHANGED = (
    ("word text", "word text not null"), ("word text", "word varchar(80)"), ("amount integer", "amount bigint"),
    ("amount > 0", "amount > 1"), ("ck_two_amount", "ck_two_amounts"), ("default 1", "default 2"),
    ("on delete cascade", ""), ("primary key (id)", "primary key (id, amount)"), ("unique (one_id)", "unique (word)"),
)  # fmt: skip
TWO = """
    create table two (
        id integer not null, word text, amount integer not null default 1, one_id integer,
        constraint pk_two primary key (id), constraint uq_two unique (one_id),
        constraint ck_two_amount check (amount > 0),
        constraint fk_two_one foreign key (one_id) references one (id) on delete cascade
    )
"""


@both_kinds
def test_the_smallest_change_of_a_schema_is_seen(kind: str, tmp_path: Path) -> None:
    """Or a migration that leads elsewhere would pass unseen."""
    with new_database(kind, "seen", tmp_path) as database:
        engine = create_engine(database.url)
        for created, change in [(TWO, change) for change in CHANGES] + [
            (TWO.replace(*words), "") for words in WORDS_CHANGED
        ]:
            with engine.connect() as connection:
                connection.exec_driver_sql("create table one (id integer primary key)")
                connection.exec_driver_sql(TWO)
                before = schema_of(connection)
                assert schema_of(connection) == before
                if created != TWO:
                    connection.exec_driver_sql("drop table two")
                    connection.exec_driver_sql(created)
                if change:
                    connection.exec_driver_sql(change)
                assert schema_of(connection) != before, change or created
                for table in [*schema_of(connection)][::-1]:
                    connection.exec_driver_sql(f"drop table if exists {table}{' cascade' * (kind == 'postgresql')}")
        engine.dispose()


@both_kinds
def test_the_application_works_on_what_migrations_made(newest: Database) -> None:
    from tests.factories import SmallDistrict, make_report

    with services.application(newest.url, newest.folder):
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
