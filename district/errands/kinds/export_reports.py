"""A list of reports as a file."""

from __future__ import annotations

from district import clock
from district.errands.running import Running
from district.errors import NotFound
from district.extensions import db
from district.lists import export
from district.messages import t
from district.people.models import Staff
from district.work import unit_of_work


def do(running: Running) -> None:
    """Write the file and say how far it is; what is in it is what its owner sees now.

    Raises NotFound when they have left meanwhile.
    """
    asked, staff_id = export.Asked.of_plain(running.asked.parameters), running.asked.staff_id
    with unit_of_work():
        staff = db.session.get(Staff, staff_id)
        if staff is None or staff.left_at is not None:
            raise NotFound()
    local = clock.now().astimezone(export.zone())
    path = running.result(f"{t('lists.export.file')}-{local:%Y%m%d-%H%M}.{asked.file}", export.MIMES[asked.file])
    rows, contacts = export.write(path, asked, staff_id, running.say)
    running.outcome["rows"] = rows
    if asked.with_contact:
        with unit_of_work():
            export.note_contacts(db.session.get_one(Staff, staff_id), running.asked.id, contacts)
