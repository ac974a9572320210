"""The settings: one page of tiles, the things an administrator sets, what was changed about them and taking it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin.filters import Group
from admin.guard import can, me, pages
from admin.setting_fields import FIELDS, facts_of, fields_of, labels_of, name_of, said, short, typed
from district.changes import service as changes
from district.changes.models import Change
from district.errors import NotFound
from district.extensions import db
from district.geo.models import LEVELS, Area
from district.messages import t
from district.people.models import Staff
from district.reference import forget, reference
from district.reports.sight import sight_of
from district.upkeep import service as upkeep
from district.upkeep.kinds import Kind, RecordRefused, Use
from district.upkeep.service import CannotUndo, Doubtful, InUse, Thing, ThingChanged
from district.work import unit_of_work

# Everything that is set somewhere, in the order of the page: (group, endpoint, icon). Each has its words under
# `upkeep.tile` and `upkeep.tile_hint`; whoever may not open a page is not shown its tile.
TILES: tuple[tuple[str, str, str], ...] = (
    ("who", "settings_units", "building-community"),
    ("who", "staff", "users"),
    ("who", "rights", "layout-list"),
    ("who", "roster", "calendar"),
    ("what", "settings_categories", "list-details"),
    ("what", "settings_standards", "clipboard-list"),
    ("what", "settings_types", "bulb"),
    ("what", "settings_tags", "tags"),
    ("what", "settings_alarms", "bell"),
    ("where", "settings_areas", "map"),
    ("course", "rules", "adjustments"),
    ("course", "calendar", "clock"),
    ("words", "reply_templates", "message-report"),
    ("words", "wording", "language"),
    ("machines", "wechat_settings", "message"),
    ("machines", "api_keys_page", "key"),
    ("watch", "retention", "trash"),
    ("watch", "settings_changes", "history"),
    ("watch", "audit", "shield-check"),
)

# How each kind is called in an address, and the page that lists it.
_SLUGS = {
    "units": "unit", "categories": "category", "standards": "standard", "facility-types": "facility_type",
    "areas": "area", "tags": "tag", "alarms": "device_alarm",
}  # fmt: skip
_LISTS = {
    "unit": "settings_units", "category": "settings_categories", "standard": "settings_standards",
    "facility_type": "settings_types", "area": "settings_areas", "tag": "settings_tags",
    "device_alarm": "settings_alarms",
}  # fmt: skip
SLUG_OF = {kind: slug for slug, kind in _SLUGS.items()}
# A file that somebody uploads holds one outline, or one district's.
_LONGEST_FILE = 4_000_000
_SHOWN_STANDARDS = 50


@dataclass
class Draft:
    """A form as it is shown. code: of the thing that is changed, "" for a new one. base: the state it was opened on."""

    kind: Kind
    code: str
    cells: Mapping[str, str]
    base: str
    active: bool = True
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    doubts: Sequence[str] = ()
    sure: str = ""
    # What a colleague made of it meanwhile, column by column.
    now: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------- the tiles and the lists


@pages.get("/settings")
def settings() -> ResponseReturnValue:
    """What can be set, in groups, as far as this person may open it."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for group, endpoint, icon in TILES:
        if can(endpoint):
            groups.setdefault(group, []).append((endpoint, icon))
    return render_template("admin/settings.html", groups=groups)


@pages.get("/settings/units", endpoint="settings_units")
@pages.get("/settings/categories", endpoint="settings_categories")
@pages.get("/settings/standards", endpoint="settings_standards")
@pages.get("/settings/facility-types", endpoint="settings_types")
@pages.get("/settings/areas", endpoint="settings_areas")
@pages.get("/settings/tags", endpoint="settings_tags")
@pages.get("/settings/alarms", endpoint="settings_alarms")
def setting_list() -> ResponseReturnValue:
    """Everything of one kind, by code."""
    here = (request.endpoint or "").removeprefix("admin.")
    kind = upkeep.kind_of(next(name for name, endpoint in _LISTS.items() if endpoint == here))
    slug = SLUG_OF[kind.name]
    given = {name: request.args.get(name, "").strip()[:60] for name in ("q", "narrow", "gone")}
    narrowing = _narrowing(kind.name)
    groups = narrowing[1] if narrowing else []
    if given["narrow"] not in {value for group in groups for value, _ in group.choices}:
        given["narrow"] = ""
    same = _same(kind.name, given["narrow"]) if given["narrow"] else {}
    page = upkeep.listed(
        kind, words=given["q"], active=given["gone"] != "1", after=request.args.get("after", "")[:60], **same
    )
    return render_template(
        "admin/setting_list.html",
        kind=kind,
        slug=slug,
        given=given,
        narrow_label=narrowing[0] if narrowing else "",
        narrow_groups=groups,
        things=page.things,
        following=page.next_after,
        labels=labels_of(kind.name),
        facts_of=facts_of,
        name_of=name_of,
        address=lambda **values: url_for(f"admin.{_LISTS[kind.name]}", **(given | values)),
    )


# ---------------------------------------------------------------- one thing


@pages.get("/settings/<slug>/new")
def new_setting(slug: str) -> ResponseReturnValue:
    """An empty form; an address may fill some of it, such as the category of a new case standard."""
    kind = _kind(slug)
    cells = dict.fromkeys(kind.columns, "")
    for name in cells:
        cells[name] = request.args.get(name, "").strip()[:60]
    if kind.name == "tag":
        cells["colour"] = cells["colour"] or "blue"
    if kind.name == "device_alarm":
        cells["facility_type"] = cells["facility_type"] or "*"
    if kind.name == "area":
        cells["level"] = cells["level"] or LEVELS[0]
        cells["parent"] = cells["parent"] or str(reference().setting("district.code", ""))
    return _form(Draft(kind, "", cells, ""))


@pages.get("/settings/<slug>/one/<code>")
def setting(slug: str, code: str) -> ResponseReturnValue:
    return _page(_kind(slug), code)


@pages.post("/settings/<slug>/save")
def save_setting(slug: str) -> ResponseReturnValue:
    """Add a thing, or change it. Nothing typed is lost when it cannot be taken."""
    kind = _kind(slug)
    cells = typed(kind.name, request.form)
    code, base = request.form.get("of", "").strip()[:80], request.form.get("base", "")[:64]
    if code:
        cells[kind.code_column] = code
    draft = Draft(kind, code, cells, base)
    try:
        uploaded = request.files.get("file")
        if uploaded is not None and uploaded.filename:
            cells["geometry"] = _read(uploaded.stream.read(_LONGEST_FILE + 1))
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            change = upkeep.save(kind, cells, base=base, sure=request.form.get("sure", "")[:64], by=by)
            subject = change.subject if change is not None else code
    except RecordRefused as refusal:
        draft.errors = refusal.problems
        return _form(draft), 422
    except Doubtful as question:
        draft.doubts, draft.sure = question.doubts, question.sure
        return _form(draft), 422
    except ThingChanged as refusal:
        forget()
        draft.now, draft.base = refusal.now, refusal.base
        draft.problem = t(refusal.key)
        return _form(draft), 409
    forget()
    flash("upkeep.saved" if change is not None else "upkeep.unchanged")
    return redirect(url_for("admin.setting", slug=slug, code=subject))


@pages.post("/settings/<slug>/one/<code>/retire")
def retire_setting(slug: str, code: str) -> ResponseReturnValue:
    kind = _kind(slug)
    try:
        with unit_of_work():
            by = db.session.get_one(Staff, me().id)
            upkeep.retire(kind, code, base=request.form.get("base", "")[:64], by=by)
    except (InUse, ThingChanged) as refusal:
        return _page(kind, code, problem=t(refusal.key, **refusal.params)), 409
    forget()
    flash("upkeep.retired_now")
    return redirect(url_for("admin.setting", slug=slug, code=code))


@pages.post("/settings/<slug>/one/<code>/restore")
def restore_setting(slug: str, code: str) -> ResponseReturnValue:
    kind = _kind(slug)
    try:
        with unit_of_work():
            upkeep.restore(kind, code, by=db.session.get_one(Staff, me().id))
    except RecordRefused as refusal:
        return _page(kind, code, problem=t("upkeep.restore_not", reason=" ".join(refusal.problems.values()))), 422
    forget()
    flash("upkeep.restored_now")
    return redirect(url_for("admin.setting", slug=slug, code=code))


@pages.get("/settings/area-outlines.json")
def area_outlines() -> ResponseReturnValue:
    """The outlines of one level, for the map on which another is drawn: JSON."""
    level, but = request.args.get("level", ""), request.args.get("but", "")
    query = select(Area.code, Area.geometry).where(Area.retired_at.is_(None))
    if level not in LEVELS:
        raise NotFound()
    rows = db.session.execute(query.where(Area.level == level, Area.code != but).order_by(Area.code))
    return jsonify(areas=[{"code": row.code, "outline": row.geometry} for row in rows])


# ---------------------------------------------------------------- before and after


@pages.get("/settings/changes")
def settings_changes() -> ResponseReturnValue:
    """Who changed what, newest first."""
    kind = request.args.get("kind", "")
    kind = kind if kind in upkeep.KINDS else ""
    before = request.args.get("before", "")
    rows = changes.page(
        kind=kind, before=int(before) if before.isascii() and before.isdecimal() and len(before) < 19 else None
    )
    return render_template(
        "admin/setting_changes.html",
        lines=_lines(rows),
        kind=kind,
        kinds=list(upkeep.KINDS),
        following=rows[-1].id if len(rows) == changes.PAGE else None,
    )


@pages.post("/settings/changes/<int:change_id>/undo")
def undo_setting(change_id: int) -> ResponseReturnValue:
    """Take a change back; why it cannot be is said on the page of the thing it was about."""
    found = db.session.get(Change, change_id)
    if found is None or found.kind not in upkeep.KINDS:
        raise NotFound()
    kind, code = upkeep.KINDS[found.kind], found.subject
    try:
        with unit_of_work():
            upkeep.undo(change_id, by=db.session.get_one(Staff, me().id))
    except CannotUndo as refusal:
        return _page(kind, code, problem=t(refusal.key, **refusal.params)), 409
    forget()
    flash("upkeep.undo.done")
    return redirect(url_for("admin.setting", slug=SLUG_OF[kind.name], code=code))


@dataclass(frozen=True)
class ChangeLine:
    """One change as a page shows it. parts: (label, before, after). undoes: the change it took back."""

    change: Change
    kind: str
    act: str
    name: str
    address: str
    parts: Sequence[tuple[str, str, str]]
    undoes: int | None


def _lines(rows: list[Change]) -> list[ChangeLine]:
    """The changes in words. Kinds that are kept elsewhere have their own pages."""
    undone = changes.undone_ids(rows)
    return [
        ChangeLine(
            change=row,
            kind=row.kind,
            act=upkeep.act_of(row),
            name=_subject_name(row),
            address=change_address(row),
            parts=[
                (t(f"upkeep.field.{column}"), said(row.kind, column, before), said(row.kind, column, after))
                for column, before, after in upkeep.differences(row)
            ],
            undoes=undone.get(row.id),
        )
        for row in rows
        if row.kind in upkeep.KINDS
    ]


def change_address(change: Change) -> str:
    """The page of the thing that was changed, where it has one here."""
    if change.kind == "inspection_plan":
        return url_for("admin.inspection_plans")
    if change.kind not in SLUG_OF:
        return url_for("admin.settings_changes")
    return url_for("admin.setting", slug=SLUG_OF[change.kind], code=change.subject)


def _subject_name(change: Change) -> str:
    told = change.after or change.before or {}
    name = name_of(change.kind, upkeep.KINDS[change.kind].written(change.subject, dict(told)))
    return f"{name} {change.subject}" if change.kind != "tag" else name


# ---------------------------------------------------------------- what the pages show


def _kind(slug: str) -> Kind:
    if slug not in _SLUGS:
        raise NotFound()
    return upkeep.kind_of(_SLUGS[slug])


def _page(kind: Kind, code: str, *, problem: str = "") -> str:
    """The page of a thing as it is now."""
    forget()
    now: Thing = upkeep.thing(kind, code)
    return _form(Draft(kind, code, now.cells, now.base, active=now.active, problem=problem))


def _form(draft: Draft) -> str:
    kind, code = draft.kind, draft.code
    used: list[Use] = upkeep.uses(kind, code) if code else []
    blocked = any(use.blocks for use in used)
    if not sight_of(me()).is_whole:
        # How many reports there are in all is not for people who see a part of the district.
        used = [use for use in used if not use.name.endswith("reports")]
    fields = fields_of(kind.name)
    standards = _standards_of(code) if kind.name == "category" and code else []
    return render_template(
        "admin/setting.html",
        draft=draft,
        kind=kind,
        slug=SLUG_OF[kind.name],
        fields=[one for one in FIELDS[kind.name] if one.name != kind.code_column or kind.name != "tag"],
        name=name_of(kind.name, draft.cells),
        list_page=_LISTS[kind.name],
        may_change=can("save_setting") and draft.active,
        uses=used,
        blocked=blocked,
        lines=_lines(changes.of_subject(kind.name, code)) if code else [],
        now_is={
            name: fields[name].words(value)
            for name, value in draft.now.items()
            if name in fields and value != draft.cells.get(name, "")
        },
        outline_words=fields["geometry"].words(draft.cells["geometry"]) if kind.name == "area" else "",
        standards=standards,
        short=short,
    )


def _standards_of(code: str) -> list[tuple[str, str]]:
    return [(one.code, one.condition) for one in reference().standards(code)[:_SHOWN_STANDARDS]]


def _narrowing(kind: str) -> tuple[str, Sequence[Group]] | None:
    """What the list of a kind can be narrowed to: the words for any of them, and the choices."""
    fields = fields_of(kind)
    if kind in ("category", "facility_type"):
        return t("upkeep.any_major"), fields["major_zh"].groups()
    if kind == "standard":
        return t("upkeep.any_category"), fields["category_code"].groups()
    if kind == "area":
        return t("upkeep.any_level"), fields["level"].groups()
    return None


def _same(kind: str, value: str) -> dict[str, Any]:
    """The column and value that a narrowed list is about."""
    if kind == "standard":
        return {"category_id": reference().categories_by_code[value].id}
    return {"level" if kind == "area" else "major": value}


def _read(raw: bytes) -> str:
    """An uploaded file as text. Raises RecordRefused for one that is too long or no text."""
    if len(raw) > _LONGEST_FILE:
        raise RecordRefused({"geometry": t("upkeep.outline.file_long")})
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecordRefused({"geometry": t("upkeep.outline.file_odd")}) from error
