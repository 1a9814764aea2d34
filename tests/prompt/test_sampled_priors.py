"""Where only some users have priors, nobody else is learnt from."""

# ruff: noqa: F811 (fixtures of a module that is shared)

import numpy as np
import polars as pl
import pytest

from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import RatingPriors
from tasks.templates import Compact
from tests.pipeline_world import priors, ratings, split, store, tokenizer  # noqa: F401

SAMPLE = range(6, 16)  # the first shard of five users has none of them


@pytest.fixture(scope="module")
def some_priors(store, split, priors):
    def write(draft):
        own = priors.scan("priors").filter(pl.col("user_id").is_in(SAMPLE))
        own.collect().write_parquet(draft / "priors.parquet")
        np.savez(draft / "users.npz", users=np.array(SAMPLE))
        return split.metadata

    return store.build(RatingPriors, recipe={"users": len(SAMPLE)}, parents=[split], write=write)


@pytest.mark.parametrize("learn_from", ["targets", "history"])
@pytest.mark.parametrize("features", [("prior",), ("film", "prior")])
def test_examples_are_those_of_the_users_with_priors(
    store,
    ratings,
    split,
    tokenizer,
    priors,
    some_priors,
    features,
    learn_from,
):
    config = Prompt(
        template=Compact(features=features),
        context_films=8,
        list_length=3,
        users_per_shard=5,
        learn_from=learn_from,
    )
    of_all, of_some = (
        write_prompts.fn(split, ratings, tokenizer, given, config=config, store=store)
        .scan("examples")
        .filter(fold="train")
        .drop("example")
        .collect()
        for given in (priors, some_priors)
    )
    assert set(of_some["user_id"]) == set(SAMPLE)
    order = ["kind", "user_id", "context"]
    expected = of_all.filter(pl.col("user_id").is_in(SAMPLE))
    assert of_some.sort(order).equals(expected.sort(order))
