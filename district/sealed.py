"""Personal data at rest: telephone numbers and names are kept encrypted under the secret key."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app


def _box() -> Fernet:
    digest = hashlib.sha256(b"bihuan contact " + str(current_app.config["SECRET_KEY"]).encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(text: str) -> str:
    """Encrypt; an empty text stays empty."""
    return _box().encrypt(text.encode()).decode() if text else ""


def open_sealed(sealed: str) -> str:
    """Decrypt; empty when it was sealed under another key."""
    if not sealed:
        return ""
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return ""


def masked(text: str) -> str:
    """`138****0000`: enough to recognise one's own number, not enough to call it. Short ones show less."""
    if len(text) >= 11:
        return f"{text[:3]}****{text[-4:]}"
    if len(text) >= 7:
        return f"{text[:1]}****{text[-2:]}"
    return "***" if text else ""
