"""Finds the champion that a run's adapter is compared with."""

import logging
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import duckdb

from tasks.metrics_db import SQL, open_readonly
from tasks.publish.config import PromotionMargins
from tasks.publish.serving import hash_recipe, metrics_with_recipes
from tasks.publish.usable import find_usable
from tasks.store.artifacts import Adapter, RawRatings, SplitRatings
from tasks.store.store import Store, StoreError

log = logging.getLogger(__name__)


class Decision(NamedTuple):
    """Whether an adapter is promoted to champion, and why."""

    promoted: bool
    reason: str


class ChampionChangedError(Exception):
    """Another champion was promoted while a challenger was compared: it has to contest again."""


FIRST = Decision(promoted=True, reason="the first adapter for this split of these data")


@dataclass(frozen=True)
class Challenge:
    """A run's adapter and its opponent. Without one, `default_decision` holds.

    `best` is the best champion so far, where that is another one; `missing` the fingerprint of a
    champion that cannot be compared with; `expected` that of the champion of the same data and
    split, whatever the decision. `by_hand` is a person's decision, in place of the checks';
    `decided` says that there is one already, of an earlier run of the same.
    """

    challenger: Adapter
    margins: PromotionMargins
    champion: Adapter | None = None
    default_decision: Decision = FIRST
    best: Adapter | None = None
    missing: str | None = None
    expected: str | None = None
    by_hand: Decision | None = None
    decided: bool = False


def find_opponent(
    adapter: Adapter,
    split: SplitRatings,
    raw: RawRatings,
    *,
    margins: PromotionMargins,
    store: Store,
    served_lists: str = "ranked",
) -> Challenge:
    """The adapter with the champion that it is compared with, or else with its decision.

    Adapters are compared on the same data set and recipe of the split only; otherwise one's test
    ratings may be in the other's training data. A champion of a later day has trained on this
    run's test ratings: it is not compared, and stays. So does one that is missing or corrupt, or
    whose inputs are: nobody knows whether the challenger is worse.
    """
    path = metrics_with_recipes(store)
    if not path.exists():
        return Challenge(adapter, margins)
    with open_readonly(path) as db:
        expected = champion_of(db, split)
        decided = decided_opponent(db, adapter)
        best_name = best_champion(db, split, served_lists)
    name = decided[0] if decided else expected
    if name is None:
        return Challenge(adapter, margins, expected=expected)
    try:
        champion = find_usable(name, store)
        best = None
        if not decided and best_name and best_name != name:
            best = find_usable(best_name, store)
        champions_split = store.ancestor(SplitRatings, champion)
        last_day = _last_day(store.ancestor(RawRatings, champion))
    except StoreError as error:
        reason = f"there is no comparison with the champion {name}: {error}"
        log.warning(reason)
        unknown = Decision(promoted=False, reason=reason)
        return Challenge(adapter, margins, None, unknown, missing=name, expected=expected)
    if champions_split.manifest["recipe"] != split.manifest["recipe"]:
        return Challenge(adapter, margins, expected=expected)  # its run had no `split_recipe` yet
    if last_day > _last_day(raw):
        later = f"the champion was trained on ratings up to {last_day}, a later day"
        return Challenge(adapter, margins, None, Decision(False, later), expected=expected)
    return Challenge(
        adapter, margins, champion, best=best, expected=expected, decided=decided is not None
    )


def champion_of(db: duckdb.DuckDBPyConnection, split: SplitRatings) -> str | None:
    """The fingerprint of the champion of the split's data set and recipe; None where none is.

    The champion of a run that does not know its recipe may be of this one.
    """
    of_split = [split.metadata["dataset"], hash_recipe(split.manifest["recipe"])]
    found = db.execute(
        "select adapter from champion where dataset = ? and split_recipe in (?, ?) "
        "order by split_recipe = protocol limit 1",
        [*of_split, split.metadata["protocol"]],
    ).fetchone()
    return None if found is None else str(found[0])


def best_champion(
    db: duckdb.DuckDBPyConnection, split: SplitRatings, served_lists: str
) -> str | None:
    """The fingerprint of the best champion so far of the split's data set and recipe.

    A margin that each run may lose cannot add up over runs: the sum is held against the best.
    """
    values = (split.metadata["dataset"], hash_recipe(split.manifest["recipe"]), served_lists)
    names = ("dataset", "split_recipe", "served_lists")
    for name, value in zip(names, values, strict=True):
        db.execute(f"set variable {name} = ?", [value])
    found = db.execute((SQL / "best_champion.sql").read_text()).fetchone()
    return None if found is None else str(found[0])


def decided_opponent(
    db: duckdb.DuckDBPyConnection, challenger: Adapter
) -> tuple[str | None] | None:
    """The opponent of an adapter's decision, which has one or none; None before it is decided on.

    So a repeated run is compared with the same one, and gets the same scores.
    """
    return db.execute(
        "select previous_champion from champions where adapter = ? order by decided_at limit 1",
        [challenger.fingerprint],
    ).fetchone()


def _last_day(raw: RawRatings) -> date:
    """The day up to which ratings were taken; the last that there is where all were."""
    return raw.as_of or date.max
