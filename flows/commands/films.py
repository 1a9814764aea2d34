"""Commands that ask for films."""

from typing import Annotated

from cyclopts import Parameter

from flows.commands.app import Chosen, app, configure_logging, examples, print_cancelled, user_error

RUN = "Beginning of the fingerprint of ranked lists to build on, instead of the champion's latest."


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

    configure_logging()
    with user_error(ValueError):
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

    configure_logging()
    with user_error(ListsRefusedError), print_cancelled():
        serve = serve_data(load(chosen.profile, chosen.overrides), open_store(), call_directly)
        print(f"{serve.figures.users} users have lists: artifacts/serving/current")
