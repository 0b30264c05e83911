"""ClusterTrustBundle: certificates of authorities for everyone to trust, on their own or those of a signer."""

from __future__ import annotations

from functools import partial

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, NONE, text
from ktui.engine.api.validation.certificates import check_trust_bundle
from ktui.engine.api.validation.fields import immutable
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.signers import check_signer_name
from ktui.kube import names
from ktui.kube.data import section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import CLUSTER_TRUST_BUNDLES
from ktui.kube.resource import Object


def _signer(bundle: Object) -> str:
    return string(section(bundle, "spec"), "signerName")


def _name_rule(signer: str, name: str) -> list[str]:
    """A signer's bundle has the signer's name in front of its own."""
    if not signer:
        if ":" in name:
            return ['ClusterTrustBundle without signer name must not have ":" in its name']
        return names.dns_subdomain(name)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
    return names.dns_subdomain(name.removeprefix(prefix))


def _names(bundle: Object) -> list[Cause]:
    signer = _signer(bundle)
    causes = check_metadata(bundle, namespaced=False, name_rule=partial(_name_rule, signer))
    return causes + (check_signer_name("spec.signerName", signer) if signer else [])


def validate(bundle: Object) -> list[Cause]:
    trusted = string(section(bundle, "spec"), "trustBundle")
    return _names(bundle) + check_trust_bundle("spec.trustBundle", trusted)


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("spec.signerName", _signer(new), _signer(old))


DECLARATIONS = (
    Declaration(
        resource=CLUSTER_TRUST_BUNDLES,
        schema="io.k8s.api.certificates.v1.ClusterTrustBundle",
        columns=(NAME, text("SignerName", lambda bundle: _signer(bundle) or NONE, "Whose authorities.")),
        validate_create=validate,
        validate_update=validate_update,
        needs_version=True,
        selectable_fields={"spec.signerName": _signer},
    ),
)
