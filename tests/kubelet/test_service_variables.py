"""The variables by which containers find services, as Kubernetes and Docker's links spell them."""

import asyncio

import pytest
from lightkube.models.core_v1 import Pod, PodSpec, Service, ServicePort, ServiceSpec
from lightkube.models.meta_v1 import ObjectMeta

from ktui.client.informer import Informers
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.kubelet.environment import ConfigError
from ktui.engine.kubelet.service_variables import ServiceVariables, variables
from ktui.engine.store import open_store
from ktui.kube.clock import FakeClock, settle
from ktui.kube.kinds import NAMESPACES, SERVICES


def service(name, *ports, address="10.96.0.20", **spec):
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(clusterIP=address, ports=list(ports), **spec),
    )


def test_a_services_variables():
    found = variables(
        [
            service(
                "my-db", ServicePort(port=5432, name="sql"), ServicePort(port=53, name="d-n", protocol="UDP")
            )
        ]
    )
    assert found == {
        "MY_DB_SERVICE_HOST": "10.96.0.20",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_SERVICE_PORT_SQL": "5432",
        "MY_DB_SERVICE_PORT_D_N": "53",
        "MY_DB_PORT": "tcp://10.96.0.20:5432",
        "MY_DB_PORT_5432_TCP": "tcp://10.96.0.20:5432",
        "MY_DB_PORT_5432_TCP_PROTO": "tcp",
        "MY_DB_PORT_5432_TCP_PORT": "5432",
        "MY_DB_PORT_5432_TCP_ADDR": "10.96.0.20",
        "MY_DB_PORT_53_UDP": "udp://10.96.0.20:53",
        "MY_DB_PORT_53_UDP_PROTO": "udp",
        "MY_DB_PORT_53_UDP_PORT": "53",
        "MY_DB_PORT_53_UDP_ADDR": "10.96.0.20",
    }


def test_services_without_an_address_have_none():
    assert variables([service("db", ServicePort(port=1), address="None"), service("ext", address="")]) == {}


def pod(namespace="default", links=None):
    metadata = ObjectMeta(name="p", namespace=namespace)
    return Pod(metadata=metadata, spec=PodSpec(containers=[], enableServiceLinks=links))


async def test_a_pod_sees_its_namespace_and_the_api():
    clock = FakeClock()
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    client = LocalClient(server)
    await client.create(NAMESPACES, {"metadata": {"name": "team"}})
    for namespace, name in (("default", "kubernetes"), ("default", "web"), ("team", "db")):
        metadata = {"name": name, "namespace": namespace}
        await client.create(SERVICES, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}}, namespace)
    informers = Informers(client, clock)
    found = ServiceVariables(informers)
    with pytest.raises(ConfigError, match="services have not yet been read"):
        found(pod())
    task = asyncio.create_task(informers.run())
    try:
        async with asyncio.timeout(10):
            await informers.wait_synced()
            await settle()

        def hosts(*args, **more):
            return {name for name in found(pod(*args, **more)) if name.endswith("_SERVICE_HOST")}

        assert hosts() == {"KUBERNETES_SERVICE_HOST", "WEB_SERVICE_HOST"}
        assert hosts("team") == {"KUBERNETES_SERVICE_HOST", "DB_SERVICE_HOST"}
        assert hosts("team", links=False) == {"KUBERNETES_SERVICE_HOST"}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.close()
