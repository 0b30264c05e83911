"""nftables' own library, which `nft` is a shell around: a change of rules costs a third of what a process does.

A context serves one thread, and so do we. Where the library is not there, callers run `nft`.
"""

from __future__ import annotations

import asyncio
import ctypes
from concurrent.futures import ThreadPoolExecutor

_LIBRARY = "libnftables.so.1"


class LibNftables:
    """A context of the library, with a thread of its own. Raises OSError when there is no library."""

    def __init__(self) -> None:
        library = ctypes.CDLL(_LIBRARY)
        self._run = library.nft_run_cmd_from_buffer
        self._run.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
        self._error = library.nft_ctx_get_error_buffer
        self._error.argtypes, self._error.restype = (ctypes.c_void_p,), ctypes.c_char_p
        make = library.nft_ctx_new
        make.argtypes, make.restype = (ctypes.c_uint32,), ctypes.c_void_p
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output"):
            getattr(library, name).argtypes = (ctypes.c_void_p,)
        self._context = make(0)
        if not self._context or library.nft_ctx_buffer_error(self._context):
            raise OSError(f"{_LIBRARY} gives no context")
        library.nft_ctx_buffer_output(self._context)
        self._thread = ThreadPoolExecutor(1, "nftables")

    async def run(self, script: str) -> str:
        """Apply a script whole or not at all; returns what the library complains of, "" when it was applied."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._apply, script)

    def _apply(self, script: str) -> str:
        failed = self._run(self._context, script.encode())
        said = (self._error(self._context) or b"").decode(errors="replace").strip()
        return said or f"status {failed}" if failed else ""
