"""The operator's commands: `flask district ...`."""

from __future__ import annotations

import calendar
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from district import links
from district.config import Config
from district.errors import DistrictError
from district.extensions import db
from district.messages import CHINESE, LANGUAGES, has, language, set_language, speaking, t
from district.people.roles import Role
from district.terminal import tongue
from district.work import unit_of_work

district = AppGroup("district", help="Run and care for a district: data, staff, queues, health.")
staff_group = AppGroup("staff", help="Accounts of staff: add, list, reset a password by a one-time link.")
rules_group = AppGroup("rules", help="The routing rules: what is wrong or worth knowing about them.")
facilities_group = AppGroup(
    "facilities", help="The register of facilities: import and export files, check what its map adds up."
)
numbers_group = AppGroup("numbers", help="The figures: prove that they are right, or make them anew.")
district.add_command(staff_group)
district.add_command(rules_group)
district.add_command(numbers_group)
district.add_command(facilities_group)

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


# How many problems of an import are printed; the error file has them all.
MOST_SHOWN = 20
# How many pairs of confused names are printed.
MOST_CONFUSED = 15
# Well before another worker takes the night's learning for dead (district.learning.runs).
LONGEST_NIGHT_S = 25 * 60


def register(app: Flask) -> None:
    app.cli.add_command(district)


@district.result_callback()
def _done(*_args: object, **_options: object) -> None:
    db.session.remove()


@district.command("load")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
def load(folder: Path, as_json: bool) -> None:
    """Load a district's FOLDER: units, categories, rules, map, facilities, staff. Loading again updates."""
    from district import loading
    from district.loading.rule_findings import findings_of

    _speak()
    read = loading.read_folder(folder)
    if read.problems:
        _print_problems(read.problems, as_json)
        raise SystemExit(1)
    with unit_of_work():
        result = loading.load_folder(read)
    counts = result.counts
    if read.utterances and not read.is_trained:
        click.echo(t("cli.load.not_trained", folder=str(folder)), err=True)
    _print_findings(findings_of(read), as_json)
    if as_json:
        click.echo(json.dumps(counts, ensure_ascii=False))
        return
    for kind, numbers in counts.items():
        click.echo(t("cli.load.line", kind=kind, **numbers))


@district.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@as_json
def check(folder: Path, as_json: bool) -> None:
    """Check a district's FOLDER and change nothing. Ends with 1 when there is something to mend."""
    from district import loading
    from district.loading.folder import RULES
    from district.loading.rule_findings import findings_of
    from district.routing import findings
    from district.routing.lint import ERROR

    _speak()
    read = loading.read_folder(folder)
    problems = list(read.problems)
    found = [] if problems else findings_of(read)
    names = {code: str(category["name"]) for code, category in read.categories.items()}
    problems += [
        loading.Problem(RULES, None, one.rules[0] if one.rules else None, findings.sentence(one, names))
        for one in found
        if one.severity == ERROR
    ]
    _print_problems(problems, as_json)
    _print_findings(found, as_json, names)
    if problems:
        raise SystemExit(1)


@district.command("route")
@click.option("--text", required=True, help="What a resident would write.")
@click.option("--lat", type=float, help="Latitude, WGS-84.")
@click.option("--lon", type=float, help="Longitude, WGS-84.")
@click.option("--facility", help="A facility's code, 16 or 17 digits.")
@click.option("--category", help="A category's code.")
@click.option("--at", help="When, ISO 8601; now when left out.")
@as_json
def route(
    text: str, lat: float | None, lon: float | None, facility: str | None, category: str | None, at: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Show where a report would go, and why. Files nothing."""
    from district.routing import story
    from district.routing.service import decide_for

    _speak()
    moment = datetime.fromisoformat(at) if at else None
    answer = _or_stop(lambda: decide_for(text, lat, lon, facility, category, moment))
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False, default=str))
        return
    click.echo(t("cli.route.unit", unit=answer["unit"]["name"] if answer["unit"] else "-"))
    click.echo(t("cli.route.triage") if answer["triage"] else t("cli.route.auto"))
    click.echo(answer["reason"])
    for line in story.tell(answer["trace"]):
        click.echo(f"  {line}")


@district.command("evaluate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
def evaluate(file: Path, as_json: bool) -> None:
    """Measure on the messages of FILE (CSV) how well residents are understood. Files nothing."""
    from district.routing import evaluation

    _speak()
    messages = _or_stop(lambda: evaluation.read(file))
    found = _or_stop(lambda: evaluation.evaluate(messages, with_places=evaluation.has_points(file)))
    if as_json:
        click.echo(json.dumps(asdict(found.figures)))
        return
    for name, value in asdict(found.figures).items():
        shown = "-" if value is None else value if name == "n" else f"{value:.1%}"
        click.echo(f"{t(f'cli.evaluate.{name}'):<44}{shown:>8}")
    if found.calibration_error is not None:
        click.echo(f"{t('cli.evaluate.calibration_error'):<44}{found.calibration_error:>8.1%}")
    for title, confused in (
        ("cli.evaluate.confused_intents", found.confused_intents),
        ("cli.evaluate.confused_categories", found.confused_categories),
    ):
        if confused:
            click.echo(f"\n{t(title)}")
        for expected, other, count in confused[:MOST_CONFUSED]:
            click.echo(f"{count:>6}  {_named(expected)} → {_named(other)}")


@district.command("train")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--by-writer", is_flag=True, help="Only measure: each writer's utterances by what the others teach.")
@as_json
def train(folder: Path, by_writer: bool, as_json: bool) -> None:
    """Learn to understand residents from FOLDER's words and utterances; writes FOLDER/understanding.weights."""
    from district import loading
    from district.loading.folder import WEIGHTS
    from district.understanding import training

    _speak()
    read = loading.read_folder(folder)
    if read.problems:
        _print_problems(read.problems, as_json)
        raise SystemExit(1)
    if not read.utterances:
        raise click.UsageError(t("cli.train.nothing"))

    def tell(part: str) -> None:
        click.echo(t("cli.train.part", part=part), err=True)

    if by_writer:
        figures = training.figures_of(training.held_back(read.material(), by_writer=True, tell=tell))
    else:
        weights = training.learn(read.material(), tell)
        (folder / WEIGHTS).write_bytes(weights.pack())
        figures = weights.figures
    if as_json:
        click.echo(json.dumps(figures))
        return
    if not by_writer:
        file = str(folder / WEIGHTS)
        click.echo(t("cli.train.done", count=len(weights), utterances=len(read.utterances), file=file))
    for name, value in figures.items():
        click.echo(f"{t(f'cli.evaluate.{name}'):<44}{value:>8.1%}")


@district.command("errands")
def run_errands() -> None:
    """Do the lengthy work that waits: exports, imports, sheets of labels."""
    from district import jobs

    click.echo(t("errands.cli.done", n=jobs.run_errands_now()))


@district.command("learn")
@click.option("--dry-run", is_flag=True, help="Only measure: train and judge, and change nothing.")
@click.option("--night", default="", hidden=True)
@as_json
def learn(dry_run: bool, night: str, as_json: bool) -> None:
    """Learn now from what dispatchers decided; the new model is used only if it is better."""
    from district import jobs

    _speak()
    if night:
        _work_aside()

    def tell(part: str) -> None:
        if not as_json and not night:
            click.echo(t("cli.train.part", part=part), err=True)

    learnt = jobs.learn_now(night=night, is_trial=dry_run, tell=tell)
    studied, kept = learnt.studied, learnt.kept
    counts = {name: count for name, count in studied.trained_on.items() if name != "made_of"}
    if as_json:
        answer = {"verdict": studied.verdict, "version": kept.version if kept else None,
                  "state": kept.state if kept else None, **counts, "figures": studied.figures,
                  "habits": learnt.habits}  # fmt: skip
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    why = kept.why if kept else studied.why
    click.echo(t(why["key"], **why["params"]))
    if kept and kept.version:
        click.echo(t("learning.cli.version", n=kept.version, state=t(f"learning.state.{kept.state}")))
    for name, value in (counts | studied.figures).items():
        if has(f"learning.figure.{name}") and value is not None:
            shown = value if isinstance(value, int) or name == "took_s" else f"{value:.1%}"
            click.echo(f"{t(f'learning.figure.{name}'):<44}{shown:>8}")


def _work_aside() -> None:
    """At night somebody may report meanwhile: give way, end with the worker that began this, and not too late.

    The operating system ends it after the time in which nobody begins the night again.
    """
    os.nice(10)
    signal.alarm(LONGEST_NIGHT_S)
    worker = os.getppid()

    def watch() -> None:
        while os.getppid() == worker:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@district.command("sweep")
def sweep() -> None:
    """Ring for everything that waits, once."""
    from district import jobs

    jobs.sweep()


@district.group("search")
def search() -> None:
    """What reports are found by."""


@search.command("rebuild")
@as_json
def rebuild_search(as_json: bool) -> None:
    """Read every report again for the search; it goes on working meanwhile."""
    from district.search import service

    _speak()
    after, more = 0, True
    while more:
        with unit_of_work():
            after, more = service.rebuild(after)
        db.session.remove()
    count = service.count()
    click.echo(json.dumps({"reports": count}) if as_json else t("cli.search.rebuilt", count=count))


@district.command("labels")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write: PDF, ZIP for plates."
)
@click.option("--facility", "codes", multiple=True, help="Only this facility, by its 16- or 17-digit code; repeatable.")
@click.option("--type", "type_code", default="", help="Only this facility type's code.")
@click.option("--street", default="", help="Only this street: an area's code or name, or a part of the address.")
@click.option("--layout", "layout_name", default="sheet21", show_default=True, help="How labels are arranged.")
@click.option("--only-new", is_flag=True, help="Leave out what was printed before.")
@click.option("--fresh", is_flag=True, help="New codes for all; the old ones stay good until the new ones hang.")
@click.option("--list", "crew_list", type=click.Path(dir_okay=False, path_type=Path), help="Also the crew's list, PDF.")
@click.option("--language", "tongue_of_labels", type=click.Choice(LANGUAGES), default=CHINESE, show_default=True)
@click.option("--layouts", "show_layouts", is_flag=True, help="Say which layouts there are, and print nothing.")
@as_json
def print_labels(
    output: Path | None, codes: tuple[str, ...], type_code: str, street: str, layout_name: str, only_new: bool,
    fresh: bool, crew_list: Path | None, tongue_of_labels: str, show_layouts: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print the facilities' code labels, in the order in which a crew walks. Facilities without a code get one."""
    from district.errands.kinds.labels import make
    from district.labels.layouts import layouts
    from district.labels.service import Order

    _speak()
    if show_layouts:
        names = {name: one.title(language()) for name, one in _or_stop(layouts).items()}
        click.echo(json.dumps(names, ensure_ascii=False) if as_json else _in_columns(names))
        return
    if output is None:
        raise click.UsageError(t("labels.cli.no_output"))
    order = Order(layout_name, codes, type_code, street, only_new, fresh)

    spoken = language()

    def tell(done: int, total: int) -> None:
        if not as_json:
            # What stands on the labels may be in another language.
            with speaking(spoken):
                click.echo(f"\r{t('labels.cli.progress', done=done, total=total)}", nl=False, err=True)

    made = _or_stop(lambda: make(order, output, crew_list=crew_list, tongue=tongue_of_labels, tell=tell))
    if as_json:
        click.echo(
            json.dumps({"labels": made.labels, "pages": made.pages, "run": made.run_id, "missing": made.missing})
        )
        return
    click.echo("", err=True)
    click.echo(t("labels.cli.done", labels=made.labels, pages=made.pages, run=made.run_id, file=str(output)))
    if made.missing:
        click.echo(t("labels.cli.missing", letters=made.missing), err=True)


def _in_columns(names: Mapping[str, str]) -> str:
    return "\n".join(f"{name:<12}{title}" for name, title in names.items())


@district.command("worker")
@click.option("--queues", default="routing,outside", show_default=True, help="Which queues, first ones first.")
def worker(queues: str) -> None:
    """Answer the queues until stopped."""
    from district.worker import run_worker

    run_worker(current_app._get_current_object(), queues.split(","))  # type: ignore[attr-defined]


@district.command("schedule")
def schedule() -> None:
    """Run the periodic work until stopped."""
    from district import schedule as periodic

    periodic.run(current_app._get_current_object())  # type: ignore[attr-defined]


@district.command("doctor")
@as_json
def doctor(as_json: bool) -> None:
    """Say what is well and what is not: settings, database, queue, district data. Ends with 1 when something is not."""
    from district.doctor import examine

    _speak()
    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(f"{'✓' if finding.is_well else '✗'} {finding.text}")
    if not all(finding.is_well for finding in findings):
        raise SystemExit(1)


@rules_group.command("lint")
@as_json
def lint_rules(as_json: bool) -> None:
    """Say what is wrong or worth knowing about the rules in force. Ends with 1 when something is wrong."""
    from district.routing import findings
    from district.routing.lint import ERROR

    _speak()
    found = findings.findings()
    if as_json:
        click.echo(json.dumps([findings.as_json(one) for one in found], ensure_ascii=False))
    else:
        for one in found:
            click.echo(f"{t(f'rules.severity.{one.severity}')}  {findings.sentence(one)}")
        if not found:
            click.echo(t("rules.clean"))
    if any(one.severity == ERROR for one in found):
        raise SystemExit(1)


@numbers_group.command("check")
@click.option("--period", default="", help="Only a year, month or day: 2026, 2026-11 or 2026-11-26.")
@as_json
def check_numbers(period: str, as_json: bool) -> None:
    """Count everything again from the reports and their history. Ends with 1 when a figure differs."""
    from district import clock, jobs
    from district.numbers import service as figures

    _speak()
    first, last = _days_of(period)
    now = clock.now()
    jobs.count_numbers(now)
    proof = figures.prove(now, first=first, last=last)
    if as_json:
        answer = {
            "reports": proof.reports, "facts": proof.facts, "cells": proof.cells, "moved": proof.moved,
            "differences": proof.differences, "wrong": proof.wrong,
        }  # fmt: skip
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        for what, where, kept, counted in proof.wrong:
            click.echo(t("numbers.cli.wrong", what=what, where=where, kept=kept, counted=counted), err=True)
        key = "numbers.cli.differs" if proof.differences else "numbers.cli.equal"
        click.echo(
            t(key, reports=proof.reports, facts=proof.facts, cells=proof.cells, moved=proof.moved, n=proof.differences)
        )
    if proof.differences:
        raise SystemExit(1)


@numbers_group.command("rebuild")
def rebuild_numbers() -> None:
    """Throw the figures away and make them anew from the reports and their history."""
    from district import jobs
    from district.numbers import service as figures

    _speak()
    with unit_of_work():
        figures.forget()
    jobs.count_numbers()
    click.echo(t("numbers.cli.rebuilt"))


@facilities_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check and count everything, and change nothing.")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=HEADING",
    help="Read FIELD from the column HEADING; an empty HEADING leaves the field out. May be repeated.",
)
@click.option("--datum", type=click.Choice(["wgs84", "gcj02", "bd09"]), help="What the coordinates are measured in.")
@click.option(
    "--errors",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the refused rows go, each with its reason; else beside FILE.",
)
@as_json
def import_facilities(
    file: Path, dry_run: bool, columns: tuple[str, ...], datum: str | None, errors: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Take facilities over from FILE: CSV, XLSX or GeoJSON. Loading again, whole or mended, does no harm."""
    from district.register import sources
    from district.register.columns import guess, plan_of, remember
    from district.register.loading import Loading
    from district.register.refused import ErrorFile

    _speak()
    beside = errors or file.with_name(f"{file.stem}-errors{file.suffix}")

    def run() -> dict[str, Any]:
        with sources.opened(file) as source, ErrorFile(beside, source) as refused:
            guessed = guess(source.headings)
            chosen = dict(guessed.columns) | dict(_pairs(columns))
            plan = plan_of(chosen, datum or guessed.datum, source.headings)
            loading = Loading(source, plan, by=None, name=file.name, errors=refused, dry_run=dry_run)
            for batch in loading.batches():
                if dry_run:
                    loading.take(batch)
                    db.session.rollback()
                else:
                    with unit_of_work():
                        loading.take(batch)
                if not as_json:
                    click.echo(
                        t("register.cli.progress", read=loading.tally.read, share=f"{source.share():.0%}"), err=True
                    )
            if not dry_run:
                with unit_of_work():
                    loading.finish()
                    remember(plan, source.headings)
            return loading.tally.as_json() | {"errors_file": str(beside) if refused.is_there else None}

    found = _or_stop(run)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(t("register.cli.dry" if dry_run else "register.cli.done"))
    for name in ("read", "created", "updated", "unchanged", "refused"):
        click.echo(f"{found[name]:>9}  {t(f'register.count.{name}')}")
    for number, words in found["problems"][:MOST_SHOWN]:
        click.echo(t("register.cli.problem", number=number, words=words), err=True)
    if found["errors_file"]:
        click.echo(t("register.cli.errors_file", file=found["errors_file"]), err=True)


@facilities_group.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--type", "type_code", default="", help="Only of this type, by its code.")
@click.option("--area", "area_code", default="", help="Only in this street or township, by its code.")
@as_json
def export_facilities(file: Path, type_code: str, area_code: str, as_json: bool) -> None:
    """Write the register into FILE: .csv, .xlsx or .geojson. What is written can be imported again."""
    from district.facilities import queries
    from district.register.export import export

    _speak()
    wanted = queries.ids_of(queries.Wanted(type_code=type_code, area_code=area_code))
    steps = _or_stop(lambda: list(export(file, wanted)))
    count = steps[-1] if steps else 0
    click.echo(json.dumps({"written": count}) if as_json else t("register.cli.exported", n=count, file=str(file)))


@facilities_group.command("check")
@click.option("--mend", is_flag=True, help="Count them anew where something differs.")
@as_json
def check_facilities(mend: bool, as_json: bool) -> None:
    """Count anew where facilities stand and compare it with what the map adds up. Ends with 1 when it differs."""
    from district.facilities import heaps

    _speak()
    found = heaps.differences()
    if found and mend:
        with unit_of_work():
            heaps.rebuild()
    if as_json:
        click.echo(json.dumps({"differences": len(found), "is_mended": bool(found and mend)}))
    else:
        key = "equal" if not found else "mended" if mend else "differs"
        click.echo(t(f"register.cli.{key}", n=len(found)))
    if found and not mend:
        raise SystemExit(1)


def _pairs(given: tuple[str, ...]) -> list[tuple[str, str]]:
    """`--map name=Heading` as ("name", "Heading")."""
    for one in given:
        if "=" not in one:
            raise click.UsageError(t("register.cli.map_wrong", given=one))
    return [(name.strip(), heading) for name, _, heading in (one.partition("=") for one in given)]


@staff_group.command("add")
@click.argument("username")
@click.option("--name", required=True, help="The person's name.")
@click.option("--unit", required=True, help="The unit's code.")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice([role.value for role in Role]))
@as_json
def add_staff(username: str, name: str, unit: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Add a member of staff and print the one-time link that sets their password."""
    from district.people import service as people

    _speak()

    def act() -> str:
        with unit_of_work():
            added = people.add_staff(username, name, unit, [Role(role) for role in roles], by=None)
            return people.make_password_link(added.id, by=None)

    address = links.password_page(_or_stop(act))
    click.echo(json.dumps({"link": address}) if as_json else t("cli.staff.link", link=address))


@staff_group.command("list")
@as_json
def list_staff(as_json: bool) -> None:
    """List the accounts."""
    from sqlalchemy import select

    from district.people.models import Staff

    people = db.session.scalars(select(Staff).where(Staff.left_at.is_(None)).order_by(Staff.username)).all()
    rows = [
        {"username": one.username, "name": one.name, "unit": one.unit.code, "roles": sorted(one.roles)}
        for one in people
    ]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['username']:<16}{row['unit']:<10}{','.join(row['roles']):<30}{row['name']}")


@staff_group.command("reset")
@click.argument("username")
@as_json
def reset_staff(username: str, as_json: bool) -> None:
    """Print a one-time link that sets a new password; older links end."""
    from sqlalchemy import select

    from district.errors import NotFound
    from district.people import service as people
    from district.people.models import Staff

    _speak()

    def act() -> str:
        with unit_of_work():
            staff_id = db.session.scalar(select(Staff.id).where(Staff.username == username.lower()))
            if staff_id is None:
                raise NotFound("errors.staff_unknown")
            return people.make_password_link(staff_id, by=None)

    address = links.password_page(_or_stop(act))
    click.echo(json.dumps({"link": address}) if as_json else t("cli.staff.link", link=address))


def ensure_first_administrator(config: Config) -> bool:
    """Give user `admin` ADMIN_PASSWORD, and create it first where there is none. True when that was done.

    A password that is already set is never changed.

    Opens its own unit of work: called once at start-up, before any request.
    """
    from sqlalchemy import select

    from district.people import service as people
    from district.people.models import Staff
    from district.units.models import Unit

    if not config.admin_password:
        return False
    with unit_of_work():
        known = db.session.scalar(select(Staff).where(Staff.username == "admin"))
        if known is not None:
            # The district's folder may have brought the account, but then without a password.
            if known.password_hash is None and known.left_at is None:
                people.set_password(known, config.admin_password)
                return True
            return False
        unit_code = db.session.scalar(select(Unit.code).where(Unit.closed_at.is_(None)).order_by(Unit.id).limit(1))
        if unit_code is None:
            return False
        added = people.add_staff("admin", "admin", unit_code, [Role.ADMINISTRATOR], by=None)
        people.set_password(added, config.admin_password)
        return True


@district.command("first-start", hidden=True)
def first_start() -> None:
    """Make the first administrator from ADMIN_PASSWORD, when there is none."""
    if ensure_first_administrator(current_app.config["BIHUAN"]):
        click.echo(t("cli.staff.first_administrator"))


def _named(code: str) -> str:
    """A category's code with its name; anything else as it is."""
    from district.reference import reference

    category = reference().categories_by_code.get(code)
    return f"{code} {category.name}" if category else code or "-"


def _speak() -> None:
    set_language(tongue())


def _or_stop(act: Callable[[], Any]) -> Any:
    """The result, or the domain's refusal as one line and exit status 2."""
    try:
        return act()
    except DistrictError as error:
        words = [t(error.key, **error.params), *(t(key) for key in getattr(error, "fields", {}).values())]
        raise click.UsageError(" ".join(dict.fromkeys(words))) from error


def _print_problems(problems: list[Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(one) for one in problems], ensure_ascii=False))
        return
    for one in problems:
        where = ":".join(str(part) for part in (one.file, one.line, one.column) if part)
        click.echo(f"{where}: {one.message}", err=True)
    if not problems:
        click.echo(t("cli.check.clean"))


def _print_findings(found: list[Any], as_json: bool, category_names: dict[str, str] | None = None) -> None:
    """What the linter says of a folder's rules, beside the command's own result; notes are only counted."""
    from district.routing import findings
    from district.routing.lint import NOTE, WARNING

    if as_json or not found:
        return
    for one in found:
        if one.severity == WARNING:
            click.echo(f"{t('rules.severity.warning')}  {findings.sentence(one, category_names)}", err=True)
    notes = sum(one.severity == NOTE for one in found)
    if notes:
        click.echo(t("rules.notes", count=notes), err=True)


def _days_of(period: str) -> tuple[date | None, date | None]:
    if not period:
        return None, None
    try:
        parts = [int(part) for part in period.split("-")]
        first = date(*[*parts, 1, 1][:3])
        if len(parts) == 3:
            return first, first
        month = parts[1] if len(parts) == 2 else 12
        return first, date(parts[0], month, calendar.monthrange(parts[0], month)[1])
    except (ValueError, TypeError, IndexError) as error:
        raise click.BadParameter(t("numbers.cli.period_unreadable"), param_hint="--period") from error
