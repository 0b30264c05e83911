"""What attackers send: smuggled requests, endless heads, paths with tricks, borrowed names. And what must not leak."""

from __future__ import annotations

import asyncio
import base64
import logging
import stat
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path

import pytest
from http_wire import Wire, served_over_tls
from yarl import URL

from ktui.engine.api.http.secure import Address
from ktui.engine.engine import Engine, EngineOptions

SECONDS = 30
PLAIN = "correct horse battery staple"
SECRET = base64.b64encode(PLAIN.encode()).decode()
CONFIG = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"smuggled"}}'
POST = (
    b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: ktui\r\nContent-Type: application/json\r\n"
)
INNER = POST + b"Content-Length: %d\r\n\r\n" % len(CONFIG) + CONFIG


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    async with served_over_tls(tmp_path) as wire:
        yield wire


async def raw(wire: Wire, data: bytes) -> list[int]:
    """The status codes that are answered until the server hangs up."""
    host, port = wire.secure.url.removeprefix("https://").split(":")
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port), ssl=wire.admin)
        try:
            writer.write(data)
            await writer.drain()
            answer = await reader.read()
        except ConnectionError:
            return []
        finally:
            writer.close()
    return [int(line[9:12]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


HEADS = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length : 0\r\n\r\n",
    b"Content-Length: 0\r\n ,5\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"X-Folded: one\r\n two\r\nContent-Length: 0\r\n\r\n",
    b"X-Nul: a\0b\r\nContent-Length: 0\r\n\r\n",
    b"X-Return: a\rb\r\nContent-Length: 0\r\n\r\n",
    b": nameless\r\nContent-Length: 0\r\n\r\n",
]


async def test_no_request_is_smuggled_in_another_ones_body(wire: Wire):
    for head in HEADS:
        codes = await raw(wire, POST + head + INNER)
        assert len(codes) <= 2, head
        assert all(400 <= code < 500 or code == 501 for code in codes), (head, codes)
        code, _ = await wire.call("GET", "/api/v1/namespaces/default/configmaps/smuggled")
        assert code == 404, head


LINES = [
    b"GET /api/v1/pods\0 HTTP/1.1",
    b"GET /api/v1/pods HTTP/9.9",
    b"G\xe9T /api/v1/pods HTTP/1.1",
    b"/api/v1/pods",
    b"\x16\x03\x01\x02",
]


async def test_a_line_that_is_no_request_ends_the_connection(wire: Wire):
    for line in LINES:
        codes = await raw(wire, line + b"\r\nHost: ktui\r\n\r\n")
        assert codes in ([400], [505], []), line


@pytest.mark.parametrize(
    "data",
    [
        b"GET /api/v1/pods?x=" + b"a" * 80_000 + b" HTTP/1.1\r\nHost: ktui\r\n\r\n",
        b"GET /api/v1/pods HTTP/1.1\r\nHost: ktui\r\nX-Long: " + b"a" * 80_000 + b"\r\n\r\n",
        b"GET /api/v1/pods HTTP/1.1\r\nHost: ktui\r\n" + b"X-One: more\r\n" * 500 + b"\r\n",
    ],
    ids=["path", "header", "headers"],
)
async def test_a_head_has_a_size(wire: Wire, data: bytes):
    assert await raw(wire, data) in ([400], [414], [431], [])
    assert (await wire.call("GET", "/readyz"))[0] == 200


async def test_a_long_name_is_just_not_there(wire: Wire):
    code, answer = await wire.call("GET", f"/api/v1/namespaces/default/configmaps/{'a' * 30_000}")
    assert (code, answer["reason"]) == (404, "NotFound")


async def prepared(wire: Wire) -> None:
    """A Secret, and bob who may read ConfigMaps."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"p": SECRET}}
    assert (await wire.call("POST", "/api/v1/namespaces/default/secrets", json=secret))[0] == 201
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    role = {
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    }
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}],
    }
    assert (await wire.call("POST", f"{rbac}/roles", json=role))[0] == 201
    assert (await wire.call("POST", f"{rbac}/rolebindings", json=binding))[0] == 201


TRICKS = [
    "/api/v1/namespaces/default/configmaps/../secrets/s",
    "/api/v1/namespaces/default/configmaps/%2e%2e/secrets/s",
    "/api/v1/namespaces/default/configmaps/..%2fsecrets%2fs",
    "/api/v1/namespaces/default/configmaps/%2e%2e%2fsecrets%2fs",
    "/api/v1/namespaces/default/configmaps/%252e%252e/secrets/s",
    "/api/v1/namespaces/default%2fsecrets/s",
    "/api/v1/namespaces/default%2fsecrets%2fs/configmaps",
    "/api/v1/namespaces/kube-system%2f..%2fdefault/secrets/s",
    "/api/v1/namespaces/default/configmaps%2f..%2fsecrets/s",
    "/api/v1/namespaces/default/%73ecrets/s",
    "/api/v1/namespaces/default/SECRETS/s",
    "/api/v1/namespaces/default/secrets/s/",
    "/api/v1/namespaces/default/secrets//s",
    "/api/v1/namespaces/default//secrets/s",
    "//api/v1/namespaces/default/secrets/s",
    "/healthz/../api/v1/namespaces/default/secrets/s",
    "/healthz/..%2fapi/v1/namespaces/default/secrets/s",
    "/api/v1/namespaces/default/configmaps/s?x=/../secrets/s",
    "/api/v1/namespaces/default/configmaps;/../secrets/s",
    "/api/v1/namespaces/default/configmaps/c%00/../../secrets/s",
    "/api/v1/namespaces/default/configmaps/\\..\\secrets\\s",
    "/apis//v1/namespaces/default/secrets/s",
    "/api/v1/watch/namespaces/default/secrets/s",
    "/../../../../etc/passwd",
    "/..%2f..%2f..%2fetc/passwd",
    "/api/v1/..%2f..%2fpki%2fca.key",
]


async def test_no_spelling_of_a_path_gives_what_one_may_not_see(wire: Wire):
    await prepared(wire)
    for path, tls in product(TRICKS, (wire.context("bob"), wire.context())):
        async with wire.session.get(URL(wire.secure.url + path, encoded=True), ssl=tls) as response:
            text = await response.text()
        assert response.status in (400, 403, 404), (path, response.status, text)
        for leak in (SECRET, "root:", "PRIVATE KEY"):
            assert leak not in text


async def test_no_spelling_of_a_path_is_an_internal_error_to_those_who_may(wire: Wire):
    await prepared(wire)
    for path, method in product(TRICKS, ("GET", "PUT", "DELETE")):
        url = URL(wire.secure.url + path, encoded=True)
        async with wire.session.request(method, url, ssl=wire.admin, json={}) as response:
            text = await response.text()
        assert response.status < 500, (path, text)
        assert "root:" not in text
        assert "PRIVATE KEY" not in text


async def test_a_name_that_is_a_path_is_no_name(wire: Wire):
    for name in ["..", ".", "a/b", "a%2fb", "a\0b", "a\nb", "../../x", "A", "a" * 300]:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        code, answer = await wire.call("POST", "/api/v1/namespaces/default/configmaps", json=body)
        assert (code, answer["reason"]) == (422, "Invalid"), name


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        (
            {"Impersonate-User": "system:admin"},
            403,
            'users "system:admin" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at '
            "the cluster scope",
        ),
        (
            {"impersonate-user": "alice", "IMPERSONATE-GROUP": "system:masters"},
            403,
            'users "alice" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the '
            "cluster scope",
        ),
        (
            {"Impersonate-User": "system:serviceaccount:kube-system:default"},
            403,
            'serviceaccounts "default" is forbidden: User "alice" cannot impersonate resource "serviceaccounts" in API '
            'group "" in the namespace "kube-system"',
        ),
        (
            {"Impersonate-Group": "system:masters"},
            400,
            "requested impersonation without impersonating a user",
        ),
        (
            {"Impersonate-Extra-Scopes": "all"},
            400,
            "requested impersonation without impersonating a user",
        ),
    ],
)
async def test_nobody_borrows_a_name_without_the_right(wire: Wire, headers, code: int, message: str):
    found, answer = await wire.call("GET", "/api/v1/pods", tls=wire.context("alice"), headers=headers)
    assert (found, answer["message"]) == (code, message)


async def test_secrets_and_tokens_get_into_no_log(wire: Wire, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    secrets = "/api/v1/namespaces/default/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    answers = [
        await wire.call("POST", secrets, json={**body, "data": {"p": SECRET}}),
        await wire.call("PUT", f"{secrets}/s", json={**body, "stringData": {"p": PLAIN}}),
        await wire.call("DELETE", f"{secrets}/s"),
    ]
    assert [code for code, _ in answers] == [201, 200, 200]
    refused = [
        await wire.call("POST", secrets, json={**body, "data": {"bad key!": SECRET}}),
        await wire.call("POST", secrets, json={**body, "type": "kubernetes.io/tls", "data": {"p": SECRET}}),
        await wire.call("POST", secrets, json={**body, "data": {"p": SECRET}}, tls=wire.context("alice")),
        await wire.call("POST", secrets, data=f'{{"data":{{"p":"{SECRET}"'.encode()),
        await wire.call(
            "POST",
            secrets,
            data=f"data: {{p: {SECRET}".encode(),
            headers={"Content-Type": "application/yaml"},
        ),
    ]
    for code, answer in refused:
        assert 400 <= code < 500
        assert SECRET not in str(answer)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}}
    await wire.call("POST", "/api/v1/namespaces/default/serviceaccounts", json=account)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    path = "/api/v1/namespaces/default/serviceaccounts/bot/token"
    _, answer = await wire.call("POST", path, json=request)
    token: str = answer["status"]["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    code, _ = await wire.call("GET", secrets, tls=wire.context(), headers=bearer)
    assert code == 403
    logged = caplog.text + (wire.data_dir / "audit.log").read_text()
    assert "serviceaccounts/bot/token" in logged
    for leak in (SECRET, PLAIN, token, token.rpartition(".")[2]):
        assert leak not in logged


async def test_what_an_engine_writes_is_its_owners(tmp_path: Path):
    data_dir = tmp_path / "data"
    options = EngineOptions(
        data_dir=data_dir, socket=data_dir / "ktui.sock", listen=Address("127.0.0.1", 0), runtime="sim"
    )
    engine = Engine(options)
    async with asyncio.timeout(60):
        await engine.start()
        try:
            assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
            assert stat.S_IMODE((data_dir / "pki").stat().st_mode) == 0o700
            files = [path for path in data_dir.rglob("*") if not path.is_dir() and not path.is_symlink()]
            names = {path.name for path in files}
            assert names >= {"ktui.sock", "ca.key", "apiserver.key", "admin.key", "sa.key", "kubeconfig"}
            open_ = {path: oct(path.stat().st_mode) for path in files if path.stat().st_mode & 0o077}
            assert open_ == {}
        finally:
            await engine.stop()
