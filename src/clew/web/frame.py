"""What every page has around its own content: navigation, theme, time zone, and how Clew itself is."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request

from clew.api.asked import known_zones

THEME_COOKIE = "clew_theme"
ZONE_COOKIE = "clew_zone"
THEMES = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class NavItem:
    """A page in the navigation, and the beginnings of the paths that belong to it."""

    label: str
    href: str
    paths: tuple[str, ...]


NAVIGATION = (
    NavItem("Orders", "/", ("/orders",)),
    NavItem("Incidents", "/incidents", ("/incidents", "/rules")),
    NavItem("Traces", "/traces", ("/traces",)),
    NavItem("Services", "/services", ("/services",)),
    NavItem("Flow", "/flow", ("/flow",)),
    NavItem("Key figures", "/figures", ("/figures",)),
    NavItem("Status", "/status", ("/status",)),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a page.

    ``title`` names the page in the window, ``path`` is its path, ``here`` its path with what was asked, ``theme`` one
    of `THEMES`, ``zone`` the viewer's time zone, ``asks_zone`` whether the browser hasn't told it yet, ``now_ns`` the
    moment (Unix ns) at which all of the page was judged, ``problem`` why Clew isn't up to date (or None), ``static``
    where assets lie. ``incidents`` is how many wait for somebody (None: nobody watches here, or it can't be told).
    """

    title: str
    path: str
    here: str
    theme: str
    zone: ZoneInfo
    asks_zone: bool
    now_ns: int
    problem: str | None
    static: str
    incidents: int | None = None

    @property
    def navigation(self) -> tuple[tuple[NavItem, bool], ...]:
        """Every entry of the navigation, and whether the page belongs to it."""
        return tuple((item, self._inside(item)) for item in NAVIGATION)

    def _inside(self, item: NavItem) -> bool:
        return self.path == item.href or any(
            self.path.startswith(f"{path}/") or self.path == path for path in item.paths
        )

    def link(self, /, **changes: str | int | None) -> str:
        """This page with other parameters: None or '' leaves one out."""
        _, _, query = self.here.partition("?")
        return changed(self.path, query, **changes)


def changed(path: str, query: str, /, **changes: str | int | None) -> str:
    """A path with its query changed: given parameters replace those of the same name, None or '' leaves one out."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=False) if name not in changes]
    kept += [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
    return f"{path}?{urlencode(kept)}" if kept else path


def frame_of(
    request: Request, title: str, now_ns: int, problem: str | None, static: str, incidents: int | None = None
) -> Frame:
    """The frame of the page that a request asks for."""
    theme = request.cookies.get(THEME_COOKIE, "")
    # As it was sent: an id with a question mark, a hash sign or "/../" in it would lead elsewhere.
    path, query = (request.scope[name].decode("latin-1") for name in ("raw_path", "query_string"))
    return Frame(
        title=title,
        path=path,
        here=f"{path}?{query}" if query else path,
        theme=theme if theme in THEMES else THEMES[0],
        zone=viewer_zone(request),
        asks_zone=ZONE_COOKIE not in request.cookies,
        now_ns=now_ns,
        problem=problem,
        static=static,
        incidents=incidents,
    )


def viewer_zone(request: Request) -> ZoneInfo:
    """The zone that the viewer has chosen; UTC for want of one."""
    return known_zone(request.cookies.get(ZONE_COOKIE, "")) or ZoneInfo("UTC")


def known_zone(name: str) -> ZoneInfo | None:
    """The time zone of that name (IANA), or None when there is none, or none that reports can be made in."""
    return ZoneInfo(name) if name in known_zones() else None
