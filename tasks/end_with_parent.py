"""Ends a process when the one that started it dies: an orphan would work on, or wait for ever."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # Linux: prctl(2)


def end_with(parent: int) -> None:
    """Have the kernel send SIGTERM when the process `parent` dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit("the process that started this one has ended")
