"""What a dead container left to say: its termination message file, or the end of its log when it failed.

The limits are Kubernetes': 4096 bytes a container, 12 KiB a pod shared evenly, 2048 bytes or 80 lines of log.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from lightkube.models.core_v1 import Pod

from ktui.engine.kubelet import labels
from ktui.engine.kubelet import pod as pods
from ktui.engine.kubelet.log_reader import LogFormatter
from ktui.engine.kubelet.observed import PodRuntime
from ktui.engine.kubelet.runtime.base import ContainerRecord, ContainerState

MAX_BYTES = 4096
MAX_BYTES_POD = 12 * 1024
MAX_LOG_BYTES = 2048
MAX_LOG_LINES = 80


class TerminationMessages:
    """The messages of one pod's ended containers, each read once."""

    def __init__(self) -> None:
        self.by_container: dict[str, str] = {}

    async def read(self, pod: Pod, runtime: PodRuntime) -> None:
        """Read those that are new, in a thread."""
        count = len(pods.containers(pod)) + len(pods.init_containers(pod))
        for sandbox in runtime.sandboxes:
            for record in sandbox.containers:
                if record.state is ContainerState.EXITED and record.id not in self.by_container:
                    message = await asyncio.to_thread(termination_message, record, count)
                    self.by_container[record.id] = message

    def forget_gone(self, present: set[str]) -> None:
        for container_id in set(self.by_container) - present:
            del self.by_container[container_id]


def termination_message(record: ContainerRecord, containers: int) -> str:
    """The message of an ended container of a pod with so many `containers`; blocks on the disk."""
    limit = min(MAX_BYTES, MAX_BYTES_POD // max(containers, 1))
    message = _tail(Path(record.labels.get(labels.TERMINATION_MESSAGE_FILE) or "/nonexistent"), limit)
    fall_back = record.labels.get(labels.TERMINATION_MESSAGE_POLICY) == "FallbackToLogsOnError"
    if not message and fall_back and record.exit_code != 0 and record.log_path is not None:
        message = _log_tail(record.log_path, min(limit, MAX_LOG_BYTES))
    return message.decode("utf-8", "replace")


def _tail(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - limit))
            return file.read(limit)
    except OSError:
        return b""


def _log_tail(path: Path, limit: int) -> bytes:
    """The text of the last log lines, without the log format's time, stream and tag."""
    lines = _tail(path, limit * 4).splitlines()[-MAX_LOG_LINES:]
    return LogFormatter().format(b"\n".join(lines))[-limit:]
