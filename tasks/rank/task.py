"""Tasks: retrieve candidates, and rank them by what the language model made of them."""

from pathlib import Path
from typing import Any

from prefect import task

from tasks.liked import DEFAULT_RULE, Liked
from tasks.rank.config import Rank, Retrieve
from tasks.store.artifacts import (
    Candidates,
    RankedLists,
    RatingPredictions,
    RatingPriors,
    Readings,
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
def rank_candidates(
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    readings: Readings,
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
    are used, and there is one predictor: a request has no validation fold. `readings` need no
    likelihoods then where the mix gives them no weight; ValueError is raised where it does.
    """

    def write(draft: Path) -> dict[str, Any]:
        from tasks.rank.features import Inputs
        from tasks.rank.ranking import apply_ranking, write_ranking

        inputs = Inputs(split, candidates, predictions, readings, priors)
        if mix_of is None:
            return write_ranking(draft, inputs, ratings, config, liked)
        return apply_ranking(draft, inputs, ratings, config, mix_of)

    given = [made for made in (priors, mix_of) if made is not None]
    parents = [split, ratings, candidates, predictions, readings, *given]
    recipe = config.model_dump(mode="json") | {"liked": liked.model_dump()}
    return store.build(RankedLists, recipe=recipe, parents=parents, write=write)
