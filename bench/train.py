"""Measures training beside the original recipe and TRL: speed, memory, time to quality.

    python -m bench.train --json train.json            all of it: half an hour on two quiet cores
    python -m bench.train --shapes mini --runs 2       a few minutes
    python -m bench.train --shapes 1b7 --flex          on a GPU, in bf16 where it has that

Every way trains in a process of its own, one after the other; figures are medians of the runs.
Time to quality needs a finished night below `--root`.
"""

import argparse
import json
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
NOTEBOOKS = 0.811  # samples a second that the original reports of its own recipe, on a T4
ROOT = Path(__file__).resolve().parent.parent
Figures = dict[str, float]


def measured(peer: str, shape: str, weights: Path, runs: int) -> Figures | None:
    """Samples a second and peak memory of one way on one shape, in a new process.

    None where the system killed it, as it does where memory runs out.
    """
    command = [sys.executable, "-m", "bench.train_peers", peer, shape, str(weights)]
    command += ["--runs", str(runs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == -signal.SIGKILL:
        print(f"{shape:>5}  {peer:<24} needs more memory than there is", flush=True)
        return None
    if done.returncode:
        raise RuntimeError(f"{peer} on {shape} failed: {done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    speed, memory = figures["samples_per_second"], figures["peak_bytes"] / 1e9
    print(f"{shape:>5}  {peer:<24} {speed:10.2f} samples/s {memory:8.2f} GB", flush=True)
    return figures


def ratios(shape: str, found: dict[str, Figures]) -> Figures:
    """Our speed over the others', and our memory over the original's."""
    speed = {peer: figures["samples_per_second"] for peer, figures in found.items()}
    memory = {peer: figures["peak_bytes"] for peer, figures in found.items()}
    best_trl = max(speed[peer] for peer in ("trl", "trl, not packed") if peer in speed)
    return {
        f"speedup_original_{shape}": speed[OWN] / speed["original"],
        f"speedup_trl_{shape}": speed[OWN] / best_trl,
        f"memory_ratio_{shape}": memory[OWN] / memory["original"],
    }


def main() -> None:
    """Measure, print a table, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--shapes", nargs="+", default=["mini", "560m"], choices=["mini", "560m", "1b7"]
    )
    parser.add_argument("--no-pieces", action="store_true", help="the whole only, not its pieces")
    parser.add_argument("--flex", action="store_true", help="FlexAttention, too: on a GPU only")
    parser.add_argument("--root", type=Path, help="a night's root: measure time to quality there")
    arguments = parser.parse_args()

    peers = ALWAYS if arguments.no_pieces else (ALWAYS[0], *PIECES, *ALWAYS[1:])
    if arguments.flex:
        peers = (*peers, "by FlexAttention")
    figures: dict[str, object] = {"original_1b7_on_t4": NOTEBOOKS}
    for shape in arguments.shapes:
        with TemporaryDirectory() as weights:
            tried = {peer: measured(peer, shape, Path(weights), arguments.runs) for peer in peers}
        found = {peer: figures for peer, figures in tried.items() if figures}
        figures |= {f"{shape}: {peer}": value for peer, value in found.items()}
        figures |= ratios(shape, found)
    if arguments.root:
        from bench.train_quality import time_to_quality

        quality = time_to_quality(arguments.root)
        figures |= {"time_to_quality": quality["ratio"], "quality": quality}
    print(json.dumps({k: v for k, v in figures.items() if isinstance(v, float)}, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
