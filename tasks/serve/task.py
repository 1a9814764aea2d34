"""Tasks: each user's list composed, and all lists swapped in where the guard rails hold."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.schemas.objects import State

from tasks.metrics_db import atomic_update
from tasks.metrics_location import metrics_location
from tasks.serve.config import Serving
from tasks.serve.record import Serve, insert_serve
from tasks.store.artifacts import (
    Adapter,
    RankedLists,
    RatingPredictions,
    ServedLists,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.remote.errors import ConflictError
from tasks.store.store import Store

__all__ = ["Serve", "Serving", "compose_recommendations", "record_serve", "swap_recommendations"]


@task
def compose_recommendations(
    requests: SplitRatings,
    ratings: ValidatedRatings,
    lists: RankedLists,
    predictions: RatingPredictions,
    *,
    config: Serving,
    store: Store,
) -> ServedLists:
    """Take the first films of each user's ranked candidates, with their expected ratings."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.serve.compose import compose_lists

        return compose_lists(draft, requests, ratings, lists, predictions, config.list_length)

    parents = [requests, ratings, lists, predictions]
    recipe = {"list_length": config.list_length}
    return store.build(ServedLists, recipe=recipe, parents=parents, write=write)


@task
def swap_recommendations(
    served: ServedLists,
    requests: SplitRatings,
    ratings: ValidatedRatings,
    champion: Adapter,
    *,
    config: Serving,
    store: Store,
) -> Serve:
    """Serve these lists at once, unless a guard rail refuses them; return figures and refusal.

    What is served already stays, with the moment from which it is valid.
    """
    from tasks.serve.figures import find_violations, measure
    from tasks.serve.swap import read_last_lists, read_served, swap_in

    if (current := read_served(store.root)) and current["lists"] == served.fingerprint:
        return Serve.from_manifest(current)
    figures = measure(served, requests, ratings, read_last_lists(store.root))
    serve = Serve(
        served_at=datetime.now(UTC),
        lists=served.fingerprint,
        champion=champion.fingerprint,
        data=ratings.fingerprint,
        dataset=served.metadata["dataset"],
        refused="; ".join(find_violations(figures, config)) or None,
        figures=figures,
    )
    if serve.refused is None:
        swap_in(store.root, served, serve, config)
    return serve


def conflicted(_task: object, _run: object, state: State[None]) -> bool:
    """Whether another machine has published meanwhile: then record on top of that."""
    return isinstance(state.result(raise_on_failure=False), ConflictError)


@task(retries=5, retry_delay_seconds=5, retry_condition_fn=conflicted)
def record_serve(serve: Serve, *, store: Store) -> None:
    """Insert one row into the metrics database, once. Raises ConflictError as `publish` does."""
    with atomic_update(*metrics_location(store)) as db:
        insert_serve(db, serve)
