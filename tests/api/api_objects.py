"""A few kinds declared small, and objects of them, for tests of the API server."""

from __future__ import annotations

from typing import Any

from ktui.client.base import DeleteOptions
from ktui.engine.api.declaration import Declaration, Scale
from ktui.kube import kinds
from ktui.kube.errors import Cause
from ktui.kube.resource import Object

CORE = "io.k8s.api.core.v1."


def _without_status(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name != "status"}


def _old_status(new: Object, old: Object) -> Object:
    kept = _without_status(new)
    return {**kept, "status": old["status"]} if "status" in old else kept


def _only_status(new: Object, old: Object) -> Object:
    kept = {**_without_status(old), "metadata": new["metadata"]}
    return {**kept, "status": new["status"]} if "status" in new else kept


def _new_namespace(obj: Object) -> Object:
    return {**obj, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def _namespace_update(new: Object, old: Object) -> Object:
    return {**new, "spec": old.get("spec", {}), "status": old.get("status", {})}


def _new_pod(obj: Object) -> Object:
    return {**obj, "status": {"phase": "Pending"}}


def _pod_grace(pod: Object, options: DeleteOptions) -> int:
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in ("Failed", "Succeeded"):
        return 0
    if options.grace_period_seconds is not None:
        return max(options.grace_period_seconds, 0) if options.grace_period_seconds >= 0 else 1
    return pod["spec"].get("terminationGracePeriodSeconds", 30)


def _pod_defaults(pod: Object) -> Object:
    spec = {"terminationGracePeriodSeconds": 30, "restartPolicy": "Always", **(pod.get("spec") or {})}
    containers = []
    for container in spec.get("containers") or []:
        found: dict[str, Any] = {"imagePullPolicy": "IfNotPresent", **container}
        if found.get("ports"):
            found["ports"] = [{"protocol": "TCP", **port} for port in found["ports"]]
        containers.append(found)
    return {**pod, "spec": {**spec, "containers": containers}}


def _deployment_defaults(obj: Object) -> Object:
    return {**obj, "spec": {"replicas": 1, "progressDeadlineSeconds": 600, **(obj.get("spec") or {})}}


def _immutable_data(new: Object, old: Object) -> list[Cause]:
    if old.get("immutable") and new.get("data") != old.get("data"):
        return [Cause("data", "FieldValueForbidden", "Forbidden: field is immutable when `immutable` is set")]
    return []


def declarations() -> list[Declaration]:
    return [
        Declaration(
            resource=kinds.NAMESPACES,
            schema=CORE + "Namespace",
            columns=(),
            prepare_create=_new_namespace,
            prepare_update=_namespace_update,
            prepare_status=_only_status,
            has_status=True,
        ),
        Declaration(
            resource=kinds.PODS,
            schema=CORE + "Pod",
            columns=(),
            returns_deleted=True,
            default=_pod_defaults,
            prepare_create=_new_pod,
            prepare_update=_old_status,
            prepare_status=_only_status,
            has_status=True,
            has_generation=True,
            selectable_fields={
                "spec.nodeName": lambda obj: obj.get("spec", {}).get("nodeName", ""),
                "status.phase": lambda obj: obj.get("status", {}).get("phase", ""),
            },
            grace_period=_pod_grace,
        ),
        Declaration(
            resource=kinds.CONFIG_MAPS,
            schema=CORE + "ConfigMap",
            columns=(),
            validate_update=_immutable_data,
        ),
        Declaration(resource=kinds.SERVICE_ACCOUNTS, schema=CORE + "ServiceAccount", columns=()),
        Declaration(resource=kinds.EVENTS, schema=CORE + "Event", columns=()),
        Declaration(
            resource=kinds.NODES,
            schema=CORE + "Node",
            columns=(),
            prepare_status=_only_status,
            has_status=True,
        ),
        Declaration(resource=kinds.BINDINGS, schema=CORE + "Binding", columns=()),
        Declaration(
            resource=kinds.DEPLOYMENTS,
            schema="io.k8s.api.apps.v1.Deployment",
            columns=(),
            default=_deployment_defaults,
            prepare_create=_without_status,
            prepare_update=_old_status,
            prepare_status=_only_status,
            has_status=True,
            has_generation=True,
            scale=Scale(),
        ),
        Declaration(
            resource=kinds.MANIFEST_FILES,
            schema="dev.ktui.v1alpha1.ManifestFile",
            columns=(),
            read_only=True,
            forgettable=True,
        ),
    ]


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return obj if data is None else {**obj, "data": data}


def pod(name: str, *, node: str = "", containers: tuple[str, ...] = ("main",), **metadata: Any) -> Object:
    spec: dict[str, Any] = {"containers": [{"name": c, "image": "busybox"} for c in containers]}
    if node:
        spec["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def deployment(name: str, replicas: int | None = None) -> Object:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
