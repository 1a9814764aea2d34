"""A night's adapter beside the champion, on the same users."""

import logging
from datetime import date
from functools import partial

from flows.prepare import Prepared
from flows.settings import Settings
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


def contested(settings: Settings, store: Store, data: Prepared, adapter: Adapter) -> Contest:
    """Whom the night's adapter competes with.

    Nobody who was held to another split: what one learns there, the other asks for. Nor somebody
    of a later day, who has learnt from what this night asks; but such a one is not dethroned.
    """
    notes, against = data.split.metadata, partial(Contest, adapter, settings.margins)
    name = opponent_of(metric_file(store), notes["dataset"], notes["protocol"], adapter.fingerprint)
    if name is None:
        return against()
    try:
        champion = store.find(Adapter, name)
    except StoreError:
        log.warning("the champion %s is no longer in the store: nobody to compete with", name)
        return against(settled=(True, f"the champion {name} is no longer in the store"))
    if store.ancestor(SplitRatings, champion).manifest["recipe"] != data.split.manifest["recipe"]:
        return against()
    if (seen := _day_of(store.ancestor(RawRatings, champion))) > _day_of(data.raw):
        return against(settled=(False, f"the champion knows ratings up to {seen}, a later day"))
    return against(champion)


def champion_says(
    settings: Settings, store: Store, data: Prepared, contest: Contest
) -> tuple[list[RatingPredictions], list[RankedLists]]:
    """What the champion makes of the night's questions, in the words that it has learnt."""
    if contest.champion is None:
        return [], []
    champion = contest.champion
    wording = Prompt.model_validate(store.ancestor(Prompts, champion).manifest["recipe"])
    asked = write_prompts(
        data.split, data.ratings, store.ancestor(Tokenizer, champion), config=wording, store=store
    )
    config = settings.predict.model_copy(update={"predictor": "champion", "greedy": False})
    base = store.ancestor(Base, champion)
    lists = settings.decode.model_copy(update={"predictor": "champion"})
    inputs = (champion, base, asked, data.split)
    inference = settings.inference
    return (
        [predict_ratings(*inputs, config=config, inference=inference, store=store)],
        [decode_lists(*inputs, config=lists, inference=inference, store=store)],
    )


def _day_of(raw: RawRatings) -> date:
    """The day up to which ratings were taken; the last there is where all were."""
    return raw.as_of or date.max
