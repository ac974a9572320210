"""One access token for every process: kept in Redis, fetched by whoever holds the lock, refreshed once.

WeChat's stable_token gives the same token to everybody until five minutes before its end, so that a mistake
here costs a call and never an outage. Without Redis each process keeps its own copy and asks directly.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

import redis
import requests

from district.wechat.errors import SET_UP_WRONG, Fatal, Retryable, WeChatError, error_for

log = logging.getLogger(__name__)

TIMEOUT_S = (3.05, 5.0)
LOCK_MS = 15_000
WAIT_S = 3.0
POLL_S = 0.05
MARGIN_S = 600
REFUSED_S = 60
FORCE_EVERY_S = 1800
# WeChat allows 20 forced refreshes a day; more refreshes than that mean somebody else takes our token away.
ALARM_REFRESHES = 20
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


class Door(Protocol):
    """The part of `district.extensions.RedisDoor` that is used here."""

    connection: redis.Redis

    @property
    def is_resting(self) -> bool: ...

    def failed(self) -> None: ...


@dataclass(frozen=True)
class _Kept:
    token: str
    until: float


class TokenKeeper:
    """Gives out the access token of one account. One for each process; its threads share it."""

    def __init__(self, *, app_id: str, secret: str, base_url: str, door: Door | None) -> None:
        self._app_id = app_id
        self._secret = secret
        self._url = f"{base_url}/cgi-bin/stable_token"
        self._door = door
        self._name = f"bihuan:wechat:token:{app_id}"
        self._own: _Kept | None = None
        self._own_refused: tuple[int, float] | None = None
        self._own_lock = threading.Lock()

    def get(self) -> str:
        """The present token. Raises Fatal (wrong set-up) and Retryable (WeChat is away)."""
        return self._token(refused=None)

    def replace(self, refused: str) -> str:
        """The token to use after WeChat refused this one. Others may already have fetched a new one."""
        return self._token(refused=refused)

    def try_now(self) -> None:
        """Ask WeChat whether it gives a token, whatever is kept, and forget a refusal of a moment ago if it does.

        It is the stable token: asking changes nothing for whoever uses it. Raises Fatal and Retryable.
        """
        self._fetch()
        self._own_refused = None
        door = self._door
        if door is not None and not door.is_resting:
            try:
                door.connection.delete(f"{self._name}:refused")
            except (redis.ConnectionError, redis.TimeoutError):
                door.failed()

    # With Redis

    def _token(self, refused: str | None) -> str:
        door = self._door
        if door is not None and not door.is_resting:
            try:
                return self._shared(door.connection, refused)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                door.failed()
                log.warning(
                    "token store away, asking WeChat directly", extra={"reason": type(error).__name__}
                )
        return self._alone(refused)

    def _shared(self, store: redis.Redis, refused: str | None) -> str:
        token = self._read(store, self._name)
        if token and token != refused:
            return token
        self._raise_if_refused(_text(store.get(f"{self._name}:refused")))
        mine, deadline = secrets.token_hex(16), time.monotonic() + WAIT_S
        while not store.set(f"{self._name}:lock", mine, nx=True, px=LOCK_MS):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
            token = self._read(store, self._name)
            if token and token != refused:
                return token
            self._raise_if_refused(_text(store.get(f"{self._name}:refused")))
        else:
            try:
                token = self._read(store, self._name)
                if token and token != refused:
                    return token
                return self._fetch_shared(store, refused)
            finally:
                store.eval(_RELEASE, 1, f"{self._name}:lock", mine)
        # Whoever holds the lock is slow; the token before this one is valid for its last minutes.
        old = self._read(store, f"{self._name}:old")
        if old and old != refused:
            return old
        raise Retryable(None, "the token is being fetched elsewhere")

    def _fetch_shared(self, store: redis.Redis, refused: str | None) -> str:
        try:
            token, expires_in = self._fetch()
            if token == refused and store.set(f"{self._name}:forced", "1", nx=True, ex=FORCE_EVERY_S):
                token, expires_in = self._fetch(force=True)
        except Fatal as error:
            if error.code in SET_UP_WRONG:
                store.set(f"{self._name}:refused", str(error.code), ex=REFUSED_S)
            raise
        store.set(self._name, token, ex=_keep_for(expires_in))
        store.set(f"{self._name}:old", token, ex=max(expires_in - 60, 1))
        self._count_refresh(store)
        self._own = _Kept(token, time.monotonic() + _keep_for(expires_in))
        return token

    def _read(self, store: redis.Redis, name: str) -> str | None:
        return _text(store.get(name))

    def _count_refresh(self, store: redis.Redis) -> None:
        name = f"{self._name}:refreshes:{time.strftime('%Y%m%d', time.gmtime())}"
        count = int(store.incr(name))
        if count == 1:
            store.expire(name, 2 * 86400)
        if count > ALARM_REFRESHES:
            log.error("the access token is refreshed too often", extra={"refreshes_today": count})

    # Without Redis

    def _alone(self, refused: str | None) -> str:
        with self._own_lock:
            kept = self._own
            if kept and kept.token != refused and kept.until > time.monotonic():
                return kept.token
            if self._own_refused and self._own_refused[1] > time.monotonic():
                raise Fatal(self._own_refused[0], "refused a moment ago")
            try:
                token, expires_in = self._fetch()
            except Fatal as error:
                if error.code in SET_UP_WRONG:
                    self._own_refused = (error.code, time.monotonic() + REFUSED_S)
                raise
            self._own = _Kept(token, time.monotonic() + _keep_for(expires_in))
            return token

    # Both

    def _raise_if_refused(self, code: str | None) -> None:
        if code and code.isdecimal():
            raise Fatal(int(code), "refused a moment ago")

    def _fetch(self, *, force: bool = False) -> tuple[str, int]:
        """(token, seconds it lasts) from WeChat. Its messages never hold our secret."""
        body = {
            "grant_type": "client_credential",
            "appid": self._app_id,
            "secret": self._secret,
            "force_refresh": force,
        }
        try:
            response = requests.post(self._url, json=body, timeout=TIMEOUT_S, allow_redirects=False)
            result = json.loads(response.content)
        except requests.RequestException as error:
            raise Retryable(None, type(error).__name__) from None
        except ValueError:
            raise Retryable(None, f"HTTP {response.status_code} without JSON") from None
        return _token_in(result)


def _token_in(result: Any) -> tuple[str, int]:
    if not isinstance(result, dict):
        raise Retryable(None, "not a JSON object")
    code = result.get("errcode")
    if code:
        error: WeChatError = error_for(int(code), str(result.get("errmsg", ""))[:200])
        log.error("WeChat gives no access token", extra={"code": error.code, "reason": error.reason})
        raise error
    token, expires_in = result.get("access_token"), result.get("expires_in", 7200)
    if not isinstance(token, str) or not token or not isinstance(expires_in, int):
        raise Retryable(None, "no token in the answer")
    return token, expires_in


def _keep_for(expires_in: int) -> int:
    """Seconds to use a token: near its end WeChat hands out the next, and we want to have asked by then."""
    return max(expires_in - min(MARGIN_S, expires_in // 2), 1)


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
