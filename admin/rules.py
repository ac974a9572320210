"""The routing rules: the list, one rule's form with its dry run, and every version that was kept."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import can, me, pages
from admin.inbox import choices
from admin.showing import area_name, category_name, unit_of_code
from district.errors import NotFound
from district.extensions import db
from district.loading.rule_rows import COLUMNS, UNIT_MARKS
from district.messages import t
from district.people.models import Staff
from district.reference import RuleRef, forget, reference
from district.routing.dry_run import REPORTS, DryRun, Place, dry_run
from district.routing.findings import findings, sentence
from district.routing.lint import Finding
from district.routing.models import RULE_MODES, RULE_ROLES
from district.rules import editing, versions
from district.rules.editing import RuleRefused, RulesChanged
from district.rules.models import RulesVersion
from district.work import unit_of_work

# How many moved reports the page lists; the counts are of all of them.
LISTED = 30
# How many names of a rule's categories, streets or types a line shows.
_NAMED = 3


@dataclass
class Draft:
    """A form as it is shown. code: of the rule that is changed, "" for a new one. base: the version it was opened on.

    trial: the dry run of exactly these words; tried: their mark. since: versions made by others meanwhile.
    """

    code: str
    cells: Mapping[str, str]
    base: int
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    trial: DryRun | None = None
    tried: str = ""
    retiring: bool = False
    new_findings: Sequence[Finding] = ()
    since: Sequence[RulesVersion] = ()


@pages.get("/rules")
def rules() -> ResponseReturnValue:
    """Every rule in force in the order in which they are tried, and what the linter says of them."""
    given = {name: request.args.get(name, "").strip()[:60] for name in ("q", "category", "unit", "area")}
    ref = reference()
    shown = [rule for rule in ref.rules if _wanted(rule, given)]
    found = findings()
    return render_template(
        "admin/rules.html",
        rules=shown,
        count=len(ref.rules),
        given=given,
        found=found,
        counts=Counter(one.severity for one in found),
        version=versions.latest(),
        units=choices()["units"],
        majors=choices()["majors"],
        areas=choices()["areas"],
        marks=UNIT_MARKS,
    )


@pages.get("/rules/new")
def add_rule() -> ResponseReturnValue:
    anything = dict.fromkeys(("category_codes", "major", "facility_type", "area_codes"), "*")
    empty = dict.fromkeys(COLUMNS, "") | anything | {"priority": "600", "role": "primary", "mode": "auto"}
    return _form(Draft("", empty, versions.latest_number()))


@pages.get("/rules/one/<code>")
def rule(code: str) -> ResponseReturnValue:
    return _form(Draft(code, editing.written(_in_force(code)), versions.latest_number()))


@pages.post("/rules/save")
def save_rule() -> ResponseReturnValue:
    """Try or save what was typed, or retire the rule. Nothing is saved that was not tried just as it is."""
    cells = {name: request.form.get(name, "").strip() for name in COLUMNS}
    do, code = request.form.get("do", "try"), request.form.get("code", "").strip()
    draft = Draft(code, cells, _number(request.form.get("base", "")), retiring=do in ("retire", "try-retire"))
    if code:
        cells["rule_id"] = code
    try:
        if draft.retiring:
            wanted = editing.without_rule(reference().rules, code)
        else:
            written = editing.read(cells, reference())
            wanted = editing.with_rule(reference().rules, written)
        if not code and not draft.retiring and any(one.code == cells["rule_id"] for one in reference().rules):
            raise RuleRefused({"rule_id": t("rules.code_taken", code=cells["rule_id"])})
        mark = _mark(draft)
        if do in ("save", "retire") and request.form.get("tried") == mark:
            with unit_of_work():
                by = db.session.get_one(Staff, me().id)
                if draft.retiring:
                    editing.retire(code, base=draft.base, by=by)
                elif code:
                    editing.change(written, base=draft.base, by=by)
                else:
                    editing.add(written, base=draft.base, by=by)
            forget()
            flash("rules.form.retired" if draft.retiring else "rules.form.saved")
            return redirect(url_for("admin.rules") if draft.retiring else url_for("admin.rule", code=cells["rule_id"]))
        if do in ("save", "retire"):
            draft.problem = "rules.form.try_first"
        _try(draft, wanted)
        draft.tried = mark
    except RuleRefused as refusal:
        draft.errors = refusal.problems
        return _form(draft), 422
    except RulesChanged as refusal:
        # Nothing typed is lost: the form stays, now on top of what others made.
        forget()
        draft.since, draft.base, draft.problem = refusal.since, refusal.number, refusal.key
        return _form(draft), 409
    return _form(draft)


@pages.get("/rules/versions")
def rules_versions() -> ResponseReturnValue:
    """Who changed what, newest first."""
    rows = versions.page(before=_number(request.args.get("before", "")) or None, limit=LISTED)
    latest = versions.latest_number()
    following = rows[-1].number if len(rows) == LISTED else None
    return render_template("admin/rules_versions.html", rows=rows, latest=latest, following=following, lines=_lines)


@pages.get("/rules/versions/<int:number>")
def rules_version(number: int) -> ResponseReturnValue:
    """A version; for a number between two, as decisions note them, the version that was in force then."""
    if number <= reference().rules_version and (then := versions.in_force_at(number)) is not None:
        if then.number != number:
            return redirect(url_for("admin.rules_version", number=then.number))
        return _version(then)
    raise NotFound("rules.version_unknown")


@pages.post("/rules/versions/<int:number>/restore")
def restore_rules(number: int) -> ResponseReturnValue:
    """Try or do it: the rules of an older version again."""
    kept = _kept(number)
    base = _number(request.form.get("base", ""))
    if request.form.get("do") != "save":
        return _version(kept, trial=dry_run(editing.of_version(kept)))
    try:
        with unit_of_work():
            editing.restore(number, base=base, by=db.session.get_one(Staff, me().id))
    except RulesChanged as refusal:
        forget()
        return _version(_kept(number), problem=refusal.key, since=refusal.since), 409
    except RuleRefused:
        return _version(_kept(number), problem="rules.unchanged"), 422
    forget()
    flash("rules.form.restored")
    return redirect(url_for("admin.rules"))


# ---------------------------------------------------------------- what the pages show


def _form(draft: Draft) -> str:
    ref = reference()
    return render_template(
        "admin/rule.html",
        draft=draft,
        roles=RULE_ROLES,
        modes=RULE_MODES,
        may_change=can("save_rule"),
        listed=LISTED,
        examined=REPORTS,
        place=place,
        lines=_lines,
        majors=choices()["majors"],
        areas=choices()["areas"],
        units=choices()["units"],
        types=sorted(ref.facility_types_by_code.values(), key=lambda kind: kind.code),
        about=[sentence(one) for one in findings() if _is_about(one, draft.code)],
    )


def _version(
    kept: RulesVersion, *, trial: DryRun | None = None, problem: str = "", since: Sequence[RulesVersion] = ()
) -> str:
    return render_template(
        "admin/rules_version.html",
        version=kept,
        rules=editing.of_version(kept),
        latest=versions.latest_number(),
        trial=trial,
        problem=problem,
        since=since,
        place=place,
        listed=LISTED,
        lines=_lines,
        marks=UNIT_MARKS,
    )


def place(where: Place) -> str:
    """Where a report goes, in words."""
    if where.unit is None:
        return t("rules.dry.nobody")
    name = unit_of_code(where.unit)
    return t("rules.dry.triage", unit=name) if where.to_triage else name


pages.app_template_global("finding_words")(sentence)


@pages.app_template_global("rule_unit")
def unit_words(name: str) -> str:
    """A unit as a rule names it, in words."""
    return t(f"rules.mark.{name[1:].replace('.', '_')}") if name in UNIT_MARKS else unit_of_code(name)


@pages.app_template_global("rule_about")
def about(rule: RuleRef) -> list[str]:
    """What a rule is about, part by part; empty for a rule about everything."""
    ref = reference()
    parts: list[str] = []
    if "*" not in rule.category_codes:
        known = [ref.categories_by_code.get(code) for code in rule.category_codes]
        names = [f"{category_name(row)} {row.code}" for row in known if row is not None]
        parts.append(_some(names))
    if rule.major != "*":
        parts.append(rule.major)
    if "*" not in rule.facility_types:
        kinds = [ref.facility_types_by_code.get(code) for code in rule.facility_types]
        parts.append(t("rules.page.facility") + _some([category_name(kind) for kind in kinds if kind is not None]))
    if "*" not in rule.area_codes:
        parts.append(_some([area_name(code) or code for code in rule.area_codes]))
    return [part for part in parts if part]


def _some(names: Sequence[str]) -> str:
    shown = t("admin.between").join(names[:_NAMED])
    return shown + (" " + t("rules.page.more", n=len(names) - _NAMED) if len(names) > _NAMED else "")


def _lines(change: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A change of one rule, field by field: (name, before, after)."""
    before, after = change["before"] or {}, change["after"] or {}
    return [
        (t(f"rules.column.{name}"), _cell(before.get(name)), _cell(after.get(name)))
        for name in versions.COLUMNS
        if before.get(name) != after.get(name)
    ]


def _cell(value: Any) -> str:
    return ";".join(value) if isinstance(value, list) else "" if value is None else str(value)


# ---------------------------------------------------------------- small things


def _wanted(rule: RuleRef, given: Mapping[str, str]) -> bool:
    """Whether the list's filters keep the rule. A rule about everything is about each category and street, too."""
    ref = reference()
    words = given["q"].casefold()
    category = ref.categories_by_code.get(given["category"])
    if words and words not in f"{rule.code} {rule.note} {rule.condition} {';'.join(rule.category_codes)}".casefold():
        return False
    if category is not None and not (
        ("*" in rule.category_codes or category.code in rule.category_codes) and rule.major in ("*", category.major)
    ):
        return False
    if given["unit"] and given["unit"] not in rule.units:
        return False
    return not given["area"] or "*" in rule.area_codes or given["area"] in rule.area_codes


def _is_about(finding: Finding, code: str) -> bool:
    """Whether a rule's own page should tell: what it does to other rules stands on theirs."""
    mutual = finding.kind in ("tie", "contested") and code in finding.rules
    return bool(code) and (mutual or finding.rules[:1] == (code,))


def _try(draft: Draft, wanted: Sequence[RuleRef]) -> None:
    draft.trial = dry_run(wanted)
    known = {sentence(one) for one in findings()}
    draft.new_findings = [one for one in findings(wanted) if sentence(one) not in known]


def _mark(draft: Draft) -> str:
    """Stands for what was typed and what is to be done with it."""
    words = json.dumps([draft.code, draft.retiring, dict(draft.cells) if not draft.retiring else {}], sort_keys=True)
    return hashlib.sha256(words.encode()).hexdigest()[:32]


def _in_force(code: str) -> RuleRef:
    found = next((one for one in reference().rules if one.code == code), None)
    if found is None:
        raise NotFound("rules.unknown")
    return found


def _kept(number: int) -> RulesVersion:
    found = db.session.get(RulesVersion, number)
    if found is None:
        raise NotFound("rules.version_unknown")
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
