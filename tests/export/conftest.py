"""A published run of forty films, whose adapter of random weights is the champion."""

import shutil

import pytest

from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import Challenge
from tasks.publish.task import publish
from tasks.readout.config import Inference
from tasks.score.task import Score, score
from tasks.store.artifacts import Adapter, RankedLists
from tests.pipeline_world import (  # noqa: F401
    USERS,
    base,
    priors,
    ratings,
    split,
    store,
    tokenizer,
)
from tests.pipeline_world import (  # noqa: F401
    adapter as weights,
)
from tests.world import typed


@pytest.fixture(scope="module")
def prompts(store, ratings, split, tokenizer, priors):  # noqa: F811
    """Anchored to a prior."""
    config = Prompt(context_films=8, list_length=3, users_per_shard=10)
    return write_prompts.fn(split, ratings, tokenizer, priors, config=config, store=store)


@pytest.fixture(scope="module")
def adapter(store, base, prompts, weights):  # noqa: F811
    """With the lineage and the card of a trained one."""

    def write(draft):
        own = shutil.ignore_patterns("manifest.json", "cost.json")
        shutil.copytree(weights.path, draft, ignore=own, dirs_exist_ok=True)
        (draft / "README.md").write_text("---\nlibrary_name: peft\n---\n# Content Advisor\n")

    return store.build(Adapter, recipe={"fit": {"lr": 0.1}}, parents=[base, prompts], write=write)


@pytest.fixture(scope="module")
def predictions(store, adapter, base, prompts, split):  # noqa: F811
    """Of the language model."""
    return predict_ratings.fn(
        adapter, base, prompts, split, config=Predict(), inference=Inference(), store=store
    )


@pytest.fixture(scope="module")
def lists(store, split, adapter):  # noqa: F811
    """The same ten films for everyone."""

    def write(draft):
        users, films = range(1, USERS + 1), range(1, 11)
        rows = {
            "user_id": [user for user in users for _ in films],
            "rank": [film for _ in users for film in films],
            "film_id": [film for _ in users for film in films],
            "title": ["Film"] * USERS * 10, "score": [1.0] * USERS * 10,
        } | {"rating": 3.25, "predictor": "ranked", "fold": "test"}  # fmt: skip
        typed(RankedLists, "lists", rows).write_parquet(draft / "lists.parquet")

    return store.build(RankedLists, recipe={}, parents=[split, adapter], write=write)


@pytest.fixture(scope="module")
def run_id(store, ratings, split, base, prompts, adapter, predictions, lists):  # noqa: F811
    """The run, published."""
    config = Score(ks=(10,), resamples=100, compared=("llm",))
    scores = score.fn(split, ratings, [predictions], [lists], config=config, store=store)
    made = [ratings, split, prompts, base, adapter, predictions, lists]
    challenge = Challenge(adapter, PromotionMargins())
    return publish.fn(scores, made, profile="smoke", commit="abc", challenge=challenge, store=store)
