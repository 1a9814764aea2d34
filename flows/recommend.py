"""Recommends films on demand, to a user of the data or for ratings typed by hand."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pydantic
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flows.ranker import Ranker
from flows.run_start import begin_run
from flows.settings import describe_error, open_store
from flows.tables import plain
from flows.tonight import Tonight, find_tonights_data, find_tonights_list
from tasks.metrics_db import champion_dataset
from tasks.metrics_location import metrics_path
from tasks.plain_text import escape_markdown
from tasks.publish.serving import find_serving_champion
from tasks.readout.config import Inference
from tasks.recommend.config import RecommendRequest
from tasks.recommend.format import Recommendation, format_recommendation
from tasks.recommend.task import add_request, explain_recommendations
from tasks.store.artifacts import (
    Adapter,
    Candidates,
    RankedLists,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store

MOST_FILMS = 1000  # in one list: the form refuses what nobody reads


def recommend_for(request: RecommendRequest, run: str | None, store: Store) -> Recommendation:
    """Tonight's list of a user, or the stages of ranking for one person, in a temporary store.

    `run` is the fingerprint of ranked lists, or its beginning, whose settings, adapter and ratings
    are used; without it, the champion's settings and adapter, and tonight's ratings.
    """
    if run:
        fitted = store.find(RankedLists, run)
        split = store.ancestor(SplitRatings, fitted)
        tonight = Tonight(split, store.ancestor(ValidatedRatings, fitted))
    else:
        champion = find_serving_champion(store).fingerprint
        dataset = champion_dataset(metrics_path(store))
        if tonights := find_tonights_list(request, champion, dataset, store):
            return tonights
        fitted = latest_champion_ranking(store)
        tonight = find_tonights_data(dataset, store)
    ranker, ratings = Ranker.load(fitted, store), tonight.ratings
    with tempfile.TemporaryDirectory() as folder:
        scratch = Store(Path(folder))
        person = add_request.fn(tonight.split, ratings, config=request, store=scratch)
        ranked = ranker.rank_requests(
            person, ratings,
            inference=Inference(), store=scratch, retrieved=ranker.own(tonight.candidates),
        )  # fmt: skip
        recommended = explain_recommendations.fn(
            ranker.adapter, ranker.base, ranked.prompts, ranked.predictions, ranked.lists,
            ratings, config=request, store=scratch,
        )  # fmt: skip
        return format_recommendation(recommended, person, ratings)


def latest_champion_ranking(store: Store) -> RankedLists:
    """The champion's latest ranked candidates of a run, not those made by a mix of earlier ones.

    Raises FileNotFoundError where there are none.
    """
    adapter = find_serving_champion(store).fingerprint
    for manifest in store.manifests(RankedLists):
        kinds = [parent["kind"] for parent in manifest["parents"]]
        if Candidates.kind() in kinds and RankedLists.kind() not in kinds:
            lists = store.find(RankedLists, manifest["fingerprint"])
            if store.ancestor(Adapter, lists).fingerprint == adapter:
                return lists
    raise FileNotFoundError(f"the champion {adapter} has ranked no lists: run `make rescore`")


def make_request(
    user: int | None, ratings: list[str] | None, count: int, *, why: bool = False
) -> RecommendRequest:
    """A request of this moment, with reasons where ratings are typed or `why`.

    Raises ValueError without user and ratings, or without films.
    """
    if count < 1:
        raise ValueError(f"no list of {count} films: count must be 1 or more")
    try:
        return RecommendRequest(
            user=user,
            ratings=tuple(ratings or ()),
            at=datetime.now(UTC),
            list_length=count,
            reasons=2 if ratings or why else 0,
        )
    except pydantic.ValidationError as error:
        raise ValueError("; ".join(map(describe_error, error.errors()))) from None


def name_run() -> str:
    """`recommend-196`, or `recommend-typed` for ratings typed by hand."""
    user = flow_run.parameters.get("user")
    return f"recommend-{'typed' if user is None else user}"


@flow(name="recommend", flow_run_name=name_run)
def recommend(
    user: int | None = None,
    ratings: list[str] | None = None,
    count: Annotated[int, pydantic.Field(ge=1, le=MOST_FILMS)] = 10,
    run: str | None = None,
    why: bool = False,
) -> dict[str, Any]:
    """Films for a user of the data, or for ratings typed by hand.

    Args:
        user: Id of a user of the data, who gets tonight's list; empty for typed ratings.
        ratings: A rating each, such as "Toy Story (1995)=5" or "heat=4".
        count: Films in the list.
        run: Beginning of the fingerprint of ranked lists to build on, instead of the champion's
            latest.
        why: Compute a user's list anew, with the ratings that each film is due to.
    """
    begin_run()
    request = make_request(user, ratings, count, why=why)
    recommendation = recommend_for(request, run, open_store())
    create_table_artifact(
        recommendation.rows(),
        key="recommendation",
        description=escape_markdown(recommendation.heading),
    )
    print_recommendation(recommendation)
    return recommendation.to_json()


def print_recommendation(recommendation: Recommendation) -> None:
    """Print a table; in 80 columns each film takes two lines, and reasons are cut short."""
    console = Console()
    table = Table(
        title=plain(recommendation.heading), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("film", overflow="fold")
    table.add_column("genres", width=11)  # as the longest genre
    for name in ("expected", "liked"):
        table.add_column(name, no_wrap=True)
    rows = recommendation.rows()
    explained = any(row["because of"] for row in rows)
    if explained:
        reasons = max(12, (console.width - 43) // 2)  # the other half is the film's
        table.add_column("because of", no_wrap=True, overflow="ellipsis", max_width=reasons)
    for row in rows:
        texts = [text for name, text in row.items() if explained or name != "because of"]
        table.add_row(*(plain(text, keep="\n") for text in texts))
    console.print(table, highlight=False)
