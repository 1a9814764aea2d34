"""Tasks: retrieve candidates, score them with the language model, rank them."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.rank.config import Rank, Retrieve
from tasks.readout.config import Inference
from tasks.store.artifacts import (
    Adapter,
    Base,
    CandidatePrompts,
    Candidates,
    CandidateScores,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def retrieve_candidates(split: SplitRatings, *, config: Retrieve, store: Store) -> Candidates:
    """Retrieve candidates for every user of the validation and the test fold."""

    def write(draft: Path) -> None:
        from tasks.rank.retriever import write_candidates

        write_candidates(draft, split, config)

    return store.build(Candidates, recipe=config, parents=[split], write=write)


@task
def score_candidates(
    adapter: Adapter, base: Base, prompts: CandidatePrompts, *, inference: Inference, store: Store
) -> CandidateScores:
    """Score each candidate by the log-likelihood of its line."""

    def write(draft: Path) -> None:
        from tasks.rank.likelihood import write_scores

        with open_executor(1, inference.dask_address, store, parents) as executor:
            write_scores(draft, adapter, base, prompts, inference, executor)

    parents = [adapter, base, prompts]
    return store.build(
        CandidateScores, recipe=inference, parents=parents, write=write, resumable=True
    )


@task
def rank_candidates(
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    scores: CandidateScores,
    *,
    config: Rank,
    store: Store,
    mix_of: RankedLists | None = None,
) -> RankedLists:
    """Rank each user's candidates by a weighted sum of the retriever's and the model's scores.

    LM features are used only if they raise cross-validated NDCG on the validation fold. With
    `mix_of` its weights are used: a request has no validation fold.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.rank.ranking import write_ranking

        return write_ranking(draft, split, ratings, candidates, predictions, scores, config, mix_of)

    parents = [split, ratings, candidates, predictions, scores, *([mix_of] if mix_of else [])]
    return store.build(RankedLists, recipe=config, parents=parents, write=write)
