"""The whole story of a night: prepare, train, predict, score, publish, report."""

import argparse
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.alarm import ended_badly, findings
from flows.command_line import add_settings, run_and_leave
from flows.console import announce
from flows.contest import champion_says, contested
from flows.downtime import superseded
from flows.listing import listed
from flows.prepare import Prepared, prepared
from flows.probing import probed
from flows.settings import ROOT, Profile, Settings, load, the_store
from tasks.base.task import build_base
from tasks.baseline.task import blend_predictions, predict_baselines, rank_baselines
from tasks.metrics_db import run_is_published
from tasks.predict.task import predict_ratings
from tasks.publish.task import metric_file, publish
from tasks.report.task import write_report
from tasks.score.task import score
from tasks.store.artifacts import Adapter, Artifact, Base
from tasks.store.store import Store, StoreBusyError
from tasks.train.task import train_adapter


def name_run() -> str:
    """`2026-11-23-laptop`: the day, and the profile."""
    return f"{date.today()}-{flow_run.parameters.get('profile', 'laptop')}"


@flow(
    name="nightly",
    flow_run_name=name_run,
    on_failure=[ended_badly],
    on_crashed=[ended_badly],
)
def nightly(
    profile: Profile = "laptop", data: str | None = None, changes: dict[str, Any] | None = None
) -> str | State[str]:
    """Turn what people have rated into an adapter, predictions and published metrics.

    `data` is a name of the catalogue or a local path; `changes` are settings in nested form that
    go over the profile's. Returns the run's id in the metric file. Where a newer scheduled night is
    due, or another is running and `wait` is set to false, this one is cancelled.
    """
    if why := superseded():
        return Cancelled(message=why)
    try:
        return one_night(profile, load(profile, with_data(changes, data)), the_store())
    except StoreBusyError as busy:
        return Cancelled(message=str(busy))


def one_night(profile: str, settings: Settings, store: Store) -> str:
    """Walk through all rooms; return the run's id.

    Raises StoreBusyError where another night does so, and this one is not to wait for its end.
    """
    with store.exclusive_lock(f"a night of profile {profile}", wait=settings.wait):
        data = prepared(settings, store)
        base = build_base(data.tokenizer, data.prompts, config=settings.base, store=store)
        adapter = train_adapter(base, data.prompts, config=settings.train, store=store)
        return finished(profile, settings, store, data, base, adapter)


def finished(
    profile: str, settings: Settings, store: Store, data: Prepared, base: Base, adapter: Adapter
) -> str:
    """Predict, score, publish and report for an adapter; return the run's id."""
    rooms: list[Artifact] = [data.raw, data.ratings, data.split, data.tokenizer, data.prompts]
    said = predict_ratings(
        adapter,
        base,
        data.prompts,
        data.split,
        config=settings.predict,
        inference=settings.inference,
        store=store,
    )
    contest = contested(settings, store, data, adapter)
    rivals, rival_lists = champion_says(settings, store, data, contest)
    lists = listed(settings, store, data, base, adapter, said)
    others = predict_baselines(data.split, data.ratings, config=settings.baseline, store=store)
    popular = rank_baselines(data.split, data.ratings, config=settings.baseline, store=store)
    blend = blend_predictions(data.split, [said, others], config=settings.baseline, store=store)
    told = [said, *rivals, others, blend]
    listed_by = [*rival_lists, *lists.told, popular]
    scores = score(data.split, data.ratings, told, listed_by, config=settings.score, store=store)
    probes = probed(settings, store, data, base, adapter, said)
    night: Sequence[Artifact] = [*rooms, base, adapter, *lists.made_of, *told, *listed_by, *probes]
    is_new = not run_is_published(metric_file(store), scores.fingerprint)
    run_id = publish(scores, night, profile=profile, commit=commit(), contest=contest, store=store)
    if is_new:
        for alarm in findings(run_id, store):
            alarm.ring()
    page = write_report(run_id, scores, store=store)
    announce(run_id, page, data.ratings, [*night, scores], store)
    return run_id


def with_data(changes: Mapping[str, Any] | None, data: str | None) -> dict[str, Any]:
    """The changes, with the source of the data among them where one is named."""
    merged = dict(changes or {})
    if data:
        merged["ingest"] = dict(merged.get("ingest", {})) | {"data": data}
    return merged


def commit() -> str | None:
    """The project's commit; None outside of a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def main() -> None:
    """`python -m flows.nightly --profile laptop --changes '{"split": {"ties": "film"}}'`."""
    parser = argparse.ArgumentParser(description="One night, from data to report.")
    add_settings(parser)
    asked = parser.parse_args()
    profile, changes = asked.profile, with_data(asked.changes, asked.data)

    def run() -> None:
        load(profile, changes)  # before Prefect starts
        nightly(profile=profile, changes=changes)

    run_and_leave(run)


if __name__ == "__main__":
    main()
