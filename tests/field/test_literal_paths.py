"""A path is a name: glob characters, quotes and blanks in it mean nothing."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from tasks.ingest.task import Ingest, ingest_ratings
from tasks.split.task import LeaveLast, split_ratings
from tasks.store.store import Store
from tasks.validate.task import Validate, validate_ratings

ODD = "it's [a] *dir? :b %s 電影"
DECOY = "it's a Xdir! :b %s 電影"  # what the odd name matches as a pattern
MOVIES = "movieId,title,genres\n" + "".join(f"{n},Film {n} (1995),Drama\n" for n in range(1, 13))


def ratings_csv(first_user: int) -> str:
    rows = (
        f"{user},{film},{1 + film % 5},{1112486027 + film}\n"
        for user in (first_user, first_user + 1)
        for film in range(1, 13)
    )
    return "userId,movieId,rating,timestamp\n" + "".join(rows)


def write_data(folder: Path, first_user: int, kind: str) -> None:
    folder.mkdir(parents=True)
    for name, text in {
        "ratings [small].csv": ratings_csv(first_user),
        "movies.csv": MOVIES,
    }.items():
        (folder / name).write_text(text)
        if kind == "parquet":
            table = pl.read_csv(folder / name, glob=False)
            table.write_parquet((folder / name).with_suffix(".parquet"))
            (folder / name).unlink()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_data_and_store_below_an_odd_folder_are_read_and_no_other(tmp_path, kind):
    write_data(tmp_path / ODD / "data", 1, kind)
    write_data(tmp_path / DECOY / "data", 3, kind)
    store = Store(tmp_path / ODD / "store")
    raw = ingest_ratings.fn(config=Ingest(data=str(tmp_path / ODD / "data")), store=store)
    # A store that the pattern matches too: its files must not be read.
    shutil.copytree(tmp_path / ODD / "store", tmp_path / DECOY / "store")
    ratings = validate_ratings.fn(raw, config=Validate(), store=store)
    split = split_ratings.fn(ratings, config=LeaveLast(n=2), store=store)
    assert ratings.metadata["rows"]["ratings"] == {
        "read": 24, "quarantined": 0, "deduplicated": 0, "kept": 24,
    }  # fmt: skip
    assert split.scan("ratings").collect()["user_id"].to_list() == [1] * 12 + [2] * 12
