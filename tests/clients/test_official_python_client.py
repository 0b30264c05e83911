"""The official Python client: typed calls, its dynamic client, watches and streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError
from kubernetes.stream import portforward, stream

SECONDS = 30
Api = client.ApiClient


def pod(name: str, **fields: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "web:1", "ports": [{"containerPort": 80}], **fields}
    return {"metadata": {"name": name, "labels": {"app": name}}, "spec": {"containers": [container]}}


def seen(
    core: Any, call: Callable[..., Any], until: Callable[[Any], bool], *args: Any, **options: Any
) -> Any:
    """Watch until an event is the one; the watch ends by itself."""
    watcher = watch.Watch()
    for event in watcher.stream(call, *args, timeout_seconds=SECONDS, **options):
        if until(event):
            watcher.stop()
            return event
    raise AssertionError("did not happen")


def running(api: Api, namespace: str, name: str) -> Any:
    core = client.CoreV1Api(api)

    def is_ready(event: Any) -> bool:
        statuses = event["object"].status.container_statuses or []
        return bool(statuses) and all(status.ready for status in statuses)

    return seen(core, core.list_namespaced_pod, is_ready, namespace, field_selector=f"metadata.name={name}")[
        "object"
    ]


def test_objects_are_made_read_changed_and_deleted(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c", labels={"a": "b"}), data={"k": "v"})
    made = core.create_namespaced_config_map(namespace, body)
    assert made.metadata.uid
    made.data["k"] = "w"
    changed = core.replace_namespaced_config_map("c", namespace, made)
    assert changed.data == {"k": "w"}
    made.data["k"] = "stale"
    with pytest.raises(ApiException) as error:
        core.replace_namespaced_config_map("c", namespace, made)
    assert (error.value.status, error.value.reason) == (409, "Conflict")
    assert [
        c.metadata.name for c in core.list_namespaced_config_map(namespace, label_selector="a=b").items
    ] == ["c"]
    core.delete_namespaced_config_map("c", namespace)
    with pytest.raises(ApiException) as error:
        core.read_namespaced_config_map("c", namespace)
    assert error.value.status == 404


def test_lists_come_in_pages(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    for number in range(5):
        core.create_namespaced_config_map(
            namespace, {"metadata": {"name": f"c{number}", "labels": {"p": "1"}}}
        )
    names, token = [], ""
    while True:
        page = core.list_namespaced_config_map(namespace, label_selector="p=1", limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"c{number}" for number in range(5)]


def test_the_kinds_of_patch(api: Api, namespace: str):
    apps = client.AppsV1Api(api)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("web")["spec"]}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    apps.create_namespaced_deployment(namespace, {"metadata": {"name": "web"}, "spec": spec})
    strategic = {
        "spec": {
            "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "b"}]}]}}
        }
    }
    changed = apps.patch_namespaced_deployment("web", namespace, strategic)
    (container,) = changed.spec.template.spec.containers
    assert (container.image, container.env[0].value) == ("web:1", "b")
    changed = apps.patch_namespaced_deployment(
        "web",
        namespace,
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}],
    )
    assert changed.spec.template.spec.containers[0].image == "web:2"
    scale = apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 2}})
    assert scale.spec.replicas == 2

    def is_up(event: Any) -> bool:
        return event["object"].status.available_replicas == 2

    seen(apps, apps.list_namespaced_deployment, is_up, namespace)


def test_pods_have_logs_commands_and_ports(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, pod("web"))
    running(api, namespace, "web")
    assert "sim: web:1 started" in core.read_namespaced_pod_log("web", namespace)
    answer = stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        namespace,
        command=["echo", "hello"],
        stderr=True,
        stdin=False,
        stdout=True,
        tty=False,
        _request_timeout=SECONDS,
    )
    assert answer == "hello\n"
    session = stream(
        core.connect_get_namespaced_pod_exec,
        "web",
        namespace,
        command=["sh"],
        stderr=True,
        stdin=True,
        stdout=True,
        tty=False,
        _preload_content=False,
        _request_timeout=SECONDS,
    )
    session.write_stdin("exit 3\n")
    session.run_forever(timeout=SECONDS)
    assert session.returncode == 3
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports="80")
    socket = forward.socket(80)
    socket.settimeout(SECONDS)
    socket.sendall(b"GET / HTTP/1.0\r\n\r\n")
    received = b""
    while data := socket.recv(4096):
        received += data
    assert received.endswith(b"sim\n")
    assert forward.error(80) is None


def test_a_pod_and_a_service_are_reached_through_the_proxy(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    core.create_namespaced_pod(namespace, pod("web"))
    core.create_namespaced_service(
        namespace,
        {"metadata": {"name": "front"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    )
    running(api, namespace, "web")
    assert core.connect_get_namespaced_pod_proxy_with_path("web:80", namespace, "x") == "sim\n"
    discovery = client.DiscoveryV1Api(api)

    def has_endpoint(event: Any) -> bool:
        return any(each.conditions.ready for each in event["object"].endpoints or [])

    seen(core, discovery.list_namespaced_endpoint_slice, has_endpoint, namespace)
    assert core.connect_get_namespaced_service_proxy("front:80", namespace) == "sim\n"


def test_a_watch_tells_of_every_change(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    started = core.list_namespaced_config_map(namespace).metadata.resource_version

    def change() -> None:
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "w"}})
        core.patch_namespaced_config_map("w", namespace, {"data": {"a": "b"}})
        core.delete_namespaced_config_map("w", namespace)

    thread = threading.Thread(target=change)
    thread.start()
    watcher, types = watch.Watch(), []
    for event in watcher.stream(
        core.list_namespaced_config_map, namespace, resource_version=started, timeout_seconds=SECONDS
    ):
        if event["object"].metadata.name == "w":
            types.append(event["type"])
        if types[-1:] == ["DELETED"]:
            watcher.stop()
    thread.join(SECONDS)
    assert types == ["ADDED", "MODIFIED", "DELETED"]


def test_an_old_version_is_gone_or_answered(api: Api, namespace: str):
    core = client.CoreV1Api(api)
    with pytest.raises(ApiException) as error:
        core.list_namespaced_config_map(namespace, resource_version="99999999999", _request_timeout=SECONDS)
    assert error.value.status == 504


def test_the_dynamic_client_finds_kinds_by_itself(api: Api, namespace: str):
    found = dynamic.DynamicClient(api)
    maps = found.resources.get(api_version="v1", kind="ConfigMap")
    made = maps.create(body={"metadata": {"name": "d"}, "data": {"k": "v"}}, namespace=namespace)
    with pytest.raises(ConflictError):
        maps.create(body={"metadata": {"name": "d"}}, namespace=namespace)
    merged = maps.patch(
        body={"metadata": {"name": "d"}, "data": {"l": "m"}},
        namespace=namespace,
        content_type="application/merge-patch+json",
    )
    assert merged.data.to_dict() == {"k": "v", "l": "m"}
    assert merged.metadata.uid == made.metadata.uid
    applied = maps.server_side_apply(
        body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"n": "o"}},
        namespace=namespace,
        field_manager="me",
    )
    assert applied.data.to_dict() == {"k": "v", "l": "m", "n": "o"}
    events = found.watch(maps, namespace=namespace, name="d", timeout=SECONDS)
    assert next(events)["object"].metadata.name == "d"
    events.close()
    maps.delete(name="d", namespace=namespace)
    with pytest.raises(NotFoundError):
        maps.get(name="d", namespace=namespace)


def test_the_dynamic_client_serves_custom_kinds(api: Api, namespace: str):
    found = dynamic.DynamicClient(api)
    definitions = found.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "lamps", "singular": "lamp", "kind": "Lamp"}
    definitions.create(
        body={
            "metadata": {"name": "lamps.clients.example"},
            "spec": {
                "group": "clients.example",
                "scope": "Namespaced",
                "names": names,
                "versions": [version],
            },
        }
    )
    for event in definitions.watch(name="lamps.clients.example", timeout=SECONDS):
        conditions = {c.type: c.status for c in event["object"].status.conditions or []}
        if conditions.get("Established") == "True":
            break
    found.resources.invalidate_cache()
    lamps = found.resources.get(api_version="clients.example/v1", kind="Lamp")
    assert lamps.create(body={"metadata": {"name": "l"}, "spec": {}}, namespace=namespace).spec.size == 1
    assert [item.metadata.name for item in lamps.get(namespace=namespace).items] == ["l"]
    definitions.delete(name="lamps.clients.example")


def test_files_are_created_from(api: Api, namespace: str):
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "r"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
        },
    ]
    for obj in objects:
        utils.create_from_dict(api, obj, namespace=namespace)
    rbac = client.RbacAuthorizationV1Api(api)
    assert rbac.read_namespaced_role("r", namespace).rules[0].verbs == ["get"]


def test_version_groups_and_access(api: Api):
    assert client.VersionApi(api).get_code().major == "1"
    assert "apps" in [group.name for group in client.ApisApi(api).get_api_versions().groups]
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    answer = client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    assert answer.status.allowed
    assert client.AuthenticationV1Api(api).create_self_subject_review({}).status.user_info.username
