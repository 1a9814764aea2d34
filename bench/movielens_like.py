"""Makes a data set of MovieLens 20M's shape: sizes, long tails, half stars, sessions, ties.

`python -m bench.movielens_like FOLDER --rows 20000263` writes ratings.csv and movies.csv as
GroupLens lays them out, the same bytes for the same seed. It stands in for the real file where
only speed is measured: nobody's taste is in it.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

ROWS, USERS, FILMS = 20_000_263, 138_493, 27_278  # of MovieLens 20M
FEWEST, MOST = 20, 9_254  # ratings of a user, likewise
GENRES = [
    "Action",
    "Adventure",
    "Animation",
    "Children",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "IMAX",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
Ints = NDArray[np.int64]
USERS_AT_ONCE = 10_000


def write_data_set(folder: Path, *, rows: int = ROWS, seed: int = 0) -> None:
    """Write ratings.csv, by user and film, and movies.csv; users grow with the rows."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    _films(random).write_csv(folder / "movies.csv")
    sizes = _sizes(rows, max(1, round(rows * USERS / ROWS)), random)
    taste = random.normal(3.5, 0.45, FILMS)  # stars that a film gets on average
    by_popularity = random.permutation(FILMS)
    with (folder / "ratings.csv").open("wb") as file:
        for first in range(0, len(sizes), USERS_AT_ONCE):
            part = sizes[first : first + USERS_AT_ONCE]
            table = _ratings(part, first + 1, by_popularity, taste, random)
            table.write_csv(file, include_header=first == 0, float_precision=1)


def _sizes(rows: int, users: int, random: np.random.Generator) -> Ints:
    """Ratings of each user: a long tail between FEWEST and MOST that sums to `rows`."""
    if not FEWEST * users <= rows <= MOST * users:
        raise ValueError(f"{rows} ratings are too few or too many for {users} users")
    sizes = FEWEST + random.lognormal(3.7, 1.3, users)
    for _ in range(50):  # the ends are cut, so the sum is met by and by
        scale = (rows - FEWEST * users) / (sizes - FEWEST).sum()
        sizes = np.clip(FEWEST + (sizes - FEWEST) * scale, FEWEST, MOST)
    whole = np.floor(sizes).astype(np.int64)
    lacking = rows - int(whole.sum())
    open_to_more = np.flatnonzero(whole < MOST)
    whole[open_to_more[np.arange(lacking) % len(open_to_more)]] += 1
    return whole


def _ratings(
    sizes: Ints,
    first_user: int,
    by_popularity: Ints,
    taste: NDArray[np.float64],
    random: np.random.Generator,
) -> pl.DataFrame:
    """Ratings of some users, sorted by user and film."""
    user = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.r_[0, np.cumsum(sizes)[:-1]]
    place = np.arange(len(user)) - starts[user]
    film = by_popularity[_distinct_ranks(user, place, sizes[user], random)]
    mood = random.normal(0, 0.4, len(sizes))[user]
    stars = taste[film] + mood + random.normal(0, 0.9, len(user))
    # A history begins somewhere in 20 years; most ratings follow within a minute, many in the same
    # second; one in a hundred begins another session.
    wait = random.exponential(20, len(user)) * (random.random(len(user)) < 0.7)
    wait += random.exponential(5e6, len(user)) * (random.random(len(user)) < 0.01)
    elapsed = np.cumsum(wait)
    began = random.integers(790_000_000, 1_420_000_000, len(sizes))
    time = (began[user] + elapsed - elapsed[starts][user]).astype(np.int64)
    shuffled = np.lexsort((random.random(len(user)), user))  # films are not rated in order of id
    table = pl.DataFrame(
        {
            "userId": user + first_user,
            "movieId": film[shuffled] + 1,
            "rating": np.clip(np.round(stars[shuffled] * 2) / 2, 0.5, 5.0),
            "timestamp": np.minimum(time, 1_427_784_002),
        }
    )
    return table.sort("userId", "movieId")


def _distinct_ranks(user: Ints, place: Ints, size: Ints, random: np.random.Generator) -> Ints:
    """Distinct films of each user as ranks of popularity: popular ones more often.

    A user's draws are spread evenly over the popularity mass, so they ascend; two that meet are
    pushed apart to the next free rank.
    """
    mass = np.cumsum(1.0 / (np.arange(FILMS) + 30.0) ** 1.1)
    drawn = np.searchsorted(mass / mass[-1], (place + random.random(len(user))) / size)
    far = user * 2 * FILMS  # keeps users apart while all are pushed at once
    pushed = np.maximum.accumulate(drawn - place + far) - far + place
    return np.minimum(pushed, FILMS - size + place)


def _films(random: np.random.Generator) -> pl.DataFrame:
    """Films with titles of one to five invented words, a year, and one to four genres."""
    syllables = np.array([c + v for c in "bcdfghjklmnprstvw" for v in "aeiou"])
    words = ["".join(random.choice(syllables, n)).capitalize() for n in random.integers(1, 5, 6000)]
    titles = [
        f"{' '.join(random.choice(words, n))} ({year})"
        for n, year in zip(
            random.integers(1, 6, FILMS), random.integers(1915, 2016, FILMS), strict=True
        )
    ]
    genres = [
        "|".join(sorted(random.choice(GENRES, n, replace=False)))
        for n in random.integers(1, 5, FILMS)
    ]
    return pl.DataFrame({"movieId": range(1, FILMS + 1), "title": titles, "genres": genres})


def main() -> None:
    """Write one data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_data_set(arguments.folder, rows=arguments.rows, seed=arguments.seed)


if __name__ == "__main__":
    main()
