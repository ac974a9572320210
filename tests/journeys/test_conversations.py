"""Residents' conversations as they are written down in `conversations/`, through signed and encrypted callbacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from district.config import Config
from tests.support.conversations import MOST_BYTES, Play, Script, scripts
from tests.support.wechat_platform import Phone

# One application for all of them: reading the map takes longer than any conversation.
from tests.bot.conftest import TestPhone  # isort: skip

NEEDED = 20


@dataclass
class Stage:
    """An application on a demo district of its own, and how to empty it between two conversations."""

    app: Flask

    def phone(self) -> Phone:
        config: Config = self.app.config["BIHUAN"]
        return TestPhone(
            url="http://district.test/wechat", token=config.wechat_token, aes_key=config.wechat_encoding_aes_key,
            app_id=config.wechat_app_id, client=self.app.test_client(),
        )  # fmt: skip

    def empty(self) -> None:
        """Nobody has ever written, nothing was ever reported."""
        from sqlalchemy import text

        from district.extensions import db
        from district.work import unit_of_work

        with unit_of_work():
            for table in (
                "notification", "routing_decision", "photo", "report_event", "report_unit", "report_follower",
                "hand_back", "report_question", "report", "inbound_message", "conversation", "resident", "daily_count",
            ):  # fmt: skip
                db.session.execute(text(f"delete from {table}"))
        db.session.expunge_all()


@pytest.fixture(scope="module")
def stage(demo_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    from district.extensions import db
    from wsgi import create_app

    folder = tmp_path_factory.mktemp("conversations")
    path = folder / "bihuan.db"
    path.write_bytes(demo_sqlite.read_bytes())
    os.makedirs(folder / "map", exist_ok=True)
    app = create_app(
        Config.from_env(
            {
                "VAR_DIR": str(folder),
                "DATABASE_URL": f"sqlite:///{path}",
                "REDIS_URL": "redis://127.0.0.1:1/0",
                "PUBLIC_BASE_URL": "https://bihuan.example",
            }
        )
    )
    app.testing = True
    with app.app_context():
        yield Stage(app)
        db.session.remove()
        db.engine.dispose()


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.name)
def test_the_conversation_goes_as_written(stage: Stage, script: Script) -> None:
    stage.empty()
    play = Play(script, stage.phone)
    play.all()
    print("\n".join(play.talk))
    assert play.longest <= MOST_BYTES


def test_there_are_enough_of_them_and_each_says_what_it_is_about() -> None:
    found = scripts()
    assert len(found) >= NEEDED
    for script in found:
        assert script.title, script.name
        assert any(line.verb in ("must", "not") for line in script.lines), f"{script.name} demands nothing"
