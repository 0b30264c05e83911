"""PodSecurity: a namespace's labels say which Pod Security Standard its pods have to keep to.

`enforce` refuses pods; `warn` tells whoever creates pods, or workloads with a template for them; `audit` is
for the audit log. Labels that name no level or version are refused, and who raises a level is told which
pods already there would not be let in.
"""

from __future__ import annotations

import re
from typing import Final

from ktui.engine.api.admission.base import Attributes, Validating, View
from ktui.engine.api.admission.pod_standards import LEVELS, violations
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import Cause, forbidden, invalid
from ktui.kube.kinds import NAMESPACES, PODS
from ktui.kube.resource import Object

PREFIX: Final = "pod-security.kubernetes.io/"
_MODES: Final = ("enforce", "audit", "warn")
_VERSION: Final = re.compile(r"latest|v1\.(0|[1-9]\d*)")
_TEMPLATES: Final = {
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    "podtemplates": ("template",),
    **dict.fromkeys(
        (
            "daemonsets.apps",
            "deployments.apps",
            "jobs.batch",
            "replicasets.apps",
            "replicationcontrollers",
            "statefulsets.apps",
        ),
        ("spec", "template"),
    ),
}
"""Where kinds that make pods have their template."""


class PodSecurity(Validating):
    """Looks at pods, at what makes pods, and at the labels of namespaces."""

    def __init__(self, view: View) -> None:
        self._view = view

    async def validate(self, request: Attributes, obj: Object | None, old: Object | None) -> None:
        if obj is None or request.operation not in ("CREATE", "UPDATE"):
            return
        key = request.resource.key
        if request.is_about(NAMESPACES, "CREATE", "UPDATE"):
            self._check_namespace(request, obj, old)
        elif key == PODS.key and request.subresource in ("", "ephemeralcontainers"):
            if old is None or _matter(section(obj, "spec")) != _matter(section(old, "spec")):
                self._check_pod(request, obj)
        elif key in _TEMPLATES and not request.subresource:
            template, before = section(obj, *_TEMPLATES[key]), section(old or {}, *_TEMPLATES[key])
            if template and template != before:
                self._tell(request, template)

    def _labels(self, namespace: str) -> dict[str, str]:
        found = self._view.lookup(NAMESPACES.key, "", namespace)
        return mapping(section(found, "metadata"), "labels") if found else {}

    def _check_pod(self, request: Attributes, pod: Object) -> None:
        labels = self._labels(request.namespace)
        level, version = standard(labels, "enforce")
        request.audit[f"{PREFIX}enforce-policy"] = f"{level}:{version}"
        metadata = section(pod, "metadata")
        problems = violations(level, metadata, section(pod, "spec"))
        if problems:
            raise forbidden(
                PODS, string(metadata, "name"), f'violates PodSecurity "{level}:{version}": {problems}'
            )
        self._tell(request, pod, labels)

    def _tell(self, request: Attributes, pod: Object, labels: dict[str, str] | None = None) -> None:
        """Warn of what the level to warn of forbids, and note what the level to audit does."""
        if labels is None:
            labels = self._labels(request.namespace)
        for mode in ("warn", "audit"):
            level, version = standard(labels, mode)
            problems = violations(level, section(pod, "metadata"), section(pod, "spec"))
            if not problems:
                continue
            told = f'would violate PodSecurity "{level}:{version}": {problems}'
            if mode == "warn":
                request.warn(told)
            else:
                request.audit[f"{PREFIX}audit-violations"] = told

    def _check_namespace(self, request: Attributes, namespace: Object, old: Object | None) -> None:
        labels = mapping(section(namespace, "metadata"), "labels")
        before = mapping(section(old or {}, "metadata"), "labels")
        causes = label_errors(labels)
        if causes and {k: v for k, v in labels.items() if k.startswith(PREFIX)} != {
            k: v for k, v in before.items() if k.startswith(PREFIX)
        }:
            raise invalid(NAMESPACES, request.name, causes)
        level, version = standard(labels, "enforce")
        order = list(LEVELS)
        if old is None or order.index(level) <= order.index(standard(before, "enforce")[0]):
            return
        found: dict[str, list[str]] = {}
        for pod in self._view.listed(PODS.key, request.name):
            metadata = section(pod, "metadata")
            problems = violations(level, metadata, section(pod, "spec"))
            if problems:
                found.setdefault(problems, []).append(string(metadata, "name"))
        if not found:
            return
        request.warn(
            f'existing pods in namespace "{request.name}" violate the new PodSecurity enforce level '
            f'"{level}:{version}"'
        )
        for problems, names in found.items():
            others = f" (and {len(names) - 1} other pod{'s' if len(names) > 2 else ''})" if names[1:] else ""
            request.warn(f"{names[0]}{others}: {problems}")


def standard(labels: dict[str, str], mode: str) -> tuple[str, str]:
    """The level and version of a mode; a level nobody knows is the strictest, none is privileged."""
    level = labels.get(f"{PREFIX}{mode}", "privileged")
    version = labels.get(f"{PREFIX}{mode}-version", "latest")
    return level if level in LEVELS else "restricted", version if _VERSION.fullmatch(version) else "latest"


def label_errors(labels: dict[str, str]) -> list[Cause]:
    """Labels that name no level or no version."""
    causes: list[Cause] = []
    for mode in _MODES:
        key = f"{PREFIX}{mode}"
        for name, is_fine, why in (
            (key, labels.get(key, "privileged") in LEVELS, "must be one of privileged, baseline, restricted"),
            (
                f"{key}-version",
                bool(_VERSION.fullmatch(labels.get(f"{key}-version", "latest"))),
                'must be "latest" or "v1.x"',
            ),
        ):
            if not is_fine:
                message = f'Invalid value: "{labels[name]}": {why}'
                causes.append(Cause(f"metadata.labels[{name}]", "FieldValueInvalid", message))
    return causes


def _matter(spec: Object) -> Object:
    """What of a pod's spec the standards look at: not what else may change in a running pod."""
    kept = {
        name: value
        for name, value in spec.items()
        if name not in ("activeDeadlineSeconds", "tolerations", "nodeName", "schedulingGates")
    }
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [{**each, "image": "", "resources": None} for each in kept[name]]
    return kept
