"""What admission adds to pods and refuses, and how a plugin sees a request."""

from __future__ import annotations

import pytest
from api_objects import config_map, declarations, pod

from ktui.client.base import PatchType, WriteOptions
from ktui.engine.api.admission.base import Attributes, Mutating
from ktui.engine.api.admission.chain import Admission
from ktui.engine.api.admission.view import StoreView
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Access
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError, forbidden
from ktui.kube.kinds import CONFIG_MAPS, PODS, SERVICE_ACCOUNTS
from ktui.kube.resource import Object


async def spec_of(client: LocalClient, **spec) -> Object:
    body = pod("p")
    body["spec"].update(spec)
    return (await client.create(PODS, body))["spec"]


async def test_pods_get_the_default_service_account(client: LocalClient):
    spec = await spec_of(client)
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")


async def test_a_named_service_account_has_to_exist(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await spec_of(client, serviceAccountName="robot")
    assert refused.value.message == (
        'pods "p" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )
    account = {"metadata": {"name": "robot"}, "imagePullSecrets": [{"name": "s"}]}
    await client.create(SERVICE_ACCOUNTS, account)
    spec = await spec_of(client, serviceAccountName="robot")
    assert spec["imagePullSecrets"] == [{"name": "s"}]


async def test_pods_tolerate_a_bad_node_for_five_minutes(client: LocalClient):
    own = {
        "key": "node.kubernetes.io/not-ready",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 5,
    }
    spec = await spec_of(client, tolerations=[own])
    assert spec["tolerations"] == [
        own,
        {
            "key": "node.kubernetes.io/unreachable",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": 300,
        },
    ]


@pytest.mark.parametrize(
    ("name", "priority"),
    [("", 0), ("system-node-critical", 2000001000), ("system-cluster-critical", 2000000000)],
)
async def test_priority_classes_become_numbers(client: LocalClient, name: str, priority: int):
    spec = await spec_of(client, **({"priorityClassName": name} if name else {}))
    assert (spec["priority"], spec["preemptionPolicy"]) == (priority, "PreemptLowerPriority")


async def test_unknown_classes_and_made_up_priorities_are_refused(client: LocalClient):
    with pytest.raises(StatusError) as refused:
        await spec_of(client, priorityClassName="gold")
    assert refused.value.message == 'pods "p" is forbidden: no PriorityClass with name gold was found'
    with pytest.raises(StatusError) as refused:
        await spec_of(client, priority=7)
    assert "the integer value of priority (7) must not be provided in pod spec" in refused.value.message


class Labelling(Mutating):
    """Marks what it sees."""

    def __init__(self, view: StoreView) -> None:
        self.seen: list[Attributes] = []

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        self.seen.append(request)
        metadata = obj["metadata"]
        return {
            **obj,
            "metadata": {**metadata, "labels": {**metadata.get("labels", {}), "seen": request.operation}},
        }


class Denying:
    """Refuses all deletes but dry ones."""

    def __init__(self, view: StoreView) -> None:
        pass

    async def admit(self, request: Attributes, obj: Object, old: Object | None) -> Object:
        return obj

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if request.operation == "DELETE" and not request.dry_run:
            raise forbidden(request.resource, request.name, "no")


@pytest.fixture
def strict(store: Store, clock: FakeClock) -> LocalClient:
    admission = Admission(StoreView(store), [Labelling, Denying])
    return LocalClient(ApiServer(store, Registry(declarations()), clock, admission=admission))


async def test_plugins_change_and_refuse(strict: LocalClient):
    assert (await strict.create(CONFIG_MAPS, config_map("a")))["metadata"]["labels"] == {"seen": "CREATE"}
    patched = await strict.patch(CONFIG_MAPS, "a", {"data": {"k": "v"}})
    assert patched["metadata"]["labels"] == {"seen": "UPDATE"}
    with pytest.raises(StatusError) as refused:
        await strict.delete(CONFIG_MAPS, "a")
    assert refused.value.message == 'configmaps "a" is forbidden: no'
    with pytest.raises(StatusError):
        await strict.delete_collection(CONFIG_MAPS, "default")


class OnlyReaders:
    """Denies all but reads."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def authorize(self, access: Access) -> None:
        self.asked.append((access.verb, str(access.resource), access.subresource))
        if access.verb not in ("get", "list", "watch"):
            raise forbidden(access.resource, access.name, "read only")


async def test_the_authorizer_is_asked_first(store: Store, clock: FakeClock):
    authorizer = OnlyReaders()
    client = LocalClient(ApiServer(store, Registry(declarations()), clock, authorizer=authorizer))
    assert not (await client.list(PODS)).raw
    with pytest.raises(StatusError) as refused:
        await client.create(PODS, pod("p"), name="p", subresource="binding")
    assert refused.value.code == 403
    assert authorizer.asked == [("list", "pods", ""), ("create", "pods", "binding")]


async def test_unknown_fields_warn_the_caller(server: ApiServer):
    body = {**config_map("a"), "dta": {"x": "y"}}
    heard: list[str] = []
    client = LocalClient(server, "alice", on_warning=heard.append)
    await client.create(CONFIG_MAPS, body)
    assert heard == ['unknown field "dta"']
    await client.patch(CONFIG_MAPS, "a", body, options=WriteOptions(field_validation="Ignore"))
    assert len(heard) == 1
    with pytest.raises(StatusError) as refused:
        options = WriteOptions(field_validation="Strict", field_manager="m")
        await client.patch(CONFIG_MAPS, "a", body, patch_type=PatchType.APPLY, options=options)
    assert refused.value.code == 400
