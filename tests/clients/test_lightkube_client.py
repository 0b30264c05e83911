"""lightkube: typed and generic resources, watches, patches and logs, asynchronously."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import CascadeType, PatchType

SECONDS = 30


@pytest.fixture
async def kube(kubeconfig: Path, namespace: str) -> AsyncIterator[AsyncClient]:
    opened = AsyncClient(
        config=KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="lightkube"
    )
    yield opened
    await opened.close()


async def test_objects_are_made_read_changed_and_deleted(kube: AsyncClient, namespace: str):
    made = await kube.create(ConfigMap(metadata=ObjectMeta(name="c", namespace=namespace), data={"k": "v"}))
    assert made.metadata and made.metadata.uid
    made.data = {"k": "w"}
    assert (await kube.replace(made)).data == {"k": "w"}
    with pytest.raises(ApiError) as error:
        await kube.replace(made)
    assert error.value.status.code == 409
    merged = await kube.patch(ConfigMap, "c", {"data": {"l": "m"}}, patch_type=PatchType.MERGE)
    assert merged.data == {"k": "w", "l": "m"}
    operation = [{"op": "remove", "path": "/data/k"}]
    assert (await kube.patch(ConfigMap, "c", operation, patch_type=PatchType.JSON)).data == {"l": "m"}
    applied = await kube.apply(
        ConfigMap(
            apiVersion="v1",
            kind="ConfigMap",
            metadata=ObjectMeta(name="c", namespace=namespace),
            data={"n": "o"},
        )
    )
    assert applied.data == {"l": "m", "n": "o"}
    assert "c" in [item.metadata.name async for item in kube.list(ConfigMap, chunk_size=1) if item.metadata]
    await kube.delete(ConfigMap, "c")
    with pytest.raises(ApiError) as error:
        await kube.get(ConfigMap, "c")
    assert error.value.status.code == 404


async def test_a_pod_runs_and_is_watched_and_logs(kube: AsyncClient, namespace: str):
    spec = PodSpec(containers=[Container(name="main", image="web:1")])
    await kube.create(Pod(metadata=ObjectMeta(name="p", namespace=namespace), spec=spec))
    await asyncio.wait_for(kube.wait(Pod, "p", for_conditions=["Ready"]), SECONDS)
    lines = [line async for line in kube.log("p", namespace=namespace)]
    assert lines == ["sim: web:1 started\n"]
    async with asyncio.timeout(SECONDS):
        async for operation, pod in kube.watch(Pod, fields={"metadata.name": "p"}):
            assert (operation, pod.status and pod.status.phase) == ("ADDED", "Running")
            break
    await kube.delete(Pod, "p", grace_period=0)


async def test_a_deployment_is_scaled_and_goes_with_its_pods(kube: AsyncClient, namespace: str):
    generic = create_namespaced_resource("apps", "v1", "Deployment", "deployments")
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": template}
    await kube.create(generic(metadata=ObjectMeta(name="d", namespace=namespace), spec=spec))
    await asyncio.wait_for(kube.wait(Deployment, "d", for_conditions=["Available"]), SECONDS)
    scale = await kube.get(Deployment.Scale, "d")
    assert scale.spec and scale.spec.replicas == 1
    await kube.patch(Deployment.Scale, "d", {"spec": {"replicas": 2}}, patch_type=PatchType.MERGE)
    assert (await kube.get(Deployment, "d")).spec.replicas == 2
    await kube.delete(Deployment, "d", cascade=CascadeType.FOREGROUND)
    end = time.monotonic() + SECONDS
    while [pod async for pod in kube.list(Pod, labels={"app": "d"})]:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
