"""Why a Service has no endpoints: the selector, the pods behind it and their probes, the names of ports.

In: the Service, the pods of its namespace, its EndpointSlices and the pods' events, as JSON data. Out: sentences,
one a cause, each from what the cluster recorded and with the nearest thing that would help; none when there is
nothing to explain. Pure.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ktui.client.forward_ports import container_ports
from ktui.describe.fields import metadata_of
from ktui.kube.data import items, mapping, section, string
from ktui.kube.resource import Object
from ktui.kube.service import ports_of, type_of

_LISTED: Final = 5
_CLOSE: Final = 0.6
_SAME_VALUE: Final = 0.75
_OF_CONTROLLERS: Final = {"pod-template-hash", "controller-revision-hash", "pod-template-generation"}


def lacks_endpoints(service: Object, slices: Sequence[Object]) -> bool:
    """Whether one of its ports (or a Service without ports) has nothing ready behind it."""
    if type_of(service) == "ExternalName":
        return False
    ports = ports_of(service)
    return (
        any(not _ready_behind(port, slices) for port in ports) if ports else not _ready_behind(None, slices)
    )


def why_no_endpoints(
    service: Object, pods: Sequence[Object], slices: Sequence[Object], events: Sequence[Object]
) -> list[str]:
    """The causes, the ones that come first in the chain first."""
    if not lacks_endpoints(service, slices):
        return []
    selector = mapping(section(service, "spec"), "selector")
    if not selector:
        return [_by_hand(service, slices)]
    if selected := [pod for pod in pods if _matches(pod, selector)]:
        return _of_pods(service, selected, slices, events)
    return _no_match(service, selector, pods)


def _ready_behind(port: Object | None, slices: Sequence[Object]) -> bool:
    """`port` None: of any port."""
    return any(
        section(endpoint, "conditions").get("ready") is not False
        for each in slices
        if port is None or any((p.get("name") or "") == string(port, "name") for p in items(each, "ports"))
        for endpoint in items(each, "endpoints")
        if endpoint.get("addresses")
    )


def _by_hand(service: Object, slices: Sequence[Object]) -> str:
    count = sum(len(items(each, "endpoints")) for each in slices)
    if count:
        return f"It has no selector; of its {count} endpoints, which were made by hand, none is ready on every port."
    name = string(metadata_of(service), "name")
    return (
        "It has no selector, so nothing fills in its endpoints: give it one, or create an EndpointSlice with the "
        f"label kubernetes.io/service-name={name}."
    )


# -- the selector --------------------------------------------------------------------------------------------


def _matches(pod: Object, selector: Mapping[str, str]) -> bool:
    labels = mapping(metadata_of(pod), "labels")
    return all(labels.get(key) == value for key, value in selector.items())


def _no_match(service: Object, selector: Mapping[str, str], pods: Sequence[Object]) -> list[str]:
    namespace = string(metadata_of(service), "namespace")
    written = _written(selector)
    if not pods:
        return [f"Selector {written} matches nothing: there are no pods in namespace {namespace}."]
    what = "the only pod" if len(pods) == 1 else f"none of the {len(pods)} pods"
    denial = "does not match" if len(pods) == 1 else "matches"
    first = f"Selector {written} {denial} {what} in namespace {namespace}."
    meant = nearest_selector(selector, pods)
    if meant:
        names = _names([pod for pod in pods if _matches(pod, meant)])
        return [f"{first} Did you mean {_written(meant)}? It matches {names}."]
    nearest = max(pods, key=lambda pod: _shared(pod, selector))
    has = {k: v for k, v in selector.items() if mapping(metadata_of(nearest), "labels").get(k) == v}
    if has:
        lacks = _written({key: value for key, value in selector.items() if key not in has})
        return [f"{first} Nearest is pod {_name(nearest)}: it has {_written(has)}, but not {lacks}."]
    known = sorted({f"{key}={value}" for pod in pods for key, value in _own_labels(pod)})
    there = f" Their labels are {_some(known)}." if known else " They have no labels."
    return [first + there]


def nearest_selector(selector: Mapping[str, str], pods: Sequence[Object]) -> dict[str, str]:
    """The selector with each label that no pod has replaced by the most similar one, if that matches a pod."""
    best: dict[str, str] = {}
    best_score = 0.0
    for pod in pods:
        found: dict[str, str] = {}
        score = 0.0
        labels = list(_own_labels(pod))
        for wanted in selector.items():
            likeness, label = max(
                ((_likeness(wanted, label), label) for label in labels), default=(0.0, ("", ""))
            )
            if likeness < _CLOSE:
                break
            found[label[0]] = label[1]
            score += likeness
        else:
            if score > best_score:
                best, best_score = found, score
    return best


def _likeness(wanted: tuple[str, str], label: tuple[str, str]) -> float:
    """1 for the same label; less for a value or a key that differs a little, or a longer key for the same."""
    (key, value), (other_key, other_value) = wanted, label
    if key == other_key:
        return _ratio(value, other_value)
    if value == other_value:
        return max(_SAME_VALUE, _ratio(key, other_key))
    return 0.0


def _ratio(one: str, other: str) -> float:
    # By letters in whichever case: App=Web is as near as can be without being the same.
    if one == other:
        return 1.0
    return min(0.99, difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio())


def _shared(pod: Object, selector: Mapping[str, str]) -> int:
    labels = mapping(metadata_of(pod), "labels")
    return sum(labels.get(key) == value for key, value in selector.items())


def _own_labels(pod: Object) -> Iterator[tuple[str, str]]:
    for key, value in mapping(metadata_of(pod), "labels").items():
        if key not in _OF_CONTROLLERS:
            yield key, value


# -- the pods ------------------------------------------------------------------------------------------------


def _of_pods(
    service: Object, pods: Sequence[Object], slices: Sequence[Object], events: Sequence[Object]
) -> list[str]:
    """Ports that the pods don't have, then what is wrong with each pod."""
    causes = [_pod_cause(pod, events) for pod in pods]
    told = [f"Pod {_name(pod)} {cause}" for pod, cause in zip(pods, causes, strict=True) if cause]
    if len(told) > _LISTED:
        told = [*told[:_LISTED], f"… and {len(told) - _LISTED} more of the {len(pods)} pods it selects."]
    fit = [pod for pod, cause in zip(pods, causes, strict=True) if not cause]
    if not fit:
        return told
    wrong = [
        line
        for port in ports_of(service)
        if not _ready_behind(port, slices)
        for line in _port_cause(port, fit)
    ]
    if fit and not wrong:
        wrong = [f"Pods are ready ({_names(fit)}), but are not in its EndpointSlices yet."]
    return [*wrong, *told]


def _pod_cause(pod: Object, events: Sequence[Object]) -> str:
    """Why a pod is no ready endpoint, "" for one that should be."""
    status = section(pod, "status")
    phase = string(status, "phase") or "Pending"
    if metadata_of(pod).get("deletionTimestamp"):
        return "is being deleted."
    if phase in ("Succeeded", "Failed"):
        why = string(status, "message") or string(status, "reason")
        return f"has ended ({phase}{': ' + why if why else ''})."
    conditions = {string(c, "type"): c for c in items(status, "conditions")}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"is Pending, on no node yet: {_sentence(string(scheduled, 'message') or 'not scheduled')}"
    if conditions.get("Ready", {}).get("status") == "True":
        return "" if string(status, "podIP") else "has no IP address yet."
    if waits := _container_cause(pod):
        return f"is {'Pending' if phase == 'Pending' else 'not ready'}: {waits}"
    if failing := _failing_probe(pod, events):
        return f"is not ready: {failing}"
    gates = [string(gate, "conditionType") for gate in items(section(pod, "spec"), "readinessGates")]
    closed = [gate for gate in gates if conditions.get(gate, {}).get("status") != "True"]
    if closed:
        return f"is not ready: its readiness gate {', '.join(closed)} is not True."
    ready = conditions.get("Ready", {})
    return f"is not ready: {_sentence(string(ready, 'message') or string(ready, 'reason') or 'no reason is recorded')}"


def _container_cause(pod: Object) -> str:
    """What a container waits for, or how it ended."""
    status = section(pod, "status")
    for each in (*items(status, "initContainerStatuses"), *items(status, "containerStatuses")):
        name, state = string(each, "name"), section(each, "state")
        waiting, ended = section(state, "waiting"), section(state, "terminated")
        if reason := string(waiting, "reason"):
            message = string(waiting, "message")
            last = section(each, "lastState", "terminated")
            code = f" (last exit code {last['exitCode']})" if last.get("exitCode") is not None else ""
            return _sentence(f"container {name} waits: {reason}{code}{': ' + message if message else ''}")
        if ended and (ended.get("exitCode") or each in items(status, "containerStatuses")):
            return (
                f"container {name} ended with exit code {ended.get('exitCode')} ({string(ended, 'reason')})."
            )
    return ""


def _failing_probe(pod: Object, events: Sequence[Object]) -> str:
    """The last failure of a probe that was recorded, with how often it came."""
    uid, name = metadata_of(pod).get("uid"), _name(pod)
    failures = [
        event
        for event in events
        if event.get("reason") == "Unhealthy"
        and string(section(event, "involvedObject"), "name") == name
        and section(event, "involvedObject").get("uid") in (None, uid)
    ]
    if not failures:
        return ""
    last = max(failures, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    count = int(last.get("count") or 1)
    message = string(last, "message").strip()
    return f"{message.rstrip('.')} ({count} times)." if count > 1 else _sentence(message)


def _port_cause(port: Object, pods: Sequence[Object]) -> Iterator[str]:
    """A targetPort that names no port of the pods."""
    target = port.get("targetPort")
    if not isinstance(target, str):
        return
    protocol = string(port, "protocol") or "TCP"
    for pod in pods:
        ports = [p for _, p in container_ports(pod)]
        if any(string(p, "name") == target and (p.get("protocol") or "TCP") == protocol for p in ports):
            continue
        names = [string(p, "name") for p in ports if p.get("name")]
        yield f'targetPort "{target}" of port {port.get("port")} names no {protocol} port of pod {_name(pod)}: {_there(target, ports, names)}'
        return


def _there(target: str, ports: Sequence[Object], names: Sequence[str]) -> str:
    if not names:
        return "its containers name no ports; name one, or give its number."
    has = ", ".join(
        f"{p['name']} ({p.get('containerPort')}/{p.get('protocol') or 'TCP'})" for p in ports if p.get("name")
    )
    close = difflib.get_close_matches(target, names, 1, _CLOSE)
    hint = f" Did you mean {close[0]}?" if close and close[0] != target else ""
    return f"there are {has}.{hint}"


# -- words ---------------------------------------------------------------------------------------------------


def _name(pod: Object) -> str:
    return string(metadata_of(pod), "name")


def _names(pods: Sequence[Object]) -> str:
    return (
        f"pod {_name(pods[0])}"
        if len(pods) == 1
        else f"{len(pods)} pods ({_some([_name(pod) for pod in pods])})"
    )


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:_LISTED])
    return f"{shown}, …" if len(words) > _LISTED else shown


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
