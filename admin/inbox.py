"""The inbox: what is mine to do now, and every list of reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin import filters as narrowing
from admin.columns import columns_of, offered
from admin.guard import can, me, pages
from admin.showing import category_name, place_words
from district import clock
from district.categories.models import Urgency
from district.lists import columns as listing
from district.lists.columns import USUAL
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import reference
from district.reports import incidents, numbers, queries
from district.reports.models import Report, Source
from district.reports.queries import Filters, Queue
from district.reports.sight import sight_of, visible_units
from district.reports.states import BY_ACTION, OPEN, Action, Status
from district.saved import service as saved
from district.tags import service as tags

# What each role is to do now, and the piles it looks into besides.
_WORK: dict[Role, tuple[Queue, ...]] = {
    Role.DISPATCHER: (Queue.TRIAGE, Queue.DISPATCH, Queue.HAND_BACKS, Queue.EXTENSIONS),
    Role.SHIFT_LEAD: (Queue.TRIAGE, Queue.DISPATCH, Queue.HAND_BACKS, Queue.EXTENSIONS),
    Role.UNIT_MANAGER: (Queue.ACCEPT, Queue.HANDLE),
    Role.HANDLER: (Queue.ACCEPT, Queue.HANDLE),
    Role.VERIFIER: (Queue.VERIFY,),
    Role.ACCEPTOR: (Queue.VERIFY,),
    Role.INSPECTOR: (Queue.OVERDUE,),
}
_UNIT_TABS = (
    Queue.ACCEPT, Queue.HANDLE, Queue.HAND_BACKS, Queue.EXTENSIONS, Queue.VERIFY, Queue.WAITING, Queue.SUSPENDED,
    Queue.OVERDUE,
)  # fmt: skip
MINE, ALL = "mine", "all"
# Residents who are to be called after closing: the one pile of ended work.
CALL_BACK = "call_back"
_CALLS = BY_ACTION[Action.CALL_BACK].roles
PRESSING, NEWEST = "pressing", "newest"
MAP = "map"
# Ended work is kept in "all" only; counting it would cost more with every year.
_UNCOUNTED = frozenset({ALL})
# Lists that have one order only.
WITHOUT_ORDER = frozenset({ALL, CALL_BACK})

# How far back an alarm may reach, and by how much two questions overlap.
_ALARM_KEPT, _ALARM_OVERLAP = timedelta(minutes=10), timedelta(seconds=60)


@dataclass(frozen=True)
class Tab:
    name: str
    count: int | None
    address: str
    is_open: bool


@dataclass(frozen=True)
class Asked:
    """What the address asks for, checked: unknown values are left out rather than refused.

    columns: the names of the list's columns. own_columns: the same as the address says it, "" where it says nothing.
    view: MAP with the map beside the list, else "".
    """

    tab: str
    order: str
    filters: Filters
    after: str
    given: dict[str, str]
    columns: tuple[str, ...] = USUAL
    own_columns: str = ""
    view: str = ""

    @property
    def narrowed(self) -> int:
        """How many filters of the panel are set."""
        return len(self.given.keys() - {"q", "box"})

    def query(self, **changes: str | None) -> str:
        """This list as the query of an address, with these changes."""
        values: dict[str, str | None] = {
            "tab": self.tab, "order": self.order, **self.given, "cols": self.own_columns, "view": self.view, **changes,
        }  # fmt: skip
        return urlencode({name: value for name, value in values.items() if value})

    def address(self, **changes: str | None) -> str:
        return f"{url_for('admin.inbox')}?{self.query(**changes)}"

    def kept(self, *but: str) -> list[tuple[str, str]]:
        """What a form carries along so that this list stays as it is, without what the form itself says."""
        return [pair for pair in parse_qsl(self.query()) if pair[0] not in but]


@pages.get("/")
def inbox() -> ResponseReturnValue:
    """A list of reports under a tab and filters; a whole number leads straight to its report."""
    number = numbers.read(request.args.get("q", ""))
    if number is not None:
        return redirect(url_for("admin.report", number=number))
    asked = read(request.args, me())
    found, following = _page(asked)
    beside = listing.beside(found, {*asked.columns, "joined", "urged"}, now=clock.now())
    shown: dict[str, Any] = {
        "asked": asked,
        "acts": bulk_actions(me()),
        "reports": found,
        "following": following,
        "thumbs": queries.thumbs(found) if "photo" in asked.columns else {},
        "joined": beside.joined,
        "urged": {report.id: beside.urged.get(report.id, 0) for report in found if report.status in OPEN},
        "columns": [listing.BY_NAME[name] for name in asked.columns if name != "photo"],
        "beside": beside,
        "tagged": tags.of_reports([report.id for report in found]),
    }
    if request.headers.get("HX-Target") == "more":
        return render_template("admin/_rows.html", **shown)
    return render_template(
        "admin/inbox.html",
        tabs=tabs(asked, me()),
        loaded_at=clock.now().timestamp(),
        mine=_mine_in_words(me()),
        chosen=chosen(asked),
        incidents_now=incidents.count_going_on() if sight_of(me()).is_whole else 0,
        fields=[field for field in narrowing.FIELDS if field.name != "status" or asked.tab == ALL],
        parts=narrowing.PARTS,
        saved_lists=saved.offered_to(me()),
        offered=offered(asked.columns),
        has_order=asked.tab not in WITHOUT_ORDER,
        may_drop=saved.may_drop,
        may_share=bool(me().roles & saved.MAY_SHARE),
        **shown,
    )


@pages.get("/live")
def live() -> ResponseReturnValue:
    """What the page asks for now and then: the tabs' counts, and how much came in or moved since it was loaded."""
    asked = read(request.args, me())
    try:
        since = datetime.fromtimestamp(float(request.args.get("loaded_at", "")), UTC)
    except (ValueError, OverflowError, OSError):
        since = clock.now()
    moved = queries.count_moved(asked.filters, since=since, but_not_by=me().id)
    return render_template(
        "admin/_live.html", asked=asked, tabs=tabs(asked, me()), moved=moved, mine=_mine_in_words(me())
    )


@pages.get("/alarm")
def alarm() -> ResponseReturnValue:
    """Critical reports that came in since a page was loaded or last asked: JSON for its sound and title."""
    try:
        since = datetime.fromtimestamp(float(request.args.get("since", "")), UTC)
    except (ValueError, OverflowError, OSError):
        since = clock.now()
    now = clock.now()
    # The router may find a report critical a moment after it came in: the page knows which it has heard of.
    found = queries.new_critical(_of_tab(ALL, me()), since=max(since, now - _ALARM_KEPT) - _ALARM_OVERLAP)
    rows = [
        {
            "number": report.number,
            "words": t("reportpage.alarm.words", what=category_name(report.category), place=place_words(report)),
            "address": url_for("admin.report", number=report.number),
        }
        for report in found
    ]
    return jsonify(at=now.timestamp(), reports=rows)


@pages.get("/next")
def next_report() -> ResponseReturnValue:
    """Where the next report of one's own work is: JSON, `address` null when there is no other."""
    after = request.args.get("after", "")
    own = work_of(me())
    first = queries.pressing(_of_tab(MINE, me()), after="").reports if own else []
    numbers_due = [report.number for report in first]
    if after in numbers_due:
        at = numbers_due.index(after)
        numbers_due = numbers_due[at + 1 :] + numbers_due[:at]
    return jsonify(address=url_for("admin.report", number=numbers_due[0]) if numbers_due else None)


def work_of(staff: Staff) -> tuple[Queue, ...]:
    """The piles this person works on, in the order of the day."""
    wanted = {queue for role in staff.roles for queue in _WORK.get(role, ())}
    return tuple(queue for queue in Queue if queue in wanted)


# What makes sense for many at once, in the order of the day.
BULK_ACTIONS = (Action.ASSIGN, Action.ACCEPT, Action.COMMENT, Action.VERIFY, Action.MERGE, Action.REJECT)


def bulk_actions(staff: Staff) -> list[Action]:
    """The acts on many reports that somebody of these roles may do at all."""
    if not can("do_bulk"):
        return []
    return [one for one in BULK_ACTIONS if (BY_ACTION[one].roles | BY_ACTION[one].unit_roles) & staff.roles]


def tab_names(staff: Staff) -> list[str]:
    own = work_of(staff)
    unit_only = visible_units(staff) is not None
    rest: Iterable[str] = (*_UNIT_TABS, ALL) if unit_only else (*Queue, ALL)
    calls = [CALL_BACK] if staff.roles & _CALLS else []
    return list(dict.fromkeys([*([MINE] if own else []), *own, *calls, *rest]))


def read(args: Mapping[str, str], staff: Staff) -> Asked:
    """The list that an address's values ask for, no wider than what this person may see."""
    names = tab_names(staff)
    tab = args.get("tab", "")
    tab = tab if tab in names else names[0]
    filters, given = narrowing.read(args, _of_tab(tab, staff))
    value = args.get
    order = value("order")
    if tab in WITHOUT_ORDER or order not in (PRESSING, NEWEST):
        order = NEWEST if tab == ALL else PRESSING
    columns, own_columns = columns_of(args, staff)
    view = MAP if value("view") == MAP else ""
    return Asked(tab, order, filters, value("after", "")[:60], given, columns, own_columns, view)


def tabs(asked: Asked, staff: Staff) -> list[Tab]:
    """The tabs with their counts under the present filters, in two queries however many there are."""
    names = tab_names(staff)
    if asked.filters.words:
        # Words are looked for in the one list that is open: counting them in all would cost more than it tells.
        return [Tab(name, None, asked.address(tab=name, order=None, after=None), name == asked.tab) for name in names]
    queues = [Queue(name) for name in names if name in set(Queue)]
    base = replace(asked.filters, queues=(), call_back=False)
    counts: dict[str, int] = {str(name): number for name, number in queries.queue_counts(base, queues).items()}
    if MINE in names:
        counts[MINE] = queries.count(replace(base, queues=work_of(staff)))
    if CALL_BACK in names:
        counts[CALL_BACK] = queries.count_to_call_back(base)
    return [
        Tab(
            name,
            None if name in _UNCOUNTED else counts[name],
            asked.address(tab=name, order=None, after=None),
            name == asked.tab,
        )
        for name in names
    ]


def choices() -> dict[str, Any]:
    """What forms offer to choose from."""
    ref = reference()
    majors: dict[str, list[Any]] = {}
    for category in ref.categories_by_code.values():
        majors.setdefault(category.major, []).append(category)
    return {
        "areas": [area for area in ref.areas_by_code.values() if area.level == "area"],
        "majors": {major: sorted(rows, key=lambda row: row.code) for major, rows in sorted(majors.items())},
        "sources": list(Source),
        "statuses": list(Status),
        "units": sorted((unit for unit in ref.units_by_id.values() if not unit.is_closed), key=lambda unit: unit.code),
        "urgencies": list(Urgency),
    }


def _of_tab(tab: str, staff: Staff) -> Filters:
    seen = sight_of(staff)
    filters = Filters(units=seen.units, areas=seen.areas, verifier_unit_id=staff.unit_id)
    if tab == MINE:
        return replace(filters, queues=work_of(staff))
    if tab in set(Queue):
        return replace(filters, queues=(Queue(tab),))
    return replace(filters, call_back=tab == CALL_BACK)


def count_of(asked: Asked) -> int | None:
    """How many reports the list has; None where counting them would take longer than it is worth."""
    if asked.tab in _UNCOUNTED:
        return None
    return queries.count_to_call_back(asked.filters) if asked.tab == CALL_BACK else queries.count(asked.filters)


def _page(asked: Asked) -> tuple[list[Report], str]:
    if asked.tab == CALL_BACK:
        called = queries.to_call_back(asked.filters, after=asked.after)
        return called.reports, called.next_after
    if asked.order == PRESSING:
        page = queries.pressing(asked.filters, after=asked.after)
        return page.reports, page.next_after
    before = int(asked.after) if asked.after.isdecimal() and len(asked.after) < 19 else None
    newest = queries.newest(asked.filters, before=before)
    return newest.reports, str(newest.next_before or "")


def _mine_in_words(staff: Staff) -> dict[str, int] | None:
    """How much is mine to do, and how much of it is overdue: the line under the heading."""
    own = work_of(staff)
    if not own:
        return None
    number, late = queries.count_and_overdue(_of_tab(MINE, staff))
    return {"all": number, "overdue": late}


def chosen(asked: Asked) -> list[tuple[str, str]]:
    """Filters that are set, as (what it says, the address without it)."""
    return [(narrowing.says(name, value), asked.address(**{name: None})) for name, value in asked.given.items()]
