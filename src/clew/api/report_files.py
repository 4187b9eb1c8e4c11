"""A report as JSON, or as a table that a browser saves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel
from starlette.responses import Response

from clew.api.report_tables import as_csv

Form = Annotated[Literal["json", "csv"], Query(alias="format", description="csv is a table, as `--csv` prints it")]
Answer = BaseModel | Response
BOTH: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "The report"}}
"""How a route that answers in both forms describes it."""


def in_form(form: str, name: str, report: BaseModel) -> Answer:
    """A report in the form that was asked for."""
    if form == "json":
        return report
    file = {"Content-Disposition": f'attachment; filename="clew-{name}.csv"'}
    return Response(as_csv(name, report.model_dump(mode="json", by_alias=True)), media_type="text/csv", headers=file)
