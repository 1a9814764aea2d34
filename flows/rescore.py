"""Predicts, scores and publishes again, for an adapter that exists."""

from typing import Any

from prefect import flow

from flows.alerts import on_run_failure
from flows.nightly import evaluate_and_publish
from flows.prepare import PreparedData
from flows.settings import Profile, load, open_store
from flows.stages import Stages, evaluation_stages
from tasks.metrics_db import last_costs
from tasks.metrics_location import metrics_path
from tasks.prior.task import fit_priors
from tasks.prompt.config import Prompt
from tasks.publish.serving import find_serving_champion
from tasks.store.artifacts import (
    Adapter,
    Base,
    Prompts,
    RatingPriors,
    RawRatings,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)


@flow(
    name="rescore",
    flow_run_name="rescore-{adapter}",
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def rescore(
    adapter: str = "champion", profile: Profile = "laptop", overrides: dict[str, Any] | None = None
) -> str:
    """Score an adapter, given by the beginning of its fingerprint, on the data it was trained on.

    `champion` is the current one. The settings of predict, decode, rank, baseline and score are
    the profile's, with `overrides` on top. Returns the run's id. Raises StoreError where there is
    no such adapter.
    """
    settings, store = load(profile, overrides), open_store()
    metrics = metrics_path(store)
    found = find_serving_champion(store) if adapter == "champion" else store.find(Adapter, adapter)
    with store.exclusive_lock(f"rescoring {adapter}", wait=settings.wait_for_lock):
        prompts = store.ancestor(Prompts, found)
        wording = Prompt.model_validate(prompts.manifest["recipe"])
        priors = store.ancestor(RatingPriors, prompts) if wording.needs_priors else None
        if priors is None and settings.prior.model != "none":
            split = store.ancestor(SplitRatings, found)
            priors = fit_priors(
                split, store.ancestor(ValidatedRatings, found), config=settings.prior, store=store
            )
        data = PreparedData(
            raw=store.ancestor(RawRatings, found),
            ratings=store.ancestor(ValidatedRatings, found),
            split=store.ancestor(SplitRatings, found),
            tokenizer=store.ancestor(Tokenizer, found),
            prompts=prompts,
            priors=priors,
        )
        base = store.ancestor(Base, found)
        inputs = [data.raw, data.ratings, data.split, data.tokenizer, prompts, base, found]
        costs = last_costs(metrics, profile)
        stages = Stages(evaluation_stages(settings), costs, artifacts=inputs)
        return evaluate_and_publish(profile, settings, store, stages, data, base, found)
