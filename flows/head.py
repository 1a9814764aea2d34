"""Predictors that read no prompt: the prior's models, and a head on a model's hidden states."""

from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import Stages
from tasks.base.task import build_base, build_tokenizer, encode_films
from tasks.predict.task import predict_by_head, predict_by_priors
from tasks.store.artifacts import Base, RatingPredictions
from tasks.store.store import Store


def predict_beyond_prompts(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    *,
    head: bool = True,
    label: str = "",
) -> list[RatingPredictions]:
    """Predict by the prior's models, and by the head; nothing without a fitted prior.

    `label` is added to the labels of what depends on the split.
    """
    if data.priors is None or settings.prior.model == "none":
        return []
    made = []
    if head:
        encoder = _encoder(settings, store, stages, data, base)
        states = stages("encode films", encode_films)(
            encoder, data.ratings, config=settings.encoder, store=store
        )
        of_head = stages("predict by head" + label, predict_by_head)(
            states, data.priors, data.split, data.ratings, config=settings.predict, store=store
        )
        made.append(of_head)
    of_priors = stages("predict by priors" + label, predict_by_priors)(
        data.priors, data.split, store=store
    )
    return [*made, of_priors]


def _encoder(
    settings: Settings, store: Store, stages: Stages, data: PreparedData, base: Base
) -> Base:
    """The model of `settings.encoder`: the base itself, or a pretrained one."""
    if settings.encoder.name == settings.base.name:
        return base
    config = settings.base.model_copy(update={"name": settings.encoder.name})
    tokenizer = stages("fetch tokenizer (encoder)", build_tokenizer)(
        data.ratings, data.split, config=config, store=store
    )
    return stages("fetch encoder", build_base)(tokenizer, data.prompts, config=config, store=store)
