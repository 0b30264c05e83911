"""Images: references as Kubernetes means them, pulls with credentials, and what is there.

`nginx` is `docker.io/library/nginx`, as everywhere in Kubernetes, unless only a locally built
`localhost/nginx` exists. Listing and removing go through podman-py in a small thread pool; the two calls that
a container's start waits for go over REST.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ktui.engine.kubelet.runtime.base import (
    ImageError,
    ImageRecord,
    NotFoundError,
    RegistryAuth,
    RuntimeCallError,
)
from ktui.engine.kubelet.runtime.podman_records import image_record
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST

JSON = dict[str, Any]
T = TypeVar("T")

_NAME = re.compile(
    r"(?:(?P<host>localhost|[a-zA-Z0-9.-]*\.[a-zA-Z0-9.-]+|[a-zA-Z0-9.-]+:\d+|localhost:\d+|\[[0-9a-fA-F:]+\](?::\d+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?P<tag>:[\w][\w.-]{0,127})?"
    r"(?P<digest>@sha256:[0-9a-f]{64})?"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_THREADS = 2


def full_reference(image: str) -> str:
    """The reference with its registry and tag; raises ImageError on a malformed one."""
    match = _NAME.fullmatch(image)
    if match is None:
        raise ImageError(
            "InvalidImageName",
            f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": '
            "invalid reference format",
        )
    host, path, tag, digest = match["host"], match["path"], match["tag"] or "", match["digest"] or ""
    if not host:
        host, path = "docker.io", path if "/" in path else f"library/{path}"
    if not tag and not digest:
        tag = ":latest"
    return f"{host}/{path}{tag if not digest else ''}{digest}"


def is_local_registry(reference: str) -> bool:
    """Registries on this machine are spoken to without TLS, as Docker and containerd do."""
    host = reference.partition("/")[0]
    return host.startswith(("localhost:", "127.", "[::1]"))


class PodmanImages:
    """The images of one node."""

    def __init__(self, rest: PodmanREST) -> None:
        self._rest = rest
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="ktui-podman")
        self._client: Any = None
        # Any: podman-py is untyped.
        self._graph_root = Path("/")

    async def close(self) -> None:
        """Let go of the threads."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[Any], T]) -> T:
        def run() -> T:
            from podman import PodmanClient
            from podman.errors import APIError

            if self._client is None:
                self._client = PodmanClient(base_url=f"http+unix://{self._rest.socket_path}", timeout=60)
            try:
                return work(self._client)
            except APIError as error:
                text = str(error.explanation or error)
                raise (NotFoundError if error.status_code == 404 else RuntimeCallError)(text) from error
            except OSError as error:
                raise RuntimeCallError(f"podman's service does not answer: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def info(self) -> JSON:
        """What `podman info` tells."""

        def ask(client: Any) -> JSON:
            return client.info()

        info = await self._in_thread(ask)
        self._graph_root = Path(info["store"]["graphRoot"])
        return info

    async def status(self, image: str) -> ImageRecord | None:
        """What a reference or an id names, if it is there; raises ImageError."""
        if _IMAGE_ID.fullmatch(image):
            return await self._inspect(image.removeprefix("sha256:"))
        reference = full_reference(image)
        found = await self._inspect(reference)
        if found is None and "docker.io/" in reference and "docker.io" not in image:
            found = await self._inspect(
                f"localhost/{reference.removeprefix('docker.io/').removeprefix('library/')}"
            )
        return found

    async def _inspect(self, name: str) -> ImageRecord | None:
        try:
            return image_record(await self._rest.get(f"images/{name}/json"))
        except NotFoundError:
            return None
        except RuntimeCallError as error:
            raise ImageError("ImageInspectError", f'Failed to inspect image "{name}": {error}') from error

    async def pull(self, image: str, auth: RegistryAuth | None) -> ImageRecord:
        """Raises ImageError with the registry's words."""
        reference = full_reference(image)
        headers = None
        if auth is not None:
            credentials = msgspec.json.encode({"username": auth.username, "password": auth.password})
            headers = {"X-Registry-Auth": base64.urlsafe_b64encode(credentials).decode()}
        options = {"tlsVerify": "false"} if is_local_registry(reference) else {}
        problem = ""
        try:
            async with self._rest.lines(
                "POST", "images/pull", headers, reference=f"docker://{reference}", **options
            ) as lines:
                async for line in lines:
                    said = msgspec.json.decode(line, type=dict[str, Any]) if line.strip() else {}
                    problem = str(said.get("error") or problem)
        except (RuntimeCallError, msgspec.MsgspecError) as error:
            problem = str(error)
        record = None if problem else await self._inspect(reference)
        if record is None:
            raise ImageError("ErrImagePull", f'failed to pull image "{image}": {problem or "not found"}')
        return record

    async def all(self) -> Sequence[ImageRecord]:
        """Every image of the store."""

        def ask(client: Any) -> list[ImageRecord]:
            return [image_record(image.attrs) for image in client.images.list()]

        return await self._in_thread(ask)

    async def remove(self, image_id: str) -> None:
        """Remove it with its tags; idempotent. Raises RuntimeCallError while a container uses it."""

        def ask(client: Any) -> None:
            name = image_id.removeprefix("sha256:")
            for tag in client.images.get(name).attrs.get("RepoTags") or [name]:
                client.images.remove(tag, force=False)

        try:
            await self._in_thread(ask)
        except NotFoundError:
            return

    async def filesystem_usage(self) -> tuple[int, int]:
        """(used, capacity) of the filesystem of Podman's store."""
        usage = await asyncio.to_thread(shutil.disk_usage, self._graph_root)
        return usage.used, usage.total
