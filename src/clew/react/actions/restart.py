"""Restarts a deployment as ``kubectl rollout restart`` does: by an annotation of its pods' template.

The annotation is the moment of the run, so the same patch sent twice restarts once.
https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-k8s-io-restartedat
"""

from __future__ import annotations

from datetime import UTC, datetime

from clew.model.reaction import Restart
from clew.react.actions.failures import ActionFailed, ActionPassing, ActionUnknown
from clew.react.actions.kubernetes_api import MANAGER, apps_of, timeouts

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
_PATCH = "application/strategic-merge-patch+json"


def restart(action: Restart, at_ns: int, dry: bool) -> str:
    """Restart it; what was done in words. ``dry``: let the API server check everything and change nothing.

    Raises ActionFailed.
    """
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: moment}}}}}
    try:
        with apps_of(action.cluster, action.target) as apps:
            answered = apps.patch_namespaced_deployment(
                action.deployment, action.namespace, body, dry_run="All" if dry else None, field_manager=MANAGER,
                _content_type=_PATCH, _request_timeout=timeouts(action.timeout_ns),
            )  # fmt: skip
            paused = bool(answered.spec and answered.spec.paused)
    except ActionUnknown as error:
        raise ActionPassing(str(error)) from None  # the same patch again changes nothing more
    if paused:
        raise ActionFailed(f"{action.target} is paused, so nothing restarts; run kubectl rollout resume")
    return f"{'would restart' if dry else 'began to restart'} {action.target}"
