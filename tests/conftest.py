"""What tests of several rooms share: an empty store, the real data, a cluster of two workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from tasks.store import Store

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
def cluster() -> Iterator[LocalCluster]:
    """A Dask scheduler on loopback, with two workers that are processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started:
        yield started
