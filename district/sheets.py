"""Lines of files that spreadsheets open (CSV)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

# A cell that begins so would be calculated when somebody opens the file (OWASP: CSV injection). One that looks as if
# it had been guarded is guarded once more, so that reading it back gives the same.
_GUARDED = re.compile(r"'*[=+\-@\t\r＝＋－＠]")


def line(cells: Sequence[str], delimiter: str = ",") -> str:
    """One line, its end included. A cell that a spreadsheet would calculate gets an apostrophe before it."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerow([guarded(cell) for cell in cells])
    return written.getvalue()


def guarded(cell: str) -> str:
    return f"'{cell}" if _GUARDED.match(cell) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _GUARDED.match(cell) else cell
