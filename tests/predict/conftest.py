"""Forty films and a model of random weights."""

import pytest

from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tests.pipeline_world import (  # noqa: F401
    adapter,
    base,
    priors,
    ratings,
    split,
    store,
    tokenizer,
)


@pytest.fixture(scope="module")
def prompts(store, ratings, split, tokenizer, priors):  # noqa: F811
    """Anchored to a prior, but for the first two ratings of a user."""
    config = Prompt(context_films=8, list_length=3, users_per_shard=10)
    return write_prompts.fn(split, ratings, tokenizer, priors, config=config, store=store)
