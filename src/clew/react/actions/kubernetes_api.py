"""A Kubernetes API by its official client, and its errors told apart: passing, permanent, and who knows.

Each action connects anew: tokens and certificates are renewed in their files, and actions are rare.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from clew.model.reaction import Cluster
from clew.react.actions.failures import ActionFailed, ActionPassing, ActionUnknown
from clew.react.words import tidy

if TYPE_CHECKING:
    from kubernetes.client import AppsV1Api, Configuration

MANAGER = "clew"
"""Who changed a field, as Kubernetes records it."""

_CONNECT_S = 5.0
_ROLE = "give Clew's service account the role that docs/react.md shows"


def timeouts(timeout_ns: int) -> tuple[float, float]:
    """Seconds to connect and to wait for an answer, as the client wants them."""
    whole = timeout_ns / 10**9
    return min(_CONNECT_S, whole), whole


@contextlib.contextmanager
def apps_of(cluster: Cluster, what: str) -> Iterator[AppsV1Api]:
    """The part of the API that has deployments and stateful sets. ``what`` is acted on, for messages.

    Raises ActionPassing where nothing was changed and it may work in a moment, ActionUnknown where it may have been
    changed, else ActionFailed. Errors of the client are never chained to them: some hold the token.
    """
    # Imported late: the client takes 0.8 s of CPU and 47 MB, which nobody pays who has no cluster.
    from kubernetes import client

    configuration = _configuration(cluster)
    api = client.ApiClient(configuration, "Connection", "close")
    with contextlib.closing(api.rest_client), _told(what, configuration.host):
        yield client.AppsV1Api(api)


def _configuration(cluster: Cluster) -> Configuration:
    from kubernetes import client, config
    from urllib3.util import Retry

    configuration = client.Configuration()
    try:
        if cluster.url:
            configuration = client.Configuration(host=cluster.url.rstrip("/"), ssl_ca_cert=cluster.ca_file or None)
            configuration.api_key = {"BearerToken": f"Bearer {_token(cluster.token_file)}"}
        elif cluster.kubeconfig:
            config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has types elsewhere only
                cluster.kubeconfig, cluster.context or None, configuration, persist_config=False
            )
        else:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            # A token that ends with a line would break a header, and be shown by the error.
            configuration.api_key = {name: key.strip() for name, key in configuration.api_key.items()}
            configuration.refresh_api_key_hook = None
    except (config.ConfigException, OSError, ValueError) as error:
        told = f"{_named(cluster)} can't be reached as it is set up: {_cause(error)}"
        raise ActionFailed(f"{told}; docs/react.md says how a cluster is named") from None
    # Whether to try again is decided by the kind of failure; a redirect could lead the token elsewhere.
    configuration.retries = Retry(total=False, redirect=0, raise_on_redirect=False)
    return configuration


def _named(cluster: Cluster) -> str:
    return f"the cluster {cluster.name}" if cluster.name else "the cluster that Clew runs in"


def _token(path: str) -> str:
    token = Path(path).read_text(encoding="ascii").strip()
    if not token or not token.isprintable():
        raise ValueError(f"{path} holds no token; write that of a service account into it")
    return token


def _cause(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "a file with a token is not text"
    return tidy(f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error), 300)


@contextlib.contextmanager
def _told(what: str, host: str) -> Iterator[None]:
    from kubernetes.client.exceptions import ApiException, OpenApiException
    from urllib3 import exceptions as urllib3

    try:
        yield
    except ApiException as error:
        raise _of_status(error, what) from None
    except (urllib3.NewConnectionError, urllib3.ConnectTimeoutError) as error:
        raise ActionPassing(f"{host} can't be reached: {_inner(error)}; see that the API server runs") from None
    except urllib3.SSLError as error:
        raise ActionFailed(f"{host} shows no certificate that is trusted: {_inner(error)}; see 'ca_file'") from None
    except (urllib3.TimeoutError, urllib3.HTTPError, OSError) as error:
        told = "gave no answer in time" if isinstance(error, urllib3.TimeoutError) else f"broke off: {_inner(error)}"
        raise ActionUnknown(f"{host} {told}, so nobody knows whether {what} was changed; look at it") from None
    except (OpenApiException, ValueError, TypeError, AttributeError):
        raise ActionUnknown(f"{host} does not answer as a Kubernetes API does; check the cluster's address") from None


def _of_status(error: object, what: str) -> ActionFailed:
    status, reason = getattr(error, "status", None), getattr(error, "reason", "")
    words = _words_of(getattr(error, "body", None)) or str(reason or "")
    told = f"Kubernetes answers {status} for {what}: {tidy(words, 300)}"
    match status:
        case 0:  # what the client makes of a certificate that isn't trusted
            return ActionFailed(f"no certificate that is trusted: {tidy(words, 300)}; see 'ca_file'")
        case 401:
            return ActionFailed(f"{told}; the token is wrong or has expired: renew it")
        case 403:
            return ActionFailed(f"{told}; {_ROLE}")
        case 404:
            return ActionFailed(f"{told}; check name, namespace and cluster")
        case 409:
            return ActionPassing(f"{told}; somebody else changed it at the same time")
        case 429:
            return ActionPassing(f"{told}; the API server is busy")
        case int() if status >= 500:
            return ActionUnknown(f"{told}; look at the API server")
        case _:
            return ActionFailed(f"{told}; check the reaction")


def _words_of(body: object) -> str:
    """What a Status object says (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/)."""
    try:
        told = json.loads(str(body))["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(told)


def _inner(error: Exception) -> str:
    """The cause, without the client's own object in front of it."""
    return tidy(str(error).rpartition(">: ")[2], 200) or type(error).__name__
