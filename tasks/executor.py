"""Runs a function over shards, on threads of this machine or on the workers of a Dask cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import Annotated, Any, TypeVar

import pydantic

from tasks.store.artifacts import Artifact
from tasks.store.code_version import code_version
from tasks.store.private import keep_private
from tasks.store.store import Store

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T], R]
# A setting: the address of a Dask scheduler, such as tcp://10.0.0.1:8786. It changes no byte of a
# result, so no recipe holds it.
DaskAddress = Annotated[str | None, pydantic.Field(exclude=True)]
PACKAGES = ("duckdb", "numpy", "polars", "pyarrow", "torch", "transformers")


class ClusterError(Exception):
    """No scheduler answers, or its workers differ from what the run needs."""


@dataclass(frozen=True)
class Executor:
    """Works on `size` items at once. With `is_remote`, work and items are pickled to workers."""

    submit: Callable[[Work[Any, Any], Any], Any]  # returns a future
    size: int
    is_remote: bool

    def map_ordered(self, work: Work[T, R], items: Iterable[T]) -> Iterator[R]:
        """`work(item)` of each item, in the items' order.

        `size` + 1 items are submitted at a time: no worker waits for the next, and memory does not
        grow with the number of items.
        """
        futures: deque[Any] = deque()
        for item in items:
            futures.append(self.submit(work, item))
            if len(futures) > self.size:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()


@dataclass(frozen=True)
class Cluster:
    """Dask workers that have this run's code, and local copies of `inputs`."""

    client: Any
    store: Store
    inputs: Sequence[Artifact]

    @property
    def workers(self) -> list[str]:
        """Their addresses."""
        return sorted(self.client.nthreads())

    def submit(self, work: Work[T, R], item: T, worker: str | None = None) -> Any:  # noqa: ANN401
        """A future of `work(item)`, on that worker or on any.

        Where a worker dies, another one starts the item again.
        """
        arguments = (self.store, self.inputs, work, environment_id(work), item)
        return self.client.submit(_run_on_worker, *arguments, workers=worker, pure=False)


@contextmanager
def open_executor(
    threads: int, address: DaskAddress, store: Store, inputs: Sequence[Artifact]
) -> Iterator[Executor]:
    """Threads of this process, or with an address all workers of that cluster.

    `inputs` are what the work reads: they are copied to each worker before its first item.
    Raises ClusterError as `connect_cluster` does.
    """
    if address is None:
        with ThreadPoolExecutor(threads) as pool:
            yield Executor(pool.submit, threads, is_remote=False)
    else:
        with connect_cluster(address, store, inputs) as cluster:
            yield Executor(cluster.submit, len(cluster.workers), is_remote=True)


@contextmanager
def connect_cluster(address: str, store: Store, inputs: Sequence[Artifact]) -> Iterator[Cluster]:
    """The workers of the Dask scheduler at an address.

    Raises ClusterError where none answers within 30 s, or a worker has more than one thread:
    torch's thread count is the process's, and the order of its sums depends on it.
    """
    import dask
    from distributed import Client

    # Items are as large as shards, on purpose: kept with their task, they outlive a worker.
    quiet = {"distributed.admin.large-graph-warning-threshold": "10 GB"}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(quiet))
        try:
            client = stack.enter_context(Client(address))
            client.wait_for_workers(1, timeout=30)
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"no Dask scheduler with workers answers at {address} ({error}): start them as "
                "docs/scale.md says, or leave `dask_address` out"
            ) from None
        if many := {worker: n for worker, n in client.nthreads().items() if n != 1}:
            raise ClusterError(
                f"workers need one thread each, found {many}: start them with --nthreads 1"
            )
        yield Cluster(client, store, tuple(inputs))


def environment_id(work: Work[Any, Any]) -> str:
    """The versions of code and packages that decide the bytes of a result."""
    code = code_version(work.func if isinstance(work, partial) else work)
    return f"code {code}, {_package_versions()}"


def _run_on_worker(
    store: Store, inputs: Sequence[Artifact], work: Work[T, R], expected: str, item: T
) -> R:
    """Raises ClusterError where the worker's environment differs from the run's."""
    if (found := environment_id(work)) != expected:
        raise ClusterError(f"a worker has {found}, this run has {expected}: update the worker")
    keep_private(store.root)
    for artifact in inputs:
        if artifact.path.is_relative_to(store.root) or not artifact.path.exists():
            store.ensure_local(artifact)
    return work(item)


@cache
def _package_versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)
