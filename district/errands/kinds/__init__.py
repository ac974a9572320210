"""The kinds of lengthy work, each a module of this package with a function `do`."""

from __future__ import annotations

from importlib import import_module

from district.errands.running import Do
from district.errors import NotFound

# A kind's words are `errands.kind.<name>` (what it is called) and `errands.outcome.<name>` (what came of it, with
# the counts of its outcome).
KINDS: tuple[str, ...] = (
    "check_facilities", "export_facilities", "export_reports", "export_unscanned", "import_facilities", "label_list",
    "labels",
)  # fmt: skip


def find(name: str) -> Do:
    """What does this kind; it is imported when it is needed. Raises NotFound."""
    if name not in KINDS:
        raise NotFound()
    do: Do = import_module(f"district.errands.kinds.{name}").do
    return do
