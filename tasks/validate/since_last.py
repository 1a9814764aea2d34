"""Warns of what validated ratings lack, and what has moved, since the last run's."""

import logging

import polars as pl

from tasks.store.artifacts import ValidatedRatings
from tasks.store.store import Store, StoreError

MOST_MOVED = 0.05  # share of the ratings
log = logging.getLogger(__name__)


def find_previous(ratings: ValidatedRatings, store: Store) -> ValidatedRatings | None:
    """The newest validation of the same data set that ends no later; None where there is none."""
    own = ratings.metadata
    for manifest in store.manifests(ValidatedRatings):
        metadata, fingerprint = manifest["metadata"], manifest["fingerprint"]
        if (
            fingerprint != ratings.fingerprint
            and metadata.get("dataset") == own["dataset"]
            and metadata.get("last_day", "9") <= own["last_day"]
        ):
            try:
                return store.find(ValidatedRatings, fingerprint)
            except StoreError as error:
                log.warning("these ratings are compared with none of before: %s", error)
                return None
    return None


def warn_of_changes(ratings: ValidatedRatings, previous: ValidatedRatings) -> None:
    """Log how many ratings are missing, by user and film, and how many moved to other values."""
    if missing := count_missing(ratings, previous):
        before = previous.manifest["rows"]["ratings"]
        log.warning("%d of the %d ratings of the last run are missing", missing, before)
    moved = _total_variation(*(one.metadata["rating_histogram"] for one in (ratings, previous)))
    if moved > MOST_MOVED:
        log.warning("%.0f %% of the ratings moved to other values since the last run", 100 * moved)


def count_missing(ratings: ValidatedRatings, previous: ValidatedRatings) -> int:
    """How many of the previous ratings have no rating of that film by that user any more."""
    key = ["user_id", "film_id"]
    now, before = (one.scan("ratings").select(key) for one in (ratings, previous))
    lacking = before.join(now, on=key, how="anti").select(pl.len())
    return int(lacking.collect(engine="streaming").item())


def _total_variation(now: dict[str, int], before: dict[str, int]) -> float:
    """The share of ratings that would have to move: half the sum of absolute differences."""
    shares = [{v: n / max(1, sum(d.values())) for v, n in d.items()} for d in (now, before)]
    values = shares[0].keys() | shares[1].keys()
    return round(sum(abs(shares[0].get(v, 0) - shares[1].get(v, 0)) for v in values) / 2, 6)
