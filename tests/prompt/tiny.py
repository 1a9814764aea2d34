"""Five users and six films as prompts, and how to read them."""

from functools import cache

import numpy as np
import polars as pl

from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import Candidates
from tasks.templates import Original

FOLDS = ["train", "validation", "test"]
SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
FILMS = pl.DataFrame(
    {
        "film_id": [1, 2, 5, 7, 8, 11],
        "title": ["Heat (1995)", "Usual Suspects, The (1995)", "8½ (1963)", "Alien", "Ran", "M"],
        "year": [1995, 1995, 1963, None, None, 1931],
        "genres": ["Action|Crime", "Crime", "Drama", "", "Drama|War", "Crime"],
    },
    schema_overrides={"film_id": pl.Int32, "year": pl.Int16},
)


def make_ratings(users: int = 5, seed: int = 3) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (user, film, float(rng.integers(1, 6)), 1_000_000 * int(rng.integers(0, 40)))
        for user in range(users)
        for film in rng.permutation(FILMS["film_id"].to_numpy())[: 5 + user % 2]
    ]
    schema = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32, "rated_at": pl.Int64}
    moment = pl.col("rated_at").cast(pl.Datetime("us", "UTC"))
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(moment)
    return table.sort("user_id", "rated_at", "film_id")


def assign_folds(ratings: pl.DataFrame) -> pl.DataFrame:
    """The last rating is a test target, the one before it a validation target."""
    from_end = pl.len().over("user_id") - pl.int_range(pl.len()).over("user_id")
    return ratings.with_columns(
        position=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
        fold=pl.when(from_end == 1)
        .then(pl.lit("test"))
        .when(from_end == 2)
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train")),
        role=pl.when(from_end <= 2).then(pl.lit("target")).otherwise(pl.lit("context")),
        cold=pl.lit(False),
    )


COMPACT = Prompt(
    prior="neighbours",
    learn_from="history",
    max_windows=None,
    context_films=3,
    stride=2,
    list_length=1,
)
ORIGINAL = Prompt(template=Original(), max_windows=1, context_films=3, list_length=1)
BIAS = COMPACT.model_copy(update={"prior": "bias"})


def read_examples(inputs, store, config=COMPACT) -> pl.DataFrame:
    return write_prompts.fn(*inputs, config=config, store=store).scan("examples").collect()


def decode(inputs, tokens) -> str:
    return _load_tokenizer(inputs[2].path).decode(tokens)


@cache
def _load_tokenizer(path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(path)


def build_candidates(store, split, films: dict[int, list[int]]) -> Candidates:
    """Films of the test fold by user, best first."""
    rows = [
        ("test", user, rank, f, 1.0) for user, own in films.items() for rank, f in enumerate(own, 1)
    ]
    schema = {"fold": pl.String, "user_id": pl.Int32, "rank": pl.Int32, "film_id": pl.Int32}
    table = pl.DataFrame(rows, schema | {"score": pl.Float64}, orient="row")
    recipe = {"films": {str(user): own for user, own in films.items()}}
    return store.build(
        Candidates,
        recipe=recipe,
        parents=[split],
        write=lambda draft: table.write_parquet(draft / "candidates.parquet"),
    )
