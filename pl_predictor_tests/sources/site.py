"""A real web server on this machine that has files as football-data.co.uk does, and misbehaves on demand."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler", bytes], None]
"""What a request is answered with: the handler, and the bytes that the path has."""


@dataclass
class Site:
    """`files`: path to bytes. `misbehaviour`: path to what happens to requests for it, instead of an answer.
    `asked`: when each request came, for what, and with which conditions."""

    files: dict[str, bytes]
    misbehaviour: dict[str, Behaviour] = field(default_factory=dict)
    asked: list[tuple[float, str, str | None]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    url: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


def etag(body: bytes) -> str:
    """What the server calls this content."""
    return f'"{sha256(body).hexdigest()[:16]}"'


class Handler(BaseHTTPRequestHandler):
    """Answers with the file and its ETag, 304 where the client has it, 404 where there is none."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        path, known = self.path.lstrip("/"), self.headers.get("If-None-Match")
        self.site.asked.append((time.monotonic(), path, known))
        self.site.agents.add(self.headers["User-Agent"])
        if behaviour := self.site.misbehaviour.get(path):
            behaviour(self, self.site.files.get(path, b""))
        elif path not in self.site.files:
            self.answer(b"<html>not here</html>", 404, "text/html")
        else:
            self.file(self.site.files[path])

    def file(self, body: bytes) -> None:
        """The file, or that nothing is new."""
        if self.headers.get("If-None-Match") == etag(body):
            self.send_response(304)
            self.send_header("ETag", etag(body))
            self.end_headers()
        else:
            self.answer(body, 200, "text/csv", ETag=etag(body))

    def answer(self, body: bytes, status: int, kind: str, *, length: int | None = None, **headers: str) -> None:
        """A whole answer, with a length that may be wrong."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Site]:
    """The site, at `url`, for as long as the block lasts."""
    site = Site(files)

    class OfThisSite(Handler):
        pass

    OfThisSite.site = site
    with ThreadingHTTPServer(("127.0.0.1", 0), OfThisSite) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield site
        finally:
            site.ended.set()
            server.shutdown()
            thread.join()


# --- misbehaviour ----------------------------------------------------------------------------------------------------


def error_page(handler: Handler, _: bytes) -> None:
    """What the www host did in March and September 2026."""
    handler.answer(b"<html><h1>503 Service Unavailable</h1></html>", 503, "text/html")


def not_there(handler: Handler, _: bytes) -> None:
    handler.answer(b"<html>404</html>", 404, "text/html")


def forbidden(handler: Handler, _: bytes) -> None:
    handler.answer(b"<html>403</html>", 403, "text/html")


def to_a_login_page(handler: Handler, _: bytes) -> None:
    handler.site.misbehaviour["login"] = lambda again, _: again.answer(b"<!DOCTYPE html><form>", 200, "text/html")
    handler.answer(b"", 302, "text/html", Location="/login")


def round_in_circles(handler: Handler, _: bytes) -> None:
    handler.answer(b"", 302, "text/html", Location=handler.path)


def elsewhere(handler: Handler, body: bytes) -> None:
    """The same file at another address of the site."""
    handler.site.files["moved.csv"] = body
    handler.answer(b"", 302, "text/html", Location="/moved.csv")


def ask_for_a_pause(handler: Handler, _: bytes) -> None:
    handler.answer(b"", 429, "text/html", Retry_After="7")


def cut_by_a_proxy(handler: Handler, body: bytes) -> None:
    """Half of the file, with a length that fits, and the whole file's ETag."""
    handler.answer(body[: len(body) // 2], 200, "text/csv", ETag=etag(body))


def no_answer(handler: Handler, _: bytes) -> None:
    handler.site.ended.wait(30)
    handler.close_connection = True


def dripping(handler: Handler, body: bytes) -> None:
    """A byte at a time, each well within any time-out for a read."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    with suppress(OSError):  # the client has had enough
        for place in range(len(body)):
            handler.wfile.write(body[place : place + 1])
            handler.wfile.flush()
            if handler.site.ended.wait(0.02):
                break
    handler.close_connection = True


def cut_off(handler: Handler, body: bytes) -> None:
    """The connection ends in the middle."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.close_connection = True
    with suppress(OSError):
        handler.connection.shutdown(socket.SHUT_RDWR)


def too_short_a_length(handler: Handler, body: bytes) -> None:
    handler.answer(body, 200, "text/csv", length=len(body) - 20)
    handler.close_connection = True


def too_long_a_length(handler: Handler, body: bytes) -> None:
    handler.answer(body, 200, "text/csv", length=len(body) + 20)
    handler.close_connection = True


def once(behaviour: Behaviour) -> Behaviour:
    """Only the first time; then as it should be."""
    left = [behaviour]

    def sometimes(handler: Handler, body: bytes) -> None:
        (left.pop() if left else Handler.file)(handler, body)

    return sometimes


def with_body(change: Callable[[bytes], bytes]) -> Behaviour:
    """The file changed on its way."""

    def changed(handler: Handler, body: bytes) -> None:
        handler.file(change(body))

    return changed
