"""The command line, `advisor` or `python -m flows`; Prefect is imported by the commands that run.

Every error is one line on stderr and exit status 1.
"""

import atexit
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter

from flows.errors import ROOT, CommandError, error_message
from flows.overrides import Profile, parse, with_data
from tasks.plain_text import escape_control
from tasks.store.private import UMASK

try:
    STARTED_IN = Path.cwd()
except FileNotFoundError:
    sys.exit("error: the folder that this was started in is gone: cd to one that exists")
RUN = "Beginning of the fingerprint of ranked lists to build on, instead of the champion's latest."


def examples(*commands: str) -> str:
    """Commands for the end of a help text."""
    return "\n".join(["Examples:", *(f"  advisor {command}" for command in commands)])


app = App(
    name="advisor",
    help="Train a language model on film ratings, evaluate it, and ask it for films.",
    version_flags=[],
    help_format="plaintext",
    result_action="return_value",
)
app.register_install_completion_command()


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """Settings and data of a run."""

    profile: Profile = "laptop"
    """A file of flows/profiles."""
    data: str | None = None
    """A data source by name, such as ml-100k-wheel, or a local path."""
    set: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    """A setting over the profile's, such as split.ties=film; may be repeated."""

    @property
    def overrides(self) -> dict[str, Any]:
        """Nested settings over the profile's."""
        path = STARTED_IN / (self.data or "")
        elsewhere = self.data and STARTED_IN != ROOT and path.exists()
        return with_data(parse(self.set), str(path) if elsewhere else self.data)


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

    _prepare_prefect()
    with _print_cancelled():
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

    _configure_logging(logging.ERROR)  # warnings are part of the check
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

    _prepare_prefect()
    with _print_cancelled():
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
    _prepare_prefect()
    with _print_cancelled():
        backfill.backfill(*days)
        run_report("trend", {})


@app.command(
    help_epilogue=examples(
        "recommend --user 196",
        "recommend --user 196 --why",
        'recommend "Toy Story (1995)=5" "heat=4" --count 5 --json',
    )
)
def recommend(
    *ratings: str,
    user: int | None = None,
    count: int = 10,
    run: Annotated[str | None, Parameter(help=RUN)] = None,
    why: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter("--json", negative=())] = False,
) -> None:
    """Recommend films to a user of the data (tonight's list), or for ratings typed by hand.

    With --why a user's list is computed anew, with the ratings that each film is due to.
    """
    from flows.recommend import make_request, print_recommendation, recommend_for
    from flows.settings import open_store
    from tasks.plain_text import dump_json

    _configure_logging()
    with _user_error(ValueError):
        request = make_request(user, list(ratings), count, why=why)
        recommendation = recommend_for(request, run, open_store())
    if as_json:
        print(dump_json(recommendation.to_json()))
    else:
        print_recommendation(recommendation)


@app.command(help_epilogue=examples("recommend-all", "recommend-all --set serving.active_days=30"))
def recommend_all(*, chosen: Chosen = Chosen()) -> None:
    """Make tonight's list for every user, by the champion, and serve all of them at once."""
    from flows.ranker import call_directly
    from flows.recommend_all import ListsRefusedError, serve_data
    from flows.settings import load, open_store

    _configure_logging()
    with _user_error(ListsRefusedError), _print_cancelled():
        serve = serve_data(load(chosen.profile, chosen.overrides), open_store(), call_directly)
        print(f"{serve.figures.users} users have lists: artifacts/serving/current")


@app.command(help_epilogue=examples("rollback --to 3f2a"))
def rollback(*, to: str = "") -> None:
    """Make the previous champion champion again, or the one whose fingerprint begins so."""
    from flows.settings import open_store
    from flows.tracking import track_champions
    from tasks.publish.task import roll_back

    _configure_logging()
    store = open_store()
    with _user_error(LookupError):
        print(f"champion: {roll_back.fn(to=to, store=store)}")
    track_champions(store)


@app.command(help_epilogue=examples('approve --reason "a fair trade"', "approve --reject"))
def approve(
    run: str = "",
    *,
    reject: Annotated[bool, Parameter(negative=())] = False,
    reason: str = "no reason given",
) -> None:
    """Decide about the adapter of a run that waits for a person (promotion.ask_within).

    Parameters
    ----------
    run
        The run's name, or the beginning of its id; may be left out where one only waits.
    reject
        Keep the champion.
    reason
        What the decision's record says.
    """
    from flows.ask import Verdict, answer

    _prepare_prefect()
    with _user_error(LookupError):
        name = answer(run, Verdict(promote=not reject, reason=reason))
    print(f"{'rejected' if reject else 'promoted'}: run {name} goes on")


@app.command(help_epilogue=examples("serving", "serving ml-latest-small leave-last-10"))
def serving(dataset: str = "", split: str = "") -> None:
    """List the champions; with a data set and a split, let the champion of these serve from now on.

    Parameters
    ----------
    dataset
        The data set whose champion answers `recommend`.
    split
        Its split: the protocol's name, or the beginning of the recipe's hash.
    """
    from flows.console import print_champions
    from flows.settings import open_store
    from tasks.publish.serving import read_champions
    from tasks.publish.task import serve_from

    _configure_logging()
    store = open_store()
    if dataset:
        with _user_error(LookupError):
            serve_from.fn(dataset=dataset, split=split, store=store)
    print_champions(read_champions(store))


@app.command(help_epilogue=examples("push --to ./champion", "push prompts --to owner/name"))
def push(
    what: Literal["adapter", "prompts"] = "adapter",
    *,
    to: str,
    adapter: str = "champion",
    public: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write an adapter with its card, or its prompts as a data set, to the hub or a folder.

    Parameters
    ----------
    what
        `adapter`: for peft; `prompts`: for datasets and TRL.
    to
        A folder, beginning with ./ or /, or a repository of the Hugging Face hub, owner/name.
    adapter
        Beginning of its fingerprint; `champion` is the one that serves.
    public
        Let everybody read a repository that is made.
    """
    from flows.settings import open_store
    from tasks.export import push as export
    from tasks.publish.serving import find_serving_champion
    from tasks.store.artifacts import Adapter

    _configure_logging()
    store = open_store()
    found = find_serving_champion(store) if adapter == "champion" else store.find(Adapter, adapter)
    target = str(STARTED_IN / to) if to.startswith(".") else to
    with _user_error(export.PushError, LookupError, FileExistsError):
        print(export.push(found, target, what, store, public=public))


@app.command
def gc(*, runs: int = 7, apply: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show what neither champions nor the newest runs depend on; with --apply, delete it."""
    from flows.console import print_garbage
    from flows.gc import collect_garbage
    from flows.settings import open_store

    _configure_logging()
    with _print_cancelled():
        print_garbage(collect_garbage(runs, apply=apply, store=open_store()), apply=apply)


@app.command(help_epilogue=examples('sql "select * from latest"'))
def sql(query: Annotated[str, Parameter(allow_leading_hyphen=True)] = "") -> None:
    """Query the metrics database, read-only; without a query, one from each line of the input."""
    import duckdb

    from flows.sql import run_lines, run_query

    with _user_error(duckdb.Error):
        run_query(query) if query else run_lines(sys.stdin)


@app.command(help_epilogue=examples("reports user user=196"))
def reports(name: str = "", *parameters: str) -> None:
    """Run a report of sql/reports; without a name, list them."""
    from flows.sql import print_reports, run_report

    if not name:
        print_reports()
        return
    if wrong := [parameter for parameter in parameters if "=" not in parameter]:
        raise CommandError(f"a parameter is typed as name=value, and {wrong[0]} is not")
    pairs = [parameter.split("=", 1) for parameter in parameters]
    with _user_error(KeyError):
        run_report(name, dict(pairs))


@app.command
def serve(*, port: int = 4200) -> None:
    """Start a Prefect server with the deployments, its automations, and a worker."""
    from flows.serve import serve

    serve(port)


@app.command
def alerts(
    *,
    start_within: float = 15,
    end_within: float = 6,
    lost_after: float = 7,
    begin_within: float = 10,
) -> None:
    """Have the server watch runs: alert the webhook, and crash those whose process is gone.

    Parameters
    ----------
    start_within
        Minutes after which a nightly run that has not started is late.
    end_within
        Hours after which any run has waited, or taken, too long.
    lost_after
        Minutes without a heartbeat after which a run is crashed.
    begin_within
        Minutes after which a run that a worker has claimed, and that has not begun, is crashed.
    """
    from flows.serve import print_triggers
    from flows.server_access import protect_temporary_server

    protect_temporary_server()
    print_triggers(start_within, end_within, lost_after, begin_within)


@app.command(help_epilogue=examples("config --profile nightly --set train.fit.epochs=2"))
def config(*, chosen: Chosen = Chosen()) -> None:
    """Print every setting of a run with its source: default, profile, or --set."""
    from flows.settings import sources

    for name, value, source in sources(chosen.profile, chosen.overrides):
        print(f"{name:<40} {json.dumps(value, default=str):<32} {source}".rstrip())


@contextmanager
def _print_cancelled() -> Iterator[None]:
    """A run that had nothing to do is no error: print why, and end with exit status 0.

    Raises CommandError where it ended as TimedOut.
    """
    from prefect.exceptions import CancelledRun, FailedRun

    from tasks.store.store import StoreBusyError

    try:
        yield
    except (CancelledRun, StoreBusyError) as reason:
        print("cancelled:", escape_control(str(reason)))
    except FailedRun as failed:
        raise CommandError(failed) from None


@contextmanager
def _user_error(*kinds: type[Exception]) -> Iterator[None]:
    """Errors that what was typed explains."""
    try:
        yield
    except kinds as error:
        raise CommandError(error.args[0] if isinstance(error, KeyError) else error) from None


def _prepare_prefect() -> None:
    """Before a flow: what it prints, and who may use the server that Prefect starts for it."""
    from flows.server_access import protect_temporary_server

    _configure_logging()
    protect_temporary_server()


def _configure_logging(level: int = logging.INFO) -> None:
    from flows.console import configure_logging

    configure_logging(level)


def run_command() -> None:
    """Raises CommandError where what was typed is no command."""
    with _user_error(CycloptsError):
        app(sys.argv[1:], exit_on_error=False, print_error=False)


def main() -> NoReturn:
    """Run the command that was typed, and end the process with an error in one line."""
    os.chdir(ROOT)  # where Prefect finds its settings
    # jsonschema would compile its 38 grammars, half of the time in which Prefect is loaded; no
    # schema of ours has a format that they check.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    os.umask(UMASK)
    if error := error_message(run_command):
        print("error:", escape_control(error, keep="\n"), file=sys.stderr)
    with suppress(BrokenPipeError):
        if console := sys.modules.get("flows.console"):
            console.send_log()  # while a server that Prefect has started still runs
    # Prefect keeps frames that hold DuckDB's types: taken down with them, the interpreter would
    # list two screens of leaks.
    atexit._run_exitfuncs()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if error else 0)
