"""Volumes, claims and their classes: what is refused, in kube-apiserver's words."""

from typing import Any

import pytest
from kind_cases import created, errors, kind, update_errors

MODES = 'supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
FIXED = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


def claim(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec},
        **({"status": status} if status else {}),
    }


def asking(size: str) -> dict[str, Any]:
    return {"requests": {"storage": size}}


def volume(**spec: Any) -> dict[str, Any]:
    given = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/srv"}}
    kept = {field: value for field, value in {**given, **spec}.items() if value is not None}
    return {"metadata": {"name": "disk"}, "spec": kept}


def storage_class(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "disks"}, "provisioner": "example.com/maker", **fields}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"accessModes": []}, ["spec.accessModes: Required value: at least 1 access mode is required"]),
        ({"accessModes": ["Often"]}, [f'spec.accessModes: Unsupported value: "Often": {MODES}']),
        (
            {"accessModes": ["ReadWriteOncePod", "ReadWriteOnce"]},
            ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
        ),
        ({"resources": {}}, ["spec.resources[storage]: Required value"]),
        (
            {"resources": asking("0")},
            ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
        ),
        (
            {"volumeMode": "Tape"},
            ['spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"'],
        ),
        (
            {"dataSource": {"kind": "Deployment", "name": "web"}},
            [
                f"spec.{field}: Invalid value: \"Deployment\": must be 'PersistentVolumeClaim' when "
                "referencing the default apiGroup"
                for field in ("dataSource", "dataSourceRef")
            ],
        ),
        (
            {
                "dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
                "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"},
            },
            ['spec: Invalid value: "spec.dataSource": must match dataSourceRef'],
        ),
    ],
)
def test_claims_that_ask_for_what_there_cannot_be(spec, expected):
    assert errors("persistentvolumeclaims", claim(**spec)) == expected


def claim_update_errors(
    new: dict[str, Any], old: dict[str, Any], phase: str, status: Any = None
) -> list[str]:
    """The first line of each: what follows is a difference."""
    declaration = kind("persistentvolumeclaims")
    had = {"phase": phase, "capacity": {"storage": "1Gi"} if phase == "Bound" else {}, **(status or {})}
    before, after = ({**created("persistentvolumeclaims", each), "status": had} for each in (old, new))
    found = declaration.validate_update(after, before)
    return [f"{c.field}: {c.message}".partition("\n")[0] for c in found]


@pytest.mark.parametrize(
    ("new", "old", "phase", "expected"),
    [
        (claim(volumeName="disk"), claim(), "Pending", []),
        (claim(volumeName="other"), claim(volumeName="disk"), "Bound", [f"spec: {FIXED}"]),
        (claim(storageClassName="a"), claim(), "Pending", []),
        (claim(storageClassName="a"), claim(storageClassName="b"), "Pending", [f"spec: {FIXED}"]),
        (claim(resources=asking("2Gi")), claim(), "Bound", []),
        (claim(resources=asking("2Gi")), claim(), "Pending", [f"spec: {FIXED}"]),
        (
            claim(resources=asking("1Gi")),
            claim(resources=asking("2Gi")),
            "Bound",
            ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
        ),
        (claim(resources=asking("1500Mi")), claim(resources=asking("2Gi")), "Bound", []),
        (claim(volumeAttributesClassName="gold"), claim(), "Bound", []),
    ],
)
def test_what_may_change_of_a_claim(new, old, phase, expected):
    assert claim_update_errors(new, old, phase) == expected


def test_a_claim_keeps_a_class_of_attributes_once_its_volume_has_one():
    has = {"currentVolumeAttributesClassName": "gold"}
    gold = claim(volumeAttributesClassName="gold")
    why = "is forbidden when status.currentVolumeAttributesClassName is not nil"
    at = "spec.volumeAttributesClassName: Forbidden: update to"
    assert claim_update_errors(claim(), gold, "Bound", has)[-1] == f"{at} nil {why}"
    assert claim_update_errors(claim(volumeAttributesClassName=""), gold, "Bound", has) == [
        f"{at} empty string {why}"
    ]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"accessModes": []}, ["spec.accessModes: Required value"]),
        ({"hostPath": None}, ["spec: Required value: must specify a volume type"]),
        (
            {"nfs": {"server": "s", "path": "/p"}},
            ["spec.nfs: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            {"hostPath": None, "local": {"path": "/srv"}},
            ["spec.nodeAffinity: Required value: Local volume requires node affinity"],
        ),
        (
            {"nodeAffinity": {}},
            ["spec.nodeAffinity.required: Required value: must specify required node constraints"],
        ),
        (
            {"persistentVolumeReclaimPolicy": "Burn"},
            [
                'spec.persistentVolumeReclaimPolicy: Unsupported value: "Burn": supported values: "Delete", '
                '"Recycle", "Retain"'
            ],
        ),
        (
            {"hostPath": {"path": "/"}, "persistentVolumeReclaimPolicy": "Recycle"},
            [
                "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of "
                "'/'"
            ],
        ),
        (
            {"volumeAttributesClassName": ""},
            [
                "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
                "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            ],
        ),
    ],
)
def test_volumes_that_cannot_be(spec, expected):
    assert errors("persistentvolumes", volume(**spec)) == expected


def test_where_a_volumes_data_is_never_changes():
    moved = update_errors("persistentvolumes", volume(hostPath={"path": "/new"}), volume())
    assert [each.partition("\n")[0] for each in moved] == [
        "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
    ]
    driver = {"driver": "d.example.com", "volumeHandle": "h"}
    secret = {"controllerExpandSecretRef": {"name": "s", "namespace": "default"}}
    plain = volume(hostPath=None, csi=driver)
    assert update_errors("persistentvolumes", volume(hostPath=None, csi={**driver, **secret}), plain) == []
    gold = volume(hostPath=None, csi=driver, volumeAttributesClassName="gold")
    assert update_errors("persistentvolumes", plain, gold) == [
        "spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"provisioner": ""}, ["provisioner: Required value"]),
        ({"parameters": {"": "x"}}, ['parameters: Invalid value: "": field can not be empty.']),
        (
            {"reclaimPolicy": "Recycle"},
            ['reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"'],
        ),
        (
            {"volumeBindingMode": "Late"},
            [
                'volumeBindingMode: Unsupported value: "Late": supported values: "Immediate", '
                '"WaitForFirstConsumer"'
            ],
        ),
        (
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": "zone", "values": []}]}]},
            ["allowedTopologies[0].matchLabelExpressions[0].values: Required value"],
        ),
    ],
)
def test_classes_that_cannot_be(fields, expected):
    assert errors("storageclasses.storage.k8s.io", storage_class(**fields)) == expected


def test_what_a_class_means_never_changes():
    changed = storage_class(provisioner="example.com/other", volumeBindingMode="WaitForFirstConsumer")
    assert update_errors("storageclasses.storage.k8s.io", changed, storage_class()) == [
        'provisioner: Invalid value: "example.com/other": field is immutable',
        'volumeBindingMode: Invalid value: "WaitForFirstConsumer": field is immutable',
    ]
    grown = storage_class(allowVolumeExpansion=True)
    assert update_errors("storageclasses.storage.k8s.io", grown, storage_class()) == []
