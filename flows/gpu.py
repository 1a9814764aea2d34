"""Finds the GPU that a run would compute on, by a small product there."""

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

LEAST_MEMORY = 12e9  # bytes free: training BLOOM-1b7 takes 7 GB by arithmetic, prediction more
# In a process of its own: CUDA, once initialised, would not survive this one's forks.
PROBE = """
import json, torch
found = {"torch": f"torch {torch.__version__} (built for CUDA {torch.version.cuda})"}
if torch.cuda.is_available():
    one = torch.ones(8, 8, device="cuda")
    assert (one @ one).sum().item() == 512
    capability = ".".join(map(str, torch.cuda.get_device_capability()))
    free, total = torch.cuda.mem_get_info()
    found |= {"name": torch.cuda.get_device_name(), "capability": capability}
    found |= {"free": free, "total": total}
print(json.dumps(found))
"""


class GpuError(Exception):
    """No GPU that a run can compute on; the message says what was found."""


@dataclass(frozen=True)
class Gpu:
    """The first GPU, and how much of its memory, in bytes, is free."""

    torch: str
    name: str
    capability: str
    free: int
    total: int

    def __str__(self) -> str:
        memory = f"{self.free / 1e9:.1f} of {self.total / 1e9:.1f} GB free"
        return f"{self.name} (compute capability {self.capability}), {memory}, {self.torch}"


@cache
def find_gpu() -> Gpu:
    """The GPU. Raises GpuError where there is none that computes, or its memory is too small."""
    ran = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    if ran.returncode:
        raise GpuError(f"a product on it failed: {(ran.stderr.splitlines() or ['killed'])[-1]}")
    found = json.loads(ran.stdout)
    if "name" not in found:
        raise GpuError(f"{found['torch']} finds none: is its driver missing, or too old for it?")
    gpu = Gpu(**found)
    if gpu.free < LEAST_MEMORY:
        raise GpuError(f"{gpu}, and a run needs {LEAST_MEMORY / 1e9:.0f} GB")
    return gpu
