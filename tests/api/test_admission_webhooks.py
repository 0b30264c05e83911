"""Webhooks are asked over HTTPS before an object is written: they change it, refuse it, or can't be reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admission_objects import configuration, rule, webhook
from aiohttp import web
from api_objects import config_map, deployment, pod
from webhook_server import WebhookServer, allowed, refused

from ktui.client.base import DeleteOptions, ExecOptions, PatchType, WriteOptions
from ktui.engine.api.admission.webhooks.services import Connection
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import default_registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import Store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    NAMESPACES,
    PODS,
    SERVICES,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from ktui.kube.resource import Object

KINDS = {"Validating": VALIDATING_WEBHOOK_CONFIGURATIONS, "Mutating": MUTATING_WEBHOOK_CONFIGURATIONS}


class World:
    """A server, a webhook server, and a client who hears warnings."""

    def __init__(self, server: ApiServer, hooks: WebhookServer) -> None:
        self.server = server
        self.hooks = hooks
        self.warnings: list[str] = []
        self.client = LocalClient(server, "alice", manager="kubectl", on_warning=self.warnings.append)

    async def configure(self, path: str = "x", kind: str = "Validating", name: str = "hooks", **more) -> None:
        """One webhook at a path of the webhook server."""
        hook = webhook(name=f"{path}.hooks.test", clientConfig=self.hooks.config(path), **more)
        await self.client.create(KINDS[kind], configuration(hook, kind=kind, name=name))

    async def refusal(self, obj=None, kind=CONFIG_MAPS, **options) -> StatusError:
        with pytest.raises(StatusError) as error:
            await self.client.create(kind, obj or config_map("c"), **options)
        return error.value

    @property
    def asked(self) -> list[str]:
        return [path for path, _ in self.hooks.asked]


@pytest.fixture
async def world(store: Store, clock: FakeClock, tmp_path: Path) -> AsyncIterator[World]:
    server = ApiServer(store, default_registry(), clock)
    await server.start()
    hooks = WebhookServer()
    await hooks.start(tmp_path)
    async with asyncio.timeout(30):
        yield World(server, hooks)
    await server.webhooks.close()
    await hooks.stop()


async def test_what_a_webhook_is_asked(world: World):
    world.hooks.replies["x"] = lambda request: allowed()
    await world.configure(rules=[rule("configmaps", "CREATE UPDATE DELETE")])
    options = WriteOptions(field_manager="me", dry_run=True)
    await world.client.create(CONFIG_MAPS, config_map("c"), options=options)
    [(_, asked)] = world.hooks.asked
    obj = asked.pop("object")
    assert obj["metadata"]["name"] == "c"
    assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
    assert asked.pop("uid")
    assert asked.pop("userInfo")["username"] == "alice"
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    assert asked == {
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "c",
        "namespace": "default",
        "operation": "CREATE",
        "oldObject": None,
        "dryRun": True,
        "options": {
            "apiVersion": "meta.k8s.io/v1",
            "kind": "CreateOptions",
            "dryRun": ["All"],
            "fieldManager": "me",
            "fieldValidation": "Warn",
        },
    }


async def test_changes_and_deletions_show_what_was(world: World):
    world.hooks.replies["x"] = lambda request: allowed()
    await world.client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    await world.configure(rules=[rule("configmaps", "UPDATE DELETE")])
    await world.client.patch(CONFIG_MAPS, "c", {"data": {"a": "2"}}, patch_type=PatchType.MERGE)
    await world.client.delete(CONFIG_MAPS, "c", options=DeleteOptions(propagation_policy="Background"))
    (_, update), (_, delete) = world.hooks.asked
    assert (update["operation"], delete["operation"]) == ("UPDATE", "DELETE")
    assert update["object"]["data"] == {"a": "2"} != update["oldObject"]["data"]
    assert delete["object"] is None
    assert delete["oldObject"]["metadata"]["name"] == "c"
    assert delete["options"]["propagationPolicy"] == "Background"


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (refused("no c"), 400, 'admission webhook "x.hooks.test" denied the request: no c'),
        (refused(), 400, 'admission webhook "x.hooks.test" denied the request without explanation'),
        (
            refused(reason="Forbidden", code=403),
            403,
            'admission webhook "x.hooks.test" denied the request: Forbidden',
        ),
    ],
)
async def test_a_refusal_says_who_refused(world: World, reply, code: int, message: str):
    world.hooks.replies["x"] = lambda request: dict(reply)
    await world.configure()
    error = await world.refusal()
    assert (error.code, error.message) == (code, message)
    assert error.status["status"] == "Failure"


async def test_warnings_and_audit_annotations(world: World):
    world.hooks.replies["x"] = lambda request: allowed(warnings=["old"], auditAnnotations={"k": "v"})
    await world.configure()
    await world.client.create(CONFIG_MAPS, config_map("c"))
    assert world.warnings == ["old"]


async def test_a_mutation_is_applied_and_filled_in(world: World):
    container = {"op": "add", "path": "/spec/initContainers", "value": [{"name": "init", "image": "i:1"}]}
    world.hooks.replies["m"] = lambda request: allowed(container)
    await world.configure("m", "Mutating", rules=[rule("pods", "CREATE")])
    created = await world.client.create(PODS, pod("p"))
    [init] = created["spec"]["initContainers"]
    assert init["terminationMessagePolicy"] == "File"
    assert init["imagePullPolicy"] == "IfNotPresent"
    assert init["volumeMounts"], "the built-in plugins ran again"


async def test_mutations_follow_each_other(world: World):
    def stage(number: int):
        def reply(request):
            seen = request["object"]["data"]
            assert (number == 2) == ("stage-1" in seen)
            return allowed({"op": "add", "path": f"/data/stage-{number}", "value": "yes"})

        return reply

    world.hooks.replies |= {"one": stage(1), "two": stage(2)}
    await world.configure("two", "Mutating", name="b")
    await world.configure("one", "Mutating", name="a")
    created = await world.client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    assert {"stage-1", "stage-2"} <= created["data"].keys()
    assert world.asked == ["one", "two"]


async def test_who_wants_to_is_asked_again_after_later_changes(world: World):
    def first(request):
        seen = request["object"]["data"]
        return allowed({"op": "add", "path": "/data/seen", "value": ",".join(sorted(seen))})

    world.hooks.replies |= {
        "one": first,
        "two": lambda request: allowed({"op": "add", "path": "/data/two", "value": ""}),
    }
    await world.configure("one", "Mutating", name="a", reinvocationPolicy="IfNeeded")
    await world.configure("two", "Mutating", name="b")
    created = await world.client.create(CONFIG_MAPS, config_map("c", {"a": "1"}))
    assert world.asked == ["one", "two", "one"]
    assert "two" in created["data"]["seen"]


async def test_unknown_fields_of_a_mutation_go_and_wrong_types_fail(world: World):
    world.hooks.replies["m"] = lambda request: allowed({"op": "add", "path": "/nonsense", "value": 1})
    await world.configure("m", "Mutating")
    assert "nonsense" not in await world.client.create(CONFIG_MAPS, config_map("c"))
    world.hooks.replies["m"] = lambda request: allowed({"op": "add", "path": "/data", "value": 1})
    assert (await world.refusal(config_map("d"))).code == 500
    world.hooks.replies["m"] = lambda request: allowed({"op": "remove", "path": "/data/missing"})
    assert "path does not exist" in (await world.refusal(config_map("d"))).message


async def test_a_deletion_can_not_be_changed(world: World):
    world.hooks.replies["m"] = lambda request: allowed({"op": "add", "path": "/x", "value": 1})
    await world.client.create(CONFIG_MAPS, config_map("c"))
    await world.configure("m", "Mutating", rules=[rule("configmaps", "DELETE")])
    with pytest.raises(StatusError) as error:
        await world.client.delete(CONFIG_MAPS, "c")
    assert error.value.message == (
        'Internal error occurred: admission webhook "m.hooks.test" attempted to modify the object, which is not '
        "supported for this operation"
    )


FAILED = 'Internal error occurred: failed calling webhook "x.hooks.test": '


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"uid": "other", "allowed": True}, 'received invalid webhook response: expected response.uid="'),
        (
            {"allowed": True, "patch": "W10=", "patchType": "JSONPatch"},
            "validating webhook may not return response.patch",
        ),
        ({"allowed": "maybe"}, "received invalid webhook response"),
        (
            web.Response(status=404),
            "failed to call webhook: the server could not find the requested resource",
        ),
        (
            web.Response(status=500, text="oh"),
            'failed to call webhook: an error on the server ("oh") has prevented',
        ),
        (web.Response(text="hello"), "failed to call webhook: the answer is not JSON"),
        (web.json_response({}), "received invalid webhook response: webhook response was absent"),
        (
            web.Response(status=302, headers={"Location": "https://127.0.0.1/elsewhere"}),
            "the server responded with the status code 302",
        ),
        (web.Response(body=b" " * (3 * 1024 * 1024 + 1)), "the answer is larger than 3145728 bytes"),
    ],
    ids=["uid", "patch", "type", "404", "500", "text", "absent", "redirect", "large"],
)
async def test_an_answer_that_is_none(world: World, reply, problem: str):
    world.hooks.replies["x"] = lambda request: reply
    await world.configure()
    error = await world.refusal()
    assert error.code == 500
    assert error.message.startswith(FAILED)
    assert problem in error.message


async def test_a_webhook_that_is_not_there(world: World):
    config = {**world.hooks.config("x"), "url": "https://127.0.0.1:1/x"}
    hook = webhook(clientConfig=config, timeoutSeconds=3)
    await world.client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(hook))
    assert (await world.refusal()).message == (
        f'{FAILED}failed to call webhook: Post "https://127.0.0.1:1/x?timeout=3s": '
        "dial tcp 127.0.0.1:1: connect: connection refused"
    )


async def test_a_webhook_nobody_vouches_for(world: World):
    hook = webhook(clientConfig={"url": world.hooks.config("x")["url"]})
    await world.client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(hook))
    assert "tls: failed to verify certificate" in (await world.refusal()).message
    assert not world.asked


async def test_a_slow_webhook_runs_out_of_time(world: World):
    world.hooks.replies["x"] = lambda request: {"hangs": True}
    await world.configure(timeoutSeconds=1)
    error = await world.refusal()
    assert error.message == (
        f'{FAILED}failed to call webhook: Post "{world.hooks.config("x")["url"]}?timeout=1s": '
        "context deadline exceeded"
    )


async def test_a_failure_can_be_ignored(world: World):
    world.hooks.replies["x"] = lambda request: web.Response(status=500)
    world.hooks.replies["m"] = lambda request: web.Response(status=500)
    await world.configure(failurePolicy="Ignore")
    await world.configure("m", "Mutating", failurePolicy="Ignore")
    await world.client.create(CONFIG_MAPS, config_map("c"))
    assert world.asked == ["m", "x"]


class Agent:
    """A node whose pods are one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def dial(self, pod: Object, port: int):
        if port != 8443:
            raise ConnectionRefusedError(111, "Connection refused")
        return await asyncio.open_connection("127.0.0.1", self._port)


async def test_services_are_dialled_through_the_cluster(world: World):
    config = {"service": {"namespace": "tools", "name": "hook", "path": "/x"}, "caBundle": world.hooks.bundle}
    world.hooks.replies["x"] = lambda request: refused("from the service")
    client = world.client
    await client.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(webhook(clientConfig=config)))
    prefix = f'{FAILED}failed to call webhook: Post "https://hook.tools.svc:443/x?timeout=10s": '
    assert (await world.refusal()).message == f'{prefix}service "hook" not found'
    await client.create(NAMESPACES, {"metadata": {"name": "tools"}})
    ports = [{"port": 443, "targetPort": 8443}]
    await client.create(SERVICES, {"metadata": {"name": "hook"}, "spec": {"ports": ports}}, "tools")
    assert (await world.refusal()).message == f'{prefix}no endpoints available for service "hook"'
    await client.create(PODS, pod("p", node="n"), "tools")
    status = {"status": {"phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}}
    await client.patch(PODS, "p", status, "tools", patch_type=PatchType.MERGE, subresource="status")
    labels = {"kubernetes.io/service-name": "hook"}
    endpoints = [{"addresses": ["10.1.2.3"], "targetRef": {"kind": "Pod", "name": "p"}}]
    slice_of_it = {
        "metadata": {"name": "hook-1", "labels": labels},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "", "port": 8444}],
    }
    await client.create(ENDPOINT_SLICES, slice_of_it, "tools")
    world.server.register_node("n", Agent(world.hooks.port))  # pyright: ignore[reportArgumentType]
    assert "connect: connection refused" in (await world.refusal()).message
    change = {"ports": [{"name": "", "port": 8443}]}
    await client.patch(ENDPOINT_SLICES, "hook-1", change, "tools", patch_type=PatchType.MERGE)
    for _ in range(2):
        assert "from the service" in (await world.refusal()).message


async def test_a_service_has_to_prove_who_it_is(world: World):
    class Tools:
        async def dial(self, namespace: str, name: str, port: int) -> Connection:
            return await asyncio.open_connection("127.0.0.1", world.hooks.port)

    world.server.webhooks.services = Tools()
    for name, bundle in (("hook", ""), ("other", world.hooks.bundle)):
        config = {"service": {"namespace": "tools", "name": name}, "caBundle": bundle}
        await world.client.create(
            VALIDATING_WEBHOOK_CONFIGURATIONS, configuration(webhook(clientConfig=config), name=name)
        )
        assert "tls: failed to verify certificate" in (await world.refusal()).message
        await world.client.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, name)
    assert not world.asked


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"rules": [rule("*", "*")]}, True),
        ({"rules": [rule("configmaps", groups="core")]}, True),
        ({"rules": [rule("configmaps", groups="apps")]}, False),
        ({"rules": [rule("configmaps/status")]}, False),
        ({"rules": [rule("configmaps", "DELETE")]}, False),
        ({"rules": [rule("configmaps", scope="Cluster")]}, False),
        ({"rules": [{**rule("configmaps"), "apiVersions": ["v2"]}]}, False),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, True),
        ({"objectSelector": {"matchLabels": {"app": "db"}}}, False),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, True),
        ({"namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "Exists"}]}}, False),
        ({"matchConditions": [{"name": "c", "expression": "object.metadata.name == 'c'"}]}, True),
        ({"matchConditions": [{"name": "c", "expression": "request.operation != 'CREATE'"}]}, False),
        (
            {
                "matchConditions": [
                    {"name": "a", "expression": "object.nothing.here == 1"},
                    {"name": "b", "expression": "false"},
                ]
            },
            False,
        ),
        (
            {
                "matchConditions": [
                    {
                        "name": "a",
                        "expression": "authorizer.group('').resource('pods').namespace('x').check('get').allowed()",
                    }
                ]
            },
            True,
        ),
    ],
)
async def test_who_is_asked(world: World, fields, is_asked: bool):
    world.hooks.replies["x"] = lambda request: allowed()
    await world.configure(**fields)
    created = config_map("c")
    created["metadata"]["labels"] = {"app": "web"}
    await world.client.create(CONFIG_MAPS, created)
    assert bool(world.asked) == is_asked


async def test_a_condition_that_fails_refuses(world: World):
    await world.configure(matchConditions=[{"name": "a", "expression": "object.nothing == 1"}])
    error = await world.refusal()
    assert error.code == 403
    assert error.message == (
        "configmaps \"c\" is forbidden: expression 'object.nothing == 1' resulted in error: no such key: nothing"
    )


async def test_a_missing_namespace_is_not_found(world: World):
    await world.configure(namespaceSelector={"matchLabels": {"a": "b"}}, rules=[rule("*", "*")])
    with pytest.raises(StatusError) as error:
        await world.client.create(CONFIG_MAPS, config_map("c"), "nowhere")
    assert error.value.is_not_found


async def test_configurations_are_never_asked_about(world: World):
    world.hooks.replies["x"] = lambda request: refused()
    await world.configure(rules=[rule("*/*", "*")])
    with pytest.raises(StatusError):
        await world.client.create(NAMESPACES, {"metadata": {"name": "n"}})
    await world.client.delete(VALIDATING_WEBHOOK_CONFIGURATIONS, "hooks")
    await world.client.create(NAMESPACES, {"metadata": {"name": "n"}})


async def test_scales_bindings_and_evictions_are_shown_as_what_they_are(world: World):
    world.hooks.replies["x"] = lambda request: allowed()
    client = world.client
    await client.create(PODS, pod("p"))
    await client.create(DEPLOYMENTS, deployment("d", 1))
    await world.configure(rules=[rule("pods/* deployments/scale", "CREATE UPDATE CONNECT")])
    target = {"kind": "Node", "name": "node1"}
    await client.create(PODS, {"metadata": {"name": "p"}, "target": target}, name="p", subresource="binding")
    await client.create(PODS, {"metadata": {"name": "p"}}, name="p", subresource="eviction")
    replicas = {"spec": {"replicas": 3}}
    await client.patch(DEPLOYMENTS, "d", replicas, patch_type=PatchType.MERGE, subresource="scale")
    told = [
        (asked["kind"]["kind"], asked["subResource"], asked["operation"]) for _, asked in world.hooks.asked
    ]
    assert told == [
        ("Binding", "binding", "CREATE"),
        ("Eviction", "eviction", "CREATE"),
        ("Scale", "scale", "UPDATE"),
    ]
    scale = world.hooks.asked[-1][1]
    assert (scale["object"]["spec"], scale["oldObject"]["spec"]) == ({"replicas": 3}, {"replicas": 1})
    assert scale["requestKind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}


async def test_a_scale_can_be_changed(world: World):
    replace = {"op": "replace", "path": "/spec/replicas", "value": 2}
    world.hooks.replies["m"] = lambda request: allowed(replace)
    await world.client.create(DEPLOYMENTS, deployment("d", 1))
    await world.configure("m", "Mutating", rules=[rule("deployments/scale", "*")])
    replicas = {"spec": {"replicas": 9}}
    await world.client.patch(DEPLOYMENTS, "d", replicas, patch_type=PatchType.MERGE, subresource="scale")
    assert (await world.client.get(DEPLOYMENTS, "d"))["spec"]["replicas"] == 2


async def test_connections_to_pods_can_be_refused(world: World):
    world.hooks.replies["x"] = lambda request: refused(f"attaching to pod '{request['name']}' is not allowed")
    await world.client.create(PODS, pod("p"))
    await world.configure(rules=[rule("pods/attach", "CONNECT")])
    with pytest.raises(StatusError, match="attaching to pod 'p' is not allowed"):
        await world.client.exec("p", "default", options=ExecOptions(stdin=True))
    [(_, asked)] = world.hooks.asked
    assert asked["object"] == {
        "apiVersion": "v1",
        "kind": "PodAttachOptions",
        "stdin": True,
        "stdout": True,
        "stderr": True,
    }
    with pytest.raises(StatusError, match="does not have a host assigned"):
        await world.client.exec("p", "default", options=ExecOptions(command=("ls",)))
