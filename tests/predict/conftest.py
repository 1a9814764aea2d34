"""A small world walked to its prompts, with a base and adapters of random weights."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

from tasks.base.tokenizer import train_tokenizer
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import Adapter, Base, SplitRatings, Tokenizer, ValidatedRatings
from tasks.store.store import Store
from tasks.training.adapter import attach_lora, save_adapter
from tasks.training.config import Lora

SCALE = [1.0, 2.0, 3.0, 4.0, 5.0]
USERS, FILMS, EACH = 24, 40, 24


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Store:
    """One store for all tests of a file."""
    return Store(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def trusted(house) -> ValidatedRatings:
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
        ratings = pl.DataFrame(rows, [*types, "hour"], orient="row").cast(types)
        moment = pl.lit(start) + pl.duration(hours=pl.col("hour") + pl.col("user_id"))
        ratings.select(*types, rated_at=moment).write_parquet(draft / "ratings.parquet")
        number = [n if n != 9 else 8 for n in range(1, FILMS + 1)]
        films = {
            "film_id": pl.Series(range(1, FILMS + 1), dtype=pl.Int32),
            "title": [f"Film, the {n} ({1960 + n})" for n in number],
            "year": pl.Series([1960 + n for n in number], dtype=pl.Int16),
            "genres": ["Drama|War" if n % 3 else "Comedy" for n in number],
        }
        pl.DataFrame(films).write_parquet(draft / "films.parquet")
        columns = {"relation": str, "source": str, "line": pl.UInt32, "rule": str, "detail": str}
        pl.DataFrame(schema=columns).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "made", "scale": SCALE}

    return house.build(ValidatedRatings, recipe={"made": 1}, write=write)


@pytest.fixture(scope="module")
def histories(house, trusted) -> SplitRatings:
    """The last four ratings are test targets, the four before them validation targets."""

    def write(draft):
        back = pl.len() - pl.int_range(pl.len())
        fold = pl.when(back <= 4).then(pl.lit("test")).when(back <= 8)
        fold = fold.then(pl.lit("validation")).otherwise(pl.lit("train")).over("user_id")
        part = pl.when(pl.col("fold") == "train").then(pl.lit("context"))
        marked = (
            trusted.scan("ratings")
            .with_columns(
                position=pl.int_range(pl.len(), dtype=pl.Int32).over("user_id"),
                fold=fold,
                cold=pl.lit(False),
            )
            .with_columns(role=part.otherwise(pl.lit("target")))
        )
        columns = SplitRatings.tables["ratings"].columns
        marked.select(*columns).collect().write_parquet(draft / "ratings.parquet")
        return {"dataset": "made", "scale": SCALE, "protocol": "leave-last-4"}

    return house.build(SplitRatings, recipe={}, parents=[trusted], write=write)


@pytest.fixture(scope="module")
def tokenizer(house, trusted, histories) -> Tokenizer:
    def write(draft):
        films = trusted.scan("films").collect()
        lines = films.select(pl.format("{}, {}\n", "title", "genres")).to_series().to_list()
        train_tokenizer(lines * 5, scale=SCALE, vocabulary=600).save_pretrained(draft)

    return house.build(Tokenizer, recipe={}, parents=[trusted, histories], write=write)


@pytest.fixture(scope="module")
def prompts(house, trusted, histories, tokenizer):
    config = Prompt(context_films=8, stride=6, list_length=3, users_per_shard=10)
    return write_prompts.fn(histories, trusted, tokenizer, config=config, store=house)


def _bloom(vocabulary: int) -> BloomForCausalLM:
    torch.manual_seed(1)
    config = BloomConfig(vocab_size=vocabulary, hidden_size=32, n_layer=2, n_head=2)
    model = BloomForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def base(house, tokenizer) -> Base:
    """Random weights of the BLOOM architecture."""

    def write(draft):
        words = AutoTokenizer.from_pretrained(tokenizer.path)
        words.save_pretrained(draft)
        _bloom(len(words)).save_pretrained(draft)
        return {"four_bit": False}

    return house.build(Base, recipe={}, parents=[tokenizer], write=write)


@pytest.fixture(scope="module")
def make_adapter(house, base, tokenizer):
    """Makes adapters of random weights, by seed."""

    def make(seed: int) -> Adapter:
        def write(draft):
            words = AutoTokenizer.from_pretrained(tokenizer.path)
            model = attach_lora(_bloom(len(words)), Lora(), seed=seed)
            for name, parameter in model.named_parameters():
                if "lora_B" in name:
                    torch.nn.init.normal_(parameter, std=0.1)
            save_adapter(model, draft, "random")
            types = {"int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64}
            columns = Adapter.tables["history"].columns.items()
            schema = {name: types[kind] for name, (kind, _) in columns}
            pl.DataFrame(schema=schema).write_parquet(draft / "history.parquet")

        return house.build(Adapter, recipe={"seed": seed}, parents=[base], write=write)

    return make


@pytest.fixture(scope="module")
def adapter(make_adapter) -> Adapter:
    """One of them."""
    return make_adapter(0)
