"""What holds for every request: its language, its security headers, its static files."""

from __future__ import annotations

import hashlib
import logging
import uuid
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request, url_for
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from district.messages import LANGUAGES, language, match, set_language, t

log = logging.getLogger(__name__)
csrf = CSRFProtect()
compress = Compress()
LANGUAGE_COOKIE = "lang"
_COMPRESSIBLE = frozenset({"text/css", "text/javascript", "application/javascript", "image/svg+xml"})
# Where WeChat's own script comes from; only answers inside WeChat that ask for it may load it.
WECHAT_SCRIPTS = "https://res.wx.qq.com"
# Pages whose charts set styles on elements: the only ones where inline styles are allowed.
INLINE_STYLE_ENDPOINTS: set[str] = set()


def register(app: Flask) -> None:
    csrf.init_app(app)
    compress.init_app(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    app.before_request(_refuse_nul)
    app.after_request(_finish)
    app.add_template_global(t, "t")
    app.add_template_global(language, "language")
    app.add_template_global(asset, "asset")


def choose_language() -> None:
    """`?lang=` (kept in a cookie), the cookie, then the browser's preference; Chinese when it has none."""
    asked = request.args.get("lang")
    if asked in LANGUAGES or asked == "zh":
        g.keep_language = match(asked)
        set_language(g.keep_language)
        return
    kept = request.cookies.get(LANGUAGE_COOKIE)
    if kept in LANGUAGES:
        set_language(kept)
        return
    best = request.accept_languages.best
    set_language(match(best))


def _refuse_nul() -> None:
    """No honest text holds U+0000, and PostgreSQL takes none: a request with one is refused before it gets there."""
    texts = [request.path, *request.args.keys(), *request.args.values(), *request.form.values()]
    if any("\0" in text for text in texts) or (request.is_json and b"\\u0000" in request.get_data()):
        abort(400)


def _finish(response: Response) -> Response:
    kept = g.get("keep_language")
    if kept:
        response.set_cookie(LANGUAGE_COOKIE, kept, max_age=365 * 86400, samesite="Lax", secure=request.is_secure)
    headers = response.headers
    headers.setdefault("Content-Security-Policy", _policy())
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "SAMEORIGIN")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "geolocation=(self), camera=(self), microphone=()")
    if request.is_secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint == "static" or (request.endpoint or "").endswith(".static"):
        if response.is_streamed and response.status_code == 200 and response.mimetype in _COMPRESSIBLE:
            # Read whole, for the compressor leaves gzip out of what is streamed, and most browsers ask for gzip.
            response.direct_passthrough = False
            response.make_sequence()
        if request.args.get("v"):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
    elif "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store" if response.mimetype in ("text/html", "application/json") else "no-cache"
    return response


def _policy() -> str:
    tiles = ""
    if current_app.config["TILE_URL"]:
        parts = urlsplit(current_app.config["TILE_URL"].replace("{s}.", "*."))
        tiles = f" {parts.scheme}://{parts.netloc}"
    style = "'self' 'unsafe-inline'" if request.endpoint in INLINE_STYLE_ENDPOINTS else "'self'"
    script = f"'self' {WECHAT_SCRIPTS}" if g.pop("wechat_scripts", False) else "'self'"
    return (
        f"default-src 'self'; script-src {script}; style-src {style}; img-src 'self' data: blob:{tiles}; "
        "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )


@cache
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:10]


# A page names a hundred of them, and they are the same as long as the process lives.
_asset_addresses: dict[tuple[str, str], str] = {}


def asset(filename: str, endpoint: str = "static") -> str:
    """The address of a static file with its content's digest, so that it may be cached for ever."""
    address = _asset_addresses.get((endpoint, filename))
    if address is None:
        folder = current_app.static_folder
        if endpoint != "static":
            folder = current_app.blueprints[endpoint.removesuffix(".static")].static_folder
        path = Path(folder or "") / filename
        if not path.is_file():
            return url_for(endpoint, filename=filename, v="0")
        address = _asset_addresses[endpoint, filename] = url_for(endpoint, filename=filename, v=_digest(str(path)))
    return address


def trouble_number() -> str:
    """A short number that ties what the person saw to the log line."""
    return uuid.uuid4().hex[:8]


def status_of(error: Exception) -> int:
    """The HTTP status of an error family or of an HTTP error."""
    from district import errors

    if isinstance(error, HTTPException):
        return error.code or 500
    for family, status in (
        (errors.NotFound, 404),
        (errors.NotAllowed, 403),
        (errors.WrongState, 409),
        (errors.BadInput, 422),
        (errors.TooMany, 429),
    ):
        if isinstance(error, family):
            return status
    return 500
