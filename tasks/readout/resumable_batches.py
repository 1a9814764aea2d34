"""Cuts a night's work into batches, each finished or done again, by whoever is there for it."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from tasks.executor import Executor
from tasks.progress import progress
from tasks.store.artifacts import Prompts

COLUMNS = [
    "example",
    "user_id",
    "fold",
    "kind",
    "film_ids",
    "ratings",
    "prefix_tokens",
    "branch_tokens",
    "spans",
]


class Batch(NamedTuple):
    """Some examples of one shard, one fold and one kind."""

    name: str
    kind: str
    examples: pa.Table


Make = Callable[[Batch], pl.DataFrame]
RATE = (("rate", "validation"), ("rate", "test"))  # kind and fold of the examples
LISTS = (("recommend", "test"),)


class Work(NamedTuple):
    """What is to be made of prompts: `load(*of)` binds a model and the like in each process."""

    stage: str
    prompts: Prompts
    users_per_batch: int
    load: Callable[..., Make]
    of: tuple[Any, ...]  # hashable
    wanted: Sequence[tuple[str, str]] = RATE  # kinds and folds
    more: Sequence[str] = ()  # columns that are wanted beside those of tokens

    def batches(self) -> Iterator[Batch]:
        """The wanted examples, at most `users_per_batch` at a time."""
        return batches_of(self.prompts, self.users_per_batch, self.wanted, self.more)


def batches_of(
    prompts: Prompts,
    users: int,
    wanted: Sequence[tuple[str, str]],
    more: Sequence[str] = (),
) -> Iterator[Batch]:
    """Examples of the wanted kinds and folds, at most `users` at a time.

    `more` names columns beside those of tokens.
    """
    for shard, file in enumerate(prompts.files("examples")):
        for kind, fold in wanted:
            rows = (pc.field("fold") == fold) & (pc.field("kind") == kind)
            table = pq.read_table(file, columns=[*COLUMNS, *more], filters=rows)
            for first in range(0, len(table), users):
                name = f"{kind}-{fold}-{shard:05}-{first:06}.parquet"
                yield Batch(name, kind, table.slice(first, users))


def finish_all(folder: Path, work: Work, workers: int, executor: Executor) -> None:
    """Leave every batch in the folder; those that are there already are left alone.

    They are made by the workers of a cluster, or here by so many processes. Each has as many
    threads as this one, so that no sum depends on who makes it; several GPUs are shared
    out among the processes.
    Raises RuntimeError where a worker ends before its work does.
    """
    folder.mkdir(exist_ok=True)
    sizes = {batch.name: len(batch.examples) for batch in work.batches()}
    with progress(work.stage, sum(sizes.values()), "users") as bar:
        if executor.is_remote:
            _finish_elsewhere(folder, work, bar.update, executor)
            return
        if workers == 1:
            _finish(folder, work, bar.update)
            return
        context, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
        share = [(folder, work, worker, workers, threads) for worker in range(workers)]
        running = [context.Process(target=_work, args=args, daemon=True) for args in share]
        for process in running:
            process.start()
        while any(process.is_alive() for process in running):
            time.sleep(0.1)
            bar.update(sum(sizes[n] for n in sizes if (folder / n).exists()) - bar.n)
            if any(process.exitcode for process in running):
                break
    if failed := [process.exitcode for process in running if process.exitcode]:
        for process in running:
            process.terminate()
        raise RuntimeError(f"a worker ended with exit code {failed[0]}: a rerun goes on from there")


def joined(folder: Path, kind: str, schema: pl.Schema) -> pl.DataFrame:
    """All finished batches of a kind."""
    files = sorted(folder.glob(f"{kind}-*.parquet"))
    return pl.concat([pl.read_parquet(file, glob=False) for file in files] or [schema.to_frame()])


def _work(folder: Path, work: Work, worker: int, workers: int, threads: int) -> None:
    """One process's share. It ends when nobody is left who waits for it."""
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(worker % torch.cuda.device_count())
    _finish(folder, work, lambda _: None, worker, workers)


def _finish(
    folder: Path, work: Work, done: Callable[[int], object], worker: int = 0, workers: int = 1
) -> None:
    make, parent = None, os.getppid()
    for place, batch in enumerate(work.batches()):
        if place % workers == worker and not (folder / batch.name).exists():
            make = make or work.load(*work.of)
            finish_batch(folder, batch, make)
        if os.getppid() != parent:
            return
        done(len(batch.examples))


def _finish_elsewhere(
    folder: Path, work: Work, done: Callable[[int], object], executor: Executor
) -> None:
    """Parts travel there, without the rest of the shard that they are views of, and come made."""
    make = partial(_made_elsewhere, work.load, work.of, torch.get_num_threads())
    missing = (batch for batch in work.batches() if not (folder / batch.name).exists())
    alone = (p._replace(examples=p.examples.take(np.arange(len(p.examples)))) for p in missing)
    for name, table in executor.map_ordered(make, alone):
        _put(folder, name, table)
        done(table["user_id"].n_unique())


def _made_elsewhere(
    load: Callable[..., Make], of: tuple[Any, ...], threads: int, batch: Batch
) -> tuple[str, pl.DataFrame]:
    torch.set_num_threads(threads)
    return batch.name, _loaded(load, of)(batch)


@lru_cache(1)
def _loaded(load: Callable[..., Make], of: tuple[Any, ...]) -> Make:
    """A worker has the model of the last batch at hand."""
    return load(*of)


def finish_batch(folder: Path, batch: Batch, make: Make) -> None:
    """Make the batch's table and put it in the folder."""
    _put(folder, batch.name, make(batch))


def _put(folder: Path, name: str, table: pl.DataFrame) -> None:
    """Whole or not at all."""
    unfinished = folder / f".{name}.{os.getpid()}"
    table.write_parquet(unfinished)
    unfinished.rename(folder / name)
