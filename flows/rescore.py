"""Predicts, scores and publishes again, for an adapter that exists."""

from contextlib import suppress

from prefect import State, flow
from pydantic import TypeAdapter

from flows.alerts import on_run_failure
from flows.attempt import attempt, time_limit
from flows.form import UNCHANGED, Overrides
from flows.nightly import evaluate_and_publish
from flows.prepare import PreparedData
from flows.retries import resilient
from flows.run_start import begin_run
from flows.settings import Profile, Settings, load, open_store
from flows.stages import Stages, evaluation_stages
from flows.tonight import find_tonights_data
from tasks.metrics_db import last_costs
from tasks.metrics_location import metrics_path
from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.publish.serving import find_serving_champion
from tasks.split.task import Split, split_ratings
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
from tasks.store.store import Store


@flow(
    name="rescore",
    flow_run_name="rescore-{adapter}",
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def rescore(
    adapter: str = "champion", profile: Profile = "laptop", overrides: Overrides = UNCHANGED
) -> str | State[str]:
    """Score an adapter on tonight's ratings, and publish that; return the run's id.

    Where another run holds the store and `wait_for_lock` is false, this one is cancelled. Raises
    StoreError where there is no such adapter.

    Args:
        adapter: Beginning of its fingerprint; `champion` is the one that serves.
        profile: A file of flows/profiles, whose settings of predict, decode, rank, baseline and
            score count.
        overrides: Nested settings over the profile's.
    """
    settings = load(profile, overrides)
    begin_run(profile)
    return attempt(lambda: rescore_adapter(adapter, profile, settings, open_store()))


def rescore_adapter(adapter: str, profile: str, settings: Settings, store: Store) -> str:
    """The same, but raises StoreBusyError where it cannot wait."""
    metrics = metrics_path(store)
    found = find_serving_champion(store) if adapter == "champion" else store.find(Adapter, adapter)
    wait, limit = settings.wait_for_lock, time_limit(settings.timeout_hours)
    with store.exclusive_lock(f"rescoring {adapter}", wait=wait), limit:
        data = _tonights_data(found, settings, store)
        base = store.ancestor(Base, found)
        inputs = [data.raw, data.ratings, data.split, data.tokenizer, data.prompts, base, found]
        costs = last_costs(metrics, profile)
        stages = Stages(evaluation_stages(settings), costs, artifacts=inputs)
        return evaluate_and_publish(
            profile, settings, store, stages, data, base, found, serve_lists=False
        )


def _tonights_data(adapter: Adapter, settings: Settings, store: Store) -> PreparedData:
    """The newest ratings of the adapter's data set, split and worded as in its own run."""
    own = store.ancestor(SplitRatings, adapter)
    ratings = own_ratings = store.ancestor(ValidatedRatings, adapter)
    with suppress(FileNotFoundError):  # nothing was published: the adapter's own are the newest
        ratings = find_tonights_data(own.metadata["dataset"], store).ratings
    split, tokenizer = own, store.ancestor(Tokenizer, adapter)
    prompts = store.ancestor(Prompts, adapter)
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    newer = ratings != own_ratings
    if newer:
        recipe = TypeAdapter(Split).validate_python(own.manifest["recipe"])
        split = resilient(split_ratings, "split ratings")(ratings, config=recipe, store=store)
    priors = None
    if wording.needs_priors and not newer:
        priors = store.ancestor(RatingPriors, prompts)
    elif wording.needs_priors or settings.prior.model != "none":
        prior = settings.prior
        if wording.needs_priors:
            prior = Prior.model_validate(store.recipe(RatingPriors, prompts))
        priors = resilient(fit_priors, "fit priors")(split, ratings, config=prior, store=store)
    if newer:
        prompts = resilient(write_prompts, "write prompts")(
            split, ratings, tokenizer, priors, config=wording, store=store
        )
    raw = store.ancestor(RawRatings, ratings)
    return PreparedData(raw, ratings, split, tokenizer, prompts, priors)
