"""The composition root: wires the rooms, starts them, and stops them in order.

main thread: opens the engine, then runs the event loop (ports, signals) and never queries
writer threads: commit batches        watcher thread: ticks and looks for losses        workers: answer the API
upkeep thread: imports left unfinished, remaining times for projections, minutes of spans for key figures
threads that watch by rules, tell channels and act: see clew.watching
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

from anyio import to_thread

from clew.api import ApiDeps, create_api
from clew.api.turns import WORKERS
from clew.declared import declared_by
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook
from clew.journey.losses import LossDetector
from clew.journey.rebuilder import Rebuilder
from clew.journey.ticker import Ticker
from clew.journey.undo import Undoing
from clew.learn.remaining import Forecast
from clew.model.errors import ClewError, SettingsError
from clew.receive.http_server import HttpServer
from clew.receive.server import Receiver, ReceiveSettings
from clew.settings import Settings, log_level
from clew.store.contract import Store
from clew.store.embedded import open_store
from clew.store.engine_config import EngineLimits
from clew.store.render import Layout, Masking
from clew.store.roll_up import RollUp
from clew.watching import Health, Watching
from clew.web import create_web, site
from clew.web.hosts import hosts_of
from clew.web.pages.status.recent import Recent
from clew.web.pages.status.route import sample_of
from clew.workers import Worker, in_words, stop_all

log = logging.getLogger(__name__)

_TICK_S = 0.7
_TICK_AT_LEAST_EVERY_S = 5.0
_LOSSES_EVERY_S = 3.0
_LOSSES_IN_QUIET_S = 6.0
_UPKEEP_EVERY_S = 20.0


def watcher_of(
    ticker: Ticker, losses: LossDetector, commits: Callable[[], int], sample: Callable[[], None] = lambda: None
) -> Worker:
    """Keeps journeys and losses up to date; ``commits`` counts what was committed: without any, little is to do.

    ``sample`` is called each time, also while the rest fails: it keeps Clew's counters of the last minutes.
    """
    looked = ticked = 0.0
    seen = compared = -1

    def look() -> float:
        nonlocal looked, ticked, seen, compared
        sample()
        said, now = 0, commits()
        if time.monotonic() - looked >= (_LOSSES_EVERY_S if now != compared else _LOSSES_IN_QUIET_S):
            said = losses.run()
            looked, compared = time.monotonic(), now
            now = commits()
        if said or now != seen or time.monotonic() - ticked >= _TICK_AT_LEAST_EVERY_S:
            ticker.tick()
            ticker.sweep()
            seen, ticked = now, time.monotonic()
        return _TICK_S

    return Worker("clew-watcher", look, "journeys are not up to date")


def upkeep_of(backfill: Backfill, undoing: Undoing, forecast: Forecast, minutes: RollUp) -> Worker:
    """Does what may take long and needn't be at once: imports that were left unfinished, also half taken back ones, and
    the base of projections, and minutes of spans for key figures. Each is tried even when another one fails.
    """
    steps: dict[str, Callable[[], object]] = {
        "projections": forecast.refresh,
        "imported history": backfill.step_forsaken,
        "imports taken back": undoing.step_forsaken,
        "key figures": minutes.step,
    }

    def keep_up() -> float:
        more, failed = False, dict[str, Exception]()
        for name, step in steps.items():
            try:
                more |= bool(step())
            except Exception as error:  # told below, when all were tried
                failed[name] = error
        if failed:
            told = "; ".join(f"{name}: {in_words(error)}" for name, error in failed.items())
            raise ClewError(told) from ExceptionGroup("upkeep", list(failed.values()))
        return _TICK_S if more else _UPKEEP_EVERY_S

    return Worker("clew-upkeep", keep_up, "not up to date")


def layout_of(settings: Settings) -> Layout:
    """How the store lays out its tables under these settings."""
    default = Masking()
    return Layout(
        span_days=settings.retention_spans_days,
        event_days=settings.retention_events_days,
        figure_days=settings.retention_figures_days,
        masking=Masking(
            removed=default.removed if settings.masking_removed is None else settings.masking_removed,
            shortened=default.shortened if settings.masking_shortened is None else settings.masking_shortened,
            urls=default.urls if settings.masking_urls is None else settings.masking_urls,
        ),
    )


def open_store_of(settings: Settings, *, keep_retention: bool = False) -> Store:
    """Open the store under these settings; call it on the main thread. ``keep_retention``: see `open_store`."""
    return open_store(
        settings.data,
        layout=layout_of(settings),
        key=settings.encryption_key.reveal(),
        limits=EngineLimits(memory=settings.engine_memory),
        keep_retention=keep_retention,
    )


def run(settings: Settings, announce: Callable[[str], None] = print) -> None:
    """Serve until SIGTERM or SIGINT; finish what was received, then return.

    Raises ClewError when Clew can't start: wrong settings or flow, a port taken, the data directory in use.
    """
    logging.basicConfig(level=log_level(settings), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until files can be read again, as it would end the process
    store = open_store_of(settings)
    try:
        with contextlib.suppress(ModuleNotFoundError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(serve(settings, store, announce))
    finally:
        closing = threading.Thread(target=store.close, name="clew-close")
        closing.start()
        closing.join()


async def serve(settings: Settings, store: Store, announce: Callable[[str], None]) -> None:
    """Serve from an open store until SIGTERM or SIGINT; the store stays open. Raises ClewError as `run` does."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    leave_readers_to_the_workers()
    declared = declared_by(settings)
    book = FlowBook(store)
    await asyncio.to_thread(book.start, declared.flows)
    receiver = Receiver(store, _receive_settings(settings), lambda: watcher.problem)
    forecast = Forecast(store)
    rebuilder = Rebuilder(store, lambda: book.current, forecast.project)
    backfill = Backfill(store, rebuilder)
    ticker = Ticker(store, rebuilder, receiver.committer.settled_ns, whole_ns=receiver.committer.whole_ns)
    losses = await asyncio.to_thread(
        LossDetector, store, lambda: [each.flow for each in book.current], settled_ns=receiver.committer.settled_ns
    )
    recent = Recent()
    watcher = watcher_of(
        ticker, losses, lambda: receiver.committer.counts.commits, lambda: recent.add(sample_of(deps))
    )  # fmt: skip
    upkeep = upkeep_of(backfill, Undoing(backfill, book), forecast, RollUp(store, settings.retention_figures_days))
    masked = "user.id" in layout_of(settings).masking.shortened
    health = Health(
        lambda: watcher.problem, lambda: receiver.admission.refused, lambda: ticker.counts.horizon_ns
    )  # fmt: skip
    watching = await asyncio.to_thread(Watching, settings, declared, store, book, health)
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.run_in_executor(None, _reload_told, watching))
    deps = ApiDeps(
        store, book, backfill, receiver, ticker, watched=lambda: watching.watched, reload=watching.reload,
        problem=lambda: watcher.problem, users_masked=masked,
        upkeep_problem=lambda: "; ".join(filter(None, (upkeep.problem, watching.problem()))) or None,
        public_url=settings.api_public_url,
    )  # fmt: skip
    api: HttpServer | None = None
    try:
        with _port_errors(settings):
            listener = socket.create_server((settings.api_listen.host, settings.api_listen.port))
            hosts = hosts_of(settings.api_listen.host, settings.api_public_url, settings.api_hosts)
            api = HttpServer(site(create_api(deps), create_web(deps, stop.is_set, recent), hosts), listener)
            await receiver.start()
        await api.start()
        watcher.start()
        upkeep.start()
        watching.start()
        _rest_the_collector()
        announce(
            f"Clew listens: OTLP/gRPC {settings.otlp_grpc.host}:{receiver.grpc_port}, "
            f"OTLP/HTTP http://{settings.otlp_http.host}:{receiver.http_port}, "
            f"pages and API http://{settings.api_listen.host}:{api.port}; data in {settings.data}"
        )
        await stop.wait()
        announce("Clew stops: finishing what was received")
    finally:
        await receiver.close()
        if api is not None:
            await api.stop(5.0)
        for each in (watcher, upkeep):
            each.ask_to_stop()
        await asyncio.to_thread(watching.close)
        await asyncio.to_thread(stop_all, (watcher, upkeep))


def _reload_told(watching: Watching) -> None:
    """What a signal asks for is told in the log alone."""
    try:
        watching.reload()
    except ClewError:
        pass  # it was told
    except Exception:  # a mistake of ours
        log.exception("files can't be read again")


def leave_readers_to_the_workers() -> None:
    """Let fewer requests read at a time than there are readers, so that no slow search holds up journeys and upkeep."""
    to_thread.current_default_thread_limiter().total_tokens = WORKERS


def _rest_the_collector() -> None:
    """Leave what was loaded at the start alone and look for circles less often: 5 to 20 % less CPU a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


@contextlib.contextmanager
def _port_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"can't listen on {settings.otlp_http}, {settings.otlp_grpc} or {settings.api_listen}: {error}; "
            "stop what uses the port, or set otlp.http, otlp.grpc or api.listen"
        ) from error


def _receive_settings(settings: Settings) -> ReceiveSettings:
    return ReceiveSettings(
        http_host=settings.otlp_http.host,
        http_port=settings.otlp_http.port,
        grpc_host=settings.otlp_grpc.host,
        grpc_port=settings.otlp_grpc.port,
        memory_bytes=settings.otlp_memory,
        body_bytes=settings.otlp_max_request,
    )
