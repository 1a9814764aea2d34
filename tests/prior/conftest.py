"""Sixty users with a taste each, split by the last rating, and their priors by small fits."""

import numpy as np
import polars as pl
import pytest

from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.store.artifacts import SplitRatings, ValidatedRatings

SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
SMALL = Prior(stretches=3, rank=2, draws=12, stretch_draws=10, kept=4, horizon=2, workers=1)
USERS, FILMS, EACH = 60, 40, 14


def make_split(seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    taste, quality = draw.normal(size=(2, USERS)), draw.normal(size=(2, FILMS))
    rows = []
    for user in range(USERS):
        for position, film in enumerate(draw.permutation(FILMS)[:EACH]):
            stars = 3 + taste[0, user] * quality[0, film] + quality[1, film] + draw.normal() / 2
            fold = "test" if position >= EACH - 2 else "train"
            fold = "validation" if EACH - 4 <= position < EACH - 2 and user % 2 else fold
            role = "context" if fold == "train" else "target"
            rating = float(np.clip(np.rint(stars), 1, 5))
            when = 10**12 + 86_400_000_000 * (40 * position + user)
            rows.append((user + 1, int(film) + 1, rating, when, position, fold, role, False))
    schema = {
        "user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32, "rated_at": pl.Int64,
        "position": pl.Int32, "fold": pl.String, "role": pl.String, "cold": pl.Boolean,
    }  # fmt: skip
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.with_columns(pl.col("rated_at").cast(pl.Datetime("us", "UTC")))


@pytest.fixture
def build(store):
    """Makes split, valid ratings and priors of a table of the split."""

    def write_ratings(draft):
        make_split().select("user_id", "film_id", "rating", "rated_at").write_parquet(
            draft / "ratings.parquet"
        )
        ids = np.arange(1, FILMS + 1, dtype=np.int32)
        films = {"film_id": ids, "title": ids.astype(str), "genres": [""] * FILMS}
        frame = pl.DataFrame(films).with_columns(year=pl.lit(None, pl.Int16))
        frame.select("film_id", "title", "year", "genres").write_parquet(draft / "films.parquet")
        columns = ValidatedRatings.tables["quarantine"].columns
        types = {"string": pl.String, "uint32": pl.UInt32}
        empty = {name: types[kind] for name, (kind, _) in columns.items()}
        pl.DataFrame(schema=empty).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "tiny", "scale": SCALE}

    def build(table: pl.DataFrame, protocol: str = "leave-last-2", config: Prior = SMALL):
        def write_split(draft):
            table.write_parquet(draft / "ratings.parquet")
            return {"dataset": "tiny", "scale": SCALE, "protocol": protocol}

        valid = store.build(ValidatedRatings, recipe={}, write=write_ratings)
        recipe = {"protocol": protocol, "rows": str(table.hash_rows().sum())}
        split = store.build(SplitRatings, recipe=recipe, parents=[valid], write=write_split)
        return split, valid, fit_priors.fn(split, valid, config=config, store=store)

    return build
