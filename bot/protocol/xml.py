"""What XML 1.0 can hold, and the one shape a WeChat message may have."""

from __future__ import annotations

import re

# Everything outside XML 1.0's Char production: users do manage to send control characters, and WeChat
# passes them on unescaped. Lone surrogates cannot be encoded at all.
_OUTSIDE_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Nothing but an XML declaration may stand before the root, so a DTD has no place to be.
_PROLOG = re.compile(r"\ufeff?\s*(?:<\?xml[^>]{0,200}\?>\s*)?<xml[\s>]")


def clean(text: str) -> str:
    """`text` without the characters XML 1.0 cannot hold."""
    return _OUTSIDE_XML.sub("", text)


def check_prolog(text: str) -> None:
    """Raise ValueError unless the document begins with its <xml> root (so: no DTD, no other root)."""
    if not _PROLOG.match(text):
        raise ValueError("not a WeChat message")
