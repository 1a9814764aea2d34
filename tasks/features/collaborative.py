"""Predicts unknown ratings from the known ratings of all users.

Ratings are arrays of equal length: `user` and `film` numbered from 0, `rating` in stars, and
`known`, which says what may be learnt from. Predictions are in stars, one a rating.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import csc_array
from threadpoolctl import threadpool_limits

from tasks.features.biases import ITERATIONS, fit_biases

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Known ratings of a user that are looked at together: a matrix of 134 MB, of which there are up to
# four at a time. Without a bound, one user with 10,000 ratings took 4.6 GB.
MOST = 4096


def damped_bias_prediction(
    user: Ints,
    film: Ints,
    rating: Floats,
    known: Bools,
    *,
    item_damping: float,
    user_damping: float,
) -> Floats:
    """Predict every rating by damped biases that are fitted to the known ones."""
    model = fit_biases(
        user[known],
        film[known],
        rating[known],
        users=int(user.max()) + 1,
        films=int(film.max()) + 1,
        item_damping=item_damping,
        user_damping=user_damping,
        iterations=ITERATIONS,
    )
    return model.predict(user, film)


# One user's matrices are small: two threads wait for each other more than they compute. For
# MovieLens-100K one takes half the CPU time, and beside other processes on two cores 4 s for 80.
# Nor do the last digits depend on the number of cores.
@threadpool_limits.wrap(limits=1, user_api="blas")
def gaussian_process_prediction(
    user: Ints,
    film: Ints,
    rating: Floats,
    known: Bools,
    before: Floats,
    fitted: Floats,
    *,
    shrinkage: float,
    noise: float,
    selected: Bools | None = None,
) -> Floats:
    """Correct bias predictions by Gaussian-process regression on each user's bias residuals.

    Covariance = item-item residual covariance over all users, shrunk by `shrinkage` ratings a
    film, + `noise` · residual variance · I. It is positive definite whatever the data. The
    correction is the posterior mean: interpolation weights for all of a user's films at once
    (Bell and Koren, 2007, ICDM, 10.1109/ICDM.2007.90).

    An unknown rating gets its `fitted` prediction, corrected by all known ratings of its user. A
    known rating gets the prediction `before` it, corrected by the user's earlier ratings, with a
    covariance over the other users only: the rating itself has no part in it. Users without a
    `selected` rating keep their bias predictions; None selects everyone.

    Of more than MOST known ratings of a user, each stretch of as many counts for itself, and the
    last one for the unknown.

    Rows are sorted by user, then by position. Memory grows with the square of one user's ratings,
    up to MOST, time with a user's ratings times those of their films: seconds for 100,000 ratings,
    hours for 20 million.
    """
    residual = np.where(known, rating - fitted, 0.0)
    noise_variance = noise * np.square(residual[known]).mean()
    scaled = residual / np.sqrt(np.bincount(film, known.astype(np.float64)) + shrinkage)[film]
    users = int(user.max()) + 1
    matrix = csc_array(
        (scaled[known], (user[known], film[known])), shape=(users, int(film.max()) + 1)
    )
    corrected = np.where(known, before, fitted)
    for start, end in pairwise(np.searchsorted(user, np.arange(users + 1))):
        observed = start + np.flatnonzero(known[start:end])
        if len(observed) and (selected is None or selected[start:end].any()):
            for stretch in _stretches(observed):
                columns = matrix[:, film[stretch]]
                covariance = (columns.T @ columns).toarray()
                covariance.flat[:: len(stretch) + 1] += noise_variance
                if stretch[-1] == observed[-1]:
                    unknown = start + np.flatnonzero(~known[start:end])
                    weights = columns @ np.linalg.solve(covariance, residual[stretch])  # [users]
                    corrected[unknown] += matrix[:, film[unknown]].T @ weights
                covariance -= np.outer(scaled[stretch], scaled[stretch])  # of the others alone
                surprise = rating[stretch] - before[stretch]
                corrected[stretch] += _mean_given_earlier(covariance, surprise)
    return corrected


def _stretches(observed: Ints) -> Iterator[Ints]:
    """The ratings of a user, at most MOST at a time; the last stretch is full."""
    for end in range(len(observed) % MOST or MOST, len(observed) + 1, MOST):
        yield observed[max(0, end - MOST) : end]


def _mean_given_earlier(covariance: Floats, values: Floats) -> Floats:
    """The mean of each value given those before it, by Cholesky factorisation."""
    factor = np.linalg.cholesky(covariance)
    return values - np.diag(factor) * solve_triangular(factor, values, lower=True)
