"""One act on many reports: first what would happen to each, then each by itself, then what came of it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import VERBS, Sent
from admin.guard import me, pages
from admin.inbox import bulk_actions, choices
from admin.report_page import REJECT_REASONS
from district.bulk import service as bulk_runs
from district.errors import DistrictError, NotFound
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.reports import guards, merging, queries, sight
from district.reports import service as reports
from district.reports.models import Report
from district.reports.states import Action
from district.work import unit_of_work

_TOKEN = re.compile(r"[A-Za-z0-9_-]{10,40}")


@dataclass(frozen=True)
class Row:
    """One report of the preview. problem: why it cannot be done, or empty."""

    report: Report
    problem: str
    is_chosen: bool


@pages.get("/bulk")
def bulk() -> ResponseReturnValue:
    """What would happen to each of the chosen reports."""
    return _preview(_action(request.args.get("do", "")), request.args.getlist("row"), request.args.getlist("row"))


@pages.post("/bulk")
def do_bulk() -> ResponseReturnValue:
    """Do it to each that is still ticked, or show the preview again with what is missing."""
    action, sent = _action(request.form.get("do", "")), Sent(request.form)
    numbers = list(dict.fromkeys(request.form.getlist("row")))[: bulk_runs.MOST_ROWS]
    token = request.form.get("token", "")
    errors = _missing(action, sent, numbers)
    if errors or not _TOKEN.fullmatch(token):
        return _preview(action, request.form.getlist("shown"), numbers, errors=errors, status=422)
    with unit_of_work():
        bulk_runs.begin(token, action, by=_by())
    for number in numbers:
        try:
            with unit_of_work():
                run = bulk_runs.take(token, by=_by())
                if number not in run.results:
                    _do(action, number, sent)
                    bulk_runs.note(run, number)
        except DistrictError as error:
            with unit_of_work():
                bulk_runs.note(bulk_runs.take(token, by=_by()), number, error)
    return redirect(url_for("admin.bulk_result", token=token))


@pages.get("/bulk/<token>")
def bulk_result(token: str) -> ResponseReturnValue:
    """What came of it, report by report."""
    run = bulk_runs.read(token, by=me())
    found = {report.number: report for report in queries.by_numbers(list(run.results)) if sight.may_see(me(), report)}
    rows = [
        (found[number], t(one["key"], **one["params"]) if one["key"] else "")
        for number, one in run.results.items()
        if number in found
    ]
    return render_template(
        "admin/bulk_result.html",
        action=run.action,
        rows=sorted(rows, key=lambda row: not row[1]),
        done=sum(not problem for _, problem in rows),
    )


def _action(name: str) -> Action:
    for action in bulk_actions(me()):
        if action == name:
            return action
    raise NotFound()


def _do(action: Action, number: str, sent: Sent) -> None:
    by, report_id = _by(), reports.find(number).id
    version = sent.number(f"version-{number}") or 0
    if action is Action.MERGE:
        into = reports.find(sent.text("into")).id
        if into != report_id:
            merging.merge(report_id, into, by=by, version=version)
        return
    report = reports.lock(report_id, version=version)
    if not sight.may_see(by, report):
        raise NotFound("errors.report_unknown")
    VERBS[action](report, by, sent)


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


def _missing(action: Action, sent: Sent, numbers: list[str]) -> dict[str, str]:
    """What the form needs before any report is touched."""
    if not numbers:
        return {"row": "lists.bulk.none_chosen"}
    if action is Action.ASSIGN and sent.number("unit") is None:
        return {"unit": "admin.form.choose_unit"}
    if action is Action.COMMENT and not sent.text("text"):
        return {"text": "lists.bulk.write_something"}
    if action is Action.REJECT and not (sent.text("reason") or sent.text("reason_code") in REJECT_REASONS):
        return {"reason": "admin.form.choose_reason"}
    if action is Action.MERGE and sent.text("into") not in numbers:
        return {"into": "lists.bulk.choose_into"}
    return {}


def _preview(
    action: Action, shown: list[str], ticked: list[str], *, errors: dict[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    wanted = list(dict.fromkeys(shown))[: bulk_runs.MOST_ROWS]
    found = {report.number: report for report in queries.by_numbers(wanted) if sight.may_see(me(), report)}
    rows = []
    for number in wanted:
        if number in found:
            problem = _problem(action, found[number])
            rows.append(Row(found[number], problem, number in ticked and not problem))
    page: dict[str, Any] = {
        "action": action,
        "rows": rows,
        "possible": [row for row in rows if not row.problem],
        "errors": errors or {},
        "typed": request.form,
        "token": request.form.get("token") or secrets.token_urlsafe(15),
        "units": choices()["units"],
        "reject_reasons": REJECT_REASONS,
    }
    return render_template("admin/bulk.html", **page), status


def _problem(action: Action, report: Report) -> str:
    try:
        guards.require(me(), action, report)
    except DistrictError as error:
        return t(error.key, **error.params)
    return ""
