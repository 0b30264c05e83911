"""Nobody gets more of the server than is fair: requests at a time, watches, streams, and a time for each request.

In the spirit of Kubernetes' API priority and fairness. Whoever owns the cluster (the unix socket: the terminal
UI and ktui's verbs) and probes of its health never wait. Everyone else takes one of a few seats; when they are
taken, requests queue by user and users take turns, however many connections one of them has. In one moment only
a few requests begin, because one that finds everything in memory never gives its seat to another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from aiohttp import web

from ktui.engine.api.authn.identity import ADMIN, ANONYMOUS
from ktui.engine.api.http.answers import STARTED
from ktui.engine.api.http.identity import caller_of
from ktui.engine.api.http.traffic import Length, passage_of
from ktui.engine.api.request import User
from ktui.kube.duration import parse_duration
from ktui.kube.errors import StatusError, bad_request, status, too_many_requests

REQUEST_SECONDS: Final = 60.0
"""What a request may take that does not stream; `timeout` may ask for less."""
_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_READS: Final = ("GET", "HEAD", "OPTIONS")
_MOMENT_SECONDS: Final = 0.002
_SWEEP_SECONDS: Final = 0.5
_FORGET_ABOVE: Final = 256
"""So many users are remembered before the idle ones are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much there is, and how much of it for one user."""

    seats: int = 64
    seats_of_user: int = 48
    begin_in_moment: int = 16
    queue_of_user: int = 1000
    watches_of_user: int = 10_000
    streams_of_user: int = 512


@dataclass(slots=True, eq=False)
class Flow:
    """One user's requests."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque[asyncio.Future[None]])
    long: dict[Length, int] = field(default_factory=lambda: {"watch": 0, "stream": 0})

    @property
    def is_idle(self) -> bool:
        return not (self.running or self.waiting or any(self.long.values()))


class FlowControl:
    """Seats and queues. All of it runs on one loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.reading = self.writing = 0
        """Short requests that are being answered, those without a seat too."""
        self.rejected: dict[str, int] = {}
        """Refused requests by reason."""
        self._limits = limits
        self._flows: dict[str, Flow] = {}
        self._turns: deque[Flow] = deque()
        self._running = 0
        self._moment = 0.0
        self._left = 0
        self._is_turning = False
        self._deadlines = Deadlines(REQUEST_SECONDS)

    @property
    def queued(self) -> int:
        """Requests that wait for a seat."""
        return sum(len(flow.waiting) for flow in self._flows.values())

    @property
    def seated(self) -> int:
        """Requests that have one."""
        return self._running

    @web.middleware
    async def admit(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """The middleware, inside of the one that knows who calls."""
        length = passage_of(request).length
        user = caller_of(request).user or ANONYMOUS
        is_exempt = user is ADMIN or request.path.startswith(_HEALTH)
        if length:
            return await handler(request) if is_exempt else await self._long(request, handler, length, user)
        if (seconds := _seconds(request)) is not None:
            return await self._within(request, handler, seconds)
        task = self._deadlines.begin()
        try:
            return await self._short(request, handler, user, is_exempt=is_exempt)
        except asyncio.CancelledError:
            if self._deadlines.has_expired(task):
                raise _timed_out(request) from None
            raise
        finally:
            self._deadlines.end(task)

    async def _within(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        seconds: float,
    ) -> web.StreamResponse:
        """A request that asks for less time than everyone gets."""
        user = caller_of(request).user or ANONYMOUS
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                return await self._short(request, handler, user, is_exempt=user is ADMIN)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise _timed_out(request) from None

    async def _short(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        user: User,
        *,
        is_exempt: bool,
    ) -> web.StreamResponse:
        """A request that ends: it takes a seat for so long."""
        reads = request.method in _READS
        if reads:
            self.reading += 1
        else:
            self.writing += 1
        try:
            if is_exempt:
                return await handler(request)
            flow = self._flow(user.name)
            if self._turns or not self._may_begin(flow):
                await self._wait(flow)
            else:
                self._begin(flow)
            try:
                return await handler(request)
            finally:
                self._end(flow)
        finally:
            if reads:
                self.reading -= 1
            else:
                self.writing -= 1

    async def _long(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
        length: Length,
        user: User,
    ) -> web.StreamResponse:
        """A request that goes on: it is only counted."""
        flow = self._flow(user.name)
        most = self._limits.watches_of_user if length == "watch" else self._limits.streams_of_user
        if flow.long[length] >= most:
            raise self._refused(f"{length}-limit")
        flow.long[length] += 1
        try:
            return await handler(request)
        finally:
            flow.long[length] -= 1

    def _flow(self, name: str) -> Flow:
        flow = self._flows.get(name)
        if flow is None:
            if len(self._flows) > _FORGET_ABOVE:
                self._flows = {user: each for user, each in self._flows.items() if not each.is_idle}
            flow = self._flows[name] = Flow()
        return flow

    def _may_begin(self, flow: Flow) -> bool:
        limits = self._limits
        if self._running >= limits.seats or flow.running >= limits.seats_of_user:
            return False
        if not self._left and (now := perf_counter()) - self._moment > _MOMENT_SECONDS:
            self._moment = now
            self._left = limits.begin_in_moment
        return self._left > 0

    def _begin(self, flow: Flow) -> None:
        self._running += 1
        flow.running += 1
        self._left -= 1

    def _end(self, flow: Flow) -> None:
        self._running -= 1
        flow.running -= 1
        if self._turns:
            self._turn_soon()

    async def _wait(self, flow: Flow) -> None:
        """Queue until it is this request's turn; it has a seat then."""
        if len(flow.waiting) >= self._limits.queue_of_user:
            raise self._refused("queue-full")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not flow.waiting:
            self._turns.append(flow)
        flow.waiting.append(waiter)
        self._turn_soon()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._end(flow)
            raise

    def _turn_soon(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """The next turn of the loop: let requests begin, one of each user after the other."""
        self._is_turning = False
        self._moment = perf_counter()
        self._left = self._limits.begin_in_moment
        stuck = 0
        while self._left and self._running < self._limits.seats and stuck < len(self._turns):
            flow = self._turns.popleft()
            while flow.waiting and flow.waiting[0].done():
                flow.waiting.popleft()
            if not flow.waiting:
                continue
            if self._may_begin(flow):
                self._begin(flow)
                flow.waiting.popleft().set_result(None)
                stuck = 0
            else:
                stuck += 1
            if flow.waiting:
                self._turns.append(flow)
        if self._turns and not self._left:
            self._turn_soon()

    def _refused(self, reason: str) -> StatusError:
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        return too_many_requests("Too many requests, please try again later.", 1)


class Deadlines:
    """The time that all requests have, watched together: a timer a request would cost more than most requests."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[asyncio.Task[object], float] = {}
        self._expired: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[object]:
        """The time of the running task begins."""
        task = asyncio.current_task()
        assert task is not None, "a request is answered in a task"
        self._began[task] = perf_counter()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)
        return task

    def end(self, task: asyncio.Task[object]) -> None:
        """The task is done with it."""
        self._began.pop(task, None)

    def has_expired(self, task: asyncio.Task[object]) -> bool:
        """Whether the task's cancellation was its time running out; asked once."""
        if task not in self._expired:
            return False
        self._expired.discard(task)
        return task.uncancel() == 0

    def _sweep(self) -> None:
        """Cancel what is overdue. The oldest come first."""
        self._timer = None
        latest = perf_counter() - self._seconds
        for task, began in list(self._began.items()):
            if began > latest:
                break
            del self._began[task]
            self._expired.add(task)
            task.cancel()
        if self._began:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)


def _timed_out(request: web.Request) -> Exception:
    """504, as kube-apiserver words it; a client that does not read the answer it gets loses the connection."""
    if request.get(STARTED):
        if request.transport is not None:
            request.transport.abort()
        return ConnectionResetError("the client is too slow")
    message = "Timeout: request did not complete within the allotted timeout"
    return StatusError(status(504, "Timeout", message))


def _seconds(request: web.Request) -> float | None:
    """What the request may take if it asks for less than everyone gets."""
    if "timeout" not in request.query_string or not (asked := request.query.get("timeout")):
        return None
    try:
        seconds = parse_duration(asked)
    except ValueError:
        raise bad_request(
            f'invalid timeout specified in the request URL - time: invalid duration "{asked}"'
        ) from None
    return seconds if 0 < seconds < REQUEST_SECONDS else None
