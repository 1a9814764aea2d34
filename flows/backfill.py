"""Runs as they would have been on past days."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from prefect import State, flow

from flows.alerts import on_run_failure
from flows.attempt import attempt
from flows.nightly import run_pipeline
from flows.overrides import SettingsError
from flows.settings import Profile, Settings, load, open_store

log = logging.getLogger(__name__)


@flow(
    name="backfill",
    flow_run_name="backfill-{first}-{last}",
    on_failure=[on_run_failure],
    on_crashed=[on_run_failure],
)
def backfill(
    first: date,
    last: date,
    every_days: int = 1,
    profile: Profile = "laptop",
    overrides: dict[str, Any] | None = None,
) -> list[str] | State[list[str]]:
    """One run for each day from `first` to `last`, each on the ratings up to that day.

    Finished stages are reused, so a backfill that was stopped resumes where it was. Returns the
    runs' ids. Where another run holds the store and `wait_for_lock` is false, this one is
    cancelled. Raises SettingsError where the days are in the wrong order.
    """
    runs = settings_per_day(first, last, every_days, profile, overrides)
    return attempt(lambda: run_days(profile, runs))


def run_days(profile: str, runs: Sequence[Settings]) -> list[str]:
    """Run the days in order; return the runs' ids."""
    ids = []
    for number, settings in enumerate(runs, start=1):
        log.info("run %d of %d, as of %s", number, len(runs), settings.ingest.as_of)
        ids.append(run_pipeline(profile, settings, open_store()))
    return ids


def settings_per_day(
    first: date, last: date, every_days: int, profile: str, overrides: dict[str, Any] | None
) -> list[Settings]:
    """The settings of each run. Raises SettingsError where there is no run to do."""
    if first > last or every_days < 1:
        raise SettingsError(f"nothing to do from {first} to {last} every {every_days} days")
    days = range(0, (last - first).days + 1, every_days)
    return [as_of(profile, overrides, first + timedelta(n)) for n in days]


def as_of(profile: str, overrides: dict[str, Any] | None, day: date) -> Settings:
    """The settings of a run on the ratings up to that day."""
    merged = dict(overrides or {})
    merged["ingest"] = dict(merged.get("ingest", {})) | {"as_of": day.isoformat()}
    return load(profile, merged)
