"""Whether somebody still writes a file: what tells a half-written manifest from one that means what it says.

Linux grants a read lease on a file only while nobody has it open for writing, so asking for one, and giving it
back at once, is the question. Where leases are not to be had the answer is no, and only time tells.
"""

from __future__ import annotations

import errno
import fcntl
import signal
import sys


def is_open_for_writing(descriptor: int) -> bool:
    """Whether any process has the file behind a read-only descriptor open for writing."""
    if sys.platform != "linux":
        return False
    try:
        # A writer that comes while the lease is held is told of by a signal; this one is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False
