"""Routes: imported history. Begin an import, send its events, rebuild its journeys slice by slice; take it back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from clew.api.body import whole_body
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.times import moment
from clew.flow.check import NAME_RULE, fits_name
from clew.journey.backfill import ORDERS_A_SLICE
from clew.journey.undo import ORDERS_A_SLICE as ORDERS_AN_UNDO_SLICE
from clew.journey.undo import Undoing
from clew.store.imports import (
    Import,
    Undo,
    known_imports,
    note_arrival,
    read_import,
    repeated_events,
    storing_events,
    unfinished_imports,
    write_import,
)

_LARGEST = 16 << 20
_LINES = {
    "type": "string",
    "description": "JSON arrays, one a line: order id, stage, time (Unix ns), path, service, actor, user id, "
    "due date (Unix ns or 0), attributes (an object of texts)",
}
_LINES_BODY = {"requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": _LINES}}}}


class NewImport(BaseModel):
    """What is imported: the flow that its orders follow (empty: the one that fits them best) and a name to show."""

    model_config = ConfigDict(extra="forbid")

    flow: str = Field(default="", max_length=200)
    name: str = Field(default="", max_length=1_000, examples=["orders-2025.csv"])


class ImportModel(BaseModel):
    """An import. It told of ``events`` of about ``orders``, known when its journeys are begun; ``rebuilt`` are made.

    ``undoing``: it is being taken back.
    """

    import_id: str
    name: str
    flow: str
    begun_at: str
    events: int
    orders: int
    rebuilt: int
    done: bool
    undoing: bool


class ReceivedModel(BaseModel):
    """How many events were stored."""

    events: int


class RebuiltModel(ImportModel):
    """How far the journeys are: ``orders`` in all (about), ``distinct`` events stored."""

    distinct: int


class RepeatedModel(BaseModel):
    """An earlier import of which up to so many ``events`` went with the one that was taken back."""

    import_id: str
    name: str
    events: int


class UndoneModel(BaseModel):
    """How far an import is taken back: first its events go, then ``orders`` are made anew, ``rebuilt`` so far.

    ``repeated``, when all is done: imports whose events it had told again. To be sure of those, import them again.
    ``already``: all was done before this was asked.
    """

    import_id: str
    name: str
    events: int
    events_gone: bool
    orders: int
    rebuilt: int
    done: bool
    already: bool
    repeated: list[RepeatedModel]


async def event_lines(request: Request) -> bytes:
    """The body whole."""
    return await whole_body(request, _LARGEST, "the request is larger than 16 MiB", "send fewer events at a time")


ImportId = Annotated[int, Path(description="the id that beginning the import gave", ge=1, lt=1 << 62)]


def import_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /imports. Blocking calls run on worker threads."""
    routes = APIRouter(tags=["imports"], responses=RESPONSES)
    undoing = Undoing(deps.backfill, deps.book)
    turn = Depends(deps.turns)

    @routes.get("/imports", summary="Imports whose journeys are not all rebuilt, or all")
    def list_imports(
        every: Annotated[bool, Query(alias="all", description="all that weren't taken back")] = False,
    ) -> list[ImportModel]:
        return [import_model(each) for each in (known_imports if every else unfinished_imports)(deps.store)]

    @routes.post("/imports", summary="Begin an import", status_code=201)
    def begin_import(new: NewImport) -> ImportModel:
        if new.flow and not fits_name(new.flow):
            raise invalid(f"flow: {new.flow!r} can't be the name of a flow", NAME_RULE)
        begun = Import(deps.now_ns(), new.name, new.flow)
        write_import(deps.store, begun)
        return import_model(begun)

    @routes.post("/imports/{import_id}/events", summary="Store some of its events", openapi_extra=_LINES_BODY)
    def import_events(
        import_id: ImportId,
        lines: Annotated[bytes, Depends(event_lines)],
        _: None = turn,  # last, so that nobody holds a turn who still sends
    ) -> ReceivedModel:
        with storing_events(deps.store, import_id) as found:
            known = _kept(found, import_id)
            token = f"import-{import_id}-{hashlib.sha256(lines).hexdigest()}"
            deps.store.import_events(lines, known.flow, import_id, token)
            note_arrival(deps.store, known)
        return ReceivedModel(events=sum(map(bool, lines.split(b"\n"))))

    @routes.post("/imports/{import_id}/rebuild", summary="Rebuild the journeys of its next orders", dependencies=[turn])
    def rebuild_imported(
        import_id: ImportId,
        limit: Annotated[int, Query(ge=1, le=ORDERS_A_SLICE, description="orders at most")] = ORDERS_A_SLICE,
    ) -> RebuiltModel:
        further = _kept(deps.backfill.step(import_id, limit), import_id)
        told = import_model(further).model_dump() | {"orders": max(further.orders, further.rebuilt)}
        return RebuiltModel(**told, distinct=further.events)

    @routes.delete("/imports/{import_id}", summary="Take it back: ask again until it is done", dependencies=[turn])
    def take_back(
        import_id: ImportId,
        limit: Annotated[
            int, Query(ge=1, le=ORDERS_AN_UNDO_SLICE, description="orders at most whose journeys are rebuilt")
        ] = ORDERS_AN_UNDO_SLICE,
    ) -> UndoneModel:
        before = read_import(deps.store, import_id)
        further = undoing.step(import_id, limit)
        if before is None or further is None:
            raise _unknown(import_id)
        repeated = repeated_events(deps.store, further) if further.undo is Undo.DONE else []
        return undone_model(further, repeated, already=before.undo is Undo.DONE)

    return routes


def _kept(import_: Import | None, import_id: int) -> Import:
    """The import. Raises ApiError when there is none, or it is taken back."""
    if import_ is None:
        raise _unknown(import_id)
    if import_.undo is not Undo.NONE:
        raise ApiError(409, "taken_back", f"import {import_id} was taken back", "begin a new one")
    return import_


def _unknown(import_id: int) -> ApiError:
    return not_found(f"no import {import_id}", "see `clew import --list`, or begin one with POST /api/v1/imports")


def import_model(import_: Import) -> ImportModel:
    """An import as it is told."""
    return ImportModel(
        import_id=str(import_.import_id),
        name=import_.name,
        flow=import_.flow,
        begun_at=moment(import_.import_id),
        events=import_.events,
        orders=import_.orders,
        rebuilt=import_.rebuilt,
        done=import_.done,
        undoing=import_.undo is not Undo.NONE,
    )


def undone_model(import_: Import, repeated: Sequence[tuple[Import, int]], *, already: bool) -> UndoneModel:
    """An import that is taken back, as it is told; ``already``: it was before."""
    return UndoneModel(
        import_id=str(import_.import_id),
        name=import_.name,
        events=import_.events,
        events_gone=import_.undo >= Undo.JOURNEYS,
        orders=import_.orders,
        rebuilt=import_.rebuilt,
        done=import_.undo is Undo.DONE,
        already=already,
        repeated=[RepeatedModel(import_id=str(each.import_id), name=each.name, events=n) for each, n in repeated],
    )
