"""What every test may ask for: an application on a fresh database, people, a queue server.

Each test gets its own database: a copy of a migrated SQLite file, or an emptied PostgreSQL one of this worker.
"""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache

from district.config import Config
from tests.support import services
from tests.support.wechat_platform import Remote, running_platform

# Until all tests are there nothing becomes garbage; see `pytest_collection_finish`.
gc.disable()

# Thousands of databases that live for a moment: in memory, where a file is made and gone without the disk, if there is
# room. (Whoever wants them elsewhere says so by the same setting.)
MEMORY, ROOM = "/dev/shm", 2_000_000_000
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

ROOT = Path(__file__).resolve().parent.parent
NOBODY_LISTENS = "redis://127.0.0.1:1/0"

both_databases = pytest.mark.parametrize(
    "database_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(scope="session")
def worker_name(request: pytest.FixtureRequest) -> str:
    """This process among those that run the tests side by side."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def postgres_url(worker_name: str) -> Iterator[str]:
    """A PostgreSQL database of this worker alone. Skips the test where no server answers."""
    with services.own_postgres_database(f"bihuan_test_{os.getpid()}_{worker_name}") as url:
        if url is None:
            pytest.skip("PostgreSQL is not reachable (TEST_DATABASE_URL)")
        yield url
        from tests.support import applications

        applications.forget()


@pytest.fixture(scope="session")
def external_redis_url(worker_name: str) -> str:
    """A Redis server that is not ours. Skips the test where none answers."""
    url = services.external_redis(worker_name)
    if url is None:
        pytest.skip("Redis is not reachable (TEST_REDIS_URL)")
    return url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The embedded queue server, started for this worker."""
    with services.embedded_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


def _made_once(name: str, tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], None]) -> Path:
    """The database file of this name that whichever process needs it first makes; tests copy it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Beside the folders of all processes.
        folder = folder.parent
    path = folder / name / "bihuan.db"
    with open(folder / f".{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            # Another process may have failed in it.
            path.parent.mkdir(exist_ok=True)
            unfinished = path.with_name("unfinished.db")
            make(unfinished)
            services.settle_sqlite(unfinished)
            unfinished.rename(path)
    return path


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database file; tests copy it."""
    return _made_once("migrated", tmp_path_factory, lambda path: services.migrate(f"sqlite:///{path}", path.parent))


@pytest.fixture(scope="session")
def demo_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the demo district loaded; tests copy it."""

    def make(path: Path) -> None:
        shutil.copy(migrated_sqlite, path)
        services.load_demo(f"sqlite:///{path}", path.parent)

    return _made_once("demo", tmp_path_factory, make)


@pytest.fixture(scope="session")
def district_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the small district in it; tests copy it, and their `SmallDistrict()` takes it over."""
    from tests.factories import SmallDistrict

    def make(path: Path) -> None:
        shutil.copy(migrated_sqlite, path)
        with services.application(f"sqlite:///{path}", path.parent):
            SmallDistrict().keep(path.with_name("kept.json"))

    path = _made_once("district", tmp_path_factory, make)
    SmallDistrict.remember(path.with_name("kept.json"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    services.migrate(postgres_url, tmp_path_factory.mktemp("migrated_pg"))
    return postgres_url


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite`, or what `both_databases` asks for."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if database_kind == "sqlite":
        name = "migrated_sqlite"
        if request.node.get_closest_marker("demo"):
            name = "demo_sqlite"
        elif "district" in request.fixturenames:
            name = "district_sqlite"
        path = tmp_path / "bihuan.db"
        shutil.copy(request.getfixturevalue(name), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgres")
    services.empty_postgres(url)
    return url


@pytest.fixture(scope="session")
def made_up_secrets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of made-up secrets that every application of this process has, so that one can follow another."""
    folder = tmp_path_factory.mktemp("secrets")
    Config.from_env({"VAR_DIR": str(folder)})
    return (folder / "secrets.json").read_text(encoding="utf-8")


@pytest.fixture
def env(database_url: str, tmp_path: Path, made_up_secrets: str) -> dict[str, str]:
    """The environment of the application under test; a test may add to it before asking for `app`."""
    demo_map = tmp_path / "map"
    demo_map.mkdir(exist_ok=True)
    (tmp_path / "secrets.json").write_text(made_up_secrets, encoding="utf-8")
    return {
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "REDIS_URL": NOBODY_LISTENS,
        "PUBLIC_BASE_URL": "http://district.test",
    }


@pytest.fixture(scope="session")
def wechat_server() -> Iterator[Remote]:
    """A server that answers as WeChat's does, in a process of its own; one for this worker."""
    with running_platform() as platform:
        yield platform


@pytest.fixture
def wechat(wechat_server: Remote) -> Remote:
    """WeChat's server as it is at first: nobody known, nothing sent, no trouble ordered."""
    wechat_server.control("reset", {})
    return wechat_server


def settings_for(wechat: Remote) -> dict[str, str]:
    """The environment of an application whose account is that server's."""
    return {
        "WECHAT_APP_ID": wechat.app_id,
        "WECHAT_APP_SECRET": wechat.secret,
        "WECHAT_API_BASE_URL": wechat.base,
    }


@pytest.fixture
def config(env: dict[str, str]) -> Config:
    return Config.from_env(env)


@pytest.fixture(scope="session", autouse=True)
def earnest_hasher() -> Iterator[PasswordHasher]:
    """The product's own password hasher. Tests log in hundreds of times: they use one that costs less."""
    from district.people import service as people

    earnest = people._hasher
    people._hasher = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    yield earnest
    people._hasher = earnest


class _CompiledTemplates(BytecodeCache):
    """Templates compiled once for all applications of this process, known by their words."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        kept = self._kept.get(bucket.key + bucket.checksum)
        if kept is not None:
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


_compiled = _CompiledTemplates()


@pytest.fixture(scope="session", autouse=True)
def addresses_compiled_once() -> Iterator[None]:
    """All applications have the same addresses: what an address means is found out once a process.

    It is most of what making an application costs, where a test needs one of its own. Nothing of it holds the
    application: the functions that build an address get their rule as their first argument.
    """
    from werkzeug.routing import Rule

    made: dict[Any, dict[str, Any]] = {}
    compile_rule, compile_builder = Rule.compile, Rule._compile_builder
    builders: dict[Any, Any] = {}

    def compiled(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.merge_slashes, repr(rule.defaults))
        if key not in made:
            compile_rule(rule)
            made[key] = {name: getattr(rule, name) for name in ("_parts", "_trace", "_converters", "arguments")}
        vars(rule).update(made[key])
        rule._build = builder(rule, False, key).__get__(rule, None)
        rule._build_unknown = builder(rule, True, key).__get__(rule, None)

    def builder(rule: Rule, append_unknown: bool, key: Any) -> Any:
        if (key, append_unknown) not in builders:
            builders[key, append_unknown] = compile_builder(rule, append_unknown)
        return builders[key, append_unknown]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compiled)
        yield


@pytest.fixture
def app(config: Config, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The whole application with its three doors, inside an application context."""
    from district.messages import set_language
    from tests.support import applications

    if request.node.get_closest_marker("own_application"):
        applications.forget()
    app = applications.application_for(config)
    app.config["WTF_CSRF_ENABLED"] = False
    app.config["RATELIMIT_ENABLED"] = False
    app.testing = True
    # Whatever language an earlier test of this process left behind.
    set_language("zh-Hans")
    # An application that was made for some test only need not compile the same templates again.
    app.jinja_env.bytecode_cache = _compiled
    with app.app_context():
        yield app
        applications.end()
    if request.node.get_closest_marker("own_application"):
        applications.forget()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# Slow machines are no failures, and a run that failed fails again.
hypothesis.settings.register_profile("bihuan", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("bihuan")


# What takes long begins first, so that nobody waits for it at the end.
LONGEST_FIRST = (
    "tests/journeys/test_first_start.py",
    "tests/journeys/",
    "tests/browser/",
    "tests/district/test_run.py",
    "tests/district/test_worker.py",
    "tests/admin/test_sight.py",
    "tests/admin/test_actions.py",
    "tests/migrations/",
    "tests/admin/test_guard.py",
    "tests/district/reports/test_state_machine.py",
    "tests/district/loading/",
    "tests/admin/test_inbox.py",
)


# What mostly waits for other processes to start, to notice and to end.
WAITING = ("tests/journeys/", "tests/district/test_run.py", "tests/district/test_worker.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> tuple[int, str]:
        found = (n for n, path in enumerate(LONGEST_FIRST) if item.nodeid.startswith(path))
        # One whole system after the other: going back and forth would start each many times.
        return next(found, len(LONGEST_FIRST)), _system_of(item.nodeid)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: looking through it for garbage took a fifth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    gc.enable()


def _system_of(nodeid: str) -> str:
    """The whole system that a journey goes through; empty for all other tests."""
    if not nodeid.startswith("tests/journeys/"):
        return ""
    return next((kind for kind in ("embedded", "servers") if kind in nodeid.partition("[")[2]), "")


def _in_one_process(nodeid: str, processes: int) -> str:
    """Tests that share what is dear to set up: a module's, and each whole system's journeys.

    A few processes must not all wait at the same time: there one of them does all that waits.
    """
    if processes <= 3 and nodeid.startswith(WAITING):
        return "what waits"
    system = _system_of(nodeid)
    return f"journeys on {system}" if system else nodeid.partition("::")[0]


class _SchedulerPlugin:
    """Only where pytest-xdist is there and asked for."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from xdist.scheduler import LoadScopeScheduling

        class ByWhatTheyShare(LoadScopeScheduling):
            def _split_scope(self, nodeid: str) -> str:
                return _in_one_process(nodeid, self.numnodes)

        config.option.loadscopereorder = False
        return ByWhatTheyShare(config, log)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_SchedulerPlugin(), "bihuan-scheduler")
    config.addinivalue_line("markers", "demo: runs on a database with the demo district loaded")
    config.addinivalue_line("markers", "own_application: does to its application what cannot be taken back")
    config.addinivalue_line("markers", "with_env(NAME=value): settings of the application under test")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One counted line for what an absent server left out."""
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "is not reachable" in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests left out: no PostgreSQL or Redis server answers")
