"""Real ratings, as the pipeline validates and splits them, equal timestamps by film id."""

from pathlib import Path

import pytest

from tasks.ingest.task import Ingest, ingest_ratings
from tasks.split.task import LeaveLast, split_ratings
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.task import Validate, validate_ratings

Data = tuple[ValidatedRatings, SplitRatings]


def prepare(store: Store, folder: Path) -> Data:
    """Ingest, validate and split the ratings of a folder."""
    raw = ingest_ratings.fn(config=Ingest(data=str(folder)), store=store)
    ratings = validate_ratings.fn(raw, config=Validate(), store=store)
    return ratings, split_ratings.fn(ratings, config=LeaveLast(ties="film"), store=store)


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all tests of baselines."""
    return Store(tmp_path_factory.mktemp("baselines"))


@pytest.fixture(scope="session")
def small(shared_store: Store, ml_latest_small: Path) -> Data:
    """ml-latest-small."""
    return prepare(shared_store, ml_latest_small)


@pytest.fixture(scope="session")
def hundred_k(shared_store: Store, ml_100k: Path) -> Data:
    """MovieLens-100K."""
    return prepare(shared_store, ml_100k)
