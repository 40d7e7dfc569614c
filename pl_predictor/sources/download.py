"""Getting one file of a site that is somebody else's: politely over HTTP, or from a folder laid out the same.

Here: addresses, conditional requests, patience, and what an answer must look like to be kept. Not here: what the file
says (sources/layout.py), which files are wanted (sources/football_data.py).
"""

import codecs
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from pl_predictor.core.errors import FeedError, PredictorError

USER_AGENT: Final = f"pl_predictor/{version('pl_predictor')} (Premier League forecasts for private use)"
LARGEST: Final = 20_000_000
"""Bytes; the site's largest file has 300,000."""
LONGEST_PAUSE: Final = 60.0
MOST_REDIRECTS: Final = 5
_WORTH_RETRYING: Final = {408, 425, 429, 500, 502, 503, 504}
_CLAIM: Final = "files_arrive_whole"


@dataclass(frozen=True)
class Download:
    """The bytes of one file, where they came from, and the headers that came along."""

    path: str
    url: str
    content: bytes = field(repr=False)
    headers: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return sha256(self.content).hexdigest()


class Unreachable(FeedError):
    """A file could not be had; that says nothing about what is in it. `dead`: nobody could even be connected to."""

    def __init__(self, message: str, *, dead: bool = False) -> None:
        super().__init__(message, _CLAIM)
        self.dead = dead


class Site(Protocol):
    """Whatever has the site's files."""

    def get(self, path: str, known: Download | None) -> Download | None:
        """The file at `path`: `known` itself where the site has nothing newer, None where it has no such file.

        Unreachable where nobody answers, FeedError where what it answers is no such file.
        """


class Folder:
    """A folder laid out as the site."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise PredictorError(f"PL_FOOTBALL_DATA_URL names the folder {folder}, which is not there")
        self._folder = folder

    def get(self, path: str, known: Download | None) -> Download | None:  # noqa: ARG002
        """See Site."""
        file = self._folder / path
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise FeedError(f"{file} cannot be read ({error.strerror}): make it readable", _CLAIM) from error
        return Download(path, str(file), content, {})


class _Passing(Exception):
    """A failure that may be over in a moment; the message is a clause. `wait`: seconds that the server asks for."""

    def __init__(self, message: str, *, dead: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.dead, self.wait = dead, wait


@dataclass
class Patience:
    """How long to try. Seconds, but for `attempts`, which is how often all addresses are asked."""

    interval: float = 1.0
    timeout: float = 20.0
    deadline: float = 60.0
    attempts: int = 3
    backoff: float = 2.0


class HttpSite:
    """The site by one or several addresses, asked in turn, the one that answered last first.

    Requests are at least `interval` seconds apart. A file that takes over `deadline` seconds is given up, however
    steadily it drips. What may pass (a time-out, a broken connection, 429, 5xx) is tried again with growing pauses.
    """

    def __init__(self, addresses: Sequence[str], patience: Patience | None = None) -> None:
        self._addresses = [address.rstrip("/") for address in addresses]
        self._patience = patience or Patience()
        self._next_request = 0.0
        self._client = httpx.Client(
            headers={"User-Agent": USER_AGENT, "Accept": "text/csv,*/*;q=0.1"},
            timeout=self._patience.timeout,
        )
        weakref.finalize(self, self._client.close)

    def get(self, path: str, known: Download | None) -> Download | None:
        """See Site."""
        patience = self._patience
        tries = Retrying(
            stop=stop_after_attempt(patience.attempts),
            wait=self._pause,
            retry=retry_if_exception_type(_Passing),
            reraise=True,
        )
        try:
            return tries(self._ask_all, path, known)
        except _Passing as error:
            raise Unreachable(f"{path} could not be fetched: {error}; try again later", dead=error.dead) from error

    def _pause(self, tries: RetryCallState) -> float:
        """Longer each time, and as long as the server asks for, but at most a minute."""
        error = tries.outcome.exception() if tries.outcome else None
        asked = error.wait if isinstance(error, _Passing) else 0.0
        return min(max(wait_exponential(multiplier=self._patience.backoff)(tries), asked), LONGEST_PAUSE)

    def _ask_all(self, path: str, known: Download | None) -> Download | None:
        said: list[str] = []
        passing: list[_Passing] = []
        absent = False
        for address in list(self._addresses):
            url = f"{address}/{path}"
            try:
                answer = self._ask(url, path, known)
            except _Passing as error:
                passing.append(error)
                said.append(f"{url} {error}")
            except FeedError as error:
                said.append(str(error))
            else:
                if answer is not None:
                    self._addresses.sort(key=lambda other: other != address)
                    return answer
                absent = True
        if absent:  # one that answers well is believed, whatever ails the other
            return None
        if passing:
            wait = max(error.wait for error in passing)
            raise _Passing("; ".join(said), dead=all(error.dead for error in passing), wait=wait)
        raise FeedError(f"{path} could not be fetched: {'; '.join(said)}; look at the address", _CLAIM)

    def _ask(self, url: str, path: str, known: Download | None) -> Download | None:
        """One request and those that it is redirected to, each after the pause."""
        for _ in range(MOST_REDIRECTS + 1):
            time.sleep(max(0.0, self._next_request - time.monotonic()))
            self._next_request = time.monotonic() + self._patience.interval
            try:
                with self._client.stream("GET", url, headers=_conditions(known)) as response:
                    if response.next_request is not None:
                        url = str(response.next_request.url)
                        continue
                    return self._answer(response, path, known)
            except httpx.InvalidURL as error:
                raise PredictorError(f"PL_FOOTBALL_DATA_URL names {url!r}, which is no address: {error}") from error
            except httpx.TransportError as error:
                dead = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                raise _Passing(f"did not answer in full ({type(error).__name__}: {error})", dead=dead) from error
            except httpx.RequestError as error:
                raise FeedError(f"{url} cannot be read ({type(error).__name__}: {error})", _CLAIM) from error
        raise FeedError(f"{url} is redirected to again and again", _CLAIM)

    def _answer(self, response: httpx.Response, path: str, known: Download | None) -> Download | None:
        status, url = response.status_code, str(response.url)
        if status == httpx.codes.NOT_MODIFIED and known is not None:
            return known
        if status == httpx.codes.NOT_FOUND:
            return None
        if status in _WORTH_RETRYING:
            asked = response.headers.get("retry-after", "")
            raise _Passing(f"answered with status {status}", wait=float(asked) if asked.isdecimal() else 0.0)
        if status != httpx.codes.OK:
            raise FeedError(f"{url} answered with status {status}", _CLAIM)
        content = self._read(response)
        if not content.removeprefix(codecs.BOM_UTF8).startswith(b"Div"):
            raise FeedError(f"{url} answered with something that does not begin with 'Div'", _CLAIM)
        return Download(path, url, content, _kept(response.headers))

    def _read(self, response: httpx.Response) -> bytes:
        """The body, however steadily it drips: given up after the deadline, or over the largest size."""
        deadline, content = time.monotonic() + self._patience.deadline, bytearray()
        for part in response.iter_bytes():
            content += part
            if time.monotonic() > deadline:
                raise _Passing(f"took over {self._patience.deadline:g} s")
            if len(content) > LARGEST:
                raise FeedError(f"{response.url} is larger than {LARGEST:,} bytes", _CLAIM)
        return bytes(content)


def _conditions(known: Download | None) -> dict[str, str]:
    """Headers that let a server answer 304 where it still has what is known."""
    sent = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
    return {sent[name]: value for name, value in (known.headers if known else {}).items() if name in sent}


def _kept(headers: httpx.Headers) -> dict[str, str]:
    wanted = ("date", "etag", "last-modified", "content-type", "content-length", "server")
    return {name: headers[name] for name in wanted if name in headers}
