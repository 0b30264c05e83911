"""The kubelet's pure rules: phases, QoS, credentials, DNS, admission, expansion, image collection."""

import base64
import json

import msgspec
import pytest
from kubelet_world import container, pod, world  # noqa: F401
from lightkube.models.core_v1 import Container, ContainerState, ContainerStateRunning, ContainerStatus, Pod

from ktui.engine.kubelet.admission import Claim, check_admission, pod_request
from ktui.engine.kubelet.container_spec import ClusterDNS, hostname, pod_dns, port_mappings
from ktui.engine.kubelet.environment import format_map
from ktui.engine.kubelet.expansion import expand, unresolved
from ktui.engine.kubelet.image_gc import ImageGarbageCollector, PulledImages
from ktui.engine.kubelet.images import is_valid_reference, pull_policy
from ktui.engine.kubelet.machine import host_dns, read_machine
from ktui.engine.kubelet.phase import pod_phase
from ktui.engine.kubelet.pull_secrets import matching_auths, split_registry
from ktui.engine.kubelet.resources import oom_score_adjust, qos_class
from ktui.engine.kubelet.runtime.base import DNSConfig
from ktui.kube.clock import FakeClock


def typed(obj) -> Pod:
    return msgspec.convert(obj, Pod)


def statuses(*states):
    """ContainerStatuses from words: run, wait, back-off, exit:<code>."""
    found = []
    for number, word in enumerate(states):
        state, last = {}, {}
        if word == "run":
            state = ContainerState(running=ContainerStateRunning())
        elif word == "wait":
            state = msgspec.convert({"waiting": {"reason": "ContainerCreating"}}, ContainerState)
        elif word == "back-off":
            state = msgspec.convert({"waiting": {"reason": "CrashLoopBackOff"}}, ContainerState)
            last = {"terminated": {"exitCode": 1}}
        else:
            code = int(word.partition(":")[2])
            state = msgspec.convert({"terminated": {"exitCode": code}}, ContainerState)
        last = msgspec.convert(last, ContainerState)
        name = f"c{number}"
        found.append(
            ContainerStatus(
                name=name, image="", imageID="", ready=False, restartCount=0, state=state, lastState=last
            )
        )
    return found


@pytest.mark.parametrize(
    ("policy", "states", "phase"),
    [
        ("Always", ["run", "run"], "Running"),
        ("Always", ["run", "wait"], "Pending"),
        ("Always", ["back-off"], "Running"),
        ("Always", ["exit:0"], "Running"),
        ("Always", ["exit:1", "run"], "Running"),
        ("OnFailure", ["exit:0", "exit:0"], "Succeeded"),
        ("OnFailure", ["exit:0", "exit:1"], "Running"),
        ("Never", ["exit:0", "exit:1"], "Failed"),
        ("Never", ["exit:0", "run"], "Running"),
        ("Never", ["exit:0", "exit:0"], "Succeeded"),
        ("Never", ["wait", "exit:0"], "Pending"),
    ],
)
def test_phases(policy, states, phase):
    containers = [container(f"c{number}") for number in range(len(states))]
    assert pod_phase(typed(pod("web", *containers, restartPolicy=policy)), [], statuses(*states)) == phase


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        (
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}],
            "Guaranteed",
        ),
        (
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}, {}],
            "Burstable",
        ),
        ([{"limits": {"cpu": "0"}, "requests": {"cpu": "0"}}], "BestEffort"),
        (
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}],
            "Burstable",
        ),
    ],
)
def test_qos_and_oom_scores(resources, quality):
    containers = [container(f"c{number}", resources=each) for number, each in enumerate(resources)]
    made = typed(pod("web", *containers))
    assert qos_class(made) == quality
    score = oom_score_adjust(made, made.spec.containers[0], 8 * 2**30)
    expected = {"Guaranteed": score == -997, "BestEffort": score == 1000, "Burstable": 3 <= score < 1000}
    assert expected[quality], score


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("a$(A)b$(B)", "a1b$(A)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(NOPE)", "$(NOPE)"),
        ("$(A", "$(A"),
        ("$A $", "$A $"),
        ("$()", "$()"),
    ],
)
def test_expansion(text, expanded):
    assert expand(text, {"A": "1", "B": "$(A)"}) == expanded


def test_unresolved_names():
    assert unresolved("$(A)/$(B)/$$(C)", {"A": ""}) == ["B"]


def test_downward_maps_are_sorted_and_quoted():
    assert format_map({"b": 'say "hi"\n', "a": "1"}) == 'a="1"\nb="say \\"hi\\"\\n"'


@pytest.mark.parametrize(
    ("image", "valid"),
    [
        ("nginx", True),
        ("nginx:1.25", True),
        ("localhost/ktui-sample:1", True),
        ("registry.test:5000/a/b:tag", True),
        ("a@sha256:" + "0" * 64, True),
        ("Nginx", False),
        ("a b", False),
        ("", False),
        ("nginx:", False),
    ],
)
def test_image_references(image, valid):
    assert is_valid_reference(image) is valid


@pytest.mark.parametrize(
    ("image", "policy"),
    [("a", "Always"), ("a:latest", "Always"), ("a:1", "IfNotPresent"), ("r:5000/a", "Always")],
)
def test_default_pull_policies(image, policy):
    assert pull_policy(Container(name="c", image=image)) == policy


def test_pull_credentials_that_fit_an_image():
    def entry(user):
        return {"auth": base64.b64encode(f"{user}:pw".encode()).decode()}

    config = {
        "auths": {
            "https://index.docker.io/v1/": entry("hub"),
            "*.test": entry("glob"),
            "registry.test/team": {"username": "team", "password": "pw"},
            "broken": "?",
        }
    }
    secrets = [{".dockerconfigjson": json.dumps(config).encode()}, {".dockercfg": b"not json"}]

    def users(image):
        return [auth.username for auth in matching_auths(image, secrets)]

    assert users("nginx") == ["hub"]
    assert users("registry.test/team/app:1") == ["team", "glob"]
    assert users("registry.test/other/app:1") == ["glob"]
    assert users("localhost:5000/app") == []
    assert split_registry("nginx:1") == ("docker.io", "library/nginx")
    assert split_registry("localhost:5000/a/b:1") == ("localhost:5000", "a/b")


HOST = DNSConfig(servers=["192.0.2.1"], searches=["lan"], options=[])
CLUSTER = ClusterDNS(servers=["10.244.0.1"])


def test_dns_policies():
    cluster = pod_dns(typed(pod("web")), CLUSTER, HOST)
    assert list(cluster.servers) == ["10.244.0.1"]
    assert list(cluster.searches) == [
        "default.svc.cluster.local",
        "svc.cluster.local",
        "cluster.local",
        "lan",
    ]
    assert list(cluster.options) == ["ndots:5"]
    assert pod_dns(typed(pod("web")), None, HOST) is None
    assert pod_dns(typed(pod("web", dnsPolicy="Default")), CLUSTER, HOST) is None
    assert pod_dns(typed(pod("web", hostNetwork=True)), CLUSTER, HOST) is None
    with_host = typed(pod("web", hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"))
    assert list(pod_dns(with_host, CLUSTER, HOST).servers) == ["10.244.0.1"]
    extra = {"nameservers": ["1.1.1.1"], "options": [{"name": "ndots", "value": "1"}]}
    merged = pod_dns(typed(pod("web", dnsConfig=extra)), CLUSTER, HOST)
    assert list(merged.servers) == ["10.244.0.1", "1.1.1.1"]
    assert list(merged.options) == ["ndots:1"]


def test_names_and_ports():
    assert hostname(typed(pod("x" * 80))) == "x" * 63
    assert hostname(typed(pod("web", hostname="shop"))) == "shop"
    ports = [
        {"containerPort": 80, "hostPort": 8080},
        {"containerPort": 53, "hostPort": 53, "protocol": "UDP"},
    ]
    made = port_mappings(typed(pod("web", container(ports=[*ports, {"containerPort": 9}]))))
    assert [(m.container_port, m.host_port, m.protocol) for m in made] == [(80, 8080, "TCP"), (53, 53, "UDP")]
    assert port_mappings(typed(pod("init", initContainers=[container("i", ports=ports)]))) == []


def test_what_a_pod_asks_for_counts_its_greediest_step():
    def asking(name, cpu, **fields):
        return container(name, resources={"requests": {"cpu": cpu}}, **fields)

    made = typed(
        pod(
            "web",
            asking("a", "100m"),
            asking("b", "200m"),
            initContainers=[asking("side", "50m", restartPolicy="Always"), asking("init", "500m")],
        )
    )
    assert pod_request(made, "cpu") == 550


def test_a_pod_may_say_what_it_asks_for_as_a_whole():
    alone = container(resources={"requests": {"cpu": "1", "memory": "1Mi"}})
    made = typed(pod("one", alone, resources={"requests": {"cpu": "3"}}))
    assert (pod_request(made, "cpu"), pod_request(made, "memory")) == (3000, 1 << 20)


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        ({"os": {"name": "windows"}}, "PodOSNotSupported", "OS field doesn't match node OS"),
        ({"os": {"name": "linux"}}, None, ""),
        ({"sysctl": "kernel.msgmax"}, "SysctlForbidden", '"kernel.msgmax" not allowlisted'),
        ({"sysctl": "net/ipv4/conf/eth0.1/x"}, "SysctlForbidden", '"net.ipv4.conf.eth0/1.x" not allowlisted'),
        ({"sysctl": "kernel/shm_rmid_forced"}, None, ""),
        (
            {"sysctl": "net.ipv4.tcp_syncookies", "hostNetwork": True},
            "SysctlForbidden",
            '"net.ipv4.tcp_syncookies" not allowed with host net enabled',
        ),
        (
            {"sysctl": "kernel.shm_rmid_forced", "hostIPC": True},
            "SysctlForbidden",
            '"kernel.shm_rmid_forced" not allowed with host ipc enabled',
        ),
    ],
)
def test_admission_by_system_and_kernel_settings(spec, reason, message):
    if name := spec.get("sysctl"):
        spec = {**spec, "securityContext": {"sysctls": [{"name": name, "value": "1"}]}}
    refused = check_admission(
        typed(pod("one", **{k: v for k, v in spec.items() if k != "sysctl"})), [], {}, {}, "n"
    )
    assert (refused and refused.reason) == reason
    assert message in (refused.message if refused else "")


def test_admission_by_node_affinity_and_pod_count():
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    }
    picky = typed(pod("picky", affinity=affinity))
    assert check_admission(picky, [], {}, {"disk": "ssd"}, "n") is None
    assert check_admission(picky, [], {}, {"disk": "hdd"}, "n").reason == "NodeAffinity"
    other = Claim.of(typed(pod("other")))
    full = check_admission(typed(pod("one")), [other], {"pods": "1"}, {}, "n")
    assert (full.reason, full.message) == (
        "OutOfpods",
        "Node didn't have enough resource: pods, requested: 1, used: 1, capacity: 1",
    )


def test_the_machine_is_read_from_the_kernel(tmp_path):
    found = read_machine(tmp_path)
    assert found.cpus >= 1
    assert found.memory > found.memory_available > 0
    assert found.disk > 0
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\nsearch lan\noptions edns0\n")
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("nameserver 192.0.2.1\n")
    assert list(host_dns(tmp_path).servers) == ["192.0.2.1"]


async def test_image_collection_takes_only_unused_images_that_ktui_pulled(world, tmp_path):  # noqa: F811 - a fixture of that name
    clock, runtime = world.clock, world.runtime
    await world.create(pod("web", container(image="registry.test/used:1")))
    await world.running()
    ledger = PulledImages(tmp_path / "images.json", clock)
    used = await runtime.image_status("registry.test/used:1")
    old, fresh, theirs, volume = (
        runtime.add_image(f"registry.test/{name}:1", size_bytes=30_000_000_000)
        for name in ("old", "fresh", "theirs", "volume")
    )
    ledger.pulled(volume.id)
    ledger.pulled(used.id)
    ledger.pulled(old.id)
    await clock.advance(60)
    ledger.pulled(fresh.id)
    await clock.advance(100)
    collector = ImageGarbageCollector(
        runtime,
        clock,
        PulledImages(tmp_path / "images.json", clock),
        lambda: ["registry.test/volume:1", "registry.test/gone:1"],
    )
    removed = await collector.collect()
    assert [image.id for image in removed] == [old.id]
    assert {image.id for image in await runtime.images()} >= {used.id, fresh.id, theirs.id, volume.id}
    assert await collector.collect() == []


def test_a_broken_ledger_of_images_is_no_failure(tmp_path):
    (tmp_path / "images.json").write_text("{")
    assert PulledImages(tmp_path / "images.json", FakeClock()).used == {}
