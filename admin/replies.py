"""Replies in the panel: the preview while somebody writes, and the prepared ones with their editor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from admin.answering import shown_reply
from admin.guard import me, pages
from admin.inbox import choices
from admin.report_page import reachable
from district.errors import BadInput
from district.extensions import db
from district.messages import t
from district.people.models import Staff
from district.reference import reference
from district.replies import service as replies
from district.replies.models import ReplyTemplate
from district.reports.states import OPEN, Status
from district.work import unit_of_work

_LINK = re.compile(r'<a href="[^"]*">(.*?)</a>', re.DOTALL)
# The states in which somebody can be replied to.
_STATUSES = tuple(status for status in Status if status in OPEN | {Status.CLOSED, Status.REJECTED})


@pages.post("/reports/<number>/reply-preview")
def preview_reply(number: str) -> ResponseReturnValue:
    """How the reply that is being written would look; nothing is kept."""
    found = reachable(number)
    shown = shown_reply(found, request.form.get("text", ""))
    return render_template("admin/_bubble.html", longest_reply=replies.LONGEST_REPLY, **shown)


@pages.get("/reply-templates")
def reply_templates() -> ResponseReturnValue:
    return render_template(
        "admin/reply_templates.html", rows=replies.listed(), categories=reference().categories_by_code
    )


@pages.get("/reply-templates/new")
def add_reply_template() -> ResponseReturnValue:
    return _form(None, {}, {})


@pages.get("/reply-templates/<int:template_id>")
def reply_template(template_id: int) -> ResponseReturnValue:
    return _form(replies.template(template_id), {}, {})


@pages.post("/reply-templates/save")
def save_reply_template() -> ResponseReturnValue:
    given = request.form
    number = given.get("id", "")
    template_id = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else None
    try:
        with unit_of_work():
            replies.save(
                template_id,
                by=db.session.get_one(Staff, me().id),
                title=given.get("title", ""),
                words=given.get("words", ""),
                words_en=given.get("words_en", ""),
                category_codes=given.getlist("categories"),
                statuses=given.getlist("statuses"),
            )
    except BadInput as error:
        errors = {name: t(error.key, **error.params) if error.params else t(key) for name, key in error.fields.items()}
        row = replies.template(template_id) if template_id is not None else None
        return _form(row, given.to_dict(flat=False), errors), 422
    flash("reply.templates.saved")
    return redirect(url_for("admin.reply_templates"))


@pages.post("/reply-templates/<int:template_id>/end")
def end_reply_template(template_id: int) -> ResponseReturnValue:
    with unit_of_work():
        replies.end(template_id, by=db.session.get_one(Staff, me().id))
    flash("reply.templates.ended")
    return redirect(url_for("admin.reply_templates"))


def _form(row: ReplyTemplate | None, typed: Mapping[str, list[str]], errors: Mapping[str, str]) -> str:
    if typed:
        shown: dict[str, Any] = {name: typed.get(name, [""])[0] for name in ("title", "words", "words_en")}
        shown |= {name: typed.get(name, []) for name in ("categories", "statuses")}
    else:
        shown = {name: getattr(row, name, "") for name in ("title", "words", "words_en")}
        shown |= {"categories": row.category_codes if row else [], "statuses": row.statuses if row else []}
    return render_template(
        "admin/reply_template.html", row=row, shown=shown, errors=errors, statuses=_STATUSES,
        majors=choices()["majors"], longest_reply=replies.LONGEST_REPLY,
    )  # fmt: skip


def wechat_words(message: str) -> Markup:
    """A message as WeChat shows it: its links are words in blue, everything else is text."""
    made, at = Markup(""), 0
    for link in _LINK.finditer(message):
        made += escape(message[at : link.start()]) + Markup('<span class="bubble-link">{}</span>').format(link[1])
        at = link.end()
    return made + escape(message[at:])


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {"wechat_words": wechat_words}
