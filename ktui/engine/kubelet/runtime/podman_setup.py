"""Making Podman usable: a service with an OCI runtime that works here, and a network that is the engine's own.

Which runtime works is found out by starting a pod with each (crun refuses hybrid cgroup hierarchies, runc may
be missing), and whether an ordinary user's pods can have a bridge likewise; the answers are kept in the data
folder until Podman, the runtime or the hierarchy changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec

from ktui.engine.kubelet.runtime.base import RuntimeCallError
from ktui.engine.kubelet.runtime.podman_config import cgroup_version
from ktui.engine.kubelet.runtime.podman_identity import (
    ChosenRuntime,
    Identity,
    Taken,
    candidate_subnets,
    host_routes,
    parse_networks,
    save_identity,
)
from ktui.engine.kubelet.runtime.podman_rest import PodmanREST
from ktui.engine.kubelet.runtime.podman_service import PodmanService
from ktui.engine.kubelet.runtime.podman_specs import ENGINE

JSON = dict[str, Any]

_SUBNETS_TO_TRY = 16


def runtime_candidates() -> list[str]:
    """Installed OCI runtimes, the likelier first."""
    names = ("crun", "runc") if cgroup_version() == "v2" else ("runc", "crun")
    return [name for name in names if shutil.which(name)]


class PodmanSetup:
    """Brings an engine's service and network up, and remembers what it chose."""

    def __init__(self, data_dir: Path, identity: Identity, service: PodmanService, rest: PodmanREST) -> None:
        self._data_dir = data_dir
        self._service = service
        self._rest = rest
        self.identity = identity

    async def prepare(self) -> Identity:
        """Start the service with a runtime that works, and make the network; raises RuntimeCallError."""
        fingerprint = await asyncio.to_thread(_fingerprint)
        chosen = self.identity.runtime
        if chosen is not None and chosen.tried_with == fingerprint and shutil.which(chosen.name):
            await self._service.start(chosen.name)
            await self._make_network()
        else:
            await self._choose(fingerprint)
        await self._remove_trial()
        return self.identity

    async def _choose(self, fingerprint: str) -> None:
        if shutil.which("podman") is None:
            raise RuntimeCallError("podman is not installed")
        candidates = runtime_candidates()
        if not candidates:
            raise RuntimeCallError("neither crun nor runc is installed")
        failures: list[str] = []
        bridges = [True] if os.geteuid() == 0 else [True, False]
        for name, bridge in itertools.product(candidates, bridges):
            try:
                await self._service.start(name)
                await self._make_network()
                await self._try_pod(bridge)
            except RuntimeCallError as error:
                failures.append(f"{name}{'' if bridge else ' without a bridge'}: {error}")
                continue
            self._keep(runtime=ChosenRuntime(name, fingerprint, bridge))
            return
        with contextlib.suppress(RuntimeCallError):
            await self._rest.delete(f"networks/{self.identity.network}", force="true")
        await self._service.stop()
        raise RuntimeCallError(f"podman can't start containers here ({'; '.join(failures)})")

    @property
    def _trial(self) -> str:
        return f"ktui-{self.identity.engine}_trial"

    async def _try_pod(self, bridge: bool) -> None:
        await self._remove_trial()
        body: JSON = {"name": self._trial, "labels": {ENGINE: self.identity.engine}}
        if bridge:
            body |= {"netns": {"nsmode": "bridge"}, "Networks": {self.identity.network: {}}}
        else:
            body |= {"netns": {"nsmode": "slirp4netns"}}
        try:
            await self._rest.post("pods/create", body)
            started = await self._rest.post(f"pods/{self._trial}/start")
            if errors := started.get("Errs"):
                raise RuntimeCallError(str(errors[0]))
        finally:
            await self._remove_trial()

    async def _remove_trial(self) -> None:
        with contextlib.suppress(RuntimeCallError):
            await self._rest.delete(f"pods/{self._trial}", force="true", timeout="0")

    async def _make_network(self) -> None:
        networks = await self._rest.get_list("networks/json")
        subnets = {
            str(network["name"]): [str(subnet["subnet"]) for subnet in network.get("subnets") or ()]
            for network in networks
        }
        if ours := subnets.get(self.identity.network):
            if ours[0] != self.identity.subnet:
                self._keep(subnet=ours[0])
            return
        routes = await asyncio.to_thread(host_routes)
        taken = Taken(routes + parse_networks(subnet for group in subnets.values() for subnet in group))
        wanted = self.identity.subnet
        candidates = candidate_subnets(self.identity.engine, taken)
        keeps_its_own = wanted and all(map(taken.free, parse_networks([wanted])))
        to_try = itertools.chain([wanted] if keeps_its_own else [], candidates)
        failure = "no free subnet"
        for subnet in itertools.islice(to_try, _SUBNETS_TO_TRY):
            try:
                await self._rest.post(
                    "networks/create",
                    {
                        "name": self.identity.network,
                        "driver": "bridge",
                        "network_interface": self.identity.bridge,
                        "subnets": [{"subnet": subnet}],
                        "dns_enabled": False,
                        "labels": {ENGINE: self.identity.engine},
                    },
                )
            except RuntimeCallError as error:
                # Another engine may have taken it since we looked.
                failure = str(error)
                continue
            self._keep(subnet=subnet)
            return
        raise RuntimeCallError(f"can't make the network {self.identity.network}: {failure}")

    def _keep(self, **changes: object) -> None:
        self.identity = msgspec.structs.replace(self.identity, **changes)
        save_identity(self._data_dir, self.identity)


def _fingerprint() -> str:
    """What the choice of a runtime depends on."""
    parts = [str(os.geteuid()), cgroup_version()]
    for name in ("podman", "crun", "runc", "conmon", "netavark"):
        path = shutil.which(name)
        parts.append(f"{name}:{Path(path).stat().st_mtime_ns}" if path else f"{name}:none")
    return " ".join(parts)
