"""The baselines by name, as the settings have them."""

from collections.abc import Callable

from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.funksvd import FunkSVDScorer
from lenskit.knn import EASEScorer, ItemKNNScorer

from tasks.baseline.config import Baseline
from tasks.baseline.interactions import Floats, Ints, Known
from tasks.baseline.lenskit_adapters import LearntLists, LearntRatings
from tasks.baseline.means import (
    Bias,
    ContextMean,
    ContextMedian,
    constant,
    global_mean,
    item_mean,
    user_mean,
)
from tasks.baseline.neighbourhood import Neighbourhood
from tasks.baseline.popularity import popularity

RatesFilms = Callable[[Known, Ints, Ints], Floats]
Entries = tuple[Ints, Ints, Ints, Floats]  # user, rank, film and score of each
ListsFilms = Callable[[Known, Ints, int], Entries]


def rating_models(of: Baseline, scale: tuple[float, float]) -> dict[str, RatesFilms]:
    """Who guesses ratings, by name."""

    def learnt(scorer: Callable[[], object]) -> LearntRatings:
        return LearntRatings(scorer, of.seed)

    known: dict[str, RatesFilms] = {
        "bias": Bias(of.item_damping, of.user_damping, of.iterations),
        "constant": constant,
        "context_mean": ContextMean(of.context_films),
        "context_median": ContextMedian(of.context_films),
        "funk_svd": learnt(
            lambda: FunkSVDScorer(
                features=of.factors,
                epochs=of.funk_epochs,
                regularization=of.funk_regularisation,
                range=scale,
            )
        ),
        "global_mean": global_mean,
        "item_knn": learnt(lambda: ItemKNNScorer(max_nbrs=of.neighbours)),
        "item_mean": item_mean,
        "matrix_factorisation": learnt(
            lambda: BiasedMFScorer(features=of.factors, regularization=of.regularisation)
        ),
        "neighbourhood": Neighbourhood(**of.neighbourhood.model_dump()),
        "user_mean": user_mean,
    }
    return {name: known[name] for name in of.rating_models}


def list_models(of: Baseline) -> dict[str, ListsFilms]:
    """Who makes lists, by name."""

    def learnt(scorer: Callable[[], object]) -> LearntLists:
        return LearntLists(scorer, of.seed)

    known: dict[str, ListsFilms] = {
        "ease": learnt(lambda: EASEScorer(regularization=of.ease_regularisation)),
        "implicit_item_knn": learnt(
            lambda: ItemKNNScorer(max_nbrs=of.list_neighbours, feedback="implicit")
        ),
        "implicit_mf": learnt(
            lambda: ImplicitMFScorer(features=of.list_factors, weight=of.list_weight)
        ),
        "popularity": popularity,
    }
    return {name: known[name] for name in of.list_models}
