"""The nightly run: prepare, train, predict, rank, score, publish, serve, report."""

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.ablations import run_ablations
from flows.alerts import alert_on_rejections, on_run_failure
from flows.attempt import attempt, time_limit
from flows.console import print_summary
from flows.forecast import forecast
from flows.form import UNCHANGED, Overrides
from flows.head import predict_beyond_prompts
from flows.histories import made_beside, rank_by_baselines, rate_by_baselines
from flows.missed_runs import newer_run_reason
from flows.overrides import with_data
from flows.prepare import PreparedData, prepare_data
from flows.promotion import contest
from flows.ranking import decode, rate_and_rank
from flows.recommend_all import serve_everyone, serves
from flows.run_artifacts import create_artifacts
from flows.run_start import begin_run, scheduled_day
from flows.second_table import publish_second_table, second_stages, split_again
from flows.settings import Profile, Settings, load, open_store
from flows.stages import (
    FIT_PRIORS,
    OPPONENT,
    UNTIL_TRAINED,
    Stages,
    evaluation_stages,
    serving_stages,
)
from flows.tracking import track_run
from tasks.base.task import build_base
from tasks.baseline.task import blend_predictions
from tasks.metrics_db import last_costs
from tasks.metrics_location import metrics_path
from tasks.report.task import write_report
from tasks.store.artifacts import Adapter, Base
from tasks.store.store import Store
from tasks.train.task import train_adapter


def name_run() -> str:
    """`2026-11-23-laptop`: the day for which it was scheduled, and the profile."""
    return f"{scheduled_day()}-{flow_run.parameters.get('profile', 'laptop')}"


@flow(
    name="nightly",
    flow_run_name=name_run,
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def nightly(
    profile: Profile = "laptop", data: str | None = None, overrides: Overrides = UNCHANGED
) -> str | State[str]:
    """Train an adapter on ratings, predict, rank, score, publish and serve; return the run's id.

    Where a newer scheduled run is due, or another one is running and `wait_for_lock` is false, this
    one is cancelled.

    Args:
        profile: A file of flows/profiles: `laptop` takes minutes, `smoke` is for a try.
        data: Name of a data source, such as ml-100k-wheel, or a path on the worker's machine; the
            profile's where it is empty.
        overrides: Nested settings over the profile's.
    """
    if reason := newer_run_reason():
        return Cancelled(message=reason)
    settings = load(profile, with_data(overrides, data))
    begin_run(profile, settings.ingest.data)
    return attempt(lambda: run_pipeline(profile, settings, open_store()))


def run_pipeline(profile: str, settings: Settings, store: Store) -> str:
    """Run all stages; return the run's id.

    Raises StoreBusyError where another run holds the store and `wait_for_lock` is false, and
    RunTimeoutError where it works longer than `timeout_hours`.
    """
    holder, wait = f"a run of profile {profile}", settings.wait_for_lock
    with store.exclusive_lock(holder, wait=wait), time_limit(settings.timeout_hours):
        alert_on_rejections(store)
        metrics = metrics_path(store)
        planned = [*UNTIL_TRAINED, *second_stages(settings), *evaluation_stages(settings)]
        stages = Stages(planned, last_costs(metrics, profile))
        if settings.prior.model == "none":
            stages.skip(FIT_PRIORS)
        if not metrics.exists():  # the first run competes with none
            stages.skip(*OPPONENT)
        data = prepare_data(settings, store, stages)
        second = split_again(settings, store, stages, data)
        base = stages("build base", build_base)(
            data.tokenizer, data.prompts, config=settings.base, store=store
        )
        forecast(settings, store, stages, data, base)
        with made_beside(settings, store, stages, data.split, data.ratings):
            adapter = stages("train adapter", train_adapter)(
                base, data.prompts, config=settings.train, store=store
            )
            if second:
                publish_second_table(profile, settings, store, stages, second, base)
            return evaluate_and_publish(profile, settings, store, stages, data, base, adapter)


def evaluate_and_publish(
    profile: str,
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
    *,
    serve_lists: bool = True,
) -> str:
    """Predict, score, publish, serve and report for an adapter; return the run's id."""
    llm, ranked = rate_and_rank(settings, store, stages, data, base, adapter)
    decoded, *free_text = decode(settings, store, stages, data, base, adapter)
    lists = [decoded, ranked, *free_text]
    of_priors = predict_beyond_prompts(settings, store, stages, data, base)
    baselines = rate_by_baselines(settings, store, stages, data.split, data.ratings)
    baseline_lists = rank_by_baselines(settings, store, stages, data.split, data.ratings)
    blend = stages("blend predictions", blend_predictions)(
        data.split, [llm, *of_priors, baselines],
        without=(settings.predict.predictor, settings.predict.head),
        config=settings.baseline, store=store,
    )  # fmt: skip
    run_ablations(settings, store, stages, data, base, adapter, llm)
    predictions, lists = [llm, *of_priors, baselines, blend], [*lists, baseline_lists]
    scores = contest(profile, settings, store, stages, data, adapter, predictions, lists)
    serve = None
    if settings.serving.nightly and serve_lists and serves(data.raw, store):
        serve = serve_everyone(settings, store, data.split, data.ratings, stages)
    else:
        stages.skip(*serving_stages(settings))
    page = stages("write report", write_report)(
        scores.fingerprint, scores, lists=serve.lists if serve else None, store=store
    )
    made = list(dict.fromkeys(stages.artifacts))
    print_summary(scores.fingerprint, page, made, store)
    create_artifacts(scores.fingerprint, page, data.ratings, store)
    track_run(scores.fingerprint, page, store)
    return scores.fingerprint
