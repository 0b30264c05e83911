"""CSIStorageCapacity: how much a driver can still make of a storage class in a part of the cluster."""

from __future__ import annotations

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import NAME, text
from ktui.engine.api.resources.persistentvolumes import UNSET
from ktui.engine.api.validation.fields import each_invalid, immutable, invalid
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.selectors import check_label_selector
from ktui.kube import names
from ktui.kube.data import string
from ktui.kube.errors import Cause
from ktui.kube.kinds import CSI_STORAGE_CAPACITIES
from ktui.kube.quantity import canonical, parse_quantity
from ktui.kube.resource import Object


def validate(capacity: Object) -> list[Cause]:
    causes = check_metadata(capacity, namespaced=True)
    causes += check_label_selector(capacity.get("nodeTopology"), "nodeTopology")
    class_name = string(capacity, "storageClassName")
    causes += each_invalid("storageClassName", class_name, names.dns_subdomain(class_name))
    amount: str | None = capacity.get("capacity")
    if amount is not None and parse_quantity(amount).nanos < 0:
        causes.append(invalid("capacity", amount, names.NON_NEGATIVE))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    causes = check_metadata_update(new, old)
    for field in ("nodeTopology", "storageClassName"):
        causes += immutable(field, new.get(field), old.get(field))
    return causes


def _capacity(capacity: Object) -> str:
    amount: str | None = capacity.get("capacity")
    return UNSET if amount is None else canonical(amount)


DECLARATIONS = (
    Declaration(
        resource=CSI_STORAGE_CAPACITIES,
        schema="io.k8s.api.storage.v1.CSIStorageCapacity",
        columns=(
            NAME,
            text("StorageClassName", lambda found: string(found, "storageClassName"), "Of which class."),
            text("Capacity", _capacity, "How much there is."),
        ),
        validate_create=validate,
        validate_update=validate_update,
        needs_version=True,
    ),
)
