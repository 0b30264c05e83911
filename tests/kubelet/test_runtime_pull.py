"""Pulls from a registry of this machine: anonymous, with credentials, refused, and repeated."""

import base64
import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from ktui.engine.kubelet.runtime.base import ImageError, RegistryAuth

pytestmark = [pytest.mark.podman, pytest.mark.asyncio(loop_scope="module")]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CREDENTIALS = "Basic " + base64.b64encode(b"ada:secret").decode()


class Registry:
    """Serves one image under any name; those under `private/` ask for ada's password."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs" / "sha256"
        index = json.loads((folder / "index.json").read_text())
        self.digest = index["manifests"][0]["digest"]
        self.pulls = 0

    async def answer(self, request: web.Request) -> web.Response:
        is_private = "private/" in request.path
        if is_private and request.headers.get("Authorization") != CREDENTIALS:
            return web.json_response(
                {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]},
                status=401,
                headers={"WWW-Authenticate": 'Basic realm="ktui"'},
            )
        if request.path == "/v2/":
            # Clients send credentials only when asked for them here.
            has_any = "Authorization" in request.headers
            headers = {} if has_any else {"WWW-Authenticate": 'Basic realm="ktui"'}
            return web.Response(status=200 if has_any else 401, headers=headers)
        kind, _, name = request.path.rpartition("/")
        if kind.endswith("/manifests"):
            if name not in {"1", self.digest}:
                return web.json_response(
                    {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}, status=404
                )
            self.pulls += 1
            name, content_type = self.digest, MANIFEST
        else:
            content_type = "application/octet-stream"
        body = (self.blobs / name.removeprefix("sha256:")).read_bytes()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        return web.Response(body=body, content_type=content_type, headers={"Docker-Content-Digest": digest})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registry(tmp_path_factory, unused_tcp_port_factory):
    folder = tmp_path_factory.mktemp("registry")
    archive = folder / "image.tar"
    subprocess.run(
        [
            "podman",
            "save",
            "--quiet",
            "--format",
            "oci-archive",
            "-o",
            str(archive),
            "localhost/ktui-sample:2",
        ],
        check=True,
        capture_output=True,
    )
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    made = Registry(folder)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    port = unused_tcp_port_factory()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.host = f"127.0.0.1:{port}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def pulled(podman_runtime):
    """Images to take away again; the sample's own tags stay, since it has the same content."""
    names = []
    yield names
    for name in names:
        subprocess.run(["podman", "untag", name, name], check=False, capture_output=True)


async def test_credentials_open_a_private_image(podman_runtime, registry, pulled):
    name = f"{registry.host}/private/app:1"
    with pytest.raises(ImageError, match="auth") as refused:
        await podman_runtime.pull_image(name)
    assert refused.value.reason == "ErrImagePull"
    with pytest.raises(ImageError, match="auth"):
        await podman_runtime.pull_image(name, RegistryAuth(username="ada", password="wrong"))
    image = await podman_runtime.pull_image(name, RegistryAuth(username="ada", password="secret"))
    pulled.append(name)
    assert f"{registry.host}/private/app@{registry.digest}" in image.digests
    assert await podman_runtime.image_status(name) == image


async def test_every_pull_asks_the_registry(podman_runtime, registry, pulled):
    name = f"{registry.host}/open/app:1"
    auth = RegistryAuth(username="any", password="one")
    pulled.append(name)
    await podman_runtime.pull_image(name, auth)
    before = registry.pulls
    await podman_runtime.pull_image(name, auth)
    assert registry.pulls > before


async def test_missing_tag_says_so(podman_runtime, registry):
    with pytest.raises(ImageError, match="manifest unknown") as missing:
        await podman_runtime.pull_image(
            f"{registry.host}/open/app:2", RegistryAuth(username="any", password="one")
        )
    assert missing.value.reason == "ErrImagePull"
