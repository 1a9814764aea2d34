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
    fitted_on: ValidatedRatings | None = None,
    store: Store,
) -> RatingPriors:
    """The prior of every candidate, from the fit of its fold.

    With `fitted_on`, the ratings of the fit, the candidates may be for users and films, and by
    ratings, that it has not seen. Each user's vector is then found from all ratings in `split`;
    that of a user of the fit is taken from an earlier artifact where these are the same.
    """
    parents = [priors, split, ratings, candidates, *([fitted_on] if fitted_on else [])]
    recipe = {"new_histories": fitted_on is not None}

    def write(draft: Path) -> dict[str, Any]:
        from tasks.prior.candidates import write_candidate_priors
        from tasks.prior.new_histories import write_priors_of_new_histories

        if fitted_on is None:
            return write_candidate_priors(draft, priors, split, ratings, candidates)
        earlier = store.find_earlier(
            RatingPriors, recipe=recipe, write=write, parents=[priors, fitted_on]
        )
        return write_priors_of_new_histories(
            draft, priors, fitted_on, split, ratings, candidates, earlier
        )

    return store.build(RatingPriors, recipe=recipe, parents=parents, write=write)
