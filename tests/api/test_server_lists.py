"""List: selectors, pages of one snapshot, and what resourceVersion asks for."""

from __future__ import annotations

import pytest
from api_objects import config_map, declarations, pod

from ktui.client.base import ListOptions
from ktui.engine.api.local import LocalClient
from ktui.engine.api.registry import Registry
from ktui.engine.api.server import ApiServer
from ktui.engine.store import HistoryLimits, open_store
from ktui.kube.clock import FakeClock
from ktui.kube.errors import StatusError
from ktui.kube.kinds import CONFIG_MAPS, NAMESPACES, PODS


async def names(client: LocalClient, **options) -> list[str]:
    found = await client.list(CONFIG_MAPS, options=ListOptions(**options))
    return [obj["metadata"]["name"] for obj in found.items]


async def fill(client: LocalClient, count: int) -> None:
    for n in range(count):
        await client.create(CONFIG_MAPS, config_map(f"c{n}", labels={"half": str(n % 2)}))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["c0", "c1", "c2", "c3"]),
        ({"label_selector": "half=1"}, ["c1", "c3"]),
        ({"label_selector": "half in (0)"}, ["c0", "c2"]),
        ({"label_selector": "half!=1"}, ["c0", "c2"]),
        ({"label_selector": "!half"}, []),
        ({"field_selector": "metadata.name=c2"}, ["c2"]),
        ({"field_selector": "metadata.name!=c2"}, ["c0", "c1", "c3"]),
        ({"field_selector": "metadata.namespace=default", "label_selector": "half=0"}, ["c0", "c2"]),
        ({"field_selector": "metadata.namespace=other"}, []),
    ],
)
async def test_selectors(client: LocalClient, options, expected):
    await fill(client, 4)
    assert await names(client, **options) == expected


async def test_declared_fields_select(client: LocalClient):
    await client.create(PODS, pod("a", node="n1"))
    await client.create(PODS, pod("b"))
    for selector, expected in (("spec.nodeName=n1", ["a"]), ("spec.nodeName=,status.phase=Pending", ["b"])):
        found = await client.list(PODS, "default", options=ListOptions(field_selector=selector))
        assert [obj["metadata"]["name"] for obj in found.items] == expected


@pytest.mark.parametrize(
    "options",
    [
        {"label_selector": "a=="},
        {"field_selector": "nonsense"},
        {"field_selector": "spec.foo=1"},
        {"label_selector": "a in b"},
    ],
)
async def test_selectors_that_cannot_be_read(client: LocalClient, options):
    if options == {"label_selector": "a=="}:
        assert await names(client, **options) == []
        return
    with pytest.raises(StatusError) as refused:
        await names(client, **options)
    assert refused.value.code == 400


async def test_a_name_selector_across_namespaces(client: LocalClient):
    await client.create(NAMESPACES, {"metadata": {"name": "other"}})
    await client.create(CONFIG_MAPS, config_map("a"), "other")
    await client.create(CONFIG_MAPS, config_map("a"))
    assert await names(client, field_selector="metadata.name=a") == ["a", "a"]
    found = await client.list(CONFIG_MAPS, "other", options=ListOptions(field_selector="metadata.name=a"))
    assert [obj["metadata"]["namespace"] for obj in found.items] == ["other"]


async def test_pages_are_one_snapshot(client: LocalClient):
    await fill(client, 5)
    first = await client.list(CONFIG_MAPS, options=ListOptions(limit=2))
    assert [obj["metadata"]["name"] for obj in first.items] == ["c0", "c1"]
    assert first.remaining == 3
    await client.delete(CONFIG_MAPS, "c2")
    await client.create(CONFIG_MAPS, config_map("c33"))
    second = await client.list(CONFIG_MAPS, options=ListOptions(limit=2, continue_token=first.continue_token))
    assert [obj["metadata"]["name"] for obj in second.items] == ["c2", "c3"]
    assert second.resource_version == first.resource_version and second.remaining == 1
    last = await client.list(CONFIG_MAPS, options=ListOptions(limit=2, continue_token=second.continue_token))
    assert [obj["metadata"]["name"] for obj in last.items] == ["c4"]
    assert (last.continue_token, last.remaining) == ("", None)


async def test_pages_with_a_selector(client: LocalClient):
    await fill(client, 9)
    found: list[str] = []
    token = ""
    while True:
        options = ListOptions(limit=2, label_selector="half=0", continue_token=token)
        page = await client.list(CONFIG_MAPS, options=options)
        assert page.remaining is None
        found += [obj["metadata"]["name"] for obj in page.items]
        token = page.continue_token
        if not token:
            break
    assert found == ["c0", "c2", "c4", "c6", "c8"]


async def test_a_listing_in_pages_that_takes_too_long_goes_on_inconsistently(
    client: LocalClient, clock: FakeClock
):
    await fill(client, 5)
    first = await client.list(CONFIG_MAPS, options=ListOptions(limit=2))
    await clock.advance(200)
    second = await client.list(CONFIG_MAPS, options=ListOptions(limit=2, continue_token=first.continue_token))
    await clock.advance(200)
    for token, rest in ((first.continue_token, ["c2", "c3", "c4"]), (second.continue_token, ["c4"])):
        with pytest.raises(StatusError) as refused:
            await client.list(CONFIG_MAPS, options=ListOptions(limit=2, continue_token=token))
        assert refused.value.reason == "Expired"
        token = refused.value.status["metadata"]["continue"]
        page = await client.list(CONFIG_MAPS, options=ListOptions(continue_token=token))
        assert [obj["metadata"]["name"] for obj in page.items] == rest


async def test_an_expired_token_offers_an_inconsistent_one(clock: FakeClock):
    store = open_store(None, clock=clock, limits=HistoryLimits(changes=3))
    server = ApiServer(store, Registry(declarations()), clock)
    await server.start()
    client = LocalClient(server)
    await fill(client, 5)
    first = await client.list(CONFIG_MAPS, options=ListOptions(limit=2))
    for n in range(10):
        await client.patch(CONFIG_MAPS, "c0", {"data": {"n": str(n)}})
    with pytest.raises(StatusError) as refused:
        await client.list(CONFIG_MAPS, options=ListOptions(limit=2, continue_token=first.continue_token))
    assert refused.value.code == 410 and refused.value.reason == "Expired"
    assert refused.value.message.startswith("The provided continue parameter is too old")
    token = refused.value.status["metadata"]["continue"]
    rest = await client.list(CONFIG_MAPS, options=ListOptions(limit=9, continue_token=token))
    assert [obj["metadata"]["name"] for obj in rest.items] == ["c2", "c3", "c4"]
    with pytest.raises(StatusError) as refused:
        options = ListOptions(resource_version="2", resource_version_match="Exact")
        await client.list(CONFIG_MAPS, options=options)
    assert refused.value.message == "The resourceVersion for the provided list is too old."
    await store.close()


async def test_exact_versions_read_the_past(client: LocalClient):
    await fill(client, 2)
    then = (await client.list(CONFIG_MAPS)).resource_version
    await client.delete(CONFIG_MAPS, "c0")
    assert await names(client, resource_version=then, resource_version_match="Exact") == ["c0", "c1"]
    assert await names(client, resource_version=then, resource_version_match="NotOlderThan") == ["c1"]
    assert await names(client, resource_version="0") == ["c1"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"resource_version": "x"}, 400, 'Invalid value: "x"'),
        ({"resource_version": "999999"}, 504, "Too large resource version: 999999, current: "),
        ({"resource_version_match": "Exact"}, 422, "forbidden unless resourceVersion is provided"),
        ({"resource_version": "5", "resource_version_match": "Newest"}, 422, 'Unsupported value: "Newest"'),
        (
            {"resource_version": "0", "resource_version_match": "Exact"},
            422,
            'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        ({"continue_token": "???"}, 400, "continue key is not valid"),
        ({"continue_token": "AAAA"}, 400, "continue key is not valid"),
        ({"limit": -1}, 400, "limit"),
    ],
)
async def test_lists_that_cannot_be(client: LocalClient, options, code, message):
    with pytest.raises(StatusError) as refused:
        await client.list(CONFIG_MAPS, options=ListOptions(**options))
    assert refused.value.code == code
    assert message in refused.value.message


async def test_tables_have_the_declared_columns_and_metadata(server: ApiServer, client: LocalClient):
    await fill(client, 3)
    table = await client.table(CONFIG_MAPS, "default", options=ListOptions(limit=2))
    assert table["kind"] == "Table" and table["metadata"]["remainingItemCount"] == 1
    assert [row["object"]["metadata"]["name"] for row in table["rows"]] == ["c0", "c1"]
    one = await client.table(CONFIG_MAPS, "default", name="c2")
    assert [row["object"]["kind"] for row in one["rows"]] == ["PartialObjectMetadata"]


async def test_discovery_lists_verbs_and_subresources(client: LocalClient):
    found = {resource.key: resource for resource in await client.resources()}
    assert "watch" in found["configmaps"].verbs and found["bindings"].verbs == ("create",)
    assert found["manifestfiles.ktui.dev"].verbs == ("get", "list", "watch", "delete")
    assert found["deployments.apps"].subresources == ("scale", "status")
    assert {"log", "exec", "eviction", "binding", "status"} <= set(found["pods"].subresources)
