"""The flow schemas and priority levels every cluster begins with, those that can't be changed and those that are a
suggestion, as Kubernetes defines them."""

from __future__ import annotations

from typing import Final

from ktui.kube.resource import Object

_ANYONE: Final = ("system:unauthenticated", "system:authenticated")
_NODES: Final = "system:nodes"
_LEASES: Final = "coordination.k8s.io"


def _object(name: str, spec: Object) -> Object:
    annotations = {"apf.kubernetes.io/autoupdate-spec": "true"}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": spec}


def _level(name: str, shares: int, lendable: int, queues: int, hand: int) -> Object:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": lendable,
        "limitResponse": {"type": "Queue", "queuing": queuing},
    }
    return _object(name, {"type": "Limited", "limited": limited})


def _groups(*names: str) -> list[Object]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Object]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


_KUBE_SYSTEM: Final[list[Object]] = [
    {"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "kube-system"}}
]


def _resources(verbs: str, group: str, resources: str, *, cluster: bool) -> Object:
    rule: Object = {
        "verbs": verbs.split(),
        "apiGroups": [group],
        "resources": resources.split(),
        "namespaces": ["*"],
    }
    return {**rule, "clusterScope": True} if cluster else rule


_EVERYTHING: Final[Object] = {
    "resourceRules": [_resources("*", "*", "*", cluster=True)],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}


def _schema(
    name: str, level: str, precedence: int, by: str, subjects: list[Object], rules: Object = _EVERYTHING
) -> Object:
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [{"subjects": subjects, **rules}],
    }
    return _object(name, {**spec, "distinguisherMethod": {"type": f"By{by}"}} if by else spec)


MANDATORY_LEVELS: Final[tuple[Object, ...]] = (
    _object(
        "catch-all",
        {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 5,
                "lendablePercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    ),
    _object("exempt", {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}}),
)

SUGGESTED_LEVELS: Final[tuple[Object, ...]] = (
    _level("system", 30, 33, 64, 6),
    _level("node-high", 40, 25, 64, 6),
    _level("leader-election", 10, 0, 16, 4),
    _level("workload-high", 40, 50, 128, 6),
    _level("workload-low", 100, 90, 128, 6),
    _level("global-default", 20, 50, 128, 6),
)

MANDATORY_SCHEMAS: Final[tuple[Object, ...]] = (
    _schema("exempt", "exempt", 1, "", _groups("system:masters")),
    _schema("catch-all", "catch-all", 10_000, "User", _groups(*_ANYONE)),
)

SUGGESTED_SCHEMAS: Final[tuple[Object, ...]] = (
    _schema("system-nodes", "system", 500, "User", _groups(_NODES)),
    _schema(
        "system-node-high",
        "node-high",
        400,
        "User",
        _groups(_NODES),
        {
            "resourceRules": [
                _resources("*", "", "nodes nodes/status", cluster=True),
                _resources("*", _LEASES, "leases", cluster=False),
            ]
        },
    ),
    _schema(
        "probes",
        "exempt",
        2,
        "",
        _groups(*_ANYONE),
        {"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}]},
    ),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        "User",
        [*_users("system:kube-controller-manager", "system:kube-scheduler"), *_KUBE_SYSTEM],
        {"resourceRules": [_resources("get create update", _LEASES, "leases", cluster=False)]},
    ),
    _schema(
        "kube-controller-manager", "workload-high", 800, "Namespace", _users("system:kube-controller-manager")
    ),
    _schema("kube-scheduler", "workload-high", 800, "Namespace", _users("system:kube-scheduler")),
    _schema("kube-system-service-accounts", "workload-high", 900, "Namespace", _KUBE_SYSTEM),
    _schema("service-accounts", "workload-low", 9000, "User", _groups("system:serviceaccounts")),
    _schema("global-default", "global-default", 9900, "User", _groups(*_ANYONE)),
)
