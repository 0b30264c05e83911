"""What is wrong with a policy's expressions for the kinds it is about: warnings for its status, never a refusal.

Checked are the kinds that rules name without wildcards, ten at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ktui.engine.api import schema
from ktui.engine.api.cel.admission import declared
from ktui.engine.api.cel.checking import check
from ktui.engine.api.cel.types import DYN, Type, of_schema
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.registry import Registry
from ktui.kube.data import items, section, string, strings
from ktui.kube.resource import GroupVersionKind, Object

_MOST_KINDS: Final = 10


def expression_warnings(policy: Object, registry: Registry) -> list[Object]:
    """`status.typeChecking.expressionWarnings`."""
    spec = section(policy, "spec")
    declarations = sorted(_kinds(spec, registry), key=lambda each: each.resource.gvk)[:_MOST_KINDS]
    warnings: list[Object] = []
    for index, validation in enumerate(items(spec, "validations")):
        for field in ("expression", "messageExpression"):
            expression = string(validation, field)
            problems = (
                [_problem(spec, expression, each, registry) for each in declarations] if expression else []
            )
            if found := [problem for problem in problems if problem]:
                ref = f"spec.validations[{index}].{field}"
                warnings.append({"fieldRef": ref, "warning": "\n".join(found)})
    return warnings


def _problem(spec: Object, expression: str, declaration: Declaration, registry: Registry) -> str:
    variables = [(string(each, "name"), string(each, "expression")) for each in items(spec, "variables")]
    types = declared(obj=_type_of(declaration), params=_params(spec, registry), variables=variables)
    checked = check(expression, types)
    resource = declaration.resource
    return f"{resource.api_version}, Kind={resource.kind}: {checked}\n" if checked.problems else ""


def _params(spec: Object, registry: Registry) -> Type | None:
    if not spec.get("paramKind"):
        return None
    declaration = registry.by_kind(GroupVersionKind.of(section(spec, "paramKind")))
    return _type_of(declaration) if declaration else DYN


def _type_of(declaration: Declaration) -> Type:
    """The type of a kind's objects."""
    kind = declaration.resource.kind
    if declaration.custom is not None:
        return of_schema(declaration.custom.openapi, kind)
    return of_schema(schema.load().definitions[declaration.schema], kind)


def _kinds(spec: Object, registry: Registry) -> Iterator[Declaration]:
    """The kinds the rules name, each once."""
    seen: set[str] = set()
    for rule in items(section(spec, "matchConstraints"), "resourceRules"):
        groups, versions = strings(rule, "apiGroups"), strings(rule, "apiVersions")
        if "*" in groups or "*" in versions:
            continue
        for group in groups:
            for version in versions:
                for plural in strings(rule, "resources"):
                    declaration = registry.by_resource(group, version, plural)
                    identity = f"{group}/{version}/{plural}"
                    if declaration is not None and identity not in seen:
                        seen.add(identity)
                        yield declaration
