"""Tries the base model on a few examples: seconds of each, tokens, and peak memory."""

import time
from collections.abc import Callable, Sequence, Sized
from typing import TypeVar

import numpy as np
import torch

from tasks.forecast.config import Trial
from tasks.nn.examples import Example, Examples
from tasks.store.resource_usage import measure_usage

T = TypeVar("T", bound=Sized)


def sample(examples: Examples, size: int) -> list[Example]:
    """So many examples, spread evenly over all, or all."""
    places = np.linspace(0, len(examples) - 1, min(size, len(examples))).astype(int)
    return examples.take(np.unique(places))


def try_out(
    work: Callable[[Sequence[T]], object],
    examples: Sequence[T],
    at_once: int,
    limit: float,
    tokens: Callable[[T], int] = len,
) -> Trial:
    """Work on batches of examples, on all at most, for about `limit` seconds.

    A batch has as many as are done in a third of them, at most `at_once`. A first one warms up:
    kernels are chosen and compiled.
    """
    _reset_peak()
    with measure_usage() as usage:
        size = fitting_size(work, examples, at_once, limit / 3)
        counted, seconds = 0, 0.0
        for start in range(0, len(examples), size):
            batch = examples[start : start + size]
            seconds += _time(work, batch)
            counted += len(batch)
            if seconds > limit / 3:
                break
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else usage["peak_bytes"]
    return Trial(float(np.mean([tokens(e) for e in examples])), seconds / counted, int(peak))


def fitting_size(
    work: Callable[[Sequence[T]], object], examples: Sequence[T], at_once: int, limit: float
) -> int:
    """How many examples are done in about `limit` seconds, by doubling; two, or one, at least."""
    most = min(at_once, len(examples))
    size = min(2, most)
    _time(work, examples[:size])
    while _time(work, examples[:size]) < limit / 2 and size < most:
        size = min(2 * size, most)
    return size


def _time(work: Callable[[Sequence[T]], object], batch: Sequence[T]) -> float:
    """Seconds until the device has done it."""
    start = time.perf_counter()
    work(batch)
    if torch.cuda.is_available():  # which works on while Python goes ahead
        torch.cuda.synchronize()
    return time.perf_counter() - start


def with_branches(example: Example, count: int) -> Example:
    """The example with so many branches, its own in turn, as a user's candidates are read."""
    spans, n = example.spans, len(example.branches)
    own = [np.flatnonzero(spans.branch == branch) for branch in range(n)]
    rows = np.concatenate([own[i % n] for i in range(count)])
    branch = np.concatenate([np.full(len(own[i % n]), i) for i in range(count)])
    unrated = np.full(len(rows), np.nan, np.float32)
    chosen = type(spans)(branch, spans.start[rows], spans.end[rows], unrated, spans.log_prior[rows])
    return Example(example.prefix, [example.branches[i % n] for i in range(count)], chosen)


def _reset_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
