"""What pods and users are given by controllers: root certificates, token secrets, aggregated roles."""

from __future__ import annotations

import base64

import pytest
from controllers_world import World

from ktui.engine.controllers.all import default_controllers
from ktui.engine.controllers.runtime import ControllerRunner
from ktui.kube.kinds import CLUSTER_ROLES, CONFIG_MAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS

NAMES = (
    "root-ca-certificate-publisher-controller",
    "serviceaccount-token-controller",
    "clusterrole-aggregation-controller",
    "serviceaccount-controller",
)
AGGREGATE = "rbac.example.com/aggregate"


@pytest.fixture
async def world():
    world = World(without=())
    made = default_controllers(world.client, world.recorder, world.clock, authority="PEM")
    world.controllers = [each for each in made if each.name in NAMES]
    world.runner = ControllerRunner(world.controllers, world.informers, world.clock)
    await world.start()
    yield world
    await world.stop()


def secret(name="t", account="bot", **annotations):
    return {
        "metadata": {
            "name": name,
            "namespace": "default",
            "annotations": {"kubernetes.io/service-account.name": account, **annotations},
        },
        "type": "kubernetes.io/service-account-token",
    }


def cluster_role(name, resources=(), labels=None, **fields):
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": [each]} for each in resources]
    return {"metadata": {"name": name, "labels": labels or {}}, "rules": rules, **fields}


async def test_every_namespace_has_the_root_certificate_as_it_should_be(world):
    await world.apply(NAMESPACES, {"metadata": {"name": "new"}})
    for namespace in ("default", "kube-system", "new"):
        assert (await world.get(CONFIG_MAPS, "kube-root-ca.crt", namespace))["data"] == {"ca.crt": "PEM"}
    await world.merge(CONFIG_MAPS, "kube-root-ca.crt", {"data": {"ca.crt": "other", "x": "y"}})
    assert (await world.get(CONFIG_MAPS, "kube-root-ca.crt"))["data"] == {"ca.crt": "PEM"}
    await world.client.delete(CONFIG_MAPS, "kube-root-ca.crt", "new")
    await world.settle()
    assert await world.exists(CONFIG_MAPS, "kube-root-ca.crt", "new")


async def test_a_token_secret_gets_a_token_that_ends_with_it(world):
    account = await world.apply(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "default"}})
    await world.apply(SECRETS, secret())
    found = await world.get(SECRETS, "t")
    data = {name: base64.b64decode(value).decode() for name, value in found["data"].items()}
    assert data["ca.crt"] == "PEM"
    assert data["namespace"] == "default"
    uid = found["metadata"]["annotations"]["kubernetes.io/service-account.uid"]
    assert uid == account["metadata"]["uid"]
    user = await world.server.tokens.authenticate(data["token"])
    assert user.name == "system:serviceaccount:default:bot"
    claims = world.server.tokens.key.claims(data["token"])
    assert claims["exp"] - claims["iat"] > 100 * 365 * 24 * 3600
    await world.client.delete(SECRETS, "t", "default")
    assert await world.server.tokens.authenticate(data["token"]) is None


async def test_a_token_secret_goes_with_its_account(world):
    await world.apply(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "default"}})
    await world.apply(SECRETS, secret())
    await world.client.delete(SERVICE_ACCOUNTS, "bot", "default")
    await world.settle()
    assert not await world.exists(SECRETS, "t")
    await world.apply(SECRETS, secret("stray", "none"))
    assert not await world.exists(SECRETS, "stray")


async def test_an_aggregated_role_has_the_rules_of_its_parts(world):
    selector = {"clusterRoleSelectors": [{"matchLabels": {AGGREGATE: "true"}}]}
    await world.apply(CLUSTER_ROLES, cluster_role("all", ["ignored"], aggregationRule=selector))
    assert not (await world.get(CLUSTER_ROLES, "all")).get("rules")
    await world.apply(CLUSTER_ROLES, cluster_role("b", ["pods", "services"], {AGGREGATE: "true"}))
    await world.apply(CLUSTER_ROLES, cluster_role("a", ["pods", "nodes"], {AGGREGATE: "true"}))
    await world.apply(CLUSTER_ROLES, cluster_role("c", ["secrets"]))
    rules = (await world.get(CLUSTER_ROLES, "all"))["rules"]
    assert [each["resources"] for each in rules] == [["pods"], ["nodes"], ["services"]]
    await world.client.delete(CLUSTER_ROLES, "b")
    await world.settle()
    rules = (await world.get(CLUSTER_ROLES, "all"))["rules"]
    assert [each["resources"] for each in rules] == [["pods"], ["nodes"]]
