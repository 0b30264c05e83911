"""The arithmetic of autoscaling, without a cluster: what metrics ask for, and how fast it may be followed."""

from datetime import UTC, datetime, timedelta

import pytest
from lightkube.models.core_v1 import (
    Container,
    Pod,
    PodCondition,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.controllers.autoscaling_limits import History, bounded, stabilized
from ktui.engine.controllers.autoscaling_replicas import (
    Tolerances,
    by_average,
    by_ratio,
    by_shares,
    by_utilization,
)
from ktui.engine.controllers.autoscaling_usage import MetricError, Usage, printed_selector, usages_in

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
WINDOW = timedelta(seconds=15)


def pod(name, *, phase="Running", ready="True", since=LONG_AGO, started=LONG_AGO, deleted=None, request="1"):
    requests = {"cpu": request} if request else None
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", deletionTimestamp=deleted),
        spec=PodSpec(containers=[Container(name="web", resources=ResourceRequirements(requests=requests))]),
        status=PodStatus(
            phase=phase,
            startTime=started,
            conditions=[PodCondition(type="Ready", status=ready, lastTransitionTime=since)],
        ),
    )


TENTH = Tolerances()


def using(**millis):
    return {name: Usage(amount, NOW, WINDOW) for name, amount in millis.items()}


def utilization(current, target, pods, usages, tolerances=TENTH):
    return by_utilization(current, target, pods, usages, "cpu", "", tolerances, NOW)


TENTH = Tolerances()
THREE = [pod("a"), pod("b"), pod("c")]


@pytest.mark.parametrize(
    ("target", "used", "wanted", "shown"),
    [
        (30, (300, 500, 700), 5, 50),
        (100, (300, 500, 700), 2, 50),
        (50, (300, 500, 700), 3, 50),
        (46, (300, 500, 700), 3, 50),
        (45, (300, 500, 700), 4, 50),
        (55, (300, 500, 700), 3, 50),
        (56, (300, 500, 700), 3, 50),
        (90, (0, 0, 0), 0, 0),
    ],
)
def test_replicas_follow_the_ratio_of_use_to_target_within_a_tolerance(target, used, wanted, shown):
    found = utilization(3, target, THREE, using(**dict(zip("abc", used, strict=True))))
    assert (found.replicas, found.utilization) == (wanted, shown)
    assert found.average_millis == sum(used) // 3


def test_tolerances_can_be_set_for_each_direction():
    used = using(a=600, b=600, c=600)
    assert utilization(3, 50, THREE, used).replicas == 4
    assert utilization(3, 50, THREE, used, Tolerances(up=0.2)).replicas == 3
    assert utilization(3, 90, THREE, used, Tolerances(up=0.2, down=0.5)).replicas == 3
    assert utilization(3, 52, THREE, using(a=540, b=540, c=540), Tolerances(up=0.0)).replicas == 4


def test_pods_without_metrics_make_a_change_smaller_but_never_turn_it():
    pods = [*THREE, pod("d")]
    assert utilization(4, 50, pods, using(a=900, b=900, c=900)).replicas == 6
    assert utilization(4, 100, pods, using(a=400, b=400, c=400)).replicas == 3
    assert utilization(4, 50, pods, using(a=600, b=600, c=600)).replicas == 4
    assert utilization(4, 50, pods, using(a=450, b=450, c=450)).replicas == 4


def test_pods_that_are_not_ready_count_as_idle_when_scaling_up_and_not_at_all_otherwise():
    recently = NOW - timedelta(seconds=60)
    unready = pod("c", ready="False", since=recently, started=recently)
    pods = [pod("a"), pod("b"), unready]
    assert utilization(3, 50, pods, using(a=900, b=900, c=5000)).replicas == 4
    assert utilization(3, 100, pods, using(a=400, b=400, c=5000)).replicas == 1
    assert utilization(3, 50, pods, using(a=700, b=700, c=5000)).replicas == 3


@pytest.mark.parametrize(
    ("started", "since", "ready", "counts"),
    [
        (60, 60, "True", True),
        (60, 10, "True", False),
        (60, 20, "False", False),
        (600, 10, "True", True),
        (600, 10, "False", True),
        (600, 590, "False", False),
    ],
)
def test_when_the_cpu_of_a_young_pod_counts(started, since, ready, counts):
    """It does once ready for a window of metrics, or when it was ready before and has started long ago."""
    young = pod(
        "young",
        ready=ready,
        started=NOW - timedelta(seconds=started),
        since=NOW - timedelta(seconds=since),
    )
    found = utilization(2, 50, [pod("old"), young], using(old=500, young=100))
    assert found.average_millis == (300 if counts else 500)


def test_pods_that_failed_or_go_away_are_left_out_and_pending_ones_wait():
    pods = [
        pod("a"),
        pod("gone", deleted=NOW),
        pod("failed", phase="Failed"),
        pod("new", phase="Pending", ready="False"),
    ]
    assert utilization(2, 50, pods, using(a=1000, gone=9000, failed=9000)).replicas == 2
    assert utilization(2, 25, pods, using(a=1000, gone=9000)).replicas == 4


def test_what_cannot_be_told_is_said():
    with pytest.raises(MetricError, match="no pods returned by selector"):
        utilization(1, 50, [], using(a=1))
    with pytest.raises(
        MetricError, match=r"did not receive metrics for targeted pods \(pods might be unready\)"
    ):
        utilization(1, 50, [pod("a", phase="Pending")], using(a=1))
    with pytest.raises(MetricError, match="missing request for cpu in container web of Pod a"):
        utilization(1, 50, [pod("a", request="")], using(a=1))
    with pytest.raises(MetricError, match="container side not found in Pod a"):
        by_utilization(1, 50, [pod("a")], using(a=1), "cpu", "side", Tolerances(), NOW)


def test_an_amount_for_each_pod_is_a_target_too():
    def average(target, pods, usages):
        return by_average(len(pods), target, pods, usages, "memory", Tolerances(), NOW)

    found = average(1000, THREE, using(a=2000, b=2000, c=2000))
    assert (found.replicas, found.average_millis, found.utilization) == (6, 2000, None)
    assert average(1000, [*THREE, pod("d")], using(a=2000, b=2000, c=2000)).replicas == 6
    assert average(1000, [*THREE, pod("d")], using(a=500, b=500, c=500)).replicas == 3


@pytest.mark.parametrize(
    ("current", "ratio", "wanted"),
    [(3, 1.05, 3), (3, 1.5, 3), (3, 2.5, 5), (3, 0.4, 1), (0, 2.5, 3), (0, 0.0, 0)],
)
def test_one_number_for_all_pods_counts_by_those_that_are_ready(current, ratio, wanted):
    pods = [pod("a"), pod("b"), pod("c", ready="False")]
    assert by_ratio(current, ratio, pods, TENTH) == wanted


@pytest.mark.parametrize(
    ("present", "total", "wanted", "share"),
    [(2, 6000, 6, 3000), (2, 2100, 2, 1050), (0, 2500, 3, 0), (0, 0, 0, 0), (4, 0, 0, 0), (3, 1000, 1, 334)],
)
def test_one_number_can_be_shared_by_the_pods(present, total, wanted, share):
    assert by_shares(present, total, 1000, TENTH)[:2] == (wanted, share)


def test_a_number_that_is_too_large_asks_for_no_more_than_the_api_can_say():
    assert by_shares(1, 10**20, 1000, TENTH).replicas == by_ratio(1, 1e12, [pod("a")], TENTH) == 2**31 - 1
    with pytest.raises(MetricError, match="unable to calculate ready pods: no pods returned by selector"):
        by_ratio(1, 2.0, [], TENTH)


def test_usage_is_summed_up_over_containers_or_taken_from_one():
    def metrics(*containers):
        return {
            "metadata": {"name": "a"},
            "timestamp": "2026-01-01T12:00:00Z",
            "window": "1m0.5s",
            "containers": [{"name": name, "usage": usage} for name, usage in containers],
        }

    both = metrics(("web", {"cpu": "1500000n", "memory": "1Mi"}), ("side", {"cpu": "2m"}))
    assert usages_in([both], "cpu", "") == {"a": Usage(4, NOW, timedelta(seconds=60.5))}
    assert usages_in([both], "cpu", "side")["a"].millis == 2
    assert usages_in([both], "memory", "web")["a"].millis == 1000 << 20
    assert usages_in([both], "memory", "") == usages_in([both], "cpu", "none") == {}
    assert usages_in([metrics()], "cpu", "") == {}


def test_a_selector_of_a_metric_is_printed_as_kubernetes_prints_it():
    assert printed_selector(None) == "nil"
    wanted = {
        "matchLabels": {"queue": "a"},
        "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}],
    }
    assert printed_selector(wanted) == (
        "&LabelSelector{MatchLabels:map[string]string{queue: a,},MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:k,Operator:In,Values:[v],},},}"
    )


# How fast


def behavior(up=None, down=None, window_up=0, window_down=300, **select):
    every = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": window_up,
            "selectPolicy": select.get("select_up", "Max"),
            "policies": up or [{"type": "Pods", "value": 4, "periodSeconds": 15}, *every],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": window_down,
            "selectPolicy": select.get("select_down", "Max"),
            "policies": down or every,
        },
    }


def pods_policy(value, period=60):
    return {"type": "Pods", "value": value, "periodSeconds": period}


def percent_policy(value, period=60):
    return {"type": "Percent", "value": value, "periodSeconds": period}


def test_without_a_behavior_the_highest_wish_of_five_minutes_holds():
    history = History()
    assert stabilized(10, 5, None, history, 0) == (
        10,
        "ReadyForNewScale",
        "recommended size matches current size",
    )
    held = stabilized(3, 10, None, history, 300)
    assert held[:2] == (10, "ScaleDownStabilized")
    assert stabilized(3, 10, None, history, 301)[:2] == (3, "ReadyForNewScale")


def test_windows_hold_back_both_directions():
    rules = behavior(window_up=60, window_down=100)
    history = History()
    assert stabilized(5, 5, rules, history, 0).replicas == 5
    assert stabilized(9, 5, rules, history, 30)[:2] == (5, "ScaleUpStabilized")
    assert stabilized(8, 5, rules, history, 61)[:2] == (8, "ReadyForNewScale")
    assert stabilized(2, 8, rules, history, 90)[:2] == (8, "ScaleDownStabilized")
    assert stabilized(2, 8, rules, history, 162)[:2] == (2, "ReadyForNewScale")


@pytest.mark.parametrize(
    ("wish", "current", "replicas", "reason"),
    [
        (20, 2, 4, "ScaleUpLimit"),
        (20, 9, 15, "TooManyReplicas"),
        (12, 9, 12, "DesiredWithinRange"),
        (0, 9, 2, "TooFewReplicas"),
        (3, 1, 3, "DesiredWithinRange"),
    ],
)
def test_without_a_behavior_replicas_at_most_double(wish, current, replicas, reason):
    assert bounded(wish, current, 2, 15, None, History(), 0)[:2] == (replicas, reason)


@pytest.mark.parametrize(
    ("rules", "wish", "replicas", "reason"),
    [
        (behavior(), 100, 20, "ScaleUpLimit"),
        (behavior(up=[pods_policy(3)]), 100, 13, "ScaleUpLimit"),
        (behavior(up=[pods_policy(3), percent_policy(50)]), 100, 15, "ScaleUpLimit"),
        (behavior(up=[pods_policy(3), percent_policy(50)], select_up="Min"), 100, 13, "ScaleUpLimit"),
        (behavior(up=[percent_policy(1)]), 100, 11, "ScaleUpLimit"),
        (behavior(select_up="Disabled"), 100, 10, "ScaleUpLimit"),
        (behavior(up=[percent_policy(900)]), 100, 50, "TooManyReplicas"),
        (behavior(), 12, 12, "DesiredWithinRange"),
        (behavior(), 0, 2, "TooFewReplicas"),
        (behavior(down=[pods_policy(3)]), 1, 7, "ScaleDownLimit"),
        (behavior(down=[pods_policy(3), percent_policy(50)]), 1, 5, "ScaleDownLimit"),
        (behavior(down=[pods_policy(3), percent_policy(50)], select_down="Min"), 1, 7, "ScaleDownLimit"),
        (behavior(select_down="Disabled"), 1, 10, "ScaleDownLimit"),
    ],
)
def test_policies_limit_the_rate(rules, wish, replicas, reason):
    assert bounded(wish, 10, 2, 50, rules, History(), 0)[:2] == (replicas, reason)


def test_policies_count_what_was_changed_within_their_period():
    history = History()
    rules = behavior(up=[pods_policy(4)], down=[pods_policy(2)])
    history.changed(10, 14, 0)
    assert bounded(30, 14, 1, 50, rules, history, 30).replicas == 14
    assert bounded(30, 14, 1, 50, rules, history, 60).replicas == 18
    history.changed(14, 12, 70)
    assert bounded(1, 12, 1, 50, rules, history, 80).replicas == 12
    assert bounded(30, 12, 1, 50, rules, history, 80).replicas == 18
    assert bounded(1, 12, 1, 50, rules, history, 131).replicas == 10
