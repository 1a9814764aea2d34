"""Runs as they would have been on past days."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

import pydantic
from prefect import State, flow

from flows.alerts import on_run_failure
from flows.attempt import attempt
from flows.form import UNCHANGED, Overrides
from flows.nightly import run_pipeline
from flows.overrides import SettingsError, with_data
from flows.run_start import begin_run
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
    every_days: Annotated[int, pydantic.Field(ge=1)] = 1,
    profile: Profile = "laptop",
    overrides: Overrides = UNCHANGED,
    data: str | None = None,
) -> list[str] | State[list[str]]:
    """One run for each day from `first` to `last`, each on the ratings up to that day.

    Finished stages are reused, so a backfill that was stopped resumes where it was. Returns the
    runs' ids. Where another run holds the store and `wait_for_lock` is false, this one is
    cancelled. Raises SettingsError where the days are in the wrong order.

    Args:
        first: Day of the first run, which sees the ratings before it.
        last: No run is of a later day.
        every_days: Days from one run to the next.
        profile: A file of flows/profiles.
        overrides: Nested settings over the profile's; `ingest.as_of` is each run's own.
        data: Name of a data source, or a path on the worker's machine; the profile's where it is
            empty.
    """
    changes = with_data(overrides, data)
    runs = settings_per_day(first, last, every_days, profile, changes)
    begin_run(profile, runs[0].ingest.data)
    return attempt(lambda: run_days(profile, runs, changes))


def run_days(profile: Profile, runs: Sequence[Settings], overrides: dict[str, Any]) -> list[str]:
    """Run the days in order; return the runs' ids."""
    ids = []
    for number, settings in enumerate(runs, start=1):
        assert settings.ingest.as_of is not None  # `as_of` has set it
        log.info("run %d of %d, as of %s", number, len(runs), settings.ingest.as_of)
        ids.append(run_day(settings.ingest.as_of, profile, overrides))
    return ids


@flow(name="backfill-day", flow_run_name="{day}-{profile}")
def run_day(day: date, profile: Profile, overrides: dict[str, Any] | None = None) -> str:
    """The run of one day, on the ratings before it; return its id."""
    settings = as_of(profile, overrides, day)
    return run_pipeline(profile, settings, open_store())


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
