"""ServiceAccounts' tokens: made, believed, bound, expired, tampered with; and mounted into pods."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta

import msgspec
import pytest
from rbac_world import Cluster, refused

from ktui.client.base import DeleteOptions
from ktui.engine.api.authn.jwt import SigningKey, TokenError, key_in_memory
from ktui.engine.api.pki.folder import PkiError
from ktui.engine.api.resources.reviews import DECLARATIONS
from ktui.kube.kinds import PODS, SERVICE_ACCOUNTS

TOKEN_REVIEWS = next(each.resource for each in DECLARATIONS if each.resource.kind == "TokenReview")
CONTAINER = {"name": "main", "image": "web:1"}


@pytest.fixture
async def cluster(store, clock) -> Cluster:
    cluster = await Cluster.start(store, clock)
    await cluster.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot"}}, "default")
    return cluster


async def token_for(cluster: Cluster, name="bot", **spec):
    answer = await cluster.admin.create(
        SERVICE_ACCOUNTS, {"spec": spec}, "default", name=name, subresource="token"
    )
    return answer["status"]["token"]


async def make_pod(cluster: Cluster, name="web", **spec):
    pod = {
        "metadata": {"name": name},
        "spec": {"containers": [CONTAINER], "serviceAccountName": "bot", **spec},
    }
    return await cluster.admin.create(PODS, pod, "default")


def claims_of(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def test_a_token_is_its_accounts(cluster: Cluster):
    user = await cluster.server.tokens.authenticate(await token_for(cluster))
    assert user is not None
    assert user.name == "system:serviceaccount:default:bot"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    assert user.uid
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


async def test_a_token_names_its_pod_and_ends_with_it(cluster: Cluster):
    pod = await make_pod(cluster)
    token = await token_for(cluster, boundObjectRef={"kind": "Pod", "name": "web"})
    user = await cluster.server.tokens.authenticate(token)
    assert user is not None
    assert user.extra["authentication.kubernetes.io/pod-name"] == ("web",)
    assert user.extra["authentication.kubernetes.io/pod-uid"] == (pod["metadata"]["uid"],)
    await cluster.admin.delete(PODS, "web", "default", options=DeleteOptions(grace_period_seconds=0))
    assert await cluster.server.tokens.authenticate(token) is None
    await make_pod(cluster)
    assert await cluster.server.tokens.authenticate(token) is None, "another pod of that name is another pod"


async def test_a_token_ends_with_its_time_and_its_account(cluster: Cluster, clock):
    token = await token_for(cluster, expirationSeconds=600)
    await clock.advance(599)
    assert await cluster.server.tokens.authenticate(token)
    await clock.advance(2)
    assert await cluster.server.tokens.authenticate(token) is None
    token = await token_for(cluster)
    await cluster.admin.delete(SERVICE_ACCOUNTS, "bot", "default")
    assert await cluster.server.tokens.authenticate(token) is None
    await cluster.admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot"}}, "default")
    assert await cluster.server.tokens.authenticate(token) is None


async def test_a_token_for_others_is_none_for_the_api(cluster: Cluster):
    token = await token_for(cluster, audiences=["vault"])
    assert await cluster.server.tokens.authenticate(token) is None
    review = {"spec": {"token": token, "audiences": ["vault", "other"]}}
    status = (await cluster.admin.create(TOKEN_REVIEWS, review))["status"]
    assert status["authenticated"]
    assert status["audiences"] == ["vault"]
    assert status["user"]["username"] == "system:serviceaccount:default:bot"
    status = (await cluster.admin.create(TOKEN_REVIEWS, {"spec": {"token": token}}))["status"]
    assert not status.get("authenticated")
    assert status["error"].startswith("[invalid bearer token")


async def test_a_token_that_was_tampered_with_is_not_believed(cluster: Cluster):
    token = await token_for(cluster)
    header, payload, signature = token.split(".")
    claims = claims_of(token)
    claims["sub"] = "system:serviceaccount:kube-system:admin"

    def part(content):
        return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()

    others = key_in_memory.__wrapped__().sign(claims)
    for bad in (
        f"{header}.{part(claims)}.{signature}",
        f"{part({'alg': 'none'})}.{payload}.",
        f"{part({'alg': 'HS256'})}.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        f"{token}=",
        others,
        "",
        "..",
        "a.b.c",
        "é.é.é",
    ):
        assert await cluster.server.tokens.authenticate(bad) is None, bad


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        (
            {"expirationSeconds": 5},
            422,
            "spec.expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
        ),
        ({"boundObjectRef": {"kind": "Pod", "name": "none"}}, 404, 'pods "none" not found'),
        (
            {"boundObjectRef": {"kind": "Pod", "name": "web", "uid": "x"}},
            409,
            "does not match the UID in record",
        ),
        ({"boundObjectRef": {"kind": "Service", "name": "web"}}, 400, "cannot bind token to object of type"),
        ({"boundObjectRef": {"kind": "Pod", "name": "other"}}, 400, "different serviceaccount name"),
        ({"expirationSeconds": "long"}, 400, "cannot be handled as a TokenRequest"),
    ],
)
async def test_requests_that_cannot_be_are_refused(cluster: Cluster, spec, code, message):
    await make_pod(cluster)
    await make_pod(cluster, "other", serviceAccountName="default")
    error = await refused(token_for(cluster, **spec))
    assert error.code == code
    assert message in error.message


async def test_no_token_for_no_account(cluster: Cluster):
    error = await refused(token_for(cluster, "none"))
    assert (error.code, error.message) == (404, 'serviceaccounts "none" not found')


def test_the_key_stays_and_a_broken_one_is_told(tmp_path):
    first = SigningKey.in_folder(tmp_path / "pki")
    assert (tmp_path / "pki" / "sa.key").stat().st_mode & 0o777 == 0o600
    token = first.sign({"a": 1})
    assert SigningKey.in_folder(tmp_path / "pki").claims(token) == {"a": 1}
    (tmp_path / "pki" / "sa.key").write_text("nonsense")
    with pytest.raises(PkiError, match=r"sa\.key can't be used"):
        SigningKey.in_folder(tmp_path / "pki")
    with pytest.raises(TokenError, match="invalid signature"):
        SigningKey.in_folder(tmp_path / "other").claims(token)


async def test_pods_get_token_authority_and_namespace(cluster: Cluster):
    mine = {"name": "mine", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    pod = await make_pod(
        cluster,
        containers=[CONTAINER, {"name": "own", "image": "web:1", "volumeMounts": [mine]}],
        initContainers=[{"name": "first", "image": "web:1"}],
        volumes=[{"name": "mine", "emptyDir": {}}],
    )
    volume = pod["spec"]["volumes"][1]
    assert re.fullmatch("kube-api-access-[a-z0-9]{5}", volume["name"])
    assert volume["projected"]["defaultMode"] == 0o644
    token, authority, namespace = volume["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
    assert namespace["downwardAPI"]["items"][0]["path"] == "namespace"
    expected = {"name": volume["name"], "readOnly": True, "mountPath": mine["mountPath"]}
    assert pod["spec"]["containers"][0]["volumeMounts"] == [expected]
    assert pod["spec"]["initContainers"][0]["volumeMounts"] == [expected]
    assert pod["spec"]["containers"][1]["volumeMounts"] == [mine]


async def test_pod_and_account_may_do_without_the_pod_has_the_last_word(cluster: Cluster):
    without = await make_pod(cluster, "a", automountServiceAccountToken=False)
    assert not without["spec"].get("volumes")
    await cluster.admin.patch(SERVICE_ACCOUNTS, "bot", {"automountServiceAccountToken": False}, "default")
    assert not (await make_pod(cluster, "b"))["spec"].get("volumes")
    assert (await make_pod(cluster, "c", automountServiceAccountToken=True))["spec"]["volumes"]


async def test_a_token_outlives_its_pods_deletion_mark_by_a_minute(cluster: Cluster, clock):
    await make_pod(cluster, nodeName="n", terminationGracePeriodSeconds=30)
    await cluster.admin.patch(PODS, "web", {"metadata": {"finalizers": ["a.io/b"]}}, "default")
    token = await token_for(cluster, boundObjectRef={"kind": "Pod", "name": "web"})
    await cluster.admin.delete(PODS, "web", "default")
    await clock.advance(timedelta(seconds=60).total_seconds())
    assert await cluster.server.tokens.authenticate(token)
    await clock.advance(60)
    assert await cluster.server.tokens.authenticate(token) is None
