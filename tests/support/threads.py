"""Several at once, for tests of what must not depend on who comes first."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_thread(act: Callable[[], None]) -> None:
    in_threads([act])


def in_threads(acts: list[Callable[[], None]]) -> None:
    """Run all at once; the first failure of any is raised here."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], None]) -> None:
        start.wait()
        try:
            act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a writer hangs"
    if failures:
        raise failures[0]
