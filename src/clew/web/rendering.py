"""Renders a page: a template, its typed context, and the frame around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse

from clew.web import words
from clew.web.assets import static_path
from clew.web.frame import Frame, frame_of
from clew.web.glance import Glance

_HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """The templates with their filters. Every value is escaped, and a name that isn't there is an error."""
    loader = FileSystemLoader([_HERE / "templates", _HERE / "pages"])
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    plain: dict[str, Callable[..., str]] = {
        "length": words.length, "brief": words.brief, "number": words.number, "share": words.share,
        "size": words.size, "iso": words.iso, "verdict": words.verdict, "counted": words.counted,
        "order_href": words.order_href, "service_href": words.service_href, "rate": words.rate, "spell": words.spell,
    }  # fmt: skip
    made.filters |= plain
    made.filters |= {
        "clock": _with_frame(lambda at, frame: words.clock(at, frame.zone, frame.now_ns)),
        "exact": _with_frame(lambda at, frame: words.exact(at, frame.zone)),
        "ago": _with_frame(lambda at, frame: words.ago(at, frame.now_ns)),
    }
    return made


def _with_frame(show: Callable[[int, Frame], str]) -> Callable[[Context, int], str]:
    @pass_context
    def filter_(context: Context, at_ns: int) -> str:
        return show(at_ns, context["frame"])

    return filter_


class Pages:
    """Renders pages of one server."""

    def __init__(self, now_ns: Callable[[], int], problem: Callable[[], str | None], glance: Glance) -> None:
        """``now_ns`` is the clock, ``problem`` says why Clew isn't up to date, ``glance`` how many incidents wait."""
        self._now_ns = now_ns
        self._problem = problem
        self._glance = glance

    def answer(
        self,
        request: Request,
        template: str,
        page: Any,  # noqa: ANN401 - each page's own context
        title: str,
        *,
        now_ns: int | None = None,
        status: int = 200,
    ) -> HTMLResponse:
        """The page as a response. ``page`` is its context, ``now_ns`` the moment at which it was judged."""
        return HTMLResponse(self._rendered(request, template, title, now_ns, page=page), status)

    def part(self, request: Request, template: str, part: object, *, now_ns: int | None = None) -> bytes:
        """A part of a page that is sent in pieces: ``part`` is its context, ``now_ns`` as for the page."""
        return self._rendered(request, template, "", now_ns, part=part).encode()

    def _rendered(self, request: Request, template: str, title: str, now_ns: int | None, **context: object) -> str:
        standing = self._glance.look()
        waiting = None if standing is None else standing.open
        at_ns = self._now_ns() if now_ns is None else now_ns
        frame = frame_of(request, title, at_ns, self._problem(), static_path(), waiting)
        # Macros of a template that is imported without its context would not see the frame.
        return environment().get_template(template).render(frame=frame, **context)
