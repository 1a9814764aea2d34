"""Predict, score and publish again, for an adapter that exists."""

from typing import Any

from prefect import flow

from flows.nightly import finished
from flows.prepare import Prepared
from flows.settings import Profile, load, store_root
from tasks.artifacts import (
    Adapter,
    Base,
    Histories,
    Prompts,
    RawRatings,
    Tokenizer,
    TrustedRatings,
)
from tasks.store import Store


@flow(name="rescore", flow_run_name="rescore-{adapter}")
def rescore(
    adapter: str = "newest", profile: Profile = "laptop", changes: dict[str, Any] | None = None
) -> str:
    """Score an adapter, given by the beginning of its fingerprint, on the data it was trained on.

    `newest` is the one that was finished last. The settings of predict, baseline and score are the
    profile's, with `changes` on top. Returns the run's id. Raises StoreError where none fits.
    """
    settings, store = load(profile, changes), Store(store_root())
    found = store.find(Adapter, newest(store) if adapter == "newest" else adapter)
    data = Prepared(
        raw=store.parent(RawRatings, found),
        ratings=store.parent(TrustedRatings, found),
        histories=store.parent(Histories, found),
        tokenizer=store.parent(Tokenizer, found),
        prompts=store.parent(Prompts, found),
    )
    return finished(profile, settings, store, data, store.parent(Base, found), found)


def newest(store: Store) -> str:
    """The fingerprint of the adapter that was finished last; empty where there is none."""
    finished = store.finished(Adapter)
    return finished[-1].fingerprint if finished else ""
