"""The ticket behind the signatures of pages in WeChat's browser: kept and fetched under a lock, as the token is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from district.wechat.tokens import Door, TokenKeeper


class TicketKeeper(TokenKeeper):
    """Gives out the JS-SDK ticket of one account. fetch: asks WeChat for (ticket, seconds it lasts)."""

    def __init__(self, *, app_id: str, door: Door | None, fetch: Callable[[], tuple[str, int]]) -> None:
        super().__init__(app_id=app_id, secret="", base_url="", door=door)
        self._name = f"bihuan:wechat:ticket:{app_id}"
        self._ask = fetch

    def _fetch(self, *, force: bool = False) -> tuple[str, int]:
        return self._ask()


def sign_page(ticket: str, address: str, *, nonce: str, timestamp: int) -> str:
    """The signature that `wx.config` wants for a page. address: as the browser shows it, without `#...`."""
    raw = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={address}"
    return hashlib.sha1(raw.encode()).hexdigest()  # noqa: S324  WeChat's protocol
