"""Pods come up: sandbox, init containers, sidecars, containers, and the status the API then has."""

import msgspec
from kubelet_world import condition, container, pod, status_of, terminated, waiting, world  # noqa: F401
from lightkube.models.core_v1 import Pod

from ktui.client.base import PatchType
from ktui.engine.kubelet.hosts_file import hosts_file
from ktui.engine.kubelet.runtime.base import ExecResult
from ktui.kube.kinds import CSI_NODES, LEASES, NODES


async def test_the_node_registers_and_renews_its_lease(world):  # noqa: F811 - a fixture of that name
    node = await world.client.get(NODES, "node-1")
    conditions = {c["type"]: (c["status"], c["reason"]) for c in node["status"]["conditions"]}
    assert conditions["Ready"] == ("True", "KubeletReady")
    assert conditions["MemoryPressure"][1] == "KubeletHasSufficientMemory"
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "node-1"
    assert node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] == ""
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "sim://1"
    assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.37.")
    assert {"type": "Hostname", "address": "node-1"} in node["status"]["addresses"]
    assert int(node["status"]["capacity"]["cpu"]) >= 1
    lease = await world.client.get(LEASES, "node-1", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "node-1"
    assert lease["metadata"]["ownerReferences"][0]["uid"] == node["metadata"]["uid"]
    drivers = await world.client.get(CSI_NODES, "node-1")
    assert drivers["spec"] == {"drivers": []}
    assert drivers["metadata"]["ownerReferences"] == lease["metadata"]["ownerReferences"]
    await world.clock.advance(10)
    for _ in range(500):
        renewed = await world.client.get(LEASES, "node-1", "kube-node-lease")
        if renewed["spec"]["renewTime"] > lease["spec"]["renewTime"]:
            break
        await world.settle()
    assert renewed["spec"]["renewTime"] > lease["spec"]["renewTime"]


async def test_what_others_advertise_on_the_node_is_allocated(world):  # noqa: F811 - a fixture of that name
    async def status():
        return (await world.client.get(NODES, "node-1"))["status"]

    async def advertise(amount):
        patch = {"status": {"capacity": {"example.com/dongle": amount}}}
        await world.client.patch(NODES, "node-1", patch, patch_type=PatchType.MERGE, subresource="status")

    async def allocated(amount):
        for _ in range(500):
            if (await status())["allocatable"].get("example.com/dongle") == amount:
                return
            await world.settle()
        raise AssertionError(await status())

    await advertise("4")
    await allocated("4")
    assert (await status())["capacity"]["example.com/dongle"] == "4"
    version = (await world.client.get(NODES, "node-1"))["metadata"]["resourceVersion"]
    await world.clock.advance(20)
    assert (await world.client.get(NODES, "node-1"))["metadata"]["resourceVersion"] == version
    await advertise(None)
    await allocated(None)


async def test_a_bound_pod_runs_and_its_status_tells_the_truth(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    running = await world.running()
    status = running["status"]
    (record,) = await world.records()
    assert status["phase"] == "Running"
    assert status["podIP"] == record.ips[0]
    assert status["podIPs"] == [{"ip": record.ips[0]}]
    assert status["hostIP"] == world.runtime.host_ip
    assert status["qosClass"] == "BestEffort"
    assert status["startTime"]
    assert status["observedGeneration"] == running["metadata"]["generation"]
    main = status_of(running)
    assert main["containerID"] == f"sim://{record.containers[0].id}"
    assert (main["ready"], main["started"], main["restartCount"]) == (True, True, 0)
    assert main["state"]["running"]["startedAt"]
    for kind in ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"):
        assert condition(running, kind)["status"] == "True", kind
    events = await world.events()
    assert [reason for reason, _ in events] == ["Pulling", "Pulled", "Created", "Started"]
    assert ("Created", "Container created") in events
    assert ("Started", "Container started") in events


async def test_pods_of_other_nodes_are_left_alone(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("elsewhere", nodeName="node-2"))
    await world.create(pod("here"))
    await world.running("here")
    assert {record.pod.name for record in await world.runtime.pods()} == {"here"}


async def test_init_containers_run_one_after_another_before_the_rest(world):  # noqa: F811 - a fixture of that name
    first = container("first", command=["sleep", "5"])
    second = container("second", command=["true"])
    await world.create(pod("web", initContainers=[first, second]))
    started = await world.until(lambda p: "running" in status_of(p, "first")["state"])
    assert started["status"]["phase"] == "Pending"
    assert condition(started, "Initialized")["reason"] == "ContainersNotInitialized"
    assert condition(started, "Initialized")["message"] == (
        "containers with incomplete status: [first second]"
    )
    assert condition(started, "Ready")["message"] == "containers with unready status: [main]"
    assert waiting(started)["reason"] == "PodInitializing"
    assert waiting(started, "second")["reason"] == "PodInitializing"
    await world.clock.advance(5)
    done = await world.running()
    assert terminated(done, "first")["reason"] == "Completed"
    assert status_of(done, "second")["ready"] is True
    created = [name for method, name in world.runtime.calls if method == "create_container"]
    assert created == ["first", "second", "main"]


async def test_a_failing_init_container_fails_a_pod_that_never_restarts(world):  # noqa: F811 - a fixture of that name
    await world.create(
        pod("web", initContainers=[container("init", command=["false"])], restartPolicy="Never")
    )
    failed = await world.until(lambda p: p["status"]["phase"] == "Failed")
    assert terminated(failed, "init")["exitCode"] == 1
    assert waiting(failed)["reason"] == "PodInitializing"
    assert condition(failed, "Ready")["reason"] == "PodFailed"


async def test_sidecars_start_first_and_hold_the_rest_back_until_started(world):  # noqa: F811 - a fixture of that name
    world.runtime.answer_exec("proxy", ExecResult(1, b"not yet"))
    proxy = container(
        "proxy",
        restartPolicy="Always",
        startupProbe={"exec": {"command": ["check"]}, "periodSeconds": 1, "failureThreshold": 30},
    )
    await world.create(pod("web", initContainers=[proxy]))
    await world.until(lambda p: "running" in status_of(p, "proxy")["state"])
    await world.clock.advance(1)
    held = await world.get()
    assert waiting(held)["reason"] == "PodInitializing"
    assert condition(held, "Initialized")["status"] == "False"
    world.runtime.answer_exec("proxy", ExecResult(0, b""))
    await world.clock.advance(1)
    running = await world.running()
    assert status_of(running, "proxy")["started"] is True
    assert "running" in status_of(running, "proxy")["state"]


async def test_a_pod_whose_containers_succeed_ends_and_stops_its_sidecars(world):  # noqa: F811 - a fixture of that name
    await world.create(
        pod(
            "web",
            container(command=["sleep", "3"]),
            initContainers=[container("proxy", restartPolicy="Always")],
            restartPolicy="Never",
        )
    )
    await world.running()
    await world.clock.advance(3)
    done = await world.until(lambda p: p["status"]["phase"] == "Succeeded")
    assert terminated(done)["reason"] == "Completed"
    assert terminated(done, "proxy")["exitCode"] == 143
    assert condition(done, "Ready")["reason"] == "PodCompleted"
    assert condition(done, "Initialized")["reason"] == "PodCompleted"
    (sandbox,) = await world.records()
    assert not sandbox.ready


async def test_readiness_gates_hold_ready_back(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", readinessGates=[{"conditionType": "example.org/open"}]))
    held = await world.until(lambda p: condition(p, "ContainersReady").get("status") == "True")
    assert condition(held, "Ready")["reason"] == "ReadinessGatesNotReady"
    assert condition(held, "Ready")["message"] == (
        'corresponding condition of pod readiness gate "example.org/open" does not exist.'
    )
    gate = {"type": "example.org/open", "status": "True"}
    held["status"]["conditions"].append(gate)
    from ktui.kube.kinds import PODS

    await world.client.update(PODS, held, subresource="status")
    ready = await world.running()
    assert condition(ready, "example.org/open")["status"] == "True"


async def test_the_kubelet_refuses_what_does_not_fit(world):  # noqa: F811 - a fixture of that name
    greedy = container(resources={"requests": {"cpu": "1000"}})
    await world.create(pod("greedy", greedy))
    refused = await world.until(lambda p: p["status"]["phase"] == "Failed", "greedy")
    assert refused["status"]["reason"] == "OutOfcpu"
    assert refused["status"]["message"].startswith(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: "
    )
    await world.create(pod("picky", nodeSelector={"disk": "ssd"}))
    picky = await world.until(lambda p: p["status"]["phase"] == "Failed", "picky")
    assert picky["status"]["reason"] == "NodeAffinity"
    port = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    await world.create(pod("one", container(**port)))
    await world.running("one")
    await world.create(pod("two", container(**port)))
    two = await world.until(lambda p: p["status"]["phase"] == "Failed", "two")
    assert two["status"]["reason"] == "NodePorts"
    assert await world.runtime.pod(two["metadata"]["uid"]) == []


async def test_ephemeral_containers_join_a_running_pod(world):  # noqa: F811 - a fixture of that name
    from ktui.kube.kinds import PODS

    await world.create(pod("web"))
    running = await world.running()
    running["spec"]["ephemeralContainers"] = [container("debug", command=["sleep", "4"])]
    await world.client.update(PODS, running, subresource="ephemeralcontainers")
    await world.until(lambda p: "running" in status_of(p, "debug")["state"])
    await world.clock.advance(4)
    ended = await world.until(lambda p: terminated(p, "debug"))
    assert terminated(ended, "debug")["reason"] == "Completed"
    assert condition(ended, "Ready")["status"] == "True"


async def test_a_new_image_restarts_only_that_container(world):  # noqa: F811 - a fixture of that name
    from ktui.kube.kinds import PODS

    await world.create(pod("web", container("a"), container("b")))
    before = await world.running()
    patch = {"spec": {"containers": [{"name": "a", "image": "registry.test/app:2"}]}}
    await world.client.patch(
        PODS, "web", patch, "default", patch_type="application/strategic-merge-patch+json"
    )
    after = await world.until(
        lambda p: status_of(p, "a")["restartCount"] == 1 and "running" in status_of(p, "a")["state"]
    )
    assert status_of(after, "b")["containerID"] == status_of(before, "b")["containerID"]
    assert status_of(after, "a")["image"].endswith("app:2")
    assert ("Killing", "Container a definition changed, will be restarted") in await world.events()


async def test_an_image_is_mounted_as_a_volume(world):  # noqa: F811 - a fixture of that name
    volume = {"name": "files", "image": {"reference": "registry.test/files:2"}}
    mounts = [{"name": "files", "mountPath": "/files"}]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=[volume]))
    await world.running()
    (record,) = await world.records()
    spec = world.runtime.container_spec(record.containers[0].id)
    (mount,) = [mount for mount in spec.mounts if mount.target == "/files"]
    image = await world.runtime.image_status("registry.test/files:2")
    assert (mount.image, mount.read_only, mount.source) == (image.id, True, "")
    pulled = [message for reason, message in await world.events() if reason == "Pulling"]
    assert pulled == ['Pulling image "registry.test/app:1"', 'Pulling image "registry.test/files:2"']


async def test_an_image_that_is_no_volume_keeps_its_container_waiting(world):  # noqa: F811 - a fixture of that name
    volume = {"name": "files", "image": {"reference": "registry.test/files:2", "pullPolicy": "Never"}}
    mounts = [{"name": "files", "mountPath": "/files"}]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=[volume]))
    found = await world.until(lambda p: waiting(p).get("reason") == "ErrImageNeverPull")
    assert waiting(found)["message"] == (
        'Container image "registry.test/files:2" is not present with pull policy of Never'
    )


def test_a_host_name_of_its_own_choice_has_no_domain():
    def names(**spec):
        text = hosts_file(msgspec.convert(pod(**spec), Pod), ["10.0.0.5"], "cluster.local", "")
        return next(line for line in text.splitlines() if line.startswith("10.0.0.5")).split()[1:]

    assert names(subdomain="sub") == ["web.sub.default.svc.cluster.local", "web"]
    assert names(subdomain="sub", hostnameOverride="mine") == ["mine"]
