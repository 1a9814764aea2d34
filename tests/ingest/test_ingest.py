"""Each producer's format is read into the same typed columns; untyped lines become rejects."""

import datetime as dt
import zipfile

import polars as pl
import pytest

from tasks.download import SourceError
from tasks.ingest.task import Ingest, ingest_ratings

MOMENT = dt.datetime(2005, 4, 2, 23, 53, 47, tzinfo=dt.UTC)
SECONDS = int(MOMENT.timestamp())
FILMS = [
    (1, "Toy Story (1995)", 1995, "Animation|Comedy"),
    (2, 'Good, the Bad and the "Ugly", The (1966)', 1966, "Western"),
    (3, "Amélie 東京 (2001)", 2001, ""),
]
QUOTED = (
    "movieId,title,genres\n"
    "1,Toy Story (1995),Animation|Comedy\n"
    '2,"Good, the Bad and the ""Ugly"", The (1966)",Western\n'
    "3,Amélie 東京 (2001),(no genres listed)\n"
)
GROUPLENS = {
    "ratings.csv": f"userId,movieId,rating,timestamp\n7,1,3.5,{SECONDS}\n7,3,5.0,{SECONDS}\n",
    "movies.csv": QUOTED,
}
KAGGLE = {
    "rating.csv": (
        '"userId","movieId","rating","timestamp"\n'
        '7,1,3.5,"2005-04-02 23:53:47"\n7,3,5.0,"2005-04-02 23:53:47"\n'
    ),
    "movie.csv": QUOTED,
}
RECBOLE = {
    "small.inter": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        f"7\t1\t3.5\t{SECONDS}\n7\t3\t5\t{SECONDS}\n"
    ),
    "small.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "1\tToy Story\t1995\tAnimation Comedy\n"
        '2\tGood, the Bad and the "Ugly", The\t1966\tWestern\n'
        "3\tAmélie 東京 (2001)\tV\t\n"
    ),
}


def ingested(store, folder, files=None, **settings):
    for name, text in (files or {}).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return ingest_ratings.fn(config=Ingest(data=str(folder), **settings), store=store)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("layout", "files"), [("grouplens", GROUPLENS), ("kaggle", KAGGLE), ("recbole", RECBOLE)]
)
def test_every_layout_gives_the_same_rows(store, tmp_path, layout, files, newline):
    written = {name: text.replace("\n", newline) for name, text in files.items()}
    raw = ingested(store, tmp_path / "data-set", written)
    ratings = raw.scan("ratings").drop("source").collect()
    assert ratings.rows() == [(7, 1, 3.5, MOMENT, 2), (7, 3, 5.0, MOMENT, 3)]
    assert raw.scan("films").drop("source", "line").collect().rows() == FILMS
    assert raw.scan("rejects").collect().is_empty()
    assert (raw.metadata["layout"], raw.metadata["dataset"]) == (layout, "data-set")


def test_the_real_ml_latest_small_comes_whole(store, ml_latest_small):
    raw = ingested(store, ml_latest_small)
    ratings, films = raw.scan("ratings").collect(), raw.scan("films").collect()
    assert (len(ratings), ratings["user_id"].n_unique(), len(films)) == (100_836, 610, 9_742)
    assert raw.scan("rejects").collect().is_empty()
    assert ratings.row(0) == (1, 1, 4.0, dt.datetime(2000, 7, 30, 18, 45, 3, tzinfo=dt.UTC), 0, 2)
    assert films.filter(film_id=11)["title"].item() == "American President, The (1995)"
    dated = films.filter(pl.col("year").is_not_null())
    assert (dated["year"].min(), dated["year"].max()) == (1902, 2018)


def test_an_untyped_line_is_rejected_with_its_number_and_reason(store, tmp_path):
    ratings = (
        "userId,movieId,rating,timestamp\n"
        f"7,1,3.5,{SECONDS}\nseven,1,3.5,{SECONDS}\n7,2,good,later\n7,3,5,{SECONDS}\n"
    )
    files = GROUPLENS | {"ratings.csv": ratings, "movies.csv": QUOTED + "four,Late,Drama\n"}
    raw = ingested(store, tmp_path / "broken", files)
    rejects = raw.scan("rejects").select("relation", "source", "line", "detail").collect().rows()
    assert rejects == [
        ("ratings", 0, 3, f"no user_id can be read: seven,1,3.5,{SECONDS}"),
        ("ratings", 0, 4, "no rating, rated_at can be read: 7,2,good,later"),
        ("films", 1, 5, "no film_id can be read: four Late Drama"),
    ]
    assert raw.scan("ratings").collect()["line"].to_list() == [2, 5]


def test_as_of_leaves_out_ratings_of_that_day_and_later(store, tmp_path):
    later = GROUPLENS["ratings.csv"] + f"7,2,1.0,{SECONDS + 86_400}\n"
    files = GROUPLENS | {"ratings.csv": later}
    raw = ingested(store, tmp_path / "dated", files, as_of=dt.date(2005, 4, 3))
    assert raw.scan("ratings").collect()["film_id"].to_list() == [1, 3]


def test_an_error_about_an_unknown_format_lists_files_and_columns(store, tmp_path):
    with pytest.raises(
        SourceError,
        match=r"no ratings in .*: it holds notes.txt; ratings have the columns userId, movieId",
    ):
        ingested(store, tmp_path / "other", {"notes.txt": "hello"})


def test_an_error_about_an_unknown_name_lists_the_known_ones(store):
    with pytest.raises(SourceError, match=r'no data "ml-9": .* known names are ml-100k-wheel'):
        ingest_ratings.fn(config=Ingest(data="ml-9"), store=store)


def test_a_zip_gives_what_its_folder_gives(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "small.zip", "w") as archive:
        for name, text in GROUPLENS.items():
            archive.writestr(f"../small/{name}", text)
    raw = ingested(store, tmp_path / "small.zip")
    assert raw.scan("films").drop("source", "line").collect().rows() == FILMS
    assert not (tmp_path / "data" / "small").exists()
