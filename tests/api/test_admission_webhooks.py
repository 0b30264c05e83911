"""Webhooks are asked over HTTPS before an object is written: they change it, refuse it, or can't be reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from admission_objects import configuration, rule, webhook
from aiohttp import web
from api_objects import config_map, pod
from crd_world import definition, resource, widget
from webhook_server import allowed, refused
from webhook_world import World, webhook_world

from ktui.client.base import DeleteOptions, PatchType, WriteOptions
from ktui.engine.store import Store
from ktui.engine.store.base import Key
from ktui.kube.clock import FakeClock, settle
from ktui.kube.errors import StatusError
from ktui.kube.kinds import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    PODS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)


@pytest.fixture
async def world(store: Store, clock: FakeClock, tmp_path: Path) -> AsyncIterator[World]:
    async with asyncio.timeout(30), webhook_world(store, clock, tmp_path) as world:
        yield world


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


async def test_unknown_fields_that_a_webhook_adds_to_a_custom_resource_are_pruned(world: World):
    add = {"op": "add", "path": "/spec/odd", "value": 1}
    world.hooks.replies["m"] = lambda request: allowed(add, {"op": "add", "path": "/spec/size", "value": 99})
    runner = asyncio.create_task(world.server.run())
    try:
        await world.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
        await settle(50)
        await world.configure("m", "Mutating", rules=[rule("widgets")])
        with pytest.raises(StatusError, match="should be less than or equal to 10"):
            await world.client.create(resource(), widget("w"), "default")
        world.hooks.replies["m"] = lambda request: allowed(add)
        made = await world.client.create(resource(), widget("w"), "default")
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)
    assert "odd" not in made["spec"]
    assert made["spec"]["color"] == "red"


async def test_a_webhook_with_side_effects_takes_no_dry_runs(world: World, store: Store):
    hook = webhook(clientConfig=world.hooks.config("x"), sideEffects="Some")
    key = Key(VALIDATING_WEBHOOK_CONFIGURATIONS.key, "", "old")
    await store.write(key, configuration(hook, name="old"))
    error = await world.refusal(options=WriteOptions(dry_run=True))
    assert (error.code, error.message) == (400, 'admission webhook "x.hooks.test" does not support dry run')


async def test_an_old_version_of_the_review_is_spoken(world: World):
    world.hooks.replies["m"] = lambda request: {
        key: value
        for key, value in allowed({"op": "add", "path": "/data", "value": {"a": "1"}}).items()
        if key != "patchType"
    }
    await world.configure("m", "Mutating", admissionReviewVersions=["v0", "v1beta1"])
    assert (await world.client.create(CONFIG_MAPS, config_map("c")))["data"] == {"a": "1"}
