"""Clew doesn't follow itself: FastAPI would trace every request as soon as the process has a tracer provider."""

import subprocess
import sys

SCRIPT = """
import asyncio, httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

from fastapi import FastAPI
from clew.api import ApiDeps, create_api

async def ask(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://clew") as client:
        await client.get("/healthz")
    count = len(spans.get_finished_spans())
    spans.clear()
    return count

print(asyncio.run(ask(FastAPI())) > 0, asyncio.run(ask(create_api(ApiDeps(None, None, None)))))
"""


def test_a_request_leaves_no_span():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["True", "0"], done.stderr
