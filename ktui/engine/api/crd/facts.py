"""What can be read off a CustomResourceDefinition: versions, conditions, paths."""

from __future__ import annotations

import re
from typing import Final

from ktui.kube.data import items, section, string
from ktui.kube.jsonpath import JSONPath
from ktui.kube.resource import Object

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are gone."""

_VERSION: Final = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def by_priority(version: Object) -> tuple[int, int, int, str]:
    """Orders versions as discovery prefers them: v2, v1, v1beta1, v1alpha1, then others by name."""
    name = string(version, "name")
    found = _VERSION.fullmatch(name)
    if found is None:
        return 3, 0, 0, name
    major, stage, minor = found.groups()
    return {None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), name


def storage_version(definition: Object) -> str:
    """The version objects are stored in."""
    versions = items(section(definition, "spec"), "versions")
    return next((string(version, "name") for version in versions if version.get("storage")), "")


def is_condition(definition: Object, name: str) -> bool:
    """Whether a condition is True."""
    conditions = items(section(definition, "status"), "conditions")
    return any(each.get("type") == name and each.get("status") == "True" for each in conditions)


def path_of(path: str) -> JSONPath:
    """The simple JSONPath of a CRD, which has no braces; raises JSONPathError."""
    return JSONPath(f"{{{path}}}")
