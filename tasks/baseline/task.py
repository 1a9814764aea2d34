"""Tasks: every baseline's predictions and lists, and a blend with the language model's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import task

from tasks.baseline.config import Baseline
from tasks.store.artifacts import RankedLists, RatingPredictions, SplitRatings, ValidatedRatings
from tasks.store.store import Store


@task
def predict_baselines(
    split: SplitRatings, ratings: ValidatedRatings, *, config: Baseline, store: Store
) -> RatingPredictions:
    """Predict every validation and test target by each baseline, fitted on the folds before it."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.write_predictions import write_predictions

        return write_predictions(draft, split, ratings, config)

    recipe = config.model_dump(
        mode="json",
        exclude={"blended", "ridge", "list_models", "list_length", "implicit_als", "sasrec"},
    )
    return store.build(RatingPredictions, recipe=recipe, parents=[split, ratings], write=write)


@task
def rank_baselines(
    split: SplitRatings, ratings: ValidatedRatings, *, config: Baseline, store: Store
) -> RankedLists:
    """List films for every user of the test fold by each baseline."""

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.write_predictions import write_lists

        return write_lists(draft, split, ratings, config)

    recipe = config.model_dump(mode="json", exclude={"blended", "ridge", "rating_models", "svdpp"})
    return store.build(RankedLists, recipe=recipe, parents=[split, ratings], write=write)


@task
def blend_predictions(
    split: SplitRatings,
    predictions: Sequence[RatingPredictions],
    *,
    without: tuple[str, ...],
    config: Baseline,
    store: Store,
) -> RatingPredictions:
    """Blend the members' predictions with weights fitted on the validation fold.

    A second blend leaves out the members `without`: the difference is what they add.
    """
    others = [member for member in config.blended if member not in without]
    blends = {"blend": config.blended, f"blend_without_{without[0]}": others}
    return _blend(split, predictions, blends, config, store)


@task
def blend_opponent(
    split: SplitRatings,
    predictions: Sequence[RatingPredictions],
    *,
    replaced: str,
    opponent: str,
    config: Baseline,
    store: Store,
) -> RatingPredictions:
    """The blend with an opponent's predictions in place of those of `replaced`.

    Its predictor is `blend_` and the opponent.
    """
    members = [opponent if member == replaced else member for member in config.blended]
    return _blend(split, predictions, {f"blend_{opponent}": members}, config, store)


def _blend(
    split: SplitRatings,
    predictions: Sequence[RatingPredictions],
    blends: Mapping[str, Sequence[str]],
    config: Baseline,
    store: Store,
) -> RatingPredictions:
    recipe = {"blends": dict(blends), "ridge": config.ridge}

    def write(draft: Path) -> dict[str, Any]:
        from tasks.baseline.blend import write_blend

        return write_blend(draft, split, predictions, blends, config.ridge)

    return store.build(RatingPredictions, recipe=recipe, parents=[split, *predictions], write=write)
