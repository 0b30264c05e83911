"""Who may do what over TLS: certificates, tokens, nobody."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from http_wire import Wire, served_over_tls

from ktui.engine.api.http.front import HttpFront
from ktui.engine.api.http.secure import Address, ListenError, SecureApi, server_names
from ktui.kube.clock import RealClock


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def test_a_master_may_everything(wire: Wire):
    code, listed = await wire.call("GET", "/api/v1/namespaces")
    assert code == 200
    assert len(listed["items"]) == 4


async def test_a_user_without_rights_is_told_what_is_missing(wire: Wire):
    alice = wire.context("alice", "dev")
    code, answer = await wire.call("GET", "/api/v1/namespaces/default/pods", tls=alice)
    assert code == 403
    assert answer["message"] == (
        'pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert answer["details"] == {"kind": "pods"}


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        (
            "GET",
            "/apis/apps/v1/namespaces/default/deployments/web",
            'deployments.apps "web" is forbidden: User "alice" cannot get resource "deployments" in API group "apps" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/nodes",
            'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods?watch=1",
            'pods is forbidden: User "alice" cannot watch resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "GET",
            "/api/v1/namespaces/default/pods/web/log",
            'pods "web" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace "default"',
        ),
        (
            "DELETE",
            "/api/v1/namespaces/default/pods",
            'pods is forbidden: User "alice" cannot deletecollection resource "pods" in API group "" in the namespace "default"',
        ),
        ("GET", "/nowhere", 'forbidden: User "alice" cannot get path "/nowhere"'),
    ],
)
async def test_denials_name_verb_resource_and_place(wire: Wire, method: str, path: str, message: str):
    code, answer = await wire.call(method, path, tls=wire.context("alice"))
    assert (code, answer["message"]) == (403, message)


async def test_any_user_may_discover_the_api(wire: Wire):
    alice = wire.context("alice")
    for path in ("/api", "/apis", "/apis/apps/v1", "/version", "/healthz"):
        code, _ = await wire.call("GET", path, tls=alice)
        assert code == 200, path


async def test_nobody_sees_health_and_version_only(wire: Wire):
    nobody = wire.context()
    for path in ("/healthz", "/livez", "/readyz", "/readyz?verbose", "/version"):
        code, _ = await wire.call("GET", path, tls=nobody)
        assert code == 200, path
    for path in ("/api", "/apis", "/", "/api/v1/pods", "/openapi/v3", "/livez/ping"):
        code, answer = await wire.call("GET", path, tls=nobody)
        assert (code, answer["reason"]) == (403, "Forbidden"), path
        assert "system:anonymous" in answer["message"]


async def test_an_unknown_token_is_refused_even_for_health(wire: Wire):
    code, answer = await wire.call(
        "GET", "/healthz", tls=wire.context(), headers={"Authorization": "Bearer nonsense"}
    )
    assert (code, answer["message"]) == (401, "Unauthorized")


async def test_names_in_headers_are_not_believed(wire: Wire):
    code, answer = await wire.call(
        "GET",
        "/api/v1/pods",
        tls=wire.context(),
        headers={"X-Remote-User": "admin", "X-Remote-Group": "system:masters"},
    )
    assert code == 403
    assert "system:anonymous" in answer["message"]


async def test_the_kubeconfig_is_private(wire: Wire):
    assert (wire.data_dir / "kubeconfig").stat().st_mode & 0o777 == 0o600


async def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(wire: Wire, tmp_path: Path):
    port = int(wire.secure.url.rpartition(":")[2])
    other = SecureApi(HttpFront(wire.server), tmp_path / "b", Address("127.0.0.1", port), RealClock())
    with pytest.raises(ListenError, match=r"Address already in use; name another --listen"):
        other._bind()


async def test_the_port_is_remembered(wire: Wire, tmp_path: Path):
    folder = tmp_path / "b"
    folder.mkdir()
    first = SecureApi(HttpFront(wire.server), folder, Address(), RealClock())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "api-port").write_text(str(port))
    bound = first._bind()
    assert bound.getsockname()[1] == port
    bound.close()


def test_a_server_on_every_address_is_known_by_the_machines_addresses():
    names = list(server_names("0.0.0.0"))
    assert "0.0.0.0" not in names
    assert "127.0.0.1" in names
