"""Finds the champion that a run's adapter is compared with."""

import logging
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from tasks.metrics_db import opponent_of
from tasks.metrics_location import metrics_path
from tasks.publish.config import PromotionMargins
from tasks.publish.usable import find_usable
from tasks.store.artifacts import Adapter, RawRatings, SplitRatings
from tasks.store.store import Store, StoreError

log = logging.getLogger(__name__)


class Decision(NamedTuple):
    """Whether an adapter is promoted to champion, and why."""

    promoted: bool
    reason: str


FIRST = Decision(promoted=True, reason="the first adapter for this split of these data")


@dataclass(frozen=True)
class Challenge:
    """A run's adapter and its opponent. Without one, `default_decision` holds.

    `missing` is the fingerprint of a champion that cannot be compared with.
    """

    challenger: Adapter
    margins: PromotionMargins
    champion: Adapter | None = None
    default_decision: Decision = FIRST
    missing: str | None = None


def find_opponent(
    adapter: Adapter,
    split: SplitRatings,
    raw: RawRatings,
    *,
    margins: PromotionMargins,
    store: Store,
) -> Challenge:
    """The adapter with the champion that it is compared with, or else with its decision.

    Adapters are compared only on the same split; otherwise one's test ratings may be in the
    other's training data. A champion of a later day has trained on this run's test ratings: it is
    not compared, and stays. So does one that is missing or corrupt, or whose inputs are: nobody
    knows whether the challenger is worse.
    """
    dataset, protocol = split.metadata["dataset"], split.metadata["protocol"]
    name = opponent_of(metrics_path(store), dataset, protocol, adapter.fingerprint)
    if name is None:
        return Challenge(adapter, margins)
    try:
        champion = find_usable(name, store)
        champions_split = store.ancestor(SplitRatings, champion)
        last_day = _last_day(store.ancestor(RawRatings, champion))
    except StoreError as error:
        reason = f"there is no comparison with the champion {name}: {error}"
        log.warning(reason)
        unknown = Decision(promoted=False, reason=reason)
        return Challenge(adapter, margins, default_decision=unknown, missing=name)
    if champions_split.manifest["recipe"] != split.manifest["recipe"]:
        return Challenge(adapter, margins)
    if last_day > _last_day(raw):
        later = f"the champion was trained on ratings up to {last_day}, a later day"
        return Challenge(adapter, margins, default_decision=Decision(promoted=False, reason=later))
    return Challenge(adapter, margins, champion)


def _last_day(raw: RawRatings) -> date:
    """The day up to which ratings were taken; the last that there is where all were."""
    return raw.as_of or date.max
