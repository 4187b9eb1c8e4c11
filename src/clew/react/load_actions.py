"""The ``action`` of a reaction: one of restart, scale, command, webhook; and the clusters that the first two name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import yaml

from clew.flow.nodes import Reader, did_you_mean, join
from clew.model.reaction import (
    COMMAND_TIMEOUT_NS,
    KUBERNETES_TIMEOUT_NS,
    WEBHOOK_TIMEOUT_NS,
    Action,
    Cluster,
    Command,
    Restart,
    Scale,
    Webhook,
    Workload,
)
from clew.react.fields import Fields, fields_of

SECRET_MEND = "write env:NAME for a variable of Clew's environment, or file:/PATH for a file"  # noqa: S105 - a mend

CLUSTER_KEYS = ("kubeconfig", "context", "url", "token_file", "ca_file")
RESTART_KEYS = ("deployment", "namespace", "cluster", "timeout")
SCALE_KEYS = ("deployment", "stateful_set", "namespace", "by", "to", "least", "most", "cluster", "timeout")
COMMAND_KEYS = ("run", "environment", "secrets", "directory", "timeout")
WEBHOOK_KEYS = ("url", "secret", "allow_private", "timeout")
KINDS = ("restart", "scale", "command", "webhook")

MOST_REPLICAS = 1_000
LONGEST_NS = 3600 * 10**9
"""An action may take an hour at most: nobody would wait longer for a run to end."""

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+")


def read_clusters(reader: Reader, node: yaml.Node | None, key: str = "clusters") -> dict[str, Cluster]:
    """Clusters by name; mistakes are reported."""
    entries = {} if node is None else reader.mapping(node, key)
    return {
        name: _cluster(name, fields_of(reader, body, join(key, name), CLUSTER_KEYS)) for name, body in entries.items()
    }


def _cluster(name: str, said: Fields) -> Cluster:
    cluster = Cluster(name, **{key: said.text(key) for key in CLUSTER_KEYS})
    if cluster.url and cluster.kubeconfig:
        said.wrong("url", "a kubeconfig and an address are given", "keep one of the two")
    if cluster.context and not cluster.kubeconfig:
        said.wrong("context", "a context without its kubeconfig", "name the file as 'kubeconfig'")
    if cluster.url:
        _check_api(said, cluster)
    elif cluster.token_file or cluster.ca_file:
        said.wrong("token_file" if cluster.token_file else "ca_file", "no address is given", "add 'url: https://…'")
    return cluster


def _check_api(said: Fields, cluster: Cluster) -> None:
    scheme, host = _address(cluster.url)
    if scheme not in ("http", "https") or not host:
        said.wrong("url", "this is no address of a Kubernetes API", "write https://HOST:PORT")
    elif scheme == "http" and not _loopback(host):
        said.wrong("url", "the token would travel in clear", "write https://")
    if not cluster.token_file:
        said.wrong("token_file", "'token_file' is missing", "name the file that holds the token of a service account")


def read_action(
    reader: Reader, node: yaml.Node | None, key: str, name: str, clusters: Mapping[str, Cluster]
) -> Action | None:
    """The action at a node; None when it has mistakes, which are reported. ``name`` is the reaction's."""
    entries = {} if node is None else reader.mapping(node, key, KINDS)
    if len(entries) != 1:
        cause = "no action is given" if not entries else "more than one action is given"
        reader.report(key, cause, f"give one of: {', '.join(KINDS)}", node)
        return None
    ((kind, body),) = entries.items()
    known = len(reader.problems)
    full = join(key, kind)
    action: Action
    match kind:
        case "restart":
            action = _restart(fields_of(reader, body, full, RESTART_KEYS), clusters)
        case "scale":
            action = _scale(fields_of(reader, body, full, SCALE_KEYS), clusters)
        case "command":
            action = _command(fields_of(reader, body, full, COMMAND_KEYS))
        case _:
            action = _webhook(name, fields_of(reader, body, full, WEBHOOK_KEYS))
    return action if len(reader.problems) == known else None


def _restart(said: Fields, clusters: Mapping[str, Cluster]) -> Restart:
    return Restart(
        deployment=_object(said, "deployment"),
        namespace=_namespace(said),
        cluster=_named_cluster(said, clusters),
        timeout_ns=_timeout(said, KUBERNETES_TIMEOUT_NS),
    )


def _scale(said: Fields, clusters: Mapping[str, Cluster]) -> Scale:
    given = [each for each in ("deployment", "stateful_set") if each in said]
    if len(given) != 1:
        said.wrong(given[1] if given else "", "name a deployment or a stateful set", "keep one of the two")
    workload = Workload(given[0]) if given else Workload.DEPLOYMENT
    least, most = said.whole("least", 0, MOST_REPLICAS), said.whole("most", 0, MOST_REPLICAS)
    if "most" not in said:
        said.wrong("most", "'most' is missing", "say how many replicas there may be at most")
    scale = Scale(
        workload=workload,
        name=_object(said, workload.value) if given else "",
        namespace=_namespace(said),
        least=1 if least is None else least,
        most=MOST_REPLICAS if most is None else most,
        by=said.whole("by", -MOST_REPLICAS, MOST_REPLICAS),
        to=said.whole("to", 0, MOST_REPLICAS),
        cluster=_named_cluster(said, clusters),
        timeout_ns=_timeout(said, KUBERNETES_TIMEOUT_NS),
    )
    _check_scale(said, scale)
    return scale


def _check_scale(said: Fields, scale: Scale) -> None:
    if ("by" in said) == ("to" in said):
        said.wrong(
            "to" if "to" in said else "", "say how far to scale", "give either 'by', such as 1, or 'to', such as 3"
        )
    if scale.by == 0:
        said.wrong("by", "nothing would be scaled", "write for example 1, or -1")
    if scale.least > scale.most:
        said.wrong("most", "'most' is below 'least'", "let 'most' be the larger one")
    elif scale.to is not None and not scale.least <= scale.to <= scale.most:
        said.wrong("to", f"{scale.to} is not within {scale.least} to {scale.most}", "change it, or the bounds")


def _command(said: Fields) -> Command:
    # Unlike other lists, a command may say the same thing twice, or nothing.
    key = join(said.key, "run")
    argv = tuple(said.reader.text(node, full) for full, node in said.reader.items(said.entries.get("run"), key))
    environment = said.texts("environment") if "environment" in said else ("PATH",)
    command = Command(
        argv=argv,
        environment=environment,
        secrets=_secrets(said, said.named_texts("secrets")),
        directory=said.text("directory"),
        timeout_ns=_timeout(said, COMMAND_TIMEOUT_NS),
    )
    _check_program(said, argv)
    if wrong := [name for name in (*environment, *command.secrets) if not _VARIABLE.fullmatch(name)]:
        said.wrong("environment", f"{wrong[0]!r} is no name of a variable", "name variables, such as PATH, not values")
    if command.directory and not command.directory.startswith("/"):
        said.wrong("directory", f"{command.directory!r} is no whole path", "begin with /")
    return command


def _check_program(said: Fields, argv: tuple[str, ...]) -> None:
    if not argv or not argv[0]:
        said.wrong("run", "no program is given", "write a list such as [/usr/local/bin/free-disk, --now]")
    elif len(argv) == 1 and " " in argv[0]:
        said.wrong("run", "no shell reads this one word with spaces in it", "write a list: [PROGRAM, WORD, …]")
    elif not argv[0].startswith("/"):
        said.wrong("run", f"{argv[0]!r} is no whole path of a program", "begin with /")
    if any("\0" in word for word in argv):
        said.wrong("run", "a word holds a NUL", "remove it")


def _webhook(name: str, said: Fields) -> Webhook:
    url = said.needed("url", f"write https://…, or to keep it secret: {SECRET_MEND}")
    if url and not _SECRET.fullmatch(url):
        _check_url(said, url)
    secret = said.text("secret")
    if secret and not _SECRET.fullmatch(secret):
        said.wrong("secret", "this is no place of a secret", SECRET_MEND)
    allowed = tuple(host.lower() for host in said.texts("allow_private"))
    return Webhook(name, url, secret, allowed, _timeout(said, WEBHOOK_TIMEOUT_NS))


def _check_url(said: Fields, url: str) -> None:
    scheme, host = _address(url)
    if scheme not in ("http", "https") or not host:
        said.wrong("url", "this is no address", f"write https://…, or to keep it secret: {SECRET_MEND}")
    elif "@" in urlsplit(url).netloc:
        said.wrong("url", "a password in an address is shown to whoever reads the file", SECRET_MEND)


def _secrets(said: Fields, secrets: dict[str, str]) -> dict[str, str]:
    for name, place in secrets.items():
        if not _SECRET.fullmatch(place):
            said.wrong("secrets", f"{name} has no place of a secret", SECRET_MEND)
    return secrets


def _object(said: Fields, name: str) -> str:
    text = said.needed(name, "give its name")
    if text and not _SUBDOMAIN.fullmatch(text):
        said.wrong(name, f"{text!r} is no name in Kubernetes", "use a-z, 0-9, '-' and '.'")
    return text


def _namespace(said: Fields) -> str:
    text = said.text("namespace") or "default"
    if not _LABEL.fullmatch(text):
        said.wrong("namespace", f"{text!r} is no namespace in Kubernetes", "use a-z, 0-9 and '-', 63 at most")
    return text


def _named_cluster(said: Fields, clusters: Mapping[str, Cluster]) -> Cluster:
    name = said.text("cluster")
    if name and name not in clusters:
        mend = did_you_mean(name, clusters) or "declare it under 'clusters:'"
        said.wrong("cluster", f"no cluster {name!r} is declared", mend)
    return clusters.get(name, Cluster())


def _timeout(said: Fields, default_ns: int) -> int:
    return said.length("timeout", default_ns, LONGEST_NS) or default_ns


def _address(url: str) -> tuple[str, str]:
    """Scheme and host of an address; empty where it has none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return "", ""


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
