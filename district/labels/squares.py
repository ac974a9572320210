"""The square of a printed code: error correction H, alphanumeric mode, one mask for a whole run."""

from __future__ import annotations

import re

import qrcode
from qrcode.util import QRData

from district.errors import BadInput

# What QR's compact mode can hold of an address in capitals.
_COMPACT = re.compile(r"[0-9A-Z $%*+\-./:]+")
# Larger than the address needs: its error correction is cut into more and finer pieces, so that one torn-off patch
# leaves enough of each. Still larger ones have modules too small for poor cameras (docs/facilities-codes.md).
LEAST_VERSION = 5
# Light modules around a code, as the standard asks.
QUIET_MODULES = 4

Square = tuple[tuple[bool, ...], ...]
# (row, first column, how many): dark modules side by side.
Run = tuple[int, int, int]


class Maker:
    """Makes the squares of one run, all of one size.

    The mask is chosen for the first one: what it is chosen for is mostly the address, which all have in common, and
    choosing takes ten times as long as drawing.
    """

    def __init__(self) -> None:
        self._mask: int | None = None

    def square(self, text: str) -> Square:
        """The modules of `text` in capitals, rows from the top, True for dark. Raises BadInput for what cannot be
        held compactly.
        """
        if not _COMPACT.fullmatch(text):
            raise BadInput("labels.errors.address", address=text)
        code = qrcode.QRCode(
            version=LEAST_VERSION,
            error_correction=qrcode.constants.ERROR_CORRECT_H,
            border=0,
            mask_pattern=self._mask,
        )
        # In one piece: what matches the pattern above is held compactly.
        code.add_data(QRData(text.encode("ascii")))
        code.make(fit=True)
        square = tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())
        if self._mask is None:
            # Only now: trying masks spoils the library's own modules.
            self._mask = code.best_mask_pattern()
        return square


def runs(square: Square) -> list[Run]:
    """The dark modules as stripes, row by row."""
    found = []
    for row, modules in enumerate(square):
        start: int | None = None
        for column, is_dark in enumerate((*modules, False)):
            if is_dark and start is None:
                start = column
            elif not is_dark and start is not None:
                found.append((row, start, column - start))
                start = None
    return found
