"""Tests of what may be asked how often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from district.extensions import limiter


class CountedTogether:
    """Limits are on, and counted in the queue server, so that every process counts together. Test classes inherit."""

    @pytest.fixture
    def env(self, env: dict[str, str], redis_url: str) -> dict[str, str]:
        return env | {"REDIS_URL": redis_url}

    @pytest.fixture(autouse=True)
    def _counting(self, app: Flask) -> Iterator[None]:
        enabled, limiter.enabled = limiter.enabled, True
        limiter.reset()
        yield
        limiter.reset()
        limiter.enabled = enabled
