"""What a probe of any type gives, and how it reaches the pod's network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

MAX_OUTPUT = 10 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """One probe's answer. `warning`: it succeeded, but something is to be told."""

    success: bool
    output: str = ""
    warning: bool = False


class ProbeError(Exception):
    """The probe could not be made at all: its result is unknown and changes nothing."""


class Connect(Protocol):
    """Opens a connection to a port; host "" is the pod itself. Raises OSError."""

    async def __call__(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...
