"""Tasks: publish a run's artifacts as rows of the metrics database; roll back the champion."""

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb
from prefect import task
from prefect.client.schemas.objects import State

from tasks.metrics_db import atomic_update
from tasks.metrics_location import metrics_location, metrics_path
from tasks.publish.contest import Contest
from tasks.publish.opponent import Challenge
from tasks.publish.promotion import decide
from tasks.publish.rollback import promote_again
from tasks.publish.rows import insert_run
from tasks.publish.serving import ChampionRow, choose_serving
from tasks.publish.usable import find_usable
from tasks.store.artifacts import Artifact, Scores, SplitRatings, ValidatedRatings
from tasks.store.remote.errors import ConflictError
from tasks.store.store import Store


def conflicted(_task: object, _run: object, state: State[str]) -> bool:
    """Whether another machine has published meanwhile: then publish again, on top of that."""
    return isinstance(state.result(raise_on_failure=False), ConflictError)


@task(retries=5, retry_delay_seconds=5, retry_condition_fn=conflicted)
def publish(
    scores: Scores,
    artifacts: Sequence[Artifact],
    *,
    profile: str,
    commit: str | None,
    challenge: Challenge | None,
    contest: Contest | None = None,
    store: Store,
) -> str:
    """Publish a run once, with the decision about its adapter if any; return the run's id.

    `artifacts` are those of its stages, in order; `contest` decides where there is a champion. A
    run that is published already, and an adapter that was decided on, stay as they are. Raises
    ConflictError where another machine has published meanwhile, and ChampionChangedError where
    another champion was promoted since the challenge.
    """
    with atomic_update(*metrics_location(store)) as db:
        query = "select 1 from runs where run_id = ?"
        if db.execute(query, [scores.fingerprint]).fetchone() is None:
            at = _timestamp(db)
            insert_run(db, scores, artifacts, profile=profile, commit=commit, at=at)
            if challenge is None:
                return scores.fingerprint
            ratings = next(made for made in artifacts if isinstance(made, ValidatedRatings))
            champion = challenge.champion
            champions_ratings = store.ancestor(ValidatedRatings, champion) if champion else None
            split = next(made for made in artifacts if isinstance(made, SplitRatings))
            decide(db, scores, split, ratings, champions_ratings, challenge, contest, at)
    return scores.fingerprint


@task
def serve_from(*, dataset: str, split: str, store: Store) -> ChampionRow:
    """Let a data set and a split serve from now on; return their champion.

    `split` is the protocol's name or the beginning of the recipe's hash; empty where the data set
    has one only. Raises FileNotFoundError where nothing was published, LookupError where not
    exactly one of those with a champion fits, ConflictError where another machine has published
    meanwhile.
    """
    _require_metrics(store)
    with atomic_update(*metrics_location(store)) as db:
        return choose_serving(db, dataset, split, _timestamp(db))


@task
def roll_back(*, to: str, store: Store) -> str:
    """Promote an earlier adapter again; return its fingerprint.

    `to` is the beginning of its fingerprint; empty for the champion before. Raises
    FileNotFoundError where nothing was published, LookupError where not exactly one adapter begins
    so, StoreError where it or one of its inputs is missing or corrupt, ConflictError where another
    machine has published meanwhile.
    """
    _require_metrics(store)
    with atomic_update(*metrics_location(store)) as db:
        adapter = promote_again(db, to, _timestamp(db))
        return find_usable(adapter, store).fingerprint


def _require_metrics(store: Store) -> None:
    if not (path := metrics_path(store)).exists():
        raise FileNotFoundError(f"no metrics at {path}: run `make nightly` first")


def _timestamp(db: duckdb.DuckDBPyConnection) -> datetime:
    """Now, but after every published row: a clock that was set back does not change the order."""
    query = (
        "select max(moment) + interval 1 microsecond from (select run_at as moment from runs "
        "union all select decided_at from champions union all select set_at from serving)"
    )
    ((after,),) = db.execute(query).fetchall()
    now = datetime.now(UTC)
    return now if after is None else max(now, after)
