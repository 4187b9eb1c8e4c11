"""Routes: imported history. Begin an import, send its events, then rebuild its journeys slice by slice."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from clew.api.body import whole_body
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.times import moment
from clew.flow.check import NAME_RULE, fits_name
from clew.journey.backfill import ORDERS_A_SLICE
from clew.store.imports import Import, note_arrival, read_import, unfinished_imports, write_import

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
    """An import; ``rebuilt`` counts orders whose journeys are made."""

    import_id: str
    name: str
    flow: str
    begun_at: str
    rebuilt: int
    done: bool


class ReceivedModel(BaseModel):
    """How many events were stored."""

    events: int


class RebuiltModel(ImportModel):
    """How far the journeys are: ``orders`` in all (about), ``distinct`` events stored."""

    orders: int
    distinct: int


async def event_lines(request: Request) -> bytes:
    """The body whole."""
    return await whole_body(request, _LARGEST, "the request is larger than 16 MiB", "send fewer events at a time")


ImportId = Annotated[int, Path(description="the id that beginning the import gave", ge=1, lt=1 << 62)]


def import_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /imports. Blocking calls run on worker threads."""
    routes = APIRouter(tags=["imports"], responses=RESPONSES)

    @routes.get("/imports", summary="Imports whose journeys are not all rebuilt")
    def list_imports() -> list[ImportModel]:
        return [import_model(each) for each in unfinished_imports(deps.store)]

    @routes.post("/imports", summary="Begin an import", status_code=201)
    def begin_import(new: NewImport) -> ImportModel:
        if new.flow and not fits_name(new.flow):
            raise invalid(f"flow: {new.flow!r} can't be the name of a flow", NAME_RULE)
        begun = Import(deps.now_ns(), new.name, new.flow)
        write_import(deps.store, begun)
        return import_model(begun)

    @routes.post("/imports/{import_id}/events", summary="Store some of its events", openapi_extra=_LINES_BODY)
    def import_events(import_id: ImportId, lines: Annotated[bytes, Depends(event_lines)]) -> ReceivedModel:
        known = read_import(deps.store, import_id)
        if known is None:
            raise _unknown(import_id)
        token = f"import-{import_id}-{hashlib.sha256(lines).hexdigest()}"
        deps.store.import_events(lines, known.flow, import_id, token)
        note_arrival(deps.store, known)
        return ReceivedModel(events=sum(map(bool, lines.split(b"\n"))))

    @routes.post("/imports/{import_id}/rebuild", summary="Rebuild the journeys of its next orders")
    def rebuild_imported(
        import_id: ImportId,
        limit: Annotated[int, Query(ge=1, le=ORDERS_A_SLICE, description="orders at most")] = ORDERS_A_SLICE,
    ) -> RebuiltModel:
        further = deps.backfill.step(import_id, limit)
        if further is None:
            raise _unknown(import_id)
        return RebuiltModel(
            **import_model(further).model_dump(), orders=max(further.orders, further.rebuilt), distinct=further.events
        )

    return routes


def _unknown(import_id: int) -> ApiError:
    return not_found(f"no import {import_id}", "begin one with POST /api/v1/imports")


def import_model(import_: Import) -> ImportModel:
    """An import as it is told."""
    return ImportModel(
        import_id=str(import_.import_id),
        name=import_.name,
        flow=import_.flow,
        begun_at=moment(import_.import_id),
        rebuilt=import_.rebuilt,
        done=import_.done,
    )
