"""Is this callback WeChat's own, and what does it say? The seal of the message push, both ways.

SHA-1 over sorted parts, and AES-256-CBC (wechatpy's cipher) with blocks of 32. Around it stands what wechatpy leaves
out: comparing in constant time, checking the padding and every length, refusing old requests, and turning each
failure into the one exception a view has to know. Every message is opened and nearly every one answered, so what can
be made once for a key is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Mapping
from datetime import datetime

from wechatpy.crypto.base import WeChatCipher  # wechatpy has no types

from bot.protocol.xml import clean

MAX_BODY_BYTES = 128 * 1024
MAX_AGE_S = 600
BLOCK = 32
RANDOM_BYTES = 16
_ENCRYPT = re.compile(rb"<Encrypt>\s*(?:<!\[CDATA\[)?([A-Za-z0-9+/=]+)(?:\]\]>)?\s*</Encrypt>")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class BadCallback(Exception):
    """Not authentic, too old, too large or undecryptable. The reason is for the log; the answer is a 403."""


class _Cipher:
    """One AES key's cipher, with every length and the padding checked, and unguessable random bytes."""

    def __init__(self, key: str, app_id: str) -> None:
        self._app_id = app_id.encode()
        # It holds no state of a message: each is given a context of its own, so threads may share it.
        self._cipher = WeChatCipher(_aes_key(key))

    def encrypt(self, text: str) -> str:
        plain = text.encode()
        before = secrets.token_hex(RANDOM_BYTES // 2).encode()
        content = before + struct.pack(">I", len(plain)) + plain + self._app_id
        pad = BLOCK - len(content) % BLOCK
        sealed: bytes = self._cipher.encrypt(content + bytes((pad,)) * pad)
        return base64.b64encode(sealed).decode("ascii")

    def decrypt(self, text: str) -> str:
        """Raises BadCallback."""
        try:
            sealed = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise BadCallback("the ciphertext is not base64") from None
        if not sealed or len(sealed) % BLOCK:
            raise BadCallback("the ciphertext is not a multiple of 32 bytes")
        plain = self._cipher.decrypt(sealed)
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
            raise BadCallback("bad padding")
        content = plain[RANDOM_BYTES:-pad]
        if len(content) < 4:
            raise BadCallback("shorter than its own header")
        (length,) = struct.unpack(">I", content[:4])
        if length > len(content) - 4:
            raise BadCallback("the length field is out of range")
        if not hmac.compare_digest(content[4 + length :], self._app_id):
            raise BadCallback("meant for another account")
        # What users type can hold broken UTF-8; a replaced character is better than a lost report.
        message: str = content[4 : 4 + length].decode("utf-8", errors="replace")
        return message


class Seal:
    """One official account's token, key and mode.

    mode: `safe` (only encrypted messages are read, whatever the query says) or `plain` (development).
    previous_key: the AES key before the present one, still accepted while WeChat changes over.
    """

    def __init__(
        self, *, token: str, app_id: str, aes_key: str = "", mode: str = "safe", previous_key: str = ""
    ) -> None:
        if mode not in ("safe", "plain"):
            raise ValueError("mode must be safe or plain")
        if not token:
            raise ValueError("the token is empty")
        if mode == "safe" and not app_id:
            raise ValueError("safe mode needs the app id")
        self._token = token
        self.mode = mode
        keys = [aes_key, *([previous_key] if previous_key else [])] if mode == "safe" else []
        self._ciphers = [_Cipher(key, app_id) for key in keys]

    def check_query(self, query: Mapping[str, str], *, now: datetime) -> None:
        """Raise BadCallback unless token, timestamp and nonce belong together and are fresh.

        Freshness is our rule: nothing in the protocol limits a signature's age.
        """
        signature, timestamp, nonce = (query.get(name, "") for name in ("signature", "timestamp", "nonce"))
        if not (signature and timestamp and nonce):
            raise BadCallback("signature, timestamp or nonce is missing")
        if not _same(self._sign(timestamp, nonce), signature):
            raise BadCallback("bad signature")
        # Checked after the signature, so that a stranger learns nothing about our clock.
        if not _TIMESTAMP.fullmatch(timestamp) or abs(now.timestamp() - int(timestamp)) > MAX_AGE_S:
            raise BadCallback("too old or from the future")

    def open(self, body: bytes, query: Mapping[str, str], *, now: datetime) -> str:
        """The message's plain XML, free of characters that XML cannot hold. Raises BadCallback."""
        if len(body) > MAX_BODY_BYTES:
            raise BadCallback("too large")
        self.check_query(query, now=now)
        if self.mode == "plain":
            return clean(body.decode("utf-8", errors="replace"))
        encrypted = _encrypted_part(body)
        timestamp, nonce = query["timestamp"], query["nonce"]
        if not _same(self._sign(timestamp, nonce, encrypted), query.get("msg_signature", "")):
            raise BadCallback("bad msg_signature")
        failure: BadCallback | None = None
        for cipher in self._ciphers:
            try:
                return clean(cipher.decrypt(encrypted))
            except BadCallback as error:
                failure = failure or error
        raise failure or BadCallback("no key")

    def close(self, reply_xml: str, *, now: datetime) -> str:
        """The passive reply as it goes back: encrypted and signed in safe mode, as it is in plain mode."""
        if self.mode == "plain":
            return reply_xml
        nonce = secrets.token_hex(8)
        timestamp = str(int(now.timestamp()))
        encrypted = self._ciphers[0].encrypt(reply_xml)
        return (
            f"<xml>\n<Encrypt><![CDATA[{encrypted}]]></Encrypt>\n"
            f"<MsgSignature><![CDATA[{self._sign(timestamp, nonce, encrypted)}]]></MsgSignature>\n"
            f"<TimeStamp>{timestamp}</TimeStamp>\n<Nonce><![CDATA[{nonce}]]></Nonce>\n</xml>"
        )

    def _sign(self, *parts: str) -> str:
        signed = b"".join(sorted(part.encode() for part in (self._token, *parts)))
        return hashlib.sha1(signed, usedforsecurity=False).hexdigest()


def _same(ours: str, theirs: str) -> bool:
    """Constant-time comparison. Bytes, because compare_digest refuses text outside ASCII."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", errors="surrogatepass"))


def _aes_key(key: str) -> bytes:
    """The key's 32 bytes. Raises ValueError unless `key` is the 43 base64 characters WeChat's console shows.

    43 characters carry 258 bits for 256; WeChat makes up all of them at random, so the spare two say nothing.
    """
    try:
        raw = base64.b64decode(key + "=", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(key) != 43 or len(raw) != 32:
        raise ValueError("the AES key must be 43 base64 characters")
    return raw


def _encrypted_part(body: bytes) -> str:
    """The text of the one <Encrypt>. The body is not yet authentic, so no XML parser gets to see it.

    Whatever is taken here must still match its signature: what stands around it is never looked at.
    """
    found = _ENCRYPT.findall(body)
    if len(found) != 1:
        raise BadCallback("the body holds no encrypted message, or several")
    encrypted: bytes = found[0]
    return encrypted.decode("ascii")
