"""NetworkPolicies, in words: which traffic the selected pods may take in and send out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ktui.describe.fields import label_selector, metadata_of, write_annotations, write_labels
from ktui.describe.related import Related
from ktui.describe.text import Text
from ktui.kube.clock import parse_time
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import Object


def describe_network_policy(out: Text, obj: Object, related: Related) -> None:
    """Write a NetworkPolicy."""
    metadata, spec = metadata_of(obj), section(obj, "spec")
    out.field("Name", metadata.get("name") or "")
    out.field("Namespace", metadata.get("namespace") or "")
    out.field("Created on", _moment(out, metadata.get("creationTimestamp")))
    write_labels(out, "Labels", metadata.get("labels"))
    write_annotations(out, "Annotations", metadata.get("annotations"))
    out.line("Spec:")
    selector: Object = spec.get("podSelector") or {}
    is_all = not (selector.get("matchLabels") or selector.get("matchExpressions"))
    everything = "<none> (Allowing the specific traffic to all pods in this namespace)"
    out.line(f"PodSelector:     {everything if is_all else label_selector(selector)}", level=1)
    types = strings(spec, "policyTypes")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if direction.capitalize() in types:
            out.line(f"Allowing {direction} traffic:", level=1)
            _write_rules(out, items(spec, direction), direction, peers)
        else:
            out.line(f"Not affecting {direction} traffic", level=1)
    out.line(f"Policy Types: {', '.join(types)}", level=1)


def _moment(out: Text, stamp: str | None) -> str:
    if not stamp:
        return "0001-01-01 00:00:00 +0000 UTC"
    return f"{parse_time(stamp).astimezone(out.now.tzinfo):%Y-%m-%d %H:%M:%S %z %Z}"


def _write_rules(out: Text, rules: Sequence[Object], direction: str, peers: str) -> None:
    if not rules:
        out.line(f"<none> (Selected pods are isolated for {direction} connectivity)", level=2)
    for number, rule in enumerate(rules):
        if number:
            out.line("----------", level=2)
        for port in _ports(items(rule, "ports")):
            out.line(port, level=2)
        title = peers.capitalize()
        if not rule.get(peers):
            end = "source" if peers == "from" else "destination"
            out.line(f"{title}: <any> (traffic not restricted by {end})", level=2)
        for peer in items(rule, peers):
            out.line(f"{title}:", level=2)
            _write_peer(out, peer)


def _ports(ports: Sequence[Object]) -> Iterable[str]:
    if not ports:
        yield "To Port: <any> (traffic allowed to all ports)"
    for port in ports:
        protocol, number = string(port, "protocol") or "TCP", port.get("port")
        if port.get("endPort") is not None:
            yield f"To Port Range: {number}-{port['endPort']}/{protocol}"
        else:
            yield f"To Port: {'<nil>' if number is None else number}/{protocol}"


def _write_peer(out: Text, peer: Object) -> None:
    for field, label in (("namespaceSelector", "NamespaceSelector"), ("podSelector", "PodSelector")):
        if peer.get(field) is not None:
            out.line(f"{label}: {label_selector(peer[field])}", level=3)
    block = section(peer, "ipBlock")
    if block:
        out.line("IPBlock:", level=3)
        out.line(f"CIDR: {string(block, 'cidr')}", level=4)
        out.line(f"Except: {', '.join(strings(block, 'except'))}", level=4)
