"""Volumes on disk: atomic updates, ownership and what is left behind."""

import dataclasses
import os
import stat
from datetime import timedelta

import pytest
from lightkube.models.core_v1 import (
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    Pod,
    PodSecurityContext,
    PodSpec,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from lightkube.models.meta_v1 import ObjectMeta

from ktui.engine.kubelet.environment import NodeFacts
from ktui.engine.kubelet.references import References
from ktui.engine.kubelet.volumes.atomic_writer import write_payload
from ktui.engine.kubelet.volumes.base import MountError, VolumeContext, VolumeError
from ktui.engine.kubelet.volumes.payload import FileEntry, checked_path
from ktui.engine.kubelet.volumes.pod_volumes import PodVolumes, read_env_file
from ktui.engine.kubelet.volumes.tokens import TokenSource
from ktui.kube.clock import FakeClock, rfc3339

UID = "3b2d"


def context(*volumes, mounts=None, fs_group=None, **config_maps):
    mounts = [VolumeMount(name=v.name, mountPath=f"/{v.name}") for v in volumes] if mounts is None else mounts
    pod = Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid=UID),
        spec=PodSpec(
            containers=[Container(name="main", volumeMounts=mounts)],
            volumes=list(volumes),
            securityContext=PodSecurityContext(fsGroup=fs_group),
        ),
    )
    data = {name: {k: v.encode() for k, v in each.items()} for name, each in config_maps.items()}
    return VolumeContext(
        pod=pod, references=References("default", data), facts=NodeFacts(node_name="n", host_ip="10.0.0.1")
    )


def files(**texts):
    return {name: FileEntry(text.encode(), 0o644) for name, text in texts.items()}


def test_a_reader_sees_all_old_or_all_new_files(tmp_path):
    assert write_payload(tmp_path, files(a="1", b="1"))
    held = (tmp_path / "..data").resolve()
    assert not write_payload(tmp_path, files(a="1", b="1"))
    assert write_payload(tmp_path, files(a="2", c="2"))
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("..")} == {"a", "c"}
    assert (tmp_path / "a").read_text() == "2"
    assert not held.exists()
    assert len([p for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink()]) == 1


def test_a_write_cut_short_before_the_swap_leaves_the_old_files(tmp_path):
    write_payload(tmp_path, files(a="1"))
    (tmp_path / "..data_tmp").symlink_to("nowhere")
    (tmp_path / "..left").mkdir()
    assert (tmp_path / "a").read_text() == "1"
    write_payload(tmp_path, files(a="2"))
    assert (tmp_path / "a").read_text() == "2"
    assert not (tmp_path / "..left").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="changing groups needs root")
async def test_an_fs_group_owns_the_files(tmp_path):
    made = PodVolumes(tmp_path)
    scratch = Volume(name="scratch", emptyDir=EmptyDirVolumeSource())
    page = Volume(name="page", configMap=ConfigMapVolumeSource(name="cm", defaultMode=0o400))
    paths = await made.set_up(context(scratch, page, fs_group=2345, cm={"k": "v"}))
    assert paths["scratch"].stat().st_gid == 2345
    assert paths["scratch"].stat().st_mode & stat.S_ISGID
    key = (paths["page"] / "k").stat()
    assert (key.st_gid, key.st_mode & 0o777) == (2345, 0o440)


async def test_a_memory_volume_is_unmounted_with_the_pod(tmp_path):
    made = PodVolumes(tmp_path)
    memory = Volume(name="memory", emptyDir=EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi"))
    paths = await made.set_up(context(memory))
    assert paths["memory"].stat().st_mode & 0o7777 == 0o1777
    (paths["memory"] / "x").write_text("x")
    assert (await made.set_up(context(memory)))["memory"] == paths["memory"]
    assert (paths["memory"] / "x").exists()
    await made.tear_down(UID)
    assert not paths["memory"].exists()
    assert made.known_pods() == []


async def test_only_mounted_volumes_are_made(tmp_path):
    missing = Volume(name="page", configMap=ConfigMapVolumeSource(name="missing"))
    assert await PodVolumes(tmp_path).set_up(context(missing, mounts=[])) == {}
    with pytest.raises(MountError, match='for volume "page" : configmap "missing" not found'):
        await PodVolumes(tmp_path).set_up(context(missing))


async def test_a_volume_type_without_plugin_is_named(tmp_path):
    with pytest.raises(MountError, match="no volume plugin matched"):
        await PodVolumes(tmp_path).set_up(context(Volume(name="odd")))


@pytest.mark.parametrize("path", ["/abs", "../up", "a/../b", "..hidden", ""])
def test_paths_must_stay_inside(path):
    with pytest.raises(VolumeError):
        checked_path(path)


def test_env_files(tmp_path):
    (tmp_path / "env").write_text("# c\nA=1\n B = 'two words' \nC=\n")
    assert read_env_file(tmp_path, "env", "A") == "1"
    assert read_env_file(tmp_path, "env", "B") == "two words"
    assert read_env_file(tmp_path, "env", "C") == ""
    assert read_env_file(tmp_path, "env", "D") is None
    assert read_env_file(tmp_path, "../env", "A") is None


class TokenClient:
    """Gives out numbered tokens that live an hour."""

    def __init__(self, clock):
        self.clock = clock
        self.requests = []

    async def create(self, resource, obj, namespace="", *, name="", subresource="", options=None):
        self.requests.append((namespace, name, subresource, obj["spec"]))
        until = rfc3339(self.clock.now() + timedelta(hours=1))
        return {"status": {"token": f"token-{len(self.requests)}", "expirationTimestamp": until}}


async def test_tokens_are_requested_for_the_pod_and_renewed_in_time(tmp_path):
    clock = FakeClock()
    client = TokenClient(clock)
    source = ServiceAccountTokenProjection(path="token", audience="api")
    sources = [VolumeProjection(serviceAccountToken=source)]
    inputs = context(Volume(name="auth", projected=ProjectedVolumeSource(sources=sources)))
    tokens = TokenSource(client, clock)
    made = PodVolumes(tmp_path)

    async def written():
        found = await tokens.for_pod(inputs.pod)
        paths = await made.set_up(dataclasses.replace(inputs, tokens=found))
        return (paths["auth"] / "token").read_text()

    assert await written() == "token-1"
    namespace, account, subresource, spec = client.requests[0]
    assert (namespace, account, subresource) == ("default", "default", "token")
    assert spec["audiences"] == ["api"]
    assert spec["boundObjectRef"]["uid"] == UID
    await clock.advance(2879)
    assert await written() == "token-1"
    assert tokens.renewal(UID) == clock.now() + timedelta(seconds=1)
    await clock.advance(1)
    assert await written() == "token-2"
    tokens.forget(UID)
    assert tokens.renewal(UID) is None
