"""Tasks: predicted ratings of the language model, and of its prior alone."""

from pathlib import Path
from typing import Any, Literal

from prefect import task

from tasks.predict.config import Predict
from tasks.store.artifacts import (
    FilmStates,
    RatingPredictions,
    RatingPriors,
    Readings,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def predict_ratings(
    readings: Readings,
    split: SplitRatings,
    *,
    config: Predict,
    store: Store,
    role: Literal["target", "candidate"] = "target",
    calibrated_by: RatingPredictions | None = None,
) -> RatingPredictions:
    """Predict a distribution for every target that was read, or for every candidate.

    Distributions are calibrated on the validation fold, or with the calibration of `calibrated_by`,
    since candidates have no true ratings.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.pipeline import write_predictions

        return write_predictions(draft, readings, split, config, role, calibrated_by)

    parents = [readings, split, *([calibrated_by] if calibrated_by else [])]
    recipe = config.model_dump(mode="json", exclude={"head"}) | {"role": role}
    return store.build(RatingPredictions, recipe=recipe, parents=parents, write=write)


@task
def predict_by_priors(
    priors: RatingPriors, split: SplitRatings, *, store: Store
) -> RatingPredictions:
    """Predict every target by the factorisation machine alone, and with the residual trees."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.prior_predictions import write_prior_predictions

        return write_prior_predictions(draft, priors, split)

    return store.build(RatingPredictions, recipe={}, parents=[priors, split], write=write)


@task
def predict_by_head(
    states: FilmStates,
    priors: RatingPriors,
    split: SplitRatings,
    ratings: ValidatedRatings,
    *,
    config: Predict,
    store: Store,
) -> RatingPredictions:
    """Predict every target by a head on the hidden states of the films' lines."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.predict.head import write_head_predictions

        return write_head_predictions(draft, states, priors, split, ratings, config.head)

    parents = [states, priors, split, ratings]
    return store.build(
        RatingPredictions, recipe={"head": config.head}, parents=parents, write=write
    )
