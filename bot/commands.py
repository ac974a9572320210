"""The operator's commands for the official account: `flask district wechat ...`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import qrcode
from flask import Flask, current_app
from flask.cli import AppGroup

from bot import menu
from district import wechat
from district.cli import district
from district.errors import DistrictError
from district.facilities import service as facilities
from district.messages import CHINESE, set_language, speaking, t
from district.terminal import tongue
from district.wechat import checking
from district.wechat.checking import State, explained
from district.wechat.errors import WeChatError

T = TypeVar("T")
SCENE = "fac:{token}"
MARKS = {State.WELL: "✓", State.DOUBTFUL: "!", State.BAD: "✗", State.SKIPPED: "-"}
# Printed codes are scanned from posts and lids, dirty and at an angle.
MODULE_PIXELS, BORDER_MODULES = 12, 4

account = AppGroup("wechat", help="The official account: its menu, its codes, and whether it can be reached.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def register() -> None:
    """Add these commands to the operator's. Safe to call for each application of a process."""
    district.add_command(account)


@account.command("menu")
@click.option("--show", "act", flag_value="show", default="show", help="Show the menu that WeChat has (the default).")
@click.option("--create", "act", flag_value="create", help="Create the menu, in place of the present one.")
@click.option("--delete", "act", flag_value="delete", help="Take the menu away.")
@as_json
def menu_command(act: str, as_json: bool) -> None:
    """The menu under the chat: report, scan, mine, nearby, help. Residents see a change within five minutes."""
    set_language(tongue())
    client = wechat.client_for(_app())
    if act == "create":
        # Residents read it, whatever language the operator's terminal speaks.
        with speaking(CHINESE):
            buttons = menu.buttons()
        _or_stop(lambda: client.create_menu(buttons))
    elif act == "delete":
        _or_stop(client.delete_menu)
    present = _or_stop(client.present_menu)
    rows = present.get("button", []) if present else []
    if as_json:
        click.echo(json.dumps({"button": rows}, ensure_ascii=False))
        return
    click.echo(t(f"wechat.menu_command.{act}") if rows or act == "delete" else t("wechat.menu_command.none"))
    for row in rows:
        click.echo(_menu_line(row))
        for below in row.get("sub_button") or []:
            click.echo(f"    {_menu_line(below)}")


def _menu_line(row: dict[str, Any]) -> str:
    where = row.get("key") or row.get("url") or ""
    return f"{row.get('name', '')}  {row.get('type', '')} {where}".rstrip()


@account.command("codes")
@click.option("--facility", "codes", multiple=True, required=True, help="A facility's code or token; may be repeated.")
@click.option(
    "--output", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the PNGs go."
)
@as_json
def codes_command(codes: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Codes that open the chat about a facility, also for whoever does not follow yet.

    WeChat makes at most 100,000 of them for an account and never takes one back: a picture that is in the folder
    already is left alone.
    """
    set_language(tongue())
    client = wechat.client_for(_app())
    folder.mkdir(parents=True, exist_ok=True)
    made, kept = [], []
    for code in dict.fromkeys(codes):
        facility = _or_stop(partial(facilities.by_token_or_code, code))
        token = facilities.token_of(facility.id)
        if token is None:
            raise click.UsageError(t("wechat.codes.no_token", code=facility.code17))
        path = folder / f"{facility.code17}.png"
        if path.exists():
            kept.append(str(path))
            continue
        address = _or_stop(partial(client.create_scene_code, SCENE.format(token=token)))
        _draw(address, path)
        made.append(str(path))
    if as_json:
        click.echo(json.dumps({"made": made, "kept": kept}, ensure_ascii=False))
        return
    for path_text in made:
        click.echo(t("wechat.codes.made", path=path_text))
    for path_text in kept:
        click.echo(t("wechat.codes.kept", path=path_text))


def _draw(address: str, path: Path) -> None:
    """The code as a PNG; whole or not at all."""
    code = qrcode.QRCode(
        border=BORDER_MODULES, box_size=MODULE_PIXELS, error_correction=qrcode.constants.ERROR_CORRECT_Q
    )
    code.add_data(address)
    code.make(fit=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        code.make_image(fill_color="black", back_color="white").save(file)
    part.rename(path)


@account.command("check")
@as_json
def check_command(as_json: bool) -> None:
    """Whether we can speak to WeChat and WeChat to us. Ends with 1 when something is not well."""
    set_language(tongue())
    findings = checking.examine(_app())
    if as_json:
        click.echo(json.dumps([asdict(one) | {"is_well": one.is_well} for one in findings], ensure_ascii=False))
    else:
        for one in findings:
            click.echo(f"{MARKS[one.state]} {one.text}")
    if not all(one.is_well for one in findings):
        raise SystemExit(1)


def _or_stop(act: Callable[[], T]) -> T:
    """The result, or WeChat's or the district's refusal as one line and exit status 2."""
    try:
        return act()
    except WeChatError as error:
        raise click.UsageError(explained(error)) from error
    except DistrictError as error:
        raise click.UsageError(t(error.key, **error.params)) from error


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]
