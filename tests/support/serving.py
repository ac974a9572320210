"""The application on a port of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.serving import make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def closed_at_its_end(app: WSGIApplication) -> WSGIApplication:
    """Each answer is closed once it is read or dropped.

    Werkzeug's development server first empties the socket and forgets the answer when that fails: a browser that goes
    away at this very moment would leave a file open.
    """

    def served(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = app(environ, start_response)
        try:
            yield from answer
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return served


@contextmanager
def serving(app: WSGIApplication, port: int = 0) -> Iterator[str]:
    """Serve on `port`, a free one unless it is given, a thread for each request; gives the address."""
    server = make_server("127.0.0.1", port, closed_at_its_end(app), threaded=True)
    # It looks so often, in seconds, whether it is to end.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
