"""Predict, score and publish again, for an adapter that exists."""

from typing import Any

from prefect import flow

from flows.nightly import finished
from flows.prepare import Prepared
from flows.settings import Profile, load, the_store
from tasks.metrics_db import find_champion
from tasks.publish.task import metric_file
from tasks.store.artifacts import (
    Adapter,
    Base,
    Prompts,
    RawRatings,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)


@flow(name="rescore", flow_run_name="rescore-{adapter}")
def rescore(
    adapter: str = "champion", profile: Profile = "laptop", changes: dict[str, Any] | None = None
) -> str:
    """Score an adapter, given by the beginning of its fingerprint, on the data it was trained on.

    `champion` is the one that became it last. The settings of predict, baseline and score are the
    profile's, with `changes` on top. Returns the run's id. Raises StoreError where none fits.
    """
    settings, store = load(profile, changes), the_store()
    found = store.find(
        Adapter, find_champion(metric_file(store)) if adapter == "champion" else adapter
    )
    with store.exclusive_lock(f"rescoring {adapter}", wait=settings.wait):
        data = Prepared(
            raw=store.ancestor(RawRatings, found),
            ratings=store.ancestor(ValidatedRatings, found),
            split=store.ancestor(SplitRatings, found),
            tokenizer=store.ancestor(Tokenizer, found),
            prompts=store.ancestor(Prompts, found),
        )
        return finished(profile, settings, store, data, store.ancestor(Base, found), found)
