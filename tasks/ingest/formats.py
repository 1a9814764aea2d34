"""The known file formats: one entry each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Relation = Literal["ratings", "films"]


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
