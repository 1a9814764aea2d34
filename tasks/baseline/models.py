"""The baselines by name, with their settings."""

from collections.abc import Callable

import numpy as np
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.funksvd import FunkSVDScorer
from lenskit.knn import EASEScorer, ItemKNNScorer

from tasks.baseline.config import Baseline
from tasks.baseline.implicit_als import ImplicitALSLists
from tasks.baseline.interactions import Floats, Interactions, Ints, ListModel
from tasks.baseline.lenskit_adapters import LensKitLists, LensKitRatings
from tasks.baseline.means import (
    ContextAverage,
    DampedBias,
    constant,
    global_mean,
    item_mean,
    user_mean,
)
from tasks.baseline.neighbourhood import Neighbourhood
from tasks.baseline.popularity import MostRatedLists, popularity
from tasks.baseline.sequential import SequentialLists
from tasks.baseline.svdpp import SVDPlusPlus

RatingModel = Callable[[Interactions, Ints, Ints], Floats]


def rating_models(config: Baseline, scale: tuple[float, float]) -> dict[str, RatingModel]:
    """The predictors of ratings that the settings name."""

    def lenskit(make_scorer: Callable[[], object]) -> LensKitRatings:
        return LensKitRatings(make_scorer, config.seed)

    models: dict[str, RatingModel] = {
        "bias": DampedBias(config.item_damping, config.user_damping, config.iterations),
        "constant": constant,
        "context_mean": ContextAverage(config.context_films, np.mean),
        "context_median": ContextAverage(config.context_films, np.median),
        "funk_svd": lenskit(
            lambda: FunkSVDScorer(
                features=config.factors,
                epochs=config.funk_epochs,
                regularization=config.funk_regularisation,
                range=scale,
            )
        ),
        "global_mean": global_mean,
        "item_knn": lenskit(lambda: ItemKNNScorer(max_nbrs=config.neighbours)),
        "item_mean": item_mean,
        "matrix_factorisation": lenskit(
            lambda: BiasedMFScorer(features=config.factors, regularization=config.regularisation)
        ),
        "neighbourhood": Neighbourhood(**config.neighbourhood.model_dump()),
        "svdpp": SVDPlusPlus(config.svdpp),
        "user_mean": user_mean,
    }
    return {name: models[name] for name in config.rating_models}


def list_models(config: Baseline) -> dict[str, ListModel]:
    """The predictors of lists that the settings name."""

    def lenskit(make_scorer: Callable[[], object]) -> LensKitLists:
        return LensKitLists(make_scorer, config.seed)

    models: dict[str, ListModel] = {
        "ease": MostRatedLists(
            lenskit(lambda: EASEScorer(regularization=config.ease_regularisation)),
            config.ease_films,
        ),
        "implicit_als": ImplicitALSLists(config.implicit_als),
        "implicit_item_knn": lenskit(
            lambda: ItemKNNScorer(max_nbrs=config.list_neighbours, feedback="implicit")
        ),
        "implicit_mf": lenskit(
            lambda: ImplicitMFScorer(features=config.list_factors, weight=config.list_weight)
        ),
        "popularity": popularity,
        "sasrec": SequentialLists(config.sasrec),
    }
    return {name: models[name] for name in config.list_models}
