"""How commands ask: over HTTP, or in this process over an idle data directory. Both speak to the same API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import click
import httpx

from clew.cli.in_process import answering
from clew.model.errors import ClewError

log = logging.getLogger(__name__)

DEFAULT_URL = "http://127.0.0.1:4380"
WRONG_CALL = 2
NOT_FOUND = 3
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_FILE_TIMEOUT = httpx.Timeout(600.0, connect=5.0)

Params = Mapping[str, str | int | bool | Sequence[str] | None]
Pairs = list[tuple[str, str | int | float | bool | None]]


class CommandError(click.ClickException):
    """A command can't do what it was asked; shown as one line, and a second one that says what to do."""

    def __init__(self, message: str, mend: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.mend = mend
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - as the base class has it
        """Print it on standard error."""
        click.echo(f"clew: {self.message}", err=file is None, file=file)
        if self.mend:
            click.echo(f"mend: {self.mend}", err=file is None, file=file)


class NoAnswer(CommandError):
    """The server gives no answer now; it may a little later."""


class Unreachable(NoAnswer):
    """Nothing answers at the address of the server."""


class Sender(Protocol):
    """Sends a request to the API."""

    def __call__(self, method: str, path: str, params: Pairs, body: str | bytes | None) -> httpx.Response:
        """The answer, whatever its status. Raises CommandError when there is none."""
        ...


Answer = tuple[httpx.Response, Iterator[bytes]]
"""An answer, and when it is a success its body in pieces."""


class Fetcher(Protocol):
    """Asks the API for a file."""

    def __call__(self, path: str, params: Pairs) -> contextlib.AbstractContextManager[Answer]:
        """The answer, whatever its status. Raises CommandError when there is none, and when its pieces break off."""
        ...


class Client:
    """Asks the API; an answer that isn't a success becomes a CommandError."""

    def __init__(self, send: Sender, fetch: Fetcher) -> None:
        self._send = send
        self._fetch = fetch

    def get(self, path: str, params: Params | None = None) -> Any:  # noqa: ANN401 - JSON is what it is
        """The JSON at a path below /api/v1; parameters that are empty or None are left out."""
        return self._json("GET", path, params, None)

    def post(self, path: str, body: str | bytes, params: Params | None = None) -> Any:  # noqa: ANN401
        """The JSON that a POST answers."""
        return self._json("POST", path, params, body)

    def put(self, path: str, body: str, params: Params | None = None) -> Any:  # noqa: ANN401
        """The JSON that a PUT answers."""
        return self._json("PUT", path, params, body)

    def delete(self, path: str) -> Any:  # noqa: ANN401
        """The JSON that a DELETE answers."""
        return self._json("DELETE", path, None, None)

    @contextlib.contextmanager
    def download(self, path: str, params: Params) -> Iterator[Iterator[bytes]]:
        """The file at a path below /api/v1 in pieces: they end when it is whole, else they raise CommandError."""
        with self._fetch(f"/api/v1/{path}", _pairs(params)) as (answer, pieces):
            if not answer.is_success:
                raise _error_of(answer)
            yield pieces

    def ready(self) -> str | None:
        """None when Clew is ready, else why not."""
        answer = self._send("GET", "/readyz", [], None)
        return None if answer.is_success else _error_of(answer).message

    def _json(self, method: str, path: str, params: Params | None, body: str | bytes | None) -> Any:  # noqa: ANN401
        answer = self._send(method, f"/api/v1/{path}", _pairs(params or {}), body)
        if not answer.is_success:
            raise _error_of(answer)
        return answer.json()


def segment(text: str) -> str:
    """A text as one part of a path."""
    return quote(text, safe="")


def _pairs(params: Params) -> Pairs:
    pairs: Pairs = []
    for name, value in params.items():
        if isinstance(value, bool):
            pairs += [(name, "true")] if value else []
        elif isinstance(value, str | int):
            pairs += [(name, str(value))] if value not in ("", 0) else []
        else:
            pairs += [(name, each) for each in value or ()]
    return pairs


def _error_of(answer: httpx.Response) -> CommandError:
    try:
        error = answer.json()["error"]
        code, message, mend = str(error["code"]), str(error["message"]), str(error["mend"])
    except (ValueError, KeyError, TypeError):
        return CommandError(
            f"{answer.request.url} answers {answer.status_code}, but not as Clew does", "check --url or CLEW_URL"
        )
    if answer.status_code == 503:
        return NoAnswer(message, mend)
    if code in ("invalid_request", "bad_cursor"):
        return CommandError(*_of_options(message, mend), WRONG_CALL)
    return CommandError(message, mend, NOT_FOUND if answer.status_code == 404 else 1)


def _of_options(message: str, mend: str) -> tuple[str, str]:
    """What the API says of its parameters, said of this command's options."""
    name, colon, told = message.partition(": ")
    if colon and name.endswith("_id"):
        message = told
    elif colon and name.replace("_", "").isalpha():
        message = f"--{name.replace('_', '-')}: {told}"
    if name == "hours":
        return message, 'write --hours "mon-fri 22:00-06:00 Europe/Berlin"'
    if "/openapi.json" in mend:
        return message, "see the command's --help"
    return message, mend.replace("attribute=", "--attribute ").replace("`after`", "--after")


@contextlib.contextmanager
def open_client(url: str, data: Path | None, *, make: bool = False) -> Iterator[Client]:
    """A client of the server at a URL, or over an idle data directory when one is given.

    ``make``: a directory that isn't there is made.
    """
    with _over_directory(data, make) if data else _over_http(url) as (send, fetch):
        yield Client(send, fetch)


@contextlib.contextmanager
def _over_http(url: str) -> Iterator[tuple[Sender, Fetcher]]:
    url = _server_of(url)
    try:
        client = httpx.Client(base_url=url, timeout=_TIMEOUT)
    except httpx.InvalidURL as error:
        raise CommandError(f"{url} is no URL: {error}", f"give --url or CLEW_URL such as {DEFAULT_URL}") from error

    def send(method: str, path: str, params: Pairs, body: str | bytes | None) -> httpx.Response:
        with _http_errors(url):
            return client.request(method, path, params=params, content=body)

    @contextlib.contextmanager
    def fetch(path: str, params: Pairs) -> Iterator[Answer]:
        with _http_errors(url), client.stream("GET", path, params=params, timeout=_FILE_TIMEOUT) as answer:
            if not answer.is_success:
                answer.read()
            yield answer, _whole(answer.iter_bytes())

    with client:
        yield send, fetch


@contextlib.contextmanager
def _http_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
        raise Unreachable(
            f"no Clew answers at {url}",
            "start it with `clew serve`, name another server with --url or CLEW_URL, "
            "or use an idle data directory with --data DIR",
        ) from error
    except httpx.TimeoutException as error:
        raise NoAnswer(f"Clew at {url} takes too long to answer", "ask for less, or see `clew doctor`") from error
    except httpx.HTTPError as error:
        raise NoAnswer(f"{url} doesn't answer as Clew does: {error}", "check --url or CLEW_URL") from error


def _whole(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; where they break off, a CommandError."""
    try:
        yield from pieces
    except Exception as error:  # of the network, or in this process of the store itself
        log.debug("an answer broke off", exc_info=True)
        raise CommandError("the answer broke off", "nothing of it was kept; see the log of `clew serve`") from error


def _server_of(url: str) -> str:
    """The URL of a server, also when its scheme was left out. Raises CommandError when it leads into the server."""
    whole = url if "://" in url else f"http://{url}"
    server, _, path = whole.partition("://")[2].partition("/")
    if path:
        mend = f"give the server alone: {whole.partition('://')[0]}://{server}"
        raise CommandError(f"{url} is more than the address of a server", mend, WRONG_CALL)
    return whole.removesuffix("/")


@contextlib.contextmanager
def _over_directory(data: Path, make: bool) -> Iterator[tuple[Sender, Fetcher]]:
    """The API in this process: the engine is opened by the main thread and asked by others."""
    if not make and not (data / "engine").exists():
        raise CommandError(f"{data} holds no data of Clew", "give --data the directory that `clew serve` wrote to")
    from clew.app import open_store_of
    from clew.settings import load_settings

    config = os.environ.get("CLEW_CONFIG")
    try:
        settings = load_settings(Path(config) if config else None, os.environ, {"data": str(data)})
        # Whoever reads may not have the settings of whoever writes: nothing may be dropped by their defaults.
        store = open_store_of(settings, keep_retention=True)
    except ClewError as error:
        raise CommandError(str(error)) from error  # which says what to do
    try:
        with asyncio.Runner() as runner, _control_of(settings) as desk:
            app = runner.run(asyncio.to_thread(_idle_api, store, desk))
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            client = httpx.AsyncClient(transport=transport, base_url="http://clew", timeout=None)  # noqa: S113 - no net

            def send(method: str, path: str, params: Pairs, body: str | bytes | None) -> httpx.Response:
                return runner.run(client.request(method, path, params=params, content=body))

            def fetch(path: str, params: Pairs) -> contextlib.AbstractContextManager[Answer]:
                return _from_app(app, runner, client.build_request("GET", path, params=params).url)

            yield send, fetch
            runner.run(client.aclose())
    finally:
        closing = threading.Thread(target=store.close, name="clew-close")
        closing.start()
        closing.join()


@contextlib.contextmanager
def _from_app(app: Any, runner: asyncio.Runner, url: httpx.URL) -> Iterator[Answer]:  # noqa: ANN401 - ASGI
    with answering(app, runner, url) as (answer, pieces):
        yield answer, _whole(pieces)


@contextlib.contextmanager
def _control_of(settings: Any) -> Iterator[Any]:  # noqa: ANN401 - imported late
    """Where incidents of an idle directory are handled (None: nobody ever watched). What is done there is told when a
    server runs again."""
    from clew.control.database import FILE, open_database
    from clew.control.flagged import FlaggedWindows
    from clew.control.incidents import SqlIncidents
    from clew.control.outbox import SqlOutbox
    from clew.watch.desk import Desk

    if not settings.control_url and not (settings.data / FILE).exists():
        yield None
        return
    try:
        database = open_database(settings.data, settings.control_url.reveal())
    except ClewError as error:
        raise CommandError(str(error)) from error
    try:
        yield Desk(SqlIncidents(database), SqlOutbox(database), told_windows=FlaggedWindows(database).read)
    finally:
        database.close()


def _idle_api(store: Any, desk: Any) -> Any:  # noqa: ANN401 - imported late, as the engine costs a second
    """The API over a store that nothing writes to; what arrived last is brought into the journeys first."""
    import time

    from clew.api import ApiDeps, create_api
    from clew.api.deps import Watched
    from clew.journey.backfill import Backfill
    from clew.journey.in_force import FlowBook
    from clew.journey.rebuilder import Rebuilder
    from clew.journey.ticker import Ticker

    book = FlowBook(store)
    book.start([])
    rebuilder = Rebuilder(store, lambda: book.current)
    ticker = Ticker(store, rebuilder, time.time_ns)
    ticker.tick()
    return create_api(ApiDeps(store, book, Backfill(store, rebuilder), None, ticker, watched=lambda: Watched(desk)))
