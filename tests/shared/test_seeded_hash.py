"""What a seed decides is the same for ever: these values never change."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from tasks.bootstrap import Resamples
from tasks.seeded_hash import _mix, hash_integers, permute, uniform
from tasks.split.folds import user_uniform
from tasks.split.legacy import Legacy
from tasks.split.protocols import LeaveLast

ROOT = Path(__file__).parents[2]
BOUND_TO_A_VERSION = re.compile(
    r"\.hash\(|\.hash_rows\(|\.sample\(|\.shuffle\(|default_rng|np\.random\.(?!PCG64)"
)
PINNED_HASHES = [
    10542106107015593238,
    6141948449983514299,
    8621719382249335826,
    1646591716945349332,
]
PINNED_PAIRS = [17826611743931926952, 15534558920306683305]
PINNED_UNIFORM = [0.6925502603457154, 0.9114539297501361]
PINNED_ORDER = [2, 7, 0, 4, 3, 5, 1, 6]
PINNED_USERS = [6, 7, 10, 71, 77, 80, 112, 145, 153]
PINNED_TIES = [3, 2, 10, 12, 1, 6, 7, 11, 4, 8, 9, 5]
PINNED_BEST = [11, 10]
PINNED_COUNTS = [[1, 1, 1, 1, 1, 1, 1, 1], [2, 0, 1, 0, 1, 2, 1, 1], [2, 1, 0, 0, 1, 1, 2, 1]]
MOMENT = pl.lit(0).cast(pl.Datetime("us", "UTC"))


def history(user=7, films=12):
    """A user's ratings of one moment."""
    rows = {
        "user_id": [user] * films,
        "film_id": list(range(1, 1 + films)),
        "rating": [3.0] * films,
    }
    types = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32}
    return pl.DataFrame(rows, schema=types).with_columns(rated_at=MOMENT)


def test_mixing_is_that_of_splitmix64():
    # The first number of the reference implementation for the seed 1234567.
    assert _mix(np.array([1234567], np.uint64)).tolist() == [6457827717110365317]


def test_hashes_never_change():
    assert hash_integers(0, "ties", [0, 1, 2147483647, -1]).tolist() == PINNED_HASHES
    assert hash_integers(0, "pairs", [1, 2], [2, 1]).tolist() == PINNED_PAIRS
    assert uniform(3, "share", np.array([1, 2], np.int32)).tolist() == PINNED_UNIFORM
    assert permute(8, 0, "sample").tolist() == PINNED_ORDER


def test_folds_and_ties_never_change():
    users = pl.DataFrame({"user_id": pl.Series(range(1, 200), dtype=pl.Int32)})
    held = users.filter(user_uniform(0) < 0.05)["user_id"].to_list()
    assert held == PINNED_USERS
    rows = history()
    ordered = LeaveLast(n=2).make_assigner(rows.lazy())(rows)
    assert ordered["film_id"].to_list() == PINNED_TIES
    chosen = Legacy(over=1, top=6, answers=2).make_assigner(rows.lazy())(rows)
    assert chosen.filter(role="target")["film_id"].to_list() == PINNED_BEST


def test_resamples_never_change():
    assert Resamples(8, 2, seed=0).counts.tolist() == PINNED_COUNTS


@given(st.integers(0, 9), st.text(max_size=5), st.integers(1, 300))
def test_a_permutation_has_every_number_once(seed, purpose, size):
    assert sorted(permute(size, seed, purpose)) == list(range(size))


@pytest.mark.parametrize("other", [(1, "ties"), (0, "folds")])
def test_seeds_and_purposes_are_independent(other):
    keys = np.arange(100_000)
    one, two = uniform(0, "ties", keys), uniform(*other, keys)
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02  # six standard deviations
    assert kstest(two, "uniform").pvalue > 1e-4


def test_nothing_that_decides_a_fold_a_tie_or_a_sample_is_bound_to_a_version():
    folders = [ROOT / "tasks" / name for name in (".", "split", "audit", "score")]
    files = [file for folder in folders for file in folder.glob("*.py")]
    found = {
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in files
        for line in file.read_text().splitlines()
        if BOUND_TO_A_VERSION.search(line)
    }
    assert len(files) > 30
    assert not found


def test_a_users_number_depends_on_no_other_row():
    ids = [3, 3, 1, 2, 2, 3]
    found = pl.DataFrame({"user_id": ids}).select(user_uniform(0)).to_series().to_list()
    assert found == uniform(0, "fold of a user", ids).tolist()
