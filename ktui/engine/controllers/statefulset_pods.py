"""The pods of a StatefulSet: names, labels, host names and claims of each ordinal. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lightkube.models.apps_v1 import StatefulSet
from lightkube.models.core_v1 import PersistentVolumeClaim, Pod, PodTemplateSpec, Volume

from ktui.engine.controllers.controller_revisions import REVISION_LABEL
from ktui.engine.controllers.objects import labels_of, name_of, namespace_of, plain, pod_spec
from ktui.engine.controllers.pod_control import pod_from_template
from ktui.kube.kinds import STATEFUL_SETS
from ktui.kube.resource import Object
from ktui.kube.selector import Selector

POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
POD_INDEX: Final = "apps.kubernetes.io/pod-index"


def ordinal_of(stateful_set: StatefulSet, pod: Pod) -> int | None:
    """The number in the pod's name; None when the name isn't of this set."""
    parent, dash, text = name_of(pod).rpartition("-")
    if not dash or parent != name_of(stateful_set) or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def first_ordinal(stateful_set: StatefulSet) -> int:
    ordinals = stateful_set.spec.ordinals if stateful_set.spec else None
    return (ordinals.start if ordinals else None) or 0


def wanted_replicas(stateful_set: StatefulSet) -> int:
    replicas = stateful_set.spec.replicas if stateful_set.spec else None
    return 1 if replicas is None else replicas


def claim_templates(stateful_set: StatefulSet) -> Sequence[PersistentVolumeClaim]:
    return (stateful_set.spec.volumeClaimTemplates if stateful_set.spec else None) or ()


def claim_name(template: PersistentVolumeClaim, stateful_set: StatefulSet, ordinal: int) -> str:
    return f"{name_of(template)}-{name_of(stateful_set)}-{ordinal}"


def new_pod(stateful_set: StatefulSet, template: PodTemplateSpec, revision: str, ordinal: int) -> Object:
    """The pod of an ordinal, made from the template of a revision."""
    assert stateful_set.spec is not None
    name = f"{name_of(stateful_set)}-{ordinal}"
    pod = pod_from_template(template, stateful_set, STATEFUL_SETS)
    metadata: Object = {key: value for key, value in pod["metadata"].items() if key != "generateName"}
    labels: dict[str, str] = {
        **(metadata.get("labels") or {}),
        REVISION_LABEL: revision,
        POD_NAME: name,
        POD_INDEX: str(ordinal),
    }
    spec: Object = {**(pod.get("spec") or {}), "hostname": name}
    if stateful_set.spec.serviceName:
        spec["subdomain"] = stateful_set.spec.serviceName
    volumes = _volumes(stateful_set, ordinal, spec.get("volumes") or [])
    if volumes:
        spec["volumes"] = volumes
    return {**pod, "metadata": {**metadata, "name": name, "labels": labels}, "spec": spec}


def _volumes(stateful_set: StatefulSet, ordinal: int, volumes: Sequence[Object]) -> list[Object]:
    names = {name_of(each): claim_name(each, stateful_set, ordinal) for each in claim_templates(stateful_set)}
    claims = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in names.items()]
    return [*claims, *(volume for volume in volumes if volume.get("name") not in names)]


def new_claims(stateful_set: StatefulSet, ordinal: int) -> list[Object]:
    """The claims of an ordinal."""
    assert stateful_set.spec is not None
    matched: dict[str, str] = plain(stateful_set.spec.selector).get("matchLabels") or {}
    claims: list[Object] = []
    for template in claim_templates(stateful_set):
        claim = {key: value for key, value in plain(template).items() if key != "status"}
        metadata: Object = claim.get("metadata") or {}
        claims.append(
            {
                **claim,
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    **metadata,
                    "name": claim_name(template, stateful_set, ordinal),
                    "namespace": namespace_of(stateful_set),
                    "labels": {**(metadata.get("labels") or {}), **matched},
                },
            }
        )
    return claims


def identity_matches(stateful_set: StatefulSet, pod: Pod, ordinal: int) -> bool:
    """Whether labels say which pod it is, and its volumes are the ordinal's claims."""
    labels = labels_of(pod)
    if labels.get(POD_NAME) != name_of(pod) or labels.get(POD_INDEX) != str(ordinal):
        return False
    volumes: Sequence[Volume] = pod_spec(pod).volumes or ()
    claimed: dict[str, Any] = {
        volume.name: volume.persistentVolumeClaim.claimName if volume.persistentVolumeClaim else None
        for volume in volumes
    }
    return all(
        claimed.get(name_of(each)) == claim_name(each, stateful_set, ordinal)
        for each in claim_templates(stateful_set)
    )


def identity_patch(pod: Pod, ordinal: int) -> Object:
    """The patch that gives a pod back the labels of its identity."""
    return {"metadata": {"labels": {POD_NAME: name_of(pod), POD_INDEX: str(ordinal)}}}


def selector_of(stateful_set: StatefulSet) -> Selector:
    return Selector.of(stateful_set.spec.selector if stateful_set.spec else None)
