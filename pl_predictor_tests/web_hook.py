"""A web server that keeps what is posted to it: the other end of a channel."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hook:
    """What arrived at `address` (Apprise's, for JSON), and the status to answer with."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 200
        self.received: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"json://robot:s3cretword@127.0.0.1:{self.port}/t0ken-of-mine"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.received]


@contextmanager
def listening(hook: Hook) -> Iterator[Hook]:
    """The server, for as long as the block lasts; outside it nobody listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if hook.status == 200:
                hook.received.append(content)
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", hook.port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hook
        finally:
            server.shutdown()
            thread.join()
