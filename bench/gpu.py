"""Measures training, prediction and a whole run of BLOOM-1b7's shape on a GPU: `make bench-gpu`.

    python -m bench.gpu --data ml-latest-small      with a whole run on some users of a folder
    python -m bench.gpu --parts train --users 16    a part

Weights are random. Each part has processes of its own, and the JSON is written after each: what
fails or runs out of memory takes no other figure with it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.train import measure, ratios
from flows.gpu import GpuError, find_gpu

PEERS = ("original", "trl", "trl, not packed", "+ logits of the scale only", "by FlexAttention")
WAYS = ("flex", "dense")  # of attention while predicting
ROOT = Path(__file__).resolve().parent.parent


def train(shape: str, weights: Path, runs: int) -> dict[str, Any]:
    """Samples per second and peak memory of each peer; null where memory ran out."""
    results = {peer: measure(peer, shape, weights, runs) for peer in PEERS}
    return {**results, **ratios(shape, {k: v for k, v in results.items() if v})}


def predict(shape: str, weights: Path, users: int) -> dict[str, Any]:
    """What bench.gpu_predict finds of each way of attention, each in a process of its own."""
    return {way: _ask("bench.gpu_predict", way, shape, str(weights), str(users)) for way in WAYS}


def run(shape: str, weights: Path, data: Path, users: int) -> dict[str, Any]:
    """Seconds and peak memory of each stage of a run."""
    return _ask("bench.gpu_run", shape, str(weights), str(data), str(users))


def _ask(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON on the last line of a process, or what it ended with."""
    command = [sys.executable, "-m", module, *arguments]
    environment = {"CUDA_VISIBLE_DEVICES": "0"} | os.environ
    process = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        return {"error": f"{module} ended with exit code {process.returncode}"}
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure the parts, and print and write JSON after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--json", type=Path, default=Path("gpu.json"), help="write all figures there"
    )
    parser.add_argument("--parts", nargs="+", choices=["train", "predict", "run"])
    parser.add_argument("--shape", default="1b7", choices=["mini", "560m", "1b7"])
    parser.add_argument("--runs", type=int, default=3, help="of each peer in training")
    parser.add_argument("--users", type=int, default=32, help="in prediction and in the run")
    parser.add_argument("--data", type=Path, help="folder of MovieLens, for the run")
    arguments = parser.parse_args()
    try:
        card = find_gpu()
    except GpuError as error:
        sys.exit(f"no GPU to measure: {error}")
    parts = arguments.parts or ["train", "predict", *(["run"] if arguments.data else [])]
    if "run" in parts and not arguments.data:
        sys.exit("the run needs a data set of MovieLens: --data FOLDER")
    shape, users = arguments.shape, arguments.users
    figures: dict[str, Any] = {"card": str(card), "date": time.strftime("%Y-%m-%d")}
    figures["torch"] = torch.__version__
    with TemporaryDirectory() as folder:
        weights = Path(folder)
        ways = {
            "train": lambda: train(shape, weights, arguments.runs),
            "predict": lambda: predict(shape, weights, users),
            "run": lambda: run(shape, weights, arguments.data, users),
        }
        for part in parts:
            start = time.perf_counter()
            try:
                figures[part] = ways[part]()
            except RuntimeError as error:
                figures[part] = {"error": str(error)}
            figures[f"{part} seconds"] = round(time.perf_counter() - start, 1)
            arguments.json.write_text(json.dumps(figures, indent=1))
            print(json.dumps({part: figures[part]}, indent=1), flush=True)


if __name__ == "__main__":
    main()
