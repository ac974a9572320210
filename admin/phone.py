"""The panel as an application of the phone: what it is called, what works without a network, which worker does it.

None of it knows anybody: the three addresses answer to who has not logged in, without a session and with no data.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flask import Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.guard import pages
from admin.showing import local
from district.errors import NotFound
from district.frame.http import asset
from district.messages import LANGUAGES, language, set_language, t
from district.reference import reference

_WORKER = Path(__file__).parent / "static" / "worker.js"
_GREEN, _GROUND = "#07813f", "#f4f6f8"
# The files of the offline page: static ones, with their content's digest in the address.
_SHARED = (
    "vendor/tabler-core-1.6.1/tabler.min.css", "shared/tokens.css", "shared/admin.css", "shared/icons.svg",
    "shared/photo-upload.js",
)  # fmt: skip
_SHEETS, _SCRIPTS = ("tokens", "panel", "live", "field"), ("theme", "panel", "phone", "field")


@pages.get("/manifest/<wanted>.webmanifest")
def manifest(wanted: str) -> ResponseReturnValue:
    """What the phone calls the panel and begins with: the work outside for those who go out, else the inbox."""
    _speak(wanted)
    district = local(reference().setting("district.short_name", "")) or t("common.brand.name")
    goes_out = request.args.get("start") == "field"
    start = url_for("admin.field" if goes_out else "admin.inbox")
    names = ("field", "inbox", "notices") if goes_out else ("inbox", "notices")
    body = {
        "id": url_for("admin.inbox"),
        "name": t("field.app.name", district=district),
        "short_name": t("field.title" if goes_out else "admin.name"),
        "description": t("field.app.about"),
        "lang": language(),
        "dir": "ltr",
        "start_url": start,
        "scope": url_for("admin.inbox"),
        "display": "standalone",
        "theme_color": _GREEN,
        "background_color": _GROUND,
        "icons": [
            {"src": asset("app-192.png", "admin.static"), "sizes": "192x192", "type": "image/png"},
            {"src": asset("app-512.png", "admin.static"), "sizes": "512x512", "type": "image/png"},
            {
                "src": asset("app-maskable-512.png", "admin.static"), "sizes": "512x512", "type": "image/png",
                "purpose": "maskable",
            },
        ],
        "shortcuts": [{"name": t(f"admin.nav.{name}"), "url": url_for(f"admin.{name}")} for name in names],
    }  # fmt: skip
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/manifest+json")


@pages.get("/worker.js")
def worker() -> ResponseReturnValue:
    """The service worker. Its bytes change with any file it keeps: the browser then takes the new ones."""
    _speak(request.args.get("language", language()))
    ours = [f"{name}.css" for name in _SHEETS] + [f"{name}.js" for name in _SCRIPTS] + ["mark.svg"]
    files = [*(asset(name) for name in _SHARED), *(asset(name, "admin.static") for name in ours)]
    source = _WORKER.read_text(encoding="utf-8")
    seal = hashlib.sha256("\n".join([*files, _offline_page(), source]).encode()).hexdigest()[:16]
    told = {
        "version": seal,
        "files": files,
        "offline": url_for("admin.offline", language=language()),
        "field": url_for("admin.field"),
        "alone": url_for("admin.wall"),
    }
    return Response(f"self.PANEL = {json.dumps(told)};\n{source}", mimetype="text/javascript")


@pages.get("/offline")
def offline() -> ResponseReturnValue:
    """The page for no network. The phone itself puts the list on it that it was shown last."""
    _speak(request.args.get("language", language()))
    return _offline_page()


def _offline_page() -> str:
    return render_template("admin/offline.html")


def _speak(wanted: str) -> None:
    """By the address, not by a cookie: the worker's requests have none that counts."""
    if wanted not in LANGUAGES:
        raise NotFound()
    set_language(wanted)
