"""``make bench``: measures what is asked for and compares it with its targets.

make bench                                       everything, as long as it takes
make bench ARGS="ingest-http --seconds 600"      one part
make bench ARGS="--quick"                        a small taste of everything
make bench ARGS="--record"                       and write docs/figures.md
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bench import archive, ingest, kills, small, stages
from bench.figures import Figure, as_json, as_markdown, shown

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
SDK_BENCH = ROOT / "sdk" / "bench"


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
    """Leave it to the SDK's own benchmark, which prints a table of its own."""
    subprocess.run([sys.executable, str(SDK_BENCH)], cwd=ROOT, check=True)
    return iter(())


PARTS: Mapping[str, Callable[[Options], Iterator[Figure]]] = {
    "ingest-http": lambda o: ingest.measure(o.fresh("http"), "http", o.seconds, o.senders),
    "ingest-grpc": lambda o: ingest.measure(o.fresh("grpc"), "grpc", o.seconds, o.senders),
    "small": lambda o: small.measure_latency(o.fresh("small"), o.repeats),
    "idle": lambda o: small.measure_idle(o.fresh("idle"), min(60.0, o.seconds)),
    "ticker": lambda o: stages.measure_ticker(o.fresh("ticker"), min(60.0, o.seconds)),
    "kill": lambda o: kills.measure(o.fresh("kill"), o.kills),
    "traces": lambda o: archive.measure_traces(o.filled(), o.repeats * 5),
    "orders": lambda o: archive.measure_orders(o.filled(), o.repeats),
    "restart": lambda o: archive.measure_restart(o.filled(), min(10, o.repeats)),
    "disk": lambda o: archive.measure_disk(o.filled()),
} | ({"sdk": _sdk} if SDK_BENCH.exists() else {})


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--seconds", default=600.0, show_default=True, help="How long ingest is loaded.")
@click.option("--spans", default=10_000_000, show_default=True, help="Spans in the large store.")
@click.option("--orders", default=1_000_000, show_default=True, help="Orders in the large store; one in ten is open.")
@click.option("--kills", default=100, show_default=True, help="How often Clew is killed.")
@click.option("--senders", default=64, show_default=True, help="Connections that send at once.")
@click.option("--archive", "archive_", type=Path, help="Keep the large store in this folder, and use it again.")
@click.option("--quick", is_flag=True, help="A taste: seconds instead of minutes; says nothing of the targets.")
@click.option("--record", is_flag=True, help="Write docs/figures.md too.")
def main(
    parts: tuple[str, ...], seconds: float, spans: int, orders: int, kills: int, senders: int, archive_: Path | None,
    quick: bool, record: bool,
) -> None:  # fmt: skip
    """Measure PARTS, or everything."""
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        here = Path(folder)
        options = Options(seconds, spans, orders, kills, senders, 40, here, archive_ or here / "archive")
        if quick:
            options = replace(options, seconds=10.0, spans=300_000, orders=30_000, kills=3, repeats=6)
        figures = [figure for part in parts or PARTS for figure in _measure(part, options)]
    given = {"seconds": options.seconds, "spans": options.spans, "orders": options.orders, "kills": options.kills}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(as_json(figures, given), encoding="utf-8")
    if record:
        (ROOT / "docs" / "figures.md").write_text(as_markdown(figures, given), encoding="utf-8")
    missed = [figure for figure in figures if figure.verdict == "not reached"]
    click.echo(f"\n{len(missed)} of {sum(bool(figure.target) for figure in figures)} targets not reached")


def _measure(part: str, options: Options) -> list[Figure]:
    click.echo(f"\n{part}")
    figures = []
    for figure in PARTS[part](options):
        figures.append(replace(figure, part=part))
        value = f"{shown(figure.value)} {figure.unit}"
        click.echo(f"  {figure.name:<58} {value:>18}   {figure.target:>10} {figure.verdict}")
    return figures


if __name__ == "__main__":
    main()
