"""Whether APIServices can be reached, as their condition Available says; and what remote ones serve.

In: APIServices, Services and their endpoints, as they change and every half minute. Out: the condition with
Kubernetes' reasons, and for each remote that answers the documents it describes itself with.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Final

from ktui.engine.api.admission.base import View
from ktui.engine.api.aggregation.describing import Described, DescriptionError, described
from ktui.engine.api.aggregation.reaching import Reaching
from ktui.engine.api.aggregation.remotes import AVAILABLE, ApiServices, Place, Remote
from ktui.engine.api.documents import decode, metadata_of
from ktui.engine.api.following import follow
from ktui.engine.store.base import Key, RevisionConflictError, Store
from ktui.kube.clock import Clock, rfc3339
from ktui.kube.data import items, mapping, section, string
from ktui.kube.errors import StatusError
from ktui.kube.kinds import API_SERVICES, ENDPOINT_SLICES, SERVICES
from ktui.kube.resource import Object

log = logging.getLogger(__name__)

_RECHECK_SECONDS: Final = 30.0
_FIRST_RETRY_SECONDS: Final = 0.5
_SECONDS: Final = 5.0
"""How long a remote may take to answer."""

Verdict = tuple[str, str, str]
"""A condition's status, reason and message."""
_LOCAL: Final = ("True", "Local", "Local APIServices are always available")
_PASSED: Final = ("True", "Passed", "all checks passed")


class Availability:
    """Checks all APIServices of a server."""

    def __init__(
        self, store: Store, view: View, clock: Clock, api_services: ApiServices, reaching: Reaching
    ) -> None:
        self.described: Mapping[Place, Described] = {}
        """What remotes that could be reached serve."""
        self._store = store
        self._view = view
        self._clock = clock
        self._api_services = api_services
        self._reaching = reaching
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Check until cancelled."""
        async with asyncio.TaskGroup() as group:
            for key in (API_SERVICES.key, SERVICES.key, ENDPOINT_SLICES.key):
                group.create_task(self._follow(key), name=f"availability follows {key}")
            group.create_task(self._check_on_changes(), name="availability of APIServices")

    async def _follow(self, key: str) -> None:
        async for _ in follow(self._store, key):
            if key == API_SERVICES.key or self._api_services.remotes:
                self._changed.set()

    async def _check_on_changes(self) -> None:
        retry = _FIRST_RETRY_SECONDS
        while True:
            self._changed.clear()
            is_well = await self.check()
            retry = _FIRST_RETRY_SECONDS if is_well else min(retry * 2, _RECHECK_SECONDS)
            seconds = _RECHECK_SECONDS if is_well else retry
            await self._until_changed(seconds if self._api_services.remotes else None)

    async def _until_changed(self, seconds: float | None) -> None:
        if seconds is None:
            await self._changed.wait()
            return
        waiting: list[asyncio.Task[object]] = [
            asyncio.create_task(self._changed.wait()),
            asyncio.create_task(self._clock.sleep(seconds)),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def check(self) -> bool:
        """Check them all once; whether all can be reached."""
        remotes = self._api_services.remotes
        entries = list(self._store.list(API_SERVICES.key).entries)
        local = [entry.key.name for entry in entries]
        for remote in remotes.values():
            local.remove(remote.name)
        for name in local:
            await self._tell(name, _LOCAL)
        self.described = {place: each for place, each in self.described.items() if place in remotes}
        verdicts = await asyncio.gather(*(self._checked(remote) for remote in remotes.values()))
        for remote, verdict in zip(remotes.values(), verdicts, strict=True):
            await self._tell(remote.name, verdict)
        return all(status == "True" for status, _, _ in verdicts)

    async def _checked(self, remote: Remote) -> Verdict:
        service = self._view.lookup(SERVICES.key, remote.namespace, remote.service)
        about = f'service/{remote.service} in "{remote.namespace}"'
        if service is None:
            return "False", "ServiceNotFound", f"{about} is not present"
        spec = section(service, "spec")
        if string(spec, "type") in ("", "ClusterIP"):
            ports = [port for port in items(spec, "ports") if port.get("port") == remote.port]
            if not ports:
                return "False", "ServicePortError", f"{about} is not listening on port {remote.port}"
            name = string(ports[0], "name")
            slices = self._slices(remote)
            if not slices:
                return "False", "EndpointsNotFound", f"cannot find endpointslices for {about}"
            if not any(_serves(each, name) for each in slices):
                why = f'endpointslices for {about} have no addresses with port name "{name}"'
                return "False", "MissingEndpoints", why
        url = f"https://{string(spec, 'clusterIP') or remote.service}:{remote.port}{remote.path}"
        try:
            async with asyncio.timeout(_SECONDS):
                found = await described(self._reaching, remote)
        except TimeoutError:
            return "False", "FailedDiscoveryCheck", f"timed out waiting for {url}"
        except (DescriptionError, StatusError, OSError, ssl.SSLError, ValueError) as error:
            why = error.message if isinstance(error, StatusError) else str(error) or type(error).__name__
            return "False", "FailedDiscoveryCheck", f"failing or missing response from {url}: {why}"
        self.described = {**self.described, (remote.group, remote.version): found}
        return _PASSED

    def _slices(self, remote: Remote) -> list[Object]:
        return [
            each
            for each in self._view.listed(ENDPOINT_SLICES.key, remote.namespace)
            if mapping(metadata_of(each), "labels").get("kubernetes.io/service-name") == remote.service
        ]

    async def _tell(self, name: str, verdict: Verdict) -> None:
        """Write the condition unless it says so already."""
        while True:
            entry = self._store.get(Key(API_SERVICES.key, "", name))
            if entry is None:
                return
            old = decode(entry.data)
            new = _with_condition(old, verdict, lambda: rfc3339(self._clock.now()))
            if new == old:
                return
            try:
                await self._store.write(entry.key, new, expected=entry.revision)
            except RevisionConflictError:
                continue
            log.info("APIService %s: available %s: %s", name, verdict[0], verdict[2])
            return


def _serves(endpoint_slice: Object, port: str) -> bool:
    ready = any(
        section(endpoint, "conditions").get("ready") is not False
        for endpoint in items(endpoint_slice, "endpoints")
    )
    return ready and any(
        string(each, "name") == port and each.get("port") for each in items(endpoint_slice, "ports")
    )


def _with_condition(api_service: Object, verdict: Verdict, now: Callable[[], str]) -> Object:
    status, reason, message = verdict
    found = section(api_service, "status")
    conditions = items(found, "conditions")
    old = next((each for each in conditions if each.get("type") == AVAILABLE), None)
    if old and (old.get("status"), old.get("reason"), old.get("message")) == verdict:
        return api_service
    since = old.get("lastTransitionTime") if old and old.get("status") == status else now()
    new: Object = {
        "type": AVAILABLE,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    kept = [new if each is old else each for each in conditions]
    return {**api_service, "status": {**found, "conditions": kept if old else [*kept, new]}}
