"""A webhook server over HTTPS for tests: what it answers is up to the test, what it was asked is kept."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reply = Callable[[dict[str, Any]], dict[str, Any] | web.Response]
"""From a review's request to its response (without its uid), or to something else entirely."""


@lru_cache(maxsize=1)
def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("hook.tools.svc")]
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem), private


class WebhookServer:
    """Serves what `replies` says by path."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """Path and request of every call."""
        self.bundle = base64.b64encode(certificate()[0]).decode()
        self.port = 0
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)

    async def start(self, folder: Path) -> None:
        files = [folder / "tls.crt", folder / "tls.key"]
        for file, content in zip(files, certificate(), strict=True):
            file.write_bytes(content)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, files))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    def config(self, path: str) -> dict[str, Any]:
        """The `clientConfig` of a path."""
        return {"url": f"https://127.0.0.1:{self.port}/{path}", "caBundle": self.bundle}

    async def _answer(self, request: web.Request) -> web.Response:
        review = json.loads(await request.text())
        path = request.match_info["path"]
        self.asked.append((path, review["request"]))
        reply = self.replies[path](review["request"])
        if isinstance(reply, web.Response):
            return reply
        if reply.pop("hangs", False):
            await asyncio.sleep(60)
        body = {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {"uid": review["request"]["uid"], **reply},
        }
        return web.json_response(body)


def allowed(*operations: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer that lets the request pass, changed by a JSON patch if there is one."""
    answer: dict[str, Any] = {"allowed": True, **more}
    if operations:
        patch = base64.b64encode(json.dumps(operations).encode()).decode()
        answer |= {"patchType": "JSONPatch", "patch": patch}
    return answer


def refused(message: str = "", **status: Any) -> dict[str, Any]:
    """An answer that refuses the request."""
    return {"allowed": False, "status": {**status, **({"message": message} if message else {})}}
