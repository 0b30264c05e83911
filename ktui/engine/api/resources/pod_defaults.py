"""What Kubernetes fills into a pod's spec, alone or as a template; every function returns a new spec.

A template gets the defaults that every container and volume has; a pod that is created itself also gets
requests from limits, host ports of the host network and `enableServiceLinks`.
"""

from __future__ import annotations

from typing import Any, Final

from ktui.engine.api.resources.images import pull_policy
from ktui.engine.api.resources.volume_defaults import default_volume
from ktui.kube.data import mapping, section
from ktui.kube.quantity import Quantity, parse_quantity
from ktui.kube.resource import Object

_SPEC: Final[Object] = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_CONTAINER: Final[Object] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Final[Object] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
_HTTP: Final[Object] = {"path": "/", "scheme": "HTTP"}
_CONTAINER_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
_HOOKS: Final = ("postStart", "preStop")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")


def default_pod_spec(spec: Object) -> Object:
    """A pod spec or the spec of a template."""
    changed: Object = {"terminationGracePeriodSeconds": 30, "securityContext": {}, **_filled(spec, _SPEC)}
    for field in _CONTAINER_LISTS:
        if field in spec:
            changed[field] = [default_container(container) for container in spec[field]]
    if "volumes" in spec:
        changed["volumes"] = [default_volume(volume) for volume in spec["volumes"]]
    if "resources" in spec:
        changed["resources"] = _rounded_resources(spec["resources"])
    if "overhead" in spec:
        changed["overhead"] = _rounded(spec["overhead"])
    account = changed.get("serviceAccountName") or changed.get("serviceAccount")
    if account:
        changed["serviceAccountName"] = changed["serviceAccount"] = account
    return changed


def default_pod_alone(spec: Object) -> Object:
    """On top of `default_pod_spec`, for a pod that is no template."""
    changed = {**spec}
    changed.setdefault("enableServiceLinks", True)
    for field in ("containers", "initContainers"):
        if field in spec:
            containers: list[Object] = [_requests_from_limits(container) for container in spec[field]]
            if spec.get("hostNetwork"):
                containers = [_host_ports(container) for container in containers]
            changed[field] = containers
    if "resources" in changed:
        changed["resources"] = _pod_requests(changed)
    return changed


def default_template(template: Object) -> Object:
    """The pod template of a workload."""
    return {**template, "spec": default_pod_spec(template.get("spec") or {})}


def default_container(container: Object) -> Object:
    changed: Object = {"resources": {}, **_filled(container, _CONTAINER)}
    if not changed.get("imagePullPolicy"):
        changed["imagePullPolicy"] = pull_policy(changed.get("image") or "")
    if "ports" in container:
        changed["ports"] = [_filled(port, {"protocol": "TCP"}) for port in container["ports"]]
    if "env" in container:
        changed["env"] = [_default_variable(variable) for variable in container["env"]]
    for field in _PROBES:
        if field in container:
            changed[field] = _default_handler(_filled(container[field], _PROBE))
    if "lifecycle" in container:
        changed["lifecycle"] = {
            hook: _default_handler(handler) if hook in _HOOKS else handler
            for hook, handler in container["lifecycle"].items()
        }
    changed["resources"] = _rounded_resources(changed["resources"])
    return changed


def _filled(given: Object, defaults: Object) -> Object:
    """A copy of `given` with what is missing or zero filled in."""
    return {**given, **{field: value for field, value in defaults.items() if not given.get(field)}}


def _default_handler(handler: Object) -> Object:
    """A probe's or hook's action."""
    changed = {**handler}
    if "httpGet" in changed:
        changed["httpGet"] = _filled(changed["httpGet"], _HTTP)
    if "grpc" in changed:
        changed["grpc"] = {"service": "", **changed["grpc"]}
    return changed


def _default_variable(variable: Object) -> Object:
    source: Object | None = variable.get("valueFrom")
    if not source:
        return variable
    if "fieldRef" in source:
        changed = {**source, "fieldRef": _filled(source["fieldRef"], {"apiVersion": "v1"})}
    elif "fileKeyRef" in source:
        changed = {**source, "fileKeyRef": {"optional": False, **source["fileKeyRef"]}}
    elif "resourceFieldRef" in source:
        changed = {**source, "resourceFieldRef": {"divisor": "0", **source["resourceFieldRef"]}}
    else:
        return variable
    return {**variable, "valueFrom": changed}


def _rounded_resources(resources: Object) -> Object:
    changed = {**resources}
    for which in ("requests", "limits"):
        if which in changed:
            changed[which] = _rounded(changed[which])
    return changed


def _rounded(amounts: dict[str, Any]) -> dict[str, Any]:
    """Resources are counted in thousandths at the finest."""
    return {
        name: str(Quantity.from_millis(parse_quantity(amount).millis))
        if parse_quantity(amount).nanos % 10**6
        else amount
        for name, amount in amounts.items()
    }


def _requests_from_limits(container: Object) -> Object:
    resources: Object = container.get("resources") or {}
    limits: dict[str, str] = resources.get("limits") or {}
    requests: dict[str, str] = resources.get("requests") or {}
    if not limits or limits.keys() <= requests.keys():
        return container
    return {**container, "resources": {**resources, "requests": {**limits, **requests}}}


def _host_ports(container: Object) -> Object:
    if "ports" not in container:
        return container
    ports: list[Object] = [
        port if port.get("hostPort") else {**port, "hostPort": port.get("containerPort") or 0}
        for port in container["ports"]
    ]
    return {**container, "ports": ports}


def _pod_requests(spec: Object) -> Object:
    """Pod-level requests: the sum of the containers' where they have any, else the pod-level limit."""
    resources: Object = spec["resources"]
    limits: dict[str, str] = resources.get("limits") or {}
    requests: dict[str, str] = {**(resources.get("requests") or {})}
    summed: dict[str, Quantity] = {}
    containers: list[Object] = spec.get("containers") or []
    for container in containers:
        asked = mapping(section(container, "resources"), "requests")
        for name, amount in asked.items():
            summed[name] = summed.get(name, Quantity(0)) + parse_quantity(amount)
    for name in {**limits, **summed} if limits else ():
        if name in requests or not (name in ("cpu", "memory") or name.startswith("hugepages-")):
            continue
        requests[name] = str(summed[name]) if name in summed else limits[name]
    return {**resources, "requests": requests} if requests else resources
