"""The operator's commands for the official account: `flask district wechat ...`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import qrcode
import requests
from flask import Flask, current_app
from flask.cli import AppGroup
from wechatpy.utils import WeChatSigner

from bot import menu
from bot.views import PATH
from district import clock, wechat
from district.cli import district
from district.config import Config
from district.errors import DistrictError
from district.facilities import service as facilities
from district.messages import CHINESE, has, set_language, speaking, t
from district.terminal import tongue
from district.wechat.errors import WeChatError

T = TypeVar("T")
SCENE = "fac:{token}"
REACH_TIMEOUT_S = (3.05, 5.0)
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


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. text: in the operator's language."""

    name: str
    is_well: bool
    text: str


@account.command("check")
@as_json
def check_command(as_json: bool) -> None:
    """Whether we can speak to WeChat and WeChat to us. Ends with 1 when something is not well."""
    set_language(tongue())
    config: Config = current_app.config["BIHUAN"]
    findings = [_settings(config), _token(), _menu(), _callback(config)]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], ensure_ascii=False))
    else:
        for one in findings:
            click.echo(f"{'✓' if one.is_well else '✗'} {one.text}")
    if not all(one.is_well for one in findings):
        raise SystemExit(1)


def _settings(config: Config) -> Finding:
    """WeChat calls only public addresses over HTTPS, and only ports 80 and 443."""
    parts = urlsplit(config.public_base_url)
    if config.uses_stand_in:
        return Finding("settings", True, t("wechat.check.stand_in"))
    is_well = parts.scheme == "https" and parts.port in (None, 443)
    key = "wechat.check.settings" if is_well else "wechat.check.no_https"
    return Finding("settings", is_well, t(key, address=config.public_base_url, app_id=config.wechat_app_id))


def _token() -> Finding:
    try:
        _ = wechat.client_for(_app()).access_token
    except WeChatError as error:
        return Finding("token", False, t("wechat.check.token_refused", why=explained(error)))
    return Finding("token", True, t("wechat.check.token"))


def _menu() -> Finding:
    try:
        present = wechat.client_for(_app()).present_menu()
    except WeChatError as error:
        return Finding("menu", False, t("wechat.check.menu_refused", why=explained(error)))
    rows = [row for top in (present or {}).get("button", []) for row in top.get("sub_button") or [top]]
    if not rows:
        return Finding("menu", False, t("wechat.check.no_menu"))
    tapped = menu.tapped()
    strange = [str(row["key"]) for row in rows if row.get("key") and row["key"] not in tapped]
    if strange:
        return Finding("menu", False, t("wechat.check.strange_key", keys=", ".join(strange)))
    return Finding("menu", True, t("wechat.check.menu", count=len(rows)))


def _callback(config: Config) -> Finding:
    """Ask our own public address as WeChat does when the operator presses Submit in its console."""
    address = f"{config.public_base_url}{PATH}"
    nonce, stamp, echo = secrets.token_hex(8), str(int(clock.now().timestamp())), secrets.token_hex(8)
    signer = WeChatSigner()
    signer.add_data(config.wechat_token, stamp, nonce)
    query = {"signature": signer.signature, "timestamp": stamp, "nonce": nonce, "echostr": echo}
    try:
        answer = requests.get(address, params=query, timeout=REACH_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        return Finding("callback", False, t("wechat.check.unreached", address=address, why=type(error).__name__))
    if answer.status_code == 200 and answer.text == echo:
        return Finding("callback", True, t("wechat.check.callback", address=address))
    status = answer.status_code
    key = {403: "wechat.check.callback_403", 404: "wechat.check.callback_404"}.get(status, "wechat.check.callback_odd")
    return Finding("callback", False, t(key, address=address, status=status))


def explained(error: WeChatError) -> str:
    """What went wrong and what to do, in the operator's language, with WeChat's own number."""
    name = "none" if error.code is None else str(error.code).replace("-", "minus")
    key = f"wechat.explain.e{name}"
    words = t(key) if has(key) else t("wechat.explain.other")
    return t("wechat.explain.whole", words=words, code=error.code if error.code is not None else "-",
             reason=error.reason)  # fmt: skip


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
