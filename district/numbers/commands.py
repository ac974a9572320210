"""`flask district numbers`: prove the figures, or make them anew."""

from __future__ import annotations

import calendar
import json
from datetime import date

import click
from flask.cli import AppGroup

from district import clock
from district.messages import set_language, t
from district.numbers import service as figures
from district.terminal import tongue
from district.work import unit_of_work

group = AppGroup("numbers", help="The figures: prove that they are right, or make them anew.")
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@group.command("check")
@click.option("--period", default="", help="Only a year, month or day: 2026, 2026-11 or 2026-11-26.")
@_json
def check(period: str, as_json: bool) -> None:
    """Count everything again from the reports and their history. Ends with 1 when a figure differs."""
    from district import jobs

    set_language(tongue())
    first, last = _days(period)
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


@group.command("rebuild")
def rebuild() -> None:
    """Throw the figures away and make them anew from the reports and their history."""
    from district import jobs

    set_language(tongue())
    with unit_of_work():
        figures.forget()
    jobs.count_numbers()
    click.echo(t("numbers.cli.rebuilt"))


def _days(period: str) -> tuple[date | None, date | None]:
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
