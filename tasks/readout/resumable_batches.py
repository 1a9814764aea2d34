"""Does a stage's work batch by batch: one is finished or done again, here or on a cluster."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from tasks.executor import Executor
from tasks.progress import Progress, progress
from tasks.readout.batches import RATE, SUFFIX, Batch, iter_batches
from tasks.store.artifacts import Prompts
from tasks.store.checksum import commit_file, discard_damaged, read_file

MakeTable = Callable[[Batch], pl.DataFrame]


class BatchJob(NamedTuple):
    """A table to make of each batch; `load(*inputs)` loads the model, once per process."""

    stage: str
    prompts: Mapping[str, Prompts]  # by the role of their films
    users_per_batch: int
    load: Callable[..., MakeTable]
    inputs: tuple[Any, ...]  # hashable
    selection: Sequence[tuple[str, str]] = RATE  # kinds and folds
    extra_columns: Sequence[str] = ()  # beside COLUMNS

    def batches(self) -> Iterator[Batch]:
        """The selected examples, of at most `users_per_batch` users at a time."""
        return iter_batches(self.prompts, self.users_per_batch, self.selection, self.extra_columns)


def finish_batches(folder: Path, job: BatchJob, workers: int, executor: Executor) -> None:
    """Write a file per batch into the folder; existing files are kept, unless they are damaged.

    Batches are shared among the workers of a cluster, or among `workers` processes here, and
    their GPUs. Each has as many threads as this process, because sums depend on threads.
    Raises RuntimeError where a process fails.
    """
    folder.mkdir(exist_ok=True)
    for file in folder.glob(f"*{SUFFIX}"):
        discard_damaged(file)
    sizes = {batch.name: batch.users for batch in job.batches()}
    with progress(job.stage, sum(sizes.values()), "users") as bar:
        if executor.is_remote:
            _run_on_cluster(folder, job, bar.update, executor)
        elif workers == 1:
            _run(folder, job, bar.update)
        else:
            _run_in_processes(folder, job, workers, sizes, bar)


def read_batches(folder: Path, kind: str, schema: pl.Schema) -> pl.DataFrame:
    """All finished batches of a kind. Raises DamagedFileError where one differs from its hash."""
    files = sorted(folder.glob(f"{kind}-*{SUFFIX}"))
    return pl.concat([pl.read_parquet(read_file(file)) for file in files] or [schema.to_frame()])


def _run(
    folder: Path,
    job: BatchJob,
    report: Callable[[int], object],
    worker: int = 0,
    workers: int = 1,
) -> None:
    """Make every `workers`-th batch. Ends early where the parent process has died."""
    make, parent = None, os.getppid()
    for number, batch in enumerate(job.batches()):
        if number % workers == worker and not (folder / batch.name).exists():
            make = make or job.load(*job.inputs)
            _write(folder, batch.name, make(batch))
        if os.getppid() != parent:
            return
        report(batch.users)


def _run_in_processes(
    folder: Path,
    job: BatchJob,
    workers: int,
    sizes: dict[str, int],
    bar: Progress,
) -> None:
    context, threads = multiprocessing.get_context("spawn"), torch.get_num_threads()
    arguments = [(folder, job, worker, workers, threads) for worker in range(workers)]
    processes = [context.Process(target=_process, args=a, daemon=True) for a in arguments]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        time.sleep(0.1)
        bar.update(sum(sizes[n] for n in sizes if (folder / n).exists()) - bar.n)
        if any(process.exitcode for process in processes):
            break
    if failed := [process.exitcode for process in processes if process.exitcode]:
        for process in processes:
            process.terminate()
        raise RuntimeError(
            f"a worker process ended with exit code {failed[0]}: see above; a rerun continues "
            "with the batches that are missing"
        )


def _process(folder: Path, job: BatchJob, worker: int, workers: int, threads: int) -> None:
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(worker % torch.cuda.device_count())
    _run(folder, job, lambda _: None, worker, workers)


def _run_on_cluster(
    folder: Path, job: BatchJob, report: Callable[[int], object], executor: Executor
) -> None:
    make = partial(_make_remotely, job.load, job.inputs, torch.get_num_threads())
    missing = (batch for batch in job.batches() if not (folder / batch.name).exists())
    # Copied: a slice would be pickled with the whole shard.
    copies = (b._replace(examples=b.examples.take(np.arange(len(b.examples)))) for b in missing)
    for name, table in executor.map_ordered(make, copies):
        _write(folder, name, table)
        report(table["user_id"].n_unique())


def _make_remotely(
    load: Callable[..., MakeTable], inputs: tuple[Any, ...], threads: int, batch: Batch
) -> tuple[str, pl.DataFrame]:
    torch.set_num_threads(threads)
    return batch.name, _loaded(load, inputs)(batch)


@lru_cache(1)
def _loaded(load: Callable[..., MakeTable], inputs: tuple[Any, ...]) -> MakeTable:
    """A worker keeps the model of its last batch."""
    return load(*inputs)


def _write(folder: Path, name: str, table: pl.DataFrame) -> None:
    """Write to a temporary name, add the hash and rename: a file is complete or absent."""
    unfinished = folder / f".{name}.{os.getpid()}"
    table.write_parquet(unfinished)
    commit_file(unfinished, folder / name)
