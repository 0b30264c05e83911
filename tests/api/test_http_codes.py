"""Which answer a write gets: 200, 201 or 202, and the object, a `Status` or a list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_wire import Wire, served_over_tls

NAMESPACE = "/api/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
APPLY = {"Content-Type": "application/apply-patch+yaml"}
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
POD = {"spec": {"containers": [{"name": "main", "image": "x:1"}]}}


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def delete(wire: Wire, path: str, policy: str = "") -> tuple[int, Any]:
    body = {"propagationPolicy": policy} if policy else None
    return await wire.call("DELETE", path, json=body)


MADE_BY_PUT = [
    (f"{NAMESPACE}/limitranges", {"spec": {"limits": []}}),
    (f"{NAMESPACE}/endpoints", {}),
    (f"{NAMESPACE}/services", {"spec": {"ports": [{"port": 80}]}}),
    ("/apis/coordination.k8s.io/v1/namespaces/default/leases", {"spec": {}}),
    (f"{RBAC}/namespaces/default/roles", {"rules": RULES}),
    (f"{RBAC}/namespaces/default/rolebindings", {"roleRef": ROLE}),
    (f"{RBAC}/clusterroles", {"rules": RULES}),
    (f"{RBAC}/clusterrolebindings", {"roleRef": ROLE}),
]
MADE_BY_POST_ONLY = [
    (f"{NAMESPACE}/configmaps", {}),
    (f"{NAMESPACE}/secrets", {}),
    (f"{NAMESPACE}/pods", POD),
    (f"{NAMESPACE}/serviceaccounts", {}),
    (f"{NAMESPACE}/resourcequotas", {"spec": {}}),
    ("/apis/scheduling.k8s.io/v1/priorityclasses", {"value": 1}),
]


@pytest.mark.parametrize(("path", "body"), MADE_BY_PUT, ids=lambda value: str(value).rpartition("/")[2])
async def test_put_makes_what_is_not_there(wire: Wire, path: str, body: dict[str, Any]):
    wanted = {"metadata": {"name": "new", "labels": {"a": "b"}}, **body}
    code, made = await wire.call("PUT", f"{path}/new", json=wanted)
    assert code == 201, made
    assert made["metadata"]["uid"]
    code, changed = await wire.call("PUT", f"{path}/new", json=made)
    assert code == 200, changed
    code, refused = await wire.call("PUT", f"{path}/other", json=wanted)
    assert (code, refused["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(("path", "body"), MADE_BY_POST_ONLY, ids=lambda value: str(value).rpartition("/")[2])
async def test_put_of_other_kinds_finds_nothing(wire: Wire, path: str, body: dict[str, Any]):
    code, refused = await wire.call("PUT", f"{path}/new", json={"metadata": {"name": "new"}, **body})
    assert (code, refused["reason"]) == (404, "NotFound")


async def test_put_of_a_lost_incarnation_makes_no_new_one(wire: Wire):
    body = {"metadata": {"name": "new", "uid": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"}, "rules": []}
    code, refused = await wire.call("PUT", f"{RBAC}/clusterroles/new", json=body)
    assert (code, refused["reason"]) == (409, "Conflict")
    del body["metadata"]["uid"]
    body["metadata"]["resourceVersion"] = "7"
    assert (await wire.call("PUT", f"{RBAC}/clusterroles/new", json=body))[0] == 201


async def test_an_apply_that_makes_an_object_says_so(wire: Wire):
    path = f"{NAMESPACE}/configmaps/applied?fieldManager=test"
    body = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"k": "v"}}'
    assert (await wire.call("PATCH", f"{path}&dryRun=All", data=body, headers=APPLY))[0] == 201
    assert (await wire.call("PATCH", path, data=body, headers=APPLY))[0] == 201
    assert (await wire.call("PATCH", path, data=body, headers=APPLY))[0] == 200


async def test_a_deleted_pod_is_answered_with_itself(wire: Wire):
    for name, node in (("placed", {"nodeName": "n"}), ("waiting", {})):
        body = {"metadata": {"name": name}, "spec": {**POD["spec"], **node}}
        assert (await wire.call("POST", f"{NAMESPACE}/pods", json=body))[0] == 201
    code, placed = await delete(wire, f"{NAMESPACE}/pods/placed")
    assert (code, placed["kind"], placed["metadata"]["deletionGracePeriodSeconds"]) == (200, "Pod", 30)
    assert placed["metadata"]["deletionTimestamp"]
    code, gone = await delete(wire, f"{NAMESPACE}/pods/waiting")
    assert (code, gone["kind"], gone["metadata"]["name"]) == (200, "Pod", "waiting")
    assert (await wire.call("GET", f"{NAMESPACE}/pods/waiting"))[0] == 404


@pytest.mark.parametrize(
    ("plural", "body", "kind"),
    [
        ("serviceaccounts", {}, "ServiceAccount"),
        ("resourcequotas", {"spec": {}}, "ResourceQuota"),
        ("services", {"spec": {"ports": [{"port": 80}]}}, "Service"),
        ("configmaps", {}, "Status"),
        ("secrets", {}, "Status"),
        ("limitranges", {"spec": {"limits": []}}, "Status"),
    ],
)
async def test_what_is_gone_is_answered_as_its_kind_has_it(
    wire: Wire, plural: str, body: dict[str, Any], kind: str
):
    _, made = await wire.call("POST", f"{NAMESPACE}/{plural}", json={"metadata": {"name": "a"}, **body})
    code, answer = await delete(wire, f"{NAMESPACE}/{plural}/a")
    assert (code, answer["kind"]) == (200, kind)
    about = answer["details"] if kind == "Status" else answer["metadata"]
    assert about["uid"] == made["metadata"]["uid"]


async def test_what_waits_for_its_dependents_is_accepted_for_deletion(wire: Wire):
    await wire.call("POST", f"{NAMESPACE}/configmaps", json={"metadata": {"name": "a"}})
    code, marked = await delete(wire, f"{NAMESPACE}/configmaps/a", "Foreground")
    assert (code, marked["metadata"]["finalizers"]) == (202, ["foregroundDeletion"])


async def test_a_deleted_collection_is_answered_with_what_was_in_it(wire: Wire):
    for name in ("a", "b"):
        body = {"metadata": {"name": name, "labels": {"of": "us"}}, "data": {"k": name}}
        await wire.call("POST", f"{NAMESPACE}/configmaps", json=body)
    code, answer = await delete(wire, f"{NAMESPACE}/configmaps?labelSelector=of%3Dus")
    assert (code, answer["kind"]) == (200, "ConfigMapList")
    assert [(item["metadata"]["name"], item["data"]["k"]) for item in answer["items"]] == [
        ("a", "a"),
        ("b", "b"),
    ]


TWICE = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"t"},"dta":1,"data":{"a":"1","a" :"2"}}'


async def test_fields_given_twice_are_told_of_as_unknown_ones_are(wire: Wire):
    """Of JSON by their path, in the order of the body; of an applied configuration by the line."""
    path, headers = f"{NAMESPACE}/configmaps", {"Content-Type": "application/json"}
    code, refused = await wire.call("POST", f"{path}?fieldValidation=Strict", data=TWICE, headers=headers)
    assert code == 400
    assert refused["message"].endswith('error: unknown field "dta", duplicate field "data.a"')
    code, made = await wire.call("POST", path, data=TWICE, headers=headers)
    assert (code, made["data"]) == (201, {"a": "2"})
    applied = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: u}\ndata:\n  a: b\n  a: c\n"
    query = "fieldManager=m&fieldValidation"
    code, refused = await wire.call("PATCH", f"{path}/u?{query}=Strict", data=applied, headers=APPLY)
    assert (code, 'line 6: key "a" already set in map' in refused["message"]) == (400, True)
    code, made = await wire.call("PATCH", f"{path}/u?{query}=Warn", data=applied, headers=APPLY)
    assert (code, made["data"]) == (201, {"a": "c"})
    unknown = applied.replace("\ndata:", "\ndta: 1\ndata:")
    code, refused = await wire.call("PATCH", f"{path}/u?{query}=Ignore", data=unknown, headers=APPLY)
    assert (code, refused["message"]) == (
        400,
        "failed to create typed patch object (default/u; v1, Kind=ConfigMap): .dta: field not declared in schema",
    )


async def test_what_is_answered_and_not_kept_has_no_table(wire: Wire):
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    code, refused = await wire.call("POST", path, json=review, headers=headers)
    assert (code, refused["reason"]) == (406, "NotAcceptable")
