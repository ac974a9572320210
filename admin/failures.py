"""What went wrong, as a page: each family of errors in its words, nothing typed lost."""

from __future__ import annotations

import logging
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from admin.guard import pages, typed_fields
from district.errors import DistrictError, TooMany
from district.frame.http import status_of, trouble_number

log = logging.getLogger(__name__)


@pages.errorhandler(DistrictError)
def refused(error: DistrictError) -> ResponseReturnValue:
    """A refusal that no form of its own can show."""
    return _page(error.key, status_of(error), **error.params)


@pages.errorhandler(CSRFError)
def form_too_old(_error: CSRFError) -> ResponseReturnValue:
    return _page("errors.form_expired", 400)


@pages.errorhandler(HTTPException)
def http_error(error: HTTPException) -> ResponseReturnValue:
    """404, 405, 413, 429 and the like; 500 with a number that leads to the log line."""
    code = error.code or 500
    if code in (301, 302, 303, 307, 308):
        return error.get_response()
    if code >= 500:
        trouble = trouble_number()
        log.error("a page of the panel failed", extra={"trouble": trouble, "path": request.path})
        return _page("errors.unexpected", 500, trouble=trouble)
    too_large = "register.file.too_large" if request.endpoint == "admin.upload_facilities" else "errors.photo_too_large"
    keys = {403: "errors.not_allowed", 404: "errors.not_found", 413: too_large, 429: TooMany.default_key}
    return _page(keys.get(code, "errors.not_found" if code == 405 else "errors.bad_input"), code)


def _page(key: str, status: int, **params: Any) -> ResponseReturnValue:
    typed = typed_fields() if request.method == "POST" and status != 413 else []
    if request.headers.get("HX-Request"):
        return render_template("admin/_problem.html", key=key, params=params), status
    return render_template("admin/problem.html", key=key, params=params, typed=typed), status
