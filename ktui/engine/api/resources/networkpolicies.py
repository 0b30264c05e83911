"""NetworkPolicy: which traffic the pods it selects may take in and send out."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.resources.strategy import without_status
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.engine.api.validation.networkpolicies import validate_policy
from ktui.kube.data import items, section, string
from ktui.kube.kinds import NETWORK_POLICIES
from ktui.kube.resource import Object
from ktui.kube.selector import Selector, SelectorError


def default(policy: Object) -> Object:
    spec: Object = {**section(policy, "spec")}
    spec["podSelector"] = spec.get("podSelector") or {}
    for direction in ("ingress", "egress"):
        if spec.get(direction):
            spec[direction] = [_default_rule(rule) for rule in items(spec, direction)]
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return {**policy, "spec": spec}


def _default_rule(rule: Object) -> Object:
    if not rule.get("ports"):
        return rule
    ports = [{**port, "protocol": string(port, "protocol") or "TCP"} for port in items(rule, "ports")]
    return {**rule, "ports": ports}


def _selector(policy: Object) -> str:
    try:
        return str(Selector.of(section(policy, "spec").get("podSelector"))) or NONE
    except SelectorError:
        return "<error>"


def _statusless(new: Object, old: Object) -> Object:
    return without_status(new)


DECLARATIONS = (
    Declaration(
        resource=NETWORK_POLICIES,
        schema="io.k8s.api.networking.v1.NetworkPolicy",
        columns=(NAME, text("Pod-Selector", _selector, "Labels of the pods it is about."), AGE),
        default=default,
        prepare_create=without_status,
        prepare_update=_statusless,
        validate_create=validate_policy,
        validate_update=check_metadata_update,
        has_generation=True,
    ),
)
