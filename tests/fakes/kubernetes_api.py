"""A Kubernetes API server, as far as reactions speak to it: deployments and stateful sets, restarts and scales.

Paths, content types, conflicts, dry runs and errors as
https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/ and .../using-api/api-concepts/ say.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.server import FakeServer, Reply, Request, reply

TOKEN = "hunter2-service-account-token"
_PATH = re.compile(r"/apis/apps/v1/namespaces/([a-z0-9-]+)/(deployments|statefulsets)/([a-z0-9.-]+)(/scale)?")
_STRATEGIC = "application/strategic-merge-patch+json"
_MERGE = "application/merge-patch+json"
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    415: "UnsupportedMediaType",
}


@dataclass
class Workload:
    """A deployment or a stateful set."""

    replicas: int = 2
    paused: bool = False
    annotations: dict[str, str] = field(default_factory=dict)
    version: int = 100


class FakeKubernetes(FakeServer):
    """``workloads`` by (kind, namespace, name); ``roles`` are the (verb, resource) that the token may."""

    def __init__(self) -> None:
        super().__init__()
        self.workloads: dict[tuple[str, str, str], Workload] = {
            ("deployments", "shop", "shop-api"): Workload(),
            ("statefulsets", "shop", "shop-db"): Workload(),
        }
        self.roles = {
            ("patch", "deployments"), ("get", "deployments/scale"), ("patch", "deployments/scale"),
            ("get", "statefulsets/scale"), ("patch", "statefulsets/scale"),
        }  # fmt: skip

    @property
    def deployment(self) -> Workload:
        return self.workloads["deployments", "shop", "shop-api"]

    @property
    def stateful_set(self) -> Workload:
        return self.workloads["statefulsets", "shop", "shop-db"]

    def with_tls(self, certificate: str, key: str) -> None:
        """Speak HTTPS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization", "").lower() != f"bearer {TOKEN}".lower():
            return status(401, "Unauthorized")
        parts = urlsplit(request.path)
        match = _PATH.fullmatch(parts.path)
        if match is None:
            return status(404, "the server could not find the requested resource")
        namespace, kind, name, scale = match.groups()
        resource, verb = kind + (scale or ""), request.method.lower()
        if (verb, resource) not in self.roles:
            who = 'User "system:serviceaccount:clew:clew"'
            return status(
                403,
                f'{resource.partition("/")[0]}.apps "{name}" is forbidden: {who} cannot {verb} resource "{resource}"',
            )
        workload = self.workloads.get((kind, namespace, name))
        if workload is None:
            return status(404, f'{kind}.apps "{name}" not found')
        if verb == "get":
            return reply(200, _scale(namespace, name, workload))
        query = parse_qs(parts.query)
        if query.get("dryRun", ["All"]) != ["All"] or query.get("fieldManager") != ["clew"]:
            self.wrong.append(f"query {parts.query}")
        change = self._scaled if scale else self._restarted
        return change(request, namespace, name, workload, "dryRun" in query)

    def _restarted(self, request: Request, namespace: str, name: str, workload: Workload, dry: bool) -> Reply:
        if request.headers.get("content-type") != _STRATEGIC:
            return status(415, "the body of the request was in an unknown format")
        body = request.json()
        annotations = body["spec"]["template"]["metadata"]["annotations"]
        moment = annotations.get("kubectl.kubernetes.io/restartedAt", "")
        if body != {"spec": {"template": {"metadata": {"annotations": annotations}}}} or len(annotations) != 1:
            self.wrong.append(f"patch {body}")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment):
            self.wrong.append(f"restartedAt {moment}")
        if not dry:
            workload.annotations.update(annotations)
            workload.version += 1
        return reply(200, _deployment(namespace, name, workload))

    def _scaled(self, request: Request, namespace: str, name: str, workload: Workload, dry: bool) -> Reply:
        if request.headers.get("content-type") != _MERGE:
            return status(415, "the body of the request was in an unknown format")
        body = request.json()
        if body.keys() != {"metadata", "spec"} or body["spec"].keys() != {"replicas"}:
            self.wrong.append(f"patch {body}")
        if body["metadata"]["resourceVersion"] != str(workload.version):
            return status(409, f'Operation cannot be fulfilled on "{name}": the object has been modified')
        if not dry:
            workload.replicas = body["spec"]["replicas"]
            workload.version += 1
        return reply(200, _scale(namespace, name, workload))


def status(code: int, message: str) -> Reply:
    """A failure as the API server tells it."""
    told = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": _REASONS.get(code, "InternalError"), "code": code,
    }  # fmt: skip
    return reply(code, told)


def _scale(namespace: str, name: str, workload: Workload) -> dict[str, Any]:
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(workload.version)},
        "spec": {"replicas": workload.replicas} if workload.replicas else {},
        "status": {"replicas": workload.replicas, "selector": "app=shop"},
    }  # fmt: skip


def _deployment(namespace: str, name: str, workload: Workload) -> dict[str, Any]:
    labels = {"app": "shop"}
    template = {
        "metadata": {"labels": labels, "annotations": workload.annotations},
        "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
    }
    return {
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": str(workload.version), "generation": 2},
        "spec": {
            "replicas": workload.replicas, "selector": {"matchLabels": labels}, "template": template,
            **({"paused": True} if workload.paused else {}),
        },
        "status": {},
    }  # fmt: skip
