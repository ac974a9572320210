"""Devices on facilities: the list, one device with what it said, added and changed by hand, imported from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from admin.actions import Sent
from admin.guard import me, pages
from admin.showing import local
from district.devices import filing, keeping, queries
from district.devices.keeping import Given, Imported
from district.devices.models import DeviceAlarm, DeviceAlarmKind
from district.devices.queries import Which
from district.errors import BadInput
from district.extensions import db
from district.people.models import Staff
from district.reference import reference
from district.reports.models import Report
from district.reports.states import ENDED, OPEN, Status
from district.units import queries as unit_lists
from district.work import unit_of_work

_MOST_ALARMS = 50


@pages.get("/devices")
def devices() -> ResponseReturnValue:
    """Devices with what they alarm about now and when they were last heard of."""
    asked = request.args.get("tab", "")
    which = Which(asked) if asked in tuple(Which) else Which.ALL
    words = request.args.get("q", "").strip()[:60]
    after = request.args.get("after", "")
    page = queries.listed(
        which, words=words, after=int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else None
    )
    alarms = queries.open_of([device.id for device in page.devices])
    # Read at once; each line finds its own among them.
    heads = queries.reports_of([alarm for found in alarms.values() for alarm in found])
    return render_template(
        "admin/devices.html",
        page=page,
        which=which,
        tabs=list(Which),
        counts=queries.counts(),
        words=words,
        alarms=alarms,
        heads=heads,
        silent_since=queries.silent_since(),
        is_silent=queries.is_silent,
        kinds=queries.kinds(),
    )


@pages.get("/devices/<int:device_id>")
def device(device_id: int) -> ResponseReturnValue:
    found = queries.one(device_id)
    return _page(found.id, keeping.form_of(found), {})


@pages.post("/devices/<int:device_id>")
def save_device(device_id: int) -> ResponseReturnValue:
    try:
        with unit_of_work():
            keeping.change(device_id, _given(), by=_by())
    except BadInput as error:
        return _page(device_id, request.form.to_dict(), error.fields), 422
    flash("smart.page.saved")
    return redirect(url_for("admin.device", device_id=device_id))


@pages.get("/devices/new")
def add_device() -> ResponseReturnValue:
    """An empty form; from a facility's record it knows the facility."""
    return _form({"facility": request.args.get("facility", "")[:40]}, {})


@pages.post("/devices/new")
def create_device() -> ResponseReturnValue:
    try:
        with unit_of_work():
            device_id = keeping.add(_given(), by=_by()).id
    except BadInput as error:
        return _form(request.form.to_dict(), error.fields), 422
    flash("smart.page.added")
    return redirect(url_for("admin.device", device_id=device_id))


@pages.post("/devices/<int:device_id>/retire")
def retire_device(device_id: int) -> ResponseReturnValue:
    with unit_of_work():
        keeping.retire(device_id, by=_by())
    flash("smart.page.retired")
    return redirect(url_for("admin.device", device_id=device_id))


@pages.post("/devices/<int:device_id>/restore")
def restore_device(device_id: int) -> ResponseReturnValue:
    with unit_of_work():
        keeping.restore(device_id, by=_by())
    flash("smart.page.restored")
    return redirect(url_for("admin.device", device_id=device_id))


@pages.get("/devices/import")
def import_devices() -> ResponseReturnValue:
    return _import_page(Imported(), {})


@pages.post("/devices/import")
def upload_devices() -> ResponseReturnValue:
    """A file as `devices.csv` is: taken over whole, or not at all with every mistake named."""
    file = request.files.get("file")
    content = file.stream.read(keeping.LARGEST_FILE + 1) if file is not None else b""
    if file is None or not content:
        return _import_page(Imported(), {"file": "smart.problem.file"}), 422
    if len(content) > keeping.LARGEST_FILE:
        return _import_page(Imported(), {"file": "smart.problem.file_large"}), 422
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030", "replace")
    with unit_of_work():
        done = keeping.bring((file.filename or "devices.csv")[:80], text, by=_by())
    if done.problems:
        return _import_page(done, {}), 422
    return _import_page(done, {}, is_done=True)


def _import_page(done: Imported, errors: Mapping[str, str], *, is_done: bool = False) -> str:
    return render_template(
        "admin/device_import.html", done=done, errors=errors, is_done=is_done, columns=keeping.columns()
    )  # fmt: skip


def _page(device_id: int, typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    found = queries.one(device_id)
    alarms = queries.alarms_of([found.id], limit=_MOST_ALARMS)
    return render_template(
        "admin/device.html",
        device=found,
        alarms=alarms,
        heads=queries.reports_of(alarms),
        is_silent=queries.is_silent(found, queries.silent_since()),
        typed=typed,
        errors=errors,
        units=unit_lists.all_open(),
    )


def _form(typed: Mapping[str, str], errors: Mapping[str, str]) -> str:
    return render_template("admin/device_new.html", typed=typed, errors=errors, units=unit_lists.all_open())


def _given() -> Given:
    sent = Sent(request.form)
    return Given(
        code=sent.text("code"), unit_id=sent.number("unit"), facility=sent.text("facility"),
        cabinet=sent.text("cabinet"), model=sent.text("model"),
    )  # fmt: skip


def _by() -> Staff:
    return db.session.get_one(Staff, me().id)


# For the pages of facilities and reports


def kind_name(kind: DeviceAlarmKind) -> str:
    return local({"zh-Hans": kind.name, "en": kind.name_en})


def category_of_kind(kind: DeviceAlarmKind) -> Any:
    return reference().categories_by_code.get(kind.category_code)


def devices_at(facility_id: int) -> tuple[Sequence[Any], list[DeviceAlarm]]:
    """A facility's devices, and what they said last."""
    found = queries.of_facility(facility_id)
    return found, queries.alarms_of([device.id for device in found], limit=10) if found else []


def hint_of(report: Report, story: queries.Story) -> str:
    """What staff should know before they decide: a machine decides nothing. Empty for nothing."""
    status = Status(report.status)
    if not story.count:
        return ""
    if story.open_count and (status is Status.RESOLVED or status in ENDED):
        return "still"
    return "" if story.open_count or status not in OPEN else "well"


@pages.context_processor
def _for_templates() -> dict[str, Any]:
    return {
        "alarm_kind_name": kind_name,
        "alarm_category": category_of_kind,
        "alarm_report": filing.reported,
        "devices_at": devices_at,
        "device_story": queries.story_of,
        "device_hint": hint_of,
    }
