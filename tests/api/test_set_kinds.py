"""StatefulSets, DaemonSets and ReplicationControllers as the API takes them in: defaults, rules, columns, scale."""

from __future__ import annotations

from typing import Any

import pytest
from kind_cases import created, deployment, errors, kind, update_errors

from ktui.client.base import DeleteOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import open_store
from ktui.kube.kinds import DAEMON_SETS, PODS, REPLICATION_CONTROLLERS, STATEFUL_SETS


def stateful_set(**spec: Any) -> dict[str, Any]:
    return {**deployment(spec), "kind": "StatefulSet"}


def daemon_set(**spec: Any) -> dict[str, Any]:
    return {**deployment(spec), "kind": "DaemonSet"}


def controller(**spec: Any) -> dict[str, Any]:
    base = {"template": deployment()["spec"]["template"]}
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": deployment()["metadata"]} | {
        "spec": base | spec
    }


CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
MOUNTING = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [
            {"name": "main", "image": "web:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        ]
    },
}


def test_defaults_of_a_stateful_set():
    spec = created("statefulsets", stateful_set(volumeClaimTemplates=[CLAIM]))["spec"]
    assert spec["replicas"] == 1
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["revisionHistoryLimit"] == 10
    assert spec["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"partition": 0, "maxUnavailable": 1},
    }
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert spec["volumeClaimTemplates"] == [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        }
    ]
    on_delete = created("statefulsets", stateful_set(updateStrategy={"type": "OnDelete"}))["spec"]
    assert on_delete["updateStrategy"] == {"type": "OnDelete"}


def test_defaults_of_a_daemon_set():
    made = created("daemonsets", daemon_set())
    assert made["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
    assert made["spec"]["revisionHistoryLimit"] == 10
    assert made["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "1"}


def test_a_replication_controller_takes_labels_and_selector_from_its_template():
    made = created("replicationcontrollers", controller())
    assert made["spec"]["selector"] == made["metadata"]["labels"] == {"app": "web"}
    assert made["spec"]["replicas"] == 1
    own = created(
        "replicationcontrollers", {**controller(selector={"app": "web"}), "metadata": {"labels": {"a": "b"}}}
    )
    assert own["metadata"]["labels"] == {"a": "b"}


NUMBER = "must be greater than or equal to 0"


@pytest.mark.parametrize(
    ("name", "obj", "expected"),
    [
        ("statefulsets", stateful_set(template=MOUNTING, volumeClaimTemplates=[CLAIM]), []),
        (
            "statefulsets",
            stateful_set(template=MOUNTING),
            ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"'],
        ),
        (
            "statefulsets",
            stateful_set(podManagementPolicy="Random", replicas=-1, ordinals={"start": -1}),
            [
                "spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'",
                f"spec.replicas: Invalid value: -1: {NUMBER}",
                f"spec.ordinals.start: Invalid value: -1: {NUMBER}",
            ],
        ),
        (
            "statefulsets",
            stateful_set(updateStrategy={"type": "Fast"}),
            [
                "spec.updateStrategy: Invalid value: {\"type\":\"Fast\"}: must be 'RollingUpdate' or 'OnDelete'",
            ],
        ),
        (
            "statefulsets",
            stateful_set(updateStrategy={"rollingUpdate": {"partition": -1, "maxUnavailable": 0}}),
            [
                f"spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: {NUMBER}",
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
            ],
        ),
        (
            "statefulsets",
            stateful_set(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            [
                'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: only allowed for '
                "updateStrategy 'RollingUpdate'",
            ],
        ),
        (
            "statefulsets",
            stateful_set(persistentVolumeClaimRetentionPolicy={"whenScaled": "Keep"}),
            [
                'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "Keep": supported values: '
                '"Delete", "Retain"',
            ],
        ),
        (
            "statefulsets",
            stateful_set(selector={}),
            ["spec.selector: Invalid value: {}: empty selector is invalid for statefulset"],
        ),
        ("daemonsets", daemon_set(updateStrategy={"type": "OnDelete"}), []),
        (
            "daemonsets",
            daemon_set(updateStrategy={"type": "Fast"}),
            [
                'spec.updateStrategy: Unsupported value: {"type":"Fast"}: supported values: "OnDelete", "RollingUpdate"',
            ],
        ),
        (
            "daemonsets",
            daemon_set(updateStrategy={"rollingUpdate": {"maxSurge": 1}}),
            [
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is "
                "non-zero",
            ],
        ),
        (
            "daemonsets",
            daemon_set(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
            [
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
            ],
        ),
        (
            "daemonsets",
            daemon_set(
                template={
                    **MOUNTING,
                    "spec": {**deployment()["spec"]["template"]["spec"], "activeDeadlineSeconds": 5},
                }
            ),
            [
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported",
            ],
        ),
        ("replicationcontrollers", controller(), []),
        (
            "replicationcontrollers",
            controller(selector={"app": "db"}),
            [
                'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template '
                "`labels`",
            ],
        ),
        (
            "replicationcontrollers",
            {**controller(), "spec": {"replicas": -1}},
            [
                "spec.selector: Required value",
                f"spec.replicas: Invalid value: -1: {NUMBER}",
                "spec.template: Required value",
            ],
        ),
    ],
)
def test_rules(name: str, obj: dict[str, Any], expected: list[str]):
    assert errors(name, obj) == expected


def test_only_some_fields_of_a_stateful_set_change():
    same = stateful_set(
        replicas=5,
        minReadySeconds=3,
        ordinals={"start": 2},
        revisionHistoryLimit=1,
        template=deployment()["spec"]["template"],
    )
    assert update_errors("statefulsets", same, stateful_set()) == []
    assert update_errors("statefulsets", stateful_set(serviceName="db"), stateful_set()) == [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden"
    ]
    assert update_errors(
        "daemonsets",
        daemon_set(selector={"matchLabels": {"app": "db"}}),
        daemon_set(),
    ) == ['spec.selector: Invalid value: {"matchLabels":{"app":"db"}}: field is immutable']


def test_the_status_of_a_stateful_set_counts_right():
    wrong = {"status": {"replicas": 1, "readyReplicas": 2, "collisionCount": 0}}
    found = kind("statefulsets").validate_status(wrong, {"status": {"collisionCount": 1}})
    assert [f"{c.field}: {c.message}" for c in found] == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.collisionCount: Invalid value: 0: cannot be decremented",
    ]


def test_a_daemon_set_counts_changes_of_its_template():
    old = created("daemonsets", daemon_set())
    kept = kind("daemonsets").prepare_update(created("daemonsets", daemon_set(minReadySeconds=1)), old)
    assert kept["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "1"}
    template = {**MOUNTING, "spec": {"containers": [{"name": "main", "image": "web:2"}]}}
    changed = kind("daemonsets").prepare_update(created("daemonsets", daemon_set(template=template)), old)
    assert changed["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "2"}


def test_columns():
    cells = {
        name: [column.read(obj) for column in kind(name).columns]
        for name, obj in {
            "statefulsets": {
                **created("statefulsets", stateful_set(replicas=2)),
                "status": {"readyReplicas": 1},
            },
            "daemonsets": {
                **created("daemonsets", daemon_set()),
                "status": {"numberReady": 1, "desiredNumberScheduled": 2},
            },
            "replicationcontrollers": created("replicationcontrollers", controller(replicas=2)),
        }.items()
    }
    assert cells == {
        "statefulsets": ["web", "1/2", None, "main", "web:1"],
        "daemonsets": ["web", 2, 0, 1, 0, 0, "<none>", None, "main", "web:1", "app=web"],
        "replicationcontrollers": ["web", 2, 0, 0, None, "main", "web:1", "app=web"],
    }


async def test_scale_and_the_legacy_default_of_deletes(clock):
    store = open_store(None, clock=clock)
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    client = LocalClient(server, "system:test", manager="test")
    try:
        for resource, obj in ((STATEFUL_SETS, stateful_set()), (REPLICATION_CONTROLLERS, controller())):
            made = await client.create(resource, obj)
            scale = await client.get(resource, "web", "default", subresource="scale")
            assert (scale["spec"], scale["status"]["selector"]) == ({"replicas": 1}, "app=web")
            await client.patch(resource, "web", {"spec": {"replicas": 4}}, "default", subresource="scale")
            assert (await client.get(resource, "web", "default"))["spec"]["replicas"] == 4
            assert made["metadata"]["generation"] == 1
        await client.create(DAEMON_SETS, daemon_set())
        await client.delete(REPLICATION_CONTROLLERS, "web", "default", options=DeleteOptions())
        left = await client.get(REPLICATION_CONTROLLERS, "web", "default")
        assert left["metadata"]["finalizers"] == ["orphan"]
        assert (await client.list(PODS, "default")).items == []
    finally:
        await store.close()
