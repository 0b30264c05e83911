"""What reaches a container: environment, volumes, security, resources, names; and errors of configuration."""

import asyncio
import os
from pathlib import Path

from kubelet_world import condition, container, is_ready, pod, status_of, terminated, waiting, world  # noqa: F401

from ktui.engine.kubelet.runtime.base import RuntimeCallError
from ktui.kube.kinds import PODS


async def spec_of(world, name="web", which="main"):  # noqa: F811 - a fixture of that name
    (sandbox, *_) = await world.records(name)
    record = next(c for c in sandbox.containers if c.name == which)
    return world.runtime.container_spec(record.id)


def mount(spec, target):
    return next(m for m in spec.mounts if m.target == target)


async def test_environment_from_everywhere(world):  # noqa: F811 - a fixture of that name
    await world.config_map("settings", COLOR="blue", SIZE="big")
    await world.secret("keys", TOKEN="s3cret")
    env = [
        {"name": "PLAIN", "value": "x"},
        {"name": "EXPANDED", "value": "$(PLAIN)-$(COLOR)-$(NOPE)-$$(PLAIN)"},
        {"name": "FROM_CM", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "SIZE"}}},
        {"name": "FROM_SECRET", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
        {
            "name": "MISSING_OK",
            "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}},
        },
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
    ]
    env_from = [
        {"configMapRef": {"name": "settings"}},
        {"prefix": "KEY_", "secretRef": {"name": "keys"}},
        {"configMapRef": {"name": "absent", "optional": True}},
    ]
    main = container(
        env=env,
        envFrom=env_from,
        command=["run", "$(PLAIN)"],
        args=["$(FROM_CM)", "$(UNKNOWN)", "$$(PLAIN)"],
        resources={"limits": {"cpu": "1500m", "memory": "64Mi"}},
    )
    await world.create(pod("web", main, labels={"app": "shop"}))
    running = await world.running()
    spec = await spec_of(world)
    assert spec.env["EXPANDED"] == "x-blue-$(NOPE)-$(PLAIN)"
    assert spec.env["FROM_CM"] == "big"
    assert (spec.env["FROM_SECRET"], spec.env["KEY_TOKEN"]) == ("s3cret", "s3cret")
    assert (spec.env["NAME"], spec.env["NODE"], spec.env["APP"]) == ("web", "node-1", "shop")
    assert spec.env["IP"] == running["status"]["podIP"]
    assert (spec.env["CPU"], spec.env["MEM"]) == ("2", "64")
    assert "MISSING_OK" not in spec.env
    assert list(spec.command) == ["run", "x"]
    assert list(spec.args) == ["big", "$(UNKNOWN)", "$(PLAIN)"]


async def test_missing_references_wait_with_the_kubelets_words_and_heal(world):  # noqa: F811 - a fixture of that name
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "color"}}}]
    await world.create(pod("web", container(env=env)))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CreateContainerConfigError")
    assert waiting(seen)["message"] == 'configmap "settings" not found'
    await world.config_map("settings", size="big")
    seen = await world.until(lambda p: "find key" in waiting(p).get("message", ""))
    assert waiting(seen)["message"] == "couldn't find key color in ConfigMap default/settings"
    await world.config_map("settings", color="red")
    await world.running()
    assert (await spec_of(world)).env["A"] == "red"
    env_from = [{"secretRef": {"name": "nokeys"}}]
    await world.create(pod("two", container(envFrom=env_from)))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CreateContainerConfigError", "two")
    assert waiting(seen)["message"] == 'secret "nokeys" not found'
    assert ("Failed", 'Error: secret "nokeys" not found') in await world.events()


async def test_config_map_and_secret_volumes_have_kubernetes_layout_and_modes(world):  # noqa: F811 - a fixture of that name
    await world.config_map("page", **{"index.html": "hello", "other": "x"})
    await world.secret("keys", token="s3cret")
    volumes = [
        {
            "name": "page",
            "configMap": {"name": "page", "items": [{"key": "index.html", "path": "www/i.html"}]},
        },
        {"name": "keys", "secret": {"secretName": "keys", "defaultMode": 0o400}},
    ]
    mounts = [
        {"name": "page", "mountPath": "/page"},
        {"name": "keys", "mountPath": "/keys", "readOnly": True},
    ]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=volumes))
    await world.running()
    spec = await spec_of(world)
    page = Path(mount(spec, "/page").source)
    keys = Path(mount(spec, "/keys").source)
    assert (page / "www/i.html").read_text() == "hello"
    assert os.readlink(page / "www") == "..data/www"  # noqa: PTH115
    assert not (page / "other").exists()
    assert (keys / "token").read_text() == "s3cret"
    assert (keys / "token").stat().st_mode & 0o777 == 0o400
    assert mount(spec, "/keys").read_only


async def test_a_changed_config_map_reaches_the_running_container(world):  # noqa: F811 - a fixture of that name
    await world.config_map("page", text="one")
    volumes = [
        {"name": "page", "configMap": {"name": "page"}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"configMap": {"name": "page", "items": [{"key": "text", "path": "cm/text"}]}},
                    {
                        "downwardAPI": {
                            "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
                        }
                    },
                ]
            },
        },
    ]
    mounts = [{"name": "page", "mountPath": "/page"}, {"name": "all", "mountPath": "/all"}]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=volumes, labels={"v": "1"}))
    await world.running()
    spec = await spec_of(world)
    page, everything = (Path(mount(spec, target).source) for target in ("/page", "/all"))
    assert (everything / "labels").read_text() == 'v="1"'
    old = (page / "..data").readlink()
    await world.config_map("page", text="two", more="m")
    await world.happens(lambda: (page / "text").read_text() == "two" and (page / "more").exists())
    await world.happens(lambda: (everything / "cm/text").read_text() == "two")
    assert (page / "..data").readlink() != old
    await world.client.patch(PODS, "web", {"metadata": {"labels": {"v": "2"}}}, "default")
    await world.happens(lambda: (everything / "labels").read_text() == 'v="2"')
    assert status_of(await world.get())["restartCount"] == 0


async def test_a_volume_that_cannot_be_made_is_told_and_tried_again(world):  # noqa: F811 - a fixture of that name
    volumes = [{"name": "page", "configMap": {"name": "page"}}]
    await world.create(
        pod("web", container(volumeMounts=[{"name": "page", "mountPath": "/page"}]), volumes=volumes)
    )
    seen = await world.until(lambda p: waiting(p).get("reason") == "ContainerCreating")
    assert seen["status"]["phase"] == "Pending"
    await world.settle()
    assert (
        "FailedMount",
        'MountVolume.SetUp failed for volume "page" : configmap "page" not found',
    ) in await world.events()
    await world.config_map("page", text="one")
    await world.running()


async def test_empty_dirs_host_paths_and_sub_paths(world, tmp_path):  # noqa: F811 - a fixture of that name
    (tmp_path / "host").mkdir()
    volumes = [
        {"name": "scratch", "emptyDir": {}},
        {"name": "host", "hostPath": {"path": str(tmp_path / "host"), "type": "Directory"}},
    ]
    mounts = [
        {"name": "scratch", "mountPath": "/scratch"},
        {"name": "scratch", "mountPath": "/sub", "subPath": "a/b"},
        {"name": "scratch", "mountPath": "/expr", "subPathExpr": "$(NAME)"},
        {"name": "host", "mountPath": "/host", "mountPropagation": "HostToContainer"},
    ]
    env = [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    await world.create(pod("web", container(volumeMounts=mounts, env=env), volumes=volumes))
    await world.running()
    spec = await spec_of(world)
    scratch = Path(mount(spec, "/scratch").source)
    assert scratch.stat().st_mode & 0o777 == 0o777
    assert Path(mount(spec, "/sub").source) == scratch / "a/b"
    assert Path(mount(spec, "/expr").source) == scratch / "web"
    assert (scratch / "a/b").is_dir()
    assert mount(spec, "/host").source == str(tmp_path / "host")
    assert mount(spec, "/host").propagation == "rslave"
    bad = [{"name": "host", "hostPath": {"path": str(tmp_path / "host"), "type": "File"}}]
    await world.create(pod("bad", container(volumeMounts=[{"name": "host", "mountPath": "/h"}]), volumes=bad))
    for _ in range(100):
        await world.settle()
        if messages := await world.events("FailedMount"):
            break
    assert messages[0][1].endswith(f"hostPath type check failed: {tmp_path / 'host'} is not a file")


async def test_a_sub_path_that_leads_out_of_its_volume_is_refused(world, tmp_path):  # noqa: F811 - a fixture of that name
    (tmp_path / "v").mkdir()
    (tmp_path / "v/out").symlink_to("/etc")
    volumes = [{"name": "v", "hostPath": {"path": str(tmp_path / "v")}}]
    mounts = [{"name": "v", "mountPath": "/v", "subPath": "out"}]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=volumes))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CreateContainerConfigError")
    assert "not within volume path" in waiting(seen)["message"]


async def test_security_resources_and_sandbox_settings(world):  # noqa: F811 - a fixture of that name
    main = container(
        securityContext={
            "runAsUser": 1000,
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "seccompProfile": {"type": "Unconfined"},
        },
        resources={
            "requests": {"cpu": "250m", "memory": "64Mi"},
            "limits": {"cpu": "500m", "memory": "128Mi"},
        },
        workingDir="/srv",
        tty=True,
        stdin=True,
    )
    await world.create(
        pod(
            "web",
            main,
            securityContext={"runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]},
            hostname="shop",
            hostAliases=[{"ip": "10.1.1.1", "hostnames": ["db", "cache"]}],
            dnsPolicy="None",
            dnsConfig={
                "nameservers": ["1.1.1.1"],
                "searches": ["my.test"],
                "options": [{"name": "ndots", "value": "2"}],
            },
            shareProcessNamespace=True,
        )
    )
    running = await world.running()
    assert running["status"]["qosClass"] == "Burstable"
    spec = await spec_of(world)
    security = spec.security
    assert security.user == "1000:3000"
    assert set(security.supplemental_groups) == {4000, 2000}
    assert (list(security.add_capabilities), list(security.drop_capabilities)) == (["NET_ADMIN"], ["ALL"])
    assert security.read_only_root_filesystem and security.no_new_privileges
    assert security.seccomp_profile == "unconfined"
    assert (spec.resources.cpu_shares, spec.resources.cpu_quota) == (256, 50_000)
    assert spec.resources.memory_limit == 128 * 2**20
    assert 2 < spec.resources.oom_score_adj < 1000
    assert (spec.working_dir, spec.tty, spec.stdin) == ("/srv", True, True)
    (sandbox,) = await world.records()
    made = world.runtime.sandbox_spec(sandbox.id)
    assert made.hostname == "shop"
    assert list(made.host_aliases) == [("10.1.1.1", "db"), ("10.1.1.1", "cache")]
    hosts = Path(mount(spec, "/etc/hosts").source).read_text()
    assert hosts.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert f"{sandbox.ips[0]}\tshop\n" in hosts
    assert hosts.endswith("\n# Entries added by HostAliases.\n10.1.1.1\tdb\tcache\n")
    assert list(made.dns.servers) == ["1.1.1.1"]
    assert list(made.dns.options) == ["ndots:2"]
    assert made.share_process_namespace


async def test_run_as_non_root_is_enforced_in_the_kubelets_words(world):  # noqa: F811 - a fixture of that name
    created = await world.create(pod("web", securityContext={"runAsNonRoot": True}))
    seen = await world.until(lambda p: waiting(p).get("reason") == "CreateContainerConfigError")
    assert waiting(seen)["message"] == (
        "container has runAsNonRoot and image will run as root "
        f'(pod: "web_default({created["metadata"]["uid"]})", container: main)'
    )
    await world.create(pod("zero", securityContext={"runAsNonRoot": True, "runAsUser": 0}))
    seen = await world.until(lambda p: waiting(p).get("message"), "zero")
    assert waiting(seen)["message"].startswith("container's runAsUser breaks non-root policy")


async def test_termination_messages_come_from_their_file(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(command=["sleep", "5"]), restartPolicy="Never"))
    await world.running()
    spec = await spec_of(world)
    file = Path(mount(spec, "/dev/termination-log").source)
    assert file.stat().st_mode & 0o777 == 0o666
    file.write_text("x" * 5000 + "the end")
    await world.clock.advance(5)
    ended = await world.until(lambda p: terminated(p).get("message"))
    assert len(terminated(ended)["message"]) == 4096
    assert terminated(ended)["message"].endswith("the end")


async def test_termination_messages_fall_back_to_the_log_on_error(world):  # noqa: F811 - a fixture of that name
    main = container(
        command=["sh", "-c", "echo one; echo two; exit 3"], terminationMessagePolicy="FallbackToLogsOnError"
    )
    await world.create(pod("web", main, restartPolicy="Never"))
    ended = await world.until(lambda p: terminated(p).get("message"))
    assert terminated(ended)["message"].endswith("one\ntwo\n")


async def test_image_policies_and_pull_errors(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("never", container(imagePullPolicy="Never")))
    seen = await world.until(lambda p: waiting(p).get("reason") == "ErrImageNeverPull", "never")
    assert waiting(seen)["message"] == (
        'Container image "registry.test/app:1" is not present with pull policy of Never'
    )
    world.runtime.add_image("registry.test/app:1")
    await world.clock.advance(10)
    await world.running("never")
    assert any("already present on machine" in m for _, m in await world.events("Pulled"))
    await world.create(pod("bad", container(image="Not An Image")))
    await world.until(lambda p: waiting(p).get("reason") == "InvalidImageName", "bad")


async def test_a_failing_pull_backs_off_and_heals(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="registry.test/sim/missing:1")))
    seen = await world.until(lambda p: waiting(p).get("reason") == "ErrImagePull")
    assert "manifest unknown" in waiting(seen)["message"]
    await world.clock.advance(1)
    seen = await world.until(lambda p: waiting(p).get("reason") == "ImagePullBackOff")
    assert waiting(seen)["message"].startswith(
        'Back-off pulling image "registry.test/sim/missing:1": ErrImagePull: '
    )
    assert ("BackOff", 'Back-off pulling image "registry.test/sim/missing:1"') in await world.events()
    assert ("Failed", "Error: ImagePullBackOff") in await world.events()
    await world.clock.advance(9)
    await world.until(lambda p: waiting(p).get("reason") == "ErrImagePull")


async def test_a_slow_pull_does_not_hold_up_a_deletion(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(image="registry.test/sim/slow-pull:60s")))
    await world.until(lambda p: waiting(p).get("reason") == "ContainerCreating")
    await world.happens(lambda: any(call[0] == "pull_image" for call in world.runtime.calls))
    await world.delete("web")
    await asyncio.wait_for(world.until_gone("web"), 5)


async def test_a_resize_changes_the_running_container(world):  # noqa: F811 - a fixture of that name
    small = {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}}
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    await world.create(
        pod("web", container("a", resources=small), container("b", resources=small, resizePolicy=policy))
    )
    before = await world.running()
    larger = {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}}
    for each in before["spec"]["containers"]:
        each["resources"] = larger
    await world.client.update(PODS, before, subresource="resize")
    after = await world.until(lambda p: status_of(p, "b")["restartCount"] == 1 and is_ready(p))
    assert status_of(after, "a")["containerID"] == status_of(before, "a")["containerID"]
    assert ("update_resources", "a") in world.runtime.calls
    assert ("update_resources", "b") not in world.runtime.calls
    assert status_of(after, "a")["resources"]["limits"]["cpu"] == "200m"


async def test_a_resize_the_node_cannot_give_waits(world):  # noqa: F811 - a fixture of that name
    small = {"requests": {"cpu": "100m"}}
    await world.create(pod("web", container(resources=small)))
    before = await world.running()
    before["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "9000"}}
    await world.client.update(PODS, before, subresource="resize")
    held = await world.until(lambda p: condition(p, "PodResizePending"))
    pending = condition(held, "PodResizePending")
    assert (pending["status"], pending["reason"]) == ("True", "Infeasible")
    assert pending["message"].startswith(
        "Node didn't have enough capacity: cpu, requested: 9000000, capacity: "
    )
    assert status_of(held)["resources"] == small
    assert status_of(held)["allocatedResources"] == {"cpu": "100m"}
    assert ("update_resources", "main") not in world.runtime.calls
    (event,) = await world.events("ResizeInfeasible")
    assert event[1] == f"Pod resize Infeasible: {pending['message']}"
    wanted = await world.get()
    wanted["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "200m"}}
    await world.client.update(PODS, wanted, subresource="resize")
    after = await world.until(lambda p: not condition(p, "PodResizePending"))
    assert status_of(after)["resources"] == {"requests": {"cpu": "200m"}}
    assert ("update_resources", "main") in world.runtime.calls


async def test_a_resize_that_fails_is_told_and_tried_again(world):  # noqa: F811 - a fixture of that name
    await world.create(pod("web", container(resources={"limits": {"memory": "64Mi"}})))
    before = await world.running()
    world.runtime.fail_next("update_resources", RuntimeCallError("device or resource busy"))
    before["spec"]["containers"][0]["resources"] = {
        "limits": {"memory": "1Mi"},
        "requests": {"memory": "1Mi"},
    }
    await world.client.update(PODS, before, subresource="resize")
    failed = await world.until(lambda p: condition(p, "PodResizeInProgress"))
    assert condition(failed, "PodResizeInProgress")["reason"] == "Error"
    assert "device or resource busy" in condition(failed, "PodResizeInProgress")["message"]
    assert status_of(failed)["resources"]["limits"] == {"memory": "64Mi"}
    assert status_of(failed)["allocatedResources"] == {"memory": "1Mi"}
    await world.clock.advance(10)
    after = await world.until(lambda p: not condition(p, "PodResizeInProgress"))
    assert status_of(after)["resources"]["limits"] == {"memory": "1Mi"}


async def test_a_pod_over_its_empty_dirs_limit_is_evicted(world):  # noqa: F811 - a fixture of that name
    volumes = [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}]
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    await world.create(pod("web", container(volumeMounts=mounts), volumes=volumes))
    await world.running()
    scratch = Path(mount(await spec_of(world), "/scratch").source)
    (scratch / "a").write_bytes(os.urandom(2 * 2**20))
    await world.clock.advance(10)
    evicted = await world.until(lambda p: p["status"]["phase"] == "Failed" and terminated(p))
    message = 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    assert (evicted["status"]["reason"], evicted["status"]["message"]) == ("Evicted", message)
    assert condition(evicted, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert ("Evicted", message) in await world.events()
    await world.happens(lambda: not scratch.exists())


async def test_a_host_network_pod_has_the_nodes_address(world):  # noqa: F811 - a fixture of that name
    env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    ports = [{"containerPort": 8080, "hostPort": 8080}]
    await world.create(pod("web", container(env=env, ports=ports), hostNetwork=True, hostPID=True))
    running = await world.running()
    assert running["status"]["podIP"] == running["status"]["hostIP"] == world.runtime.host_ip
    assert (await spec_of(world)).env["IP"] == world.runtime.host_ip
    (sandbox,) = await world.records()
    made = world.runtime.sandbox_spec(sandbox.id)
    assert made.host_network and made.host_pid and not made.port_mappings
    assert made.hostname == ""  # the node's own
