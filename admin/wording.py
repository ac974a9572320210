"""What residents are sent, worded by the district: the list, one sentence with its look in WeChat, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import me, pages
from admin.showing import local, zone
from district import clock, links
from district.errors import StaleVersion
from district.extensions import db
from district.messages import LANGUAGES, catalogue, placeholders, speaking, t
from district.people.models import Staff
from district.reference import reference
from district.wording import sentences
from district.wording import service as wordings
from district.wording.service import WrongWording
from district.words import clean
from district.work import unit_of_work


@pages.get("/settings/wording")
def wording() -> ResponseReturnValue:
    return render_template(
        "admin/wording.html",
        groups={group: [(key, wordings.present(key)) for key in keys] for group, keys in sentences.GROUPS.items()},
        changed=wordings.changed(),
    )


@pages.get("/settings/wording/<key>")
def sentence(key: str) -> ResponseReturnValue:
    return _form(wordings.known(key))


@pages.post("/settings/wording/<key>/preview")
def preview_sentence(key: str) -> ResponseReturnValue:
    """How the wording that is being typed would look; nothing is kept."""
    tag = request.form.get("tag", "")
    tag = tag if tag in LANGUAGES else LANGUAGES[0]
    text = clean(request.form.get(f"text-{tag}", ""))
    return render_template("admin/_sentence_look.html", **_look(wordings.known(key), tag, text))


@pages.post("/settings/wording/<key>")
def save_sentence(key: str) -> ResponseReturnValue:
    typed = {tag: request.form.get(f"text-{tag}", "") for tag in LANGUAGES}
    try:
        with unit_of_work():
            wordings.save(key, typed, seen=request.form.get("seen", ""), by=db.session.get_one(Staff, me().id))
    except WrongWording as error:
        errors = {tag: t(fault.key, **fault.params) for tag, fault in error.faults.items()}
        return _form(key, typed, errors), 422
    except StaleVersion:
        return _form(key, typed, is_stale=True), 409
    wordings.seen_at_once()
    flash("phrasing.page.saved")
    return redirect(url_for("admin.wording"))


@pages.post("/settings/wording/<key>/reset")
def reset_sentence(key: str) -> ResponseReturnValue:
    with unit_of_work():
        wordings.reset(key, by=db.session.get_one(Staff, me().id))
    wordings.seen_at_once()
    flash("phrasing.page.was_reset")
    return redirect(url_for("admin.wording"))


def _form(
    key: str, typed: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None, *, is_stale: bool = False
) -> str:
    now = wordings.present(key)
    shown = typed or now
    return render_template(
        "admin/sentence.html",
        key=key,
        tags=LANGUAGES,
        shown=shown,
        present=now,
        originals=wordings.originals(key),
        is_changed=key in wordings.changed(),
        is_stale=is_stale,
        seen=wordings.state_of(key),
        errors=errors or {},
        names={tag: sorted(placeholders(catalogue(tag)[key])) for tag in LANGUAGES},
        looks={tag: _look(key, tag, clean(shown[tag])) for tag in LANGUAGES},
        kind=sentences.where(key),
    )


def _look(key: str, tag: str, text: str) -> dict[str, Any]:
    """What `_sentence_look.html` shows: the sentence with an example put in, or why it cannot be."""
    kind = sentences.where(key)
    fault = sentences.fault_of(key, text, catalogue(tag)[key])
    trouble = t(fault.key, **fault.params) if fault is not None else ""
    shown = ""
    if fault is None:
        with speaking(tag):
            shown = text.format(**{name: _example(name) for name in placeholders(text)})
            if kind == sentences.NOTICE:
                shown = t("notifications.with_link", text=shown, address=links.report_page(_NUMBER))
    # Of a template's value only what is not filled in counts; of all else the bytes.
    length, most = len(text.encode()), sentences.LONGEST_BYTES
    if kind == sentences.SHORT:
        bare = text
        for name in placeholders(catalogue(tag)[key]):
            bare = bare.replace(f"{{{name}}}", "")
        length, most = len(bare), sentences.LONGEST_SHORT
    return {"tag": tag, "kind": kind, "look": shown, "trouble": trouble, "length": length, "most": most}


_NUMBER = "BH20261122-0042K"


def _example(name: str) -> str:
    """Something that a placeholder could stand for, in the language now spoken."""
    ref = reference()
    if name == "service":
        return str(local(ref.setting("district.service_name", ""))) or t("common.brand.name")
    if name == "hotline":
        return str(ref.setting("telephones.hotline", "12345"))
    if name in ("number", "other"):
        return _NUMBER
    if name in ("link", "address"):
        return links.report_page(_NUMBER)
    if name in ("due", "until"):
        return f"{clock.now().astimezone(zone()):%Y-%m-%d %H:%M}"
    if name in ("count", "others"):
        return "3"
    return t(f"phrasing.example.{name}")
