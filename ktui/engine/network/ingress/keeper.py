"""The network agent's hold on the ingress controller: a process that runs while there is an Ingress.

The IngressClass `ktui` is made with a cluster that has none, and is its default: an Ingress without a class
works at once, as with k3s.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

from ktui.client.base import Client
from ktui.client.informer import Informer, Informers
from ktui.engine.network.child import end
from ktui.engine.network.ingress.ports import end_orphan, held_by
from ktui.engine.network.ingress.routes import CONTROLLER, DEFAULT_CLASS_ANNOTATION
from ktui.engine.network.nft import NetworkToolError
from ktui.kube.errors import StatusError
from ktui.kube.kinds import INGRESS_CLASSES, INGRESSES
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_CLASS: Object = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "IngressClass",
    "metadata": {"name": "ktui", "annotations": {DEFAULT_CLASS_ANNOTATION: "true"}},
    "spec": {"controller": CONTROLLER},
}


async def ensure_class(client: Client) -> None:
    """Make the IngressClass where there is none; before Ingresses come, which get their class when they are made."""
    try:
        if not (await client.list(INGRESS_CLASSES)).raw:
            await client.create(INGRESS_CLASSES, _CLASS)
    except StatusError as error:
        if not error.is_already_exists:
            log.warning("the IngressClass ktui was not made: %s", error)


class IngressKeeper:
    """Runs the process until cancelled."""

    def __init__(self, informers: Informers, folder: Path) -> None:
        self.settled = asyncio.Event()
        """Set once what Ingresses there are is served."""
        self._folder = folder
        self._ingresses: Informer[Object] = informers.of(INGRESSES, dict[str, Any])
        self._wake = asyncio.Event()
        self._ingresses.add_handler(lambda _: self._wake.set())

    async def run(self) -> None:
        """Raises NetworkToolError when the process ends by itself."""
        await self._ingresses.wait_synced()
        while True:
            self._wake.clear()
            if len(self._ingresses):
                await self._serve()
            else:
                await end_orphan(held_by(self._folder), self._folder)
            self.settled.set()
            await self._wake.wait()

    async def _serve(self) -> None:
        """Run the process until the last Ingress is gone."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ktui.engine.network.ingress.process",
            str(self._folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # The engine waits for the end of the agent's own output, which this process may outlive.
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert process.stdout is not None
        over = asyncio.create_task(self._until_none())
        ended = asyncio.create_task(process.wait())
        try:
            if await process.stdout.readline():
                self.settled.set()
            await asyncio.wait((over, ended), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise NetworkToolError(f"the ingress controller ended with status {process.returncode}")
        finally:
            over.cancel()
            ended.cancel()
            await end(process)

    async def _until_none(self) -> None:
        while len(self._ingresses):
            self._wake.clear()
            await self._wake.wait()
