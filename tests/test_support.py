"""What the tests stand on."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.support.serving import serving

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class Answer:
    """A body that ends when the browser has gone."""

    def __init__(self, gone: threading.Event) -> None:
        self.gone = gone
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b"all"
        assert self.gone.wait(10)

    def close(self) -> None:
        self.closed.set()


def test_the_answer_to_a_browser_that_has_gone_is_closed() -> None:
    gone = threading.Event()
    answer = Answer(gone)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "3")])
        return answer

    with serving(app) as address:
        parts = urlsplit(address)
        with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            while b"all" not in client.recv(1024):
                pass
            # Gone without a farewell: what the server reads next fails.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.set()
        assert answer.closed.wait(10)
