"""Definitions that are refused, and in which words."""

import copy

import pytest
from crd_world import CrdWorld, definition, version

from ktui.kube.errors import StatusError
from ktui.kube.kinds import CUSTOM_RESOURCE_DEFINITIONS


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


async def causes(world, crd):
    with pytest.raises(StatusError) as caught:
        await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, crd)
    assert caught.value.code == 422
    return [f"{cause.field}: {cause.message}" for cause in caught.value.causes]


def changed(path, value):
    crd = copy.deepcopy(definition())
    place = crd
    for name in path[:-1]:
        place = place[name]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return crd


SCHEMA = "spec.versions[0].schema.openAPIV3Schema"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("metadata", "name"), "x.example.com", 'metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group'),
        (("spec", "scope"), "Galaxy", 'spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'),
        (("spec", "versions"), [version(storage=False)], 'spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version'),
        (("spec", "versions"), [version(), version(storage=False)], 'spec.versions: Invalid value: ["v1","v1"]: must contain unique version names'),
        (("spec", "versions", 0, "schema"), None, f"{SCHEMA}: Required value: schemas are required"),
        (("spec", "versions", 0, "schema", "openAPIV3Schema", "type"), "string", f'{SCHEMA}.type: Invalid value: "string": must be object at the root'),
        (("spec", "names", "kind"), "Wid get", 'spec.names.kind: Invalid value: "Wid get"'),
        (("spec", "names", "listKind"), "Widget", 'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same'),
        (("spec", "conversion"), {"strategy": "Hook"}, 'spec.conversion.strategy: Unsupported value: "Hook": supported values: "None", "Webhook"'),
        (("spec", "conversion"), {"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}, "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook"),
        (("spec", "conversion"), {"strategy": "Webhook", "webhook": {"clientConfig": {}, "conversionReviewVersions": ["v1"]}}, "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required"),
        (("spec", "conversion"), {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "http://a"}, "conversionReviewVersions": ["v1"]}}, "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme"),
        (("spec", "conversion"), {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://a"}, "conversionReviewVersions": ["v9"]}}, 'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1'),
        (("spec", "conversion"), {"strategy": "None", "webhook": {"clientConfig": {"url": "https://a"}, "conversionReviewVersions": ["v1"]}}, "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook"),
        (("spec", "preserveUnknownFields"), True, "spec.preserveUnknownFields: Invalid value: true: cannot set to true"),
        (("spec", "versions", 0, "additionalPrinterColumns"), [{"name": "A", "type": "float", "jsonPath": "spec"}], 'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "float": must be one of integer,number,string,boolean,date'),
        (("spec", "versions", 0, "subresources"), {"scale": {"specReplicasPath": ".size", "statusReplicasPath": ".status.n"}}, 'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".size": should be a json path under .spec'),
        (("spec", "versions", 0, "selectableFields"), [{"jsonPath": ".spec.free"}], 'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.free": must point to a field'),
    ],
)  # fmt: skip
async def test_refused(world, path, value, message):
    assert any(cause.startswith(message) for cause in await causes(world, changed(path, value)))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"properties": {}}, ".type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, ".items: Required value: must be specified"),
        ({"type": "array", "items": {}}, ".items.type: Required value: must not be empty for specified array items"),
        ({"type": "thing"}, '.type: Unsupported value: "thing"'),
        ({"type": "string", "default": 1}, '.default: Invalid value: "integer"'),
        ({"type": "string", "pattern": "("}, '.pattern: Invalid value: "(": must be a valid regular expression'),
        ({"type": "object", "additionalProperties": False}, ".additionalProperties: Forbidden: additionalProperties cannot be set to false"),
        ({"type": "array", "uniqueItems": True, "items": {"type": "string"}}, ".uniqueItems: Forbidden: uniqueItems cannot be set to true"),
        ({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}, ".x-kubernetes-list-map-keys: Required value"),
        ({"type": "object", "anyOf": [{"type": "object"}]}, ".anyOf[0].type: Forbidden: must be empty to be structural"),
        ({"type": "integer", "x-kubernetes-int-or-string": True}, ".type: Forbidden: must be empty if x-kubernetes-int-or-string is true"),
        ({"type": "integer", "x-kubernetes-validations": [{"rule": "self >"}]}, ".x-kubernetes-validations[0].rule: Invalid value"),
    ],
)  # fmt: skip
async def test_schemas_that_are_not_structural_are_refused(world, spec, message):
    found = await causes(world, definition(version(spec=spec)))
    assert any(cause.startswith(f"{SCHEMA}.properties[spec]{message}") for cause in found), found


async def test_kubernetes_own_groups_need_an_approval(world):
    crd = definition(group="apps.k8s.io")
    [cause] = await causes(world, crd)
    assert cause.startswith(
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups"
    )
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for a test"}
    await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, crd)


async def test_what_stays_once_it_is_established(world):
    crd = await world.define()
    crd["spec"]["scope"] = "Cluster"
    with pytest.raises(StatusError) as caught:
        await world.client.update(CUSTOM_RESOURCE_DEFINITIONS, crd)
    assert caught.value.causes[0].field == "spec.scope"
