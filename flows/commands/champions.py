"""Commands about the adapter that serves: another one, a decision, a copy elsewhere."""

from typing import Annotated, Literal

from cyclopts import Parameter

from flows.commands.app import (
    STARTED_IN,
    app,
    configure_logging,
    examples,
    prepare_prefect,
    user_error,
)


@app.command(help_epilogue=examples("rollback --to 3f2a"))
def rollback(*, to: str = "") -> None:
    """Make the previous champion champion again, or the one whose fingerprint begins so."""
    from flows.settings import open_store
    from flows.tracking import track_champions
    from tasks.publish.task import roll_back

    configure_logging()
    store = open_store()
    with user_error(LookupError):
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

    prepare_prefect()
    with user_error(LookupError):
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

    configure_logging()
    store = open_store()
    if dataset:
        with user_error(LookupError):
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

    configure_logging()
    store = open_store()
    found = find_serving_champion(store) if adapter == "champion" else store.find(Adapter, adapter)
    target = str(STARTED_IN / to) if to.startswith(".") else to
    with user_error(export.PushError, LookupError, FileExistsError):
        print(export.push(found, target, what, store, public=public))
