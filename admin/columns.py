"""The columns of the reports list: which an address or a person asks for, and how their cells look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup, escape
from werkzeug.datastructures import MultiDict

from admin.guard import pages
from admin.showing import moment
from district.lists import columns as listing
from district.lists.columns import Beside, Column
from district.people.models import Staff
from district.reports.models import Report
from district.saved import service as saved

# An address that wants none of them says so; one that says nothing gets the person's own.
NONE = "none"


def columns_of(args: Mapping[str, str], staff: Staff) -> tuple[tuple[str, ...], str]:
    """The columns of a list as (names, what the address says of them): `cols=unit.status`, or a `cols` for each."""
    given = args.getlist("cols") if isinstance(args, MultiDict) else [args.get("cols", "")]
    words = ".".join(given)[:1000]
    if words == NONE:
        return (), NONE
    names = listing.read(words.split("."))
    if names:
        return names, ".".join(names)
    own = saved.columns_of(staff)
    return (listing.USUAL if own is None else listing.read(own)), ""


def offered(chosen: tuple[str, ...]) -> list[tuple[Column, bool]]:
    """Every column with whether it is chosen: the chosen ones first, in their order."""
    first = [(listing.BY_NAME[name], True) for name in chosen]
    return first + [(column, False) for column in listing.COLUMNS if column.name not in chosen]


def cell(column: Column, report: Report, beside: Beside) -> Markup:
    """A cell as the page shows it."""
    value = column.value(report, beside)
    if isinstance(value, datetime):
        return moment(value)
    return escape("" if value is None else value)


@pages.context_processor
def _for_templates() -> dict[str, object]:
    return {"cell": cell}
