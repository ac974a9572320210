"""Facilities from a file. The refused rows come back as a file to mend."""

from __future__ import annotations

import json
from pathlib import Path

from district.errands.running import Running
from district.extensions import db
from district.messages import t
from district.register import sources
from district.register.columns import guess, plan_of, remember
from district.register.loading import Loading, Tally
from district.register.refused import ErrorFile
from district.work import unit_of_work

# What was wrong, for the page: the first rows of it, beside the result.
PROBLEMS = "problems.json"
TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "geojson": "application/geo+json",
}


def do(running: Running) -> None:
    """Take the file over, a batch at a time. Killed in between, it is begun again and enters nothing twice."""
    load(running, dry_run=False)


def load(running: Running, *, dry_run: bool) -> None:
    """parameters: `name` the file's, `plan` {columns, datum} or none for the guessed one."""
    asked = running.asked
    if asked.given is None:
        return
    name = str(asked.parameters["name"])
    refused_path = asked.folder / "refused"
    with sources.opened(asked.given) as source:
        given = asked.parameters.get("plan")
        plan = plan_of(given["columns"], given["datum"], source.headings) if given else guess(source.headings)
        # A plan that was guessed may lack the one column that must be there.
        plan = plan_of(plan.columns, plan.datum, source.headings)
        with ErrorFile(refused_path, source) as refused:
            loading = Loading(
                source, plan, by=asked.staff_id, name=name, errors=refused, dry_run=dry_run
            )  # fmt: skip
            for batch in loading.batches():
                if dry_run:
                    loading.take(batch)
                    db.session.rollback()
                else:
                    with unit_of_work():
                        loading.take(batch)
                db.session.remove()
                read = loading.tally.read
                running.say(read, max(read, round(read / source.share())) if source.share() else None)
            if not dry_run:
                with unit_of_work():
                    loading.finish()
                    remember(plan, source.headings)
        kind = source.kind
    _tell(running, loading.tally)
    if refused.is_there:
        stem = Path(name).stem
        refused_path.replace(running.result(f"{stem}-{t('register.refused_file')}.{kind}", TYPES[kind]))


def _tell(running: Running, tally: Tally) -> None:
    found = tally.as_json()
    problems = found.pop("problems")
    (running.asked.folder / PROBLEMS).write_text(json.dumps(problems, ensure_ascii=False), encoding="utf-8")
    running.outcome |= found
