"""Compares training with the original recipe and TRL: throughput, memory, time to quality.

    python -m bench.train --json train.json            everything: half an hour on two idle cores
    python -m bench.train --shapes mini --runs 2       a few minutes
    python -m bench.gpu                                on a GPU, in bf16 where it supports that

Each peer trains in its own process, one after the other; figures are medians of the runs.
Time to quality needs a finished run below `--root`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

OWN = "+ logits of the scale only"
ALWAYS = ("original", "trl", "trl, not packed", OWN)
PIECES = (
    "own loop",
    "+ loss on ratings only",
    "+ fused attention",
    "+ packing",
    "+ shared context",
)
NOTEBOOKS = 0.811  # samples per second that the original reports for its recipe, on a T4
ROOT = Path(__file__).resolve().parent.parent
Figures = dict[str, float]


def measure(peer: str, shape: str, weights: Path, runs: int) -> Figures | None:
    """Samples per second and peak memory of one peer on one shape, in a new process.

    None where memory ran out, also where the system killed it for that. On several GPUs it sees the
    first alone, which the other libraries would share their batches out to.
    """
    command = [sys.executable, "-m", "bench.train_peers", peer, shape, str(weights)]
    command += ["--runs", str(runs)]
    environment = {"CUDA_VISIBLE_DEVICES": "0"} | os.environ
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"{peer} on {shape} failed: {process.stderr[-2000:]}")
    killed = process.returncode == -signal.SIGKILL
    figures: Figures | None = None if killed else json.loads(process.stdout.splitlines()[-1])
    if figures is None:
        print(f"{shape:>5}  {peer:<24} needs more memory than there is", flush=True)
        return None
    speed, memory = figures["samples_per_second"], figures["peak_bytes"] / 1e9
    print(f"{shape:>5}  {peer:<24} {speed:10.2f} samples/s {memory:8.2f} GB", flush=True)
    return figures


def ratios(shape: str, by_peer: dict[str, Figures]) -> Figures:
    """Our throughput over that of the others, and our memory over the original's.

    A ratio is left out where memory ran out for one of its two.
    """
    speed = {peer: figures["samples_per_second"] for peer, figures in by_peer.items()}
    memory = {peer: figures["peak_bytes"] for peer, figures in by_peer.items()}
    if OWN not in speed:
        return {}
    found = {}
    if "original" in speed:
        found[f"speedup_original_{shape}"] = speed[OWN] / speed["original"]
        found[f"memory_ratio_{shape}"] = memory[OWN] / memory["original"]
    if trl := [speed[peer] for peer in ("trl", "trl, not packed") if peer in speed]:
        found[f"speedup_trl_{shape}"] = speed[OWN] / max(trl)
    return found


def main() -> None:
    """Measure, print a table, and write JSON with `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--shapes", nargs="+", default=["mini", "560m"], choices=["mini", "560m", "1b7"]
    )
    parser.add_argument(
        "--no-pieces", action="store_true", help="only the whole, without the pieces"
    )
    parser.add_argument("--flex", action="store_true", help="also FlexAttention; needs a GPU")
    parser.add_argument(
        "--root", type=Path, help="store of a finished run: measure time to quality there"
    )
    arguments = parser.parse_args()

    peers = ALWAYS if arguments.no_pieces else (ALWAYS[0], *PIECES, *ALWAYS[1:])
    if arguments.flex:
        peers = (*peers, "by FlexAttention")
    figures: dict[str, object] = {"original_1b7_on_t4": NOTEBOOKS}
    for shape in arguments.shapes:
        with TemporaryDirectory() as weights:
            results = {peer: measure(peer, shape, Path(weights), arguments.runs) for peer in peers}
        by_peer = {peer: result for peer, result in results.items() if result}
        figures |= {f"{shape}: {peer}": value for peer, value in by_peer.items()}
        figures |= ratios(shape, by_peer)
    if arguments.root:
        from bench.train_quality import time_to_quality

        quality = time_to_quality(arguments.root)
        figures |= {"time_to_quality": quality["ratio"], "quality": quality}
    print(json.dumps({k: v for k, v in figures.items() if isinstance(v, float)}, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
