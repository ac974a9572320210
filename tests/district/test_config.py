"""Settings from the environment: nothing is needed for a trial, nothing may be missing in earnest."""

from __future__ import annotations

import base64
import json
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest

from district.config import PRODUCTION_SECRETS, Config, ConfigError

KEY = base64.b64encode(bytes(range(32))).decode().rstrip("=")
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "k" * 32,
    "PUBLIC_BASE_URL": "https://bihuan.example.cn",
    "WECHAT_TOKEN": "token",
    "WECHAT_APP_ID": "wx1",
    "WECHAT_APP_SECRET": "secret",
    "WECHAT_ENCODING_AES_KEY": KEY,
}


def read(folder: Path, **env: str) -> Config:
    return Config.from_env({"VAR_DIR": str(folder)} | env)


def problems(folder: Path, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(folder, **env)
    return str(refused.value).splitlines()


def test_development_needs_nothing(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert (config.host, config.port, config.app_env) == ("127.0.0.1", 8000, "development")
    assert config.public_base_url == "http://127.0.0.1:8000"
    assert config.wechat_mode == "safe"
    assert config.uses_stand_in
    assert config.database_url == f"sqlite:///{tmp_path / 'bihuan.db'}"
    assert config.redis_url == f"unix://{tmp_path / 'valkey' / 'valkey.sock'}"
    assert config.photo_store == str(tmp_path / "photos")
    assert config.timezone == "Asia/Shanghai"
    assert len(config.secret_key) >= 32
    assert len(config.wechat_encoding_aes_key) == 43


def test_made_up_secrets_are_kept_and_for_our_eyes_only(tmp_path: Path) -> None:
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert first.wechat_token == second.wechat_token
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert read(tmp_path / "other").secret_key != first.secret_key


def _secret_of(folder: str, answers: Any) -> None:
    answers.put(read(Path(folder)).secret_key)


def test_processes_that_start_together_agree_on_the_secrets(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    started = [context.Process(target=_secret_of, args=(str(tmp_path), answers)) for _ in range(4)]
    for process in started:
        process.start()
    found = {answers.get(timeout=120) for _ in started}
    for process in started:
        process.join()
    assert len(found) == 1


def test_a_value_that_is_set_wins_over_a_made_up_one(tmp_path: Path) -> None:
    kept = read(tmp_path)
    config = read(tmp_path, WECHAT_TOKEN="mine", PUBLIC_BASE_URL="https://trial.example/", PORT="8123")
    assert (config.wechat_token, config.public_base_url, config.port) == ("mine", "https://trial.example", 8123)
    assert config.secret_key == kept.secret_key


def test_every_address_is_spelt_as_a_browser_can_open_it(tmp_path: Path) -> None:
    assert read(tmp_path, HOST="0.0.0.0", PORT="8001").public_base_url == "http://127.0.0.1:8001"


def test_production_starts_with_everything_in_place(tmp_path: Path) -> None:
    config = read(tmp_path, **PRODUCTION)
    assert config.is_production
    assert not config.uses_stand_in
    assert config.wechat_api_base_url == "https://api.weixin.qq.com"
    assert not (tmp_path / "secrets.json").exists()


@pytest.mark.parametrize("name", PRODUCTION_SECRETS)
@pytest.mark.parametrize("value", ["", "   "])
def test_production_names_a_missing_secret(tmp_path: Path, name: str, value: str) -> None:
    assert problems(tmp_path, **(PRODUCTION | {name: value})) == [f"{name} is missing"]


def test_production_names_all_that_is_missing_at_once(tmp_path: Path) -> None:
    assert problems(tmp_path, APP_ENV="production") == [f"{name} is missing" for name in PRODUCTION_SECRETS]


def test_production_never_takes_development_secrets(tmp_path: Path) -> None:
    read(tmp_path)
    assert json.loads((tmp_path / "secrets.json").read_text())
    assert len(problems(tmp_path, APP_ENV="production")) == len(PRODUCTION_SECRETS)


@pytest.mark.parametrize(
    "env, named",
    [
        ({"APP_ENV": "prod"}, "APP_ENV"),
        ({"PORT": "http"}, "PORT"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "0"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"WEB_WORKERS": "two"}, "WEB_WORKERS"),
        ({"RQ_WORKERS": "1.5"}, "RQ_WORKERS"),
        ({"WECHAT_MODE": "compatible"}, "WECHAT_MODE"),
        ({"WECHAT_ENCODING_AES_KEY": "short"}, "WECHAT_ENCODING_AES_KEY"),
        ({"WECHAT_ENCODING_AES_KEY": "!" * 43}, "WECHAT_ENCODING_AES_KEY"),
        ({"DISTRICT_TIMEZONE": "Asia/Atlantis"}, "DISTRICT_TIMEZONE"),
        ({"DISTRICT_TIMEZONE": "../../etc/passwd"}, "DISTRICT_TIMEZONE"),
        ({"PUBLIC_BASE_URL": "bihuan.example.cn"}, "PUBLIC_BASE_URL"),
        ({"PUBLIC_BASE_URL": "https://"}, "PUBLIC_BASE_URL"),
        ({"PUBLIC_BASE_URL": "https://bihuan.example.cn/app"}, "PUBLIC_BASE_URL"),
        ({"PHOTO_STORE": "ftp://pictures"}, "PHOTO_STORE"),
        ({"ERRAND_STORE": "ftp://files"}, "ERRAND_STORE"),
        (PRODUCTION | {"SECRET_KEY": "short"}, "SECRET_KEY"),
        (PRODUCTION | {"WECHAT_MODE": "plain"}, "WECHAT_MODE"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, env: dict[str, str], named: str) -> None:
    (problem,) = problems(tmp_path, **env)
    assert problem.startswith(named)


def test_an_empty_value_counts_as_unset(tmp_path: Path) -> None:
    empty = dict.fromkeys(("WECHAT_MODE", "PORT", "DISTRICT_TIMEZONE", "PHOTO_STORE", "DATABASE_URL", "REDIS_URL"), "")
    assert read(tmp_path, **PRODUCTION, **empty).wechat_mode == "safe"
    assert read(tmp_path, **empty).port == 8000


@pytest.mark.parametrize("spelt", ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d"])
def test_every_spelling_of_a_postgresql_address_is_understood(tmp_path: Path, spelt: str) -> None:
    assert read(tmp_path, DATABASE_URL=spelt).database_url == "postgresql+psycopg://u@h/d"


def test_the_embedded_queue_servers_address_is_found_where_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "address").write_text("redis://:pw@127.0.0.1:7777/0\n")
    assert read(tmp_path).redis_url == "redis://:pw@127.0.0.1:7777/0"


def test_templates_are_known_by_their_names(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        WECHAT_TEMPLATE_PROGRESS="T1",
        WECHAT_TEMPLATE_OTHER="",
        WECHAT_SUBSCRIBE_DONE="S1 lasting step=thing4",
    )
    assert config.wechat_templates == {"progress": "T1"}
    assert config.wechat_subscriptions == {"done": "S1 lasting step=thing4"}


@pytest.mark.parametrize(
    "name, value", [("WECHAT_TEMPLATE_PROGES", "T1"), ("WECHAT_SUBSCRIBE_DONE", "S 1"), ("WECHAT_TEMPLATE_DONE", "T!")]
)
def test_a_template_nobody_could_use_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        read(tmp_path, **{name: value})
