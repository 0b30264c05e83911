"""Disruption budgets: what they allow, and how evictions take from them."""

import pytest

from ktui.kube.errors import StatusError
from ktui.kube.kinds import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS


def budget(name="web", **spec):
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec},
    }


async def status(world, name="web"):
    return (await world.get(POD_DISRUPTION_BUDGETS, name))["status"]


async def evict(world, name):
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return await world.client.create(PODS, body, "default", name=name, subresource="eviction")


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 2, 2),
        ({"minAvailable": "50%"}, 2, 2),
        ({"maxUnavailable": 1}, 3, 1),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"minAvailable": 9}, 9, 0),
    ],
)
async def test_what_a_budget_allows(world, make, spec, desired, allowed):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=4))
    await world.apply(POD_DISRUPTION_BUDGETS, budget(**spec))
    found = await status(world)
    numbers = (found["expectedPods"], found["currentHealthy"], found["desiredHealthy"])
    assert (*numbers, found["disruptionsAllowed"]) == (4, 4, desired, allowed)
    [condition] = found["conditions"]
    reason = "SufficientPods" if allowed else "InsufficientPods"
    assert (condition["type"], condition["reason"]) == ("DisruptionAllowed", reason)
    table = await world.client.table(POD_DISRUPTION_BUDGETS, "default")
    least, most = spec.get("minAvailable", "N/A"), spec.get("maxUnavailable", "N/A")
    assert table["rows"][0]["cells"][:4] == ["web", str(least), str(most), allowed]


async def test_evictions_take_from_the_budget_until_it_is_spent(world, make):
    await world.apply(DEPLOYMENTS, make.deployment(replicas=3))
    await world.apply(POD_DISRUPTION_BUDGETS, budget(maxUnavailable=1))
    world.kubelet.starts = False
    first, second, _ = [pod["metadata"]["name"] for pod in await world.pods()]
    await evict(world, first)
    with pytest.raises(StatusError) as caught:
        await evict(world, second)
    error = caught.value
    assert (error.code, error.message) == (
        429,
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    await world.settle()
    with pytest.raises(StatusError) as caught:
        await evict(world, second)
    [cause] = caught.value.causes
    assert cause.message == "The disruption budget web needs 2 healthy pods and has 2 currently"
    world.kubelet.starts = True
    world.kubelet.poke()
    await world.settle()
    assert (await status(world))["disruptionsAllowed"] == 1
    assert "disruptedPods" not in await status(world)
    await evict(world, second)


async def test_pods_that_are_not_ready_may_go_when_enough_others_are(world, make):
    world.kubelet.ready = lambda pod: not pod["metadata"]["name"].endswith(last)
    last = "?"
    await world.apply(DEPLOYMENTS, make.deployment(replicas=3))
    names = [pod["metadata"]["name"] for pod in await world.pods()]
    last = names[0]
    world.kubelet.poke()
    await world.settle()
    await world.apply(POD_DISRUPTION_BUDGETS, budget(minAvailable=2))
    assert (await status(world))["disruptionsAllowed"] == 0
    await evict(world, names[0])
    with pytest.raises(StatusError):
        await evict(world, names[1])


async def test_pods_without_a_controller_have_no_share(world, make):
    await world.apply(PODS, make.pod("alone", {"app": "web"}))
    await world.apply(POD_DISRUPTION_BUDGETS, budget(minAvailable="50%"))
    [condition] = (await status(world))["conditions"]
    assert (condition["reason"], condition["message"]) == (
        "SyncFailed",
        'found no controller ref for pod "alone"',
    )


async def test_two_budgets_on_one_pod_are_an_error(world, make):
    await world.apply(PODS, make.pod("alone", {"app": "web"}))
    await world.apply(POD_DISRUPTION_BUDGETS, budget())
    await world.apply(POD_DISRUPTION_BUDGETS, budget("other"))
    with pytest.raises(StatusError) as caught:
        await evict(world, "alone")
    assert "more than one PodDisruptionBudget" in caught.value.message


async def test_a_budget_says_one_thing_or_the_other(world):
    with pytest.raises(StatusError) as caught:
        await world.apply(POD_DISRUPTION_BUDGETS, budget(minAvailable=1, maxUnavailable=1))
    assert "minAvailable and maxUnavailable cannot be both set" in caught.value.message
    with pytest.raises(StatusError) as caught:
        await world.apply(POD_DISRUPTION_BUDGETS, budget(minAvailable="101%"))
    assert "must not be greater than 100%" in caught.value.message
