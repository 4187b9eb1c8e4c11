"""What is missing to reach a cluster, by its files alone: the Kubernetes client isn't loaded, and nothing is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from clew.model.reaction import Cluster
from clew.react.actions.contract import Lack

# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
_POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_POD_HOST = "KUBERNETES_SERVICE_HOST"


def lacks_of_cluster(cluster: Cluster, environment: Mapping[str, str]) -> Iterator[Lack]:
    """What keeps an action from being sent to a cluster."""
    if cluster.kubeconfig:
        yield from _of_kubeconfig(cluster)
    elif cluster.url:
        yield from _of_file("token_file", cluster.token_file, "write the token of a service account into it")
        if cluster.ca_file:
            yield from _of_file("ca_file", cluster.ca_file, "write the certificate of the cluster's authority into it")
    elif not environment.get(_POD_HOST) or not _POD_TOKEN.exists():
        cause = "no cluster is named, and Clew does not run in a pod with a service account"
        yield Lack("cluster", cause, "name one that 'clusters:' declares, or run Clew in the cluster that it acts on")


def _of_file(key: str, path: str, mend: str) -> Iterator[Lack]:
    try:
        empty = not Path(path).read_bytes().strip()
    except OSError as error:
        yield Lack(key, f"the file {path} can't be read: {error.strerror}", mend)
    else:
        if empty:
            yield Lack(key, f"the file {path} is empty", mend)


def _of_kubeconfig(cluster: Cluster) -> Iterator[Lack]:
    path = cluster.kubeconfig
    try:
        read = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        yield Lack("kubeconfig", f"the file {path} can't be read: {error.strerror}", "give the path of a kubeconfig")
        return
    except (yaml.YAMLError, UnicodeDecodeError):  # whose words may show a token
        read = None
    if not isinstance(read, Mapping) or not isinstance(read.get("contexts"), list):
        yield Lack("kubeconfig", f"the file {path} is no kubeconfig", "write one with: kubectl config view --raw")
        return
    names = [str(each.get("name")) for each in read["contexts"] if isinstance(each, Mapping)]
    wanted = cluster.context or str(read.get("current-context") or "")
    if wanted not in names:
        cause = f"{path} has no context {wanted!r}" if wanted else f"{path} names no current context"
        yield Lack(
            "context" if cluster.context else "kubeconfig",
            cause,
            f"name one of its contexts as 'context': {', '.join(names)}",
        )
