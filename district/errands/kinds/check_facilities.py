"""A file of facilities looked through before it is taken over: what would be new, changed, refused."""

from __future__ import annotations

from district.errands.kinds.import_facilities import load
from district.errands.running import Running


def do(running: Running) -> None:
    """Count and explain everything, and write nothing."""
    load(running, dry_run=True)
