"""LimitRanger and ResourceQuota: defaults, bounds, and what is refused in which words."""

import asyncio

import pytest
from crd_world import CrdWorld

from ktui.client.base import PatchType, WriteOptions
from ktui.engine.api.admission.limit_ranger import ANNOTATION
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, LIMIT_RANGES, PODS, RESOURCE_QUOTAS


@pytest.fixture
async def world():
    world = CrdWorld()
    await world.start()
    yield world
    await world.stop()
    await world.store.close()


def pod(name="p", requests=None, limits=None, **spec):
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}], **spec},
    }


async def limit(world, *limits):
    obj = {"metadata": {"name": "limits"}, "spec": {"limits": list(limits)}}
    return await world.create(obj, LIMIT_RANGES)


async def quota(world, hard, used=None, name="q", **spec):
    obj = {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}
    created = await world.create(obj, RESOURCE_QUOTAS)
    status = {"hard": hard, "used": dict.fromkeys(hard, "0") | (used or {})}
    return await world.client.update(RESOURCE_QUOTAS, {**created, "status": status}, subresource="status")


async def used(world, name="q"):
    return (await world.client.get(RESOURCE_QUOTAS, name, "default"))["status"]["used"]


async def refused(world, obj, kind=PODS, **options):
    with pytest.raises(StatusError) as caught:
        await world.create(obj, kind, **options)
    assert caught.value.code == 403
    return caught.value.message


async def test_containers_get_default_requests_and_limits(world):
    item = {"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}
    created = await limit(world, item)
    assert created["spec"]["limits"][0]["defaultRequest"] == {"cpu": "100m", "memory": "1Gi"}
    found = await world.create(pod(), PODS)
    assert found["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "100m", "memory": "1Gi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert found["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
    )
    assert found["status"]["qosClass"] == "Burstable"
    kept = await world.create(pod("own", requests={"cpu": "2"}, limits={"cpu": "2", "memory": "1Gi"}), PODS)
    assert kept["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "2"


@pytest.mark.parametrize(
    ("item", "requests", "limits", "message"),
    [
        ({"min": {"cpu": "100m"}}, {"cpu": "50m"}, None, "minimum cpu usage per Container is 100m, but request is 50m"),
        ({"max": {"memory": "1Gi"}}, None, {"memory": "2Gi"}, "maximum memory usage per Container is 1Gi, but limit is 2Gi"),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"cpu": "100m"},
            {"cpu": "300m"},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"min": {"cpu": "100m"}, "max": {"cpu": "1"}},
            {"cpu": "50m"},
            {"cpu": "2"},
            "[minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per Container is 1, but limit is 2]",
        ),
    ],
)  # fmt: skip
async def test_bounds_of_containers(world, item, requests, limits, message):
    await limit(world, {"type": "Container", **item})
    assert await refused(world, pod(requests=requests, limits=limits)) == f'pods "p" is forbidden: {message}'


async def test_bounds_of_pods_count_all_containers(world):
    await limit(world, {"type": "Pod", "max": {"cpu": "1"}})
    message = await refused(world, pod())
    assert message == 'pods "p" is forbidden: maximum cpu usage per Pod is 1.  No limit is specified'
    two = pod(limits={"cpu": "600m"})
    two["spec"]["containers"].append({**two["spec"]["containers"][0], "name": "d"})
    message = await refused(world, two)
    assert message == 'pods "p" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m'


@pytest.mark.parametrize(
    ("item", "field", "message"),
    [
        ({"type": "Pod", "default": {"cpu": "1"}}, "spec.limits[0].default", "Forbidden: may not be specified when `type` is 'Pod'"),
        (
            {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}},
            "spec.limits[0].min[cpu]",
            'Invalid value: "2": min value 2 is greater than max value 1',
        ),
        ({"type": "Thing"}, "spec.limits[0].type", 'Invalid value: "Thing": must be a standard limit type or fully qualified'),
        ({"type": "PersistentVolumeClaim"}, "spec.limits[0].limits", "Required value: either minimum or maximum storage value is required, but neither was provided"),
    ],
)  # fmt: skip
async def test_limit_ranges_that_are_refused(world, item, field, message):
    with pytest.raises(StatusError) as caught:
        await limit(world, item)
    assert (field, message) in [(cause.field, cause.message) for cause in caught.value.causes]


async def test_a_quota_is_charged_and_then_exceeded(world):
    await quota(world, {"pods": "2", "requests.cpu": "1"})
    await world.create(pod("a", requests={"cpu": "600m"}), PODS)
    assert await used(world) == {"pods": "1", "requests.cpu": "600m"}
    message = await refused(world, pod("b", requests={"cpu": "500m"}))
    assert message == (
        'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, '
        "limited: requests.cpu=1"
    )
    await world.create(pod("c", requests={"cpu": "400m"}), PODS)
    message = await refused(world, pod("d", requests={"cpu": "1m"}))
    assert (
        "requested: pods=1,requests.cpu=1m, used: pods=2,requests.cpu=1, limited: pods=2,requests.cpu=1"
        in message
    )


async def test_quotas_on_compute_need_it_to_be_said(world):
    await quota(world, {"limits.cpu": "1", "requests.memory": "1Gi"})
    message = await refused(world, pod())
    assert message == (
        'pods "p" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.memory for: c'
    )


async def test_quotas_count_any_kind(world):
    await quota(world, {"count/configmaps": "1", "configmaps": "5"})
    await world.create({"metadata": {"name": "a"}}, CONFIG_MAPS)
    assert await used(world) == {"count/configmaps": "1", "configmaps": "1"}
    message = await refused(world, {"metadata": {"name": "b"}}, CONFIG_MAPS)
    assert message == (
        'configmaps "b" is forbidden: exceeded quota: q, requested: count/configmaps=1, '
        "used: count/configmaps=1, limited: count/configmaps=1"
    )


async def test_many_at_once_never_overspend(world):
    await quota(world, {"pods": "5"})
    results = await asyncio.gather(
        *(world.create(pod(f"p{n}"), PODS) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(each, dict) for each in results) == 5
    assert (await used(world))["pods"] == "5"


async def test_a_dry_run_is_checked_and_not_charged(world):
    await quota(world, {"pods": "1"})
    await world.create(pod(), PODS, options=WriteOptions(dry_run=True))
    assert (await used(world))["pods"] == "0"


@pytest.mark.parametrize(
    ("spec", "falls_under"),
    [
        ({"scopes": ["BestEffort"]}, {"best", "short", "class"}),
        ({"scopes": ["NotBestEffort"]}, {"sized"}),
        ({"scopes": ["Terminating"]}, {"short"}),
        ({"scopes": ["NotTerminating"]}, {"best", "sized", "class"}),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [
                        {
                            "scopeName": "PriorityClass",
                            "operator": "In",
                            "values": ["system-cluster-critical"],
                        }
                    ]
                }
            },
            {"class"},
        ),
    ],
)
async def test_scopes(world, spec, falls_under):
    await quota(world, {"pods": "10"}, **spec)
    charged = set()
    for name, obj in {
        "best": pod(),
        "sized": pod(requests={"cpu": "1"}),
        "short": pod(activeDeadlineSeconds=5),
        "class": pod(priorityClassName="system-cluster-critical"),
    }.items():
        before = (await used(world))["pods"]
        await world.create({**obj, "metadata": {"name": name}}, PODS)
        if (await used(world))["pods"] != before:
            charged.add(name)
    assert charged == falls_under


async def test_how_quotas_and_limit_ranges_are_printed(world):
    await quota(world, {"pods": "2", "limits.cpu": "1", "requests.cpu": "1"}, used={"pods": "1"})
    table = await world.client.table(RESOURCE_QUOTAS, "default")
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Request", "Limit", "Age"]
    assert table["rows"][0]["cells"][:3] == ["q", "pods: 1/2, requests.cpu: 0/1", "limits.cpu: 0/1"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hard": {"thing": "1"}}, 'spec.hard[thing]: Invalid value: "thing": must be a standard resource for quota'),
        ({"hard": {"pods": "1.5"}}, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'),
        ({"hard": {"pods": "-1"}}, 'spec.hard[pods]: Invalid value: "-1": must be greater than or equal to 0'),
        ({"hard": {"pods": "1"}, "scopes": ["Nope"]}, 'spec.scopes: Invalid value: "Nope": unsupported scope'),
        ({"hard": {"secrets": "1"}, "scopes": ["BestEffort"]}, 'spec.scopes: Invalid value: "BestEffort": unsupported scope applied to resource'),
        ({"hard": {"pods": "1"}, "scopes": ["Terminating", "NotTerminating"]}, 'spec.scopes: Invalid value: ["NotTerminating","Terminating"]: conflicting scopes'),
    ],
)  # fmt: skip
async def test_quotas_that_are_refused(world, spec, message):
    with pytest.raises(StatusError) as caught:
        await world.create({"metadata": {"name": "q"}, "spec": spec}, RESOURCE_QUOTAS)
    assert message in [f"{cause.field}: {cause.message}" for cause in caught.value.causes]


async def resized(world, cpu):
    containers = [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]
    return await world.client.patch(
        PODS,
        "p",
        {"spec": {"containers": containers}},
        "default",
        subresource="resize",
        patch_type=PatchType.STRATEGIC,
    )


async def test_a_resize_is_charged_for_what_it_adds(world):
    await quota(world, {"requests.cpu": "2", "pods": "1"})
    await world.create(pod(requests={"cpu": "500m"}), PODS)
    await resized(world, "1500m")
    assert await used(world) == {"requests.cpu": "1500m", "pods": "1"}
    with pytest.raises(StatusError, match=r"exceeded quota: q, requested: requests\.cpu=1, used: ") as caught:
        await resized(world, "2500m")
    assert caught.value.code == 403
    await resized(world, "1")
    assert (await used(world))["requests.cpu"] == "1500m", "the quota's controller takes back what is less"


async def test_a_resize_stays_within_bounds(world):
    await limit(world, {"type": "Container", "min": {"cpu": "250m"}})
    await world.create(pod(requests={"cpu": "500m"}), PODS)
    with pytest.raises(StatusError, match="minimum cpu usage per Container is 250m, but request is 100m"):
        await resized(world, "100m")
