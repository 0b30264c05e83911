"""The engine's own log: JSON lines in the data folder, rotated, bounded."""

from __future__ import annotations

import logging
import os
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from ktui.kube.clock import RealClock, rfc3339_micro

_MAX_BYTES = 5 * 1024 * 1024
_KEPT_FILES = 3


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback if there is one."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = RealClock()

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": rfc3339_micro(self._clock.now()),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class _PrivateFile(RotatingFileHandler):
    """A file that only its owner reads, each new one too."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return TextIOWrapper(os.fdopen(descriptor, "ab"), encoding="utf-8")


def log_to(data_dir: Path, *, debug: bool = False) -> logging.Handler:
    """Send ktui's log to `<data_dir>/ktui.log`; returns the handler, to be removed at the end."""
    handler = _PrivateFile(
        data_dir / "ktui.log", maxBytes=_MAX_BYTES, backupCount=_KEPT_FILES, encoding="utf-8", delay=True
    )
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger("ktui")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False
    logging.getLogger("asyncio").addHandler(handler)
    return handler


def stop_logging(handler: logging.Handler) -> None:
    """Undo `log_to`."""
    for name in ("ktui", "asyncio"):
        logging.getLogger(name).removeHandler(handler)
    logging.getLogger("ktui").propagate = True
    handler.close()
