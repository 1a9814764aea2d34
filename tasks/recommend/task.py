"""Tasks: a request added to the split ratings, and recommendations with reasons."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.recommend.config import RecommendRequest
from tasks.store.artifacts import (
    Adapter,
    Base,
    CandidatePrompts,
    RankedLists,
    RatingPredictions,
    Recommendations,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def add_request(
    split: SplitRatings, ratings: ValidatedRatings, *, config: RecommendRequest, store: Store
) -> SplitRatings:
    """Add the typed ratings to a split whose every rating is context.

    The metadata has the user, and the film that each typed title was taken for.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.recommend.request import write_request

        return write_request(draft, split, ratings, config)

    return store.build(SplitRatings, recipe=config, parents=[split, ratings], write=write)


@task
def explain_recommendations(
    adapter: Adapter,
    base: Base,
    prompts: CandidatePrompts,
    predictions: RatingPredictions,
    lists: RankedLists,
    ratings: ValidatedRatings,
    *,
    config: RecommendRequest,
    store: Store,
) -> Recommendations:
    """Take the first films of the list, with expected ratings and reasons."""

    def write(draft: Path) -> None:
        from tasks.recommend.explain import write_recommendations

        write_recommendations(draft, adapter, base, prompts, predictions, lists, ratings, config)

    parents = [adapter, base, prompts, predictions, lists, ratings]
    return store.build(Recommendations, recipe=config, parents=parents, write=write)
