"""Lists: candidates ranked with and without the model, lists decoded, and lists as free text."""

from flows.histories import retrieve
from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import CANDIDATE_PRIORS, Stages
from tasks.decode.task import decode_lists, generate_lists
from tasks.predict.task import predict_ratings
from tasks.prior.task import predict_candidate_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.task import rank_candidates, score_candidates
from tasks.store.artifacts import Adapter, Base, RankedLists, RatingPredictions, RatingPriors
from tasks.store.store import Store


def rank_and_decode(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
    llm: RatingPredictions,
) -> list[RankedLists]:
    """Return the ranked candidates, the decoded lists, and free text where the settings want it.

    `llm` are the model's predictions for the targets: candidates are calibrated alike.
    """
    ranked = rank(settings, store, stages, data, base, adapter, llm)
    inputs = (adapter, base, data.prompts, data.split)
    decoded = stages(f"decode lists ({settings.decode.predictor})", decode_lists)(
        *inputs, config=settings.decode, inference=settings.inference, store=store
    )
    if settings.free_text is None:
        return [decoded, ranked]
    free_text = stages("generate free text", generate_lists)(
        *inputs, config=settings.free_text, store=store
    )
    return [decoded, ranked, free_text]


def rank(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
    llm: RatingPredictions,
) -> RankedLists:
    """The ranked candidates of an adapter, whose prompts and tokenizer are those of `data`."""
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
    inference = settings.inference
    rated = stages("predict candidates", predict_ratings)(
        adapter, base, prompts, data.split,
        config=settings.predict, inference=inference, store=store, calibrated_by=llm,
    )  # fmt: skip
    scored = stages("score candidates", score_candidates)(
        adapter, base, prompts, inference=inference, store=store
    )
    return stages("rank candidates", rank_candidates)(
        data.split, data.ratings, candidates, rated, scored, of_candidates,
        config=settings.rank, liked=settings.liked, store=store,
    )  # fmt: skip
