"""Rules that volumes, claims, drivers and classes share: access modes, sizes, names, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ktui.engine.api.validation.compute import check_amount
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    invalid,
    required,
    too_long,
    unsupported,
)
from ktui.kube import names
from ktui.kube.errors import Cause
from ktui.kube.quantity import parse_quantity
from ktui.kube.resource import Object

VOLUME_MODES: Final = ("Block", "Filesystem")
_ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_SINGLE: Final = "ReadWriteOncePod"
_LONGEST_DRIVER: Final = 63
_MOST_PARAMETERS: Final = 512
_MOST_BYTES: Final = 256 * 1024


def check_access_modes(modes: Sequence[str], path: str) -> list[Cause]:
    """Known ones, and ReadWriteOncePod on its own."""
    causes = [unsupported(path, mode, _ACCESS_MODES) for mode in modes if mode not in _ACCESS_MODES]
    if _SINGLE in modes and len(modes) > 1:
        causes.append(forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return causes


def check_size(amount: str, path: str) -> list[Cause]:
    """An amount of storage there can be."""
    if causes := check_amount("storage", amount, path):
        return causes
    return [] if parse_quantity(amount).nanos > 0 else [invalid(path, amount, "must be greater than zero")]


def check_class_name(name: str, path: str) -> list[Cause]:
    return each_invalid(path, name, names.dns_subdomain(name)) if name else []


def check_volume_mode(spec: Object, path: str) -> list[Cause]:
    mode = spec.get("volumeMode")
    return [unsupported(path, mode, VOLUME_MODES)] if mode is not None and mode not in VOLUME_MODES else []


def check_driver_name(name: str, path: str) -> list[Cause]:
    """The name of a CSI driver: a domain, in any case."""
    if not name:
        return [required(path)]
    causes = [too_long(path, _LONGEST_DRIVER)] if len(name) > _LONGEST_DRIVER else []
    return causes + each_invalid(path, name, names.dns_subdomain(name.lower()))


def check_provisioner(name: str, path: str) -> list[Cause]:
    """Who makes volumes of a class, or changes them."""
    return each_invalid(path, name, names.qualified_name(name.lower())) if name else [required(path)]


def check_parameters(parameters: dict[str, str], path: str) -> list[Cause]:
    """What a class tells the one who makes its volumes."""
    if len(parameters) > _MOST_PARAMETERS:
        return [too_long(path, _MOST_PARAMETERS)]
    causes = [invalid(path, "", "field can not be empty.")] if "" in parameters else []
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _MOST_BYTES:
        causes.append(too_long(path, _MOST_BYTES))
    return causes
