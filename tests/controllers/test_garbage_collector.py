"""Garbage collection: background, foreground, orphan, absent and misplaced owners, circles."""

from ktui.client.base import DeleteOptions
from ktui.kube.kinds import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, REPLICA_SETS, SECRETS

BACKGROUND = DeleteOptions(propagation_policy="Background")
FOREGROUND = DeleteOptions(propagation_policy="Foreground")
ORPHAN = DeleteOptions(propagation_policy="Orphan")


def config_map(name, *owners, namespace="default", **metadata):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": list(owners), **metadata},
    }


async def delete(world, resource, name, options=BACKGROUND, namespace="default"):
    await world.client.delete(resource, name, namespace, options=options)
    await world.settle()


async def test_background_deletes_dependents_down_the_chain(world, make):
    top = await world.apply(CONFIG_MAPS, config_map("top"))
    middle = await world.apply(CONFIG_MAPS, config_map("middle", make.owner(top)))
    await world.apply(CONFIG_MAPS, config_map("bottom", make.owner(middle)))
    await world.apply(CONFIG_MAPS, config_map("free"))
    await delete(world, CONFIG_MAPS, "top")
    assert await world.names(CONFIG_MAPS) == ["free"]


async def test_an_object_with_an_owner_left_loses_only_the_reference(world, make):
    one = await world.apply(CONFIG_MAPS, config_map("one"))
    two = await world.apply(CONFIG_MAPS, config_map("two"))
    await world.apply(CONFIG_MAPS, config_map("child", make.owner(one), make.owner(two)))
    await delete(world, CONFIG_MAPS, "one")
    child = await world.get(CONFIG_MAPS, "child")
    assert [each["name"] for each in child["metadata"]["ownerReferences"]] == ["two"]
    await delete(world, CONFIG_MAPS, "two")
    assert await world.names(CONFIG_MAPS) == []


async def test_an_owner_that_never_was_is_absent(world, make):
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such-uid"}
    await world.apply(CONFIG_MAPS, config_map("child", ghost))
    assert await world.names(CONFIG_MAPS) == []


async def test_an_owner_with_the_name_but_another_uid_is_absent(world, make):
    await world.apply(CONFIG_MAPS, config_map("top"))
    impostor = {"apiVersion": "v1", "kind": "ConfigMap", "name": "top", "uid": "an-older-one"}
    await world.apply(CONFIG_MAPS, config_map("child", impostor))
    assert await world.names(CONFIG_MAPS) == ["top"]


async def test_an_owner_of_unknown_kind_keeps_its_dependents(world, make):
    unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "1"}
    await world.apply(CONFIG_MAPS, config_map("child", unknown))
    await world.advance(120, step=30)
    assert await world.names(CONFIG_MAPS) == ["child"]


async def test_foreground_waits_for_blocking_dependents(world, make):
    world.kubelet.removes = False
    top = await world.apply(CONFIG_MAPS, config_map("top"))
    child = make.pod("child", ownerReferences=[make.owner(top, blockOwnerDeletion=True)])
    await world.apply(PODS, child)
    await delete(world, CONFIG_MAPS, "top", FOREGROUND)
    found = await world.get(CONFIG_MAPS, "top")
    assert found["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert found["metadata"]["deletionTimestamp"]
    assert (await world.get(PODS, "child"))["metadata"]["deletionTimestamp"]
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert not await world.exists(CONFIG_MAPS, "top")
    assert await world.names(PODS) == []


async def test_foreground_does_not_wait_for_others(world, make):
    world.kubelet.removes = False
    top = await world.apply(CONFIG_MAPS, config_map("top"))
    await world.apply(PODS, make.pod("child", ownerReferences=[make.owner(top)]))
    await delete(world, CONFIG_MAPS, "top", FOREGROUND)
    assert not await world.exists(CONFIG_MAPS, "top")
    assert (await world.get(PODS, "child"))["metadata"]["deletionTimestamp"]


async def test_foreground_goes_through_a_whole_deployment(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    world.kubelet.removes = False
    await delete(world, DEPLOYMENTS, "web", FOREGROUND)
    assert len(await world.names(DEPLOYMENTS)) == len(await world.names(REPLICA_SETS)) == 1
    world.kubelet.removes = True
    world.kubelet.poke()
    await world.settle()
    assert await world.names(DEPLOYMENTS) == await world.names(REPLICA_SETS) == await world.names(PODS) == []


async def test_a_dependent_with_a_living_owner_survives_the_foreground_deletion_of_another(world, make):
    going = await world.apply(CONFIG_MAPS, config_map("going"))
    staying = await world.apply(CONFIG_MAPS, config_map("staying"))
    both = (make.owner(going, blockOwnerDeletion=True), make.owner(staying))
    await world.apply(CONFIG_MAPS, config_map("child", *both))
    await delete(world, CONFIG_MAPS, "going", FOREGROUND)
    assert await world.names(CONFIG_MAPS) == ["child", "staying"]
    child = await world.get(CONFIG_MAPS, "child")
    assert [each["name"] for each in child["metadata"]["ownerReferences"]] == ["staying"]


async def test_orphan_sets_dependents_free(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=2))
    await delete(world, DEPLOYMENTS, "web", ORPHAN)
    assert await world.names(DEPLOYMENTS) == []
    (replica_set,) = await world.list(REPLICA_SETS)
    assert not replica_set["metadata"].get("ownerReferences")
    assert len(await world.pods()) == 2


async def test_a_circle_of_owners_goes_when_one_is_deleted_in_the_foreground(world, make):
    names = ("a", "b", "c")
    made = {name: await world.apply(CONFIG_MAPS, config_map(name)) for name in names}
    for name, owner in zip(names, ("c", "a", "b"), strict=True):
        reference = make.owner(made[owner], blockOwnerDeletion=True)
        await world.merge(CONFIG_MAPS, name, {"metadata": {"ownerReferences": [reference]}})
    await delete(world, CONFIG_MAPS, "a", FOREGROUND)
    await world.advance(2)
    assert await world.names(CONFIG_MAPS) == []


async def test_an_owner_in_another_namespace_does_not_count(world, make):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
    await world.apply(NAMESPACES, namespace)
    elsewhere = await world.apply(CONFIG_MAPS, config_map("top", namespace="other"))
    await world.apply(CONFIG_MAPS, config_map("child", make.owner(elsewhere)))
    assert not await world.exists(CONFIG_MAPS, "child")
    (message,) = await world.events("OwnerRefInvalidNamespace")
    assert message == (
        f"ownerRef [v1/ConfigMap, namespace: default, name: top, uid: {elsewhere['metadata']['uid']}] "
        'does not exist in namespace "default"'
    )
    assert await world.exists(CONFIG_MAPS, "top", "other")


async def test_a_cluster_scoped_owner_counts_everywhere(world, make):
    namespace = await world.get(NAMESPACES, "default")
    await world.apply(CONFIG_MAPS, config_map("child", make.owner(namespace)))
    assert await world.exists(CONFIG_MAPS, "child")


async def test_an_owner_removed_from_an_object_frees_it(world, make):
    top = await world.apply(CONFIG_MAPS, config_map("top"))
    await world.apply(CONFIG_MAPS, config_map("child", make.owner(top)))
    await world.merge(CONFIG_MAPS, "child", {"metadata": {"ownerReferences": None}})
    await delete(world, CONFIG_MAPS, "top")
    assert await world.names(CONFIG_MAPS) == ["child"]


async def test_a_resource_type_that_appears_later_joins(world, make, monkeypatch):
    served = await world.client.resources()

    async def without_secrets():
        return [each for each in served if each.key != SECRETS.key]

    monkeypatch.setattr(world.client, "resources", without_secrets)
    await world.advance(6)
    top = await world.apply(CONFIG_MAPS, config_map("top"))
    child = {**config_map("child", make.owner(top)), "kind": "Secret"}
    await world.apply(SECRETS, child)
    await delete(world, CONFIG_MAPS, "top")
    assert await world.exists(SECRETS, "child")
    monkeypatch.undo()
    await world.advance(6)
    assert not await world.exists(SECRETS, "child")
