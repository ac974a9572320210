"""What residents and callers of the API read when something goes wrong."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from district.api_keys.service import KeyRefused
from district.errors import BadInput, DistrictError
from district.facilities.service import Revoked
from district.frame.http import status_of, trouble_number
from district.messages import t

log = logging.getLogger(__name__)

API_PREFIX = "/api/"
# Doors with words of their own for what goes wrong outside their views.
_OTHER_DOORS = ("/admin", "/wechat", "/chat", "/open311")
_KEYS = {404: "errors.not_found", 405: "citizen.errors.method", 413: "errors.photo_too_large", 429: "errors.too_many"}
_CODES = {
    400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type",
    429: "too_many",
}  # fmt: skip


def register(app: Flask) -> None:
    """Answer errors of these pages and of addresses nobody has."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(DistrictError, _district_error)
    app.register_error_handler(500, _unexpected)


def api_error(status: int, code: str, message: str, fields: dict[str, str] | None = None) -> Response:
    """The one shape of an API error: `{"error": {"code", "message", "fields"}}`."""
    answer = jsonify(error={"code": code, "message": message, "fields": fields or {}})
    answer.status_code = status
    return answer


def field_texts(error: BadInput) -> dict[str, str]:
    """Each wrong field with the sentence about it."""
    return {name: t(key, **error.params) for name, key in error.fields.items()}


def error_page(status: int, title: str, words: str, **more: Any) -> Response:
    """A page that says what happened and what to do."""
    return make_response(render_template("citizen/error.html", status=status, title=title, words=words, **more), status)


def _district_error(error: DistrictError) -> Response:
    status = 410 if isinstance(error, Revoked) else status_of(error)
    words = t(error.key, **error.params)
    if request.path.startswith(API_PREFIX):
        fields = field_texts(error) if isinstance(error, BadInput) else {}
        if isinstance(error, KeyRefused):
            answer = api_error(401, error.code, words)
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        return api_error(status, error.code, words, fields)
    return error_page(status, t(getattr(error, "title_key", "common.error_page.title")), words)


def _http_error(error: HTTPException) -> Any:
    if request.path.startswith(_OTHER_DOORS):
        return error
    if error.response is not None or (error.code or 500) < 400:
        return error
    status = error.code or 500
    key = "errors.form_expired" if isinstance(error, CSRFError) else _KEYS.get(status, "citizen.errors.request")
    if request.path.startswith(API_PREFIX):
        return api_error(status, _CODES.get(status, "error"), t(key))
    title = t("citizen.errors.no_page") if status == 404 else t("common.error_page.title")
    return error_page(status, title, t("citizen.errors.no_page_help") if status == 404 else t(key))


def _unexpected(error: Exception) -> Any:
    if request.path.startswith(_OTHER_DOORS):
        return error if isinstance(error, HTTPException) else ("", 500)
    trouble = trouble_number()
    cause = getattr(error, "original_exception", None) or error
    log.error("request failed", extra={"trouble": trouble, "path": request.path.split("/")[1]}, exc_info=cause)
    words = t("errors.unexpected", trouble=trouble)
    if request.path.startswith(API_PREFIX):
        return api_error(500, "unexpected", words)
    return error_page(500, t("common.error_page.title"), words)
