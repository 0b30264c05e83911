"""Ingress and IngressClass: which host and path leads to which service, and who sees to it."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, text
from ktui.engine.api.resources.services import balancer_addresses
from ktui.engine.api.resources.strategy import keep_status, status_and_metadata, without_status
from ktui.engine.api.validation.ingresses import (
    validate_class,
    validate_class_update,
    validate_ingress,
    validate_ingress_status,
)
from ktui.engine.api.validation.metadata import check_metadata_update
from ktui.kube.data import items, section, string
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES
from ktui.kube.resource import Object

_SHOWN: Final = 3


def prepare_create(ingress: Object) -> Object:
    return {**without_status(ingress), "status": {"loadBalancer": {}}}


def _class(ingress: Object) -> str:
    named = section(ingress, "spec").get("ingressClassName")
    return NONE if named is None else str(named)


def _hosts(ingress: Object) -> str:
    rules = items(section(ingress, "spec"), "rules")
    hosts = [string(rule, "host") for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:_SHOWN]) or "*"
    return f"{shown} + {len(rules) - _SHOWN} more..." if len(hosts) > _SHOWN else shown


def _ports(ingress: Object) -> str:
    return "80, 443" if section(ingress, "spec").get("tls") else "80"


def default_class(ingress_class: Object) -> Object:
    parameters = section(ingress_class, "spec", "parameters")
    if not parameters or parameters.get("scope") is not None:
        return ingress_class
    spec = section(ingress_class, "spec")
    return {**ingress_class, "spec": {**spec, "parameters": {**parameters, "scope": "Cluster"}}}


def _controller(ingress_class: Object) -> str:
    return string(section(ingress_class, "spec"), "controller")


def _parameters(ingress_class: Object) -> str:
    parameters = section(ingress_class, "spec", "parameters")
    if not parameters:
        return NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
    return f"{string(parameters, 'kind')}{group}/{string(parameters, 'name')}"


DECLARATIONS = (
    Declaration(
        resource=INGRESSES,
        schema="io.k8s.api.networking.v1.Ingress",
        columns=(
            NAME,
            text("Class", _class, "The IngressClass that serves it."),
            text("Hosts", _hosts, "Names it answers to."),
            text("Address", lambda found: ",".join(balancer_addresses(found)), "Where it is reached."),
            text("Ports", _ports, "Ports it is reached at."),
            AGE,
        ),
        prepare_create=prepare_create,
        prepare_update=keep_status,
        prepare_status=status_and_metadata,
        validate_create=validate_ingress,
        validate_update=check_metadata_update,
        validate_status=validate_ingress_status,
        has_status=True,
        has_generation=True,
    ),
    Declaration(
        resource=INGRESS_CLASSES,
        schema="io.k8s.api.networking.v1.IngressClass",
        columns=(
            NAME,
            text("Controller", _controller, "Who serves its Ingresses."),
            text("Parameters", _parameters, "What its controller is configured by."),
            AGE,
        ),
        default=default_class,
        validate_create=validate_class,
        validate_update=validate_class_update,
        has_generation=True,
    ),
)
