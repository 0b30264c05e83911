"""CSIDriver: what a storage driver can do and wants to be told; ktui keeps it for the driver's own parts to read."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, NONE, flag, text
from ktui.engine.api.resources.persistentvolumes import UNSET
from ktui.engine.api.validation.fields import duplicate, immutable, invalid, unsupported
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.kube.data import items, section, string, strings
from ktui.kube.errors import Cause
from ktui.kube.kinds import CSI_DRIVERS
from ktui.kube.resource import Object

_DEFAULTS: Final[Object] = {
    "attachRequired": True,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "podInfoOnMount": False,
    "preventPodSchedulingIfMissing": False,
    "requiresRepublish": False,
    "seLinuxMount": False,
    "storageCapacity": False,
}
_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_MODES: Final = ("Persistent", "Ephemeral")
_SHORTEST_TOKEN: Final = 600
_LONGEST_TOKEN: Final = 1 << 32
_SHORTEST_PERIOD: Final = 10


def default(driver: Object) -> Object:
    spec = section(driver, "spec")
    modes = strings(spec, "volumeLifecycleModes") or ["Persistent"]
    return {**driver, "spec": {**_DEFAULTS, **spec, "volumeLifecycleModes": modes}}


def validate(driver: Object) -> list[Cause]:
    causes = check_metadata(driver, namespaced=False)
    spec = section(driver, "spec")
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _POLICIES:
        causes.append(unsupported("spec.fsGroupPolicy", policy, _POLICIES))
    tokens = items(spec, "tokenRequests")
    causes += _tokens(tokens)
    for mode in strings(spec, "volumeLifecycleModes"):
        if mode not in _MODES:
            causes.append(unsupported("spec.volumeLifecycleModes", mode, _MODES))
    period: int | None = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < _SHORTEST_PERIOD:
        why = "must be greater than or equal to 10 seconds"
        causes.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why))
    in_secrets = spec.get("serviceAccountTokenInSecrets")
    if in_secrets is not None and not tokens:
        why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        causes.append(invalid("spec.serviceAccountTokenInSecrets", in_secrets, why))
    return causes


def _tokens(requests: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, request in enumerate(requests):
        at, audience = f"spec.tokenRequests[{index}]", string(request, "audience")
        if audience in seen:
            causes.append(duplicate(f"{at}.audience", audience))
            continue
        seen.add(audience)
        seconds: int | None = request.get("expirationSeconds")
        if seconds is not None and seconds < _SHORTEST_TOKEN:
            why = "may not specify a duration less than 10 minutes"
            causes.append(invalid(f"{at}.expirationSeconds", seconds, why))
        if seconds is not None and seconds > _LONGEST_TOKEN:
            why = "may not specify a duration larger than 2^32 seconds"
            causes.append(invalid(f"{at}.expirationSeconds", seconds, why))
    return causes


def validate_update(new: Object, old: Object) -> list[Cause]:
    after, before = section(new, "spec"), section(old, "spec")
    causes = check_metadata_update(new, old)
    for field in ("attachRequired", "volumeLifecycleModes"):
        path = "spec.attachedRequired" if field == "attachRequired" else f"spec.{field}"
        causes += immutable(path, after.get(field), before.get(field))
    return causes


def _tokens_text(driver: Object) -> str:
    requests = section(driver, "spec").get("tokenRequests")
    return UNSET if requests is None else ",".join(string(each, "audience") for each in requests)


DECLARATIONS = (
    Declaration(
        resource=CSI_DRIVERS,
        schema="io.k8s.api.storage.v1.CSIDriver",
        columns=(
            NAME,
            flag(
                "AttachRequired",
                lambda found: section(found, "spec").get("attachRequired", True),
                "Whether volumes are attached to nodes before they are mounted.",
            ),
            flag(
                "PodInfoOnMount",
                lambda found: section(found, "spec").get("podInfoOnMount"),
                "Whether the driver is told of the pod it mounts for.",
            ),
            flag(
                "StorageCapacity",
                lambda found: section(found, "spec").get("storageCapacity"),
                "Whether the scheduler looks at the capacity the driver reports.",
            ),
            text("TokenRequests", _tokens_text, "Audiences of the tokens the driver gets."),
            flag(
                "RequiresRepublish",
                lambda found: section(found, "spec").get("requiresRepublish"),
                "Whether the driver is asked again from time to time.",
            ),
            text(
                "Modes",
                lambda found: ",".join(strings(section(found, "spec"), "volumeLifecycleModes")) or NONE,
                "The kinds of volumes it has.",
            ),
            AGE,
        ),
        default=default,
        validate_create=validate,
        validate_update=validate_update,
        has_generation=True,
        needs_version=True,
    ),
)
