# ruff: noqa: F401
"""Forty films, a model of random weights, and eight candidates for each user."""

from tests.pipeline_world import (
    adapter,
    base,
    prompts,
    ratings,
    split,
    store,
    tokenizer,
)
from tests.rank.conftest import candidate_prompts, candidates
