"""Nights as they would have been on past days.

python -m flows.backfill --from 2018-09-17 --to 2018-09-23 [--profile laptop] [--data NAME]
"""

import argparse
from datetime import date, timedelta
from typing import Any

from prefect import flow

from flows.command_line import add_settings, run_and_leave
from flows.nightly import one_night, with_data
from flows.settings import Profile, Settings, SettingsError, load, the_store
from flows.sql import answered
from tasks.metrics_db import open_readonly, run_report
from tasks.publish.task import metric_file


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
    nights = settings_of(first, last, every_days, profile, changes)
    return [one_night(profile, night, the_store()) for night in nights]


def settings_of(
    first: date, last: date, every_days: int, profile: str, changes: dict[str, Any] | None
) -> list[Settings]:
    """The settings of each night. Raises SettingsError where there is none."""
    if first > last or every_days < 1:
        raise SettingsError(f"nothing to do from {first} to {last} every {every_days} days")
    days = range(0, (last - first).days + 1, every_days)
    return [as_of(profile, changes, first + timedelta(n)) for n in days]


def as_of(profile: str, changes: dict[str, Any] | None, day: date) -> Settings:
    """The settings of the night that ended on that day."""
    merged = dict(changes or {})
    merged["ingest"] = dict(merged.get("ingest", {})) | {"as_of": day.isoformat()}
    return load(profile, merged)


def main() -> None:
    """The command line; at its end every night of the metric file is shown."""
    parser = argparse.ArgumentParser(description="Nights as they would have been on past days.")
    for name, place in (("first", "--from"), ("last", "--to")):
        parser.add_argument(
            place, dest=name, type=date.fromisoformat, required=True, help="a day: 2018-09-17"
        )
    parser.add_argument("--every-days", type=int, default=1, help="days from night to night")
    add_settings(parser)
    asked = vars(parser.parse_args())
    asked["changes"] = with_data(asked["changes"], asked.pop("data"))

    def run() -> None:
        settings_of(**asked)  # before Prefect starts
        backfill(**asked)
        with open_readonly(metric_file(the_store())) as db:
            answered(run_report(db, "nights", {}))

    run_and_leave(run)


if __name__ == "__main__":
    main()
