"""Forty films and thirty users with learnable tastes, up to a trained bloom-mini."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tasks.base.config import BaseModelConfig, Mini
from tasks.base.task import build_base, build_tokenizer
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.training.config import Lora, Objective, TrainingConfig

SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
USERS, FILMS, EACH = 30, 40, 24

QUICK = TrainingConfig(
    max_steps=6,
    tokens_per_step=1500,
    pack_length=400,
    learning_rate=1e-2,
    log_steps=2,
    validate_steps=3,
    checkpoint_steps=2,
    validation_examples=8,
)
MINI = BaseModelConfig(
    mini=Mini(vocabulary=600, hidden=32, layers=2, heads=2, dropout=0, fit=QUICK)
)
TRAIN = Train(lora=Lora(dropout=0.1), fit=QUICK, objective=Objective(mse=0.5))


@pytest.fixture(scope="module")
def mini() -> BaseModelConfig:
    """A tiny bloom-mini."""
    return MINI


@pytest.fixture(scope="module")
def train_config() -> Train:
    """A few steps of LoRA."""
    return TRAIN


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory) -> Store:
    """One store for all tests of a file, so that each artifact is built once."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def ratings(shared_store) -> ValidatedRatings:
    def write(draft):
        draw = np.random.default_rng(0)
        liked = draw.integers(2, size=(USERS, FILMS))
        rows = [
            {
                "user_id": user + 1,
                "film_id": int(film) + 1,
                "rating": float(draw.integers(*((4, 6) if liked[user, film] else (1, 4)))),
                "rated_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=i),
            }
            for user in range(USERS)
            for i, film in enumerate(draw.permutation(FILMS)[:EACH])
        ]
        types = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32}
        pl.DataFrame(rows).cast(types).write_parquet(draft / "ratings.parquet")
        films = {
            "film_id": range(1, FILMS + 1),
            "title": [f"Film {n} ({1960 + n})" for n in range(1, FILMS + 1)],
            "year": [1960 + n for n in range(1, FILMS + 1)],
            "genres": ["Drama|War" if n % 3 else "Comedy" for n in range(1, FILMS + 1)],
        }
        types = {"film_id": pl.Int32, "year": pl.Int16}
        pl.DataFrame(films).cast(types).write_parquet(draft / "films.parquet")
        columns = {"relation": str, "source": str, "line": pl.UInt32, "rule": str, "detail": str}
        pl.DataFrame(schema=columns).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "made", "scale": SCALE, "last_day": "2020-01-01"}

    return shared_store.build(ValidatedRatings, recipe={"made": 1}, write=write)


@pytest.fixture(scope="module")
def split(shared_store, ratings) -> SplitRatings:
    def write(draft):
        back = pl.len() - pl.int_range(pl.len())
        fold = pl.when(back <= 4).then(pl.lit("test")).when(back <= 8)
        fold = fold.then(pl.lit("validation")).otherwise(pl.lit("train")).over("user_id")
        marked = ratings.scan("ratings").with_columns(
            pl.int_range(pl.len(), dtype=pl.Int32).over("user_id").alias("position"),
            fold.alias("fold"),
            pl.lit(False).alias("cold"),
        )
        role = pl.when(pl.col("fold") == "train").then(pl.lit("context"))
        marked = marked.with_columns(role.otherwise(pl.lit("target")).alias("role"))
        columns = SplitRatings.tables["ratings"].columns
        marked.select(*columns).collect().write_parquet(draft / "ratings.parquet")
        return {"dataset": "made", "scale": SCALE, "protocol": "leave-last-4"}

    return shared_store.build(SplitRatings, recipe={}, parents=[ratings], write=write)


@pytest.fixture(scope="module")
def tokenizer(shared_store, ratings, split):
    return build_tokenizer.fn(ratings, split, config=MINI, store=shared_store)


@pytest.fixture(scope="module")
def prompts(shared_store, ratings, split, tokenizer):
    config = Prompt(
        context_films=8, stride=6, list_length=3, prior="neighbours", learn_from="history"
    )
    return write_prompts.fn(split, ratings, tokenizer, config=config, store=shared_store)


@pytest.fixture(scope="module")
def base(shared_store, tokenizer, prompts):
    return build_base.fn(tokenizer, prompts, config=MINI, store=shared_store)
