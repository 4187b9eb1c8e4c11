"""Restarts and scales by the official client, against a server that speaks the API paths they use."""

import subprocess
from dataclasses import replace

import pytest
import yaml
from kubernetes.config import incluster_config

from clew.model.reaction import Cluster, Restart, Scale, Workload
from clew.react.actions.failures import ActionFailed, ActionPassing, ActionUnknown
from clew.react.actions.restart import ANNOTATION, restart
from clew.react.actions.scale import scale, wanted
from tests.fakes.kubernetes_api import TOKEN, FakeKubernetes, status
from tests.fakes.server import BROKEN, GONE, Reply, running
from tests.react.builders import NOW, SECOND


@pytest.fixture
def kubernetes():
    with running(FakeKubernetes) as fake:
        yield fake
    assert fake.wrong == []


@pytest.fixture
def cluster(kubernetes, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    return Cluster("shop", url=kubernetes.url, token_file=str(token))


@pytest.fixture
def shop(cluster):
    return Restart("shop-api", "shop", cluster)


@pytest.fixture
def out(cluster):
    return Scale(Workload.DEPLOYMENT, "shop-api", "shop", 1, 5, by=1, cluster=cluster)


def test_a_restart_is_the_annotation_that_kubectl_writes(kubernetes, shop):
    assert restart(shop, NOW, dry=False) == "began to restart deployment shop/shop-api of shop"
    assert kubernetes.deployment.annotations == {ANNOTATION: "2026-11-18T11:06:40Z"}
    (request,) = kubernetes.requests
    assert request.method == "PATCH"
    assert request.path.startswith("/apis/apps/v1/namespaces/shop/deployments/shop-api?")


def test_a_dry_restart_is_checked_by_the_server_and_changes_nothing(kubernetes, shop):
    assert restart(shop, NOW, dry=True) == "would restart deployment shop/shop-api of shop"
    assert kubernetes.deployment.annotations == {}
    kubernetes.roles.clear()
    with pytest.raises(ActionFailed, match="cannot patch"):
        restart(shop, NOW, dry=True)


def test_a_paused_deployment_is_told_as_it_would_not_restart(kubernetes, shop):
    kubernetes.deployment.paused = True
    with pytest.raises(ActionFailed, match="is paused, so nothing restarts; run kubectl rollout resume"):
        restart(shop, NOW, dry=False)


@pytest.mark.parametrize(
    ("workload", "change", "after"),
    [
        (Workload.DEPLOYMENT, {"by": 2}, 4),
        (Workload.DEPLOYMENT, {"by": 9}, 5),
        (Workload.DEPLOYMENT, {"by": -9}, 1),
        (Workload.STATEFUL_SET, {"by": None, "to": 5}, 5),
        (Workload.STATEFUL_SET, {"by": -2, "least": 0}, 0),
    ],
)
def test_a_scale_stays_within_its_bounds(kubernetes, out, workload, change, after):
    name = "shop-api" if workload is Workload.DEPLOYMENT else "shop-db"
    action = replace(out, workload=workload, name=name, **change)
    assert scale(action, dry=True) == f"would scale {action.target} from 2 to {after}"
    assert scale(action, dry=False) == f"scaled {action.target} from 2 to {after}"
    replicas = {kind: each.replicas for (kind, _, _), each in kubernetes.workloads.items()}
    expected = {"deployments": 2, "statefulsets": 2} | {f"{workload.replace('_', '')}s": after}
    assert replicas == expected


def test_nothing_is_written_when_nothing_is_left_to_scale(kubernetes, out):
    kubernetes.deployment.replicas = 5
    with pytest.raises(ActionFailed, match="has 5 replicas, and may have 1 to 5: nothing is left to scale"):
        scale(out, dry=False)
    assert [request.method for request in kubernetes.requests] == ["GET"]


def test_what_a_person_scaled_beyond_the_bounds_is_not_turned_round(out):
    with pytest.raises(ActionFailed):
        wanted(out, 9)  # up by one would be down to five
    assert wanted(replace(out, by=None, to=3), 9) == 3


def test_none_to_one_can_be_scaled(kubernetes, out):
    """A server leaves out replicas that are 0."""
    kubernetes.deployment.replicas = 0
    assert scale(out, dry=False).endswith("from 0 to 1")


def test_a_scale_that_somebody_else_changed_meanwhile_is_a_conflict(kubernetes, out):
    answer = kubernetes.answer

    def changed_meanwhile(request):
        if request.method == "PATCH":
            kubernetes.deployment.version += 1
        return answer(request)

    kubernetes.answer = changed_meanwhile
    with pytest.raises(ActionPassing, match="somebody else changed it at the same time"):
        scale(out, dry=False)
    assert kubernetes.deployment.replicas == 2


@pytest.mark.parametrize(
    ("fault", "restarting", "scaling", "told"),
    [
        (status(401, "Unauthorized"), ActionFailed, ActionFailed, "answers 401 .* renew it"),
        (status(403, "deployments.apps is forbidden"), ActionFailed, ActionFailed, "is forbidden; give .* the role"),
        (status(404, "not found"), ActionFailed, ActionFailed, "check name, namespace and cluster"),
        (status(409, "modified"), ActionPassing, ActionPassing, "at the same time"),
        (status(422, "invalid"), ActionFailed, ActionFailed, "check the reaction"),
        (status(429, "too many requests"), ActionPassing, ActionPassing, "is busy"),
        (status(500, "etcdserver: request timed out"), ActionPassing, ActionUnknown, "request timed out"),
        (BROKEN, ActionPassing, ActionUnknown, "answers 500"),
        (GONE, ActionPassing, ActionUnknown, "nobody knows whether"),
        (Reply(200, b"slow", slow_s=30), ActionPassing, ActionUnknown, "no answer in time, so nobody knows"),
        (Reply(200, b"<html>", {"content-type": "text/html"}), ActionPassing, ActionUnknown, "not answer as a Kube"),
        (Reply(302, headers={"location": "http://127.0.0.1:1/elsewhere"}), ActionFailed, ActionFailed, "answers 302"),
    ],
)
def test_what_fails_is_told_apart(kubernetes, shop, out, fault, restarting, scaling, told):
    """A restart can be patched twice, a scale by some more cannot: there, who knows is not the same as not yet."""
    answer = kubernetes.answer
    kubernetes.answer = lambda request: answer(request) if request.method == "GET" else fault
    timeout_ns = 2 * SECOND if fault.slow_s else 30 * SECOND
    for act, wanted_error in (
        (lambda: restart(replace(shop, timeout_ns=timeout_ns), NOW, dry=False), restarting),
        (lambda: scale(replace(out, timeout_ns=timeout_ns), dry=False), scaling),
    ):
        with pytest.raises(ActionFailed, match=told) as caught:
            act()
        assert type(caught.value) is wanted_error
        assert TOKEN not in str(caught.value)


def test_a_failure_while_only_reading_may_pass(kubernetes, out):
    kubernetes.always = BROKEN
    with pytest.raises(ActionPassing, match="answers 500"):
        scale(out, dry=False)


def test_a_server_that_is_gone_may_come_back(shop):
    gone = replace(shop, cluster=replace(shop.cluster, url="http://127.0.0.1:1"))
    with pytest.raises(ActionPassing, match=r"can't be reached: .*refused"):
        restart(gone, NOW, dry=False)


def test_a_redirect_is_not_followed_with_the_token(kubernetes, shop):
    with running(FakeKubernetes) as elsewhere:
        kubernetes.always = Reply(307, headers={"location": f"{elsewhere.url}/apis"})
        with pytest.raises(ActionFailed, match="answers 307"):
            restart(shop, NOW, dry=False)
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file"), ("", "holds no token"), ("a\nb", "holds no token"), ("ü", "not text")],
)
def test_a_token_file_that_holds_none_is_named(shop, tmp_path, content, told):
    path = tmp_path / "token"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(ActionFailed, match=f"the cluster shop can't be reached as it is set up: .*{told}"):
        restart(shop, NOW, dry=False)


def test_a_token_is_read_anew_as_it_is_renewed(kubernetes, shop, tmp_path):
    (tmp_path / "token").write_text("an old one")
    with pytest.raises(ActionFailed, match="renew it"):
        restart(shop, NOW, dry=False)
    (tmp_path / "token").write_text(TOKEN)
    assert restart(shop, NOW, dry=False)


def test_a_kubeconfig_names_server_and_token(kubernetes, shop, tmp_path):
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "elsewhere",
        "clusters": [{"name": "c", "cluster": {"server": kubernetes.url}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    by_file = Cluster("shop", str(path), "shop")
    assert restart(replace(shop, cluster=by_file), NOW, dry=False)
    with pytest.raises(ActionFailed, match="can't be reached as it is set up"):
        restart(replace(shop, cluster=replace(by_file, context="nowhere")), NOW, dry=False)
    with pytest.raises(ActionFailed, match="can't be reached as it is set up"):
        restart(replace(shop, cluster=replace(by_file, kubeconfig="/nowhere")), NOW, dry=False)


@pytest.fixture
def tls(tmp_path):
    """A certificate for loopback that signs itself, and its key."""
    certificate, key = str(tmp_path / "ca.crt"), str(tmp_path / "ca.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


def test_within_a_cluster_the_service_account_is_used(kubernetes, shop, tls, tmp_path, monkeypatch):
    kubernetes.with_tls(*tls)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(kubernetes.port))
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", shop.cluster.token_file)
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", tls[0])
    assert restart(replace(shop, cluster=Cluster()), NOW, dry=False) == "began to restart deployment shop/shop-api"


def test_outside_of_a_cluster_that_is_said(shop):
    with pytest.raises(ActionFailed, match="the cluster that Clew runs in can't be reached as it is set up"):
        restart(replace(shop, cluster=Cluster()), NOW, dry=False)


def test_a_certificate_must_be_trusted(kubernetes, shop, tls):
    kubernetes.with_tls(*tls)
    secure = replace(shop.cluster, url=kubernetes.url.replace("http:", "https:"))
    with pytest.raises(ActionFailed, match=r"no certificate that is trusted.*see 'ca_file'") as caught:
        restart(replace(shop, cluster=secure), NOW, dry=False)
    assert type(caught.value) is ActionFailed
    assert restart(replace(shop, cluster=replace(secure, ca_file=tls[0])), NOW, dry=False)
