"""Names of signers (`example.com/signer-name`): what certificate requests and trust bundles are addressed by."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.validation.fields import invalid, required, too_long
from ktui.kube import names
from ktui.kube.errors import Cause

_LONGEST_DOMAIN: Final = 253
_KUBERNETES: Final = "kubernetes.io"


def is_kubernetes_signer(name: str) -> bool:
    """Is it a signer of Kubernetes' own, under kubernetes.io?"""
    domain = name.partition("/")[0]
    return domain == _KUBERNETES or domain.endswith(f".{_KUBERNETES}")


def check_signer_name(path: str, name: str) -> list[Cause]:
    if not name:
        return [required(path)]
    domain, _, rest = name.partition("/")
    if name.count("/") != 1:
        why = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        return [invalid(path, name, why)]
    causes = [too_long(path, _LONGEST_DOMAIN)] if len(domain) > _LONGEST_DOMAIN else []
    for part, whole, rule in (
        *((label, domain, names.dns_label) for label in domain.split(".")),
        *((label, rest, names.dns_subdomain) for label in rest.split(".")),
    ):
        causes += [invalid(path, whole, f'validating label "{part}": {problem}') for problem in rule(part)]
    if "." not in domain:
        causes.append(
            invalid(path, domain, "should be a domain with at least two segments separated by dots")
        )
    return causes
