"""Writes one pod's status through the API: only what changed, only while the object is the same one."""

from __future__ import annotations

import logging

import msgspec
from lightkube.models.core_v1 import Pod, PodStatus

from ktui.client.base import Client, PatchType, WriteOptions
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.pod_status import status_patch
from ktui.kube.errors import StatusError
from ktui.kube.kinds import PODS

log = logging.getLogger(__name__)

FIELD_MANAGER = "kubelet"


async def write_status(client: Client, pod: Pod, status: PodStatus) -> Pod | None:
    """The pod as it is after the write; None when there was nothing to write or the pod is gone."""
    patch = status_patch(pods.status(pod), status)
    if not patch:
        return None
    key = pods.key(pod)
    body = {"metadata": {"uid": pods.uid(pod)}, "status": patch}
    try:
        written = await client.patch(
            PODS,
            key.name,
            body,
            key.namespace,
            patch_type=PatchType.STRATEGIC,
            subresource="status",
            options=WriteOptions(field_manager=FIELD_MANAGER),
        )
    except StatusError as error:
        if error.is_not_found or error.is_conflict or error.is_invalid:
            log.info("status of pod %s not written: %s", key, error)
            return None
        raise
    return msgspec.convert(written, Pod)
