"""The stages that need histories alone, neither prompts nor a model."""

from collections.abc import Iterator
from contextlib import contextmanager

from flows.beside import beside
from flows.ranker import Call
from flows.settings import Settings
from flows.stages import Stages
from tasks.baseline.task import predict_baselines, rank_baselines
from tasks.rank.task import retrieve_candidates
from tasks.store.artifacts import (
    Candidates,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@contextmanager
def made_beside(
    settings: Settings, store: Store, stages: Stages, split: SplitRatings, ratings: ValidatedRatings
) -> Iterator[None]:
    """Within it these stages are made beside the others, if the settings have it so."""
    if not settings.baselines_beside_training:
        yield
        return
    with beside(stages) as begin:
        retrieve(settings, store, begin, split)
        rate_by_baselines(settings, store, begin, split, ratings)
        rank_by_baselines(settings, store, begin, split, ratings)
        yield


def retrieve(settings: Settings, store: Store, call: Call, split: SplitRatings) -> Candidates:
    """The candidates of both later folds."""
    return call("retrieve candidates", retrieve_candidates)(
        split, config=settings.retrieve, store=store
    )


def rate_by_baselines(
    settings: Settings, store: Store, call: Call, split: SplitRatings, ratings: ValidatedRatings
) -> RatingPredictions:
    """The baselines' predictions."""
    return call("predict baselines", predict_baselines)(
        split, ratings, config=settings.baseline, store=store
    )


def rank_by_baselines(
    settings: Settings, store: Store, call: Call, split: SplitRatings, ratings: ValidatedRatings
) -> RankedLists:
    """The baselines' lists."""
    return call("rank baselines", rank_baselines)(
        split, ratings, config=settings.baseline, store=store
    )
