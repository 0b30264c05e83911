"""The API's manners on the wire: forms of answers, watches, limits, and no 500 for anything that is sent."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_wire import Wire, served_over_tls
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
META = "g=meta.k8s.io;v=v1"


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def made(wire: Wire, name: str, **data: str) -> dict[str, Any]:
    code, answer = await wire.call(
        "POST", CONFIG_MAPS, json={"metadata": {"name": name, "labels": {"a": "b"}}, "data": data}
    )
    assert code == 201, answer
    return answer


async def lines(wire: Wire, path: str, count: int, accept: str = "application/json") -> list[Any]:
    async with wire.session.get(wire.secure.url + path, ssl=wire.admin, headers={"Accept": accept}) as answer:
        assert answer.status == 200
        async with asyncio.timeout(10):
            return [json.loads(await answer.content.readline()) for _ in range(count)]


async def test_objects_come_as_tables_metadata_or_yaml(wire: Wire):
    await made(wire, "one", k="v")
    _, table = await wire.call("GET", CONFIG_MAPS, accept=f"application/json;as=Table;{META}")
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    _, bare = await wire.call(
        "GET", f"{CONFIG_MAPS}?includeObject=None", accept=f"application/json;as=Table;{META}"
    )
    assert "object" not in bare["rows"][0]
    _, metadata = await wire.call(
        "GET", f"{CONFIG_MAPS}/one", accept=f"application/json;as=PartialObjectMetadata;{META}"
    )
    assert (metadata["kind"], metadata["metadata"]["name"]) == ("PartialObjectMetadata", "one")
    assert "data" not in metadata
    _, listed = await wire.call(
        "GET", CONFIG_MAPS, accept=f"application/json;as=PartialObjectMetadataList;{META}"
    )
    assert (listed["kind"], len(listed["items"])) == ("PartialObjectMetadataList", 1)
    assert listed["metadata"]["resourceVersion"]
    _, text = await wire.call("GET", f"{CONFIG_MAPS}/one", accept="application/yaml")
    assert "\n  k: v\n" in text


async def test_what_cannot_be_made_is_not_acceptable(wire: Wire):
    for accept in (
        "application/vnd.kubernetes.protobuf",
        "text/html",
        f"application/json;as=Nonsense;{META}",
    ):
        code, answer = await wire.call("GET", CONFIG_MAPS, accept=accept)
        assert (code, answer["reason"]) == (406, "NotAcceptable"), accept
    code, _ = await wire.call(
        "GET", CONFIG_MAPS, accept="application/vnd.kubernetes.protobuf,application/json"
    )
    assert code == 200


async def test_a_body_in_an_unknown_form_is_refused(wire: Wire):
    code, answer = await wire.call("POST", CONFIG_MAPS, data=b"x", headers={"Content-Type": "text/html"})
    assert (code, answer["reason"]) == (415, "UnsupportedMediaType")
    code, answer = await wire.call(
        "PATCH", f"{CONFIG_MAPS}/one", data=b"{}", headers={"Content-Type": "application/json"}
    )
    assert code == 415


async def test_a_large_list_is_compressed_when_asked(wire: Wire):
    for number in range(3):
        await made(wire, f"big-{number}", k="x" * 100_000)
    url = wire.secure.url + CONFIG_MAPS
    async with wire.session.get(url, ssl=wire.admin, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) < 10_000
        assert len((await answer.json())["items"]) == 3
    async with wire.session.get(url, ssl=wire.admin, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


async def test_a_body_may_be_three_megabytes(wire: Wire):
    code, answer = await wire.call("POST", CONFIG_MAPS, json={"data": {"k": "x" * (3 * 1024 * 1024)}})
    assert (code, answer["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_compressed_body_may_not_grow_beyond_that(wire: Wire):
    bomb = gzip.compress(b'{"k":"' + b"x" * 50_000_000 + b'"}')
    code, _ = await wire.call(
        "POST",
        CONFIG_MAPS,
        data=bomb,
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert code in (400, 413)


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
async def test_a_deep_body_is_refused(wire: Wire, kind: str):
    body = b'{"data":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    code, answer = await wire.call("POST", CONFIG_MAPS, data=body, headers={"Content-Type": kind})
    assert (code, answer["reason"]) == (400, "BadRequest")


async def test_a_watch_brings_changes_in_the_form_asked_for(wire: Wire):
    await made(wire, "one")
    path = f"{CONFIG_MAPS}?watch=1&timeoutSeconds=5"
    (event,) = await lines(wire, path, 1)
    assert (event["type"], event["object"]["kind"]) == ("ADDED", "ConfigMap")
    (event,) = await lines(wire, path, 1, f"application/json;as=Table;{META}")
    assert event["object"]["kind"] == "Table"
    (event,) = await lines(wire, path, 1, f"application/json;as=PartialObjectMetadataList;{META}")
    assert event["object"]["kind"] == "PartialObjectMetadata"


async def test_a_watch_ends_when_its_time_is_up(wire: Wire):
    async with asyncio.timeout(10):
        code, _ = await wire.call("GET", f"{CONFIG_MAPS}?watch=1&timeoutSeconds=1")
    assert code == 200


async def test_a_watch_list_marks_where_the_present_ends(wire: Wire):
    await made(wire, "one")
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    first, mark = await lines(wire, f"{CONFIG_MAPS}?{query}", 2)
    assert first["type"] == "ADDED"
    assert mark["type"] == "BOOKMARK"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_pages_of_a_list_fit_together(wire: Wire):
    for number in range(5):
        await made(wire, f"c-{number}")
    names: list[str] = []
    token = ""
    while True:
        _, page = await wire.call("GET", f"{CONFIG_MAPS}?limit=2&continue={token}")
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
        assert page["metadata"]["remainingItemCount"] == 5 - len(names)
    assert names == [f"c-{number}" for number in range(5)]


async def test_warnings_come_as_headers(wire: Wire):
    url = f"{wire.secure.url}{CONFIG_MAPS}?fieldValidation=Warn"
    body = {"metadata": {"name": "one"}, 'odd"field\n': 1}
    async with wire.session.post(url, ssl=wire.admin, json=body) as answer:
        assert answer.status == 201
        assert answer.headers["Warning"].startswith('299 - "unknown field')


async def test_deprecated_kinds_say_so_whatever_is_done_with_them(wire: Wire):
    url = f"{wire.secure.url}/api/v1/namespaces/default/endpoints"
    told = '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    made: dict[str, Any] = {"json": {"metadata": {"name": "e"}}}
    for method, path, options in (
        ("POST", "", made),
        ("GET", "", {}),
        ("GET", "?watch=1&timeoutSeconds=0", {}),
        ("GET", "/e", {}),
        ("DELETE", "/e", {}),
    ):
        async with wire.session.request(method, url + path, ssl=wire.admin, **options) as answer:
            assert answer.ok
            assert answer.headers.getall("Warning") == [told], (method, path)


async def test_methods_that_are_not_there(wire: Wire):
    for method, path in (
        ("PUT", CONFIG_MAPS),
        ("POST", f"{CONFIG_MAPS}/one"),
        ("OPTIONS", CONFIG_MAPS),
        ("PUT", "/api/v1/namespaces/default/pods/one/log"),
    ):
        code, answer = await wire.call(method, path, json={})
        assert (code, answer["reason"]) == (405, "MethodNotAllowed"), (method, path)


WORDS = st.sampled_from(
    [
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "nodes",
        "..",
        ".",
        "%2e%2e",
        "%00",
        "a%2Fb",
        "status",
        "log",
        "exec",
        "scale",
        "proxy",
        "configmaps",
        "one",
        "é",
        "%ff",
        "watch",
        "openapi",
        "v3",
        "events",
        "secrets",
    ]
)
PLACES = st.sampled_from(
    [
        "api/v1/namespaces/default/configmaps",
        "api/v1/namespaces/default/configmaps/one",
        "api/v1/namespaces",
        "api/v1/namespaces/default/pods/one",
        "api/v1/namespaces/default/pods/one/log",
        "api/v1/namespaces/default/pods/one/exec",
        "api/v1/namespaces/default/pods/one/portforward",
        "api/v1/namespaces/default/pods/one/eviction",
        "api/v1/nodes",
        "api/v1/namespaces/default/finalize",
        "apis/apps/v1/namespaces/default/deployments",
        "apis/apps/v1/namespaces/default/deployments/one/scale",
        "openapi/v2",
        "openapi/v3",
        "openapi/v3/api/v1",
        "healthz/x",
        "version",
        "api",
        "apis",
    ]
)
PATHS = PLACES | st.lists(WORDS, max_size=8).map("/".join)
QUERIES = st.dictionaries(
    st.sampled_from(
        [
            "limit",
            "continue",
            "resourceVersion",
            "resourceVersionMatch",
            "labelSelector",
            "fieldSelector",
            "dryRun",
            "fieldValidation",
            "force",
            "pretty",
            "includeObject",
            "tailLines",
            "command",
            "container",
            "sinceTime",
            "propagationPolicy",
            "gracePeriodSeconds",
            "hash",
            "fieldManager",
        ]
    ),
    st.sampled_from(
        ["", "0", "-1", "1", "99999999999999999999", "true", "x", "a=b", "a in (", "\x00", "é", "All"]
    ),
    max_size=3,
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["metadata", "spec", "kind", "name", "x"]), inner, max_size=3)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "application/strategic-merge-patch+json",
        "nonsense",
    ]
)


async def test_whatever_is_sent_no_answer_is_an_internal_error(wire: Wire):
    loop = asyncio.get_running_loop()

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
        PATHS,
        QUERIES,
        BODIES,
        KINDS,
        st.sampled_from(["*/*", "application/yaml", f"application/json;as=Table;{META}", ";;,=", "é/é"]),
    )
    def anything(method: str, path: str, query: dict[str, str], body: bytes, kind: str, accept: str):
        async def send() -> int:
            url = URL(f"{wire.secure.url}/{path}", encoded=True).update_query(query)
            headers = {"Accept": accept, "Content-Type": kind}
            async with wire.session.request(
                method, url, ssl=wire.admin, headers=headers, data=body
            ) as answer:
                return answer.status

        code = asyncio.run_coroutine_threadsafe(asyncio.wait_for(send(), 10), loop).result(20)
        assert code < 500 or code in (501, 503, 504), code

    await asyncio.to_thread(anything)
