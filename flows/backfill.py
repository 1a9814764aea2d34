"""Nights as they would have been on past days."""

from datetime import date, timedelta
from typing import Any

from prefect import flow

from flows.nightly import one_night
from flows.settings import Profile, SettingsError, load, store_root
from tasks.store import Store


@flow(name="backfill", flow_run_name="backfill-{first}-{last}")
def backfill(
    first: date,
    last: date,
    every_days: int = 1,
    profile: Profile = "laptop",
    changes: dict[str, Any] | None = None,
) -> list[str]:
    """One night for each day from `first` to `last`, each knowing only what was rated before it.

    What is there already is reused, so a backfill that was stopped goes on where it was. Returns
    the runs' ids. Raises SettingsError where the days are in the wrong order.
    """
    if first > last or every_days < 1:
        raise SettingsError(f"nothing to do from {first} to {last} every {every_days} days")
    days = range(0, (last - first).days + 1, every_days)
    return [
        one_night(profile, as_of(profile, changes, first + timedelta(n)), Store(store_root()))
        for n in days
    ]


def as_of(profile: str, changes: dict[str, Any] | None, day: date) -> Any:  # noqa: ANN401
    """The settings of the night that ended on that day."""
    merged = dict(changes or {})
    merged["ingest"] = dict(merged.get("ingest", {})) | {"as_of": day.isoformat()}
    return load(profile, merged)
