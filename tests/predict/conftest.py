"""Forty films and a model of random weights."""

from tests.pipeline_world import (  # noqa: F401
    adapter,
    base,
    prompts,
    ratings,
    split,
    store,
    tokenizer,
)
