"""Pods come up: sandbox, init containers, sidecars, containers, and the status the API then has."""

from kubelet_world import condition, container, pod, status_of, world  # noqa: F401


async def test_a_bound_pod_runs_and_its_status_tells_the_truth(world):  # noqa: F811
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
    assert [reason for reason, _ in await world.events()] == ["Pulling", "Pulled", "Created", "Started"]
