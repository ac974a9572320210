"""Messages that could not be handled when they came: kept, tried again, answered late rather than never.

WeChat was told `success` and will not repeat them. They wait as files in `VAR_DIR/inbox`, because the database
is what usually failed; the scheduler's sweep empties the folder. What could have been said at once then goes out
as a customer-service message. A message that keeps failing is set aside after MOST_TRIES, for somebody to look at.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import select

from bot import conversation
from bot.protocol.inbound import BadMessage, read
from bot.protocol.xml import clean
from district import clock, wechat
from district.extensions import db
from district.people import service as people
from district.people.models import Resident
from district.wechat.errors import WeChatError
from district.work import unit_of_work

log = logging.getLogger(__name__)

FOLDER = "inbox"
MOST_TRIES = 20
# Kept no longer than the conversation itself needs: the files hold what residents wrote.
KEPT_S = 3 * 86400
BATCH = 50


def keep(app: Flask, xml: str) -> None:
    """Put a message aside. Never raises: a full disk must not become a broken service."""
    try:
        folder = _folder(app)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        part = folder / f"{name}.part"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"xml": clean(xml), "tries": 0}, file, ensure_ascii=False)
        part.rename(folder / f"{name}.json")
    except OSError as error:
        log.critical("a message is lost", extra={"reason": type(error).__name__})


def waiting(app: Flask) -> int:
    """How many messages wait for another try."""
    folder = _folder(app)
    return sum(1 for _ in folder.glob("*.json")) if folder.is_dir() else 0


def try_again() -> None:
    """Handle what waits, oldest first. Stops at the first failure that is the database's, to spare it."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    folder = _folder(app)
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.json"))[:BATCH]:
        # Taken by renaming: two schedulers do not handle one message twice at the same time.
        taken = path.with_suffix(".taken")
        try:
            path.rename(taken)
            kept = json.loads(taken.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except ValueError:
            taken.rename(path.with_suffix(".broken"))
            continue
        if not _handle(app, kept):
            _put_back(path, taken, kept)
            return
        taken.unlink(missing_ok=True)
    _tidy(folder)


def _handle(app: Flask, kept: dict[str, Any]) -> bool:
    try:
        message = read(kept["xml"])
    except BadMessage:
        return True
    try:
        answered = conversation.answer(message)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost for it
        db.session.rollback()
        log.error("a kept message failed again", extra={"reason": type(error).__name__, "tries": kept["tries"] + 1})
        return False
    finally:
        db.session.remove()
    words = conversation.words_of(answered.reply)
    if words and not answered.repeated and _may_send(message.openid):
        try:
            wechat.client_for(app).send_text(message.openid, words)
        except WeChatError as error:
            log.warning("a late answer was not sent", extra={"code": error.code})
    return True


def _may_send(openid: str) -> bool:
    """Whether a customer-service message can still arrive; one is used up then. What comes too late is not tried."""
    with unit_of_work() as session:
        resident = session.scalar(select(Resident).where(Resident.openid == openid).with_for_update())
        return resident is not None and people.take_grant(resident, clock.now()) is not None


def _put_back(path: Path, taken: Path, kept: dict[str, Any]) -> None:
    kept["tries"] += 1
    if kept["tries"] >= MOST_TRIES:
        log.critical("a message was set aside", extra={"file": path.name})
        taken.rename(path.with_suffix(".broken"))
        return
    part = path.with_suffix(".part")
    part.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
    part.chmod(0o600)
    part.rename(path)
    taken.unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    """Give back what a killed scheduler held; drop what is too old."""
    now = time.time()
    for path in folder.iterdir():
        age_s = now - path.stat().st_mtime
        if path.suffix == ".taken" and age_s > 60:
            path.rename(path.with_suffix(".json"))
        elif age_s > KEPT_S:
            path.unlink(missing_ok=True)


def _folder(app: Flask) -> Path:
    return Path(app.config["VAR_DIR"]) / FOLDER
