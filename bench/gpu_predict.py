"""Reads ratings and candidates by one way of attention; prints users, tokens and peak memory."""

import argparse
import json
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.train_samples import SHAPES, Shape, new_model
from tasks.hub import best_device
from tasks.nn import free_memory
from tasks.nn.examples import Example, SupervisedSpans
from tasks.nn.forward import dense_hidden_states
from tasks.nn.out_of_memory import is_out_of_memory
from tasks.readout import inference
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie

# Half stars as BLOOM spells them, in three tokens: "3", ".", "5".
HALVES = RatingTrie(
    tuple(n / 2 for n in range(1, 11)), tuple((10 + n // 2, 20, 30 + n % 2) for n in range(1, 11))
)
RATED, CANDIDATES = 10, 100
LINEAR = 12 * 24 * 2048**2  # weights of the layers of 1b7, which every token passes


def histories(shape: Shape, users: int, branches: int) -> list[Example]:
    """A context of each user, and films to rate behind it."""
    draw = np.random.default_rng(0)
    line = shape.line + shape.rating + 1
    none = np.zeros((branches, 0), np.float32)
    index, end = np.arange(branches), np.full(branches, shape.line)
    spans = SupervisedSpans(index, end, end, np.full(branches, np.nan, np.float32), none)
    return [
        Example(
            draw.integers(100, shape.vocabulary, shape.films * line),
            list(draw.integers(100, shape.vocabulary, (branches, shape.line))),
            spans,
        )
        for _ in range(users)
    ]


def together(rated: Example, candidates: Example) -> Questions:
    """All that a run reads of a user: targets, candidates and their likelihoods in one row."""
    same = replace(candidates, prefix=rated.prefix)
    return Questions([rated, same], [same])


def measure(reader: Reader, users: list[Questions]) -> dict[str, Any]:
    """Users and tokens a second of the best run, seconds of the first, and the peak."""
    tokens, seconds = sum(len(reader.pack(user)) for user in users), []
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        start = time.perf_counter()
        reader.read_users(users)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    best = min(seconds[1:])
    return {
        "users_per_second": len(users) / best,
        "tokens_per_second": tokens / best,
        "linear_tflops": 2 * LINEAR * tokens / best / 1e12,
        "tokens_per_user": tokens / len(users),
        "first_seconds": seconds[0],
        "peak_gb": torch.cuda.max_memory_allocated() / 1e9,
        "bytes_beside_weights": torch.cuda.max_memory_allocated() - before,
    }


def main() -> None:
    """Print figures of rate, candidates, likelihood and user; null where memory runs out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=["flex", "dense"])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("weights", type=Path, help="a folder for the random weights")
    parser.add_argument("users", type=int)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    shape = SHAPES[arguments.shape]
    model = new_model(shape, arguments.weights).merge_and_unload().eval()
    if arguments.way == "dense":
        for module, name, value in (
            (inference, "hidden_states", dense_hidden_states),
            (free_memory, "attends_densely", lambda _model: True),
        ):
            setattr(module, name, value)
    reader = Reader(model, HALVES, Inference(pack_length=512))
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(best_device())}
    rated, candidates = (histories(shape, arguments.users, n) for n in (RATED, CANDIDATES))
    for name, users in (
        ("rate", [Questions([one]) for one in rated]),
        ("candidates", [Questions([one]) for one in candidates]),
        ("likelihood", [Questions([], [one]) for one in candidates]),
        ("user", [together(*pair) for pair in zip(rated, candidates, strict=True)]),
    ):
        try:
            found[name] = measure(reader, users)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            found[name] = None
    print(json.dumps(found))


if __name__ == "__main__":
    main()
