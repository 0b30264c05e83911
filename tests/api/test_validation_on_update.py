"""An update is checked as a new object is, on top of what must not change."""

import pytest
from kind_cases import REGISTRY, deployment

from ktui.engine.api.local import LocalClient
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS


async def test_an_update_is_held_to_the_rules_of_creation(store: Store, clock: FakeClock):
    server = ApiServer(store, REGISTRY, clock)
    await server.start()
    client = LocalClient(server, "alice")
    await client.create(DEPLOYMENTS, deployment(), "default")
    patch = {"spec": {"replicas": -1, "selector": {"matchLabels": {"app": "other"}}}}
    with pytest.raises(StatusError) as failure:
        await client.patch(DEPLOYMENTS, "web", patch, "default")
    assert failure.value.code == 422
    assert [cause.field for cause in failure.value.causes] == [
        "spec.selector",
        "spec.replicas",
        "spec.template.metadata.labels",
    ]
