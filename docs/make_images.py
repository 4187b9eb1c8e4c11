"""Makes all pictures of README and docs from the real thing: the demo's story, then Clew in a terminal and a browser.

``make images`` runs it. It takes about three minutes.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from docs.make_page_images import take_pages

IMAGES = Path(__file__).parent / "images"
COLUMNS = 132
CLEW = [str(Path(sys.executable).with_name("clew"))]
# Rich's own template without the web fonts: a picture loads nothing from the network.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, monospace; }}
.{unique_id}-matrix {{ font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: sans-serif; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def on_a_terminal(command: list[str]) -> str:
    """What a command prints on a terminal of COLUMNS columns, colours included."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": str(COLUMNS)}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)  # noqa: S603
    os.close(theirs)
    printed = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        printed += part
    process.wait()
    return printed.decode().replace("\r\n", "\n")


def picture(name: str, shown: str, command: list[str]) -> None:
    """Write docs/images/NAME.svg: the command as a user types it, and what it prints."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {shown}", style="bold"))
    console.print(Text.from_ansi(on_a_terminal(command)))
    svg = console.export_svg(title="clew", theme=MONOKAI, code_format=SVG, unique_id=f"clew-{name}")
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    """Play the story, then take the pictures from the data it left."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "demo"
        subprocess.run([*CLEW, "demo", "--once", "--data", str(place)], check=True)  # noqa: S603
        data = ["--data", str(place / "clew")]
        picture("orders", "clew orders --verdict lost --verdict stuck --verdict failed",
                [*CLEW, "orders", *data, "--verdict", "lost", "--verdict", "stuck", "--verdict", "failed"])  # fmt: skip
        planted = {each["fault"]: each["order_id"] for each in json.loads((place / "ledger.json").read_text())}
        order = planted["dead-letter"]
        picture("order", f"clew order {order}", [*CLEW, "order", order, *data])
        picture("map", "clew report map", [*CLEW, "report", "map", *data])
        take_pages(place / "clew", order)


if __name__ == "__main__":
    main()
