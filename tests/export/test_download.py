"""Exports over the API and the command line: files that are whole, or none."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import replace

import click
import httpx
import pytest
from click.testing import CliRunner

from clew.api import create_api, export
from clew.cli import screen
from clew.cli.export import format_of
from clew.cli.files import ProgressLine, Rows
from clew.cli.main import main
from clew.model.errors import StoreError, StoreUnavailable
from clew.store.contract import Format
from clew.store.embedded import open_store
from tests.builders import trace_hex
from tests.serving import serving
from tests.story import ESCAPE, tell


@pytest.fixture(scope="module")
def deps(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("download"))
    yield tell(store)
    store.close()


@pytest.fixture(scope="module")
def url(deps):
    with serving(create_api(deps)) as url:
        yield url


class Streaming:
    """A store whose streams are replaced."""

    def __init__(self, store, stream):
        self._store = store
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self._store, name)


def broken(sql, binds, format_):
    yield b'"order_id"\n'
    yield b'"4711"\n'
    raise StoreError("the engine stumbled")


def refused(sql, binds, format_):
    raise StoreUnavailable("2 exports run already")
    yield b""


@pytest.fixture(params=[broken, refused])
def failing_url(deps, request):
    with serving(create_api(replace(deps, store=Streaming(deps.store, request.param)))) as url:
        yield url


def clew(*arguments, url="", code=0):
    done = CliRunner().invoke(main, list(map(str, arguments)), env={"CLEW_URL": url})
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


@pytest.mark.parametrize(
    ("params", "media", "begin"),
    [
        ({}, "text/csv; charset=utf-8", b'"order_id",'),
        ({"format": "jsonl"}, "application/x-ndjson", b'{"order_id":'),
        ({"format": "parquet"}, "application/vnd.apache.parquet", b"PAR1"),
    ],
)
@pytest.mark.parametrize("what", ["orders", "events"])
def test_a_file_says_what_it_is(url, what, params, media, begin):
    answer = httpx.get(f"{url}/api/v1/export/{what}", params=params)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    name = f"{what}.{params.get('format', 'csv')}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.content.startswith(begin)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("orders?format=xls", "format"),
        ("orders?stagee=X", "did you mean stage"),
        ("events?from=yesterday", "from: "),
        ("spans?atribute=a", "did you mean attribute"),
        ("spans?min_duration=x", "min_duration: "),
    ],
)
def test_a_wrong_question_gets_an_error_and_no_file(url, path, told):
    answer = httpx.get(f"{url}/api/v1/export/{path}")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert told in error["message"] + error["mend"]


def test_exports_take_the_filters_of_the_lists(url):
    def ids(path, name):
        lines = httpx.get(f"{url}/api/v1/export/{path}").text.splitlines()
        return {json.loads(line)[name] for line in lines}

    assert ids("orders?format=jsonl&verdict=stuck&verdict=lost", "order_id") == {"4711", "4712"}
    assert ids("orders?format=jsonl&open=true&from=1h", "order_id") == {"4712", "4714", "4715", "b/16", "4711"}
    assert ids("orders?format=jsonl&user=anna-9931", "order_id") == {"4711"}
    assert ids("events?format=jsonl&order=D77", "order_id") == {"4711"}
    assert ids("spans?format=jsonl&service=mes", "trace_id") == {trace_hex(3)}


def test_an_export_that_breaks_is_an_error_for_who_reads_it(deps):
    app = create_api(replace(deps, store=Streaming(deps.store, broken)))
    with serving(app) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/api/v1/export/orders")


def test_who_leaves_in_the_midst_ends_the_export(deps):
    closed = threading.Event()

    def endless(sql, binds, format_):
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    with serving(create_api(replace(deps, store=Streaming(deps.store, endless)))) as url:
        with httpx.stream("GET", f"{url}/api/v1/export/orders") as answer:
            assert next(answer.iter_bytes())
        assert closed.wait(10)


def test_who_takes_nothing_for_a_while_ends_the_export(deps, monkeypatch):
    monkeypatch.setattr(export, "PATIENCE_S", 0.2)
    closed = threading.Event()

    def endless(sql, binds, format_):
        try:
            while True:
                yield b"x" * 1_000_000
        finally:
            closed.set()

    with serving(create_api(replace(deps, store=Streaming(deps.store, endless)))) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as asleep:
            asleep.sendall(b"GET /api/v1/export/orders HTTP/1.1\r\nHost: clew\r\n\r\n")
            assert closed.wait(10)
            asleep.settimeout(10)
            received = b"".join(iter(lambda: asleep.recv(1 << 20), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")


def test_who_takes_little_at_a_time_gets_the_whole_file(deps, monkeypatch):
    monkeypatch.setattr(export, "PATIENCE_S", 5.0)

    def long(sql, binds, format_):
        yield from (b"x" * 1_000_000 for _ in range(8))

    app = create_api(replace(deps, store=Streaming(deps.store, long)))
    with serving(app) as url, httpx.stream("GET", f"{url}/api/v1/export/orders") as answer:
        assert sum(len(piece) for piece in answer.iter_bytes(10_000)) == 8_000_000


def test_a_file_is_written_by_its_name(url, tmp_path):
    for what in ("orders", "events", "spans"):
        for suffix in (".csv", ".jsonl", ".parquet"):
            clew("export", what, "-o", tmp_path / f"{what}{suffix}", url=url)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv"] * 3 + [".jsonl"] * 3 + [".parquet"] * 3
    assert [json.loads(line)["order_id"] for line in (tmp_path / "orders.jsonl").read_text().splitlines()][:2] == [
        "4711",
        "4712",
    ]


def test_standard_output_gets_what_a_file_would(url, tmp_path):
    clew("export", "events", "-o", tmp_path / "events.csv", url=url)
    assert clew("export", "events", url=url).stdout_bytes == (tmp_path / "events.csv").read_bytes()
    assert clew("export", "events", "--format", "parquet", url=url).stdout_bytes.endswith(b"PAR1")


def test_a_terminal_gets_nothing_that_it_would_obey(deps, monkeypatch):
    monkeypatch.setattr(screen, "on_terminal", lambda: True)

    def shouting(sql, binds, format_):
        yield f"{ESCAPE}\x9b\n\tplain ж\n".encode()

    with serving(create_api(replace(deps, store=Streaming(deps.store, shouting)))) as url:
        assert clew("export", "orders", url=url).stdout == "·[31mred·[0m [bold]·\n\tplain ж\n"
    refused_ = clew("export", "orders", "--format", "parquet", code=2)
    assert "--output" in refused_.stderr


def test_a_broken_export_leaves_no_file_and_the_one_before_as_it_was(failing_url, tmp_path):
    before = tmp_path / "orders.csv"
    before.write_text("before")
    done = clew("export", "orders", "-o", before, url=failing_url, code=1)
    assert done.stderr.startswith(("clew: the answer broke off", "clew: 2 exports run already"))
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]
    assert before.read_text() == "before"


def test_a_place_that_cannot_be_written_is_named(url, tmp_path):
    done = clew("export", "orders", "-o", tmp_path / "no" / "orders.csv", url=url, code=1)
    assert "orders.csv" in done.stderr
    assert "--output" in done.stderr


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("a.csv", None, Format.CSV),
        ("a.NDJSON", None, Format.JSON_LINES),
        ("a.parquet", "csv", Format.CSV),
        (None, None, Format.CSV),
    ],
)
def test_the_format_is_asked_for_or_named(tmp_path, name, asked, expected):
    assert format_of(tmp_path / name if name else None, asked) is expected


def test_a_name_that_says_no_format_is_refused(tmp_path):
    with pytest.raises(click.ClickException, match="doesn't say which format"):
        format_of(tmp_path / "orders.xlsx", None)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("format_", "text", "rows"),
    [
        (Format.CSV, '"a","b"\n"1","x\ny"\n"2","""\n"""\n', 2),
        (Format.CSV, '"a","b"\n', 0),
        (Format.CSV, "", 0),
        (Format.JSON_LINES, '{"a":"\\n"}\n{}\n', 2),
        (Format.PARQUET, "PAR1", None),
    ],
)
def test_rows_are_counted_while_they_come(format_, text, rows, size):
    counted = Rows(format_)
    for at in range(0, len(text), size):
        counted.add(text[at : at + size].encode())
    assert counted.number == rows


def test_the_progress_says_rows_and_size(capsys):
    line = ProgressLine(Rows(Format.JSON_LINES), shown=True)
    line.add(b"{}\n" * 1_234_567)
    line.clear()
    told = capsys.readouterr().err
    assert "1,234,567 rows, 3.7 MB, " in told
    assert told.endswith("\r")
