"""Recognises that memory ran out, and runs work in parts as large as memory holds."""

import itertools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
# What is no torch.OutOfMemoryError: of torch's allocator on a CPU, on Linux, and on Windows and
# macOS; of what CUDA and its libraries allocate beside torch's allocator.
MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is CUDA's error, Python's MemoryError or the message of torch on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in MESSAGES)


class MemoryLimit:
    """How many tokens are run at once: what memory holds, learnt where it runs out."""

    def __init__(self) -> None:
        self.tokens = math.inf

    def run(
        self,
        items: Sequence[T],
        run: Callable[[Sequence[T]], R],
        tokens: Callable[[T], int],
        at_once: int,
        budget: float = math.inf,
    ) -> Iterator[R]:
        """`run` of neighbouring items: at most `at_once`, with at most `budget` tokens, or of one.

        Where memory runs out, of half as many, and from then on of no more tokens than these.
        Raises the error where a single item does not fit.
        """
        first = 0
        while first < len(items):
            most = min(budget, self.tokens)
            part = _first_items(items[first : first + at_once], tokens, most)
            try:
                result = run(part)
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
            else:
                yield result
                first += len(part)
                continue
            # Outside of `except`: the error's traceback keeps the tensors of the failed run alive.
            self.tokens = sum(map(tokens, part[: math.ceil(len(part) / 2)]))
            log.warning("out of memory: at most %d tokens at once from here", self.tokens)


def _first_items(items: Sequence[T], tokens: Callable[[T], int], most: float) -> Sequence[T]:
    """The first items, of so many tokens together, and at least one."""
    ends = itertools.accumulate(map(tokens, items))
    return items[: max(1, sum(end <= most for end in ends))]
