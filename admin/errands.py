"""Lengthy work: how far it is, and what came of it."""

from __future__ import annotations

from flask import Response, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from district.errands import service as errand_book
from district.errands.models import Errand
from district.extensions import db
from district.messages import has, t
from district.people.models import Staff
from district.work import unit_of_work


@pages.get("/tasks")
def errands() -> ResponseReturnValue:
    """Everything this person has asked for, newest first."""
    return render_template(
        "admin/errands.html", errands=errand_book.of(me()), outcome_of=outcome_of, size_words=size_words
    )


@pages.get("/tasks/<int:errand_id>")
def errand(errand_id: int) -> ResponseReturnValue:
    """One, which tells by itself how far it is."""
    found = errand_book.read(errand_id, by=me())
    return render_template("admin/errand.html", errand=found, outcome_of=outcome_of, size_words=size_words)


@pages.get("/tasks/<int:errand_id>/state")
def errand_state(errand_id: int) -> ResponseReturnValue:
    """The part of the page that changes."""
    found = errand_book.read(errand_id, by=me())
    return render_template("admin/_errand.html", errand=found, outcome_of=outcome_of, size_words=size_words)


@pages.post("/tasks/<int:errand_id>/cancel")
def cancel_errand(errand_id: int) -> ResponseReturnValue:
    """Stop it; what it has written so far is thrown away, what it has put into the database stays."""
    with unit_of_work():
        errand_book.cancel(errand_id, by=_by())
    return redirect(url_for("admin.errand", errand_id=errand_id))


@pages.get("/tasks/<int:errand_id>/file")
def errand_file(errand_id: int) -> Response:
    """The result, for whoever asked for it."""
    with unit_of_work():
        found, path = errand_book.fetch(errand_id, by=_by())
        name, kind = found.file_name, found.file_type
    answer = send_file(path, mimetype=kind, as_attachment=True, download_name=name, max_age=0)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def size_words(size: int) -> str:
    """A file's size as people say it."""
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{max(1, round(size / 1000))} KB"


def outcome_of(errand: Errand) -> str:
    """The sentence that says what came of it, or why nothing did."""
    if errand.problem:
        return t(errand.problem["key"], **errand.problem["params"])
    key = f"errands.outcome.{errand.kind}"
    return t(key, **errand.outcome) if errand.outcome and has(key) else ""


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)
