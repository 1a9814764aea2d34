"""A published run of forty films, whose adapter of random weights is the champion."""

import shutil
from dataclasses import replace

import pytest

from tasks.metrics_db import open_readonly
from tasks.metrics_location import metrics_path
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.publish.config import PromotionMargins
from tasks.publish.opponent import Challenge, Decision, champion_of
from tasks.publish.task import publish
from tasks.read.task import read_prompts
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
def train(store, base, prompts, weights):  # noqa: F811
    """`train(rate)`: an adapter with the lineage, the history and the card of a trained one."""

    def build(rate):
        def write(draft):
            own = shutil.ignore_patterns("manifest.json", "cost.json")
            shutil.copytree(weights.path, draft, ignore=own, dirs_exist_ok=True)
            (draft / "README.md").write_text("---\nlibrary_name: peft\n---\n# Content Advisor\n")
            history = {"step": [0, 2], "examples": [0, 8], "tokens": [0, 80], "loss": [None, 1.5]}
            history |= {"learning_rate": [0.1, 0.1], "validation_rmse": [1.1, 1.0]}
            typed(Adapter, "history", history).write_parquet(draft / "history.parquet")

        recipe = {"fit": {"learning_rate": rate}}
        return store.build(Adapter, recipe=recipe, parents=[base, prompts], write=write)

    return build


@pytest.fixture(scope="module")
def adapter(train):
    """The first one."""
    return train(0.1)


@pytest.fixture(scope="module")
def read(store, base, prompts):  # noqa: F811
    """`read(adapter)`: what it makes of the prompts."""
    return lambda adapter: read_prompts.fn(
        adapter, base, prompts, inference=Inference(), store=store
    )


@pytest.fixture(scope="module")
def predict(store, read, split):  # noqa: F811
    """`predict(adapter)`: its ratings."""
    return lambda adapter: predict_ratings.fn(read(adapter), split, config=Predict(), store=store)


@pytest.fixture(scope="module")
def predictions(predict, adapter):
    """Of the first one."""
    return predict(adapter)


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
def publish_run(store, ratings, split, base, prompts, read, predict, lists):  # noqa: F811
    """`publish_run(adapter, promoted)`: publish its run; return the scores."""

    def run(adapter, promoted):
        predictions = predict(adapter)
        config = Score(ks=(10,), resamples=100, compared=("llm",))
        scores = score.fn(split, ratings, [predictions], [lists], config=config, store=store)
        made = [ratings, split, prompts, base, adapter, read(adapter), predictions, lists]
        decided = Decision(promoted, "decided by the test")
        challenge = Challenge(adapter, PromotionMargins(), default_decision=decided)
        if metrics_path(store).exists():
            with open_readonly(metrics_path(store)) as db:
                challenge = replace(challenge, expected=champion_of(db, split))
        about = {"profile": "smoke", "commit": "abc", "challenge": challenge, "store": store}
        publish.fn(scores, made, **about)
        return scores

    return run


@pytest.fixture(scope="module")
def run_id(publish_run, adapter):
    """The first run, published."""
    return publish_run(adapter, True).fingerprint
