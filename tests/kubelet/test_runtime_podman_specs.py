"""What the Podman runtime works out without Podman: request bodies, records, subnets, configuration, references."""

import ipaddress
import shutil

import pytest

from ktui.engine.kubelet.runtime import cgroups
from ktui.engine.kubelet.runtime.base import (
    ContainerSpec,
    ContainerState,
    Device,
    DNSConfig,
    ImageError,
    ImageRecord,
    Mount,
    NotFoundError,
    PodIdentity,
    PortMapping,
    Resources,
    SandboxSpec,
    Security,
)
from ktui.engine.kubelet.runtime.podman_config import Limits, containers_conf, least_oom_score
from ktui.engine.kubelet.runtime.podman_identity import (
    Taken,
    candidate_subnets,
    host_routes,
    load_identity,
    parse_networks,
)
from ktui.engine.kubelet.runtime.podman_images import full_reference, is_local_registry
from ktui.engine.kubelet.runtime.podman_records import container_record, pod_ips
from ktui.engine.kubelet.runtime.podman_rest import error_of
from ktui.engine.kubelet.runtime.podman_specs import (
    container_body,
    mount_body,
    own_labels,
    pod_body,
    signal_number,
)

POD = PodIdentity("prod", "web", "1234")
IMAGE = ImageRecord(id="sha256:abc", tags=["docker.io/library/nginx:1"], digests=["nginx@sha256:def"])


def test_sandbox_body():
    spec = SandboxSpec(
        pod=POD,
        attempt=2,
        hostname="web",
        labels={"io.kubernetes.pod": "web"},
        dns=DNSConfig(servers=["10.0.0.1"], searches=["a.local"], options=["ndots:5"]),
        host_aliases=[("10.1.2.3", "db")],
        port_mappings=[PortMapping(container_port=80, host_port=8080, protocol="UDP")],
        share_process_namespace=True,
    )
    body = pod_body("abcd", spec, "ktui-abcd", "node")
    assert body["name"] == "ktui-abcd_prod_web_1234_2"
    assert body["labels"]["dev.ktui.engine"] == "abcd"
    assert own_labels(body["labels"]) == {"io.kubernetes.pod": "web"}
    assert body["shared_namespaces"] == ["net", "uts", "ipc", "pid"]
    assert body["Networks"] == {"ktui-abcd": {}}
    assert body["hostadd"] == ["db:10.1.2.3"]
    assert body["portmappings"][0]["protocol"] == "udp"
    assert (body["dns_server"], body["dns_option"]) == (["10.0.0.1"], ["ndots:5"])


def test_host_namespaces_reach_the_containers():
    spec = SandboxSpec(pod=POD, attempt=0, hostname="", host_network=True, host_pid=True, host_ipc=True)
    body = pod_body("abcd", spec, "ktui-abcd", "node")
    assert body["netns"] == {"nsmode": "host"}
    assert "Networks" not in body
    assert body["hostname"] == "node"
    container = container_body(
        "abcd", "p" * 64, body["labels"], POD, ContainerSpec(name="c", attempt=0, image="x"), IMAGE
    )
    assert (container["pidns"], container["ipcns"]) == ({"nsmode": "host"}, {"nsmode": "host"})


def test_user_without_bridges_gets_slirp4netns():
    body = pod_body("abcd", SandboxSpec(pod=POD, attempt=0, hostname="h"), None, "node")
    assert body["netns"] == {"nsmode": "slirp4netns"}


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], [], {}),
        (["a"], [], {"entrypoint": ["a"], "command": []}),
        ([], ["b"], {"command": ["b"]}),
        (["a"], ["b"], {"entrypoint": ["a"], "command": ["b"]}),
    ],
)
def test_command_and_args_override_as_kubernetes_says(command, args, expected):
    spec = ContainerSpec(name="c", attempt=0, image="x", command=command, args=args)
    body = container_body("abcd", "p" * 64, {}, POD, spec, IMAGE)
    assert {key: body[key] for key in ("entrypoint", "command") if key in body} == expected


def test_container_body():
    spec = ContainerSpec(
        name="app",
        attempt=3,
        image="sha256:abc",
        resources=Resources(memory_limit=100, cpu_shares=512, pids_limit=9),
        security=Security(add_capabilities=["NET_ADMIN"], drop_capabilities=["ALL"], user="5"),
        stop_signal="SIGUSR1",
    )
    body = container_body("abcd", "p" * 64, {}, POD, spec, IMAGE)
    assert body["image"] == "abc"
    assert body["labels"]["dev.ktui.container.image"] == "docker.io/library/nginx:1"
    assert body["resource_limits"] == {
        "cpu": {"shares": 512},
        "memory": {"limit": 100, "swap": 100},
        "pids": {"limit": 9},
    }
    assert (body["cap_add"], body["cap_drop"]) == (["CAP_NET_ADMIN"], ["ALL"])
    assert (body["user"], body["stop_signal"]) == ("5", 10)


def test_devices_are_mounted_where_podman_would_leave_them_out():
    def body(privileged):
        spec = ContainerSpec(
            name="main",
            attempt=0,
            image="nginx:1",
            devices=[Device(source="/dev/loop3", target="/dev/xvda")],
            security=Security(privileged=privileged),
        )
        return container_body("abcd", "p" * 64, {}, POD, spec, IMAGE)

    assert body(False)["devices"] == [{"path": "/dev/loop3:/dev/xvda:rwm"}]
    assert "devices" not in body(True)
    assert [(m["source"], m["destination"]) for m in body(True)["mounts"]] == [("/dev/loop3", "/dev/xvda")]


def test_mounts():
    bind = mount_body(Mount(target="/a", source="/b", read_only=True, propagation="rslave"))
    assert bind == {"type": "bind", "source": "/b", "destination": "/a", "options": ["rbind", "ro", "rslave"]}
    assert mount_body(Mount(target="/m", size_bytes=5))["options"] == ["rw", "size=5"]


def test_an_images_files_are_a_volume_of_their_own():
    mounts = [Mount(target="/a", source="/b"), Mount(target="/i", image="sha256:abc", read_only=True)]
    body = container_body(
        "abcd", "p" * 64, {}, POD, ContainerSpec(name="c", attempt=0, image="x", mounts=mounts), IMAGE
    )
    assert [mount["destination"] for mount in body["mounts"]] == ["/a"]
    assert body["image_volumes"] == [{"source": "abc", "destination": "/i", "readWrite": False}]
    part = container_body(
        "abcd",
        "p" * 64,
        {},
        POD,
        ContainerSpec(
            name="c", attempt=0, image="x", mounts=[Mount(target="/i", image="i", image_path="a/b")]
        ),
        IMAGE,
    )
    assert part["image_volumes"][0]["subPath"] == "a/b"


@pytest.mark.parametrize(("name", "number"), [("SIGTERM", 15), ("HUP", 1), ("9", 9), ("SIGRTMIN+3", 37)])
def test_signal_names(name, number):
    assert signal_number(name) == number


def test_container_record_of_an_ended_container():
    record = container_record(
        {
            "Id": "c1",
            "Pod": "p1",
            "Image": "abc",
            "Created": "2026-01-01T00:00:00.123456789+01:00",
            "State": {
                "Status": "stopped",
                "ExitCode": 2,
                "StartedAt": "2026-01-01T00:00:01Z",
                "FinishedAt": "2026-01-01T00:00:02Z",
                "Pid": 0,
            },
            "Config": {"Labels": {"dev.ktui.container.name": "app", "dev.ktui.container.attempt": "4"}},
            "HostConfig": {"LogConfig": {"Path": "/l"}},
        }
    )
    assert (record.name, record.attempt, record.state, record.exit_code) == (
        "app",
        4,
        ContainerState.EXITED,
        2,
    )
    assert record.created_at.hour == 23
    assert record.image_id == "sha256:abc"


def test_pod_addresses():
    bridged = {"NetworkSettings": {"Networks": {"n": {"IPAddress": "10.1.1.2", "GlobalIPv6Address": ""}}}}
    assert pod_ips(bridged, "192.0.2.1") == ("10.1.1.2",)
    assert pod_ips({"HostConfig": {"NetworkMode": "host"}}, "192.0.2.1") == ("192.0.2.1",)
    assert pod_ips({"HostConfig": {"NetworkMode": "slirp4netns"}}, "192.0.2.1") == ("10.0.2.100",)


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("library/nginx", "docker.io/library/nginx:latest"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        ("localhost/x:1", "localhost/x:1"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000/x:latest"),
        ("registry:5000/x:1", "registry:5000/x:1"),
        ("nginx@sha256:" + "a" * 64, "docker.io/library/nginx@sha256:" + "a" * 64),
        ("nginx:1@sha256:" + "a" * 64, "docker.io/library/nginx@sha256:" + "a" * 64),
    ],
)
def test_references_are_completed_as_kubernetes_does(image, full):
    assert full_reference(image) == full


@pytest.mark.parametrize("image", ["", "UPPER", "a:b:c", "a//b", "-x", "nginx:", "http://x/y"])
def test_malformed_references_are_refused(image):
    with pytest.raises(ImageError) as failure:
        full_reference(image)
    assert failure.value.reason == "InvalidImageName"


def test_only_registries_of_this_machine_are_spoken_to_in_the_clear():
    assert is_local_registry("127.0.0.1:5000/x:1")
    assert is_local_registry("localhost:5000/x:1")
    assert not is_local_registry("localhost.evil.example/x:1")
    assert not is_local_registry("docker.io/library/nginx:1")


def test_error_answers_become_errors():
    assert isinstance(error_of(404, b'{"message": "no such image"}'), NotFoundError)
    assert str(error_of(500, b'{"cause": "x", "message": "why"}')) == "why"
    assert str(error_of(500, b'{"Errs": ["runc failed"], "Id": "1"}')) == "runc failed"
    assert str(error_of(502, b"")) == "podman answered with status 502"


def test_configuration():
    text = containers_conf(Limits(20000, 32768), "cgroupfs", oci_runtime="runc", backend="netavark")
    assert 'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]' in text
    assert 'runtime = "runc"' in text
    assert "network_backend" not in containers_conf(Limits(1, 1), "systemd")


def test_identity_stays_when_moved_and_changes_when_copied(tmp_path):
    original = tmp_path / "a"
    original.mkdir()
    identity = load_identity(original)
    assert load_identity(original) == identity
    copy = shutil.copytree(original, tmp_path / "copy")
    assert load_identity(copy).engine != identity.engine
    moved = original.rename(tmp_path / "moved")
    assert load_identity(moved).engine == identity.engine


def test_unreadable_identity_is_replaced(tmp_path):
    (tmp_path / "podman.json").write_text("{ torn")
    assert load_identity(tmp_path).engine


def test_subnets_avoid_what_is_taken():
    first = next(candidate_subnets("abcd", Taken(())))
    other = next(candidate_subnets("abcd", Taken(parse_networks([first]))))
    assert first != other
    wide = Taken(parse_networks(["10.0.0.0/8"]))
    assert list(candidate_subnets("abcd", wide)) == []
    every = list(candidate_subnets("abcd", Taken(())))
    assert len(set(every)) == len(every) == 32768


def test_routes_of_the_host(tmp_path):
    table = tmp_path / "route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    assert host_routes(table) == (ipaddress.IPv4Network("192.0.2.0/24"),)


def test_cgroups_of_both_versions(tmp_path):
    v1 = tmp_path / "v1"
    for controller, files in {
        "memory": {
            "memory.usage_in_bytes": "1000",
            "memory.stat": "cache 500\ntotal_inactive_file 400\n",
            "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        },
        "cpuacct": {"cpuacct.usage": "123456"},
    }.items():
        folder = v1 / controller / "pod" / "ctr"
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_text(text)
    assert cgroups.usage("/pod/ctr", v1) == cgroups.Usage(123456, 1000, 600)
    assert cgroups.oom_kills("/pod/ctr", v1) == 2

    v2 = tmp_path / "v2"
    folder = v2 / "pod" / "ctr"
    folder.mkdir(parents=True)
    (v2 / "cgroup.controllers").write_text("cpu memory")
    (folder / "memory.current").write_text("1000")
    (folder / "memory.stat").write_text("inactive_file 100\n")
    (folder / "cpu.stat").write_text("usage_usec 7\n")
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert cgroups.usage("/pod/ctr", v2) == cgroups.Usage(7000, 1000, 900)
    assert cgroups.oom_kills("/pod/ctr", v2) == 1
    assert cgroups.usage("/gone", v2) is None
    assert cgroups.oom_kills("/gone", v2) is None


@pytest.mark.parametrize(
    ("capabilities", "own", "least"),
    [("000001ffffffffff", "0", -1000), ("000001fffeffffff", "-5", -5), ("0000000000000000", "200", 200)],
)
def test_a_container_is_made_no_safer_from_the_kernel_than_we_may_make_it(tmp_path, capabilities, own, least):
    (tmp_path / "status").write_text(f"Name:\tktui\nCapPrm:\tffff\nCapEff:\t{capabilities}\n")
    (tmp_path / "oom_score_adj").write_text(f"{own}\n")
    assert least_oom_score(tmp_path) == least
    assert least_oom_score(tmp_path / "nothing") == 0
