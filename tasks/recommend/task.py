"""Tasks: requests added to the split ratings, and recommendations with reasons."""

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
def add_everyone(split: SplitRatings, *, active_days: int | None, store: Store) -> SplitRatings:
    """Add a request of every user, or of those who rated in the last `active_days` of the data.

    Every rating is context, those of the test fold as well: nothing is held out.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.recommend.request import ask_for_everyone

        table = ask_for_everyone(split.scan("ratings").collect(), active_days)
        table.write_parquet(draft / "ratings.parquet")
        return split.metadata

    recipe = {"active_days": active_days}
    return store.build(SplitRatings, recipe=recipe, parents=[split], write=write)


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
