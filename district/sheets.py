"""Lines of files that spreadsheets open (CSV)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

# A cell that begins so would be calculated when somebody opens the file (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def line(cells: Sequence[str]) -> str:
    """One line, its end included. A cell that a spreadsheet would calculate gets an apostrophe before it."""
    written = io.StringIO()
    csv.writer(written).writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return written.getvalue()
