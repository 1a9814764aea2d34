"""Makes tonight's list for every user, by the champion, and serves all of them at once."""

from collections.abc import Callable
from typing import Any

from prefect import State, Task, flow

from flows.alerts import Alert, on_run_failure
from flows.attempt import attempt, time_limit
from flows.events import emit_refused, emit_served
from flows.form import UNCHANGED, Overrides
from flows.overrides import with_data
from flows.ranker import Call, NoFilmLeftError, Ranker
from flows.recommend import latest_champion_ranking
from flows.retries import resilient
from flows.run_start import begin_run, scheduled_day
from flows.settings import Profile, Settings, load, open_store
from flows.stages import name_serving_stage
from tasks.ingest.task import ingest_ratings
from tasks.recommend.task import add_everyone
from tasks.serve.task import (
    Serve,
    compose_recommendations,
    record_serve,
    swap_recommendations,
)
from tasks.split.task import split_ratings
from tasks.store.artifacts import RawRatings, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.task import validate_ratings

HINT = "make reports name=served"


class ListsRefusedError(Exception):
    """A guard rail refused the lists: the last ones are still served."""


def serve_everyone(
    settings: Settings,
    store: Store,
    split: SplitRatings,
    ratings: ValidatedRatings,
    call: Call,
) -> Serve | None:
    """Rank for every user on all of these ratings, and swap the lists in; alert where refused.

    None, and an alert, where nobody who is to get a list has a film left. The champion ranks,
    whichever run it is from. `split` gives the order of each history; its folds do not count.
    """
    ranker = Ranker.load(latest_champion_ranking(store), store)

    def labelled(label: str, task: Task) -> Callable[..., Any]:
        return call(name_serving_stage(label), task)

    config = settings.serving
    requests = labelled("request lists", add_everyone)(
        split, active_days=config.active_days, store=store
    )
    try:
        ranked = ranker.rank_requests(
            requests, ratings, inference=settings.inference, store=store, call=labelled
        )
    except NoFilmLeftError as reason:
        emit_refused(requests, str(reason))
        refusal(str(reason), f"requests {requests.fingerprint}").send()
        return None
    lists = labelled("compose lists", compose_recommendations)(
        requests, ratings, ranked.lists, ranked.predictions, config=config, store=store
    )
    serve = labelled("swap lists", swap_recommendations)(
        lists, requests, ratings, ranker.adapter, config=config, store=store
    )
    labelled("record lists", record_serve)(serve, store=store)
    emit_served(serve)
    for alert in serving_alerts(serve, config.min_overlap):
        alert.send()
    return serve


def serves(raw: RawRatings, store: Store) -> bool:
    """Whether a run's ratings are tonight's of the data set that is served.

    Not those of a past day: they would take the place of newer ones.
    """
    ranker = latest_champion_ranking(store)
    served = store.recipe(RawRatings, ranker)["dataset"]
    return raw.as_of is None and raw.manifest["recipe"]["dataset"] == served


def serving_alerts(serve: Serve, min_overlap: float) -> list[Alert]:
    """One where lists were refused, one where they are far from the last ones."""
    source = f"lists {serve.lists}"
    overlap, alerts = serve.figures.overlap, []
    if serve.refused:
        alerts.append(refusal(serve.refused, source))
    if overlap is not None and overlap < min_overlap:
        summary = f"overlap with the last lists is {overlap:.2f}, less than {min_overlap:g}"
        alerts.append(Alert(summary, source, HINT))
    return alerts


def refusal(reason: str, source: str) -> Alert:
    """The last lists are served on."""
    return Alert(f"tonight's lists are not served: {reason}", source, HINT)


def name_run() -> str:
    """`2026-11-23-lists`: the day for which it was scheduled."""
    return f"{scheduled_day()}-lists"


@flow(
    name="recommend_all",
    flow_run_name=name_run,
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def recommend_all(
    profile: Profile = "laptop", data: str | None = None, overrides: Overrides = UNCHANGED
) -> dict[str, Any] | State[dict[str, Any]]:
    """Make tonight's list for every user, by the champion, on all ratings of a data set.

    Users whose history, candidates and champion are the same as before are not read again.
    Where another run holds the store and `wait_for_lock` is false, this one is cancelled. Raises
    ListsRefusedError where a guard rail refuses the lists.

    Args:
        profile: A file of flows/profiles.
        data: Name of a data source, or a path on the worker's machine; the profile's where it is
            empty.
        overrides: Nested settings over the profile's; those of `serving` count, and of
            `inference` how users are batched: what is read of them is as in the champion's run.
    """
    settings, store = load(profile, with_data(overrides, data)), open_store()
    begin_run(profile, settings.ingest.data)

    def call(label: str, task: Task) -> Callable[..., Any]:
        return resilient(task, label)

    return attempt(lambda: serve_data(settings, store, call).to_json())


def serve_data(settings: Settings, store: Store, call: Call) -> Serve:
    """Ingest and validate tonight's ratings, and serve everyone on them."""
    wait, limit = settings.wait_for_lock, time_limit(settings.timeout_hours)
    with store.exclusive_lock("lists for everyone", wait=wait), limit:
        raw = call("ingest ratings", ingest_ratings)(config=settings.ingest, store=store)
        ratings = call("validate ratings", validate_ratings)(
            raw, config=settings.validation, store=store
        )
        split = call("split ratings", split_ratings)(ratings, config=settings.split, store=store)
        serve = serve_everyone(settings, store, split, ratings, call)
    if serve is None:
        raise ListsRefusedError("the last lists are still served: no user has a film left")
    if serve.refused:
        raise ListsRefusedError(f"the last lists are still served: {serve.refused}")
    return serve
