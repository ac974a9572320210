"""Whether codes are scanned: which that hang never were, street by street; wrong codes that were tried."""

from __future__ import annotations

from dataclasses import asdict, replace

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from district import audit
from district.errands import service as errand_book
from district.errors import BadInput
from district.extensions import db
from district.facilities import scans
from district.facilities.scans import Unscanned
from district.messages import t
from district.people.models import Staff
from district.people.roles import Role
from district.reference import reference
from district.reports import sight
from district.work import unit_of_work

# For how long a label must have hung, to choose from.
DAYS = (7, 30, 90, 180)
KINDS = ("csv", "xlsx")


@pages.get("/facilities/scans")
def code_scans() -> ResponseReturnValue:
    """Streets by the share of codes that nobody scans, and those codes one by one."""
    wanted = _wanted()
    found, after = scans.never_scanned(wanted, after=_after(request.args.get("after", "")))
    ref = reference()
    given = {"type": wanted.type_code, "area": wanted.area_code, "days": str(wanted.days)}
    return render_template(
        "admin/code_scans.html",
        wanted=wanted,
        streets=scans.by_street(wanted),
        found=found,
        count=scans.count_never_scanned(wanted),
        next_after=f"{after[0]}-{after[1]}" if after else "",
        kept={name: value for name, value in given.items() if value},
        days=DAYS,
        types=list(ref.facility_types_by_code.values()),
        areas=[
            area
            for area in ref.areas_by_code.values()
            if area.level == "area" and (wanted.areas is None or area.code in wanted.areas)
        ],
        kinds=KINDS,
        guesses=scans.guesses() if Role.ADMINISTRATOR in me().roles else None,
        shown_days=scans.SHOWN_DAYS,
    )


@pages.post("/facilities/scans/export")
def export_code_scans() -> ResponseReturnValue:
    """The list as a file: made beside everything else, fetched when it is ready."""
    kind = request.form.get("kind", "")
    if kind not in KINDS:
        raise BadInput("register.file.kinds")
    # How far its owner sees is asked when it is made.
    wanted = asdict(replace(_wanted(), areas=None, units=None))
    with unit_of_work():
        by = db.session.get_one(Staff, me().id)
        asked = errand_book.ask("export_unscanned", {"kind": kind, "wanted": wanted}, by=by).id
        audit.record(by, "facility.export_unscanned", f"staff:{by.id}", kind=kind)
    return redirect(url_for("admin.errand", errand_id=asked))


def _wanted() -> Unscanned:
    """What the list is narrowed to, as far as this person sees; a value that nobody knows is not asked for."""
    ref, seen = reference(), sight.sight_of(me())
    type_code, area_code = request.values.get("type", ""), request.values.get("area", "")
    days = request.values.get("days", "")
    return Unscanned(
        type_code=type_code if type_code in ref.facility_types_by_code else "",
        area_code=area_code if area_code in ref.areas_by_code else "",
        days=int(days) if days in map(str, DAYS) else scans.USUAL_DAYS,
        areas=seen.areas,
        units=seen.units,
    )


def _after(text: str) -> tuple[int, str] | None:
    number, _, token = text.partition("-")
    if not (number.isascii() and number.isdecimal() and len(number) < 19 and token.isascii() and token.isalnum()):
        return None
    return int(number), token[:20]


@pages.context_processor
def _for_templates() -> dict[str, object]:
    return {"guess_words": guess_words}


def guess_words(guesses: dict[str, int]) -> str:
    """By which door how many wrong codes came, most first."""
    rows = sorted(guesses.items(), key=lambda row: -row[1])
    return t("scans.between").join(t("scans.door", door=t(f"scans.doors.{door}"), n=n) for door, n in rows)
