"""The whole story of a night: prepare, train, predict, score, publish, report."""

import argparse
import subprocess
import sys
from datetime import date
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from flows.console import announce, quiet
from flows.prepare import Prepared, prepared
from flows.settings import ROOT, Settings, SettingsError, load
from tasks.artifacts import Adapter, Artifact, Base, Predictions
from tasks.base.task import build_base
from tasks.baseline.task import predict_baselines
from tasks.predict.task import predict
from tasks.publish.task import publish
from tasks.report.task import write_report
from tasks.score.task import score
from tasks.store import Store
from tasks.train.task import train_adapter


def name_run() -> str:
    """`2026-11-23-laptop`: the day, and the profile."""
    return f"{date.today()}-{flow_run.parameters.get('profile', 'laptop')}"


def finished(
    settings: Settings, store: Store, data: Prepared, base: Base, adapter: Adapter, profile: str
) -> str:
    """Predict, score, publish and report for an adapter; return the run's id."""
    told: list[Predictions] = [
        predict(adapter, base, data.prompts, data.histories, config=settings.predict, store=store),
        predict_baselines(data.histories, data.ratings, config=settings.baseline, store=store),
    ]
    scores = score(data.histories, data.ratings, told, config=settings.score, store=store)
    night: list[Artifact] = [
        data.raw, data.ratings, data.histories, data.tokenizer, data.prompts, base, adapter, *told
    ]  # fmt: skip
    run_id = publish(scores, night, profile=profile, commit=commit(), store=store)
    report = write_report(run_id, scores, store=store)
    announce(run_id, report, store)
    return run_id


@flow(name="nightly", flow_run_name=name_run)
def nightly(
    profile: str = "laptop", data: str | None = None, changes: dict[str, Any] | None = None
) -> str:
    """Turn what people have rated into an adapter, predictions and published metrics.

    `data` is a name of the catalogue or a local path; `changes` are settings in nested form that
    go over the profile's. Returns the run's id in the metric file.
    """
    settings = load(profile, with_data(changes, data))
    store = Store(ROOT)
    prepared_ = prepared(settings, store)
    base = build_base(prepared_.tokenizer, prepared_.prompts, config=settings.base, store=store)
    adapter = train_adapter(base, prepared_.prompts, config=settings.train, store=store)
    return finished(settings, store, prepared_, base, adapter, profile)


def with_data(changes: dict[str, Any] | None, data: str | None) -> dict[str, Any]:
    """The changes, with the source of the data among them where one is named."""
    merged = dict(changes or {})
    if data:
        merged["ingest"] = merged.get("ingest", {}) | {"data": data}
    return merged


def commit() -> str | None:
    """The project's commit; None outside of a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def main() -> None:
    """`python -m flows.nightly --profile laptop --data ml-100k-wheel`."""
    parser = argparse.ArgumentParser(description=nightly.__doc__)
    parser.add_argument("--profile", default="laptop")
    parser.add_argument("--data", default=None)
    asked = parser.parse_args()
    quiet()
    try:
        load(asked.profile)
    except SettingsError as error:
        sys.exit(f"error: {error}")
    nightly(profile=asked.profile, data=asked.data or None)


if __name__ == "__main__":
    main()
