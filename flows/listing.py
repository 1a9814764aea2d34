"""A night's lists beside the model's own: retrieve, then rank; and text that nothing holds."""

from dataclasses import dataclass

from flows.prepare import Prepared
from flows.settings import Settings
from tasks.decode.task import decode_lists, generate_lists
from tasks.predict.task import predict_ratings
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.task import rank_candidates, retrieve_candidates, score_candidates
from tasks.store.artifacts import Adapter, Artifact, Base, RankedLists, RatingPredictions
from tasks.store.store import Store


@dataclass(frozen=True)
class Listed:
    """The lists to be scored, and what they were made of."""

    told: list[RankedLists]
    made_of: list[Artifact]


def listed(
    settings: Settings,
    store: Store,
    data: Prepared,
    base: Base,
    adapter: Adapter,
    said: RatingPredictions,
) -> Listed:
    """Have the model rank what others' ratings propose, and write freely where that is asked for.

    `said` is what the model says of the night's targets: candidates are calibrated alike.
    """
    films = retrieve_candidates(data.split, config=settings.retrieve, store=store)
    # Worded as the adapter has learnt it, whatever the profile says today.
    wording = Prompt.model_validate(data.prompts.manifest["recipe"])
    asked = write_candidate_prompts(
        data.split, data.ratings, data.tokenizer, films, config=wording, store=store
    )
    rated = predict_ratings(
        adapter,
        base,
        asked,
        data.split,
        config=settings.predict,
        inference=settings.inference,
        store=store,
        calibrated_by=said,
    )
    weighed = score_candidates(adapter, base, asked, inference=settings.inference, store=store)
    ranked = rank_candidates(
        data.split, data.ratings, films, rated, weighed, config=settings.rank, store=store
    )
    decoded = decode_lists(
        adapter,
        base,
        data.prompts,
        data.split,
        config=settings.decode,
        inference=settings.inference,
        store=store,
    )
    told, free = [decoded, ranked], settings.free_text
    if free is not None:
        told += [generate_lists(adapter, base, data.prompts, data.split, config=free, store=store)]
    return Listed(told, [films, asked, rated, weighed])
