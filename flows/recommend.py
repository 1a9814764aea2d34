"""On demand: films for a user of the data, or for a history that somebody tells by hand.

python -m flows.recommend --user 196
python -m flows.recommend "Toy Story (1995)=5" "heat=4" --count 5 --json
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from flows.console import quiet
from flows.settings import the_store
from tasks.metrics_db import find_champion
from tasks.predict.config import Predict
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.publish.task import metric_file
from tasks.rank.config import Rank, Retrieve
from tasks.rank.task import rank_candidates, retrieve_candidates, score_candidates
from tasks.readout.config import Inference
from tasks.recommend.config import RecommendRequest
from tasks.recommend.format import Advice, advice_of
from tasks.recommend.task import add_request, explain_recommendations
from tasks.store.artifacts import (
    Adapter,
    Base,
    Candidates,
    Prompts,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    Tokenizer,
)
from tasks.store.artifacts import ValidatedRatings as Ratings
from tasks.store.remote.errors import RemoteError
from tasks.store.store import Store, StoreError


def advise(ask: RecommendRequest, run: str | None, store: Store) -> Advice:
    """Go the night's way for one person, in a store of its own that is gone afterwards.

    `run` is the fingerprint of ranked lists, or its beginning; without it the newest are taken
    that the champion has ranked.
    """
    night = store.find(RankedLists, run) if run else of_the_champion(store)
    retrieved = store.ancestor(Candidates, night)
    rated = store.ancestor(RatingPredictions, night)
    split, ratings = store.ancestor(SplitRatings, night), store.ancestor(Ratings, night)
    base, tokenizer = store.ancestor(Base, night), store.ancestor(Tokenizer, night)
    adapter, prompts = store.ancestor(Adapter, night), store.ancestor(Prompts, night)
    every = Retrieve.model_validate(retrieved.manifest["recipe"])
    recipe = dict(rated.manifest["recipe"])
    inference = Inference.model_validate(recipe.pop("inference"))
    reading = Predict.model_validate(recipe)
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    ranking = Rank.model_validate(night.manifest["recipe"] | {"list_length": every.candidates})
    with tempfile.TemporaryDirectory() as folder:
        own = Store(Path(folder))
        asked = add_request.fn(split, ratings, config=ask, store=own)
        films = retrieve_candidates.fn(asked, config=every, store=own)
        candidates = write_candidate_prompts.fn(
            asked, ratings, tokenizer, films, config=wording, store=own
        )
        says = predict_ratings.fn(
            adapter,
            base,
            candidates,
            asked,
            config=reading,
            inference=inference,
            store=own,
            calibrated_by=rated,
        )
        likely = score_candidates.fn(adapter, base, candidates, inference=inference, store=own)
        ranked = rank_candidates.fn(
            asked, ratings, films, says, likely, config=ranking, store=own, mix_of=night
        )
        found = explain_recommendations.fn(
            adapter, base, candidates, says, ranked, ratings, config=ask, store=own
        )
        return advice_of(found, asked, ratings)


def of_the_champion(store: Store) -> RankedLists:
    """The last lists that it has ranked. Raises FileNotFoundError where there are none."""
    ranked_by = find_champion(metric_file(store))
    for manifest in store.manifests(RankedLists):
        if "heard" in manifest["metadata"]:
            lists = store.find(RankedLists, manifest["fingerprint"])
            if store.ancestor(Adapter, lists).fingerprint == ranked_by:
                return lists
    raise FileNotFoundError(f"the champion {ranked_by} has ranked no lists: run `make nightly`")


@flow(name="recommend", flow_run_name="recommend-{user}")
def recommend(
    user: int | None = None,
    history: list[str] | None = None,
    count: int = 10,
    run: str | None = None,
) -> dict[str, Any]:
    """Films for a user, or for a history such as ["Toy Story (1995)=5", "Heat=4"]."""
    ask = RecommendRequest(
        user=user, ratings=tuple(history or ()), at=datetime.now(UTC), list_length=count
    )
    advice = advise(ask, run, the_store())
    create_table_artifact(advice.rows(), key="recommendation", description=advice.heading)
    show(advice)
    return advice.json()


def show(advice: Advice) -> None:
    """A table that a person can read: in 80 columns two lines a film, reasons being cut short."""
    console = Console()
    table = Table(title=advice.heading, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("film", overflow="fold")
    table.add_column("genres", width=11)  # as the longest genre
    table.add_column("expected", no_wrap=True)
    rest = max(12, (console.width - 36) // 2)  # the other half is the film's
    table.add_column("because of", no_wrap=True, overflow="ellipsis", max_width=rest)
    for row in advice.rows():
        table.add_row(*row.values())
    console.print(table, highlight=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Name films that a user might like.")
    parser.add_argument("history", nargs="*", help='rated films, such as "Toy Story (1995)=5"')
    parser.add_argument("--user", type=int, help="a user of the data instead")
    parser.add_argument("--count", type=int, default=10, help="films to name")
    parser.add_argument("--run", help="fingerprint of the ranked lists to build on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    typed = parser.parse_args()
    quiet()
    try:
        ask = RecommendRequest(
            user=typed.user,
            ratings=tuple(typed.history),
            at=datetime.now(UTC),
            list_length=typed.count,
        )
        advice = advise(ask, typed.run, the_store())
    except (ValueError, FileNotFoundError, StoreError, RemoteError) as error:
        sys.exit(f"error: {error}")
    if typed.json:
        print(json.dumps(advice.json(), indent=1, ensure_ascii=False))
    else:
        show(advice)


if __name__ == "__main__":
    main()
