"""Finds the adapter that a warm start begins with."""

import logging
from typing import NamedTuple

from tasks.store.artifacts import Adapter, Artifact, Base, Prompts, SplitRatings, ValidatedRatings
from tasks.store.store import Store, StoreError

log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """What an artifact was made from: data set, settings of the split, and the data's last day."""

    dataset: str
    split: dict[str, object]
    last_day: str


def find_initial(base: Base, prompts: Prompts, store: Store) -> Adapter | None:
    """The adapter of this base whose data end last before those of the prompts, or None.

    Of several the one that was finished first: what was trained since does not change the choice,
    so that a rerun, also of an earlier day, starts where the first run started. Only adapters of
    the same data set and settings of the split count: another split may have trained on ratings
    that are targets here.
    """
    own = _origin(prompts, store)
    best, last_day = None, ""
    for fingerprint in store.fingerprints(Adapter):  # the newest last
        try:
            parents = store.read_manifest(Adapter, fingerprint)["parents"]
            if base.fingerprint not in [parent["fingerprint"] for parent in parents]:
                continue
            adapter = store.find(Adapter, fingerprint)
            origin = _origin(adapter, store)
        except StoreError as error:
            log.info("no warm start from adapter %s: %s", fingerprint, error)
            continue
        if origin[:2] == own[:2] and last_day < origin.last_day < own.last_day:
            best, last_day = adapter, origin.last_day
    return best


def _origin(artifact: Artifact, store: Store) -> Origin:
    """Raises StoreError where its lineage is not known, or is of an earlier version."""
    ratings = store.ancestor_manifest(ValidatedRatings, artifact)
    if "last_day" not in (metadata := ratings["metadata"]):
        raise StoreError("an earlier version of the project validated its ratings")
    split = store.recipe(SplitRatings, artifact)
    return Origin(metadata["dataset"], split, metadata["last_day"])
