"""What a page shows is what its context documents: fields, their types, and what the templates use."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

import clew.web.pages as rooms
from clew.store.embedded import open_store
from clew.web import rendering
from clew.web.pages.flow.views import VIEWS
from tests.builders import span_hex, trace_hex
from tests.story import tell
from tests.watching import with_incidents

ROOT = Path(rooms.__path__[0])
ROOMS = sorted(each.name for each in pkgutil.iter_modules(rooms.__path__) if each.ispkg)


def pages_of(room):
    """The contexts of a page's templates, by name."""
    found = {}
    for path in sorted((ROOT / room).glob("*.py")):
        module = importlib.import_module(f"clew.web.pages.{room}.{path.stem}")
        found |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type) and name.endswith("Page") and value.__module__ == module.__name__
        }
    return found


def contexts_of(room):
    """The dataclasses that a page's contexts hold, what pictures are drawn of included, by module and name."""
    found, waiting = {}, list(pages_of(room).values())
    while waiting:
        kind = waiting.pop()
        if inside := typing.get_args(kind):
            waiting.extend(inside)
        elif dataclasses.is_dataclass(kind) and kind.__module__.startswith("clew.web.") and _named(kind) not in found:
            found[_named(kind)] = kind
            waiting.extend(typing.get_type_hints(kind).values())
    return found


def _named(cls):
    return f"{cls.__module__.removeprefix('clew.web.')}.{cls.__name__}"


def texts_of(room):
    return "\n".join(path.read_text() for path in sorted((ROOT / room).glob("*.html")))


def told_by(cls):
    """All that can be asked of a context: its fields and its properties."""
    return {each.name for each in dataclasses.fields(cls)} | {
        name for name, value in vars(cls).items() if isinstance(value, property)
    }


def wrong_types(value, wanted, place="page"):
    """Where a value differs from its annotation, in words."""
    origin, inside = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is typing.Any or wanted is object:
        return []
    if origin in (typing.Union, types.UnionType):
        tries = [wrong_types(value, each, place) for each in inside]
        return [] if [] in tries else tries[0]
    if origin is typing.Literal:
        return [] if value in inside else [f"{place}: {value!r} is none of {inside}"]
    if origin is tuple and len(inside) == 2 and inside[1] is ...:
        return _wrong_class(value, tuple, place) or [
            each for i, item in enumerate(value) for each in wrong_types(item, inside[0], f"{place}[{i}]")
        ]
    if origin is tuple:
        return _wrong_class(value, tuple, place) or [
            each
            for i, (item, of) in enumerate(zip(value, inside, strict=True))
            for each in wrong_types(item, of, f"{place}[{i}]")
        ]
    if origin is not None and issubclass(origin, Mapping):
        return _wrong_class(value, Mapping, place) or [
            each for key, item in value.items() for each in wrong_types(item, inside[1], f"{place}[{key!r}]")
        ]
    if origin is not None:
        return _wrong_class(value, origin, place)
    if wrong := _wrong_class(value, (int, float) if wanted is float else wanted or type(None), place):
        return wrong
    if dataclasses.is_dataclass(wanted) and not isinstance(value, enum.Enum):
        return _wrong_fields(value, place)
    return []


def _wrong_class(value, wanted, place):
    is_bool = isinstance(value, bool) and wanted in (int, (int, float))
    return [] if isinstance(value, wanted) and not is_bool else [f"{place}: {value!r:.80} is no {wanted}"]


def _wrong_fields(value, place):
    hints = typing.get_type_hints(type(value))
    return [
        each
        for field in dataclasses.fields(value)
        for each in wrong_types(getattr(value, field.name), hints[field.name], f"{place}.{field.name}")
    ]


@pytest.mark.parametrize("room", ROOMS)
def test_every_page_has_a_context(room):
    assert pages_of(room)


@pytest.mark.parametrize("room", ROOMS)
def test_every_field_of_a_context_is_documented(room):
    missing = [
        f"{name}.{field.name}"
        for name, cls in contexts_of(room).items()
        for field in dataclasses.fields(cls)
        if f"``{field.name}``" not in (cls.__doc__ or "")
    ]
    assert missing == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_documented_field_exists(room):
    unknown = [
        f"{name}: {word}"
        for name, cls in contexts_of(room).items()
        for word in re.findall(r"``([a-z_]+_ns|[a-z]+_[a-z_]+)``", cls.__doc__ or "")
        if word not in told_by(cls) | {each for other in contexts_of(room).values() for each in told_by(other)}
    ]
    assert unknown == []


SHARED = "\n".join(
    path.read_text()
    for folder, kind in (("templates", "*.html"), ("pictures", "*.py"))
    for path in sorted((ROOT.parent / folder).glob(kind))
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_field_of_a_context_is_shown(room):
    """By a template, or by a module that writes text or draws; being read while contexts are built is not enough."""
    writers = [
        path for path in sorted((ROOT / room).glob("*.py")) if "context" not in path.stem and path.stem != "reads"
    ]
    code = "\n".join([texts_of(room), SHARED, *(path.read_text() for path in writers)])
    unused = [
        f"{name}.{field.name}"
        for name, cls in contexts_of(room).items()
        for field in dataclasses.fields(cls)
        if not re.search(rf"\.{field.name}\b", code)
    ]
    assert unused == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_template_asks_its_context_for_nothing_else(room):
    known = {each for cls in pages_of(room).values() for each in told_by(cls)}
    asked = set(re.findall(r"\bpage\.([a-z_]+)", texts_of(room)))
    assert asked - known == set()


TRACE = trace_hex(1)
PATHS = [
    *("/", "/search?q=nobody", "/orders/4711", "/orders/nobody-knows"),
    *(
        "/traces",
        f"/traces/{TRACE}",
        f"/traces/{TRACE}/spans/{span_hex(1)}",
        f"/traces/compare?a={TRACE}&b={trace_hex(3)}",
    ),
    "/views/delete?name=mine",
    *("/services", "/services/shop-api", "/figures", "/status", "/no-such-page"),
    *("/incidents", "/incidents?show=all", "/incidents/1", "/incidents/2", "/incidents/3", "/rules"),
    *(f"/flow/{view}" for view in VIEWS),
    "/flow/step?before=INITIATED&after=SUBMITTED",
]


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The day of tests.story, watched."""
    folder = tmp_path_factory.mktemp("contexts")
    store = open_store(folder)
    deps, database = with_incidents(tell(store), folder)
    yield deps
    database.close()
    store.close()


@pytest.fixture(scope="module")
def rendered(url):
    """The contexts that every page was rendered with, and the names of their templates."""
    seen, real = [], rendering.Pages._rendered

    def record(self, request, template, title, now_ns, **context):
        seen.extend((template, each) for each in context.values())
        return real(self, request, template, title, now_ns, **context)

    with pytest.MonkeyPatch.context() as patch, httpx.Client(base_url=url, timeout=60) as client:
        patch.setattr(rendering.Pages, "_rendered", record)
        client.post("/views", data={"name": "mine", "filter": "path=b2c"})
        for path in PATHS:
            assert client.get(path).status_code in (200, 404), path
        yield seen


def test_contexts_hold_what_their_annotations_say(rendered):
    wrong = [f"{template}: {each}" for template, page in rendered for each in wrong_types(page, type(page))]
    assert wrong == []


def test_no_page_was_left_out(rendered):
    shown = {type(page) for _, page in rendered}
    assert {cls.__name__ for room in ROOMS for cls in pages_of(room).values() if cls not in shown} == set()


@pytest.mark.parametrize(
    ("value", "wanted", "wrong"),
    [
        (1, int, 0), (True, int, 1), ("1", int, 1), (1, float, 0), (None, int | None, 0), ("", int | None, 1),
        ((1, 2), tuple[int, ...], 0), ((1, "2"), tuple[int, ...], 1), ([1], tuple[int, ...], 1),
        (("a", 1), tuple[str, int], 0), ((1, "a"), tuple[str, int], 2), ({"a": 1}, Mapping[str, int], 0),
        ({"a": "1"}, Mapping[str, int], 1), ("a", typing.Literal["a"], 0), ("b", typing.Literal["a"], 1),
    ],
)  # fmt: skip
def test_the_check_of_types_finds_wrong_ones(value, wanted, wrong):
    assert len(wrong_types(value, wanted)) == wrong
