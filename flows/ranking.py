"""Ratings and lists of the model: candidates ranked, lists decoded, and lists as free text."""

from typing import NamedTuple

from flows.histories import retrieve
from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import CANDIDATE_PRIORS, READ, Stages
from tasks.decode.task import decode_lists, generate_lists
from tasks.predict.task import predict_ratings
from tasks.prior.task import predict_candidate_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.task import rank_candidates
from tasks.read.task import read_prompts
from tasks.store.artifacts import Adapter, Base, RankedLists, RatingPredictions, RatingPriors
from tasks.store.store import Store


class RatedAndRanked(NamedTuple):
    """The predicted ratings of the targets, and the ranked candidates."""

    predictions: RatingPredictions
    lists: RankedLists


def decode(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
) -> list[RankedLists]:
    """Return the decoded lists, and free text where the settings want it."""
    inputs = (adapter, base, data.prompts, data.split)
    decoded = stages(f"decode lists ({settings.decode.predictor})", decode_lists)(
        *inputs, config=settings.decode, inference=settings.inference, store=store
    )
    if settings.free_text is None:
        return [decoded]
    free_text = stages("generate free text", generate_lists)(
        *inputs, config=settings.free_text, store=store
    )
    return [decoded, free_text]


def rate_and_rank(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
) -> RatedAndRanked:
    """By an adapter, whose prompts and tokenizer are those of `data`.

    Targets and candidates are read together, and calibrated alike.
    """
    candidates = retrieve(settings, store, stages, data.split)
    # Worded as in training, whatever the settings say today: a rescored adapter may be older.
    wording = Prompt.model_validate(data.prompts.manifest["recipe"])
    of_candidates, priors = None, list[RatingPriors]()
    if data.priors is not None:
        of_candidates = stages(CANDIDATE_PRIORS, predict_candidate_priors)(
            data.priors, data.split, data.ratings, candidates, store=store
        )
        priors = [data.priors, of_candidates] if wording.needs_priors else []
    prompts = stages("write prompts (candidates)", write_candidate_prompts)(
        data.split, data.ratings, data.tokenizer, candidates, priors, config=wording, store=store
    )
    readings = stages(READ, read_prompts)(
        adapter, base, data.prompts, prompts, inference=settings.inference, store=store
    )
    name, config = settings.predict.predictor, settings.predict
    llm = stages(f"predict {name}", predict_ratings)(
        readings, data.split, config=config, store=store
    )
    rated = stages("predict candidates", predict_ratings)(
        readings, data.split, config=config, store=store, role="candidate", calibrated_by=llm
    )
    ranked = stages("rank candidates", rank_candidates)(
        data.split, data.ratings, candidates, rated, readings, of_candidates,
        config=settings.rank, liked=settings.liked, store=store,
    )  # fmt: skip
    return RatedAndRanked(llm, ranked)
