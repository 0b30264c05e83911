"""Whether a PUT without a version replaces whatever is there: for most kinds it does, for some it is refused."""

from __future__ import annotations

import pytest
from crd_world import CrdWorld, resource, widget

from ktui.client.base import PatchType
from ktui.engine.api.documents import with_metadata
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    LEASES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    POD_DISRUPTION_BUDGETS,
    RUNTIME_CLASSES,
    SERVICE_ACCOUNTS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from ktui.kube.resource import Object, Resource

CONDITIONAL: list[tuple[Resource, Object]] = [
    (LEASES, {"spec": {"holderIdentity": "a"}}),
    (POD_DISRUPTION_BUDGETS, {"spec": {"minAvailable": 1, "selector": {}}}),
    (RUNTIME_CLASSES, {"handler": "crun"}),
    (MUTATING_WEBHOOK_CONFIGURATIONS, {}),
    (VALIDATING_WEBHOOK_CONFIGURATIONS, {}),
    (VALIDATING_ADMISSION_POLICIES, {"spec": {"matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}, "validations": [{"expression": "true"}]}}),
    (VALIDATING_ADMISSION_POLICY_BINDINGS, {"spec": {"policyName": "p", "validationActions": ["Deny"]}}),
]  # fmt: skip


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


async def refused(world: CrdWorld, kind: Resource, obj: Object, **options: str) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await world.client.update(kind, with_metadata(obj, resourceVersion=None), **options)
    return caught.value


@pytest.mark.parametrize(("kind", "body"), CONDITIONAL, ids=[kind.key for kind, _ in CONDITIONAL])
async def test_some_kinds_want_to_know_which_version_is_replaced(
    world: CrdWorld, kind: Resource, body: Object
):
    made = await world.client.create(kind, {"metadata": {"name": "x"}, **body})
    error = await refused(world, kind, made)
    assert error.code == 422
    assert error.message == (
        f'{kind.plural}.{kind.group} "x" is invalid: metadata.resourceVersion: '
        "Invalid value: 0x0: must be specified for an update"
    )
    assert error.status["details"]["kind"] == kind.plural
    updated = await world.client.update(kind, with_metadata(made, labels={"a": "b"}))
    patch = {"metadata": {"labels": {"a": "c"}}}
    place = "default" if kind.namespaced else ""
    await world.client.patch(kind, "x", patch, place, patch_type=PatchType.MERGE)
    with pytest.raises(StatusError, match="has been modified"):
        await world.client.update(kind, updated)


async def test_so_do_custom_resources_and_their_definitions(world: CrdWorld):
    found = await world.define()
    assert (
        "must be specified for an update"
        in (await refused(world, CUSTOM_RESOURCE_DEFINITIONS, found)).message
    )
    made = await world.create(widget())
    expected = 'widgets.example.com "w" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update'
    assert (await refused(world, resource(), made)).message == expected
    assert (await refused(world, resource(), made, subresource="status")).message == expected
    assert (await refused(world, resource(), widget("other"))).is_not_found
    await world.client.update(resource(), made)


@pytest.mark.parametrize("kind", [CONFIG_MAPS, SERVICE_ACCOUNTS], ids=lambda kind: kind.key)
async def test_most_kinds_take_any(world: CrdWorld, kind: Resource):
    made = await world.client.create(kind, {"metadata": {"name": "x"}})
    changed = with_metadata(made, resourceVersion=None, labels={"a": "b"})
    assert (await world.client.update(kind, changed))["metadata"]["labels"] == {"a": "b"}


async def test_a_put_that_makes_the_object_needs_no_version(world: CrdWorld):
    made = await world.client.update(LEASES, {"metadata": {"name": "x", "namespace": "default"}})
    assert made["metadata"]["resourceVersion"]
