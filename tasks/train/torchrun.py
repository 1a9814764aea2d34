"""torchrun as a subprocess that ends with the process that started it.

Otherwise orphaned trainers would go on writing to a draft that the next run continues.
"""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1  # Linux: prctl(2)


def start_torchrun(job_spec: str, *options: str) -> "subprocess.Popen[bytes]":
    """Start training processes; the options set their number and rendezvous."""
    command = [sys.executable, "-m", "tasks.train.torchrun", *options]
    return subprocess.Popen([*command, "-m", "tasks.train.worker", job_spec], cwd=ROOT)


def has_ended(launcher: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Whether the launcher ends within so many seconds."""
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
