"""Folds of a file are taken as they are, or refused where they are no split in time."""

import datetime as dt
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings

from tasks.split.protocols import GivenFolds
from tasks.split.task import split_ratings
from tests.split.test_split import HAND, assign, of_dates, of_time, ratings, validated

KEY = ["user_id", "film_id"]
FOLD = ["train", "train", "test", "train", "validation", "test"]  # of HAND


def write(folder: Path, folds: pl.DataFrame) -> GivenFolds:
    folder.mkdir(exist_ok=True)
    folds.write_parquet(folder / "folds.parquet")
    return GivenFolds(folds=folder / "folds.parquet")


def of_hand(fold=FOLD) -> pl.DataFrame:
    return HAND.select(KEY).with_columns(fold=pl.Series(fold))


@settings(max_examples=30, deadline=None)
@given(ratings, of_time | of_dates)
def test_folds_of_another_protocol_given_in_any_order_are_assigned_again(rows, protocol):
    expected = assign(rows, protocol)
    with TemporaryDirectory() as folder:
        folds = expected.select(*KEY, pl.col("fold").cast(pl.String))
        found = assign(rows, write(Path(folder), folds.sort("film_id")))
    columns = [*rows.columns, "fold", "role"]
    assert found.select(columns).sort(KEY).equals(expected.select(columns).sort(KEY))
    for _, history in found.group_by("user_id"):
        assert sorted(history["position"]) == list(range(len(history)))


def test_equal_times_are_ordered_by_fold(tmp_path):
    at_once = HAND.with_columns(pl.lit(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)).alias("rated_at"))
    folds = of_hand(["test", "validation", "train"] * 2)
    found = assign(at_once.cast(HAND.schema), write(tmp_path, folds))
    assert found["fold"].to_list() == ["train", "validation", "test"] * 2


@pytest.mark.parametrize(
    ("folds", "error"),
    [
        (of_hand()[1:], "lacks 1 ratings, such as that of film 1 by user 1"),
        (pl.concat([of_hand(), of_hand()[:1]]), "names film 1 of user 1 twice"),
        (
            of_hand(["valid", *FOLD[1:]]),
            "no fold 'valid': there are train, validation, test, unused",
        ),
        (of_hand(["test", *FOLD[1:]]), "user 1 has ratings of fold train that are younger"),
    ],
)
def test_a_file_is_refused_that_is_no_split_in_time(tmp_path, folds, error):
    with pytest.raises(ValueError, match=error):
        assign(HAND, write(tmp_path, folds))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no file of folds .*none\.parquet: set split\.folds"):
        _ = GivenFolds(folds=tmp_path / "none.parquet").name


def test_name_and_fingerprint_follow_what_the_file_says_not_where_it_lies(store, tmp_path):
    here, there = (write(tmp_path / name, of_hand()) for name in ("here", "there"))
    other = write(tmp_path / "other", of_hand(["unused", *FOLD[1:]]))
    splits = [
        split_ratings.fn(validated(store, HAND), config=config, store=store)
        for config in (here, there, other)
    ]
    assert splits[0].fingerprint == splits[1].fingerprint != splits[2].fingerprint
    assert here.name == there.name != other.name
    assert splits[0].metadata["ratings"] == {
        "test target": 2, "train context": 3, "validation target": 1
    }  # fmt: skip
