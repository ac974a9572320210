"""The wall display without a login: the page where links are made and ended, and what a screen gets by one."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter.util import get_remote_address

from admin.guard import me, pages
from admin.overview import answer, wall_page
from district import clock, links
from district.errors import BadInput, NotFound
from district.extensions import db, limiter
from district.overview import links as wall
from district.overview.models import WallLink
from district.people.models import Staff
from district.reports.sight import Sight, sight_of
from district.work import unit_of_work

# Wrong tokens only: the screens of a whole building may share one address.
WRONG_TOKENS = "20 per minute; 100 per hour"


def _was_wrong(response: Response) -> bool:
    return response.status_code >= 400


@pages.get("/wall-links")
def wall_links() -> ResponseReturnValue:
    """Which screens may show the wall display, since when, until when, and when each last asked."""
    return _page({}, {})


@pages.post("/wall-links")
def make_wall_link() -> ResponseReturnValue:
    """A new link. Its address is shown once, on the next page."""
    given = {name: request.form.get(name, "").strip() for name in ("name", "days")}
    days = given["days"]
    try:
        with unit_of_work():
            row, token = wall.make(
                given["name"],
                days=int(days) if days.isascii() and days.isdecimal() and len(days) < 4 else 0,
                by=db.session.get_one(Staff, me().id),
            )
            name = row.name
    except BadInput as error:
        return _page(given, error.fields), 422
    # In the signed session for the one page that shows it: only the digest is in the database.
    session["fresh_wall"] = {"name": name, "address": links.wall_page(token)}
    return redirect(url_for("admin.wall_links"))


@pages.post("/wall-links/<int:link_id>/end")
def end_wall_link(link_id: int) -> ResponseReturnValue:
    with unit_of_work():
        wall.end(link_id, by=db.session.get_one(Staff, me().id))
    flash("overview.links.ended")
    return redirect(url_for("admin.wall_links"))


@pages.get("/wall/<token>")
@limiter.limit(WRONG_TOKENS, key_func=get_remote_address, deduct_when=_was_wrong)
def wall_by_link(token: str) -> ResponseReturnValue:
    """The wall display for a screen where nobody logs in."""
    if _screen(token) is None:
        raise NotFound("overview.links.over")
    return wall_page(url_for("admin.wall_by_link_data", token=token), Sight())


@pages.get("/wall/<token>/data.json")
@limiter.limit(WRONG_TOKENS, key_func=get_remote_address, deduct_when=_was_wrong)
def wall_by_link_data(token: str) -> ResponseReturnValue:
    """What that screen asks for again and again: 410 tells it that its link is over."""
    if _screen(token) is None:
        return "", 410
    return answer(Sight(), wall=True)


def _screen(token: str) -> WallLink | None:
    found = wall.find(token)
    if found is not None and not wall.is_seen(found):
        with unit_of_work():
            wall.note_seen(found.id)
    return found


def _page(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    fresh: Mapping[str, str] | None = session.pop("fresh_wall", None)
    return render_template(
        "admin/wall_links.html",
        errors=errors,
        fresh=fresh,
        holds=wall.holds,
        lengths=wall.LENGTHS,
        longest=wall.LONGEST_NAME,
        may_make=sight_of(me()).is_whole,
        now=clock.now(),
        rows=wall.newest(),
        typed=typed,
    )
