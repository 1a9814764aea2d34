"""Tells how far a long step has come: a bar on a terminal, and a line a minute in the log."""

import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)
EVERY = 60.0  # seconds between two lines
T = TypeVar("T")


class Progress:
    """How much of a step is done; `figures` of where it stands are shown beside that.

    `done` is what an earlier process did. A line is logged `every` so many seconds, with the rate
    since the last one.
    """

    def __init__(
        self,
        stage: str,
        total: float | None,
        unit: str,
        done: float,
        bar: "tqdm[None]",
        every: float,
    ) -> None:
        self.stage, self.total, self.unit = stage, total, unit
        self.n = self._logged = done
        self.figures: Mapping[str, str] = {}
        self._bar, self._every, self._at = bar, every, time.monotonic()

    def update(self, n: float) -> None:
        """Advance by `n`."""
        self.n += n
        self._bar.set_postfix(self.figures, refresh=False)
        self._bar.update(n)
        if (seconds := time.monotonic() - self._at) >= self._every:
            log.info("%s", self._line((self.n - self._logged) / max(seconds, 1e-9)))
            self._logged, self._at = self.n, self._at + seconds

    def _line(self, rate: float) -> str:
        """`train: 1,200 of 4,800 tok (25 %), 40 tok/s, 90 min left, loss 1.23`."""
        total = f" of {self.total:,.0f}" if self.total else ""
        share = f" ({self.n / self.total:.0%})".replace("%", " %") if self.total else ""
        parts = [f"{self.n:,.0f}{total} {self.unit}{share}"]
        parts.append(f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.2g} {self.unit}/s")
        if self.total and rate:
            parts.append(f"{duration((self.total - self.n) / rate)} left")
        parts += [f"{name} {value}" for name, value in self.figures.items()]
        return f"{self.stage}: {', '.join(parts)}"


@contextmanager
def progress(
    stage: str, total: float | None, unit: str, *, done: float = 0, silent: bool = False
) -> Iterator[Progress]:
    """What the step advances by `update(n)`; its bar never appears in a step of under 3 s.

    With `silent` there is neither bar nor line.
    """
    with tqdm(
        total=total,
        initial=done,
        desc=f"  {stage:<10}",
        unit=f" {unit}",
        unit_scale=True,
        delay=3,
        mininterval=0.5,
        leave=False,
        dynamic_ncols=True,
        disable=silent or not sys.stderr.isatty(),
    ) as bar:
        yield Progress(stage, total, unit, done, bar, math.inf if silent else EVERY)


def track(items: Iterable[T], stage: str, total: int, unit: str) -> Iterator[T]:
    """The items, one by one, with their progress."""
    with progress(stage, total, unit) as bar:
        for item in items:
            yield item
            bar.update(1)


def duration(seconds: float) -> str:
    """In the largest unit of which there are some: `80 s`, `45 min`, `2.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
