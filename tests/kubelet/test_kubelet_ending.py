"""Pods that are deleted, and what a restarted kubelet makes of what it finds."""

from kubelet_world import condition, container, pod, status_of, terminated, world  # noqa: F401

from ktui.engine.kubelet.runtime.base import ContainerState, ExecResult
from ktui.kube.kinds import PODS


async def test_a_deleted_pod_stops_within_its_grace_and_goes(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    await world.delete("web")
    await world.until_gone("web")
    assert await world.runtime.pods() == []
    assert not list((world.data_dir / "pods").iterdir())
    assert ("Killing", "Stopping container main") in await world.events()


async def test_a_pod_that_ignores_sigterm_is_killed_after_its_grace(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/ignores-term"), terminationGracePeriodSeconds=20))
    await world.running()
    await world.delete("web")
    await world.happens(lambda: ("stop_container", "main") in world.runtime.calls)
    await world.clock.advance(19)
    await world.settle()
    assert "running" in status_of(await world.get())["state"]
    await world.clock.advance(1)
    await world.until_gone("web")


async def test_a_shorter_grace_shortens_a_stop_under_way(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/ignores-term"), terminationGracePeriodSeconds=600))
    await world.running()
    await world.delete("web")
    await world.happens(lambda: ("stop_container", "main") in world.runtime.calls)
    await world.delete("web", grace=5)
    await world.settle()
    await world.clock.advance(5)
    await world.until_gone("web")


async def test_a_forced_deletion_leaves_nothing_running(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/ignores-term")))
    await world.running()
    await world.delete("web", grace=0)
    await world.until_gone("web")
    await world.settle()
    await world.clock.advance(2)
    await world.happens(lambda: not world.kubelet.workers)
    assert await world.runtime.pods() == []


async def test_pre_stop_runs_before_the_signal_within_the_grace(world):  # noqa: F811 - a fixture of that name
    hook = {"preStop": {"exec": {"command": ["bye"]}}}
    await world.create(pod("web", container(lifecycle=hook)))
    await world.running()
    await world.delete("web")
    await world.until_gone("web")
    calls = [method for method, name in world.runtime.calls if name == "main"]
    assert calls.index("exec_sync") < calls.index("stop_container")


async def test_a_pre_stop_sleep_takes_from_the_grace(world):  # noqa: F811 - a fixture of that name
    hook = {"preStop": {"sleep": {"seconds": 8}}}
    await world.create(
        pod("web", container(image="sim/ignores-term", lifecycle=hook), terminationGracePeriodSeconds=10)
    )
    await world.running()
    await world.delete("web")
    await world.settle()
    await world.clock.advance(8)
    await world.settle()
    assert ("stop_container", "main") in world.runtime.calls
    await world.clock.advance(2)
    await world.until_gone("web")


async def test_a_failing_pre_stop_hook_is_told_and_does_not_hold_the_pod(world):  # noqa: F811 - a fixture of that name
    world.runtime.answer_exec("main", ExecResult(1, b"no"))
    await world.create(pod("web", container(lifecycle={"preStop": {"exec": {"command": ["bye"]}}})))
    await world.running()
    await world.delete("web")
    await world.until_gone("web")
    assert ("FailedPreStopHook", "PreStopHook failed") in await world.events()


async def test_sidecars_stop_last_and_in_reverse_order(world):  # noqa: F811 - a fixture of that name
    sidecars = [container(name, restartPolicy="Always") for name in ("one", "two")]
    await world.create(pod("web", container("main"), initContainers=sidecars))
    await world.running()
    await world.delete("web")
    await world.until_gone("web")
    stops = [name for method, name in world.runtime.calls if method == "stop_container"]
    assert stops == ["main", "two", "one"]


async def test_a_terminating_pod_shows_its_last_state_until_its_finalizers_are_done(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", finalizers=["example.org/keep"]))
    await world.running()
    await world.delete("web")
    ended = await world.until(lambda p: p["status"]["phase"] in ("Failed", "Succeeded"))
    assert terminated(ended)["exitCode"] == 143
    assert condition(ended, "Ready")["status"] == "False"
    await world.client.patch(PODS, "web", {"metadata": {"finalizers": None}}, "default")
    await world.until_gone("web")
    await world.happens(lambda: not world.kubelet.workers)


async def test_a_pod_that_never_started_is_deleted_at_once(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="sim/missing")))
    await world.until(lambda p: "waiting" in status_of(p)["state"])
    await world.delete("web")
    await world.until_gone("web")
    assert await world.runtime.pods() == []


async def test_a_restarted_kubelet_adopts_what_runs_without_restarting_it(world):  # noqa: F811 - a fixture of that name
    probe = {"exec": {"command": ["check"]}, "periodSeconds": 5}
    await world.create(
        pod("web", container(readinessProbe=probe), initContainers=[container("init", command=["true"])])
    )
    before = await world.running()
    await world.stop_kubelet()
    calls = len(world.runtime.calls)
    await world.start_kubelet()
    await world.settle()
    await world.clock.advance(1)
    after = await world.running()
    assert after["status"]["containerStatuses"] == before["status"]["containerStatuses"]
    assert condition(after, "Ready") == condition(before, "Ready")
    made = [
        call
        for call in list(world.runtime.calls)[calls:]
        if call[0].startswith(("run_", "create_", "start_"))
    ]
    assert made == []


async def test_what_died_while_no_kubelet_ran_is_restarted(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    (sandbox,) = await world.records()
    await world.stop_kubelet()
    world.runtime.kill(sandbox.containers[0].id, 9)
    await world.start_kubelet()
    restarted = await world.until(
        lambda p: status_of(p)["restartCount"] == 1 and "running" in status_of(p)["state"]
    )
    assert status_of(restarted)["lastState"]["terminated"]["exitCode"] == 9


async def test_pods_deleted_while_no_kubelet_ran_are_cleaned_away(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("gone", container(image="sim/ignores-term"), terminationGracePeriodSeconds=15))
    await world.create(pod("kept"))
    await world.running("gone")
    await world.running("kept")
    await world.stop_kubelet()
    await world.delete("gone", grace=0)
    await world.start_kubelet()
    await world.settle()
    await world.clock.advance(15)
    await world.happens(lambda: len(world.kubelet.workers) == 1)
    (left,) = await world.runtime.pods()
    assert left.pod.name == "kept"
    assert [p.name for p in (world.data_dir / "pods").iterdir()] == [left.pod.uid]


async def test_a_pod_recreated_under_its_name_gets_its_own_containers(world):  # noqa: F811 - a fixture of that name
    first = await world.create(pod("web"))
    await world.running()
    await world.delete("web", grace=0)
    second = await world.create(pod("web"))
    await world.running()
    await world.clock.advance(2)
    await world.happens(lambda: len(world.kubelet.workers) == 1)
    (left,) = await world.runtime.pods()
    assert left.pod.uid == second["metadata"]["uid"] != first["metadata"]["uid"]


async def test_a_broken_event_stream_is_made_good_by_looking_at_everything(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", restartPolicy="Never"))
    await world.running()
    world.runtime.break_events()
    await world.settle()
    running = await world.running()
    assert status_of(running)["restartCount"] == 0


async def test_a_completed_pod_keeps_its_containers_for_their_logs(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(command=["true"]), restartPolicy="Never"))
    await world.until(lambda p: p["status"]["phase"] == "Succeeded")
    (sandbox,) = await world.records()
    assert sandbox.containers[0].state is ContainerState.EXITED
    await world.stop_kubelet()
    await world.start_kubelet()
    await world.settle()
    assert (await world.get())["status"]["phase"] == "Succeeded"
    await world.delete("web")
    await world.until_gone("web")
    await world.happens(lambda: not world.kubelet.workers)
    assert await world.runtime.pods() == []


async def test_a_stop_that_fails_is_tried_again_without_haste(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web"))
    await world.running()
    world.runtime.fail_next("stop_container", times=3)
    await world.delete(grace=0)

    def tries():
        return sum(method == "stop_container" for method, _ in world.runtime.calls)

    await world.happens(tries)
    for _ in range(5):
        await world.settle()
    assert tries() == 1
    for expected in (2, 3, 4):
        await world.clock.advance(8)
        await world.happens(lambda wanted=expected: tries() >= wanted)
    await world.happens(lambda: not world.kubelet.workers)
    assert tries() == 4
