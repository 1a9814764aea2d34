"""The strong rivals are what their libraries and papers say, on any number of cores."""

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from tasks.baseline.config import SVDPP, Baseline, ImplicitALS
from tasks.baseline.implicit_als import ImplicitALSLists
from tasks.baseline.interactions import Codes, Interactions, training_and_targets
from tasks.baseline.svdpp import SVDPlusPlus


@pytest.fixture(scope="module")
def interactions(hundred_k) -> Interactions:
    """What may be learnt before the test fold."""
    valid, split = hundred_k
    ratings = split.scan("ratings")
    codes = Codes(ratings, valid.scan("films").collect())
    return training_and_targets(ratings, codes, "test")[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_lists_of_als_are_those_of_the_library(interactions, threads):
    config, users = ImplicitALS(factors=32, iterations=5), np.arange(0, 943, 9)
    places = interactions.user, interactions.film
    rated = sp.csr_matrix((np.ones(len(places[0]), np.float32), places), shape=(943, 1682))
    with threadpool_limits(1, "blas"):
        library = AlternatingLeastSquares(
            factors=32, regularization=30, alpha=5, iterations=5, num_threads=threads,
            random_state=0, use_gpu=False,
        )  # fmt: skip
        library.fit(rated, show_progress=False)
    user, rank, film, score = ImplicitALSLists(config)(interactions, users, 10)
    assert user.tolist() == np.repeat(users, 10).tolist()
    assert rank.tolist() == [*range(1, 11)] * len(users)
    product = library.user_factors @ library.item_factors.T
    product[interactions.user, interactions.film] = -np.inf
    best = np.sort(product[users], axis=1)[:, :-11:-1]
    assert score == pytest.approx(best.ravel(), abs=1e-6)
    assert score == pytest.approx(product[user, film], abs=1e-6)
    again = ImplicitALSLists(config)(interactions, users, 10)
    assert all(np.array_equal(*pair) for pair in zip(again, (user, rank, film, score), strict=True))


def test_als_lists_all_films_that_are_left_and_nothing_for_a_user_without_ratings():
    user, film = np.array([0, 0, 0, 2]), np.array([0, 1, 2, 0])
    rated = Interactions(user, film, np.ones(4), users=3, films=4)
    model = ImplicitALSLists(ImplicitALS(factors=2))
    listed = model(rated, np.array([0, 1, 2]), 3)
    assert listed[0].tolist() == [0, 2, 2, 2]
    assert listed[1].tolist() == [1, 1, 2, 3]
    assert listed[2][0] == 3
    assert sorted(listed[2][1:]) == [1, 2, 3]
    assert not len(model(rated, np.array([1]), 3)[0])


def test_svdpp_predicts_by_its_formula_and_the_mean_for_what_nobody_rated(interactions):
    config = SVDPP(epochs=2)
    pairs = np.array([0, 5, 942]), np.array([10, 20, 1681])
    before = SVDPlusPlus(config)(interactions, *pairs)
    wider = Interactions(
        interactions.user, interactions.film, interactions.rating, users=944, films=1683
    )
    cold = SVDPlusPlus(config)(wider, np.array([943]), np.array([1682]))
    assert cold == pytest.approx(interactions.rating.mean())
    with threadpool_limits(1):
        assert np.array_equal(SVDPlusPlus(config)(interactions, *pairs), before)


def test_svdpp_fits_what_only_the_set_of_rated_films_tells():
    """Film 0 is liked by who has rated film 1, disliked by who has rated film 2."""
    users = np.arange(400)
    favourite = 1 + users % 2
    rated_first = users < 300
    user = np.r_[users, users[rated_first]]
    film = np.r_[favourite, np.zeros(300, int)]
    rating = np.r_[np.full(400, 3.0), np.where(favourite == 1, 5.0, 1.0)[rated_first]]
    order = np.lexsort((film, user))
    training = Interactions(user[order], film[order], rating[order], users=400, films=3)
    users_without = users[~rated_first]
    model = SVDPlusPlus(SVDPP(factors=4, epochs=60, regularisation=0.01))
    predicted = model(training, users_without, np.zeros(100, int))
    assert (predicted[favourite[users_without] == 1] > 4).all()
    assert (predicted[favourite[users_without] == 2] < 2).all()


def test_the_default_run_has_the_rivals():
    assert "svdpp" in Baseline().rating_models
    assert "implicit_als" in Baseline().list_models
