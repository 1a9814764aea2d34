"""Tasks: retrieve candidates, score them with the language model, rank them."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.executor import open_executor
from tasks.liked import DEFAULT_RULE, Liked
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
    RatingPriors,
    SplitRatings,
    ValidatedRatings,
)
from tasks.store.store import Store


@task
def retrieve_candidates(
    split: SplitRatings, *, config: Retrieve, store: Store, fitted: Candidates | None = None
) -> Candidates:
    """Retrieve candidates for every user of the validation and the test fold.

    With `fitted` the retriever is not fitted to `split`, but is that of these candidates.
    """

    def write(draft: Path) -> None:
        from tasks.rank.retriever import write_candidates

        write_candidates(draft, split, config, fitted)

    parents = [split, *([fitted] if fitted else [])]
    return store.build(Candidates, recipe=config, parents=parents, write=write)


@task
def score_candidates(
    adapter: Adapter, base: Base, prompts: CandidatePrompts, *, inference: Inference, store: Store
) -> CandidateScores:
    """Score each candidate by the log-likelihood of its line."""

    def write(draft: Path) -> None:
        from tasks.rank.likelihood import write_scores

        earlier = None
        if inference.keeps_readings:
            earlier = store.find_earlier(
                CandidateScores, recipe=inference, write=write, parents=[adapter, base]
            )
        needed = [*parents, *([earlier] if earlier else [])]
        with open_executor(1, inference.dask_address, store, needed) as executor:
            write_scores(draft, adapter, base, prompts, inference, executor, earlier)

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
    scores: CandidateScores | None,
    priors: RatingPriors | None = None,
    *,
    config: Rank,
    liked: Liked = DEFAULT_RULE,
    store: Store,
    mix_of: RankedLists | None = None,
) -> RankedLists:
    """Rank each user's candidates by a weighted sum of features, fitted on the validation fold.

    `priors` are those of the candidates. Features are used only if they raise cross-validated NDCG
    of liked films. A second predictor ranks without the language models'. With `mix_of` its weights
    are used, and there is one predictor: a request has no validation fold. `scores` may then be
    left out where the mix gives them no weight, and ValueError is raised where it does.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.rank.features import Inputs
        from tasks.rank.ranking import apply_ranking, write_ranking

        inputs = Inputs(split, candidates, predictions, scores, priors)
        if mix_of is None:
            return write_ranking(draft, inputs, ratings, config, liked)
        return apply_ranking(draft, inputs, ratings, config, mix_of)

    given = [made for made in (scores, priors, mix_of) if made is not None]
    parents = [split, ratings, candidates, predictions, *given]
    recipe = config.model_dump(mode="json") | {"liked": liked.model_dump()}
    return store.build(RankedLists, recipe=recipe, parents=parents, write=write)
