"""What the window and the stand-in remember: in the queue server and a folder, so that every web process sees it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import redis
from flask import current_app

from district.extensions import redis_door

KEPT_S = 7 * 86400
MOST_ENTRIES = 300
LARGEST_MEDIA = 10 * 1024 * 1024
# How many messages may be pushed and for how long (WeChat: customer-service rules), after a message and a tap.
MESSAGE_GRANT = (5, 48 * 3600)
TAP_GRANT = (3, 60)
# The window's cookie: its residents' openids, the present one first.
COOKIE = "chat_residents"
OPENID = re.compile(r"oChat[0-9a-f]{23}")
_MEDIA_NAME = re.compile(r"chat-[0-9a-f]{32}")


def connection() -> redis.Redis:
    return redis_door().connection


def note(openid: str, entry: dict[str, Any]) -> None:
    """Add one bubble to a resident's window. entry: `side` (mine, theirs), `kind`, and what the kind needs."""
    key = f"bihuan:chat:log:{openid}"
    pipeline = connection().pipeline()
    pipeline.incr(f"{key}:count")
    pipeline.expire(f"{key}:count", KEPT_S)
    number = int(pipeline.execute()[0])
    entry = {"number": number, "at": int(time.time() * 1000), **entry}
    pipeline.rpush(key, json.dumps(entry, ensure_ascii=False))
    pipeline.ltrim(key, -MOST_ENTRIES, -1)
    pipeline.expire(key, KEPT_S)
    pipeline.execute()


def entries(openid: str, after: int) -> list[dict[str, Any]]:
    """The bubbles numbered above `after`, in order."""
    raw: list[bytes] = connection().lrange(f"bihuan:chat:log:{openid}", 0, -1)  # type: ignore[assignment]
    found: list[dict[str, Any]] = [json.loads(one) for one in raw]
    return sorted((one for one in found if one["number"] > after), key=lambda one: int(one["number"]))


def open_window(openid: str, *, tap: bool) -> None:
    """The resident wrote or tapped. A tap's short grant never cuts the long one of a message."""
    messages, seconds = TAP_GRANT if tap else MESSAGE_GRANT
    connection().set(f"bihuan:chat:window:{openid}", messages, ex=seconds, nx=tap)


def follow(openid: str, follows: bool) -> None:
    """Whoever leaves the account gets nothing pushed any more."""
    if follows:
        connection().set(f"bihuan:chat:follows:{openid}", "1", ex=KEPT_S)
    else:
        connection().delete(f"bihuan:chat:follows:{openid}", f"bihuan:chat:window:{openid}")


def is_follower(openid: str) -> bool:
    return bool(connection().exists(f"bihuan:chat:follows:{openid}"))


def use_window(openid: str) -> int | None:
    """Take one of the messages that may be pushed; WeChat's error code when there is none."""
    key = f"bihuan:chat:window:{openid}"
    if not connection().exists(key):
        return 45015
    return None if int(connection().decr(key)) >= 0 else 45047


def consent(openid: str, template_id: str) -> None:
    """The resident agrees to one more notice of this template."""
    key = f"bihuan:chat:consent:{openid}:{template_id}"
    connection().incr(key)
    connection().expire(key, KEPT_S)


def use_consent(openid: str, template_id: str) -> bool:
    """Use up a consent; False when there is none."""
    key = f"bihuan:chat:consent:{openid}:{template_id}"
    if not connection().exists(key):
        return False
    left = int(connection().decr(key))
    if left <= 0:
        connection().delete(key)
    return left >= 0


def keep_media(media_id: str, content: bytes) -> None:
    folder = Path(current_app.config["VAR_DIR"]) / "chat"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / media_id).write_bytes(content)


def media(media_id: str) -> bytes | None:
    """The picture that was sent under this id; None for an unknown one."""
    if not _MEDIA_NAME.fullmatch(media_id):
        return None
    path = Path(current_app.config["VAR_DIR"]) / "chat" / media_id
    return path.read_bytes() if path.is_file() else None
