"""VolumeAttachment: a volume is to be attached to a node, and how its driver got on with that."""

from __future__ import annotations

from typing import Final

from ktui.engine.api.declaration import Declaration
from ktui.engine.api.resources.columns import AGE, NAME, flag, text
from ktui.engine.api.resources.strategy import keep_status, only_status, without_status
from ktui.engine.api.validation.fields import (
    each_invalid,
    forbidden,
    immutable,
    non_negative,
    required,
    too_long,
)
from ktui.engine.api.validation.metadata import check_metadata, check_metadata_update
from ktui.engine.api.validation.persistentvolumes import sources_of
from ktui.engine.api.validation.storage import check_driver_name
from ktui.engine.api.validation.volumes import check_source
from ktui.kube import names
from ktui.kube.data import mapping, section, string
from ktui.kube.errors import Cause
from ktui.kube.kinds import VOLUME_ATTACHMENTS
from ktui.kube.resource import Object

_LARGEST_METADATA: Final = 256 * 1024
_LONGEST_MESSAGE: Final = 1024
_ONE_SOURCE: Final = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def validate(attachment: Object) -> list[Cause]:
    spec = section(attachment, "spec")
    causes = check_metadata(attachment, namespaced=False)
    causes += check_driver_name(string(spec, "attacher"), "spec.attacher")
    causes += _source(section(spec, "source"))
    node = string(spec, "nodeName")
    return causes + each_invalid("spec.nodeName", node, names.dns_subdomain(node))


def _source(source: Object) -> list[Cause]:
    inline: Object | None = source.get("inlineVolumeSpec")
    volume: str | None = source.get("persistentVolumeName")
    if inline is None and volume is None:
        return [required("spec.source", _ONE_SOURCE)]
    if inline is not None and volume is not None:
        return [forbidden("spec.source", _ONE_SOURCE)]
    if inline is not None:
        at = "spec.source.inlineVolumeSpec"
        found = sources_of(inline)
        causes = [] if found else [required(at, "must specify a volume type")]
        return causes + [
            cause for name in found for cause in check_source(name, inline[name], f"{at}.{name}")
        ]
    at = "spec.source.persistentVolumeName"
    if not volume:
        return [required(at, "must specify non empty persistentVolumeName")]
    return each_invalid(at, volume, names.dns_subdomain(volume))


def validate_update(new: Object, old: Object) -> list[Cause]:
    return check_metadata_update(new, old) + immutable("spec", new.get("spec"), old.get("spec"))


def validate_status(new: Object, old: Object) -> list[Cause]:
    status = section(new, "status")
    causes: list[Cause] = []
    metadata = mapping(status, "attachmentMetadata")
    if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > _LARGEST_METADATA:
        causes.append(too_long("status.attachmentMetadata", _LARGEST_METADATA))
    for field in ("attachError", "detachError"):
        error = section(status, field)
        if len(string(error, "message").encode()) > _LONGEST_MESSAGE:
            causes.append(too_long(f"status.{field}.message", _LONGEST_MESSAGE))
        causes += non_negative(f"status.{field}.errorCode", error.get("errorCode"))
    return causes


DECLARATIONS = (
    Declaration(
        resource=VOLUME_ATTACHMENTS,
        schema="io.k8s.api.storage.v1.VolumeAttachment",
        columns=(
            NAME,
            text("Attacher", lambda found: string(section(found, "spec"), "attacher"), "The driver."),
            text(
                "PV",
                lambda found: string(section(found, "spec", "source"), "persistentVolumeName"),
                "The volume.",
            ),
            text("Node", lambda found: string(section(found, "spec"), "nodeName"), "The node."),
            flag(
                "Attached",
                lambda found: section(found, "status").get("attached"),
                "Whether it is attached.",
            ),
            AGE,
        ),
        prepare_create=without_status,
        prepare_update=keep_status,
        prepare_status=only_status,
        validate_create=validate,
        validate_update=validate_update,
        validate_status=validate_status,
        has_status=True,
        needs_version=True,
    ),
)
