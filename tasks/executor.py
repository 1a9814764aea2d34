"""Who works on the shards of a room: threads of this machine, or the workers of a Dask cluster."""

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
from tasks.store.store import Store

T = TypeVar("T")
R = TypeVar("R")
Work = Callable[[T], R]
# A setting: where a Dask scheduler is, such as tcp://10.0.0.1:8786. It changes no byte of a result,
# so it is not kept with one.
Address = Annotated[str | None, pydantic.Field(exclude=True)]
PACKAGES = ("duckdb", "numpy", "polars", "pyarrow", "torch", "transformers")


class ClusterError(Exception):
    """Nobody answers at the address of a cluster, or its workers are not as they must be."""


@dataclass(frozen=True)
class Crew:
    """Takes `size` items at a time. On a cluster, work and items travel as pickles."""

    submit: Callable[[Work[Any, Any], Any], Any]  # returns a future
    size: int
    elsewhere: bool

    def each(self, work: Work[T, R], items: Iterable[T]) -> Iterator[R]:
        """`work(item)` of each item, in the items' order.

        One item more than can be worked on is under way, so that nobody waits for the next; what
        is held here does not grow with the number of items.
        """
        ahead: deque[Any] = deque()
        for item in items:
            ahead.append(self.submit(work, item))
            if len(ahead) > self.size:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@dataclass(frozen=True)
class Cluster:
    """Workers whose code is this night's, and who have at hand what their work reads."""

    client: Any
    store: Store
    needs: Sequence[Artifact]

    @property
    def workers(self) -> list[str]:
        """Their addresses."""
        return sorted(self.client.nthreads())

    def submit(self, work: Work[T, R], item: T, worker: str | None = None) -> Any:  # noqa: ANN401
        """A future of `work(item)`, by whom it may be or by that worker.

        Where a worker dies, another begins the item anew.
        """
        told = (self.store, self.needs, work, _bound_to(work), item)
        return self.client.submit(_there, *told, workers=worker, pure=False)


@contextmanager
def crew(threads: int, address: Address, store: Store, needs: Sequence[Artifact]) -> Iterator[Crew]:
    """So many threads; or all workers of the cluster at an address, whose work reads `needs`.

    Raises ClusterError as `cluster` does.
    """
    if address is None:
        with ThreadPoolExecutor(threads) as pool:
            yield Crew(pool.submit, threads, elsewhere=False)
    else:
        with cluster(address, store, needs) as workers:
            yield Crew(workers.submit, len(workers.workers), elsewhere=True)


@contextmanager
def cluster(address: str, store: Store, needs: Sequence[Artifact]) -> Iterator[Cluster]:
    """The workers of the Dask scheduler there.

    Raises ClusterError where nobody answers, or a worker has more than one thread: torch's sums
    would depend on who works beside whom.
    """
    import dask
    from prefect_dask.task_runners import DaskTaskRunner

    # Items are as large as shards, on purpose: kept with their task, they outlive a worker.
    quiet = {"distributed.admin.large-graph-warning-threshold": "10 GB"}
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(quiet))
        try:
            client = stack.enter_context(DaskTaskRunner(address=address)).client
            client.wait_for_workers(1, timeout=30)
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"no Dask scheduler with workers answers at {address} ({error}): start them as "
                "docs/scale.md says, or leave `cluster` out"
            ) from None
        if many := {worker: n for worker, n in client.nthreads().items() if n != 1}:
            raise ClusterError(f"workers need one thread each, and there are {many}: --nthreads 1")
        yield Cluster(client, store, tuple(needs))


def _there(store: Store, needs: Sequence[Artifact], work: Work[T, R], bound_to: str, item: T) -> R:
    """An item worked on where a worker is."""
    if (own := _bound_to(work)) != bound_to:
        raise ClusterError(f"a worker has {own} where this night has {bound_to}: make them alike")
    for artifact in needs:
        if not artifact.path.exists():
            store.here(artifact)
    return work(item)


def _bound_to(work: Work[Any, Any]) -> str:
    """The code and the packages that the bytes of a result hang on."""
    code = code_version(work.func if isinstance(work, partial) else work)
    return f"code {code}, {_packages()}"


@cache
def _packages() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)
