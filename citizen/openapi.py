"""The API in OpenAPI 3.1. Every answer of the tests is checked against it, so that it stays true."""

from __future__ import annotations

from typing import Any

from citizen.showing import RATING_REASONS
from district.devices.service import LONGEST_CODE, LONGEST_MESSAGE, MOST_AT_ONCE, State
from district.reports.models import EventKind
from district.reports.states import Action, Status

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_MAYBE_TEXT: Json = {"type": ["string", "null"]}
_MOMENT: Json = {"type": "string", "format": "date-time"}
_MAYBE_MOMENT: Json = {"type": ["string", "null"], "format": "date-time"}


def description(base_url: str) -> Json:
    """The whole document for an installation at `base_url`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bihuan API", "version": "1", "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": base_url}],
        "paths": {
            "/api/v1/openapi.json": {"get": _operation("describe", {"200": _answer({"type": "object"})})},
            "/api/v1/categories": {
                "get": _operation("listCategories", {"200": _answer(_ref("Categories"))}, [_query("q", _TEXT)])
            },
            "/api/v1/facilities/{code}": {
                "get": _operation(
                    "getFacility", {"200": _answer(_ref("Facility")), **_errors(404, 410, 429)}, [_path("code")]
                )
            },
            "/api/v1/devices/{device}/alarms": {
                "post": _operation(
                    "sendAlarms",
                    {
                        "200": _answer({"oneOf": [_ref("AlarmTaken"), _ref("AlarmsTaken")]}),
                        "201": _answer(_ref("AlarmTaken")),
                        "202": _answer(_ref("AlarmTaken")),
                        **_errors(400, 401, 403, 404, 415, 422, 429),
                    },
                    [_path("device")],
                    {"application/json": {"schema": {"oneOf": [_ref("Alarm"), _ref("Alarms")]}}},
                    keyed="devices.alarm",
                    is_open=False,
                )
            },
            "/api/v1/devices/alarms": {
                "post": _operation(
                    "sendAlarmsOfGateway",
                    {"200": _answer(_ref("AlarmsTaken")), **_errors(400, 401, 403, 415, 422, 429)},
                    body={"application/json": {"schema": _ref("Alarms")}},
                    keyed="devices.alarm",
                    is_open=False,
                )
            },
            "/api/v1/jssdk": {
                "get": _operation(
                    "signPage",
                    {"200": _answer(_ref("PageSignature")), **_errors(422, 429, 503)},
                    [_query("url", _TEXT)],
                )
            },
            "/api/v1/photos": {
                "post": _operation(
                    "addPhoto",
                    {"201": _answer(_ref("Photo")), **_errors(401, 403, 413, 422, 429)},
                    body={"multipart/form-data": {"schema": _object({"photo": _FILE}, required=["photo"])}},
                    keyed="reports.write",
                )
            },
            "/api/v1/reports": {
                "post": _operation(
                    "fileReport",
                    {"201": _answer(_ref("Filed")), **_errors(400, 401, 403, 413, 415, 422, 429)},
                    body={
                        "application/json": {"schema": _ref("NewReport")},
                        "multipart/form-data": {"schema": _NEW_REPORT_FORM},
                    },
                    keyed="reports.write",
                )
            },
            "/api/v1/reports/{number}": {
                "get": _operation(
                    "getReport",
                    {"200": _answer(_ref("Report")), **_errors(401, 403, 404, 429)},
                    _KEYED,
                    keyed="reports.read",
                )
            },
            "/api/v1/reports/similar": {
                "get": _operation(
                    "findSimilarReports",
                    {
                        "200": _answer(
                            _whole(
                                {
                                    "reports": {
                                        "type": "array",
                                        "items": _whole(
                                            {
                                                "number": _TEXT,
                                                "status": _ref("Status"),
                                                "status_text": _TEXT,
                                                "category": _MAYBE_TEXT,
                                                "metres": {"type": "integer"},
                                                "score": {"type": "number", "minimum": 0, "maximum": 1},
                                                "submitted_at": _MOMENT,
                                            }
                                        ),
                                    }
                                }
                            )
                        ),
                        **_errors(404, 410, 422, 429),
                    },
                    [
                        _query("latitude", {"type": "number"}),
                        _query("longitude", {"type": "number"}),
                        _query("text", _TEXT),
                        _query("category", _TEXT),
                        _query("facility", _TEXT),
                    ],
                )
            },
            "/api/v1/reports/{number}/rating": {
                "post": _operation(
                    "rateReport",
                    {"200": _answer(_ref("Report")), **_errors(400, 403, 404, 409, 415, 422, 429)},
                    _KEYED,
                    {"application/json": {"schema": _ref("Rating")}},
                )
            },
            "/api/v1/reports/{number}/reopen": {
                "post": _operation(
                    "reopenReport",
                    {"200": _answer(_ref("Report")), **_errors(400, 403, 404, 409, 413, 415, 422, 429)},
                    _KEYED,
                    {
                        "application/json": {"schema": _ref("Reopening")},
                        "multipart/form-data": {
                            "schema": _object({"text": _TEXT, "photos": {"type": "array", "items": _FILE}})
                        },
                    },
                )
            },
            "/api/v1/reports/{number}/answer": {
                "post": _operation(
                    "answerQuestion",
                    {"200": _answer(_ref("Report")), **_errors(400, 403, 404, 409, 413, 415, 422, 429)},
                    _KEYED,
                    {
                        "application/json": {"schema": _ref("Answer")},
                        "multipart/form-data": {
                            "schema": _object({"text": _TEXT, "photos": {"type": "array", "items": _FILE}})
                        },
                    },
                )
            },
            "/api/v1/reports/{number}/support": {
                "post": _operation(
                    "supportReport",
                    {"200": _answer(_ref("Report")), **_errors(403, 404, 409, 429)},
                    _KEYED,
                    {"application/json": {"schema": {"type": "object"}}},
                    needs_body=False,
                )
            },
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A machine's key"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key"},
            },
        },
    }


def _operation(
    name: str,
    answers: Json,
    parameters: list[Json] | None = None,
    body: Json | None = None,
    *,
    needs_body: bool = True,
    keyed: str = "",
    is_open: bool = True,
) -> Json:
    """keyed: what a machine's key must be for, if one is shown. is_open: the call is also there without a key."""
    made: Json = {"operationId": name, "parameters": [*(parameters or []), _LANGUAGE], "responses": answers}
    if body is not None:
        made["requestBody"] = {"required": needs_body, "content": body}
    if keyed:
        made["security"] = [*([{}] if is_open else []), {"bearer": [keyed]}, {"apiKey": [keyed]}]
    return made


def _answer(schema: Json) -> Json:
    return {"description": "OK", "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> Json:
    return {
        str(status): {"description": "Error", "content": {"application/json": {"schema": _ref("Error")}}}
        for status in statuses
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json, *, required: list[str] | None = None) -> Json:
    """An object with these properties and no others; all of them present unless `required` says less."""
    made: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    if required is not None:
        made["required"] = required
    return made


def _whole(properties: Json) -> Json:
    return _object(properties, required=sorted(properties))


def _query(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


_LANGUAGE = {"name": "Accept-Language", "in": "header", "required": False, "schema": _TEXT}
_KEYED = [
    _path("number"),
    _query("key", _TEXT),
    {"name": "X-Report-Key", "in": "header", "required": False, "schema": _TEXT},
]
_FILE: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
_UNIT = _whole({"code": _TEXT, "name": _TEXT})
_MAYBE_UNIT: Json = {"oneOf": [_UNIT, {"type": "null"}]}
_DEGREES: Json = {"type": ["number", "null"]}
_GIVEN: Json = {
    "description": {"type": "string", "maxLength": 2000},
    "latitude": {"type": "number", "minimum": -90, "maximum": 90},
    "longitude": {"type": "number", "minimum": -180, "maximum": 180},
    "datum": {"type": "string", "enum": ["wgs84", "gcj02"], "default": "wgs84"},
    "address": {"type": "string", "maxLength": 200},
    "category": _TEXT,
    "facility": _TEXT,
    "contact": {"type": "string", "maxLength": 200},
}
_NEW_REPORT_FORM = _object({**_GIVEN, "photos": {"type": "array", "items": _FILE, "maxItems": 9}})

_ERROR = _whole({"code": _TEXT, "message": _TEXT, "fields": {"type": "object", "additionalProperties": _TEXT}})
_ALARM: Json = {
    # Only in a list that is not sent to one device's address.
    "device": {"type": "string", "maxLength": LONGEST_CODE},
    "state": {"type": "string", "enum": [str(state) for state in State], "default": str(State.RAISED)},
    # One of the district's kinds, unless the state is `alive`.
    "alarm": {"type": "string", "maxLength": 40},
    "id": {"type": ["string", "integer"], "maxLength": LONGEST_CODE},
    "at": _MOMENT,
    "value": {"type": ["string", "number"]},
    "message": {"type": "string", "maxLength": LONGEST_MESSAGE},
}

_SCHEMAS: Json = {
    "Error": _whole({"error": _ERROR}),
    "Categories": _whole(
        {
            "categories": {
                "type": "array",
                "items": _whole(
                    {
                        "code": _TEXT,
                        "name": _TEXT,
                        "kind": {"type": "string", "enum": ["component", "matter"]},
                        "group": _TEXT,
                        "urgency": {"type": "string", "enum": ["normal", "urgent", "critical"]},
                    }
                ),
            }
        }
    ),
    "Facility": _whole(
        {
            "code": _TEXT,
            "old_code": _TEXT,
            "name": _TEXT,
            "type": _whole({"code": _TEXT, "name": _TEXT}),
            "address": _TEXT,
            "latitude": {"type": "number"},
            "longitude": {"type": "number"},
            "state": {"type": "string", "enum": ["intact", "damaged", "missing", "disused", "removed"]},
            "unit": {"oneOf": [_whole({"code": _TEXT, "name": _TEXT, "phone": _TEXT}), {"type": "null"}]},
            "emergency_phone": _MAYBE_TEXT,
            "problems": {"type": "array", "items": _TEXT},
            "category": _MAYBE_TEXT,
            "open_reports": {
                "type": "array",
                "items": _whole(
                    {"number": _TEXT, "status": _ref("Status"), "status_text": _TEXT, "submitted_at": _MOMENT}
                ),
            },
        }
    ),
    "Alarm": _object(_ALARM, required=[]),
    "Alarms": {
        "oneOf": [
            {"type": "array", "items": _ref("Alarm"), "maxItems": MOST_AT_ONCE},
            _whole({"alarms": {"type": "array", "items": _ref("Alarm"), "maxItems": MOST_AT_ONCE}}),
        ]
    },
    "AlarmTaken": _whole(
        {
            "device": _TEXT,
            "alarm": _MAYBE_TEXT,
            "state": {"type": "string", "enum": [str(state) for state in State]},
            # The number of the report that it is part of, if it is.
            "report": _MAYBE_TEXT,
            "joined": {"type": "boolean"},
            "duplicate": {"type": "boolean"},
            # When it becomes a report if it is still raised then.
            "due_at": _MAYBE_MOMENT,
        }
    ),
    "AlarmsTaken": _whole(
        {
            "alarms": {
                "type": "array",
                "items": {"oneOf": [_ref("AlarmTaken"), _whole({"device": _TEXT, "error": _ERROR})]},
            }
        }
    ),
    "PageSignature": _whole({"appId": _TEXT, "timestamp": {"type": "integer"}, "nonceStr": _TEXT, "signature": _TEXT}),
    "Photo": _whole({"id": _TEXT, "url": _TEXT, "thumb": _TEXT}),
    "NewReport": _object({**_GIVEN, "photos": {"type": "array", "items": _TEXT, "maxItems": 9}}),
    "Filed": _whole({"number": _TEXT, "key": _TEXT, "status": _ref("Status"), "url": _TEXT}),
    "Rating": _object(
        {
            "solved": {"type": "boolean"},
            "stars": {"type": ["integer", "null"], "minimum": 1, "maximum": 5},
            "reasons": {"type": "array", "items": {"type": "string", "examples": list(RATING_REASONS)}},
            "text": {"type": "string", "maxLength": 1000},
        },
        required=["solved"],
    ),
    "Reopening": _object({"text": _TEXT, "photos": {"type": "array", "items": _TEXT, "maxItems": 9}}),
    # One of the two, or both.
    "Answer": _object(
        {
            "text": {"type": "string", "maxLength": 1000},
            "photos": {"type": "array", "items": _TEXT, "maxItems": 9},
        },
        required=[],
    ),
    "Status": {"type": "string", "enum": [str(status) for status in Status]},
    "Step": _object(
        {
            "at": _MOMENT,
            "event": {"type": "string", "enum": [str(kind) for kind in EventKind]},
            "text": _TEXT,
            "by": {"type": "string", "enum": ["resident", "staff", "system"]},
            "unit": _MAYBE_UNIT,
            "note": _MAYBE_TEXT,
        },
        required=["at", "by", "event", "text", "unit"],
    ),
    "Report": _object(
        {
            "number": _TEXT,
            "status": _ref("Status"),
            "status_text": _TEXT,
            # The number of the same thing it joined, whose status is shown then.
            "merged_into": _MAYBE_TEXT,
            "unit": _MAYBE_UNIT,
            "reason": _MAYBE_TEXT,
            "category": _MAYBE_TEXT,
            "submitted_at": _MOMENT,
            "dispatch_due_at": _MAYBE_MOMENT,
            "handling_due_at": _MAYBE_MOMENT,
            "history": {"type": "array", "items": _ref("Step")},
            "description": _TEXT,
            "address": _TEXT,
            "latitude": _DEGREES,
            "longitude": _DEGREES,
            "facility": _MAYBE_TEXT,
            "resolution": _MAYBE_TEXT,
            "photos": {
                "type": "array",
                "items": _whole(
                    {
                        "id": _TEXT,
                        "purpose": {"type": "string", "enum": ["before", "after", "check"]},
                        "url": _TEXT,
                        "thumb": _TEXT,
                    }
                ),
            },
            "rating": {
                "oneOf": [
                    _whole(
                        {"solved": {"type": ["boolean", "null"]}, "stars": {"type": ["integer", "null"]}, "text": _TEXT}
                    ),
                    {"type": "null"},
                ]
            },
            "question": {
                "oneOf": [_whole({"text": _TEXT, "unit": _MAYBE_UNIT, "asked_at": _MOMENT}), {"type": "null"}]
            },
            "actions": {"type": "array", "items": {"type": "string", "enum": [str(action) for action in Action]}},
        },
        # The rest is there for the holder of the key only.
        required=[
            "category",
            "dispatch_due_at",
            "handling_due_at",
            "history",
            "merged_into",
            "number",
            "reason",
            "status",
            "status_text",
            "submitted_at",
            "unit",
        ],
    ),
}
