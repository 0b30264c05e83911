"""Lifecycle hooks: what `postStart` and `preStop` ask to be done in or against a container."""

from __future__ import annotations

from lightkube.models.core_v1 import Container, LifecycleHandler, Pod

from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.http_get import HTTPGetError, HTTPRequest, http_get
from ktui.engine.kubelet.ports import resolve_port
from ktui.engine.kubelet.probes.base import Connect
from ktui.engine.kubelet.runtime.base import Runtime, RuntimeCallError
from ktui.kube.clock import Clock

HTTP_TIMEOUT = 30.0
EXEC_TIMEOUT = 24 * 3600.0
"""A hook is bounded by the pod's grace period or its end, not by itself."""


class HookError(Exception):
    """The hook failed; the message is the kubelet's."""


async def run_hook(
    handler: LifecycleHandler,
    pod: Pod,
    container: Container,
    container_id: str,
    *,
    runtime: Runtime,
    connect: Connect,
    shown_host: str,
    clock: Clock,
) -> None:
    """Return when the hook is done. Raises HookError."""
    who = f'for Container "{container.name}" in Pod "{pods.meta(pod).name}_{pods.meta(pod).namespace}'
    who += f'({pods.uid(pod)})"'
    if handler.exec is not None:
        command = list(handler.exec.command or ())
        shown = " ".join(command)
        try:
            result = await runtime.exec_sync(container_id, command, EXEC_TIMEOUT)
        except (RuntimeCallError, TimeoutError) as error:
            raise HookError(f"Exec lifecycle hook ([{shown}]) {who} failed - error: {error}") from error
        if result.exit_code != 0:
            output = result.output.decode("utf-8", "replace")
            raise HookError(
                f"Exec lifecycle hook ([{shown}]) {who} failed - error: command '{shown}' exited with "
                f'{result.exit_code}: {output}, message: "{output}"'
            )
    elif handler.httpGet is not None:
        action = handler.httpGet
        try:
            request = HTTPRequest(
                host=action.host or "",
                shown_host=action.host or shown_host,
                port=resolve_port(action.port, container),
                path=action.path or "/",
                scheme=(action.scheme or "HTTP").lower(),
                headers=[(h.name, h.value) for h in action.httpHeaders or ()],
            )
            await http_get(connect, request, HTTP_TIMEOUT)
        except (HTTPGetError, ValueError) as error:
            path = action.path or "/"
            raise HookError(f"HTTP lifecycle hook ({path}) {who} failed - error: {error}") from error
    elif handler.sleep is not None:
        await clock.sleep(handler.sleep.seconds)
    else:
        raise HookError(f"invalid handler: {handler}")
