"""Shows how far a long step has come: rate and remaining time, after three seconds."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


@contextmanager
def progress(stage: str, total: float | None, unit: str) -> Iterator["tqdm[None]"]:
    """A bar that the step advances by `update(n)`; it never appears in a step of under 3 s."""
    on_terminal = sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=f"  {stage:<10}",
        unit=f" {unit}",
        unit_scale=True,
        delay=3,
        mininterval=0.5 if on_terminal else 15,
        leave=False,
        dynamic_ncols=on_terminal,
    ) as bar:
        yield bar


def track(items: Iterable[T], stage: str, total: int, unit: str) -> Iterator[T]:
    """The items, one by one, with a progress bar."""
    with progress(stage, total, unit) as bar:
        for item in items:
            yield item
            bar.update(1)
