"""The exec probe: a command inside the container, healthy when it exits with 0."""

from __future__ import annotations

from collections.abc import Sequence

from ktui.engine.kubelet.backoff import go_duration
from ktui.engine.kubelet.probes.base import MAX_OUTPUT, Outcome, ProbeError
from ktui.engine.kubelet.runtime.base import NotFoundError, Runtime, RuntimeCallError


async def probe_exec(runtime: Runtime, container_id: str, command: Sequence[str], timeout: float) -> Outcome:
    try:
        result = await runtime.exec_sync(container_id, command, timeout)
    except TimeoutError:
        shown = " ".join(command)
        return Outcome(False, f'command timed out: "{shown}" timed out after {go_duration(timeout)}')
    except NotFoundError as error:
        raise ProbeError(str(error)) from error
    except RuntimeCallError as error:
        return Outcome(False, str(error))
    output = result.output[:MAX_OUTPUT].decode("utf-8", "replace")
    return Outcome(result.exit_code == 0, output)
