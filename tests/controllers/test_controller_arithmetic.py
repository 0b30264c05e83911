"""The pure cores of the controllers, as tables."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.models.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from lightkube.models.core_v1 import (
    Container,
    ContainerStatus,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    Taint,
    Toleration,
)
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta

from ktui.engine.controllers import revisions, rollout
from ktui.engine.controllers.batches import AT_ONCE, each_of, slow_start
from ktui.engine.controllers.deletion_order import deletion_cost, pods_to_delete
from ktui.engine.controllers.podgc import excess_finished
from ktui.engine.controllers.tolerations import seconds_tolerated
from ktui.kube.tolerations import tolerates

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds):
    return NOW - timedelta(seconds=seconds)


def pod(name, *, node="n1", phase="Running", ready=None, age=100, restarts=0, cost=None):
    """`ready`: for how many seconds the pod has been ready."""
    conditions = [PodCondition(type="Ready", status="True", lastTransitionTime=ago(ready))] if ready else []
    return Pod(
        metadata=ObjectMeta(
            name=name,
            uid=name,
            creationTimestamp=ago(age),
            annotations={"controller.kubernetes.io/pod-deletion-cost": cost} if cost else None,
        ),
        spec=PodSpec(containers=[], nodeName=node),
        status=PodStatus(
            phase=phase,
            conditions=conditions,
            containerStatuses=[
                ContainerStatus(name="c", image="", imageID="", ready=True, restartCount=restarts)
            ],
        ),
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (pod("a", node=None, phase="Pending"), pod("b", phase="Pending")),
        (pod("a", phase="Pending"), pod("b", phase="Running")),
        (pod("a", phase="Pending"), pod("b", phase="Unknown")),
        (pod("a", phase="Unknown"), pod("b", phase="Running")),
        (pod("a"), pod("b", ready=10)),
        (pod("a", ready=10, cost="-5"), pod("b", ready=10)),
        (pod("a", ready=10), pod("b", ready=10, cost="5")),
        (pod("a", ready=10), pod("b", ready=1000)),
        (pod("a", ready=10, restarts=3), pod("b", ready=10, restarts=1)),
        (pod("a", ready=10, age=50), pod("b", ready=10, age=5000)),
        (pod("a", ready=60), pod("b", ready=66)),
        (pod("a", age=50), pod("b", age=55)),
    ],
)
def test_which_of_two_pods_goes_first(first, then):
    assert pods_to_delete([first, then], [], 1, NOW) == [first]
    assert pods_to_delete([then, first], [], 1, NOW) == [first]


def test_pods_that_crowd_a_node_go_first():
    mine = [pod("a", node="n1", ready=10), pod("b", node="n2", ready=10)]
    related = [*mine, pod("x", node="n2", ready=10), pod("gone", node="n1", phase="Failed")]
    assert pods_to_delete(mine, related, 1, NOW) == [mine[1]]


def test_deleting_all_needs_no_order():
    pods = [pod("a"), pod("b")]
    assert pods_to_delete(pods, [], 5, NOW) == pods


@pytest.mark.parametrize(
    ("text", "cost"), [("7", 7), ("-7", -7), ("+7", 0), ("007", 0), ("x", 0), ("99999999999", 0), (None, 0)]
)
def test_the_deletion_cost_annotation(text, cost):
    assert deletion_cost(pod("a", cost=text)) == cost


def deployment(replicas, surge=None, unavailable=None, kind="RollingUpdate", image="web:1", **status):
    rolling = RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable)
    return Deployment(
        metadata=ObjectMeta(name="web", uid="d"),
        spec=DeploymentSpec(
            selector=LabelSelector(matchLabels={"app": "web"}),
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "web"}),
                spec=PodSpec(containers=[Container(name="web", image=image)]),
            ),
            replicas=replicas,
            strategy=DeploymentStrategy(type=kind, rollingUpdate=rolling),
        ),
        status=DeploymentStatus(**status),
    )


def replica_set(name, size, available=None, *, age=0, desired=None, most=None, revision=None, image="web:1"):
    annotations = {
        "deployment.kubernetes.io/desired-replicas": desired,
        "deployment.kubernetes.io/max-replicas": most,
        "deployment.kubernetes.io/revision": revision,
    }
    return ReplicaSet(
        metadata=ObjectMeta(
            name=name,
            uid=name,
            creationTimestamp=ago(age),
            annotations={key: str(value) for key, value in annotations.items() if value is not None},
        ),
        spec=ReplicaSetSpec(
            selector=LabelSelector(matchLabels={"app": "web"}),
            replicas=size,
            template=PodTemplateSpec(
                metadata=ObjectMeta(labels={"app": "web", "pod-template-hash": name}),
                spec=PodSpec(containers=[Container(name="web", image=image)]),
            ),
        ),
        status=ReplicaSetStatus(replicas=size, availableReplicas=size if available is None else available),
    )


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (3, 2)),
        (1, "25%", "25%", (1, 0)),
        (3, None, None, (1, 0)),
        (4, "0%", "10%", (0, 1)),
        (10, 0, 0, (0, 1)),
        (10, 5, 20, (5, 20)),
        (0, "25%", "25%", (0, 1)),
    ],
)
def test_surge_rounds_up_unavailable_down_never_both_zero(replicas, surge, unavailable, expected):
    assert rollout.fenceposts(deployment(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "olds", "new", "expected"),
    [
        (10, 0, [10], 0, 0),
        (10, 2, [10], 0, 2),
        (10, 2, [5], 0, 7),
        (10, 2, [10], 2, 2),
        (10, 2, [1], 9, 10),
        (5, 2, [], 10, 5),
        (10, "30%", [10], 0, 3),
    ],
)
def test_the_next_size_of_the_new_replica_set(replicas, surge, olds, new, expected):
    every = [replica_set(f"o{i}", size) for i, size in enumerate(olds)] + [replica_set("new", new)]
    assert rollout.new_size(deployment(replicas, surge, 1), every, new) == expected


@pytest.mark.parametrize(
    ("unavailable", "olds", "new", "expected"),
    [
        # (size, available) of the old ReplicaSets, oldest first, and of the new one; replicas 10.
        (0, [(10, 10)], (0, 0), {}),
        (2, [(10, 10)], (0, 0), {"o0": 8}),
        (2, [(10, 8)], (0, 0), {"o0": 8}),
        (2, [(8, 8)], (2, 0), {}),
        (2, [(8, 8)], (2, 2), {"o0": 6}),
        (2, [(5, 5), (5, 5)], (0, 0), {"o0": 3}),
        (0, [(10, 2)], (5, 5), {"o0": 5}),
        (5, [(10, 0)], (0, 0), {"o0": 5}),
        (0, [(3, 3)], (10, 10), {"o0": 0}),
        # The old one was just sized down from 10 and still reports them.
        (2, [(8, 10)], (3, 3), {"o0": 5}),
    ],
)
def test_how_far_old_replica_sets_shrink(unavailable, olds, new, expected):
    old = [replica_set(f"o{i}", *each, age=100 - i) for i, each in enumerate(olds)]
    sizes = rollout.shrink_old(deployment(10, 5, unavailable), replica_set("new", *new), old)
    assert {each.metadata.name: size for each, size in sizes} == expected


@pytest.mark.parametrize(
    ("replicas", "before", "sizes", "expected"),
    [
        # Scaled from `before` (annotation max-replicas, surge 0) while old and new run side by side.
        (20, 10, [5, 5], [10, 10]),
        (12, 10, [5, 5], [6, 6]),
        (5, 10, [8, 2], [4, 1]),
        (15, 10, [8, 2], [12, 3]),
        (0, 10, [5, 5], [0, 0]),
        (11, 10, [5, 5], [5, 6]),
        (9, 10, [5, 5], [4, 5]),
    ],
)
def test_scaling_in_the_middle_of_a_rollout(replicas, before, sizes, expected):
    old = replica_set("old", sizes[0], age=100, desired=before, most=before)
    new = replica_set("new", sizes[1], desired=before, most=before)
    got = {each.metadata.name: size for each, size in rollout.scale(deployment(replicas, 0, 1), new, [old])}
    assert [got["old"], got["new"]] == expected


@settings(max_examples=200, deadline=None)
@given(
    replicas=st.integers(0, 50),
    surge=st.integers(0, 20),
    spare=st.integers(0, 10),
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=5),
)
def test_proportional_scaling_fills_what_is_allowed(replicas, surge, spare, sizes):
    before = sum(sizes) + spare
    sets = [replica_set(f"r{i}", size, 0, age=i, most=before) for i, size in enumerate(sizes)]
    target = deployment(replicas, surge, 1)
    got = rollout.scale(target, sets[0], sets[1:])
    assert all(size >= 0 for _, size in got)
    allowed = replicas + surge if replicas else 0
    # What rounding leaves over is the largest one's, which may not have that much to give.
    assert 0 <= sum(size for _, size in got) - allowed < len(sizes)
    if allowed >= len(sizes):
        assert sum(size for _, size in got) - allowed <= len(sizes) // 2


@settings(max_examples=200, deadline=None)
@given(
    replicas=st.integers(1, 40),
    surge=st.one_of(st.integers(0, 10), st.integers(0, 100).map("{}%".format)),
    unavailable=st.one_of(st.integers(0, 10), st.integers(0, 100).map("{}%".format)),
)
def test_a_rollout_with_healthy_pods_ends_and_keeps_its_bounds(replicas, surge, unavailable):
    target = deployment(replicas, surge, unavailable)
    least = replicas - rollout.max_unavailable(target)
    sizes = {"old": replicas, "new": 0}
    for _ in range(10 * replicas + 10):
        if sizes == {"old": 0, "new": replicas}:
            break
        new, old = replica_set("new", sizes["new"]), replica_set("old", sizes["old"], age=10)
        grown = rollout.new_size(target, [old, new], sizes["new"])
        if grown != sizes["new"]:
            sizes["new"] = grown
        else:
            sizes |= {each.metadata.name: size for each, size in rollout.shrink_old(target, new, [old])}
        assert sum(sizes.values()) <= replicas + rollout.max_surge(target)
        assert sum(sizes.values()) >= least
    assert sizes == {"old": 0, "new": replicas}


def test_the_template_hash_ignores_the_hash_label_and_follows_collisions():
    target = deployment(1)
    first = revisions.template_hash(target)
    assert first == revisions.template_hash(deployment(5))
    assert first != revisions.template_hash(deployment(1, image="web:2"))
    assert first != revisions.template_hash(deployment(1, collisionCount=1))
    assert revisions.find_new(target, [replica_set("x", 1)]) is not None
    assert revisions.find_new(target, [replica_set("x", 1, image="web:2")]) is None


def test_of_equal_replica_sets_the_oldest_is_the_new_one():
    sets = [replica_set("young", 1, age=1), replica_set("old", 1, age=9)]
    assert revisions.find_new(deployment(1), sets).metadata.name == "old"


def test_revisions_count_as_numbers():
    sets = [replica_set("a", 0, revision=9), replica_set("b", 0, revision=10), replica_set("c", 0)]
    assert revisions.next_revision(sets) == 11
    assert revisions.next_revision([]) == 1


def test_history_grows_with_each_return():
    target = deployment(1)
    prefix = "deployment.kubernetes.io/"
    annotations = revisions.new_annotations(target, {f"{prefix}revision": "1"}, 3)
    assert annotations == {f"{prefix}revision": "3", f"{prefix}revision-history": "1"}
    annotations = revisions.new_annotations(target, annotations, 5)
    assert annotations == {f"{prefix}revision": "5", f"{prefix}revision-history": "1,3"}
    assert revisions.new_annotations(target, annotations, 4) == annotations


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="k", operator="Exists"), True),
        (Toleration(key="k", operator="Exists", effect="NoSchedule"), False),
        (Toleration(key="k", value="v"), True),
        (Toleration(key="k", operator="Equal", value="v", effect="NoExecute"), True),
        (Toleration(key="k", operator="Equal", value="x"), False),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(value="v"), False),
    ],
)
def test_tolerations(toleration, expected):
    assert tolerates([toleration], Taint(key="k", value="v", effect="NoExecute")) is expected


def test_the_shortest_toleration_counts_and_every_taint_needs_one():
    one, two = Taint(key="a", effect="NoExecute"), Taint(key="b", effect="NoExecute")
    for_a = Toleration(key="a", operator="Exists", tolerationSeconds=60)
    for_all = Toleration(operator="Exists", tolerationSeconds=30)
    for_ever = Toleration(operator="Exists")
    assert seconds_tolerated([], []) == (True, None)
    assert seconds_tolerated([one], [for_a]) == (True, 60)
    assert seconds_tolerated([one, two], [for_a]) == (False, 0.0)
    assert seconds_tolerated([one, two], [for_a, for_all]) == (True, 30)
    assert seconds_tolerated([one], [for_ever]) == (True, None)
    assert seconds_tolerated([one], [Toleration(operator="Exists", tolerationSeconds=-1)]) == (True, 0)


def test_the_oldest_finished_pods_beyond_the_threshold_go():
    pods = [pod(str(age), phase="Succeeded", age=age) for age in (10, 30, 20)] + [pod("runs")]
    assert [each.metadata.name for each in excess_finished(pods, 1)] == ["30", "20"]
    assert excess_finished(pods, 3) == []
    assert excess_finished(pods, 0) == []


@pytest.mark.parametrize(
    ("fails_at", "expected"), [(None, (10, [1, 2, 4, 3])), (3, (2, [1, 2])), (1, (0, [1]))]
)
async def test_batches_grow_until_one_fails(fails_at, expected):
    calls = 0

    async def work():
        nonlocal calls
        calls += 1
        if fails_at is not None and calls >= fails_at:
            raise RuntimeError("quota")

    done, error = await slow_start(10, work)
    wanted, batches = expected
    assert done == wanted
    assert calls == sum(batches)
    assert (error is None) == (fails_at is None)


async def test_nothing_to_do_is_no_batch():
    assert await slow_start(0, lambda: 1 / 0) == (0, None)


async def test_only_a_few_run_at_a_time_and_all_errors_are_told():
    running = most = 0

    async def work():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        raise ValueError

    errors = await each_of([work] * 50)
    assert len(errors) == 50
    assert most == AT_ONCE
