"""The prompts of thirty users and a tiny base model."""

from tests.train.conftest import (  # noqa: F401
    base,
    mini,
    prompts,
    ratings,
    shared_store,
    split,
    tokenizer,
    train_config,
)
