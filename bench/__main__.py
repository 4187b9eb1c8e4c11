"""``make bench``: measures what is asked for and compares it with its targets.

make bench                                       everything, as long as it takes
make bench ARGS="ingest-http --seconds 600"      one part
make bench ARGS="--quick"                        a small taste of everything
make bench ARGS="--record"                       and write docs/figures.md
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench import (
    archive,
    detectors,
    export,
    history,
    incidents,
    ingest,
    kills,
    learn,
    one_order,
    pages,
    reports,
    small,
    stages,
    waterfall,
)
from bench.figures import Figure, Part, as_markdown, read_parts, shown, write_parts

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how large."""

    seconds: float
    spans: int
    orders: int
    kills: int
    senders: int
    repeats: int
    folder: Path
    archive: Path

    def fresh(self, name: str) -> Path:
        """A new folder for one part."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def filled(self) -> Path:
        """The large store, made when it isn't there yet; in a process of its own, since a process has one engine."""
        command = [sys.executable, "-m", "bench.archive", str(self.archive), str(self.spans), str(self.orders)]
        subprocess.run(command, cwd=ROOT, check=True)
        return self.archive


def _sdk(_: Options) -> Iterator[Figure]:
    """What the SDK costs a traced service, by its own benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.sdk_cost", "--json"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    cpu_us = {case["case"]: float(case["cpu_us"]) for case in json.loads(done.stdout)}
    for name, spent_us in cpu_us.items():
        yield Figure(name, spent_us, "µs", at_most=25 if "in the caller's transaction" in name else None)
    by_hand, ours = (spent for name, spent in cpu_us.items() if "by hand" in name or "inside order()" in name)
    yield Figure("a span in an order, clew-sdk to the plain SDK", ours / by_hand, "to 1", at_most=1.05)


def _incidents(options: Options) -> Iterator[Figure]:
    """From a passed limit to Slack, many orders stuck at once, and what watching costs, each on a server of its own."""
    yield from incidents.measure_delay(options.fresh("delay"), options.repeats)
    yield from incidents.measure_storm(options.fresh("storm"), options.orders // 100)
    yield from incidents.measure_cost(options.fresh("cost"), options.filled(), min(60.0, options.seconds))


PARTS: Mapping[str, Callable[[Options], Iterator[Figure]]] = {
    "ingest-http": lambda o: ingest.measure(o.fresh("http"), "http", o.seconds, o.senders),
    "ingest-grpc": lambda o: ingest.measure(o.fresh("grpc"), "grpc", o.seconds, o.senders),
    "small": lambda o: small.measure_latency(o.fresh("small"), o.repeats),
    "idle": lambda o: small.measure_idle(o.fresh("idle"), min(60.0, o.seconds)),
    "ticker": lambda o: stages.measure_ticker(o.fresh("ticker"), min(60.0, o.seconds)),
    "kill": lambda o: kills.measure(o.fresh("kill"), o.kills),
    "traces": lambda o: archive.measure_traces(o.filled(), o.repeats * 5),
    "orders": lambda o: archive.measure_orders(o.filled(), o.repeats),
    "pages": lambda o: pages.measure(o.filled(), o.repeats),
    "one-order": lambda o: one_order.measure(o.fresh("one-order"), o.repeats),
    "waterfall": lambda o: waterfall.measure(o.fresh("waterfall"), o.repeats),
    "restart": lambda o: archive.measure_restart(o.filled(), min(10, o.repeats)),
    "disk": lambda o: archive.measure_disk(o.filled()),
    "sdk": _sdk,
    "reports": lambda o: reports.measure(o.fresh("reports"), o.orders, min(10, o.repeats)),
    "reports-large": lambda o: reports.measure(o.fresh("reports"), 5 * o.orders, min(4, o.repeats)),
    "export": lambda o: export.measure(o.fresh("export"), o.orders),
    "learn": lambda o: learn.measure(o.fresh("learn"), o.orders // 50),
    "detectors": lambda o: detectors.measure(o.seconds),
    "detectors-by-rule": lambda o: detectors.measure_by_rule(o.seconds),
    "incidents": _incidents,
    "import": lambda o: history.measure(o.fresh("import"), o.spans * 3 // 10, o.spans // 2),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--seconds", default=600.0, show_default=True, help="How long ingest is loaded.")
@click.option("--spans", default=10_000_000, show_default=True, help="Spans in the large store.")
@click.option("--orders", default=1_000_000, show_default=True, help="Orders in the large store; one in ten is open.")
@click.option("--kills", default=100, show_default=True, help="How often Clew is killed.")
@click.option("--senders", default=64, show_default=True, help="Connections that send at once.")
@click.option("--archive", "archive_", type=Path, help="Keep the large store in this folder, and use it again.")
@click.option("--quick", is_flag=True, help="A taste: seconds instead of minutes; says nothing of the targets.")
@click.option("--record", is_flag=True, help="Write docs/figures.md from the last full measurement of each part.")
def main(
    parts: tuple[str, ...], seconds: float, spans: int, orders: int, kills: int, senders: int, archive_: Path | None,
    quick: bool, record: bool,
) -> None:  # fmt: skip
    """Measure PARTS, or everything."""
    results = RESULTS / ("quick.json" if quick else "latest.json")
    if quick and record:
        raise click.UsageError("--quick figures are not worth recording")
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        here = Path(folder)
        options = Options(seconds, spans, orders, kills, senders, 40, here, archive_ or here / "archive")
        if quick:
            options = replace(options, seconds=10.0, spans=300_000, orders=30_000, kills=3, repeats=6)
        for name in parts or PARTS:
            known = read_parts(results) | {name: _measure(name, options)}
            write_parts(results, [known[each] for each in PARTS if each in known])
    if record:
        (ROOT / "docs" / "figures.md").write_text(as_markdown(read_parts(results).values()), encoding="utf-8")


def _measure(name: str, options: Options) -> Part:
    click.echo(f"\n{name}")
    figures = []
    for figure in PARTS[name](options):
        figures.append(figure)
        value = f"{shown(figure.value)} {figure.unit}"
        click.echo(f"  {figure.name:<58} {value:>18}   {figure.target:>10} {figure.verdict}")
    return Part(name, time.strftime("%Y-%m-%d", time.gmtime()), _asked(name, options), tuple(figures))


def _asked(name: str, options: Options) -> str:
    """The part with the options that matter for it."""
    if name.startswith("detectors"):
        return f"{name} --seconds {options.seconds:g}"
    if name.startswith("ingest"):
        return f"{name} --seconds {options.seconds:g} --senders {options.senders}"
    if name in ("traces", "orders", "pages", "restart", "disk", "incidents"):
        return f"{name} --spans {options.spans} --orders {options.orders}"
    if name.startswith("reports") or name == "export":
        return f"{name} --orders {options.orders}"
    if name == "import":
        return f"{name} --spans {options.spans}"
    return f"{name} --kills {options.kills}" if name == "kill" else name


if __name__ == "__main__":
    main()
