"""A second table: the same ratings under another split, by all that needs no training."""

import logging
from dataclasses import replace

from flows.commit import project_commit
from flows.head import predict_beyond_prompts
from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import Stages, encoder_stages
from tasks.base_models import find_base_model
from tasks.baseline.task import blend_predictions, predict_baselines, rank_baselines
from tasks.prior.sample import choose_users
from tasks.prior.task import fit_priors
from tasks.publish.task import publish
from tasks.score.task import score
from tasks.split.task import split_ratings
from tasks.store.artifacts import Base, RatingPredictions
from tasks.store.store import Store

log = logging.getLogger(__name__)
LABEL = " (second split)"


def second_stages(settings: Settings) -> list[str]:
    """The labels of its stages; none without a second split."""
    if settings.second_split is None:
        return []
    names = ["predict baselines", "rank baselines", "blend predictions", "score", "publish"]
    if settings.prior.model != "none":
        names = ["fit priors", "predict by priors", *names]
    labels = [name + LABEL for name in ("split ratings", *names)]
    if _has_head(settings):
        labels += [*encoder_stages(settings), "predict by head" + LABEL]
    return labels


def split_again(
    settings: Settings, store: Store, stages: Stages, data: PreparedData
) -> PreparedData | None:
    """The ratings by `settings.second_split`; None without one.

    Raises what the split raises where the ratings cannot be split so, and ValueError where more
    users would need a prior than it is fitted on: before anything is trained.
    """
    if settings.second_split is None:
        return None
    split = stages("split ratings" + LABEL, split_ratings)(
        data.ratings, config=settings.second_split, store=store
    )
    if settings.prior.model != "none":
        choose_users(split, settings.prior)
    return replace(data, split=split, priors=None)


def publish_second_table(
    profile: str, settings: Settings, store: Store, stages: Stages, data: PreparedData, base: Base
) -> None:
    """Predict, score and publish a run of `data` that has no adapter, and decides on none."""
    first = len(stages.artifacts)
    predictions = _predict(settings, store, stages, data, base)
    lists = stages("rank baselines" + LABEL, rank_baselines)(
        data.split, data.ratings, config=settings.baseline, store=store
    )
    scores = stages("score" + LABEL, score)(
        data.split,
        data.ratings,
        predictions,
        [lists],
        config=settings.score,
        liked=settings.liked,
        store=store,
    )
    # Of its own run alone: what the night costs is counted once.
    made = [data.raw, data.ratings, data.split, *dict.fromkeys(stages.artifacts[first:-1])]
    del stages.artifacts[first:]
    run_id = stages("publish" + LABEL, publish)(
        scores, made, profile=profile, commit=project_commit(), challenge=None, store=store
    )
    log.info("run %s is the table of %s", run_id, data.split.metadata["protocol"])


def _predict(
    settings: Settings, store: Store, stages: Stages, data: PreparedData, base: Base
) -> list[RatingPredictions]:
    """The models of the prior, the head, the baselines, and the blends with and without the head.

    A model trained from scratch has learnt from the first split's ratings, some of which are
    targets here: no head reads it.
    """
    of_priors: list[RatingPredictions] = []
    if settings.prior.model != "none":
        priors = stages("fit priors" + LABEL, fit_priors)(
            data.split, data.ratings, config=settings.prior, store=store
        )
        of_priors = predict_beyond_prompts(
            settings, store, stages, replace(data, priors=priors), base,
            head=_has_head(settings), label=LABEL,
        )  # fmt: skip
    baselines = stages("predict baselines" + LABEL, predict_baselines)(
        data.split, data.ratings, config=settings.baseline, store=store
    )
    without = (settings.predict.predictor, settings.predict.head)
    untrained = {without[0]} if _has_head(settings) else set(without)
    blended = tuple(name for name in settings.baseline.blended if name not in untrained)
    blend = stages("blend predictions" + LABEL, blend_predictions)(
        data.split, [*of_priors, baselines], without=without,
        config=settings.baseline.model_copy(update={"blended": blended}), store=store,
    )  # fmt: skip
    return [*of_priors, baselines, blend]


def _has_head(settings: Settings) -> bool:
    pretrained = not find_base_model(settings.encoder.name).from_scratch
    return settings.prior.model != "none" and pretrained
