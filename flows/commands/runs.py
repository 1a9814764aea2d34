"""Commands that run the pipeline, or show what a run would do."""

import json
import logging
from datetime import date
from typing import Annotated

from cyclopts import Parameter

from flows.commands.app import (
    Chosen,
    app,
    configure_logging,
    examples,
    prepare_prefect,
    print_cancelled,
)
from flows.errors import CommandError
from flows.overrides import Profile


@app.command(
    help_epilogue=examples(
        "nightly",
        "nightly --profile smoke --data ../ml-latest-small",
        "nightly --set split.ties=film --set train.fit.epochs=2",
    )
)
def nightly(*, chosen: Chosen = Chosen()) -> None:
    """Run once: data, training, prediction, metrics, report."""
    from flows.settings import load

    overrides = chosen.overrides
    load(chosen.profile, overrides)  # before Prefect starts
    from flows import nightly

    prepare_prefect()
    with print_cancelled():
        nightly.nightly(profile=chosen.profile, overrides=overrides)


@app.command(
    help_epilogue=examples("check ../ml-latest-small", "check ratings.zip --set split.n=5 --json")
)
def check(
    data: str,
    *,
    profile: Profile = "laptop",
    set: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    as_json: Annotated[bool, Parameter("--json", negative=())] = False,
) -> None:
    """Read, validate and split a data set without a run; exit status 1 where a run would refuse it.

    Parameters
    ----------
    data
        A data source by name, such as ml-100k-wheel, or a local path.
    profile
        A file of flows/profiles.
    set
        A setting over the profile's, such as split.n=5; may be repeated.
    as_json
        Print JSON.
    """
    from flows.settings import load

    settings = load(profile, Chosen(profile, data, set).overrides)
    from flows.check import check_data, print_check
    from tasks.plain_text import dump_json

    configure_logging(logging.ERROR)  # warnings are part of the check
    checked = check_data(settings)
    if as_json:
        print(dump_json(checked.to_json()))
    else:
        print_check(checked)
    if checked.error:
        raise CommandError(checked.error)


@app.command(help_epilogue=examples("rescore 3f2a --set score.resamples=5000"))
def rescore(adapter: str = "champion", *, chosen: Chosen = Chosen()) -> None:
    """Predict, score and publish again for an adapter, by the beginning of its fingerprint."""
    from flows.settings import load

    overrides = chosen.overrides
    load(chosen.profile, overrides)
    from flows import rescore

    prepare_prefect()
    with print_cancelled():
        rescore.rescore(adapter, profile=chosen.profile, overrides=overrides)


@app.command(help_epilogue=examples("backfill --from 2018-09-17 --to 2018-09-23"))
def backfill(
    *,
    first: Annotated[date, Parameter("--from")],
    last: Annotated[date, Parameter("--to")],
    every_days: int = 1,
    chosen: Chosen = Chosen(),
) -> None:
    """Run as on past days, each run on the ratings up to its day, and print all runs."""
    from flows import backfill
    from flows.sql import run_report

    days = (first, last, every_days, chosen.profile, chosen.overrides)
    backfill.settings_per_day(*days)  # before Prefect starts
    prepare_prefect()
    with print_cancelled():
        backfill.backfill(*days)
        run_report("trend", {})


@app.command(help_epilogue=examples("config --profile nightly --set train.fit.epochs=2"))
def config(*, chosen: Chosen = Chosen()) -> None:
    """Print every setting of a run with its source: default, profile, or --set."""
    from flows.settings import sources

    for name, value, source in sources(chosen.profile, chosen.overrides):
        print(f"{name:<40} {json.dumps(value, default=str):<32} {source}".rstrip())
