"""The champion that a run's adapter competes with, and its predictions for the same users."""

import logging
from datetime import date
from functools import partial

from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import OPPONENT, Stages
from tasks.decode.task import decode_lists
from tasks.metrics_db import opponent_of
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.publish.config import Contest
from tasks.publish.task import metric_file
from tasks.store.artifacts import (
    Adapter,
    Base,
    Prompts,
    RankedLists,
    RatingPredictions,
    RawRatings,
    SplitRatings,
    Tokenizer,
)
from tasks.store.store import Store, StoreError

log = logging.getLogger(__name__)


def find_opponent(
    settings: Settings, store: Store, data: PreparedData, adapter: Adapter
) -> Contest:
    """The champion that an adapter competes with, or the decision where there is none.

    Adapters are compared only on the same split, otherwise one's test ratings may be in the
    other's training data. A champion of a later day has trained on this run's test ratings: it is
    not compared, and stays.
    """
    metadata, against = data.split.metadata, partial(Contest, adapter, settings.promotion)
    name = opponent_of(
        metric_file(store), metadata["dataset"], metadata["protocol"], adapter.fingerprint
    )
    if name is None:
        return against()
    try:
        champion = store.find(Adapter, name)
    except StoreError:
        log.warning("the champion %s is no longer in the store: there is none to compare", name)
        return against(settled=(True, f"the champion {name} is no longer in the store"))
    if store.ancestor(SplitRatings, champion).manifest["recipe"] != data.split.manifest["recipe"]:
        return against()
    if (last := _last_day(store.ancestor(RawRatings, champion))) > _last_day(data.raw):
        return against(settled=(False, f"the champion knows ratings up to {last}, a later day"))
    return against(champion)


def predict_with_champion(
    settings: Settings, store: Store, stages: Stages, data: PreparedData, contest: Contest
) -> tuple[list[RatingPredictions], list[RankedLists]]:
    """The champion's ratings and lists for the run's targets, in the wording it was trained on."""
    champion = contest.champion
    if champion is None:
        stages.skip(*OPPONENT)
        return [], []
    prompt, predict, decode = OPPONENT
    wording = Prompt.model_validate(store.ancestor(Prompts, champion).manifest["recipe"])
    tokenizer, base = store.ancestor(Tokenizer, champion), store.ancestor(Base, champion)
    prompts = stages(prompt, write_prompts)(
        data.split, data.ratings, tokenizer, config=wording, store=store
    )
    inputs, inference = (champion, base, prompts, data.split), settings.inference
    ratings = settings.predict.model_copy(update={"predictor": "champion", "greedy": False})
    predictions = stages(predict, predict_ratings)(
        *inputs, config=ratings, inference=inference, store=store
    )
    lists = settings.decode.model_copy(update={"predictor": "champion"})
    decoded = stages(decode, decode_lists)(*inputs, config=lists, inference=inference, store=store)
    return [predictions], [decoded]


def _last_day(raw: RawRatings) -> date:
    """The day up to which ratings were taken; the last there is where all were."""
    return raw.as_of or date.max
