"""What tests of several rooms share: an empty store, the real data, a cluster of two workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store import Store
from tests.servers import dask_workers, scheduler

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store of its own for each test."""
    return Store(tmp_path)


@pytest.fixture(scope="session")
def ml_latest_small() -> Path:
    """The folder of the real ml-latest-small; tests that need it are skipped where it is not."""
    folder = SHARED / "ml-latest-small"
    if not folder.is_dir():
        pytest.skip(
            f"no real data at {folder.name}: put GroupLens' ml-latest-small beside the project"
        )
    return folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler(folder) as address, dask_workers(address, folder):
        yield address
