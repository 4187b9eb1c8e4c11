"""What a viewer chose: theme and time zone, kept in cookies of that browser and nowhere else."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse

from clew.api.errors import invalid
from clew.web.frame import THEME_COOKIE, THEMES, ZONE_COOKIE, known_zone

_YEAR_S = 365 * 86_400


def preference_routes() -> APIRouter:
    """/preferences, to which the form at the foot of every page goes."""
    routes = APIRouter()

    @routes.post("/preferences", include_in_schema=False)
    async def prefer(
        theme: Annotated[str, Form()] = "", zone: Annotated[str, Form()] = "", back: Annotated[str, Form()] = "/"
    ) -> RedirectResponse:
        if theme and theme not in THEMES:
            raise invalid(f"there is no theme {theme}", f"choose one of {', '.join(THEMES)}")
        if zone and known_zone(zone) is None:
            raise invalid(f"there is no time zone {zone}", "give a name such as Europe/Berlin, or UTC")
        answer = RedirectResponse(own_path(back), 303)
        for name, value in ((THEME_COOKIE, theme), (ZONE_COOKIE, zone)):
            if value:
                # Scripts may read them: the zone is first set by one.
                answer.set_cookie(name, value, max_age=_YEAR_S, samesite="lax")
        return answer

    return routes


def own_path(back: str) -> str:
    """A path of this site to go back to; anything else is the start page."""
    inside = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    return back if inside else "/"
