"""The API server's verbs, free of HTTP: what a request means, for whoever brings it.

In: a `Request` (who), a resource, names, a body as plain data. Out: objects as the bytes the store keeps,
`ObjectList`s, watches, or a `StatusError`. The rims (`local`, `http`) only translate.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from ktui.client.base import (
    DeleteOptions,
    ExecOptions,
    ExecSession,
    ListOptions,
    LogOptions,
    ObjectList,
    PatchType,
    WatchOptions,
    WriteOptions,
)
from ktui.client.node import NodeAgent
from ktui.engine.api import metrics, printing
from ktui.engine.api.admission.asking import Asking
from ktui.engine.api.admission.certificates import Certificates
from ktui.engine.api.admission.chain import BUILT_IN, Admission
from ktui.engine.api.admission.extensions import extensions
from ktui.engine.api.admission.policies.status import PolicyStatus
from ktui.engine.api.admission.resource_quota import ResourceQuota
from ktui.engine.api.admission.view import StoreView
from ktui.engine.api.admission.webhooks.calling import WebhookCaller
from ktui.engine.api.admission.webhooks.services import ClusterServices
from ktui.engine.api.aggregation.aggregator import Aggregator
from ktui.engine.api.allocation.base import Stocks
from ktui.engine.api.allocation.service_range import SERVICE_RANGE
from ktui.engine.api.allocation.services import ServiceStock
from ktui.engine.api.apply.managers import Managers
from ktui.engine.api.authn.jwt import SigningKey, key_in_memory
from ktui.engine.api.authn.service_accounts import TOKEN_REQUEST, ServiceAccountTokens
from ktui.engine.api.checks import warn
from ktui.engine.api.components import Components
from ktui.engine.api.computed import Computed
from ktui.engine.api.crd.controller import CustomResources, being_deleted
from ktui.engine.api.declaration import Declaration
from ktui.engine.api.deleting import Deleter
from ktui.engine.api.discovery import served
from ktui.engine.api.documents import decode, encode
from ktui.engine.api.expiry import keep_swept
from ktui.engine.api.first_objects import first_objects
from ktui.engine.api.flow_matching import FlowMatcher
from ktui.engine.api.flow_upkeep import FlowUpkeep
from ktui.engine.api.metadata import checked_body
from ktui.engine.api.patches import invalid_options, only_annotates, patcher, unsupported_patch
from ktui.engine.api.rbac.escalation import Escalation
from ktui.engine.api.rbac.policies import Policies
from ktui.engine.api.reading import Reader
from ktui.engine.api.registry import Registry
from ktui.engine.api.request import Access, AllowAll, Authorizer, Request, User
from ktui.engine.api.resources import reviews
from ktui.engine.api.reviews import Reviews
from ktui.engine.api.selection import selected
from ktui.engine.api.subresources.budget import Budgets
from ktui.engine.api.subresources.partial import PARTIAL, READABLE
from ktui.engine.api.subresources.pods import body_of
from ktui.engine.api.subresources.proxies import Proxies
from ktui.engine.api.subresources.scale import SCALE_DEFINITION, scale_of
from ktui.engine.api.subresources.streams import PodStreams
from ktui.engine.api.subresources.writes import SubresourceWrites
from ktui.engine.api.table import IncludeObject, Table
from ktui.engine.api.watching import Batches, Watches
from ktui.engine.api.writing import Write, Writer, Written
from ktui.engine.store.base import Key, Store
from ktui.kube.clock import Clock, RealClock
from ktui.kube.errors import StatusError, forbidden, method_not_supported, status
from ktui.kube.kinds import API_SERVICES, COMPONENT_STATUSES, PODS, SERVICE_ACCOUNTS, SERVICES
from ktui.kube.resource import Object, Resource

SERVER = Request(User("system:apiserver", ("system:masters",)), "kube-apiserver")
"""The server's own writes."""

Dialer = Callable[[int], Awaitable[tuple[object, object]]]
"""Connects to a port."""

_LIST, _WATCH, _WRITE, _DELETE = ListOptions(), WatchOptions(), WriteOptions(), DeleteOptions()


class ApiServer:
    """The control plane's one door to the store."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock | None = None,
        *,
        authorizer: Authorizer | None = None,
        admission: Admission | None = None,
        signing_key: Callable[[], SigningKey] = key_in_memory,
        service_range: str = SERVICE_RANGE,
    ) -> None:
        self.registry = registry
        self.clock = clock or RealClock()
        self._store = store
        self.authorizer = authorizer or AllowAll()
        self._reader = Reader(store, self.clock)
        self._printer = printing.Printer()
        self._watches = Watches(store, self._reader, self.clock)
        self.webhooks = WebhookCaller()
        self._admission = admission or Admission(
            StoreView(store),
            (
                *BUILT_IN,
                lambda _: Escalation(self.authorizer, Policies(store)),
                lambda _: Certificates(self.authorizer, self.clock),
                *extensions(registry, self.authorizer, self.webhooks),
                ResourceQuota,
            ),
        )
        self._asking = Asking(self._admission, lambda: self._declaration(PODS))
        services = ServiceStock.of(store, service_range)
        self.service_range = str(services.network)
        """The network of cluster IPs."""
        stocks = Stocks({SERVICES.key: services})
        managers = Managers(self.clock)
        self._writer = Writer(store, self._reader, self.clock, self._admission, managers, stocks)
        self._deleter = Deleter(store, self._reader, self.clock, self._admission, stocks)
        budgets = Budgets(StoreView(store))
        self._subresources = SubresourceWrites(self._reader, self._writer, self._deleter, budgets, self.clock)
        self._streams = PodStreams()
        self.proxies = Proxies(self._opened, self._reader, self._streams, self._declaration)
        self.webhooks.services = ClusterServices(self.proxies.dial_service)
        self.flow_matcher = FlowMatcher(store)
        self._flows = FlowUpkeep(store, self.clock, partial(self.create, SERVER))
        end = self._watches.end
        self._custom = CustomResources(store, registry, self.clock, self._delete_all, self.webhooks, end)
        made = partial(self.create, SERVER, API_SERVICES), partial(self.delete, SERVER, API_SERVICES)
        self.aggregator = Aggregator(store, registry, self.clock, self.proxies.dial_service, *made)
        self.tokens = ServiceAccountTokens(store, self.clock, signing_key)
        self._reviews = Reviews(self.authorizer, self.tokens)
        usage = metrics.Metrics(self._streams.agents, self.clock)
        self.components = Components()
        self._computed = Computed({**usage.sources, COMPONENT_STATUSES.key: self.components.statuses})

    # Life

    async def start(self) -> None:
        """Serve the kinds that are defined, and make what a cluster begins with."""
        await self._custom.load()
        for resource, obj, status_patch in first_objects(self.service_range, self.clock):
            name = str(obj["metadata"]["name"])
            if self.registry.of(resource) is None or self._store.get(Key(resource.key, "", name)) is not None:
                continue
            await self.create(SERVER, resource, obj)
            if status_patch is not None:
                await self.patch(SERVER, resource, name, status_patch, subresource="status")

    async def run(self) -> None:
        """What the server does on its own, until cancelled: forget old events, follow definitions of kinds."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(keep_swept(self._store, self.clock), name="events sweep")
                group.create_task(self._custom.run(), name="custom resources")
                group.create_task(self._flows.run(), name="flow schemas")
                group.create_task(self.aggregator.run(), name="aggregation")
                group.create_task(PolicyStatus(self._store, self.registry).run(), name="admission policies")
        finally:
            await self.webhooks.close()

    async def _delete_all(self, declaration: Declaration) -> None:
        """Delete every object of a kind."""
        await self._deleter.delete_collection(SERVER, declaration, "", DeleteOptions(), ListOptions())

    def register_node(self, name: str, agent: NodeAgent) -> None:
        """From now on `agent` answers for the pods of node `name`."""
        self._streams.agents[name] = agent
        for declaration in metrics.DECLARATIONS:
            self.registry.add(declaration)

    def unregister_node(self, name: str) -> None:
        self._streams.agents.pop(name, None)

    def resources(self) -> Sequence[Resource]:
        """Discovery: every kind served."""
        return [served(declaration) for declaration in self.registry]

    def stored(self) -> Mapping[str, int]:
        """How many objects of each kind there are."""
        counts: dict[str, int] = {}
        for declaration in self.registry:
            if declaration.shows is not None:
                continue
            page = self._store.list(declaration.resource.key, limit=1)
            if declaration.resource.key not in counts and (page.entries or declaration.custom is None):
                counts[declaration.resource.key] = len(page.entries) + page.remaining
        return counts

    # Reading

    async def get(
        self, request: Request, resource: Resource, name: str, namespace: str = "", *, subresource: str = ""
    ) -> bytes:
        declaration = await self._opened(request, "get", resource, namespace, name, subresource)
        if subresource == "scale" and declaration.scale:
            entry = await self._reader.get(declaration, namespace, name)
            return encode(scale_of(decode(entry.data), declaration.scale))
        is_whole = subresource == "" or (declaration.resource.key, subresource) in READABLE
        if is_whole or (subresource == "status" and declaration.has_status):
            return await self._got(declaration, namespace, name)
        raise _not_served()

    async def list(
        self, request: Request, resource: Resource, namespace: str = "", options: ListOptions = _LIST
    ) -> ObjectList:
        declaration = await self._opened(
            request, "list", resource, namespace, field_selector=options.field_selector
        )
        return await self._listed(declaration, namespace, options)

    async def _listed(self, declaration: Declaration, namespace: str, options: ListOptions) -> ObjectList:
        if declaration.resource in self._computed:
            return await self._computed.list(declaration, namespace, options)
        return await self._reader.list(declaration, namespace, options)

    async def _got(self, declaration: Declaration, namespace: str, name: str) -> bytes:
        if declaration.resource in self._computed:
            return await self._computed.get(declaration, namespace, name)
        return (await self._reader.get(declaration, namespace, name)).data

    async def table(
        self,
        request: Request,
        resource: Resource,
        namespace: str = "",
        *,
        name: str = "",
        options: ListOptions = _LIST,
        include_object: IncludeObject = "Metadata",
    ) -> Table:
        """A `Table` of an object or a list."""
        verb, selector = ("get", "") if name else ("list", options.field_selector)
        declaration = await self._opened(request, verb, resource, namespace, name, field_selector=selector)
        listed = ObjectList((), "")
        if resource in self._computed:
            entries = await self._computed.entries(declaration, namespace, name, None if name else options)
        elif name:
            entries = [await self._reader.get(declaration, namespace, name)]
        else:
            entries, revision, token, remaining = await self._reader.entries(declaration, namespace, options)
            listed = ObjectList((), str(revision), token, remaining)
        now = self.clock.now()
        return await self._printer.printed(declaration, entries, listed.metadata, now, include_object)

    @asynccontextmanager
    async def watch(
        self,
        request: Request,
        resource: Resource,
        namespace: str = "",
        options: WatchOptions = _WATCH,
        *,
        table: bool = False,
        include_object: IncludeObject = "Metadata",
    ) -> AsyncGenerator[Batches]:
        """Changes in batches; `table` renders each as a `Table` with one row."""
        declaration = await self._opened(
            request, "watch", resource, namespace, field_selector=options.field_selector
        )

        def row(data: bytes) -> bytes:
            return printing.printed_row(declaration, data, self.clock.now(), include_object)

        async with self._watches.open(declaration, namespace, options, row if table else None) as batches:
            yield batches

    # Writing

    async def create(
        self,
        request: Request,
        resource: Resource,
        body: object,
        namespace: str = "",
        options: WriteOptions = _WRITE,
        *,
        name: str = "",
        subresource: str = "",
    ) -> bytes:
        declaration = await self._opened(request, "create", resource, namespace, name, subresource)
        write = Write(request, declaration, namespace, name, options, subresource)
        if resource.key in ("bindings", "pods") and (subresource == "binding" or resource.key == "bindings"):
            body = await self._asking.binding(write.attributes("CREATE"), body)
            return await self._subresources.bind(write, self._declaration(PODS), body)
        if (resource.key, subresource) == ("pods", "eviction"):
            body = await self._asking.eviction(write.attributes("CREATE"), body)
            return await self._subresources.evict(write, body)
        if (resource.key, subresource) == (SERVICE_ACCOUNTS.key, "token"):
            wanted = self._writer.decoded(
                replace(write, declaration=TOKEN_REQUEST), body_of(body, "TokenRequest")
            )
            wanted = await self._asking.token(write.attributes("CREATE"), wanted)
            return encode(self.tokens.request(namespace, name, wanted))
        if subresource:
            raise _not_served()
        if declaration.custom is not None and declaration.custom.is_terminating:
            raise being_deleted(resource)
        if declaration.resource.group in (reviews.AUTHORIZATION, reviews.AUTHENTICATION):
            review = self._writer.decoded(write, checked_body(declaration, body))
            return encode(await self._reviews.answer(request.user, declaration, review, namespace))
        return await self._writer.create(write, body)

    async def update(
        self,
        request: Request,
        resource: Resource,
        name: str,
        body: object,
        namespace: str = "",
        options: WriteOptions = _WRITE,
        *,
        subresource: str = "",
    ) -> Written:
        declaration = await self._opened(request, "update", resource, namespace, name, subresource)
        write = self._write(request, declaration, namespace, name, options, subresource)
        if subresource == "scale":
            return Written(await self._subresources.scale(write, lambda _: body))
        if self._writer.would_create(write):
            await self._opened(request, "create", resource, namespace, name)
        return await self._writer.update(write, body)

    async def patch(
        self,
        request: Request,
        resource: Resource,
        name: str,
        patch: object,
        namespace: str = "",
        options: WriteOptions = _WRITE,
        *,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> Written:
        annotates = not subresource and only_annotates(patch_type, patch)
        declaration = await self._opened(
            request, "patch", resource, namespace, name, subresource, annotates=annotates
        )
        write = self._write(request, declaration, namespace, name, options, subresource)
        if options.force and patch_type != PatchType.APPLY:
            raise invalid_options("force", "Forbidden: may not be specified for non-apply patch")
        if patch_type == PatchType.APPLY:
            if not options.field_manager and not request.user_agent:
                raise invalid_options("fieldManager", "Required value: is required for apply patch")
            if subresource == "scale":
                return Written(await self._subresources.apply_scale(write, patch))
            if not subresource and self._store.get(write.key) is None:
                await self._opened(request, "create", resource, namespace, name)
            return await self._writer.apply(write, patch)
        if subresource == "scale":
            change = patcher(patch_type, patch, SCALE_DEFINITION)
            return Written(await self._subresources.scale(write, change))
        if declaration.custom is not None and patch_type == PatchType.STRATEGIC:
            raise unsupported_patch((PatchType.JSON, PatchType.MERGE, PatchType.APPLY))
        change = patcher(patch_type, patch, declaration.schema)
        return Written(await self._writer.patch(write, change))

    def _write(
        self,
        request: Request,
        declaration: Declaration,
        namespace: str,
        name: str,
        options: WriteOptions,
        subresource: str,
    ) -> Write:
        """An update of a main resource or a subresource the kind has."""
        served = (
            subresource == ""
            or (subresource == "status" and declaration.has_status)
            or (subresource == "scale" and declaration.scale is not None)
            or (declaration.resource.key, subresource) in PARTIAL
        )
        if not served:
            raise _not_served()
        return Write(request, declaration, namespace, name, options, subresource)

    async def delete(
        self,
        request: Request,
        resource: Resource,
        name: str,
        namespace: str = "",
        options: DeleteOptions = _DELETE,
    ) -> bytes:
        declaration = await self._opened(request, "delete", resource, namespace, name)
        return await self._deleter.delete(request, declaration, namespace, name, options)

    async def delete_collection(
        self,
        request: Request,
        resource: Resource,
        namespace: str = "",
        options: DeleteOptions = _DELETE,
        list_options: ListOptions = _LIST,
    ) -> Sequence[bytes]:
        declaration = await self._opened(
            request, "deletecollection", resource, namespace, field_selector=list_options.field_selector
        )
        return await self._deleter.delete_collection(request, declaration, namespace, options, list_options)

    # Streams

    @asynccontextmanager
    async def logs(
        self, request: Request, name: str, namespace: str, options: LogOptions
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The log of a pod's container."""
        pod = await self._pod(request, "get", name, namespace, "log")
        async with self._streams.logs(pod, options) as chunks:
            yield chunks

    async def exec(self, request: Request, name: str, namespace: str, options: ExecOptions) -> ExecSession:
        """Run a command in a pod's container, or attach to it."""
        subresource = "exec" if options.command else "attach"
        pod = await self._pod(request, "create", name, namespace, subresource)
        await self._asking.stream(request, pod, options)
        return await self._streams.exec(pod, options)

    async def dial(self, request: Request, name: str, namespace: str, port: int) -> tuple[object, object]:
        """A connection (reader and writer) to a port of a pod."""
        pod = await self._pod(request, "create", name, namespace, "portforward")
        await self._asking.forward(request, pod, port)
        return await self._streams.dial(pod, port)

    async def dialer(self, request: Request, name: str, namespace: str) -> Dialer:
        """What connects to ports of a pod, for a caller who may forward to it."""
        pod = await self._pod(request, "create", name, namespace, "portforward")
        self._streams.check_forwards(pod)
        await self._asking.forward(request, pod)
        return partial(self._streams.dial, pod)

    async def _pod(self, request: Request, verb: str, name: str, namespace: str, subresource: str) -> Object:
        declaration = await self._opened(request, verb, PODS, namespace, name, subresource)
        return decode((await self._reader.get(declaration, namespace, name)).data)

    def _declaration(self, resource: Resource) -> Declaration:
        declaration = self.registry.of(resource)
        if declaration is None:
            raise _not_served()
        return declaration

    async def permit(
        self,
        request: Request,
        verb: str,
        resource: Resource,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        *,
        field_selector: str = "",
    ) -> None:
        """Raise 403 unless the user may do that. Every verb asks; a rim may ask before it reads a body."""
        name = name or selected(field_selector, "metadata.name")
        await self.authorizer.authorize(
            Access(request.user, verb, resource, namespace, name, subresource, field_selector)
        )

    async def _opened(
        self,
        request: Request,
        verb: str,
        resource: Resource,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        *,
        field_selector: str = "",
        annotates: bool = False,
    ) -> Declaration:
        """The declaration of a resource the user may do this to. Users may annotate what only ktui writes."""
        declaration = self._declaration(resource)
        await self.permit(
            request, verb, declaration.resource, namespace, name, subresource, field_selector=field_selector
        )
        if verb not in (declaration.resource.verbs or (verb,)):
            raise method_not_supported(resource, verb)
        reads = verb in ("get", "list", "watch")
        may = reads or annotates or (declaration.forgettable and verb == "delete")
        if declaration.read_only and not (may or request.user.is_system):
            raise forbidden(resource, name, f"{resource.kind} is written by ktui itself and can only be read")
        if declaration.warning:
            warn(request, [declaration.warning])
        return declaration


def _not_served() -> StatusError:
    return StatusError(status(404, "NotFound", "the server could not find the requested resource"))
