"""Recognises that memory ran out, and runs work again in smaller parts."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
# torch's allocator on a CPU raises a plain RuntimeError: on Linux, and on Windows and macOS.
CPU_MESSAGES = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is CUDA's error, Python's MemoryError or the message of torch on a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in CPU_MESSAGES)


def run_with_oom_split(items: Sequence[T], run: Callable[[Sequence[T]], R]) -> Iterator[R]:
    """`run(items)`, or where memory runs out, that of either half, down to single items."""
    try:
        result = run(items)
    except (RuntimeError, MemoryError) as error:
        if len(items) == 1 or not is_out_of_memory(error):
            raise
    else:
        yield result
        return
    # Outside of `except`: the error's traceback keeps the tensors of the failed run alive.
    middle = len(items) // 2
    yield from run_with_oom_split(items[:middle], run)
    yield from run_with_oom_split(items[middle:], run)
