"""torch's launcher of training processes, made to end when the process ends that started it.

So nobody goes on writing to a draft that the next night goes on with.
"""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1  # Linux: prctl(2)


def torchrun(order: str, *where: str) -> "subprocess.Popen[bytes]":
    """Start processes that train as ordered; `where` says how many, and where they meet."""
    command = [sys.executable, "-m", "tasks.train.torchrun", *where]
    return subprocess.Popen([*command, "-m", "tasks.train.worker", order], cwd=ROOT)


def waited(launcher: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether it ends within so many seconds."""
    try:
        launcher.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


if __name__ == "__main__":
    from torch.distributed.run import main

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    main()
