"""What happens to `status` when a main resource or its status subresource is written, the same for most kinds."""

from __future__ import annotations

from ktui.kube.resource import Object


def without_status(obj: Object) -> Object:
    """A client can't set status at creation."""
    return {key: value for key, value in obj.items() if key != "status"} if "status" in obj else obj


def keep_status(new: Object, old: Object) -> Object:
    """An update of the main resource leaves status as it is."""
    if "status" in old:
        return {**new, "status": old["status"]}
    return without_status(new)


def status_and_metadata(new: Object, old: Object) -> Object:
    """What the status subresource of most kinds changes: labels, annotations and the like go with the status."""
    status = {"status": new["status"]} if "status" in new else {}
    metadata: Object = new.get("metadata") or {}
    return {**without_status(old), "metadata": metadata, **status}


def only_status(new: Object, old: Object) -> Object:
    """Of kinds whose status subresource changes status and nothing but metadata that tracks the write."""
    metadata: Object = new.get("metadata") or {}
    kept: Object = {**(old.get("metadata") or {})}
    for field in ("managedFields", "resourceVersion"):
        if field in metadata:
            kept[field] = metadata[field]
    status = {"status": new["status"]} if "status" in new else {}
    return {**without_status(old), "metadata": kept, **status}
