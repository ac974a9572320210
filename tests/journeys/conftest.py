"""Two whole systems, each started once: everything embedded, and on servers of their own. Only their doors are used.

The rows of the outbox are the one exception: their next try, hours away, is moved to now.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import create_engine, text

from tests.support import services
from tests.support.desk import Desk
from tests.support.relay import Relay
from tests.support.running import Bihuan, eventually, running
from tests.support.wechat_platform import Answer, Phone, Remote, running_platform

_places = itertools.count()


def somewhere() -> tuple[float, float]:
    """A place in the middle of the demo district, as WeChat's picker gives it (GCJ-02), of which nobody has spoken
    before: each is 100 m from the next, so that no report is like another near by."""
    north, east = divmod(next(_places), 18)
    return 50.4180 + north % 17 * 0.0009, 124.1130 + east * 0.0015


ACCOUNT = {
    "WECHAT_TOKEN": "journey-token",
    "WECHAT_APP_ID": "wxjourney",
    "WECHAT_APP_SECRET": "journey-secret",
    "WECHAT_ENCODING_AES_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "WECHAT_TEMPLATE_PROGRESS": "T-PROGRESS",
}


@dataclass(frozen=True)
class Filed:
    """What a resident holds in hand: the number and the link with its key."""

    number: str
    key: str


@dataclass
class System:
    """A running Bihuan, WeChat's servers, and the wire to the queue server."""

    kind: str
    bihuan: Bihuan
    wechat: Remote
    database_url: str
    relay: Relay | None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.bihuan.port}"

    def phone(self) -> Phone:
        """A new resident's."""
        return Phone(
            url=f"{self.base}/wechat", token=ACCOUNT["WECHAT_TOKEN"], aes_key=ACCOUNT["WECHAT_ENCODING_AES_KEY"],
            app_id=ACCOUNT["WECHAT_APP_ID"], platform=self.wechat.base,
        )  # fmt: skip

    def desk(self, username: str) -> Desk:
        return Desk(self.base).log_in(username)

    def browser(self) -> Desk:
        """Somebody who is not logged in."""
        return Desk(self.base)

    def report(self, filed: Filed) -> dict[str, Any]:
        """What the API says to whoever holds the key."""
        # From many addresses: one that asks this often is asked to wait.
        address = f"10.1.{secrets.randbelow(250)}.{secrets.randbelow(250)}"
        headers = {"X-Report-Key": filed.key, "X-Forwarded-For": address}
        answer = requests.get(f"{self.base}/api/v1/reports/{filed.number}", headers=headers, timeout=120)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:300]}"
        found: dict[str, Any] = answer.json()
        return found

    def status(self, filed: Filed) -> str:
        return str(self.report(filed)["status"])

    def wait_for(self, filed: Filed, status: str) -> dict[str, Any]:
        """Until the report has this status."""
        eventually(lambda: self.status(filed) == status, f"{filed.number} is {status}")
        return self.report(filed)

    def history(self, filed: Filed) -> list[str]:
        return [step["event"] for step in self.report(filed)["history"]]

    def told(self, phone: Phone) -> list[str]:
        """The words of everything WeChat brought this resident outside the chat, oldest first."""
        return [
            str(one["body"].get("text", {}).get("content") or one["body"]) for one in self.wechat.sent(phone.openid)
        ]

    def wait_told(self, phone: Phone, words: str) -> str:
        """Until a message with these words has arrived."""
        eventually(lambda: any(words in one for one in self.told(phone)), f"told {words!r}, not {self.told(phone)}")
        return next(one for one in self.told(phone) if words in one)

    def metric(self, name: str) -> float:
        for line in requests.get(f"{self.base}/metrics", timeout=120).text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def sql(self, statement: str, **given: Any) -> Any:
        """The outbox's exception: all rows of the answer, or None."""
        engine = create_engine(self.database_url, connect_args={"timeout": 60} if "sqlite" in self.database_url else {})
        try:
            with engine.begin() as connection:
                answer = connection.execute(text(statement), given)
                return answer.all() if answer.returns_rows else None
        finally:
            engine.dispose()

    def hurry_outbox(self) -> None:
        """The next try of every waiting message is now."""
        self.sql("update notification set next_try_at = created_at where delivery = 'queued'")

    @contextmanager
    def part_asleep(self, *prefixes: str) -> Iterator[None]:
        """Stop these parts in the middle of whatever they do, and wake them at the end."""
        asleep = [pid for name, pid in self.bihuan.parts().items() if name.startswith(prefixes)]
        assert asleep

        def all_sleep() -> bool:
            _signal(asleep, signal.SIGSTOP)
            if self._can_be_written():
                return True
            # One fell asleep holding SQLite's lock, which nobody dead could hold: once more.
            _signal(asleep, signal.SIGCONT)
            return False

        eventually(all_sleep, f"{prefixes} asleep")
        try:
            yield
        finally:
            _signal(asleep, signal.SIGCONT)

    def _can_be_written(self) -> bool:
        if not self.database_url.startswith("sqlite"):
            return True
        connection = sqlite3.connect(self.database_url.removeprefix("sqlite:///"), timeout=0.5, isolation_level=None)
        try:
            connection.execute("begin immediate")
            connection.execute("rollback")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return True

    @contextmanager
    def queue_away(self) -> Iterator[None]:
        """No queue server: the embedded one does not answer, the other one's wire is cut."""
        if self.relay is None:
            with self.part_asleep("queue"):
                yield
            return
        self.relay.cut()
        try:
            yield
        finally:
            self.relay.mend()

    def wait_ready(self) -> None:
        """Until database, queue and workers are all well."""
        eventually(lambda: self.bihuan.get("/readyz")[0] == 200, "everything is ready")


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def filed_by(answer: Answer) -> Filed:
    """The number and key in the bot's confirmation."""
    assert not answer.problems, answer.problems
    found = re.search(r'href="([^"]+/r/(BH[0-9]{8}-[0-9]{4,}[A-Z])\?[^"]*)"', answer.text)
    assert found, f"no number and link in: {answer.text}"
    assert found[2] in answer.text.replace(found[1], "")
    return Filed(found[2], parse_qs(urlsplit(found[1]).query)["key"][0])


def each_by_itself(system: System) -> System:
    """So many lamps out in so small a town would be an incident: the journeys follow each report alone."""
    for name, value in (("incident", '{"reports": 0}'), ("similar", '{"sure_hours": 0}')):
        system.sql(f"update district_setting set value = '{value}' where name = '{name}'")
    system.sql("update reference_version set number = number + 1 where name = 'settings'")
    return system


@pytest.fixture(scope="session")
def wechat_servers() -> Iterator[Remote]:
    with running_platform(ACCOUNT["WECHAT_APP_ID"], ACCOUNT["WECHAT_APP_SECRET"]) as platform:
        yield platform


@pytest.fixture(
    scope="session",
    params=["embedded", pytest.param("servers", marks=[pytest.mark.postgres, pytest.mark.redis])],
)
def whole_system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wechat_servers: Remote
) -> Iterator[System]:
    var_dir: Path = tmp_path_factory.mktemp("journey")
    env = ACCOUNT | {"WECHAT_API_BASE_URL": wechat_servers.base, "WEB_WORKERS": "2", "RQ_WORKERS": "2"}
    if request.param == "embedded":
        with running(var_dir, request.getfixturevalue("demo_sqlite"), **env) as bihuan:
            yield each_by_itself(System("embedded", bihuan, wechat_servers, f"sqlite:///{var_dir / 'bihuan.db'}", None))
        return
    with (
        services.own_postgres_database(f"bihuan_journey_{os.getpid()}") as database_url,
        services.own_redis_number() as redis_url,
    ):
        if database_url is None or redis_url is None:
            pytest.skip("PostgreSQL or Redis is not reachable (TEST_DATABASE_URL, TEST_REDIS_URL)")
        services.migrate(database_url, var_dir)
        services.load_demo(database_url, var_dir)
        relay = Relay.before(redis_url)
        relay.mend()
        own = f"redis://127.0.0.1:{relay.port}{urlsplit(redis_url).path}"
        with running(var_dir, None, DATABASE_URL=database_url, REDIS_URL=own, **env) as bihuan:
            yield each_by_itself(System("servers", bihuan, wechat_servers, database_url, relay))
        relay.cut()


@pytest.fixture
def system(whole_system: System) -> System:
    """A system in good health, and a WeChat without faults."""
    whole_system.wechat.control("faults-off", {})
    whole_system.wait_ready()
    return whole_system
