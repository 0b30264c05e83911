"""Rules for the pod template of a workload."""

from __future__ import annotations

from ktui.engine.api.validation.fields import forbidden, unsupported
from ktui.engine.api.validation.metadata import check_annotations, check_labels
from ktui.engine.api.validation.pod_spec import check_pod_spec
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.resource import Object


def check_template(template: Object, path: str, *, restart_always: str = "") -> list[Cause]:
    """A template's labels, annotations and spec; `restart_always` names the kind
    of a workload that runs for ever."""
    metadata, spec = section(template, "metadata"), section(template, "spec")
    causes = check_labels(mapping(metadata, "labels"), f"{path}.metadata.labels")
    causes += check_annotations(mapping(metadata, "annotations"), f"{path}.metadata.annotations")
    causes += check_pod_spec(spec, f"{path}.spec", is_pod=False)
    if spec.get("ephemeralContainers"):
        causes.append(
            forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")
        )
    if restart_always:
        policy = string(spec, "restartPolicy")
        if policy in ("OnFailure", "Never"):
            causes.append(unsupported(f"{path}.spec.restartPolicy", policy, ("Always",)))
        if "activeDeadlineSeconds" in spec:
            causes.append(
                forbidden(
                    f"{path}.spec.activeDeadlineSeconds",
                    f"activeDeadlineSeconds in {restart_always} is not Supported",
                )
            )
    return causes
