"""Forty films rated at random, with prompts, and a base and adapters of random weights.

Folders of tests that run a model take these fixtures into their conftest.
"""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

from tasks.base.tokenizer import train_tokenizer
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import (
    Adapter,
    Base,
    RatingPriors,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store
from tasks.training.adapter import attach_lora, save_adapter
from tasks.training.config import Lora
from tests.world import typed

SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
USERS, FILMS, EACH = 24, 40, 24


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """One store for all tests of a file."""
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def ratings(store) -> ValidatedRatings:
    """Forty films, two of which have the same line, rated at random."""

    def write(draft):
        draw = np.random.default_rng(0)
        rows = [
            (user + 1, int(film) + 1, float(draw.integers(1, 6)), i)
            for user in range(USERS)
            for i, film in enumerate(draw.permutation(FILMS)[:EACH])
        ]
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        types = {"user_id": pl.Int32, "film_id": pl.Int32, "rating": pl.Float32}
        table = pl.DataFrame(rows, [*types, "hour"], orient="row").cast(types)
        moment = pl.lit(start) + pl.duration(hours=pl.col("hour") + pl.col("user_id"))
        table.select(*types, rated_at=moment).write_parquet(draft / "ratings.parquet")
        number = [n if n != 9 else 8 for n in range(1, FILMS + 1)]
        films = {
            "film_id": pl.Series(range(1, FILMS + 1), dtype=pl.Int32),
            "title": [f"Film, the {n} ({1960 + n})" for n in number],
            "year": pl.Series([1960 + n for n in number], dtype=pl.Int16),
            "genres": ["Drama|War" if n % 3 else "Comedy" for n in number],
        }
        pl.DataFrame(films).write_parquet(draft / "films.parquet")
        quarantine = typed(ValidatedRatings, "quarantine", {})
        quarantine.write_parquet(draft / "quarantine.parquet")
        return {"dataset": "made", "scale": SCALE}

    return store.build(ValidatedRatings, recipe={"made": 1}, write=write)


@pytest.fixture(scope="module")
def split(store, ratings) -> SplitRatings:
    """The last four ratings are test targets, the four before them validation targets."""

    def write(draft):
        back = pl.len() - pl.int_range(pl.len())
        fold = pl.when(back <= 4).then(pl.lit("test")).when(back <= 8)
        fold = fold.then(pl.lit("validation")).otherwise(pl.lit("train")).over("user_id")
        role = pl.when(pl.col("fold") == "train").then(pl.lit("context"))
        marked = (
            ratings.scan("ratings")
            .with_columns(
                position=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
                fold=fold,
                cold=pl.lit(False),
            )
            .with_columns(role=role.otherwise(pl.lit("target")))
        )
        columns = SplitRatings.tables["ratings"].columns
        marked.select(*columns).collect().write_parquet(draft / "ratings.parquet")
        return {"dataset": "made", "scale": SCALE, "protocol": "leave-last-4"}

    return store.build(SplitRatings, recipe={}, parents=[ratings], write=write)


@pytest.fixture(scope="module")
def tokenizer(store, ratings, split) -> Tokenizer:
    def write(draft):
        films = ratings.scan("films").collect()
        lines = films.select(pl.format("{}, {}\n", "title", "genres")).to_series().to_list()
        train_tokenizer(lines * 5, scale=SCALE, vocabulary=600).save_pretrained(draft)

    return store.build(Tokenizer, recipe={}, parents=[ratings, split], write=write)


@pytest.fixture(scope="module")
def priors(store, split) -> RatingPriors:
    """A distribution drawn for each rating but the first two of a user."""

    def write(draft):
        key = ["fold", "user_id", "film_id"]
        rows = split.scan("ratings").filter(pl.col("position") >= 2).collect().sort(key)
        log_p = np.log(np.random.default_rng(7).dirichlet(np.ones(5), len(rows)))
        column = pl.Series(log_p.astype(np.float32), dtype=pl.List(pl.Float32))
        table = rows.select(*key, stretch=pl.lit(1, pl.Int16), machine_log_p=column, log_p=column)
        table.write_parquet(draft / "priors.parquet")
        np.savez(draft / "users.npz", users=rows["user_id"].unique().sort().to_numpy())
        return split.metadata

    return store.build(RatingPriors, recipe={}, parents=[split], write=write)


@pytest.fixture(scope="module")
def prompts(store, ratings, split, tokenizer):
    config = Prompt(context_films=8, list_length=3, users_per_shard=10, prior="neighbours")
    return write_prompts.fn(split, ratings, tokenizer, config=config, store=store)


def _bloom(vocabulary: int) -> BloomForCausalLM:
    torch.manual_seed(1)
    config = BloomConfig(vocab_size=vocabulary, hidden_size=32, n_layer=2, n_head=2)
    model = BloomForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def base(store, tokenizer) -> Base:
    """Random weights of the BLOOM architecture."""

    def write(draft):
        words = AutoTokenizer.from_pretrained(tokenizer.path)
        words.save_pretrained(draft)
        _bloom(len(words)).save_pretrained(draft)
        return {"four_bit": False}

    return store.build(Base, recipe={}, parents=[tokenizer], write=write)


@pytest.fixture(scope="module")
def adapter(store, base, tokenizer) -> Adapter:
    """An adapter of random weights."""

    def write(draft):
        words = AutoTokenizer.from_pretrained(tokenizer.path)
        model = attach_lora(_bloom(len(words)), Lora(), seed=0)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        save_adapter(model, draft, "random")
        typed(Adapter, "history", {}).write_parquet(draft / "history.parquet")

    return store.build(Adapter, recipe={}, parents=[base], write=write)
