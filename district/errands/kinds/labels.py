"""Printing labels: from the panel as lengthy work, and from the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from flask import current_app

from district.errands.running import Running
from district.errors import BadInput
from district.extensions import db
from district.labels import layouts, printing, service
from district.labels.models import LabelRun
from district.labels.service import Order
from district.messages import CHINESE, speaking, t
from district.people.models import Staff
from district.work import unit_of_work

log = logging.getLogger(__name__)
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class LabelsMade:
    """A run of the printer. missing: characters of names that the typeface lacks, which show as a stand-in."""

    run_id: int
    labels: int
    pages: int
    missing: str


def do(running: Running) -> None:
    """Print the run `run` that the panel has begun; begun again after a kill, it goes on where it was."""
    run_id = int(running.asked.parameters["run"])
    run = db.session.get_one(LabelRun, run_id)
    paper = layouts.layout(run.layout)
    is_plate = paper.kind is layouts.LayoutKind.PLATE
    path = running.result(
        f"labels-{run_id}{printing.suffix(paper)}", "application/zip" if is_plate else "application/pdf"
    )
    made = _print(run_id, path, tongue=CHINESE, tell=running.say)
    note = t("labels.cli.missing", letters=made.missing) if made.missing else ""
    running.outcome = {"labels": made.labels, "pages": made.pages, "run": run_id, "note": note}


def make(
    order: Order,
    path: Path,
    *,
    crew_list: Path | None = None,
    tongue: str = CHINESE,
    tell: Tell = lambda done, total: None,
) -> LabelsMade:
    """Print labels into a file, and the crew's list into another, for the operator.

    tongue: the language of what stands on them. tell: hears how many of how many are done. Raises BadInput.
    """
    printing.check_address()
    with unit_of_work():
        run_id = service.begin(order, by=None).id
    made = _print(run_id, path, tongue=tongue, tell=tell)
    if crew_list is not None:
        with speaking(tongue):
            write_list(run_id, crew_list)
    return made


def write_list(run_id: int, path: Path) -> printing.Made:
    """The crew's list of a run, whole or not at all."""
    run = db.session.get_one(LabelRun, run_id)
    asked_at = run.asked_at.astimezone(ZoneInfo(current_app.config["DISTRICT_TIMEZONE"]))
    paper = layouts.layout(run.layout)
    with _whole_file(path) as file:
        made = printing.crew_list(run_id, paper, asked_at, file)
    db.session.remove()
    return made


def _print(run_id: int, path: Path, *, tongue: str, tell: Tell) -> LabelsMade:
    """Choose, print, and note that it was printed: the codes are printed once the file is whole."""
    printing.check_address()
    run = db.session.get_one(LabelRun, run_id)
    order, by_id = service.order_of(run), run.asked_by_id
    paper = layouts.layout(run.layout)
    total = run.labels
    if run.finished_at is None:
        chosen = service.chosen(order, by=db.session.get(Staff, by_id) if by_id is not None else None)
        for facility_ids in chosen:
            with unit_of_work() as session:
                by = session.get_one(Staff, by_id) if by_id is not None else None
                total += service.add(session.get_one(LabelRun, run_id), facility_ids, by=by)
            tell(0, total)
    db.session.remove()
    if not total:
        raise BadInput("labels.errors.nothing")
    with speaking(tongue), _whole_file(path) as file:
        made = printing.labels(run_id, paper, file, lambda done: tell(done, total))
    db.session.remove()
    with unit_of_work() as session:
        service.finish(session.get_one(LabelRun, run_id), sheets=made.pages)
    log.info("labels printed", extra={"run": run_id, "labels": made.labels, "pages": made.pages})
    return LabelsMade(run_id, made.labels, made.pages, "".join(sorted(made.missing)))


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Written beside and renamed: nobody ever prints half a file."""
    half = path.with_name(f".{path.name}.part")
    try:
        with half.open("wb") as file:
            yield file
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
