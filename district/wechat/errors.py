"""What WeChat's API refuses, sorted by what is to be done about it. Never holds a token, secret or openid."""

from __future__ import annotations


class WeChatError(Exception):
    """A call to WeChat failed. code: WeChat's errcode, or None when there was no proper answer at all."""

    def __init__(self, code: int | None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code if code is not None else 'no answer'}: {reason}".rstrip(": "))


class Retryable(WeChatError):
    """Try again later: busy, slow, unreachable, or the token was refused twice."""


class QuotaUsed(Retryable):
    """A quota is spent: 45011 until the next minute, 45009 until midnight in Beijing."""


class Fatal(WeChatError):
    """Trying again changes nothing: wrong secret, address not on the list, a value WeChat does not take."""


class WindowClosed(WeChatError):
    """No customer-service message may be sent now: the 48 hours are over or the messages are used up."""


class NotFollower(WeChatError):
    """The resident does not follow the account (any more)."""


class NoGrant(WeChatError):
    """The resident gave no consent to this subscription notice, or it is used up."""


class BadCode(WeChatError):
    """A login's code is invalid, used or older than five minutes: the login begins anew or is left alone."""


class MediaGone(WeChatError):
    """The media id is invalid or older than three days."""


class MediaTooLarge(WeChatError):
    """The media is larger than we take."""


class BadRecipient(WeChatError):
    """The openid is wrong or belongs to another account."""


# The reason of a Retryable when the request went out and nothing came back: requests' own name for it.
NO_ANSWER = "ReadTimeout"

TOKEN_REFUSED = frozenset({40001, 40014, 42001})
# The account's own set-up is at fault. Asking again within the minute would only make it worse.
SET_UP_WRONG = frozenset({40013, 40125, 40164, 40243, 41002, 41004, 48004, 50002, 50004, 50007, 61004, 61024})

_BY_CODE: dict[int, type[WeChatError]] = {
    -1: Retryable,
    **dict.fromkeys(TOKEN_REFUSED, Retryable),
    45009: QuotaUsed,
    45011: QuotaUsed,
    45015: WindowClosed,
    45047: WindowClosed,
    43004: NotFollower,
    43101: NoGrant,
    40007: MediaGone,
    40003: BadRecipient,
    40029: BadCode,
    40163: BadCode,
}


def error_for(code: int | None, reason: str = "") -> WeChatError:
    """The exception for an errcode. None means no proper answer, which is worth another try."""
    family = Retryable if code is None else _BY_CODE.get(code, Fatal)
    return family(code, reason)
