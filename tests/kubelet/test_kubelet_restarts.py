"""Containers that end, fail to start or fail their probes: restarts, back-off and what the status says."""

import pytest
from kubelet_world import condition, container, pod, status_of, terminated, waiting, world  # noqa: F401

from ktui.engine.kubelet.backoff import Backoff, go_duration
from ktui.engine.kubelet.runtime.base import ContainerState, ExecResult, RuntimeCallError
from ktui.kube.clock import FakeClock


async def test_crashing_containers_restart_with_doubling_back_off(world):  # noqa: F811 - a fixture of that name
    created = await world.create(pod("web", container(image="sim/exit:1")))
    uid = created["metadata"]["uid"]
    # The first restart is immediate, the second waits 10 s, the third 20 s.
    for restarts, wait in ((1, "10s"), (2, "20s"), (3, "40s"), (4, "1m20s")):
        seen = await world.until(
            lambda p, n=restarts: (
                waiting(p).get("reason") == "CrashLoopBackOff" and status_of(p)["restartCount"] == n
            )
        )
        assert waiting(seen)["message"] == (
            f"back-off {wait} restarting failed container=main pod=web_default({uid})"
        )
        last = status_of(seen)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (1, "Error")
        assert seen["status"]["phase"] == "Running"
        assert status_of(seen)["ready"] is False
        await world.clock.advance({"10s": 10, "20s": 20, "40s": 40}.get(wait, 80))
    assert ("BackOff", f"Back-off restarting failed container main in pod web_default({uid})") in (
        await world.events()
    )


async def test_back_off_grows_to_five_minutes_and_is_forgotten_after_ten_in_peace():
    clock = FakeClock()
    backoff = Backoff(clock.now)
    key = ("uid", "main")
    waits = []
    for _ in range(7):
        backoff.next(key, clock.now())
        waits.append(backoff.seconds(key))
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.remaining(key, clock.now()) == 300
    await clock.advance(601)
    assert backoff.remaining(key, clock.now()) == 0
    backoff.next(key, clock.now())
    assert backoff.seconds(key) == 10


@pytest.mark.parametrize(("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3661, "1h1m1s")])
def test_durations_read_as_go_prints_them(seconds, text):
    assert go_duration(seconds) == text


async def test_restart_policies(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("never", container(command=["false"]), restartPolicy="Never"))
    failed = await world.until(lambda p: p["status"]["phase"] == "Failed", "never")
    assert terminated(failed)["exitCode"] == 1
    assert status_of(failed)["restartCount"] == 0
    await world.create(pod("once", container(command=["true"]), restartPolicy="OnFailure"))
    done = await world.until(lambda p: p["status"]["phase"] == "Succeeded", "once")
    assert terminated(done)["reason"] == "Completed"
    await world.create(pod("again", container(command=["false"]), restartPolicy="OnFailure"))
    await world.until(lambda p: status_of(p)["restartCount"] == 1, "again")
    await world.create(pod("always", container(command=["true"])))
    await world.until(lambda p: status_of(p)["restartCount"] == 1, "always")


async def test_container_restart_rules_win_over_the_pods_policy(world):  # noqa: F811 - a fixture of that name
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    retried = container(
        "retried", command=["sh", "-c", "exit 42"], restartPolicy="Never", restartPolicyRules=rules
    )
    await world.create(pod("web", retried, restartPolicy="Never"))
    await world.until(lambda p: status_of(p, "retried")["restartCount"] == 1)


async def test_one_containers_end_can_start_all_of_them_anew(world):  # noqa: F811 - a fixture of that name
    rules = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [42]}}]
    source = container("source", restartPolicy="Never", restartPolicyRules=rules)
    first = container("first", command=["true"])
    await world.create(pod("web", source, container("beside"), initContainers=[first], restartPolicy="Never"))
    running = await world.running()
    assert condition(running, "AllContainersRestarting")["status"] == "False"
    (sandbox,) = await world.records()
    ids = {record.name: record.id for record in sandbox.containers}
    phases = set()

    def all_anew(found):
        phases.add(found["status"]["phase"])
        return all(
            status_of(found, name)["restartCount"] == 1 and "running" in status_of(found, name)["state"]
            for name in ("source", "beside")
        )

    world.runtime.kill(ids["source"], 42)
    anew = await world.until(all_anew)
    assert phases == {"Running"}
    assert condition(anew, "AllContainersRestarting")["status"] == "False"
    assert status_of(anew, "first")["restartCount"] == 1
    assert status_of(anew, "source")["lastState"]["terminated"]["exitCode"] == 42
    assert status_of(anew, "beside")["lastState"]["terminated"]["exitCode"] == 137
    (after,) = await world.records()
    assert after.id == sandbox.id
    assert not {record.id for record in after.containers} & set(ids.values())
    # Any other end is the end.
    world.runtime.kill(next(r.id for r in after.containers if r.name == "source"), 1)
    world.runtime.kill(next(r.id for r in after.containers if r.name == "beside"), 0)
    failed = await world.until(lambda p: p["status"]["phase"] == "Failed")
    assert condition(failed, "AllContainersRestarting")["reason"] == "PodFailed"


async def test_an_init_container_has_restart_rules_too(world):  # noqa: F811 - a fixture of that name
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    first = container(
        "first", command=["sh", "-c", "exit 42"], restartPolicy="Never", restartPolicyRules=rules
    )
    await world.create(pod("web", initContainers=[first], restartPolicy="Never"))
    retried = await world.until(lambda p: status_of(p, "first")["restartCount"] == 1)
    assert retried["status"]["phase"] == "Pending"


async def test_an_oom_kill_is_told(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", restartPolicy="Never"))
    await world.running()
    ((sandbox),) = await world.records()
    world.runtime.kill(sandbox.containers[0].id, 137, oom=True)
    failed = await world.until(lambda p: p["status"]["phase"] == "Failed")
    assert (terminated(failed)["reason"], terminated(failed)["exitCode"]) == ("OOMKilled", 137)


async def test_a_container_that_cannot_start_waits_with_run_container_error(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/start-fails")))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CrashLoopBackOff")
    last = status_of(seen)["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("StartError", 128)
    assert "executable file not found" in last["message"]
    assert any(r == "Failed" and m.startswith("Error: exec:") for r, m in await world.events())


async def test_a_container_that_cannot_be_created_is_tried_again(world):  # noqa: F811 - a fixture of that name
    world.runtime.fail_next("create_container", RuntimeCallError("no such device"))
    await world.create(pod("web"))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CreateContainerError")
    assert waiting(seen)["message"] == "no such device"
    await world.clock.advance(10)
    assert status_of(await world.running())["restartCount"] == 0


async def test_a_sandbox_that_fails_is_tried_again(world):  # noqa: F811 - a fixture of that name
    world.runtime.fail_next("run_sandbox", RuntimeCallError("no address"))
    await world.create(pod("web"))
    await world.until(lambda p: waiting(p).get("reason") == "ContainerCreating")
    await world.happens(lambda: ("run_sandbox", "web") in world.runtime.calls)
    await world.settle()
    assert ("FailedCreatePodSandBox", "Failed to create pod sandbox: no address") in await world.events()
    await world.clock.advance(1)
    await world.running()


async def test_a_lost_sandbox_is_made_anew_with_everything_in_it(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", initContainers=[container("init", command=["true"])]))
    await world.running()
    (sandbox,) = await world.records()
    world.runtime.kill_sandbox(sandbox.id)
    again = await world.until(
        lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"]
    )
    assert status_of(again, "init")["restartCount"] == 1
    newest = (await world.records())[0]
    assert (newest.attempt, newest.ready) == (1, True)
    assert ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.") in (
        await world.events()
    )


async def test_only_one_dead_container_is_kept(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/exit:1")))
    for wait in (10, 20, 40):
        await world.until(lambda p: waiting(p).get("reason") == "CrashLoopBackOff")
        await world.clock.advance(wait)
        await world.settle()
    (sandbox,) = await world.records()
    assert len(sandbox.containers) <= 2
    assert all(c.state is ContainerState.EXITED for c in sandbox.containers)


async def test_a_failing_liveness_probe_restarts_the_container(world):  # noqa: F811 - a fixture of that name
    world.runtime.answer_exec("main", ExecResult(1, b"dead"))
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 5, "failureThreshold": 2}
    await world.create(pod("web", container(livenessProbe=probe)))
    await world.until(lambda p: "running" in status_of(p)["state"])
    await world.settle()
    await world.clock.advance(5)
    world.runtime.answer_exec("main", ExecResult(0, b""))
    restarted = await world.until(
        lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"]
    )
    assert status_of(restarted)["lastState"]["terminated"]["exitCode"] == 143
    events = await world.events()
    assert ("Unhealthy", "Liveness probe failed: dead") in events
    assert ("Killing", "Container main failed liveness probe, will be restarted") in events


async def test_readiness_follows_its_probe_and_its_thresholds(world):  # noqa: F811 - a fixture of that name
    world.runtime.closed_ports.add(8080)
    probe = {
        "httpGet": {"path": "/healthz", "port": "http"},
        "periodSeconds": 1,
        "successThreshold": 2,
        "failureThreshold": 1,
    }
    ports = [{"name": "http", "containerPort": 8080}]
    await world.create(pod("web", container(readinessProbe=probe, ports=ports)))
    seen = await world.until(lambda p: "running" in status_of(p)["state"])
    assert status_of(seen)["ready"] is False
    assert condition(seen, "Ready")["reason"] == "ContainersNotReady"
    await world.settle()
    world.runtime.closed_ports.clear()
    await world.clock.advance(1)
    await world.settle()
    assert status_of(await world.get())["ready"] is False
    await world.clock.advance(1)
    await world.running()
    world.runtime.closed_ports.add(8080)
    await world.clock.advance(1)
    await world.until(lambda p: condition(p, "Ready")["status"] == "False")
    address = (await world.get())["status"]["podIP"]
    assert any(
        reason == "Unhealthy"
        and message.startswith(f'Readiness probe failed: Get "http://{address}:8080/healthz": dial tcp')
        for reason, message in await world.events()
    )


async def test_a_startup_probe_holds_the_others_back_and_kills_at_its_threshold(world):  # noqa: F811 - a fixture of that name
    world.runtime.answer_exec("main", ExecResult(1, b""))
    startup = {"exec": {"command": ["s"]}, "periodSeconds": 1, "failureThreshold": 3}
    liveness = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1}
    await world.create(pod("web", container(startupProbe=startup, livenessProbe=liveness)))
    seen = await world.until(lambda p: "running" in status_of(p)["state"])
    assert status_of(seen)["started"] is False
    await world.settle()
    await world.clock.advance(1)
    await world.settle()
    assert ("dial", "web") not in world.runtime.calls
    await world.clock.advance(1)
    await world.until(lambda p: status_of(p)["restartCount"] == 1)
    assert ("Killing", "Container main failed startup probe, will be restarted") in await world.events()


async def test_a_failing_post_start_hook_kills_the_container(world):  # noqa: F811 - a fixture of that name
    world.runtime.answer_exec("main", ExecResult(3, b"no"))
    hook = {"postStart": {"exec": {"command": ["hook"]}}}
    await world.create(pod("web", container(lifecycle=hook)))
    await world.until(lambda p: waiting(p).get("reason") in ("PostStartHookError", "CrashLoopBackOff"))
    await world.until(lambda p: waiting(p).get("reason") == "CrashLoopBackOff")
    events = await world.events()
    assert ("FailedPostStartHook", "PostStartHook failed") in events
    assert ("Killing", "FailedPostStartHook") in events


async def test_a_container_is_not_running_until_its_post_start_hook_is_done(world):  # noqa: F811 - a fixture of that name
    hook = {"postStart": {"sleep": {"seconds": 7}}}
    await world.create(pod("web", container(lifecycle=hook), container("second")))
    await world.happens(lambda: ("start_container", "main") in world.runtime.calls)
    await world.settle()
    seen = await world.get()
    assert waiting(seen)["reason"] == "ContainerCreating"
    assert ("create_container", "second") not in world.runtime.calls
    await world.clock.advance(7)
    await world.running()


async def test_a_pod_beyond_its_deadline_fails(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", activeDeadlineSeconds=30))
    await world.running()
    await world.clock.advance(30)
    failed = await world.until(lambda p: p["status"]["phase"] == "Failed" and terminated(p))
    assert failed["status"]["reason"] == "DeadlineExceeded"
    assert failed["status"]["message"] == "Pod was active on the node longer than the specified deadline"
