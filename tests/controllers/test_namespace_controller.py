"""Namespaces: emptied, explained, and let go; and the ServiceAccount each one has."""

from ktui.kube.errors import internal
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS


def namespace(name="shop"):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def conditions(world, name="shop"):
    found = await world.get(NAMESPACES, name)
    return {
        each["type"]: (each["status"], each["reason"], each["message"])
        for each in found["status"].get("conditions") or ()
    }


async def test_a_deleted_namespace_takes_its_content_along(world, make):
    await world.apply(NAMESPACES, namespace())
    deployment = make.deployment(replicas=2)
    deployment["metadata"]["namespace"] = "shop"
    await world.apply(DEPLOYMENTS, deployment)
    assert len(await world.names(PODS, "shop")) == 2
    await world.client.delete(NAMESPACES, "shop")
    await world.advance(3)
    assert not await world.exists(NAMESPACES, "shop")
    assert await world.names(PODS, "shop") == await world.names(DEPLOYMENTS, "shop") == []
    assert await world.exists(NAMESPACES, "default")


async def test_an_empty_namespace_goes_at_once(world):
    await world.apply(NAMESPACES, namespace())
    await world.client.delete(NAMESPACES, "shop")
    await world.settle()
    assert not await world.exists(NAMESPACES, "shop")


async def test_what_holds_a_namespace_up_is_said(world, make):
    await world.apply(NAMESPACES, namespace())
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "held", "namespace": "shop", "finalizers": ["example.com/keep"]},
    }
    await world.apply(CONFIG_MAPS, held)
    await world.client.delete(NAMESPACES, "shop")
    await world.settle()
    found = await conditions(world)
    assert (await world.get(NAMESPACES, "shop"))["status"]["phase"] == "Terminating"
    assert found == {
        "NamespaceDeletionDiscoveryFailure": (
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: configmaps. has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances",
        ),
    }
    before = world.store.revision
    await world.advance(5)
    assert world.store.revision == before, "an unchanged status is not written again"
    await world.merge(CONFIG_MAPS, "held", {"metadata": {"finalizers": None}}, "shop")
    await world.advance(1)
    assert not await world.exists(NAMESPACES, "shop")


async def test_a_failing_deletion_is_reported_and_retried(world, monkeypatch):
    await world.apply(NAMESPACES, namespace())
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
    await world.apply(CONFIG_MAPS, config)

    async def broken(*args, **options):
        raise internal("disk full")

    monkeypatch.setattr(world.client, "delete_collection", broken)
    await world.client.delete(NAMESPACES, "shop")
    await world.settle()
    status, reason, message = (await conditions(world))["NamespaceDeletionContentFailure"]
    assert (status, reason) == ("True", "ContentDeletionFailed")
    assert "disk full" in message
    monkeypatch.undo()
    await world.advance(2)
    assert not await world.exists(NAMESPACES, "shop")


async def test_pods_go_first_and_the_last_one_to_end_wakes_the_namespace(world, make):
    world.kubelet.removes = False
    await world.apply(NAMESPACES, namespace())
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "shop"}}
    await world.apply(CONFIG_MAPS, config)
    pod = make.pod("slow")
    pod["metadata"]["namespace"] = "shop"
    await world.apply(PODS, pod)
    await world.client.delete(NAMESPACES, "shop")
    await world.settle()
    assert await world.exists(NAMESPACES, "shop")
    assert await world.exists(CONFIG_MAPS, "c", "shop")
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert not await world.exists(NAMESPACES, "shop")


async def test_each_namespace_has_a_default_service_account(world):
    assert await world.exists(SERVICE_ACCOUNTS, "default")
    await world.apply(NAMESPACES, namespace())
    assert await world.names(SERVICE_ACCOUNTS, "shop") == ["default"]
    await world.client.delete(SERVICE_ACCOUNTS, "default", "shop")
    await world.settle()
    assert await world.names(SERVICE_ACCOUNTS, "shop") == ["default"]
