"""The code base's own rules, read from its files. Each failure names file and line and says what to do."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import DateTime

from admin.registry import AUDIT_SUBJECTS
from district import jobs, messages
from district.api_keys.models import Scope
from district.categories.models import Urgency
from district.columns import UtcDateTime
from district.extensions import db
from district.notifications.models import Delivery
from district.people.roles import Role
from district.reports.models import EventKind, Source
from district.reports.states import PlainStatus, Status
from district.work import BELLS

ROOT = Path(__file__).resolve().parents[1]
DOORS = ("bot", "citizen", "admin")
PRODUCT = ("district", *DOORS)
HTTP_NAMES = {
    "request", "Response", "session", "redirect", "abort", "Blueprint", "render_template", "url_for", "jsonify",
    "make_response", "g", "send_file", "send_from_directory", "flash", "after_this_request",
}  # fmt: skip
# Told by their own rules: they decide, and know nothing of web or database.
PURE = (
    "district/clock.py", "district/errors.py", "district/words.py", "district/people/roles.py",
    "district/reports/states.py", "district/facilities/code_states.py",
    "district/deadlines/calendar.py", "district/routing/conditions.py",
    "district/care/periods.py",
    "district/numbers/counting.py", "district/numbers/periods.py", "district/numbers/scale.py",
    "district/routing/rules.py", "district/routing/lint.py", "district/geo/datum.py", "district/geo/measure.py",
    "bot/dialogue.py", "district/replies/filling.py", "district/search/tokens.py",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """`where` imports `name` (with `parts` from it)."""

    where: str
    module: str
    name: str
    parts: tuple[str, ...]


@cache
def sources(*folders: str) -> tuple[Path, ...]:
    return tuple(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a file's tree, walked once for every rule."""
    return tuple(ast.walk(tree_of(path)))


@cache
def calls(path: Path) -> tuple[tuple[ast.Call, str], ...]:
    """Every call with what is called, as it is written."""
    return tuple((node, written(node.func)) for node in nodes(path) if isinstance(node, ast.Call))


def written(node: ast.expr) -> str:
    """An expression as it stands in the file, but for what calls inside of it are given."""
    # The printer is slow, and nearly all that is asked for are names and their parts.
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{written(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{written(node.func)}(...)"
    return ast.unparse(node)


def line(path: Path, node: ast.AST | int) -> str:
    return f"{path.relative_to(ROOT)}:{node if isinstance(node, int) else getattr(node, 'lineno', 1)}"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Every import, also inside functions, but those for the reader of types alone."""
    for_types = {
        id(inner)
        for node in nodes(path)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name | ast.Attribute)
        and written(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    found = []
    for node in nodes(path):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [Import(line(path, node), module_of(path), alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = tuple(alias.name for alias in node.names)
            found.append(Import(line(path, node), module_of(path), node.module or "", parts))
    return tuple(found)


def whole_names(one: Import) -> Iterator[str]:
    """`from district.reports import service` names `district.reports.service` as well."""
    yield one.name
    for part in one.parts:
        yield f"{one.name}.{part}"


# Directions


def test_doors_know_the_district_and_not_each_other() -> None:
    wrong = []
    for path in sources(*DOORS):
        others = {"wsgi", "tests", *DOORS} - {path.relative_to(ROOT).parts[0]}
        wrong += [f"{one.where} imports {one.name}" for one in imports(path) if one.name.split(".")[0] in others]
    assert not wrong, "move what both need into district/:\n" + "\n".join(wrong)


def test_the_district_knows_no_door() -> None:
    wrong = [
        f"{one.where} imports {one.name}"
        for path in sources("district")
        for one in imports(path)
        if one.name.split(".")[0] in ("wsgi", "tests", *DOORS) and path.name != "parts.py"
    ]
    assert not wrong, "the domain must work without any door:\n" + "\n".join(wrong)


# The house's storeys, lowest first. A file may use those of its own storey and below. `*.models` are the second.
STOREYS = (
    ("district.notifications", 4), ("district.reports", 5), ("district.staff_wechat", 5), ("district.routing", 6),
    ("district.replies", 6), ("district.overview", 6), ("district.numbers", 6), ("district.care", 6),
    ("district.lists", 6), ("district.retention", 6), ("district.devices", 6),
    ("district.errands.kinds", 7), ("district.jobs", 7),
    ("district.schedule", 8), ("district.worker", 8), ("district.doctor", 8), ("district.frame", 8),
    ("district.cli", 9), ("district.app", 10), ("district.run", 10), ("district.parts", 10), ("district.tables", 2),
)  # fmt: skip
GROUND = ("district.extensions", "district.columns", "district.clock", "district.errors", "district.config",
          "district.words", "district.storage", "district.logs", "district.work", "district.quick")  # fmt: skip


def storey(module: str) -> int:
    if module.endswith(".models") or module == "district.settings":
        return 2
    if module in GROUND:
        return 1
    for prefix, number in STOREYS:
        if module == prefix or module.startswith(prefix + "."):
            return number
    return 3


PURE_MODULES = frozenset(path.removesuffix(".py").replace("/", ".") for path in PURE)


def test_inside_the_district_arrows_run_one_way() -> None:
    known = {module_of(path) for path in sources("district")}
    wrong = []
    for path in sources("district"):
        here = storey(module_of(path))
        for one in imports(path):
            for name in whole_names(one):
                # Enumerations and pure rules may be used by tables; an unknown name is a function or class.
                if name in known and name not in PURE_MODULES and storey(name) > here and not _is_package(name, known):
                    wrong.append(f"{one.where} imports {name}")
    assert not wrong, "jobs -> routing -> reports -> notifications -> models -> extensions:\n" + "\n".join(wrong)


def _is_package(name: str, known: set[str]) -> bool:
    return any(other.startswith(name + ".") for other in known)


@pytest.mark.parametrize("name", PURE)
def test_what_only_decides_imports_no_web_and_no_database(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), f"{name} is gone: take it out of PURE in this test"
    wrong = [
        f"{one.where} imports {one.name}"
        for one in imports(path)
        if re.match(r"(flask|werkzeug|sqlalchemy|redis|rq|district\.(extensions|work)\b)", one.name)
    ]
    assert not wrong, "take what it needs as an argument:\n" + "\n".join(wrong)


def test_http_stays_in_the_frame() -> None:
    wrong = []
    for path in sources("district"):
        if "frame" in path.relative_to(ROOT).parts or path.name == "app.py":
            continue
        for one in imports(path):
            names = HTTP_NAMES & set(one.parts) if one.name == "flask" else set()
            if names or one.name.split(".")[0] in ("werkzeug", "flask_wtf"):
                wrong.append(f"{one.where} imports {', '.join(sorted(names)) or one.name}")
    assert not wrong, (
        "the domain takes arguments, not requests; only district/frame and app.py know HTTP:\n" + "\n".join(wrong)
    )


# One writer, one committer


def test_only_the_verbs_write_a_reports_status() -> None:
    wrong = []
    for path in sources(*PRODUCT):
        if path in (ROOT / "district/reports/service.py", ROOT / "district/reports/merging.py"):
            continue
        for node in nodes(path):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AugAssign | ast.AnnAssign):
                targets = [node.target]
            for target in targets:
                for inner in ast.walk(target):
                    if isinstance(inner, ast.Attribute) and inner.attr == "status":
                        owner = written(inner.value)
                        if owner not in ("response", "answer", "self"):
                            wrong.append(f"{line(path, node)} sets {owner}.status")
            if isinstance(node, ast.Call):
                called = written(node.func)
                sets_status = any(keyword.arg == "status" for keyword in node.keywords)
                if sets_status and (called.endswith(".values") or called == "Report"):
                    wrong.append(f"{line(path, node)} writes a status with {called.split('(')[0]}")
    assert not wrong, "call a verb of reports.service instead:\n" + "\n".join(wrong)


def test_nobody_commits_but_the_unit_of_work() -> None:
    wrong = [
        f"{line(path, node)} calls {called}"
        for path in sources(*PRODUCT)
        if path != ROOT / "district/work.py"
        for node, called in calls(path)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]
    assert not wrong, "open a unit_of_work() in the door, job or command; verbs flush:\n" + "\n".join(wrong)


def test_verbs_do_not_open_units_of_work() -> None:
    """Only doors, jobs and commands know where one message, request or job ends."""
    allowed = {"district/work.py", "district/jobs.py", "district/cli.py", "district/parts.py"}
    # What lengthy work does is a job, too.
    allowed |= {"district/errands/running.py"} | {
        str(path.relative_to(ROOT)) for path in sources("district/errands/kinds")
    }
    wrong = [
        f"{line(path, node)} opens a unit of work"
        for path in sources("district")
        if str(path.relative_to(ROOT)) not in allowed
        for node, called in calls(path)
        if called.endswith("unit_of_work")
    ]
    assert not wrong, "leave that to the caller:\n" + "\n".join(wrong)


def test_every_bell_is_answered_by_a_job() -> None:
    for name in BELLS:
        assert callable(getattr(jobs, name, None)), f"district/work.py rings {name}, district/jobs.py has no such job"


# Guards


# The last four hold nobody's data, or ask for a token of their own (tests/admin/test_phone.py, test_wall_links.py).
OPEN_TO_ALL = re.compile(r"/admin/(login|logout|static/.*|password/.*|manifest/.*|worker\.js|offline|wall/<token>.*)$")


def test_no_page_of_the_panel_opens_without_a_login(app: Flask, client: FlaskClient) -> None:
    wrong, asked = [], 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/admin") or OPEN_TO_ALL.match(rule.rule):
            continue
        values = {
            name: 1 if type(rule._converters[name]).__name__ == "IntegerConverter" else "x" for name in rule.arguments
        }
        with app.test_request_context():
            path = app.url_map.bind("district.test").build(rule.endpoint, values)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            asked += 1
            answer = client.open(path, method=method)
            to_login = answer.status_code in (302, 303) and "/admin/login" in answer.headers.get("Location", "")
            if not to_login and answer.status_code not in (401, 403):
                wrong.append(f"{method} {rule.rule} ({rule.endpoint}) answers {answer.status_code} to nobody")
    assert asked > 10, "where has the panel gone?"
    assert not wrong, "put it behind the panel's guard, or name it in OPEN_TO_ALL:\n" + "\n".join(wrong)


def test_addresses_are_written_in_kebab_case(app: Flask) -> None:
    wrong = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if re.search(r"[A-Z_]", re.sub(r"<[^>]*>", "", rule.rule))
        and not rule.rule.startswith(("/F/", "/_wechat", "/chat"))
    ]
    assert not wrong, "small letters and hyphens, please:\n" + "\n".join(wrong)


# Words


# Punctuation alone is no sentence.
CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
KEY = re.compile(r"^(?:{})\.[a-z0-9_]+(?:\.[a-z0-9_]+)*\.?$".format("|".join(
    sorted({path.stem for tag in messages.LANGUAGES for path in (messages.FOLDER / tag).glob("*.toml")})
)))  # fmt: skip


def docstrings(path: Path) -> set[int]:
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def strings(path: Path) -> Iterator[tuple[ast.Constant, str]]:
    """Every text in a program but its docstrings."""
    skipped = docstrings(path)
    for node in nodes(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node, node.value


# Letters that the program understands or counts, not sentences that it says. Keep this short.
CHINESE_IN_CODE = re.compile(r"^(district/(understanding|geo|routing)/|district/loading/|district/terminal\.py)")


def test_no_chinese_stands_in_the_code() -> None:
    wrong = [
        f"{line(path, node)} says {text[:30]!r}"
        for path in sources(*PRODUCT)
        for node, text in strings(path)
        if CJK.search(text) and not CHINESE_IN_CODE.match(str(path.relative_to(ROOT)))
    ]
    assert not wrong, "put it into district/messages and call t(key):\n" + "\n".join(wrong)


def templates() -> list[Path]:
    return [path for folder in PRODUCT for path in sorted((ROOT / folder).rglob("templates/**/*")) if path.is_file()]


def static_files(pattern: str) -> list[Path]:
    """Our own, not the vendored ones."""
    found = [path for folder in (*PRODUCT, "static") for path in sorted((ROOT / folder).rglob(pattern))]
    return [path for path in found if "vendor" not in path.parts]


def without(text: str, *patterns: str) -> str:
    """The text with what matches blanked out, line breaks kept so that lines can still be counted."""
    for pattern in patterns:
        text = re.sub(pattern, lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.DOTALL)
    return text


def line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def test_no_chinese_stands_in_templates_scripts_and_styles() -> None:
    wrong = []
    styles = [
        path for folder in (*PRODUCT, "static") for path in (ROOT / folder).rglob("*.css") if "vendor" not in path.parts
    ]
    for path in [*templates(), *static_files("*.js"), *styles]:
        text = without(path.read_text(encoding="utf-8"), r"\{#.*?#\}", r"/\*.*?\*/")
        if path.suffix == ".js":
            text = without(text, r"(?m)^\s*//[^\n]*", r"(?<=[;{}\s])//[^\n]*")
        for found in CJK.finditer(text):
            wrong.append(f"{line(path, line_at(text, found.start()))} has {text[found.start() : found.start() + 12]!r}")
            break
    assert not wrong, "use t(key), or hand the text to the script in a data attribute:\n" + "\n".join(wrong)


NAMES = re.compile(r"\b(Bihuan|WeChat|Open311|JSON|API|QR|BH|PDF|JPG|GCJ-02|WGS-84|http|https|GET|POST|curl)\b")
SPOKEN = ("title", "placeholder", "aria-label", "alt", "value", "data-confirm", "content", "label")


def test_no_sentence_stands_in_a_template() -> None:
    wrong = []
    for path in templates():
        if path.suffix != ".html":
            continue
        text = without(path.read_text(encoding="utf-8"), r"\{#.*?#\}", r"<!--.*?-->", r"<(script|style|svg)\b.*?</\1>")
        filled = without(text, r"\{\{.*?\}\}", r"\{%.*?%\}")
        for found in re.finditer(r">([^<>]*)<", without(filled, r"<[^<>]*[\"'][^<>]*(?=>)")):
            if re.search(r"[A-Za-z]{3,}", NAMES.sub("", found[1])):
                wrong.append(f"{line(path, line_at(text, found.start(1)))} says {' '.join(found[1].split())[:50]!r}")
        for name in SPOKEN:
            for found in re.finditer(rf"\s{name}=\"([^\"]*)\"", filled):
                if re.search(r"[A-Za-z]{2,}\s+[A-Za-z]{2,}", NAMES.sub("", found[1])) and name != "content":
                    wrong.append(f"{line(path, line_at(text, found.start()))} {name} says {found[1][:50]!r}")
    assert not wrong, "use {{ t('...') }}:\n" + "\n".join(wrong)


LITERAL = re.compile(r"'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`")
# A sentence begins with a capital and goes on in small letters, or ends like one.
SENTENCE = re.compile(r"^[A-Z][a-z']+,? [a-z']+|[a-z]{2,} [a-z]{2,}[.!?]$")
SHOWN = re.compile(r"(?:textContent|innerText|\.title|ariaLabel|placeholder|\.alt)\s*\+?=\s*(['\"`])(.*?)\1")


def test_no_sentence_stands_in_a_script() -> None:
    """What a script shows comes from the page, where the catalogue wrote it."""
    wrong, read = [], 0
    for path in static_files("*.js"):
        text = without(path.read_text(encoding="utf-8"), r"/\*.*?\*/", r"(?m)^\s*//[^\n]*", r"(?<=[;{}\s])//[^\n]*")
        for found in LITERAL.finditer(text):
            read += 1
            said = without(next((one for one in found.groups() if one), ""), r"\$\{[^}]*\}")
            if SENTENCE.search(said) and "sans-serif" not in said:
                wrong.append(f"{line(path, line_at(text, found.start()))} says {said[:50]!r}")
        # What is filled in holds quotation marks of its own.
        plain = without(text, r"\$\{[^{}]*\}", r"\$\{[^{}]*\}")
        for found in SHOWN.finditer(plain):
            if re.search(r"[A-Za-z]{3,}", found[2]):
                wrong.append(f"{line(path, line_at(plain, found.start()))} shows {found[2][:50]!r}")
    assert read > 500
    assert not wrong, "hand the text to the script in a data attribute or in #panel-texts:\n" + "\n".join(wrong)


def test_pages_keep_to_the_content_policy() -> None:
    """No inline script, handler or style, and nothing from another host."""
    wrong = []
    for path in templates():
        text = without(path.read_text(encoding="utf-8"), r"\{#.*?#\}", r"<!--.*?-->")
        rules = {
            r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>": "an inline script",
            r"<[^>]*\son[a-z]+\s*=\s*[\"']": "an inline handler",
            r"<[a-z][^>]*\sstyle\s*=": "an inline style",
            r"<style\b": "an inline style sheet",
            r"javascript:": "a javascript: address",
            r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=[\"'](?:https?:)?//": "something from another host",
        }
        for pattern, what in rules.items():
            for found in re.finditer(pattern, text, re.IGNORECASE):
                wrong.append(f"{line(path, line_at(text, found.start()))} has {what}: {found[0][:60]}")
    assert not wrong, "move it into a static file of ours:\n" + "\n".join(wrong)


def test_both_languages_say_the_same_things() -> None:
    chinese, english = (messages.catalogue(tag) for tag in messages.LANGUAGES)
    missing = [f"en: {key}" for key in chinese if key not in english]
    missing += [f"zh-Hans: {key}" for key in english if key not in chinese]
    assert not missing, "write these sentences:\n" + "\n".join(missing)


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


# English names its months, and leaves out what the district's data have in Chinese alone.
SAID_OTHERWISE = ("citizen.time.", "routing.reason.", "loading.problem.bad_condition", "notifications.short.")


def test_both_languages_are_filled_with_the_same_words() -> None:
    wrong = []
    for key, chinese in messages.catalogue(messages.CHINESE).items():
        english = messages.catalogue(messages.ENGLISH).get(key, "")
        if not chinese.strip() or not english.strip():
            wrong.append(f"{key} is empty in one language")
        elif placeholders(chinese) != placeholders(english) and not key.startswith(SAID_OTHERWISE):
            wrong.append(f"{key}: {sorted(placeholders(chinese))} and {sorted(placeholders(english))}")
    assert not wrong, "give both sentences the same placeholders:\n" + "\n".join(wrong)


def test_a_sentence_is_given_every_word_it_needs() -> None:
    """`t("bot.filed", number=...)` names whatever either language has between braces."""
    wrong = []
    for path in sources(*PRODUCT):
        for node, called in calls(path):
            if called.rpartition(".")[2] != "t" or not node.args:
                continue
            key = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            given = {keyword.arg for keyword in node.keywords}
            if isinstance(key, str) and None not in given:
                for tag in messages.LANGUAGES:
                    missing = placeholders(messages.catalogue(tag).get(key, "")) - given
                    wrong += [f"{line(path, node)}: {key} needs {name} ({tag})" for name in sorted(missing)]
    assert not wrong, "give them:\n" + "\n".join(wrong)


def test_english_is_english() -> None:
    wrong = [key for key, text in messages.catalogue(messages.ENGLISH).items() if CJK.search(text)]
    allowed = {"common.brand.name", "common.language.chinese"}
    assert not set(wrong) - allowed, f"Chinese in the English catalogue: {sorted(set(wrong) - allowed)}"


# What looks like a key and is something else when it is given to one of these: settings, caches, pages, files.
OTHER_NAMES = {
    "setting",
    "once",
    "url_for",
    "asset",
    "getLogger",
    "joinpath",
    "check_unit",
    "limit",
    "exempt",
    "_put_off",
}


@cache
def mentioned() -> tuple[dict[str, str], frozenset[str]]:
    """(every whole key with a place that names it, the beginnings of keys that are completed at run time)."""
    whole: dict[str, str] = {}
    beginnings: set[str] = set()
    for path in (*sources(*PRODUCT, "tools"), ROOT / "wsgi.py"):
        skipped = {
            id(argument)
            for node, called in calls(path)
            if called.rpartition(".")[2] in OTHER_NAMES
            for argument in node.args
        }
        for node in nodes(path):
            if isinstance(node, ast.JoinedStr):
                skipped |= {id(part) for part in node.values}
                first = node.values[0] if node.values else None
                if isinstance(first, ast.Constant) and KEY.match(str(first.value) + "x"):
                    beginnings.add(str(first.value))
            elif isinstance(node, ast.Dict):
                skipped |= {id(name) for name in node.keys}
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                skipped.add(id(node.right))
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.left, ast.Constant):
                skipped.add(id(node.left))
                if KEY.match(f"{node.left.value}x"):
                    beginnings.add(str(node.left.value))
        for node, text in strings(path):
            if id(node) not in skipped and KEY.match(text):
                if text.endswith("."):
                    beginnings.add(text)
                else:
                    whole.setdefault(text, line(path, node))
    for path in (*templates(), *static_files("*.js")):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"([\"'])([a-z0-9_]+\.[a-z0-9_.]+?)\1(\s*~)?", text):
            if text[: found.start()].endswith(tuple(f"{name}(" for name in OTHER_NAMES)):
                continue
            if KEY.match(found[2] + ("x" if found[3] else "")):
                if found[3] or found[2].endswith("."):
                    beginnings.add(found[2])
                else:
                    whole.setdefault(found[2], line(path, line_at(text, found.start())))
    return whole, frozenset(beginnings)


@cache
def views() -> frozenset[str]:
    """`citizen.pages.file_report`: functions by their whole names, which some settings of Flask's ask for."""
    return frozenset(
        f"{module_of(path)}.{node.name}"
        for path in sources(*DOORS)
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    )


def test_every_sentence_that_is_asked_for_is_there(app: Flask) -> None:
    known = messages.catalogue(messages.CHINESE)
    whole, beginnings = mentioned()
    others = {key.rpartition(".")[0] for key in known} | views() | {rule.endpoint for rule in app.url_map.iter_rules()}
    others |= set(Scope)
    wrong = [f"{where} asks for {key}" for key, where in whole.items() if key not in known and key not in others]
    wrong += [f"nothing begins with {start}" for start in beginnings if not any(key.startswith(start) for key in known)]
    assert not wrong, "write these sentences in both languages, or mend the key:\n" + "\n".join(wrong)


def test_no_sentence_is_kept_that_nobody_asks_for() -> None:
    whole, beginnings = mentioned()
    tables = {f"{key}." for key in whole}
    unused = [
        key
        for key in messages.catalogue(messages.CHINESE)
        if key not in whole and not key.startswith(tuple(tables | beginnings))
    ]
    assert not unused, "delete them, or write the whole key where it is used:\n" + "\n".join(unused)


@pytest.mark.parametrize(
    "table, values",
    [
        ("status.staff", Status),
        ("status.plain", PlainStatus),
        ("status.event", EventKind),
        ("status.role", Role),
        ("status.source", Source),
        ("status.urgency", Urgency),
        ("status.delivery", Delivery),
        ("status.unit_role", ("primary", "co", "supervise", "broadcast")),
    ],
)
def test_every_value_that_people_see_has_its_word(table: str, values: type[Status] | tuple[str, ...]) -> None:
    missing = [f"{table}.{value}" for value in values if not messages.has(f"{table}.{value}")]
    assert not missing, f"write them in district/messages: {missing}"


# Times


def test_every_act_of_the_audit_log_has_its_words() -> None:
    """What is recorded with a plain name is read in the panel under `admin.did`, and narrowed to by its kind."""
    acts: dict[str, str] = {}
    for path in sources(*PRODUCT):
        for node, called in calls(path):
            if called in ("audit.record", "audit_log.record") and isinstance(node.args[1], ast.Constant):
                acts[str(node.args[1].value)] = line(path, node)
    assert len(acts) > 40
    wrong = [f"{where} writes {act}" for act, where in acts.items() if not messages.has(f"admin.did.{act}")]
    wrong += [
        f"{where}: no kind {act.partition('.')[0]}"
        for act, where in acts.items()
        if act.partition(".")[0] not in AUDIT_SUBJECTS
    ]
    assert not wrong, "write admin.did.* in both languages and name the kind in admin.registry:\n" + "\n".join(wrong)


def test_no_time_is_naive() -> None:
    wrong = []
    for path in sources(*PRODUCT):
        for node, called in calls(path):
            empty = not node.args and not node.keywords
            one_argument = len(node.args) + len(node.keywords) == 1
            if (
                called.endswith(("utcnow", "utcfromtimestamp", "date.today"))
                or (called.endswith("datetime.now") and empty)
                or (called.endswith("datetime.fromtimestamp") and one_argument)
            ):
                wrong.append(f"{line(path, node)} calls {called}")
    assert not wrong, "use district.clock:\n" + "\n".join(wrong)


def test_only_the_clock_asks_what_time_it_is() -> None:
    """A test that holds the clock must hold it for everybody."""
    allowed = {"district/clock.py"}
    wrong = [
        f"{line(path, node)} calls {called}"
        for path in sources(*PRODUCT)
        if str(path.relative_to(ROOT)) not in allowed
        for node, called in calls(path)
        if called in ("datetime.now", "datetime.datetime.now")
    ]
    assert not wrong, "ask district.clock.now():\n" + "\n".join(wrong)


def test_every_stored_moment_is_aware() -> None:
    wrong = [
        f"{table.name}.{column.name}"
        for table in db.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, DateTime) and not isinstance(column.type, UtcDateTime)
    ]
    assert not wrong, f"use district.columns.Moment: {wrong}"


# The rest


def test_importing_the_application_builds_nothing(tmp_path: Path) -> None:
    code = "import sys, wsgi; sys.exit('flask_login' not in sys.modules)"
    env = {"VAR_DIR": str(tmp_path / "var"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, timeout=120)
    assert not (tmp_path / "var").exists()


def test_every_file_says_what_it_is_for() -> None:
    wrong = [
        line(path, 1)
        for path in sources(*PRODUCT, "tests", "migrations")
        if path.stat().st_size and not ast.get_docstring(tree_of(path))
    ]
    assert not wrong, "begin with a docstring:\n" + "\n".join(wrong)


def test_names_say_what_is_inside() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base_classes"}
    wrong = [str(path.relative_to(ROOT)) for path in sources(*PRODUCT) if {path.stem, path.parent.name} & vague]
    assert not wrong, f"name them by their subject: {wrong}"


def test_nothing_is_printed_or_left_to_do() -> None:
    """A TODO without a way to know when it is done is a wish; print() is for terminals alone."""
    wrong = []
    for path in (*sources(*PRODUCT), *static_files("*.js")):
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b|\bconsole\.(log|debug)\(|\bdebugger\b", text):
                wrong.append(f"{line(path, number)}: {text.strip()[:80]}")
    assert not wrong, "do it, or write it where work is planned:\n" + "\n".join(wrong)
