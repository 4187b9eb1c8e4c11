"""Sets the replicas of a deployment or stateful set by its scale, within bounds.

The patch names the version that was read, so a change by somebody else in between (an autoscaler, a person) is a
conflict and not overwritten. https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-apply
"""

from __future__ import annotations

from clew.model.reaction import Scale, Workload
from clew.react.actions.failures import ActionFailed, ActionPassing, ActionUnknown
from clew.react.actions.kubernetes_api import MANAGER, apps_of, timeouts

_PATCH = "application/merge-patch+json"


def wanted(action: Scale, replicas: int) -> int:
    """How many replicas there shall be where there are ``replicas``. Raises ActionFailed when nothing would change."""
    aim = action.to if action.by is None else replicas + action.by
    aim = min(max(aim or 0, action.least), action.most)
    down = action.by is not None and action.by < 0
    backwards = action.by is not None and (aim > replicas if down else aim < replicas)
    if aim == replicas or backwards:
        raise ActionFailed(
            f"{action.target} has {replicas} replicas, and may have {action.least} to {action.most}: "
            "nothing is left to scale; look for another cause, or change the bounds"
        )
    return aim


def scale(action: Scale, dry: bool) -> str:
    """Scale it; what was done in words. ``dry``: let the API server check everything and change nothing.

    Raises ActionFailed.
    """
    before, version = _read(action)
    aim = wanted(action, before)
    body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": aim}}
    with apps_of(action.cluster, action.target) as apps:
        deployment = action.workload is Workload.DEPLOYMENT
        patch = apps.patch_namespaced_deployment_scale if deployment else apps.patch_namespaced_stateful_set_scale
        patch(
            action.name, action.namespace, body, dry_run="All" if dry else None, field_manager=MANAGER,
            _content_type=_PATCH, _request_timeout=timeouts(action.timeout_ns),
        )  # fmt: skip
    return f"{'would scale' if dry else 'scaled'} {action.target} from {before} to {aim}"


def _read(action: Scale) -> tuple[int, str | None]:
    """How many replicas there are to be now, and the version of that."""
    try:
        with apps_of(action.cluster, action.target) as apps:
            deployment = action.workload is Workload.DEPLOYMENT
            read = apps.read_namespaced_deployment_scale if deployment else apps.read_namespaced_stateful_set_scale
            now = read(action.name, action.namespace, _request_timeout=timeouts(action.timeout_ns))
            replicas = (now.spec.replicas if now.spec else None) or 0
            return replicas, now.metadata.resource_version if now.metadata else None
    except ActionUnknown as error:
        raise ActionPassing(str(error)) from None  # nothing was changed by reading
