"""Recommends films on demand, to a user of the data or for ratings typed by hand."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydantic
from prefect import flow
from prefect.artifacts import create_table_artifact
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flows.settings import describe_error, open_store
from flows.tables import plain
from tasks.plain_text import escape_markdown
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prior.task import predict_candidate_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.publish.serving import find_serving_champion
from tasks.rank.config import Rank, Retrieve
from tasks.rank.task import rank_candidates, retrieve_candidates, score_candidates
from tasks.readout.config import Inference
from tasks.recommend.config import RecommendRequest
from tasks.recommend.format import Recommendation, format_recommendation
from tasks.recommend.task import add_request, explain_recommendations
from tasks.store.artifacts import (
    Adapter,
    Base,
    Candidates,
    Prompts,
    RankedLists,
    RatingPredictions,
    RatingPriors,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store


def recommend_for(request: RecommendRequest, run: str | None, store: Store) -> Recommendation:
    """Run the stages of ranking for one person, in a temporary store.

    `run` is the fingerprint of ranked lists, or its beginning, whose settings and adapter are
    used; without it, the champion's latest.
    """
    fitted = store.find(RankedLists, run) if run else latest_champion_ranking(store)
    adapter, base = store.ancestor(Adapter, fitted), store.ancestor(Base, fitted)
    split, ratings = store.ancestor(SplitRatings, fitted), store.ancestor(ValidatedRatings, fitted)
    rated = store.ancestor(RatingPredictions, fitted)
    retrieve = Retrieve.model_validate(store.recipe(Candidates, fitted))
    wording = Prompt.model_validate(store.recipe(Prompts, fitted))
    recipe = dict(rated.manifest["recipe"])
    inference = Inference.model_validate(recipe.pop("inference"))
    predict = Predict.model_validate(recipe)
    recipe = dict(fitted.manifest["recipe"]) | {"list_length": retrieve.candidates}
    recipe.pop("liked", None)  # decides what the mix is fitted to
    rank = Rank.model_validate(recipe)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Store(Path(folder))
        person = add_request.fn(split, ratings, config=request, store=scratch)
        candidates = retrieve_candidates.fn(person, config=retrieve, store=scratch)
        tokenizer = store.ancestor(Tokenizer, fitted)
        of_ranking = any(p["kind"] == RatingPriors.kind() for p in fitted.manifest["parents"])
        of_person, priors = None, list[RatingPriors]()
        if of_ranking or wording.needs_priors:
            nearest = store.ancestor(Prompts if wording.needs_priors else RatingPriors, fitted)
            of_run = store.ancestor(RatingPriors, nearest)
            of_person = predict_candidate_priors.fn(
                of_run, person, ratings, candidates, new_histories=True, store=scratch
            )
            priors = [of_run, of_person] if wording.needs_priors else []
        prompts = write_candidate_prompts.fn(
            person, ratings, tokenizer, candidates, priors, config=wording, store=scratch
        )
        predictions = predict_ratings.fn(
            adapter, base, prompts, person,
            config=predict, inference=inference, store=scratch, calibrated_by=rated,
        )  # fmt: skip
        scores = score_candidates.fn(adapter, base, prompts, inference=inference, store=scratch)
        lists = rank_candidates.fn(
            person, ratings, candidates, predictions, scores,
            of_person if of_ranking else None,
            config=rank, store=scratch, mix_of=fitted,
        )  # fmt: skip
        recommended = explain_recommendations.fn(
            adapter, base, prompts, predictions, lists, ratings, config=request, store=scratch
        )
        return format_recommendation(recommended, person, ratings)


def latest_champion_ranking(store: Store) -> RankedLists:
    """The champion's latest ranked candidates. Raises FileNotFoundError where there are none."""
    adapter = find_serving_champion(store).fingerprint
    for manifest in store.manifests(RankedLists):
        if any(parent["kind"] == Candidates.kind() for parent in manifest["parents"]):
            lists = store.find(RankedLists, manifest["fingerprint"])
            if store.ancestor(Adapter, lists).fingerprint == adapter:
                return lists
    raise FileNotFoundError(f"the champion {adapter} has ranked no lists: run `make rescore`")


def make_request(user: int | None, ratings: list[str] | None, count: int) -> RecommendRequest:
    """A request of this moment. Raises ValueError without user and ratings, or without films."""
    if count < 1:
        raise ValueError(f"no list of {count} films: count must be 1 or more")
    try:
        return RecommendRequest(
            user=user, ratings=tuple(ratings or ()), at=datetime.now(UTC), list_length=count
        )
    except pydantic.ValidationError as error:
        raise ValueError("; ".join(map(describe_error, error.errors()))) from None


@flow(name="recommend", flow_run_name="recommend-{user}")
def recommend(
    user: int | None = None,
    ratings: list[str] | None = None,
    count: int = 10,
    run: str | None = None,
) -> dict[str, Any]:
    """Films for a user, or for ratings such as ["Toy Story (1995)=5", "Heat=4"]."""
    recommendation = recommend_for(make_request(user, ratings, count), run, open_store())
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
    table.add_column("expected", no_wrap=True)
    reasons = max(12, (console.width - 36) // 2)  # the other half is the film's
    table.add_column("because of", no_wrap=True, overflow="ellipsis", max_width=reasons)
    for row in recommendation.rows():
        table.add_row(*(plain(text, keep="\n") for text in row.values()))
    console.print(table, highlight=False)
