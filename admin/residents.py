"""The resident behind a report: the conversation beside it, and the list of those who are blocked."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from admin.report_page import reachable, show, visible
from admin.seeing import require_seen, seen_within
from district.errors import BadInput, NotFound
from district.extensions import db
from district.messages import t
from district.people import blocks as resident_blocks
from district.people.models import ResidentBlock, Staff
from district.reports import chat as chats
from district.reports import queries
from district.reports import service as reports
from district.work import unit_of_work

_BLOCKS_A_PAGE = 50


@pages.get("/reports/<number>/chat")
def chat(number: str) -> ResponseReturnValue:
    """What was said around a report: alone for the report's page, or as a page of its own. Reading it is logged."""
    found = reachable(number)
    report_id = found.id
    with unit_of_work():
        # Locked, so that two openings at once leave one line in the log.
        lines = chats.read(reports.lock(report_id), by=db.session.get_one(Staff, me().id))
    shown = {"report": visible(number), "lines": lines}
    part = bool(request.headers.get("HX-Request"))
    return render_template("admin/_chat.html" if part else "admin/chat.html", **shown)


@pages.post("/reports/<number>/block")
def block(number: str) -> ResponseReturnValue:
    """Keep the report's resident from filing through the chat for the chosen days."""
    found = reachable(number)
    if found.resident_id is None:
        raise NotFound()
    days = request.form.get("days", "")
    try:
        with unit_of_work():
            resident_blocks.block(
                found.resident_id,
                by=db.session.get_one(Staff, me().id),
                report_id=found.id,
                days=int(days) if days.isascii() and days.isdecimal() and len(days) < 4 else 0,
                reason=request.form.get("reason", ""),
            )
    except BadInput as error:
        trouble = " ".join(t(key) for key in error.fields.values())
        return show(visible(number), status=422, block_trouble=trouble)
    flash("admin.block.done")
    return redirect(url_for("admin.report", number=number))


@pages.get("/blocks")
def blocks() -> ResponseReturnValue:
    """Who is blocked, why, by whom and until when; with `over=1` whose block has ended."""
    before = request.args.get("before", "")
    over = request.args.get("over") == "1"
    rows = resident_blocks.blocks_list(
        over=over,
        shown=seen_within(ResidentBlock.report_id, of=ResidentBlock),
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None,
        limit=_BLOCKS_A_PAGE,
    )
    return render_template(
        "admin/blocks.html",
        rows=rows,
        over=over,
        numbers=queries.numbers_of({row.report_id for row in rows}),
        following=rows[-1].id if len(rows) == _BLOCKS_A_PAGE else None,
    )


@pages.post("/blocks/<int:block_id>/end")
def unblock(block_id: int) -> ResponseReturnValue:
    require_seen(resident_blocks.report_of(block_id))
    with unit_of_work():
        resident_blocks.lift(block_id, by=db.session.get_one(Staff, me().id))
    flash("admin.block.ended")
    return redirect(url_for("admin.blocks"))
