# ruff: noqa: F811
"""Forty films, a model of random weights, and eight candidates for each user."""

import pytest

from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.config import Retrieve
from tasks.rank.task import retrieve_candidates
from tests.pipeline_world import (  # noqa: F401
    adapter,
    base,
    prompts,
    ratings,
    split,
    store,
    tokenizer,
)


@pytest.fixture(scope="module")
def candidates(store, split):
    return retrieve_candidates.fn(split, config=Retrieve(candidates=8), store=store)


@pytest.fixture(scope="module")
def candidate_prompts(store, split, ratings, tokenizer, prompts, candidates):
    config = Prompt.model_validate(prompts.manifest["recipe"])
    return write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=config, store=store
    )
