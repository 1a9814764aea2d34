"""Commands that keep the store and the server."""

from typing import Annotated

from cyclopts import Parameter

from flows.commands.app import app, configure_logging, print_cancelled


@app.command
def gc(*, runs: int = 7, apply: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show what neither champions nor the newest runs depend on; with --apply, delete it."""
    from flows.console import print_garbage
    from flows.gc import collect_garbage
    from flows.settings import open_store

    configure_logging()
    with print_cancelled():
        print_garbage(collect_garbage(runs, apply=apply, store=open_store()), apply=apply)


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
