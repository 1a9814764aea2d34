"""Finds an adapter with all that predicting with it reads, each verified by its hashes."""

from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings, Tokenizer, ValidatedRatings
from tasks.store.store import Store

INPUTS = (Base, Tokenizer, SplitRatings, ValidatedRatings)


def find_usable(adapter: str, store: Store) -> Adapter:
    """The adapter of a fingerprint, downloaded with its inputs where they are not here.

    Of its prompts the settings are enough. Raises StoreError where one is missing or corrupt.
    """
    found = store.find(Adapter, adapter)
    for kind in INPUTS:
        store.ancestor(kind, found)
    store.recipe(Prompts, found)
    return found
