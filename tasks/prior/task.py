"""Tasks: the prior of every rating of the split, and of every candidate."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.prior.config import Prior
from tasks.store.artifacts import Candidates, RatingPriors, SplitRatings, ValidatedRatings
from tasks.store.store import Store


@task
def fit_priors(
    split: SplitRatings, ratings: ValidatedRatings, *, config: Prior, store: Store
) -> RatingPriors:
    """Predict ratings from earlier stretches of the histories, targets from earlier folds."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prior.chain import write_priors

        return write_priors(draft, split, ratings, config)

    return store.build(RatingPriors, recipe=config, parents=[split, ratings], write=write)


@task
def predict_candidate_priors(
    priors: RatingPriors,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    *,
    new_histories: bool = False,
    store: Store,
) -> RatingPriors:
    """The prior of every candidate, from the fit of its fold.

    With `new_histories` the candidates are for users whose ratings in `split` the fit has not seen.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prior.candidates import write_candidate_priors

        return write_candidate_priors(
            draft, priors, split, ratings, candidates, new_histories=new_histories
        )

    parents, recipe = [priors, split, ratings, candidates], {"new_histories": new_histories}
    return store.build(RatingPriors, recipe=recipe, parents=parents, write=write)
